"""Knots that follow a curve: few, and nowhere further off than a share of its peak."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .fit import MAX_MORE, NOISE, scatter
from .sweep import Sweep

FOLLOWS = 0.005
"""Share of the peak that a table may be off the sweeps' mean, noise apart; assumed."""
MAX_GRID = 20_000
"""Points of the mean that are looked at."""
FEW = 50
"""Points of a sweep up to which their scatter is taken for shape, not for noise; assumed."""


def mean_of(sweeps: Sequence[Sweep], v: np.ndarray) -> np.ndarray:
    """Mean current (P,) of sweeps that all cover the voltages ``v`` (P,), amperes."""
    return np.mean([np.interp(v, s.v, s.i) for s in sweeps], axis=0)


def grid_of(sweeps: Sequence[Sweep], lo: float, hi: float) -> np.ndarray:
    """Voltages (P,) from ``lo`` to ``hi`` at which a sweep has a point; some, if many."""
    v = np.unique(np.round(np.concatenate([[lo, hi], *(s.v for s in sweeps)]), 12))
    v = v[(v >= lo) & (v <= hi)]
    return np.union1d(v[:: v.size // MAX_GRID + 1], v[-1:])


def noise_of(sweeps: Sequence[Sweep]) -> float:
    """Noise of the sweeps' mean, a standard deviation in amperes; 0 if they are of few points."""
    found = [scatter(s.measured[1]) if s.v.size > FEW else 0.0 for s in sweeps]
    return float(np.sqrt(np.mean(np.square(found)) / len(sweeps)))


def knots_along(
    v: np.ndarray, means: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places (N,) of few points of curves between which straight lines follow all of them.

    Ends and peaks are knots. From each knot the next is the furthest point to which the chord
    is within the limits. If that makes more than ``MAX_MORE`` knots the limits are doubled.

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


def limit_of(sweeps: Sequence[Sweep], peak: float, follows: float = FOLLOWS) -> float:
    """Amperes that a table may be off the sweeps' mean: a share of the peak, or more by noise."""
    return max(follows * peak, NOISE * noise_of(sweeps))
