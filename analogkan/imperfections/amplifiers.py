# pyright: strict
"""Amplifiers: op-amps, and the resistors around them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SettingsError
from .base import Draw, Imperfection, errors_of, upto
from .mismatch import Quantity, check_area, die_settings, die_streams, differ, pelgrom

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage
    from ..compiler.hardware import Hardware

GROUPS = {"rows": ("row", "row_gain"), "lines": ("line", "line_gain"),
          "diffs": ("diff", "diff_open_gain")}  # fmt: skip
"""Of op-amps: how their streams begin, and that of their gain."""


OWN_GAINS = "opamp_gain_sigma", "dead_amplifiers"
"""Settings by which op-amps of a chip have gains of their own."""


def require_gains(settings: Any, hardware: Hardware) -> None:
    """SettingsError if op-amps of a chip are to have gains that those of ``hardware`` cannot."""
    for name in () if hardware.amplifier.own_gains else OWN_GAINS:
        if value := getattr(settings, name):
            raise SettingsError(
                f"{name} = {value:g} gives op-amps of a chip gains of their own, and the op-amp "
                f"{hardware.opamp} has no parameter gain: set {name} to 0"
            )


def _err(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    errors, of = errors_of(stage), draw.settings
    changed: dict[str, Any] = {}
    for group, (kind, gain) in GROUPS.items():
        made = getattr(errors, group)
        shape = made.gain.shape
        changed[group] = replace(
            made,
            gain=np.exp(draw.normal(gain, shape, of.opamp_gain_sigma)),
            offset=differ(draw, _offset(of, f"{kind}_offset", group), shape),
            drift=draw.normal(f"{kind}_drift", shape, of.offset_drift_sigma),
        )
    return replace(stage, errors=replace(errors, **changed))


def _offset(of: Any, own: str, group: str) -> Quantity:
    return Quantity(
        name="offset",
        own=own,
        sigma=of.offset_sigma,
        length=of.offset_length,
        kind="offset",
        group=group,
        local=pelgrom(of, "offset", pair=True),
        steep=of.offset_slope,
    )


def _resist(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    of = draw.settings
    r_c = np.repeat(1 + draw.normal("r_c", stage.gain.shape, of.r_c_sigma), 2)
    half = 0.5 * draw.normal("pair", stage.gain.shape, of.line_sigma)
    gain = 1 + draw.normal("diff_gain", stage.gain.shape, of.diff_gain_sigma)
    pair = 1 + half, 1 - half
    if not stage.readout.differences:  # both lines go through r_f: what differs is r_n / r_x
        gain, pair = (1 - half) / (1 + half), (1 + half, 1 + 0 * half)
    return replace(
        stage,
        r_f=stage.r_f * (1 + draw.normal("r_f", stage.r_f.shape, of.r_f_sigma)),
        r_c=stage.r_c * r_c * np.stack(pair, axis=1).ravel(),
        gain=stage.gain * gain,
    )


OP_AMPS = Imperfection(
    name="op-amps",
    settings=(
        upto(0.1, "offset_sigma", "Input offset of an op-amp, volts.", "V"),
        upto(1e-3, "offset_drift_sigma", "Its drift, volts per kelvin from 26.85 degC on.", "V/K"),
        upto(2.0, "opamp_gain_sigma", "Of ln(open-loop gain).", ""),
        *die_settings("offset", "``offset_sigma``", "one offset of all op-amps",
                      "an offset, a pair's, gains A / sqrt(W L), of", (("", "V"),)),
    ),
    draw=_err,
    streams={
        "row_offset": 10, "row_drift": 11, "row_gain": 12,
        "line_offset": 13, "line_drift": 14, "line_gain": 15,
        "diff_offset": 16, "diff_drift": 17, "diff_open_gain": 18,
        **die_streams("op-amps", "offset"),
    },
    check=lambda settings: check_area(settings, "offset"),
)  # fmt: skip
FEEDBACK = Imperfection(
    name="feedback",
    settings=(
        *(upto(0.1, name, "Tolerance of a row's feedback and, common to both lines of a pair, of a "
               "line's; shares of 1.") for name in ("r_f_sigma", "r_c_sigma")),
        upto(0.1, "line_sigma", "Of the relative difference between a pair's two line gains."),
        upto(0.1, "diff_gain_sigma", "Gain error of a difference amplifier, a share of 1; a "
             "summing read-out has none."),
    ),
    draw=_resist,
    streams={"r_f": 19, "r_c": 20, "pair": 21, "diff_gain": 22},
)  # fmt: skip
