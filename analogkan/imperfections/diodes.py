# pyright: strict
"""Diodes: how one differs from its type, and a die's from the design's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..compiler.chip import RAMP_VOLTS
from .base import Draw, Imperfection, errors_of, upto

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage

LEAST_CURRENT = 0.01
"""Smallest share of its current that a diode is left with: a negative one would be a source."""
MOST_SHIFT = 0.8 * RAMP_VOLTS
"""Volts: a diode shifted by more than its ramp would carry less current at more voltage there."""
PARTS = (("current", 0.5, "share"), ("voltage", 0.1, "share"), ("shift", 2e-2, "V"))


def _mismatch(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    of, rows = draw.settings, stage.r_f.shape
    k_i = 1 + draw.common("die_current", stage, of.die_sigma_current)
    k_v = 1 + draw.common("die_voltage", stage, of.die_sigma_voltage)
    d_v = draw.common("die_shift", stage, of.die_sigma_shift)
    k_i = k_i * (1 + draw.normal("diode_current", rows, of.diode_sigma_current))
    k_v = k_v * (1 + draw.normal("diode_voltage", rows, of.diode_sigma_voltage))
    d_v = d_v + draw.normal("diode_shift", rows, of.diode_sigma_shift)
    clipped = (k_i < LEAST_CURRENT) | (np.abs(d_v) > MOST_SHIFT)
    draw.count("clipped_diodes", clipped & stage.kept)
    errors = replace(
        errors_of(stage),
        k_i=np.maximum(k_i, LEAST_CURRENT),
        k_v=k_v,
        d_v=np.clip(d_v, -MOST_SHIFT, MOST_SHIFT),
    )
    return replace(stage, errors=errors)


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
    ),
    draw=_mismatch,
    streams={
        "diode_current": 4, "diode_voltage": 5, "diode_shift": 6,
        "die_current": 7, "die_voltage": 8, "die_shift": 9,
    },
    counts={"clipped_diodes": "diodes clipped"},
)  # fmt: skip
