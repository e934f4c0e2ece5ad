"""Confidence intervals of accuracies, and of the difference of two on the same images."""

from __future__ import annotations

import numpy as np
from scipy import stats


def wilson(correct: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    found = stats.binomtest(correct, n).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def paired_difference(
    first: np.ndarray, second: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of mean(second) - mean(first), both measured on the same images.

    Agresti and Min's adjusted Wald interval (2005, doi:10.1002/sim.1781): half a discordant image
    is added to each side and one concordant image of each kind, which keeps its coverage when no
    image differs.

    Parameters
    ----------
    first, second
        (n,) booleans: right or wrong.
    """
    n = len(first) + 2
    won = float((~first & second).sum()) + 0.5
    lost = float((first & ~second).sum()) + 0.5
    delta = (won - lost) / n
    spread = float(np.sqrt((won + lost) / n - delta**2) / np.sqrt(n))
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    return max(-1.0, delta - z * spread), min(1.0, delta + z * spread)
