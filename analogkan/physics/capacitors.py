# pyright: strict
"""The capacitors of a stage's amplifiers: what stands at their inputs, and what damps them.

An op-amp of gain-bandwidth product w / 2 pi, whose inverting input has C farads and G siemens to
ground and whose feedback is R beside C_f, has the loop

    (C + C_f) s^2 + (G + 1/R + w C_f) s + w / R = 0,

so C_f = 0 rings as soon as C is large. A falling diode is a negative G.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.design import CrossbarStage
from ..compiler.hardware import Hardware
from ..compiler.stability import steepest_fall
from .assumptions import Assumptions

Values = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Capacitors:
    """Of one stage, farads.

    Attributes
    ----------
    rows_in, rows
        (I, D) at the summing nodes of the row amplifiers, and beside their feedback.
    lines_in, lines
        (2 O,) the same of the line amplifiers.
    diffs_in, diffs
        (O,), or none of a summing read-out, at each of the two inputs of a difference amplifier;
        beside its feedback resistor, and beside that from its other input to ground.
    """

    rows_in: Values
    rows: Values
    lines_in: Values
    lines: Values
    diffs_in: Values
    diffs: Values


def capacitors_of(stage: CrossbarStage, hardware: Hardware, assumed: Assumptions) -> Capacitors:
    """The capacitors of ``stage``: the design's, or larger where damping asks for it.

    Damping of a row is on the steepest fall of its diode's whole curve.
    """
    of_rows, _, of_diffs = stage.gbw
    cells = np.count_nonzero(stage.g, axis=0)
    rows_in = np.full(stage.r_f.shape, assumed.c_in + assumed.c_diode)
    lines_in = assumed.c_in + assumed.c_cell * cells
    diffs_in = np.full(stage.n_diffs, assumed.c_in)
    ratio = stage.gain[: stage.n_diffs]
    falls = np.array([steepest_fall(curve, -math.inf, math.inf) for curve in stage.curves])
    damp = assumed.zeta
    return Capacitors(
        rows_in=rows_in,
        rows=np.maximum(stage.c_f, damping_c_f(rows_in, -falls, stage.r_f, of_rows, damp)),
        lines_in=lines_in,
        lines=damping_c_f(lines_in, loads_of(stage), stage.r_c, stage.line_gbw, damp),
        diffs_in=diffs_in,
        diffs=damping_c_f(
            diffs_in, np.array(1 / hardware.r_diff), hardware.r_diff * ratio, of_diffs, damp
        ),
    )


def loads_of(stage: CrossbarStage) -> Values:
    """Siemens (2 O,) at the lines' summing nodes: cells, and r_x of a summing read-out."""
    loads = stage.g.sum(axis=0)
    if not stage.readout.differences:
        loads[0::2] += 1 / stage.r_x
    return loads


def damping_c_f(c_in: Values, g: Values, r: Values, gbw: float | Values, zeta: float) -> Values:
    """The least feedback capacitor that damps a loop to ``zeta``; farads, 0 where none is needed.

    Parameters
    ----------
    c_in, g, r
        Farads and siemens from the inverting input to ground, ohms of the feedback; any shapes
        that broadcast.
    gbw
        Hertz, of all or of each.
    """
    w = 2 * math.pi * gbw
    b = g + 1 / r
    # (b + w C_f)^2 = k (C + C_f): a quadratic in C_f, of which the larger root damps.
    k = 4 * zeta**2 * w / r
    half = (k / w - 2 * b) / (2 * w)
    root = half**2 - (b**2 - k * c_in) / w**2
    found = half + np.sqrt(np.maximum(root, 0.0))
    return np.where((b < 0) | (b**2 < k * c_in), np.maximum(found, 0.0), 0.0)
