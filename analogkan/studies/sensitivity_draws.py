"""Shares of causes from chips that have some of their numbers from others, with intervals.

Axes: P parts; N chips of each kind.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Pair = tuple[float, float]
FEWEST = 16
"""Chips of each kind below which a bootstrap over them says nothing; assumed."""
RESAMPLES, SEED, BATCH = 999, 0, 50
"""Of a bootstrap, so many at a time."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Shares:
    """Of the variance of a figure.

    Attributes
    ----------
    first, total
        (P,) what a part does alone, and with all others that it acts together with.
    first_ci95, total_ci95
        Of each; None where the bootstrap gives none.
    sum, sum_ci95
        Of the first-order shares; what it lacks of 1 is of parts that act together.
    """

    first: Floats
    total: Floats
    first_ci95: Sequence[Pair | None]
    total_ci95: Sequence[Pair | None]
    sum: float
    sum_ci95: Pair | None


def indices(a: Floats, b: Floats, picked: Floats) -> tuple[Floats, Floats]:
    """First-order and total shares (P, ...) of chips along the last axis; see ``shares_of``."""
    middle = np.concatenate([a, b], axis=-1).mean(axis=-1, keepdims=True)
    variance = np.concatenate([a, b], axis=-1).var(axis=-1)
    first = ((b - middle) * (picked - a)).mean(axis=-1) / variance
    return first, 0.5 * ((a - picked) ** 2).mean(axis=-1) / variance


def shares_of(a: Floats, b: Floats, picked: Floats, *, intervals: bool = True) -> Shares | None:
    """Shares of parts in a figure's variance; None if it does not vary.

    Parameters
    ----------
    a, b
        (N,) of chips A and chips B.
    picked
        (P, N) of chips A that have one part from B.
    intervals
        Whether there are any.

    Notes
    -----
    First-order shares by Saltelli et al. 2010, doi:10.1016/j.cpc.2009.09.018, total ones by Jansen
    1999, doi:10.1016/S0010-4655(98)00154-4, as in ``scipy.stats.sobol_indices``; intervals are BCa
    bootstraps over the N chips of each kind.
    """
    if len(a) < 2 or not np.ptp([a, b]):
        return None
    first, total = indices(a, b, picked)

    def again(chips: npt.NDArray[np.intp], axis: int = -1) -> Floats:
        one, other = indices(a[chips], b[chips], picked[:, chips])
        return np.concatenate([one, other, one.sum(axis=0, keepdims=True)])

    n = 2 * len(picked) + 1
    pairs = _bootstrap((np.arange(len(a)),), again, n) if intervals else [None] * n
    return Shares(
        first=first,
        total=total,
        first_ci95=pairs[: len(picked)],
        total_ci95=pairs[len(picked) : -1],
        sum=float(first.sum()),
        sum_ci95=pairs[-1],
    )


def ratio_of_spreads(left: Floats, whole: Floats) -> tuple[float, Pair | None]:
    """The standard deviation of ``left`` (N,) over that of ``whole`` (N,), of the same chips, which
    vary; and its interval, a BCa bootstrap over them."""

    def ratio(one: Floats, other: Floats, axis: int = -1) -> Floats:
        return (one.std(axis=axis, ddof=1) / other.std(axis=axis, ddof=1))[None]

    found = float(left.std(ddof=1) / whole.std(ddof=1))
    return found, _bootstrap((left, whole), ratio, 1)[0] if np.ptp(left) else None


def _bootstrap(
    data: tuple[npt.NDArray[Any], ...], statistic: Callable[..., Floats], n: int
) -> list[Pair | None]:
    """Intervals of ``n`` statistics; None where there is none, as of what is always the same."""
    if len(data[0]) < FEWEST:
        return [None] * n
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # it has no interval
        found: Any = stats.bootstrap(
            data, statistic, paired=True, vectorized=True, n_resamples=RESAMPLES, batch=BATCH,
            method="BCa", rng=np.random.default_rng(SEED),
        )  # fmt: skip
    ends = zip(*found.confidence_interval, strict=True)
    return [(float(a), float(b)) if np.isfinite([a, b]).all() else None for a, b in ends]
