"""Confidence intervals: of accuracies, of two on the same images, of statistics over chips.

``python -m benchmarks coverage`` measures how often each holds what it is of.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

# scipy's statistics take longer to be loaded than most commands run: what `simulate` prints is of
# scipy.special alone, and what needs more loads it.

FEWEST_FOR_SPREAD = 10
"""Values below which no method tried holds a standard deviation often enough and says something."""


def wilson(correct: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    z = _normal(confidence)
    middle = (correct + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(correct * (n - correct) / n + z**2 / 4)
    return float(middle - half) if correct else 0.0, float(middle + half) if correct < n else 1.0


def _normal(confidence: float) -> float:
    """Standard deviations within which a normal value is so often."""
    from scipy import special

    return float(special.ndtri(0.5 + confidence / 2))


def _student(confidence: float, freedom: float) -> float:
    """The same of Student's t."""
    from scipy import special

    return float(special.stdtrit(freedom, 0.5 + confidence / 2))


def exact(correct: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a proportion that never covers less than it says, where Wilson's can: shares
    near 1 of few (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404).
    """
    from scipy import stats

    found = stats.binomtest(correct, n).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)


def paired_difference(
    first: np.ndarray, second: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of mean(second) - mean(first), both measured on the same images: Tango's.

    Parameters
    ----------
    first, second
        (n,) booleans: right or wrong.
    """
    won, lost = int((~first & second).sum()), int((first & ~second).sum())
    return tango(won, lost, len(first), confidence=confidence)


def tango(won: float, lost: float, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the difference of two shares of the same ``n`` images, (``won`` - ``lost``) / n.

    Tango's score interval (Statistics in Medicine 17, 891, 1998): the differences that the score
    test does not reject. It keeps its coverage where few images differ, or none, which is where a
    good circuit is. Means of counts may have fractions.
    """
    z = _normal(confidence)

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
        low = _root(lambda delta: excess(delta, 1.0), -1.0, seen - beside)
    if seen < 1:
        high = _root(lambda delta: excess(delta, -1.0), seen + beside, 1.0)
    return low, high


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where ``falling`` passes 0 between ``low`` and ``high``, to 1e-15."""
    while high - low > 1e-15:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def widening(n: int) -> float:
    """What intervals of skewed values are longer by; chosen by the coverage measured."""
    return 1 + 1.5 / np.sqrt(n)


def student(
    values: np.ndarray,
    *,
    confidence: float = 0.95,
    least: float = -np.inf,
    most: float = np.inf,
    skewed: bool = False,
) -> tuple[float, float] | None:
    """Interval of the mean of ``values`` (M,) by Student's t; None if they do not differ.

    It is symmetric even where the values are not, and longer by ``widening`` where they are known
    to be ``skewed``; what it says beyond ``least`` and ``most``, what a value could be, is cut.
    """
    if len(values) < 2 or np.ptp(values) == 0:
        return None
    half = _student(confidence, len(values) - 1) * float(np.std(values, ddof=1))
    half /= np.sqrt(len(values))
    half *= widening(len(values)) if skewed else 1.0
    mean = float(np.mean(values))
    return max(float(mean - half), least), min(float(mean + half), most)


STAKES = 2.0 ** (-np.arange(17) / 2)
"""Shares of the capital that ``bounded`` bets, half of it on the first."""
_WEIGHTS = np.log(np.r_[0.5, np.full(len(STAKES) - 1, 0.5 / (len(STAKES) - 1))])


def bounded(
    values: np.ndarray, least: float, most: float, *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Interval of the mean of any values (M,) between ``least`` and ``most``; None below two.

    It covers for every distribution and every M, also one in which a rare value decides: a mean is
    in it unless bets against it, fixed shares of the capital mixed by ``_WEIGHTS``, multiply their
    stake by 2 / (1 - ``confidence``) (Waudby-Smith and Ramdas 2024, doi:10.1093/jrsssb/qkad009,
    there with adaptive shares). So it is wide: of 20 equal values it reaches a fifth of the range.
    """
    if len(values) < 2:
        return None
    share = (np.asarray(values, dtype=float) - least) / (most - least)
    target = np.log(2 / (1 - confidence))
    low, high = _least_mean(share, target), 1 - _least_mean(1 - share, target)
    return least + low * (most - least), least + high * (most - least)


def _least_mean(share: np.ndarray, target: float) -> float:
    """The smallest mean that bets on ``share`` (M,), 0 to 1, being larger do not refute."""
    values, counts = np.unique(share, return_counts=True)  # accuracies are few, of many chips

    def excess(mean: float) -> float:
        with np.errstate(divide="ignore"):  # a stake of everything, and a value of 0
            gains = np.log1p(STAKES[:, None] * (values / mean - 1)) @ counts
        return float(np.logaddexp.reduce(gains + _WEIGHTS)) - target

    mean, smallest = float(share.mean()), 1e-9
    if mean <= smallest or excess(smallest) <= 0:
        return 0.0
    from scipy import optimize

    return float(optimize.brentq(excess, smallest, mean))  # type: ignore[arg-type]


def spread(values: np.ndarray, *, confidence: float = 0.95) -> tuple[float, float] | None:
    """Interval of the standard deviation of ``values`` (M,), which need not be normal.

    Bonett's (2006, doi:10.1016/j.csda.2004.10.003), with Student's quantile, longer by ``widening``
    on the logarithmic scale. None of fewer than ``FEWEST_FOR_SPREAD``, or if they do not differ.
    """
    n = len(values)
    if n < FEWEST_FOR_SPREAD or np.ptp(values) == 0:
        return None
    from scipy import stats

    about = values - stats.trim_mean(values, 1 / (2 * np.sqrt(n - 4)))
    squares = ((values - values.mean()) ** 2).sum()
    kurtosis = n * (about**4).sum() / squares**2
    small = n / (n - _normal(confidence))
    error = small * np.sqrt((kurtosis - (n - 3) / n) / (n - 1))
    half = widening(n) * _student(confidence, n - 1) * error
    middle = np.log(small * squares / (n - 1))
    return float(np.exp((middle - half) / 2)), float(np.exp((middle + half) / 2))


def quantile(
    values: np.ndarray, q: float, *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Interval of the ``q`` quantile, 0 to 1, of any distribution: two of the sorted ``values``
    (M,); None if they are too few, see ``quantile_needs``.
    """
    ends = _ranks(len(values), q, confidence)
    if ends is None:
        return None
    ordered = np.sort(values)
    return float(ordered[ends[0]]), float(ordered[ends[1]])


@lru_cache(maxsize=64)
def quantile_needs(q: float, confidence: float = 0.95) -> int:
    """How many values ``quantile`` needs: 59 for 5 and for 95 %."""
    n = 2
    while _ranks(n, q, confidence) is None:
        n += 1
    return n


@lru_cache(maxsize=256)
def _ranks(n: int, q: float, confidence: float) -> tuple[int, int] | None:
    """Ranks, from 0, of the closest two of ``n`` sorted values that hold the quantile often enough.

    The number of values below it is binomial (David and Nagaraja, Order Statistics, 7.1).
    """
    from scipy import stats

    below = stats.binom.cdf(np.arange(n), n, q)  # below[k]: at most k values are below
    first = np.flatnonzero(below <= 1 - confidence)
    last = np.searchsorted(below, below[first] + confidence)
    first, last = first[last < n], last[last < n]
    if not len(first):
        return None
    # Of two that mirror each other the first is taken, not the one that a last digit favours.
    uneven = np.round(np.abs(below[first] - (1 - below[last])), 12)
    best = np.lexsort((uneven, last - first))[0]
    return int(first[best]), int(last[best])


def beside(estimate: float, *pairs: tuple[float, float] | None) -> tuple[float, float]:
    """Interval of a sum from those of its parts, each about ``estimate`` as if the others were
    known; None is of a part without chance (Zou and Donner 2008, doi:10.1002/sim.3095).
    """
    low, high = (
        np.sqrt(sum((pair[end] - estimate) ** 2 for pair in pairs if pair is not None))
        for end in (0, 1)
    )
    return estimate - float(low), estimate + float(high)


class Sample(NamedTuple):
    """Mean, standard deviation and number of some values."""

    mean: float
    std: float
    n: int


def welch(
    first: Sample, second: Sample = Sample(0.0, 0.0, 1), *, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Interval of the difference of two means, whose values vary unequally (Welch 1947,
    doi:10.1093/biomet/34.1-2.28); of the first alone, Student's. None if neither varies, or the
    values of one happen to be equal, whose spread is then not known.
    """
    if any(s.n > 1 and s.std == 0 for s in (first, second)):
        return None
    parts = [(s.std**2 / s.n, s.n - 1) for s in (first, second) if s.n > 1 and s.std > 0]
    if not parts:
        return None
    square = sum(part for part, _ in parts)
    freedom = square**2 / sum(part**2 / more for part, more in parts)
    half = _student(confidence, freedom) * float(np.sqrt(square))
    return first.mean - second.mean - half, first.mean - second.mean + half


SAME = 1e-12
"""Values that differ by no more than this share of the largest are equal but for rounding."""


class Regression:
    """Least squares per column against the same software again and again.

    Parameters
    ----------
    software
        (B, O). A column whose values do not differ, by more than rounding, has neither gain nor
        offset: both are NaN.
    """

    def __init__(self, software: np.ndarray) -> None:
        self._mean = software.mean(axis=0)
        self._centred = software - self._mean
        differ = np.ptp(software, axis=0) > SAME * np.abs(software).max()
        self._power = np.where(differ, (self._centred**2).sum(axis=0), np.nan)

    def of(self, circuit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gain and offset (O,) of ``circuit`` (B, O) = gain software + offset."""
        seen = circuit.mean(axis=0)
        gain = (self._centred * (circuit - seen)).sum(axis=0) / self._power
        return gain, seen - gain * self._mean


def regress(software: np.ndarray, circuit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``Regression`` of one circuit."""
    return Regression(software).of(circuit)
