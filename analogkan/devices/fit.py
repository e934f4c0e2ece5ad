"""From sweeps and formulas to tables: what the library's files are written by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import DeviceError

GRID_TOLERANCE = 1e-9
"""Volts within which a sweep point counts as lying on a knot."""


@dataclass(frozen=True)
class PWLFit:
    """A piecewise-linear table and how far it is from what it was fitted to.

    ``v`` (N,) volts, ``i`` (N,) amperes; residuals as a share of the table's peak current.
    """

    v: np.ndarray
    i: np.ndarray
    rms_residual: float
    max_residual: float


def fit_pwl(v: np.ndarray, i: np.ndarray, *, step: float = 0.05, digits: int = 6) -> PWLFit:
    """Least-squares piecewise-linear fit of a sweep on a uniform grid of knots.

    Parameters
    ----------
    v, i
        The sweep, shape (P,), volts and amperes, voltages increasing.
    step
        Distance of the knots, volts. The sweep must have a point at least every ``step``.
    digits
        Significant digits the table keeps; what rounding costs is part of the residual.

    Raises
    ------
    DeviceError
        If the sweep leaves a knot without support.
    """
    knots = v[0] + step * np.arange(int(np.floor((v[-1] - v[0]) / step + 1e-6)) + 1)
    if v[-1] - knots[-1] > GRID_TOLERANCE:
        knots = np.append(knots, v[-1])
    knots = np.round(knots, 12)
    hats = np.stack([np.interp(v, knots, row) for row in np.eye(knots.size)], axis=1)
    solution, _, rank, _ = np.linalg.lstsq(hats, i, rcond=None)
    if rank < knots.size:
        raise DeviceError(
            f"the sweep has too few points for knots every {step:g} V: "
            f"{v.size} points support {rank} of {knots.size} knots"
        )
    table = round_significant(solution, digits)
    return _measured(knots, table, v, i)


def tabulate(
    function: Callable[[np.ndarray], np.ndarray],
    v_lo: float,
    v_hi: float,
    *,
    tolerance: float = 1e-3,
    digits: int = 6,
) -> PWLFit:
    """Tabulate a formula with knots where its curvature asks for them.

    Starts from the ends and halves the segment with the largest error until every error is below
    ``tolerance`` of the peak current, measured on a grid of 20,001 points.
    """
    grid = np.linspace(v_lo, v_hi, 20_001)
    exact = function(grid)
    limit = tolerance * exact.max()
    chosen = [0, grid.size - 1]
    while True:
        error = np.abs(np.interp(grid, grid[chosen], exact[chosen]) - exact)
        if error.max() <= limit:
            break
        segment = int(np.searchsorted(chosen, int(error.argmax()), side="right")) - 1
        middle = (chosen[segment] + chosen[segment + 1]) // 2
        chosen.insert(segment + 1, middle)
    knots = np.round(grid[chosen], 12)
    return _measured(knots, round_significant(function(knots), digits), grid, exact)


def round_significant(values: np.ndarray, digits: int) -> np.ndarray:
    """``values`` (any shape) rounded to ``digits`` significant decimal digits."""
    return np.vectorize(lambda x: float(f"{x:.{digits - 1}e}"), otypes=[np.float64])(values)


def _measured(knots: np.ndarray, table: np.ndarray, v: np.ndarray, i: np.ndarray) -> PWLFit:
    residual = (np.interp(v, knots, table) - i) / table.max()
    return PWLFit(knots, table, float(np.sqrt(np.mean(residual**2))), float(np.abs(residual).max()))
