# pyright: strict
"""What stands before a stage's diodes, in small signals: LayerNorm and squash cells.

Their op-amps have one pole and no capacitor beside it; what is drawn as a source of an expression
is neither slow nor noisy.

Axes: B images, N outputs that are looked at, I inputs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cells.layernorm import LAYERNORM
from ..compiler.hardware import Hardware
from .noise_point import Point
from .noise_sources import CHARGE, Node, thermal_energy

Values = npt.NDArray[Any]
R_MEAN = float(LAYERNORM[0].params[0].nominal.replace("k", "e3"))
"""Ohms of the resistors that average, as the LayerNorm's cell has them."""
PAIRS = ("sigmoid", "tanh")
"""Squash cells whose own noise is known: an emitter-coupled pair before one op-amp, or two."""


def squash_response(point: Point, hardware: Hardware, s: complex) -> complex:
    """What the op-amps of a stage's squash cells make of a slow cell's slope; 1 without any."""
    squash = point.front.squash
    if squash.kind == "none" or not squash.cell.in_time:
        return 1.0
    rows, column = squash.cell.in_time
    slow = s / (2 * math.pi * hardware.gbw) * np.eye(len(rows)) - np.array(rows)
    return complex(np.linalg.solve(slow, np.array(column))[-1])


def squash_noise(
    point: Point, hardware: Hardware, node: Node, temp_c: float
) -> tuple[Values, float]:
    """At the output of each squash cell: V^2/Hz (B, I) of the pair and its load; of its op-amps."""
    squash, shape = point.front.squash, point.squash_slopes.shape
    if squash.kind not in PAIRS:
        return np.zeros(shape), 0.0
    r, tail = point.front.r_load, hardware.i_tail
    # The two collectors share the tail; what one of them gains the other loses.
    share = ((point.driven - squash.v_lo) / (squash.v_hi - squash.v_lo)).clip(0, 1)
    z = abs(squash_response(point, hardware, node.s)) ** 2
    collectors = 2 * CHARGE * tail * share * (1 - share)
    base, thermal = 2 * CHARGE * tail / hardware.npn_bf, 4 * thermal_energy(temp_c) / r
    if squash.kind == "sigmoid":
        pair = collectors + base * share**2 + thermal
        return z * r * r * pair, z * (node.e_n + r * r * node.i_n)
    pair = 4 * collectors + base * (2 * share - 1) ** 2 + 3 * thermal
    return z * r * r * pair, z * (5 * node.e_n + 2 * r * r * node.i_n)


def through_norm(x: Values, point: Point) -> Values:
    """X (B, N, I) at the inputs of a LayerNorm, from X at its outputs."""
    norm = point.front.norm
    assert norm is not None
    deviation = point.before - point.before.mean(axis=1, keepdims=True)
    spread = 1 / np.sqrt((deviation**2).mean(axis=1, keepdims=True) + norm.eps)
    scaled = x * (norm.scale * spread)[:, None, :]
    common = scaled.mean(axis=2, keepdims=True)
    unit = (deviation * spread)[:, None, :]
    return scaled - common - unit * (scaled * unit).mean(axis=2, keepdims=True)


def norm_noise(x: Values, point: Point, temp_c: float) -> Values:
    """X (B, N, 2) of the resistors that make a LayerNorm's mean and variance, in V/sqrt(Hz)."""
    norm = point.front.norm
    assert norm is not None
    deviation = point.before - point.before.mean(axis=1, keepdims=True)
    spread = 1 / np.sqrt((deviation**2).mean(axis=1, keepdims=True) + norm.eps)
    mean = -(x * (norm.scale * spread)[:, None, :]).sum(axis=2)
    square = -0.5 * (x * (norm.scale * deviation * spread**3)[:, None, :]).sum(axis=2)
    each = math.sqrt(4 * thermal_energy(temp_c) * R_MEAN / deviation.shape[1])
    return each * np.stack([mean, square], axis=2)


def driven_slopes(point: Point) -> Values:
    """Volts at a diode per volt at the output before it (B, I), all others held."""
    norm = point.front.norm
    if norm is None:
        return point.squash_slopes
    deviation = point.before - point.before.mean(axis=1, keepdims=True)
    spread = 1 / np.sqrt((deviation**2).mean(axis=1, keepdims=True) + norm.eps)
    return point.squash_slopes * norm.scale * spread
