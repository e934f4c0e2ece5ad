# pyright: strict
"""Diodes: how one differs from its type, and a die's from the design's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compiler.chip import RAMP_VOLTS
from ..die.fields import WHOLE_DIE
from ..errors import SettingsError
from .base import Draw, Floats, Imperfection, errors_of, upto
from .mismatch import Quantity, check_area, die_settings, die_streams, differ, pelgrom

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage

LEAST_CURRENT = 0.01
"""Smallest share of its current that a diode is left with: a negative one would be a source."""
MOST_SHIFT = 0.8 * RAMP_VOLTS
"""Volts: a diode shifted by more than its ramp would carry less current at more voltage there."""
PARTS = (("current", 0.5, "share"), ("voltage", 0.1, "share"), ("shift", 2e-2, "V"))


def _mismatch(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    of = draw.settings
    k_i = 1 + draw.common("die_current", stage, of.die_sigma_current)
    k_v = 1 + draw.common("die_voltage", stage, of.die_sigma_voltage)
    d_v = draw.common("die_shift", stage, of.die_sigma_shift)
    k_i = k_i * (1 + _each(stage, draw, "current"))
    k_v = k_v * (1 + _each(stage, draw, "voltage"))
    d_v = d_v + _each(stage, draw, "shift")
    clipped = (k_i < LEAST_CURRENT) | (np.abs(d_v) > MOST_SHIFT)
    draw.count("clipped_diodes", clipped & stage.kept)
    errors = replace(
        errors_of(stage),
        k_i=np.maximum(k_i, LEAST_CURRENT),
        k_v=k_v,
        d_v=np.clip(d_v, -MOST_SHIFT, MOST_SHIFT),
    )
    return replace(stage, errors=errors)


def _each(stage: CrossbarStage, draw: Draw, part: str) -> Floats:
    """What a quantity of each diode (I, D) differs by from its type's on the die."""
    of = draw.settings
    what = Quantity(
        name=part,
        own=f"diode_{part}",
        sigma=getattr(of, f"diode_sigma_{part}"),
        length=of.diode_length,
        kind="diode",
        group="rows",
        local=pelgrom(of, "diode", f"_{part}"),
        steep=getattr(of, f"diode_slope_{part}"),
    )
    return differ(draw, what, stage.r_f.shape, draw.types(stage))


def _apart(settings: Any) -> None:
    """SettingsError if settings do not go together: what each diode has may not be common to the
    die where what the die has is, too."""
    check_area(settings, "diode")
    for part, *_ in PARTS:
        whole, own = (getattr(settings, f"{of}_sigma_{part}") for of in ("die", "diode"))
        if settings.diode_length >= WHOLE_DIE and whole and own:
            raise SettingsError(
                f"diode_length = {settings.diode_length:g} makes diode_sigma_{part} = {own:g} what "
                f"die_sigma_{part} = {whole:g} is, common to all diodes of a type: set one of them "
                "to 0"
            )


DIODES = Imperfection(
    name="diodes",
    settings=tuple(
        upto(most, f"{of}_sigma_{part}", about, unit)
        for of, about in (
            ("diode", "Of kI, kV (shares of 1) and dV (volts) in I = kI f(kV V + dV), each diode "
             "its own. ``analogkan devices import`` measures them."),
            ("die", "The same, common to all diodes of one type on a chip."),
        )
        for part, most, unit in PARTS
    ) + die_settings(
        "diode", "``diode_sigma_*``", "as ``die_sigma_*``", "a diode gains A / sqrt(2 W L), of",
        tuple((f"_{part}", unit) for part, _, unit in PARTS),
    ),
    draw=_mismatch,
    streams={
        "diode_current": 4, "diode_voltage": 5, "diode_shift": 6,
        "die_current": 7, "die_voltage": 8, "die_shift": 9,
        **die_streams("diodes", *(part for part, *_ in PARTS), common=False),
    },
    counts={"clipped_diodes": "diodes clipped"},
    check=_apart,
)  # fmt: skip
