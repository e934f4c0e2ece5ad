"""From sweeps and formulas to tables: what the library's files are written by."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DeviceError
from .curve import IVCurve

MAX_CELLS = 20_000_000
"""Knots times points of a least-squares fit: 160 MB, some seconds."""
DEGREE = 3
"""Of smoothing splines."""
GRID_TOLERANCE = 1e-9
"""Volts within which a sweep point counts as lying on a knot."""

MAX_MORE = 200
"""Knots that a table gets to follow its curve: what wants more is noise."""
MIN_POINTS = 2
"""Of each half that a segment is split into."""
NOISE = 5.0
"""Times a curve's noise that a chord may be off it before it is split; assumed."""
SUPPORT = 0.1
"""Smallest singular value of a fit: the noise of a reading grows at most tenfold. Assumed."""


@dataclass(frozen=True)
class PWLFit:
    """A piecewise-linear table and how far it is from what it was fitted to.

    ``v`` (N,) volts, ``i`` (N,) amperes; residuals as a share of the table's peak current, the
    largest of them at ``v_worst`` volts.
    """

    v: np.ndarray
    i: np.ndarray
    rms_residual: float
    max_residual: float
    v_worst: float


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
    knots = uniform_knots(v[0], v[-1], step)
    return fit_knots(knots, v, i, digits=digits, spaced=f"every {step:g} V")


def uniform_knots(v_lo: float, v_hi: float, step: float) -> np.ndarray:
    """Knots (N,) every ``step`` from ``v_lo``, and one at ``v_hi``; volts."""
    knots = v_lo + step * np.arange(int(np.floor((v_hi - v_lo) / step + 1e-6)) + 1)
    if v_hi - knots[-1] > GRID_TOLERANCE:
        knots = np.append(knots, v_hi)
    return np.round(knots, 12)


def following_knots(
    knots: np.ndarray, points: Sequence[tuple[np.ndarray, np.ndarray]], limit: float
) -> np.ndarray:
    """``knots`` (N,), volts, and as many more as the mean of several curves asks for.

    A segment is split at its middle point while the mean is further from the chord than ``limit``
    of the peak, and than noise explains, and both halves keep two points.

    Parameters
    ----------
    points
        The curves: volts, increasing, and amperes of each.
    limit
        Share of the largest current.
    """
    v, i = mean_curve(points)
    noise = np.sqrt(np.mean([scatter(amperes) ** 2 for _, amperes in points]) / len(points))
    limit = max(limit * i.max(), NOISE * noise)
    most = knots.size + MAX_MORE
    while True:
        off = np.abs(np.interp(v, knots, np.interp(knots, v, i)) - i)
        segment = np.clip(np.searchsorted(knots, v, side="right") - 1, 0, knots.size - 2)
        worst = np.zeros(knots.size - 1)
        np.maximum.at(worst, segment, off)
        counts = np.bincount(segment, minlength=knots.size - 1)
        split = np.flatnonzero((worst > limit) & (counts >= 2 * MIN_POINTS))
        first = np.searchsorted(segment, split)
        finer = np.union1d(knots, np.round(v[first + counts[split] // 2], 12))
        if finer.size == knots.size or finer.size > most:
            return knots
        knots = finer


def scatter(i: np.ndarray) -> float:
    """Standard deviation of the noise of points (P,) on a smooth curve, in their unit.

    By the median of their third differences, which a curve and its jumps hardly touch. Points
    that are NaN are left out.
    """
    i = i[np.isfinite(i)]
    return float(np.median(np.abs(np.diff(i, 3))) / (0.6745 * np.sqrt(20))) if i.size > 3 else 0.0


def mean_curve(points: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Mean (P,) of several curves, volts and amperes, at every voltage that one of them has.

    Where some have NaN the mean is of the others, and where all have, there is none.
    """
    v = np.unique(np.concatenate([v for v, _ in points]))
    v = v[:: v.size * len(points) // MAX_CELLS + 1]
    every = np.array([np.interp(v, *curve) for curve in points])
    known = np.isfinite(every).any(axis=0)
    return v[known], np.nanmean(every[:, known], axis=0)


def fit_knots(
    knots: np.ndarray, v: np.ndarray, i: np.ndarray, *, digits: int = 6, spaced: str = "given"
) -> PWLFit:
    """Least-squares piecewise-linear fit of points (P,) in any order on ``knots`` (N,), volts.

    ``spaced`` describes the knots in the DeviceError raised if one is without support.
    """
    if knots.size * v.size > MAX_CELLS:
        raise DeviceError(
            f"{knots.size:,} knots for {v.size:,} points are too many to fit: at most "
            f"{MAX_CELLS // v.size:,} knots here"
        )
    supported, solution = v.size, i
    if knots.size <= v.size:
        hats = np.stack([np.interp(v, knots, row) for row in np.eye(knots.size)], axis=1)
        solution, _, _, singular = np.linalg.lstsq(hats, i, rcond=None)
        supported = int((singular > SUPPORT).sum())
    if supported < knots.size:
        raise DeviceError(
            f"the sweep has too few points for knots {spaced}: "
            f"{v.size} points support {supported} of {knots.size} knots"
        )
    table = round_significant(solution, digits)
    return measured_fit(knots, table, v, i)


def tabulate(
    function: Callable[[np.ndarray], np.ndarray],
    v_lo: float,
    v_hi: float,
    *,
    tolerance: float = 1e-3,
    digits: int = 6,
    through: Sequence[float] | np.ndarray = (),
) -> PWLFit:
    """Tabulate a formula with knots where its curvature asks for them.

    Starts from the ends and the voltages ``through`` and halves the segment with the largest
    error until every error is below ``tolerance`` of the peak current, measured on a grid of
    20,001 points.
    """
    ends = np.array([v_lo, v_hi, *through])
    grid = np.union1d(np.linspace(v_lo, v_hi, 20_001), ends)
    exact = function(grid)
    limit = tolerance * exact.max()
    chosen = np.unique(np.searchsorted(grid, ends)).tolist()
    while True:
        error = np.abs(np.interp(grid, grid[chosen], exact[chosen]) - exact)
        if error.max() <= limit:
            break
        segment = int(np.searchsorted(chosen, int(error.argmax()), side="right")) - 1
        middle = (chosen[segment] + chosen[segment + 1]) // 2
        chosen.insert(segment + 1, middle)
    knots = np.round(grid[chosen], 12)
    return measured_fit(knots, round_significant(function(knots), digits), grid, exact)


def round_significant(values: np.ndarray, digits: int) -> np.ndarray:
    """``values`` (any shape) rounded to ``digits`` significant decimal digits."""
    return np.vectorize(lambda x: float(f"{x:.{digits - 1}e}"), otypes=[np.float64])(values)


def measured_fit(knots: np.ndarray, table: np.ndarray, v: np.ndarray, i: np.ndarray) -> PWLFit:
    """The table ``knots``, ``table`` (N,) with its distance from the points ``v``, ``i`` (P,)."""
    if table.max() <= 0:
        raise DeviceError("the fitted table has no positive current: noise, or too few knots")
    residual = np.abs(np.interp(v, knots, table) - i) / table.max()
    worst, rms = int(residual.argmax()), float(np.sqrt(np.mean(residual**2)))
    return PWLFit(knots, table, rms, float(residual[worst]), float(v[worst]))


def smooth_table(
    curve: IVCurve,
    function: Callable[[np.ndarray], np.ndarray],
    *,
    step: float = 0.005,
    tolerance: float = 1e-3,
) -> PWLFit:
    """Tabulate a smooth ``function`` (volts to amperes) on ``curve``'s range, ends included.

    Knots are at most ``step`` volts apart, and closer, down to an eighth of that, until the error
    is at most ``tolerance`` of the table's peak. The residuals, measured at 16 points a segment,
    are what is left.

    Raises
    ------
    DeviceError
        If the function has no positive current on the range.
    """
    v_lo, v_hi = curve.v[0], curve.v[-1]
    segments = int(np.ceil((v_hi - v_lo) / step - GRID_TOLERANCE))
    for finer in (1, 2, 4, 8):
        knots = np.linspace(v_lo, v_hi, finer * segments + 1)
        table = function(knots)
        if not table.max() > 0:
            raise DeviceError(
                f"device {curve.name}: its fit has no positive current: choose another fit"
            )
        grid = np.linspace(v_lo, v_hi, 16 * finer * segments + 1)
        fit = measured_fit(knots, table, grid, function(grid))
        if fit.max_residual <= tolerance:
            break
    return fit


@dataclass(frozen=True)
class UnivariateFit:
    """A smoothing spline of ``curve``'s points, volts to amperes, flat outside.

    ``spline`` is scipy's and gives currents in ``unit`` amperes.
    """

    curve: IVCurve
    spline: Any
    unit: float

    def __call__(self, v: np.ndarray) -> np.ndarray:
        """Amperes at ``v`` volts, any shape."""
        inside = np.clip(v, self.curve.v[0], self.curve.v[-1])
        return self.unit * np.asarray(self.spline(inside))

    @property
    def of_version(self) -> bool:
        """Whether SciPy 1.17 and 1.18 may give other splines of these points.

        Up to 1.17 FITPACK was begun with room for half as many knots as there are points and,
        once that was full, begun again, which left it with other knots than one that went on.
        """
        inner = self.spline.get_knots().size - 2
        return inner + 2 * (DEGREE + 1) >= max(self.curve.v.size // 2, 2 * (DEGREE + 1))


def univariate_spline(curve: IVCurve, smoothing: float, *, unit: float = 1e-6) -> UnivariateFit:
    """scipy's smoothing cubic spline through a table's points, volts to amperes, flat outside.

    ``smoothing`` bounds the sum of squared residuals, in ``unit`` amperes squared; 0 interpolates.

    Raises
    ------
    DeviceError
        If the table has too few points or FITPACK finds no such spline.
    """
    from scipy.interpolate import UnivariateSpline

    if curve.v.size < 4:
        raise DeviceError(
            f"device {curve.name} has {curve.v.size} points: a cubic spline needs at least 4"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            spline = UnivariateSpline(curve.v, curve.i / unit, k=DEGREE, s=smoothing)
    except (UserWarning, ValueError) as error:
        raise DeviceError(
            f"device {curve.name}: no spline of smoothing {smoothing:g}: {error}"
        ) from error
    return UnivariateFit(curve, spline, unit)


def fitted_polynomial(curve: IVCurve, order: int) -> Callable[[np.ndarray], np.ndarray]:
    """The least-squares polynomial of a table's points, volts to amperes, flat outside.

    Raises
    ------
    DeviceError
        If the points do not determine it in double precision.
    """
    undetermined = DeviceError(
        f"device {curve.name}: its {curve.v.size} points do not determine a polynomial of order "
        f"{order}: give a lower --order"
    )
    if order >= curve.v.size:
        raise undetermined
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            polynomial = np.polynomial.Polynomial.fit(curve.v, curve.i, order)
    except np.exceptions.RankWarning:
        raise undetermined from None
    return lambda v: polynomial(np.clip(v, curve.v[0], curve.v[-1]))
