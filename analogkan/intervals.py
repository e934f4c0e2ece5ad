"""Confidence intervals: of accuracies, of two on the same images, of statistics over chips."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats


def wilson(correct: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    found = stats.binomtest(correct, n).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def paired_difference(
    first: np.ndarray, second: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of mean(second) - mean(first), both measured on the same images.

    Tango's score interval (Statistics in Medicine 17, 891, 1998): the differences that the score
    test does not reject. It keeps its coverage where few images differ, or none, which is where a
    good circuit is.

    Parameters
    ----------
    first, second
        (n,) booleans: right or wrong.
    """
    n = len(first)
    won, lost = int((~first & second).sum()), int((first & ~second).sum())
    z = float(stats.norm.ppf(0.5 + confidence / 2))

    def excess(delta: float, side: float) -> float:
        """How far the score at ``delta`` is from ``side * z``, times its spread."""
        b = -won - lost + (2 * n - won + lost) * delta
        c = -lost * delta * (1 - delta)
        lost_share = (np.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * lost_share + delta * (1 - delta))
        return won - lost - n * delta - side * z * np.sqrt(max(variance, 0.0))

    seen = (won - lost) / n
    beside = 1e-12  # at the difference seen the spread can be 0, which would be a root
    low, high = -1.0, 1.0
    if seen > -1:
        low = optimize.root_scalar(excess, args=(1.0,), bracket=(-1.0, seen - beside)).root
    if seen < 1:
        high = optimize.root_scalar(excess, args=(-1.0,), bracket=(seen + beside, 1.0)).root
    return float(low), float(high)


def student(
    values: np.ndarray,
    *,
    confidence: float = 0.95,
    least: float = -np.inf,
    most: float = np.inf,
) -> tuple[float, float] | None:
    """Interval of the mean of ``values`` (M,) by Student's t; None if they do not differ.

    It is symmetric even where the values are not; what it says beyond ``least`` and ``most``, what
    a value could be, is cut.
    """
    if len(values) < 2 or np.ptp(values) == 0:
        return None
    half = stats.t.ppf(0.5 + confidence / 2, len(values) - 1) * stats.sem(values)
    mean = float(np.mean(values))
    return max(mean - float(half), least), min(mean + float(half), most)


class Sample(NamedTuple):
    """Mean, standard deviation and number of some values."""

    mean: float
    std: float
    n: int


def welch(
    first: Sample, second: Sample = Sample(0.0, 0.0, 1), *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Interval of the difference of two means, whose values vary unequally (Welch 1947,
    doi:10.1093/biomet/34.1-2.28); of the first alone, Student's. None if neither varies.
    """
    parts = [(s.std**2 / s.n, s.n - 1) for s in (first, second) if s.n > 1 and s.std > 0]
    if not parts:
        return None
    square = sum(part for part, _ in parts)
    freedom = square**2 / sum(part**2 / more for part, more in parts)
    half = float(stats.t.ppf(0.5 + confidence / 2, freedom) * np.sqrt(square))
    return first.mean - second.mean - half, first.mean - second.mean + half


def bootstrap(
    values: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int = 0,
    draws: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a statistic of ``values`` (M,); None if they do not differ.

    ``statistic`` takes samples (K, M) to (K,). The same seed gives the same interval.
    """
    if len(values) < 2 or np.ptp(values) == 0:
        return None
    rng = np.random.default_rng(seed)
    block = max(1, 1_000_000 // len(values))
    found = [
        statistic(values[rng.integers(len(values), size=(min(block, draws - k), len(values)))])
        for k in range(0, draws, block)
    ]
    tail = 50 * (1 - confidence)
    low, high = np.percentile(np.concatenate(found), [tail, 100 - tail])
    return float(low), float(high)


SAME = 1e-12
"""Values that differ by no more than this share of the largest are equal but for rounding."""


def regress(software: np.ndarray, circuit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain and offset (O,) of circuit = gain software + offset, least squares per column.

    Both (B, O). A column in which the software's values do not differ, by more than rounding, has
    neither: both are NaN.
    """
    mean, seen = software.mean(axis=0), circuit.mean(axis=0)
    centred = software - mean
    differ = np.ptp(software, axis=0) > SAME * np.abs(software).max()
    power = np.where(differ, (centred**2).sum(axis=0), np.nan)
    gain = (centred * (circuit - seen)).sum(axis=0) / power
    return gain, seen - gain * mean
