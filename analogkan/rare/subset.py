# pyright: strict
"""Subset simulation: a small probability as a product of larger ones.

Au and Beck 2001, doi:10.1016/S0266-8920(01)00019-4; chains by conditional sampling, whose step
adapts itself (Papaioannou, Betz, Zwirglmaier and Straub 2015,
doi:10.1016/j.probengmech.2015.06.006).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..coordinates import Mix
from ..errors import UntrustedError
from ..streams import Floats, Source
from ..text import percent
from .base import (
    Asking,
    Estimate,
    Numbers,
    Scored,
    Weighted,
    check_samples,
    check_spread,
    of_counts,
    of_repeats,
)

SHARE = 10
"""One in so many of a level's chips is in the next level."""
REPEATS = 10
"""Repetitions, which share nothing but the limits of their levels."""
LEAST = REPEATS * SHARE * SHARE
"""Chips a level: ten chains a repetition."""
MAX_LEVELS = 8
"""A chip in 1e7 fails in the last of them at the latest."""
FIRST_STEP = 0.6
"""Of the coordinates' spread; Papaioannou and others 2015, section 3.3, as is what follows."""
ACCEPTED = 0.44
"""Share of moves that steps are set for."""
LEAST_ACCEPTED = 0.05
"""Below it chains stand where they began (assumed)."""
MOST_EQUAL = 0.5
"""Share of a level's chips up to its limit, above which the score jumps (assumed)."""
LEAST_ANCESTORS = 15
"""First chips that those that fail must come from: with fewer few decide, and
intervals hold too rarely (``python -m benchmarks rare``)."""


@dataclass
class _Run:
    """One repetition: its chips (n,) of this level, and what they are.

    Attributes
    ----------
    origins
        (n,) the first chip that each comes from.
    p
        Of being in this level.
    step
        Of its chains.
    """

    chips: list[Mix]
    scores: Floats
    reached: Floats
    origins: npt.NDArray[np.intp]
    p: float = 1.0
    step: float = FIRST_STEP
    kept: list[tuple[Floats, Floats]] = field(default_factory=list[tuple[Floats, Floats]])
    """What chips count that are in no later level, and what they reached."""

    def enter(self, limit: float, last: bool, rng: np.random.Generator, chains: int) -> None:
        """Keep what is beyond ``limit``, and start ``chains`` from what is up to it."""
        inside = self.scores < 0 if last else self.scores <= limit
        weights = np.full(len(inside), self.p / len(inside))
        left = np.ones(len(inside), dtype=bool) if last else ~inside
        self.kept.append((weights[left], self.reached[left]))
        self.p *= float(inside.mean())
        among = np.flatnonzero(inside)
        if not last and len(among):
            rounds = [rng.permutation(among) for _ in range(-(-chains // len(among)))]
            among = np.concatenate(rounds)[:chains]
        self.take(among)

    def take(self, chosen: npt.NDArray[np.intp]) -> None:
        """Be the ``chosen`` chips alone."""
        self.chips = [self.chips[k] for k in chosen]
        self.scores, self.reached = self.scores[chosen], self.reached[chosen]
        self.origins = self.origins[chosen]

    def proposals(self, numbers: Numbers) -> list[Mix]:
        """Where its chains may go."""
        kept = math.sqrt(1 - self.step**2)
        return [chip.moved(numbers.take(), kept) for chip in self.chips]

    def move(self, asked: Sequence[Mix], answer: Scored, limit: float, count: int) -> float:
        """Go where that is inside, and set the step; returns the share of chains that went.

        ``count`` is that of the level's moves.
        """
        went = answer.scores <= limit
        pairs = zip(self.chips, asked, went, strict=True)
        self.chips = [new if here else old for old, new, here in pairs]
        self.scores = np.where(went, answer.scores, self.scores)
        self.reached = np.where(went, answer.reached, self.reached)
        share = float(went.mean())
        self.step = min(1.0, self.step * math.exp((share - ACCEPTED) / math.sqrt(count)))
        return share


def subset(samples: int, first: int = 0, *, seed: int, frozen: bool = False) -> Asking:
    """``samples`` chips in the first level, and nine tenths as many in each that follows.

    ``REPEATS`` repetitions go side by side, and have a level's limit in common: the score that a
    tenth of all their chips are up to. With limits that are given a repetition's estimate, the
    product of its own shares, would have no bias.

    Parameters
    ----------
    samples
        Chips in a level, rounded down to hundreds.
    first
        Number of the first chip.
    seed
        Of which chips chains start from.
    frozen
        See ``coordinates.Mix``.

    Raises
    ------
    StudyError
        Fewer than ``LEAST`` chips.
    UntrustedError
        See ``docs/rare-yields.md``.
    """
    check_samples("subset", samples, LEAST)
    numbers, rng = Numbers(first, frozen), np.random.default_rng([seed, 1])
    size = samples // (REPEATS * SHARE) * SHARE
    chips = numbers.chips(size * REPEATS)
    answer = yield chips
    if np.mean(answer.scores < 0) * SHARE >= 1:
        note = f"more than one chip in {SHARE} fails: plain draws are as good"
        fails = int((answer.scores < 0).sum())
        return of_counts("subset", fails, len(chips), answer.reached, notes=[note])
    runs = [
        _Run(chips[part], answer.scores[part], answer.reached[part], np.arange(size))
        for part in (slice(k * size, (k + 1) * size) for k in range(REPEATS))
    ]
    levels = yield from _levels(runs, numbers, rng, size)
    return _estimate(runs, levels, numbers.following - first)


def _levels(
    runs: list[_Run], numbers: Numbers, rng: np.random.Generator, size: int
) -> Generator[Sequence[Source], Scored, list[dict[str, Any]]]:
    """Take ``runs`` through all levels; returns what each level had."""
    levels: list[dict[str, Any]] = []
    accepted = None
    for level in range(MAX_LEVELS):
        living = [run for run in runs if len(run.scores)]
        scores = np.sort(np.concatenate([run.scores for run in living]))
        limit = float(scores[len(scores) // SHARE - 1])
        last = limit < 0
        share = float(np.mean(scores < 0 if last else scores <= limit))
        if not last:
            _check_jump(level, limit, share)
        for run in living:
            run.enter(limit, last, rng, size // SHARE)
        levels.append(
            {
                "level": level,
                "chips": len(scores),
                "limit": 0.0 if last else limit,
                "share": share,
                "accepted": accepted,
                "ancestors": sum(len(np.unique(run.origins)) for run in runs),
                "alive": sum(len(run.scores) > 0 for run in runs),
            }
        )
        if last:
            return levels
        living = [run for run in runs if len(run.scores)]
        accepted = yield from _walk(living, numbers, limit)
        if accepted < LEAST_ACCEPTED:
            raise UntrustedError(
                f"subset simulation stands still in level {level + 1}: of the moves of its chains "
                f"{percent(accepted, 1)} were accepted, fewer than "
                f"{percent(LEAST_ACCEPTED, 0)}: the score is not smooth there; take --method plain"
            )
    p = float(np.mean([run.p for run in runs]))
    raise UntrustedError(
        f"subset simulation found no chip that fails in {MAX_LEVELS} levels: fewer than about "
        f"1 in {1 / p:,.0f} do, if any can: set a limit nearer to what chips reach"
    )


def _check_jump(level: int, limit: float, share: float) -> None:
    if share > MOST_EQUAL:
        raise UntrustedError(
            f"subset simulation stands still in level {level}: {percent(share, 0)} of its chips "
            f"have the score {limit:g} or less, where a tenth is wanted, so it jumps: take "
            "--method plain, or leave out what is rounded, clipped or stuck"
        )


def _walk(
    runs: list[_Run], numbers: Numbers, limit: float
) -> Generator[Sequence[Source], Scored, float]:
    """All chains of ``runs`` through one level, a move of all at a time; returns the share of
    moves that were accepted."""
    states = [[(run.chips, run.scores, run.reached, run.origins)] for run in runs]
    shares: list[float] = []
    for count in range(1, SHARE):
        asked = [run.proposals(numbers) for run in runs]
        answer = yield [chip for chips in asked for chip in chips]
        for k, (run, chips) in enumerate(zip(runs, asked, strict=True)):
            part = slice(k * len(chips), (k + 1) * len(chips))
            here = Scored(answer.scores[part], answer.reached[part])
            shares.append(run.move(chips, here, limit, count))
            states[k].append((run.chips, run.scores, run.reached, run.origins))
    for run, seen in zip(runs, states, strict=True):
        chips, scores, reached, origins = zip(*seen, strict=True)
        run.chips = [chip for some in chips for chip in some]
        run.scores, run.reached = np.concatenate(scores), np.concatenate(reached)
        run.origins = np.concatenate(origins)
    return float(np.mean(shares))


def _estimate(runs: list[_Run], levels: list[dict[str, Any]], simulated: int) -> Estimate:
    p, cv, pair = of_repeats(np.array([run.p for run in runs]))
    check_spread(f"subset simulation's {REPEATS} repetitions", p, cv)
    ancestors = levels[-1]["ancestors"]
    if ancestors < LEAST_ANCESTORS:
        raise UntrustedError(
            f"all chips that fail come from {ancestors} of the first {levels[0]['chips']}, fewer "
            f"than {LEAST_ANCESTORS}: p is about {p:.2g}, but few chips decide: take more chips"
        )
    counted = [[np.concatenate(part) for part in zip(*run.kept, strict=True)] for run in runs]
    sample = Weighted(
        np.concatenate([weights for weights, _ in counted]) / REPEATS,
        np.concatenate([reached for _, reached in counted]),
        np.repeat(np.arange(REPEATS), [len(weights) for weights, _ in counted]),
    )
    return Estimate(
        p=p, ci95=pair, method="subset", simulated=simulated, cv=cv, levels=levels, sample=sample
    )  # fmt: skip
