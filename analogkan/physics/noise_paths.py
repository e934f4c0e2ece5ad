# pyright: strict
"""From every source of noise to every output, at one frequency: stage by stage, from behind.

What is passed on is X, the transfer from a stage's outputs to those that are looked at.

Axes: B images (or 1, where all are alike), N outputs that are looked at, I inputs, D diodes,
O outputs of a stage, R signal rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.columns import Columns
from ..compiler.hardware import Hardware
from .noise_front import norm_noise, squash_noise, squash_response, through_norm
from .noise_loops import StageLoops
from .noise_point import Point
from .noise_sources import Node, thermal_energy

Values = npt.NDArray[Any]
Take = Callable[[int, Values, Mapping[str, Values]], None]
"""Called with a layer, X (B, N, S) of S places where noise enters, and each block's densities there
(B, S)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear:
    """A stage's linear circuit at B operating points, and what its diodes give, A^2/Hz
    (B, I, D)."""

    point: Point
    loops: StageLoops
    shot: Values


def trace_back(
    stages: Sequence[Linear], node: Node, hardware: Hardware, temp_c: float, take: Take
) -> Values:
    """Give ``take`` every source of ``stages``, the last of which is looked at.

    Returns
    -------
    array
        X (B, N, I) at the first stage's inputs.
    """
    x = np.eye(stages[-1].point.outputs.shape[1], dtype=complex)[None]
    for stage in reversed(stages):
        x = _columns(x, stage, node, temp_c, take)
        x = _rows(x, stage, node, temp_c, take)
        x = _front(x, stage, node, hardware, temp_c, take)
    return x


def _columns(x: Values, stage: Linear, node: Node, temp_c: float, take: Take) -> Values:
    """X at the rows, of X at the outputs."""
    kt4, layer = 4 * thermal_energy(temp_c), stage.point.layer
    line, s, columns = stage.loops.lines, node.s, stage.point.columns
    lines = _limited(_lines(x, stage, node, kt4, take), stage.point.line_on)
    coupled = 0 * columns.r_c if columns.differences else columns.coupled
    resistors = kt4 * (1 / line.r + coupled)
    if columns.feet is None:
        x = lines / line.siemens(s)
        if not columns.differences:
            # What a negative line gives arrives, through r_x, at the positive one's node.
            through = _limited(-x[..., 0::2] * coupled[0::2], stage.point.line_on[:, 1::2])
            x[..., 1::2] = through / line.siemens(s)[1::2]
        amplified = np.abs(line.load(s)) ** 2 * node.e_n + node.i_n
        own = _of_lines(columns, op_amps=amplified, resistors=resistors)
        take(layer, x, own | {"cells": kt4 * (line.g - coupled)[None]})
    else:
        one = np.ones(line.r.size)
        load = columns.feet + np.diag(s * line.c + line.feedback(s) + coupled)
        siemens = load * line.inverse(s) + np.diag(line.feedback(s))
        # Of a summing read-out also what the negative lines' outputs send through r_x.
        between = np.roll(np.diag(coupled), 1, axis=1)
        if coupled.any() and not stage.point.line_on.all():
            between = between * stage.point.line_on[:, None, :]
        inverse: Values = np.linalg.inv(siemens + between)
        x = lines @ inverse
        take(layer, x, _of_lines(columns, op_amps=node.i_n * one, resistors=resistors))
        take(layer, x @ _root(columns.feet), {"cells": kt4 * one[None]})
        take(layer, x @ load, _of_lines(columns, op_amps=node.e_n * one))
    signal = stage.point.g[: stage.point.r_f.size]
    return -_times_real(x, signal.T)


def _lines(x: Values, stage: Linear, node: Node, kt4: float, take: Take) -> Values:
    """X at the lines' outputs, of X at the outputs: through difference amplifiers, or where the
    positive lines are the outputs."""
    x = _limited(x, stage.point.diff_on)
    lines, diff = np.zeros((*x.shape[:2], 2 * x.shape[2]), dtype=complex), stage.loops.diffs
    if diff is None:
        lines[..., 0::2] = x
        return lines
    x = x / diff.siemens(node.s)
    amplified = np.abs(diff.load(node.s)) ** 2 * node.e_n + 2 * node.i_n
    resistors = 2 * kt4 * (diff.g + 1 / diff.r)
    powers = {"difference resistors": resistors[None], "difference op-amps": amplified[None]}
    take(stage.point.layer, x, powers)
    lines[..., 0::2], lines[..., 1::2] = x * diff.g, -x * diff.g
    return lines


def _of_lines(columns: Columns, **densities: Values) -> dict[str, Values]:
    """Densities (2 O,) at the lines' summing nodes by block (1, 2 O); the positive lines of a
    summing read-out are in those of difference amplifiers."""
    positive = np.zeros(columns.r_c.shape)
    positive[0::2] = not columns.differences
    names = {"op_amps": ("line op-amps", "difference op-amps"),
             "resistors": ("line feedback", "difference resistors")}  # fmt: skip
    found: dict[str, Values] = {}
    for what, density in densities.items():
        found[names[what][0]] = ((1 - positive) * density)[None]
        if not columns.differences:
            found[names[what][1]] = (positive * density)[None]
    return found


def _rows(x: Values, stage: Linear, node: Node, temp_c: float, take: Take) -> Values:
    """X at the diodes, of X at the rows."""
    point, row, layer = stage.point, stage.loops.rows, stage.point.layer
    flat = (len(point.slopes), -1)
    through = (point.row_on / row.siemens(node.s)).reshape(flat)
    power = np.abs(through) ** 2
    amplified = np.abs(row.load(node.s).reshape(flat)) ** 2 * node.e_n + node.i_n
    powers = {
        "diodes": power * stage.shot.reshape(flat),
        "row feedback": power * (4 * thermal_energy(temp_c) / row.r).ravel(),
        "row op-amps": power * amplified,
    }
    take(layer, x, powers)
    x = x * (-through * point.slopes.reshape(flat))[:, None, :]
    diodes = point.r_f.shape[1]
    return sum((x[..., d::diodes] for d in range(1, diodes)), x[..., ::diodes])


def _front(
    x: Values, stage: Linear, node: Node, hardware: Hardware, temp_c: float, take: Take
) -> Values:
    """X at the outputs of the stage before, or at the inputs, of X at the diodes."""
    point = stage.point
    if point.front.squash.kind != "none":
        pair, amplifiers = squash_noise(point, hardware, node, temp_c)
        take(point.layer, x, {"squash": pair + amplifiers})
        x = x * (point.squash_slopes * squash_response(point, hardware, node.s))[:, None, :]
    if point.front.norm is not None:
        take(point.layer, norm_noise(x, point, temp_c), {"layernorm": np.ones((1, 2))})
        x = through_norm(x, point)
    return x


def _limited(x: Values, on: Values) -> Values:
    """X (B, N, S) where no output that stands at a rail passes anything on."""
    return x if on.all() else x * on[:, None, :]


def _times_real(x: Values, matrix: Values) -> Values:
    """X (B, N, S) times a real matrix (S, T), as one product of real numbers."""
    parts = np.concatenate([np.real(x), np.imag(x)]).reshape(-1, x.shape[2]) @ matrix
    product = np.empty((*x.shape[:2], matrix.shape[1]), dtype=complex)
    product.real, product.imag = parts.reshape(2, *product.shape)
    return product


def _root(matrix: Values) -> Values:
    """A root of a symmetric matrix without negative eigenvalues: root @ root.T is ``matrix``."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0.0))
