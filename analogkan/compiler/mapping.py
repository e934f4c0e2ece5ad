"""Coefficients to conductance pairs and back: theta = alpha (G+ - G-), bias in rows of its own.

Axes: I inputs, D diodes, O outputs; R = I * D + bias rows; lines are interleaved o0+, o0-, o1+, ...
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .hardware import Hardware
from .series import nearest_of


@dataclass(frozen=True, eq=False)
class Mapping:
    """A layer's coefficients as conductances.

    Attributes
    ----------
    g
        (R, 2 O) siemens, rows (i, d) with d fastest and bias rows last; 0 where there is no cell.
    alpha
        (O,) volts per siemens: theta = alpha (G+ - G-).
    n_bias
        Bias rows.
    """

    g: np.ndarray
    alpha: np.ndarray
    n_bias: int


def map_layer(
    theta: np.ndarray, bias: np.ndarray, hardware: Hardware, alpha: np.ndarray | None = None
) -> Mapping:
    """Map ``theta`` (I, O, D) and ``bias`` (O,) to pairs; one of each pair stays at g_min.

    ``alpha`` comes from theta alone, so that the much larger bias does not coarsen it: the bias
    fills as many constant rows as it needs, one after another. Only where that would take more
    than ``max_bias_rows`` is alpha raised. One that is given (O,) is at least as large.

    A coefficient of exactly zero, as pruning leaves it, has no pair: both cells are 0. Where wires
    have a resistance it has both at g_min, unless its whole row has no coefficient; and so it has
    in a layer without any.
    """
    least, most = hardware.cell_range
    span = most - least
    if alpha is None:
        largest = largest_of(theta)
        needed = np.abs(bias) / hardware.max_bias_rows
        # An output without coefficients or bias still needs some scale; 1 V of full range is one.
        alpha = np.maximum(largest, needed) / span
        alpha[alpha == 0] = 1.0 / span
    n_bias = bias_rows(bias, alpha, span)

    n_in, n_out, n_dev = theta.shape
    signed = np.zeros((n_in * n_dev + n_bias, n_out))
    signed[: n_in * n_dev] = theta.transpose(0, 2, 1).reshape(-1, n_out) / alpha
    steps = np.arange(n_bias)[:, None] * span
    signed[n_in * n_dev :] = np.sign(bias) * np.clip(np.abs(bias) / alpha - steps, 0.0, span)

    # alpha makes span the largest; what exceeds it is rounding.
    magnitude = np.minimum(np.abs(signed), span)
    if isinstance(hardware.levels, int):
        magnitude = quantised(magnitude, span, hardware.levels)
    g = np.full((len(signed), n_out, 2), least)
    g[..., 0] += np.where(signed > 0, magnitude, 0.0)
    g[..., 1] += np.where(signed < 0, magnitude, 0.0)
    if hardware.series:
        g = 1 / nearest_of(hardware.cell_values, 1 / g)
    if theta.any():
        absent = signed[: n_in * n_dev] == 0
        if hardware.wired:
            absent &= absent.all(axis=1, keepdims=True)
        g[: n_in * n_dev][absent] = 0.0
    return Mapping(g.reshape(len(signed), -1), alpha, n_bias)


def raised_by_bias(mapped: Mapping, theta: np.ndarray, hardware: Hardware) -> int:
    """Of how many outputs alpha is larger than ``theta`` (I, O, D) needs; outputs without
    coefficients do not count."""
    least, most = hardware.cell_range
    largest = largest_of(theta)
    raised = mapped.alpha * (most - least) > 1.01 * largest
    return int((raised & (largest > 0)).sum())


def largest_of(theta: np.ndarray) -> np.ndarray:
    """The largest ``|theta|`` (I, O, D) of each output, (O,)."""
    return np.abs(theta).transpose(1, 0, 2).reshape(theta.shape[1], -1).max(axis=1)


def bias_rows(bias: np.ndarray, alpha: np.ndarray, span: float) -> int:
    """Rows that the largest bias (O,) fills at ``alpha`` (O,): a whole number of cells each."""
    filled = float((np.abs(bias) / (alpha * span)).max())
    return math.ceil(filled - 1e-12)


def quantised(magnitude: np.ndarray, span: float, levels: int) -> np.ndarray:
    """``magnitude`` (any shape, 0 to span) at the nearest of ``levels`` states; 0 is continuous."""
    if not levels:
        return magnitude
    step = span / (levels - 1)
    return np.rint(magnitude / step) * step


def unmap_layer(
    g: np.ndarray, alpha: np.ndarray, n_in: int, n_dev: int
) -> tuple[np.ndarray, np.ndarray]:
    """The coefficients that ``g`` (R, 2 O) stands for: theta (I, O, D) and bias (O,)."""
    signed = (g[:, 0::2] - g[:, 1::2]) * alpha
    rows = n_in * n_dev
    theta = signed[:rows].reshape(n_in, n_dev, -1).transpose(0, 2, 1)
    return theta, signed[rows:].sum(axis=0)
