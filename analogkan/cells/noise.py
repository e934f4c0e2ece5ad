"""Companions: what a behavioural source lacks, its noise, beside it. No deck has them unasked."""

from __future__ import annotations

from .base import INPUT, OUTPUT, CellKind, Param, Pin

READS = (Pin("now", INPUT), Pin("next", INPUT), Pin("rest", INPUT))
BEFORE = (Pin("inp", INPUT), Pin("pos", OUTPUT))
NOISE = (
    CellKind(
        name="diode_noise",
        pins=(Pin("a", INPUT), Pin("c", INPUT), *READS),
        params=(Param("rising", "", "1"), Param("falling", "", "1")),
        block="noise",
    ),
    CellKind(
        name="opamp_noise",
        pins=BEFORE,
        params=(Param("en", "V/sqrt(Hz)", "10n"),),
        block="noise",
    ),
    CellKind(
        name="opamp_flicker",
        pins=BEFORE,
        params=(Param("r", "ohm", "1"),),
        block="noise",
        models=("flicker",),
    ),
    CellKind(
        name="opamp_current_noise",
        pins=(Pin("inp", INPUT), Pin("inn", INPUT)),
        params=(Param("in", "A/sqrt(Hz)", "1f"),),
        block="noise",
    ),
)
