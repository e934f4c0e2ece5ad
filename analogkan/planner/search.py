# pyright: strict
"""Which candidates are looked at, one generation after the other, and what is found.

The optimiser is CMA-ES with margin and categories (Hamano et al. 2024, of the package ``cmaes``):
it is told an order of candidates, those that keep their limits first. The same figures lead to the
same candidates, so a search that was interrupted is gone through again from what is kept.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from cmaes import CatCMAwM  # pyright: ignore[reportMissingTypeStubs]

from .levers import Space, value_of
from .limits import LOSS, Figures, Limit, misses

PENALTY = 4.0
"""Of a limit that is missed by its scale, in powers of e of the objective."""
FAILED, TIE = 100.0, 1e-9
"""The score of a candidate that cannot be made or simulated; and by what equal ones differ, since
the optimiser needs a spread."""
POPULATION, SIGMA, CLOSER = 12, 0.22, 0.1
"""Candidates of a generation; how far they are spread at first, as a share of each range, and where
a search goes on from a place that is good already."""
EDGE, SAME = 0.05, 1e-4
"""How far from a bound a search begins, since the optimiser's first spread is nothing on it; and
the spread of a generation, as a share of each range, below which there is nothing left to find."""
ELSEWHERE = (0.25, 2.5, 10.0)
"""Of what may be lost: other limits, of which a picture shows what each costs."""
SHARE_ELSEWHERE = 0.08
"""Of all tries, for each of these, and for the goal itself in the end."""
ALONG = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where each lever alone is tried, as shares of its range, from the best place."""
SURVIVORS, ROUNDS = 4, 3
"""How many of the best are looked at with all chips, and how often, if none of them will do."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """Settings by name, and their place in the space."""

    values: Mapping[str, Any]
    place: tuple[float, ...]
    words: tuple[int, ...]

    @property
    def key(self) -> tuple[tuple[str, Any], ...]:
        return tuple(sorted(self.values.items()))


@dataclass(frozen=True, eq=False, kw_only=True)
class Tried:
    """A candidate with its figures; None: it failed."""

    candidate: Candidate
    figures: Figures | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Goal:
    """What is made least, within which limits."""

    objective: str
    limits: tuple[Limit, ...]

    def score(self, figures: Figures | None) -> float:
        """Lower is better: the objective's logarithm, and what each miss costs."""
        if figures is None or not figures[self.objective] > 0:
            return FAILED
        missed = sum(min(miss, FAILED) for miss in misses(self.limits, figures).values())
        return min(math.log(figures[self.objective]) + PENALTY * missed, FAILED)

    def kept(self, figures: Figures | None) -> bool:
        """Whether all limits are."""
        return figures is not None and not misses(self.limits, figures)

    def allowing(self, share: float) -> Goal:
        """The same with ``share`` times as much that may be lost."""
        limits = (
            replace(one, value=share * one.value, scale=max(share * one.value, one.scale / 10))
            if one.name == LOSS
            else one
            for one in self.limits
        )
        return replace(self, limits=tuple(limits))


Ask = Generator[Sequence[Candidate], list[Tried], Any]


def goals_of(goal: Goal) -> tuple[Goal, ...]:
    """``goal``, then the same for what may be lost ``ELSEWHERE``, of which a picture is made."""
    if not any(limit.name == LOSS and limit.value > 0 for limit in goal.limits):
        return (goal,)
    return (goal, *(goal.allowing(share) for share in ELSEWHERE))


def explore(space: Space, goal: Goal, tries: int, seed: int) -> Ask:
    """Candidates for ``goals_of`` the goal, most for the goal itself; all that were tried.

    Each generation is asked for, and its figures are sent back. After a search for the goal, each
    lever alone is moved from the best place, which tells what other losses would be worth; then
    each goal's search goes on from its own best. Where there are few tries, there is one search,
    and where there are only words, each of their combinations is tried.
    """
    tried: list[Tried] = yield [as_it_is(space)]
    if not space.numbers:
        tried += yield _combinations(space)
        return tried
    goals, few = goals_of(goal), int(tries * SHARE_ELSEWHERE / POPULATION) * POPULATION
    later = few * len(goals) + (few and len(ALONG) * len(space.levers))
    yield from _optimise(space, goal, max(tries - later, few), seed, start(space), SIGMA, tried)
    if not few:
        return tried
    tried += yield _along(space, best_of(tried, goal)[0])
    for k, one in enumerate(goals):
        begin = best_of(tried, one)[0]
        yield from _optimise(space, one, few, seed + k + 1, begin, CLOSER, tried)
    return tried


def start(space: Space) -> Candidate:
    """The middle of each range, with the words of the circuit as it is."""
    return _at(space, [0.5] * len(space.numbers), space.own_words())


def _at(space: Space, place: Sequence[float], words: Sequence[int]) -> Candidate:
    values = space.values(place, words)
    return Candidate(values=values, place=tuple(place), words=tuple(words))


def as_it_is(space: Space) -> Candidate:
    """What nothing is moved of: where nothing better is found, that is the answer."""
    own = {lever.name: value_of(space.base, lever.name) for lever in space.levers}
    place = tuple(lever.share_of(own[lever.name], space.base) for lever in space.numbers)
    return Candidate(values=own, place=place, words=space.own_words())


def _along(space: Space, best: Candidate) -> list[Candidate]:
    """``best`` with each lever in turn at places along its range, or its other words."""
    found = [
        _at(space, [*best.place[:k], share, *best.place[k + 1 :]], best.words)
        for k in range(len(space.numbers))
        for share in ALONG
    ]
    return found + [
        _at(space, best.place, [*best.words[:k], word, *best.words[k + 1 :]])
        for k, lever in enumerate(space.words)
        for word in range(len(lever.choices))
        if word != best.words[k]
    ]


def _combinations(space: Space) -> list[Candidate]:
    every = product(*(range(len(lever.choices)) for lever in space.words))
    return [_at(space, (), words) for words in every if words != space.own_words()]


def _optimise(
    space: Space,
    goal: Goal,
    count: int,
    seed: int,
    begin: Candidate,
    sigma: float,
    tried: list[Tried],
) -> Ask:
    """``begin``, then ``count`` candidates around it, in whole generations, fewer where they come
    to be the same; into ``tried``."""
    if count < 1:
        return
    optimiser = CatCMAwM(
        x_space=[[0.0, 1.0]] * len(space.numbers),
        c_space=[len(lever.choices) for lever in space.words] or None,
        population_size=POPULATION,
        mean=np.clip(begin.place, EDGE, 1 - EDGE),
        sigma=sigma,
        seed=seed % 2**32,
    )
    tried += yield [begin]
    for _ in range(math.ceil(count / POPULATION)):
        asked = [optimiser.ask() for _ in range(POPULATION)]
        candidates = [_candidate(space, one) for one in asked]
        if np.ptp([one.place for one in candidates], axis=0).max() < SAME:
            return
        found = yield candidates
        tried += found
        scores = [goal.score(one.figures) + TIE * k for k, one in enumerate(found)]
        optimiser.tell(list(zip(asked, scores, strict=True)))


def _candidate(space: Space, asked: Any) -> Candidate:
    words = () if asked.c is None else [int(row.argmax()) for row in asked.c]
    return _at(space, [float(x) for x in asked.x], words)


def best_of(tried: Sequence[Tried], goal: Goal) -> list[Candidate]:
    """Candidates, the best first, each once."""
    ranked = sorted(tried, key=lambda one: goal.score(one.figures))
    return list({one.candidate.key: one.candidate for one in ranked}.values())


def survivors(tried: Sequence[Tried], goal: Goal) -> Ask:
    """Of each of ``goals_of`` the goal its best, asked for again with all chips: as tried then, the
    best of them first."""
    found: list[list[Tried]] = []
    for one in goals_of(goal):
        ranked, seen = best_of(tried, one), list[Tried]()
        for k in range(ROUNDS):
            seen += yield ranked[k * SURVIVORS : (k + 1) * SURVIVORS]
            if any(one.kept(each.figures) for each in seen):
                break
        found.append(sorted(seen, key=lambda each: one.score(each.figures)))
    return found


def front(found: Sequence[Tried], objective: str) -> list[Tried]:
    """Those of which none is better in both ``objective`` and what is lost; least lost first."""
    good = [one for one in found if one.figures is not None]
    good.sort(key=lambda one: (one.figures or {})[LOSS])
    kept: list[Tried] = []
    for one in good:
        if not kept or _of(one, objective) < min(_of(other, objective) for other in kept):
            kept.append(one)
    return kept


def _of(one: Tried, name: str) -> float:
    assert one.figures is not None
    return float(one.figures[name])
