# pyright: strict
"""Operating points: what a stage's linear circuit is at each image, from the twin.

Axes: B images, I inputs, D diodes, O outputs, K points of a row's table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..compiler.chip import require_usual
from ..compiler.closed_form import drifted
from ..compiler.columns import Columns
from ..compiler.design import CrossbarStage, Design
from ..compiler.front import Front
from ..compiler.spice_cells import TEMPERATURE_C

if TYPE_CHECKING:
    from ..engines.twin import TwinStage

Values = npt.NDArray[Any]
STEP = 1e-7
"""Volts over which a squash cell's slope is taken, upwards: at a kink it is the one above."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Point:
    """A stage at B operating points.

    Attributes
    ----------
    layer
        Its number.
    front
        The cells before its diodes.
    before
        (B, I) volts that drive the front.
    driven, squash_slopes
        (B, I) volts at the diodes; slopes of the squash cells, V/V.
    volts, currents
        (B, I, D) of the diodes, volts and amperes.
    rests
        (I, D) amperes of the diodes at 0 V: what a measured curve has there.
    slopes, others
        (B, I, D) siemens of the diodes: of the segment they are on, the one above at a kink; and of
        the one on the other side of the nearest kink.
    kinks
        (B, I, D) volts to that kink.
    row_on, line_on, diff_on
        (B, I, D), (B, 2 O), (B, O): whether an output is off its rails.
    g
        (R, 2 O) siemens between rows and summing nodes.
    columns
        The amplifiers behind them.
    r_f
        (I, D) ohms.
    row_gain
        (I, D) open-loop gains.
    outputs
        (B, O) volts.
    """

    layer: int
    front: Front
    before: Values
    driven: Values
    squash_slopes: Values
    volts: Values
    currents: Values
    rests: Values
    slopes: Values
    others: Values
    kinks: Values
    row_on: Values
    line_on: Values
    diff_on: Values
    g: Values
    columns: Columns
    r_f: Values
    row_gain: Values
    outputs: Values


def points_of(design: Design, volts: Values, temp_c: float = TEMPERATURE_C) -> list[Point]:
    """Every stage of ``design`` for ``volts`` (B, I) at its inputs.

    Raises
    ------
    SimulationError
        As ``Twin``.
    """
    from ..engines.twin import Twin  # torch: an analysis is declared without it

    require_usual(design.stages, "noise")
    twin = Twin([design], temp_c)
    found: list[Point] = []
    for k, stage in enumerate(design.stages):
        before = found[-1].outputs if k else volts
        found.append(_point(design, k, stage, twin.stages[k], before, temp_c))
    return found


def _point(
    design: Design, k: int, stage: CrossbarStage, own: TwinStage, before: Values, temp_c: float
) -> Point:
    hardware = design.hardware
    dt = temp_c - TEMPERATURE_C
    normed = stage.front.normed(before)
    v = stage.front.solved(normed, design.hardware, temp_c)
    r_f = stage.r_f * drifted(hardware.feedback_tc1, hardware.feedback_tc2, dt)
    gain, offset = np.full(r_f.shape, hardware.opamp_gain_used), np.zeros(r_f.shape)
    if stage.errors is not None:
        gain, offset = gain * stage.errors.rows.gain, stage.errors.rows.offset_at(dt)
    x, r = own.x[0].numpy(), own.r[0].numpy()
    # What a row's table was made of: the diode's own volts and amperes.
    tables = (x - offset[..., None] + r / gain[..., None],
              (offset[..., None] - r * (1 + 1 / gain[..., None])) / r_f[..., None])  # fmt: skip
    diodes = _on_tables(x, *tables, v, stage.kept)
    rows = (offset - r_f * diodes["currents"]) * gain / (1 + gain)
    limit = hardware.v_rail if hardware.rails else np.inf
    columns, g = own.columns.of_first(), own.g[0].numpy()
    signal = rows.clip(-limit, limit).reshape(len(rows), -1)
    current = signal @ g[: signal.shape[1]] - hardware.v_fs * g[signal.shape[1] :].sum(axis=0)

    def limited(volts: Values) -> Values:
        return volts.clip(-limit, limit)

    lines = columns.lines(current.T, limited)
    outputs = columns.outputs(lines, limited).T
    return Point(
        layer=k,
        front=stage.front,
        before=before,
        driven=v,
        squash_slopes=(stage.front.solved(normed + STEP, design.hardware, temp_c) - v) / STEP,
        **diodes,
        row_on=np.abs(rows) < limit,
        line_on=np.abs(lines.T) < limit,
        diff_on=np.abs(outputs) < limit,
        g=g,
        columns=columns,
        r_f=r_f,
        row_gain=gain,
        outputs=limited(outputs),
    )


def _on_tables(x: Values, u: Values, i: Values, v: Values, kept: Values) -> dict[str, Values]:
    """Where ``v`` (B, I) lies on rows' tables over ``x`` (I, D, K), ``u`` volts, ``i`` amperes; a
    row that is not ``kept`` (I, D) lies still, far from any kink."""
    shape = (len(v), *kept.shape)
    names = ("volts", "currents", "slopes", "others", "kinks")
    found = {name: np.zeros(shape) for name in names} | {"rests": np.zeros(kept.shape)}
    found["kinks"][:, ~kept] = np.inf
    for a, d in np.argwhere(kept):
        fine = np.concatenate([[True], np.diff(x[a, d]) > 0])
        at, du, di = x[a, d][fine], u[a, d][fine], i[a, d][fine]
        slope = np.concatenate([[0.0], np.diff(di) / np.diff(du), [0.0]])
        k = np.searchsorted(at, v[:, a], side="right")  # the segment above a kink
        near = np.clip(k, 1, at.size - 1)
        near = np.where(v[:, a] - at[near - 1] <= at[near] - v[:, a], near - 1, near)
        found["volts"][:, a, d] = np.interp(v[:, a], at, du) + (
            v[:, a] - v[:, a].clip(at[0], at[-1])
        )
        found["rests"][a, d] = np.interp(0.0, du, di)
        found["currents"][:, a, d] = np.interp(v[:, a], at, di)
        found["slopes"][:, a, d] = slope[k]
        found["others"][:, a, d] = np.where(k > near, slope[near], slope[near + 1])
        found["kinks"][:, a, d] = np.abs(v[:, a] - at[near])
    return found
