"""Knots that follow a curve: few, and nowhere further off than a share of its peak."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DeviceError
from .fit import MAX_MORE, NOISE, fit_knots, round_significant, scatter
from .sweep import Sweep

TOLERANCE = 0.005
"""Share of the peak that a table may be off the sweeps' mean where none is given; assumed."""
MAX_GRID = 20_000
"""Points of the mean that are looked at."""
FEW = 50
"""Points of a sweep up to which their scatter is taken for shape, not for noise; assumed."""


def followed(
    groups: Sequence[Sequence[Sweep]], lo: float, hi: float, tolerance: float
) -> tuple[np.ndarray, list[np.ndarray], float, bool]:
    """Tables that follow the mean of each group of sweeps, on knots common to all.

    Parameters
    ----------
    groups
        T groups, each of devices of one type at one temperature.
    lo, hi
        Volts, which all sweeps cover.
    tolerance
        Share of a mean's largest current that its table may be off it; ``NOISE`` times the mean's
        noise if that is more.

    Raises
    ------
    DeviceError
        If a mean has no positive current.

    Returns
    -------
    tuple
        Knots (N,) volts; T tables (N,) amperes; the share that all of them hold, and whether it
        is one of noise.
    """
    v = _grid([sweep for group in groups for sweep in group], lo, hi)
    means = np.array([np.mean([np.interp(v, s.v, s.i) for s in group], axis=0) for group in groups])
    peaks = means.max(axis=1)
    if peaks.min() <= 0:
        raise DeviceError(
            f"the mean of the sweeps has no positive current from {lo:g} to {hi:g} V, which all of "
            "them cover: measure them over one range, or import them apart"
        )
    asked = tolerance * peaks
    limits = np.maximum(asked, [NOISE * _noise(group) for group in groups])
    at, limits = knots_along(v, means, limits)
    tables = []
    for mean, limit in zip(means, limits, strict=True):
        table = fit_knots(v[at], v, mean).i  # each knot is a point, so all have support
        off = np.abs(np.interp(v, v[at], table) - mean).max()
        tables.append(table if off <= limit else round_significant(mean[at], 6))
    return v[at], tables, float((limits / peaks).max()), bool((limits > asked).any())


def _grid(sweeps: Sequence[Sweep], lo: float, hi: float) -> np.ndarray:
    """Voltages (P,) from ``lo`` to ``hi`` at which a sweep has a point; some of them, if many."""
    lo, hi = np.round([lo, hi], 12)
    v = np.unique(np.round(np.concatenate([[lo, hi], *(s.v for s in sweeps)]), 12))
    v = v[(v >= lo) & (v <= hi)]
    return np.union1d(v[:: v.size // MAX_GRID + 1], hi)


def _noise(sweeps: Sequence[Sweep]) -> float:
    """Noise of the sweeps' mean, a standard deviation in amperes; 0 if they are of few points."""
    found = [scatter(s.measured[1]) if s.v.size > FEW else 0.0 for s in sweeps]
    return float(np.sqrt(np.mean(np.square(found)) / len(sweeps)))


def knots_along(
    v: np.ndarray, means: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places (N,) of few points of curves between which straight lines follow all of them.

    Ends and peaks are knots. From each knot the next is the furthest point to which the chord
    is within the limits of all between. If that makes more than ``MAX_MORE`` knots, the limits
    are doubled.

    Parameters
    ----------
    v
        Increasing, (P,) volts.
    means
        (T, P) amperes.
    limits
        (T,) amperes.

    Returns
    -------
    tuple
        The places, and the limits (T,) that hold.
    """
    anchors = np.unique([0, v.size - 1, *means.argmax(axis=1)])
    while True:
        chosen = [0]
        for stop in anchors[1:]:
            while chosen[-1] < stop:
                chosen.append(_reach(v, means, limits, chosen[-1], int(stop)))
        if len(chosen) <= MAX_MORE:
            return np.array(chosen), limits
        limits = 2 * limits


def _reach(v: np.ndarray, means: np.ndarray, limits: np.ndarray, start: int, stop: int) -> int:
    """The last of the points behind ``start`` to which the chord is within the limits."""
    dv = v[start + 1 : stop + 1] - v[start]
    di = means[:, start + 1 : stop + 1] - means[:, start, None]
    lowest = np.maximum.accumulate((di - limits[:, None]) / dv, axis=1)
    highest = np.minimum.accumulate((di + limits[:, None]) / dv, axis=1)
    slope = di / dv
    inside = ((slope >= lowest) & (slope <= highest)).all(axis=0)
    return start + 1 + int(np.flatnonzero(inside)[-1])
