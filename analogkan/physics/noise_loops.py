# pyright: strict
"""A circuit's amplifiers in frequency: what each makes of a current or a voltage at its input.

Every amplifier is the loop of ``capacitors``, at s = 2 pi i f; z = 1 / A(s) is the inverse of its
open-loop gain, 1 / A + s / w. Stages are one-way, so what reaches the outputs from a source is a
product of these, of the crossbars' conductances, and of the slopes at the operating point.

Axes: B images, I inputs, D diodes, O outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.design import CrossbarStage
from ..compiler.hardware import Hardware
from ..errors import SimulationError
from .capacitors import Capacitors
from .noise_point import Point

Values = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Loop:
    """Amplifiers of one kind: C farads and G siemens at the input, R beside C_f as feedback.

    Attributes
    ----------
    c, g, r, c_f
        Farads, siemens, ohms, farads; any shapes that broadcast.
    gain
        Open-loop gain.
    w
        2 pi times the gain-bandwidth product, 1/s; a number, or one for each.
    """

    c: Values
    g: Values
    r: Values
    c_f: Values
    gain: Values
    w: float | Values

    def feedback(self, s: complex) -> Values:
        """Siemens of the feedback."""
        return 1 / self.r + s * self.c_f

    def load(self, s: complex) -> Values:
        """Siemens at the input, the feedback among them."""
        return self.g + s * self.c + self.feedback(s)

    def inverse(self, s: complex) -> Values:
        """1 / A(s)."""
        return 1 / self.gain + s / self.w

    def siemens(self, s: complex) -> Values:
        """Amperes at the input per volt at the output."""
        return self.feedback(s) + self.inverse(s) * self.load(s)

    def poles(self) -> Values:
        """The two poles (2, ...), 1/s; the second is not finite where there is but one."""
        a = (self.c + self.c_f) / self.w
        b = (self.g + 1 / self.r) / self.w + self.c_f + (self.c + self.c_f) / self.gain
        rest = 1 / self.r + (self.g + 1 / self.r) / self.gain
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt((b * b - 4 * a * rest).astype(complex))
            far = b + np.where(b < 0, -1, 1) * root  # no difference of nearly equal numbers
            return -np.stack(np.broadcast_arrays(2 * rest / far, far / (2 * a)))


@dataclass(frozen=True, eq=False, kw_only=True)
class StageLoops:
    """The amplifiers of one stage: rows (B, I, D), lines (2 O,), difference amplifiers (O,), of
    which a summing read-out has none."""

    rows: Loop
    lines: Loop
    diffs: Loop | None

    @property
    def linear(self) -> tuple[Loop, ...]:
        """Those behind the crossbar."""
        return (self.lines,) if self.diffs is None else (self.lines, self.diffs)


def loops_of(
    stage: CrossbarStage, point: Point, capacitors: Capacitors, hardware: Hardware
) -> StageLoops:
    """The loops of ``stage`` at its operating points.

    Raises
    ------
    SimulationError
        If one of them is not stable there.
    """
    of_rows, _, of_diffs = (2 * math.pi * float(gbw) for gbw in stage.gbw)
    columns = point.columns
    diffs = None
    if columns.differences:
        diffs = Loop(
            c=capacitors.diffs_in,
            g=np.full(stage.gain.shape, 1 / hardware.r_diff),
            r=hardware.r_diff * stage.gain,
            c_f=capacitors.diffs,
            gain=columns.diff_gain,
            w=of_diffs,
        )
    loads = columns.g if columns.feet is None else np.diagonal(columns.feet)
    found = StageLoops(
        rows=Loop(
            c=capacitors.rows_in,
            g=point.slopes,
            r=point.r_f,
            c_f=capacitors.rows,
            gain=point.row_gain,
            w=of_rows,
        ),
        lines=Loop(
            c=capacitors.lines_in,
            g=loads if columns.differences else loads + columns.coupled,
            r=columns.r_c,
            c_f=capacitors.lines,
            gain=columns.line_gain,
            w=2 * math.pi * stage.line_gbw,
        ),
        diffs=diffs,
    )
    require_stable(found, point.layer)
    return found


def require_stable(loops: StageLoops, layer: int) -> None:
    """Raise SimulationError if an amplifier of ``loops`` oscillates: its noise has no limit."""
    kinds = ("row", "line", "output")
    for kind, loop in zip(kinds, (loops.rows, *loops.linear), strict=False):
        poles = loop.poles()
        worst = np.where(np.isfinite(poles), np.real(poles), -np.inf)
        if worst.max() >= 0:
            at = np.unravel_index(int(worst.argmax()), worst.shape)
            where = ", ".join(str(int(k)) for k in at[-2 if kind == "row" else -1 :])
            raise SimulationError(
                f"layer {layer}: the amplifier of {kind} {where} oscillates (a pole at "
                f"{worst.max():.3g} 1/s), so its noise grows without limit: raise zeta or c_f"
            )
