"""What estimators of small probabilities of failure have in common: how they ask, what they say.

An estimator is a generator. It gives chips, is sent their scores, and at last returns an estimate.
It simulates nothing, and draws nothing of a chip's: asked again with the same answers it asks the
same, so that a study that was stopped goes on.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from scipy import stats

from ..coordinates import Mix
from ..errors import StudyError, UntrustedError
from ..intervals import exact
from ..streams import MAX_SAMPLE, Floats, Source
from ..text import percent


class Scored(NamedTuple):
    """Answers to a list of chips, in their order.

    Attributes
    ----------
    scores
        (n,) of each chip: below 0 it fails; -inf if it could not be simulated.
    reached
        (n,) accuracy or RMSE; nan if it could not be simulated.
    """

    scores: Floats
    reached: Floats


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A probability of failure.

    Attributes
    ----------
    p, ci95
        It, and its interval.
    method
        Name of the estimator.
    simulated
        Chips that were.
    cv
        Standard error of ``p`` as a share of it; nan where none failed.
    bound
        Whether no chip, or every one, failed: ``ci95`` is then all there is to say.
    levels
        What each level, scale or stratum had, by its columns.
    sample
        Chips with what they count, for other limits; None where the method has none.
    notes
        Sentences that belong to the figures.
    """

    p: float
    ci95: tuple[float, float]
    method: str
    simulated: int
    cv: float
    bound: bool = False
    levels: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    sample: Sample | None = None
    notes: list[str] = field(default_factory=list[str])

    @property
    def n_effective(self) -> float:
        """Plain chips that would know ``p`` as well; nan where none, or all, failed."""
        return (1 - self.p) / (self.p * self.cv**2) if 0 < self.p < 1 else math.nan

    @property
    def enough(self) -> float:
        """Chips that this method needs for a standard error of 10 % of ``p``, as far as it falls
        with the root of their number; nan where none, or all, failed."""
        return self.simulated * (self.cv / WANTED_CV) ** 2 if 0 < self.p < 1 else math.nan


class Sample(Protocol):
    """Chips of which some count more than others, for other limits than that of ``p``.

    Attributes
    ----------
    reached
        (n,) accuracies, or RMSEs; nan: could not be simulated.
    """

    @property
    def reached(self) -> Floats:
        """See above."""
        ...

    def beyond(self, limit: float, *, above: bool = False) -> tuple[float, tuple[float, float]]:
        """Share of chips below ``limit``, or ``above`` it, and its 95 % interval, whose end is nan
        where none is and nothing is known of how many are.

        A chip that could not be simulated is beyond every limit.
        """
        ...


@dataclass(frozen=True, eq=False)
class Weighted:
    """A sample of chips, of which some count more than others.

    Attributes
    ----------
    weights
        (n,) shares of all chips that each stands for; those of a group add up to 1 / groups.
    reached
        (n,) accuracies, or RMSEs; nan: could not be simulated.
    groups
        (n,) number of the independent repetition each is of; None: chips are drawn plainly.
    """

    weights: Floats
    reached: Floats
    groups: npt.NDArray[np.intp] | None = None

    def beyond(self, limit: float, *, above: bool = False) -> tuple[float, tuple[float, float]]:
        """See ``Sample``."""
        inside = self.reached <= limit if above else self.reached >= limit
        if self.groups is None:
            fails, n = int((~inside).sum()), len(inside)
            return fails / n, exact(fails, n)
        count = int(self.groups.max()) + 1
        sums = np.bincount(self.groups, self.weights * ~inside, count)
        means = np.asarray(count * sums, dtype=float)
        if not means.any():
            return 0.0, (0.0, math.nan)
        p, _, pair = of_repeats(means)
        return p, pair


WANTED_CV = 0.1
"""The error of which costs are said."""
MAX_CV = 0.4
"""Of repetitions that differ by more the interval holds too rarely (``python -m benchmarks rare``)
and says too little."""


WIDER = 1.2
"""What intervals of repetitions are longer by than Student's; chosen by the coverage measured."""


def of_repeats(means: Floats) -> tuple[float, float, tuple[float, float]]:
    """p, its cv and interval from what independent repetitions (R,) found, not all of them 0.

    Student's on the logarithm of their mean; on the mean of their logarithms a repetition in which
    nothing failed would decide.
    """
    p = float(means.mean())
    cv = float(stats.sem(means)) / p
    half = WIDER * float(stats.t.ppf(0.975, len(means) - 1)) * cv
    return p, cv, (p * math.exp(-half), min(1.0, p * math.exp(half)))


def of_counts(
    method: str, fails: int, simulated: int, reached: Floats, *, notes: Sequence[str] = ()
) -> Estimate:
    """Of plain draws of which ``fails`` failed."""
    n = len(reached)
    p = fails / n
    low, high = exact(fails, n)
    told = list(notes)
    if fails == 0:
        told.append(
            f"none of {n} chips failed: fewer than 1 in {1 / high:,.0f} do, with 95 % confidence; "
            "--method subset looks further"
        )
    elif fails == n:
        told.append(
            f"each of {n} chips failed: more than {percent(low, 4)} do, with 95 % confidence: "
            "set a limit that a chip can keep"
        )
    return Estimate(
        p=p,
        ci95=(low, high),
        method=method,
        simulated=simulated,
        cv=math.sqrt((1 - p) / (p * n)) if fails else math.nan,
        bound=fails in (0, n),
        sample=Weighted(np.full(n, 1 / n), reached),
        notes=told,
    )


def check_spread(what: str, p: float, cv: float, *, most: float = MAX_CV) -> None:
    """Refuse what differs too much.

    Raises
    ------
    UntrustedError
        A standard error of more than ``most`` of ``p``.
    """
    if cv > most:
        raise UntrustedError(
            f"{what} differ too much: p is about {p:.2g}, with a standard error of "
            f"{percent(cv, 0)} of it, above {percent(most, 0)}: "
            f"take {math.ceil(1.2 * (cv / most) ** 2)} times as many chips"
        )


def check_samples(method: str, samples: int, least: int) -> None:
    """Refuse a number of chips with which ``method`` says nothing.

    Raises
    ------
    StudyError
        Fewer than ``least``.
    """
    if samples < least:
        raise StudyError(f"--method {method} needs at least {least} chips, not {samples}")


Asking = Generator[Sequence[Source], Scored, Estimate]


class Numbers:
    """Chips that no estimator has used yet, by their numbers.

    Attributes
    ----------
    following
        Number of the next.
    frozen
        See ``coordinates.Mix``.
    """

    def __init__(self, first: int, frozen: bool) -> None:
        self.following = first
        self.frozen = frozen

    def take(self) -> int:
        """A number that was not taken.

        Raises
        ------
        StudyError
            There is none left.
        """
        if self.following >= MAX_SAMPLE:
            raise StudyError(f"chips have numbers below {MAX_SAMPLE}, and all are taken")
        self.following += 1
        return self.following - 1

    def chips(self, count: int, weight: float = 1.0) -> list[Mix]:
        """``count`` of them, their coordinates multiplied by ``weight``."""
        return [Mix(((self.take(), weight),), self.frozen) for _ in range(count)]
