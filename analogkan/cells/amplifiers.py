"""The amplifiers around diodes, lines and pairs; reading a deck back finds them by their elements,
so that what they do is in ``compiler.closed_form`` and ``compiler.blocks``.
"""

from __future__ import annotations

from dataclasses import replace

from .base import INPUT, OUTPUT, CellKind, Param, Pin

ERRORS = (Param("a", "", "1"), Param("vos", "V", "0"), Param("drift", "V/K", "0"))
"""Of an op-amp: its gain as a share of the design's, its offset and the offset's drift."""
RAIL = Param("vr", "V", "2.5")
ONE = (Pin("in", INPUT), Pin("out", OUTPUT))
PLAIN = (
    CellKind(
        name="row_amp",
        pins=ONE,
        params=(Param("rf", "ohm", "100k"), Param("cf", "F", "1p"), *ERRORS),
        block="row amplifier",
        models=("feedback",),
    ),
    CellKind(
        name="tia",
        pins=ONE,
        params=(Param("rf", "ohm", "100k"), *ERRORS),
        block="line amplifier",
        models=("feedback",),
    ),
    CellKind(
        name="diff_amp",
        pins=(Pin("p", INPUT), Pin("n", INPUT), Pin("out", OUTPUT)),
        params=(Param("gain", "V/V", "1"), Param("r", "ohm", "10k"), *ERRORS),
        block="difference",
    ),
    CellKind(
        name="summing_amp",
        pins=(Pin("in", INPUT), Pin("n", INPUT), Pin("out", OUTPUT)),
        params=(Param("rf", "ohm", "100k"), Param("rx", "ohm", "100k"), *ERRORS),
        block="summing amplifier",
        models=("feedback",),
    ),
)


def _with_rails(kind: CellKind) -> CellKind:
    own = kind.params[: -len(ERRORS)]
    return replace(kind, name=f"{kind.name}_rails", params=(*own, RAIL, *ERRORS))


AMPLIFIERS = (*PLAIN, *map(_with_rails, PLAIN))
