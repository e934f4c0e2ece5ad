# pyright: strict
"""A surrogate of a score, the k-th smallest of margins linear in the coordinates, and chips for
which it is given."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..coordinates import Key, Linear, Mix
from ..errors import StudyError, UntrustedError
from ..streams import Floats, Place

FAR = 8.0
"""Margins so many of their standard deviations above 0 are left out: 1 chip in 1e15 loses one."""
SMALLEST = 1e-9
"""Share of the largest variance below which a direction is left out."""
MOST_DIRECTIONS = 100
"""Along which chips are given; of more those that vary most. What is left out makes a surrogate
worse, and no estimate wrong."""
REPEATS = 10
SHARE = 5
"""One in so many of the cheap draws of a stratum are in the next."""
ACCEPTED = 0.44
"""See ``subset``."""
KEPT = 5000
"""Draws of a stratum from which chips are made."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Orthonormal directions (r,) in the space of the coordinates.

    Attributes
    ----------
    arrays
        (r, ...) by their keys.
    digest
        Tells them from others.
    """

    arrays: Mapping[Key, Floats]
    digest: str

    def along(self, place: Place) -> Floats:
        """(r,) where the chip lies that is drawn at ``place``, of whatever layer."""
        size = len(next(iter(self.arrays.values())))
        return Linear(np.zeros(size), self.arrays).at(place)


@dataclass(frozen=True, eq=False)
class Conditional:
    """As probable a chip as any of which it is known where it lies along some directions.

    z = z0 + W^T (u - W z0), of W the ``directions``, of z0 the coordinates of ``rest``.

    Attributes
    ----------
    directions
        Shared by many chips.
    target
        (r,) where it lies along them, u.
    rest
        Gives what lies across.
    """

    directions: Directions
    target: Floats
    rest: Mix
    _moves: dict[int, Floats] = field(default_factory=dict[int, Floats], repr=False)

    def normal(self, place: Place, stream: int, shape: tuple[int, ...], block: int) -> Floats:
        """See ``streams.Source``."""
        found = self.rest.normal(place, stream, shape, block)
        array = self.directions.arrays.get(Key.at(place, stream, block))
        return found if array is None else found + np.tensordot(self._move(place), array, 1)

    def _move(self, place: Place) -> Floats:
        """(r,) u - W z0 with the study's seed."""
        if place.seed not in self._moves:
            here = replace(place, source=self.rest)
            self._moves[place.seed] = self.target - self.directions.along(here)
        return self._moves[place.seed]

    def uniform(self, place: Place, stream: int, shape: tuple[int, ...]) -> Floats:
        """See ``streams.Source``."""
        return self.rest.uniform(place, stream, shape)

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return self.rest.reading(place)

    def document(self) -> Any:
        """See ``streams.Source``."""
        told = [float(x) for x in self.target]
        return {"given": told, "along": self.directions.digest, "rest": self.rest.document()}


@dataclass(frozen=True, eq=False)
class Surrogate:
    """The ``k``-th smallest of ``values + slopes u``, u standard normal along ``directions``.

    Attributes
    ----------
    values, slopes
        (n,) and (n, r).
    """

    values: Floats
    slopes: Floats
    k: int
    directions: Directions

    @classmethod
    def of(cls, linear: Linear, k: int) -> Surrogate:
        """Of the margins ``linear`` of which those that can matter are kept.

        Raises
        ------
        StudyError
            Nothing that the margins depend on is drawn, or there are fewer than ``k``.
        """
        n = len(linear.values)
        if not 1 <= k <= n:
            raise StudyError(f"the {k}th smallest of {n} margins is none of them")
        sigma = np.sqrt(np.diagonal(linear.covariance()))
        if not sigma.any():
            raise StudyError(
                "nothing that margins depend on is drawn with these settings: their slopes are 0"
            )
        near = linear.values < FAR * sigma
        near[np.argsort(linear.values - FAR * sigma)[:k]] = True
        slopes = {key: slope[near] for key, slope in linear.slopes.items()}
        kept = Linear(linear.values[near], slopes)
        powers, axes = np.linalg.eigh(kept.covariance())
        used = np.flatnonzero(powers > SMALLEST * powers.max())[-MOST_DIRECTIONS:]
        roots = np.sqrt(powers[used])
        back = (axes[:, used] / roots).T
        arrays = {key: np.tensordot(back, slope, 1) for key, slope in slopes.items()}
        return cls(kept.values, axes[:, used] * roots, k, Directions(arrays, _digest(arrays)))

    def scores(self, along: Floats) -> Floats:
        """(...,) of chips that lie at ``along`` (..., r)."""
        if along.ndim > 2:  # at once they would be all margins of all draws
            return np.stack([self.scores(some) for some in along])
        margins = self.values + along @ self.slopes.T
        return np.partition(margins, self.k - 1, axis=-1)[..., self.k - 1]


def _digest(arrays: Mapping[Key, Floats]) -> str:
    digest = hashlib.sha256()
    for key in sorted(arrays):
        digest.update(str(list(key)).encode())
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Stratum:
    """Chips whose surrogate score is between two limits.

    Attributes
    ----------
    low, high
        The limits.
    shares
        (REPEATS,) of all chips, as independent repetitions have it.
    along, scores
        (m, r) where cheap draws of them lie, ``KEPT`` at most, and (m,) their surrogate's scores.
    """

    low: float
    high: float
    shares: Floats
    along: Floats
    scores: Floats


def strata(
    surrogate: Surrogate, rng: np.random.Generator, cheap: int
) -> Iterator[tuple[Stratum, Stratum]]:
    """From the highest scores down: the next stratum, and all that is below it.

    Subset simulation of the surrogate (see ``subset``), ``cheap`` draws a level; 0 is a limit.

    Raises
    ------
    UntrustedError
        The cheap draws stand still.
    """
    size, width = cheap // REPEATS, surrogate.slopes.shape[1]
    along = rng.standard_normal((REPEATS, size, width))
    scores = surrogate.scores(along)
    shares, high, step = np.ones(REPEATS), math.inf, 0.6
    while True:
        low = float(np.partition(scores.ravel(), cheap // SHARE)[cheap // SHARE])
        low = 0.0 if low < 0 < high else low
        inside = scores <= low
        if not inside.any(axis=1).all() or low == high:
            raise UntrustedError(
                f"cheap draws of linearised margins find no score below {low:.3g}: their "
                f"{surrogate.k}th smallest reaches no lower: take --method subset"
            )
        part = inside.mean(axis=1)
        above, below = (_some(rng, its) for its in (~inside, inside))
        yield (
            Stratum(low, high, shares * (1 - part), along[above], scores[above]),
            Stratum(-math.inf, low, shares * part, along[below], scores[below]),
        )
        shares, high = shares * part, low
        along, scores, step = _walk(surrogate, rng, along, inside, low, step)


def _some(rng: np.random.Generator, chosen: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    """Where ``KEPT`` of those are that are ``chosen``."""
    places = np.argwhere(chosen)
    if len(places) > KEPT:
        places = places[rng.choice(len(places), KEPT, replace=False)]
    return tuple(places.T)


def _walk(
    surrogate: Surrogate,
    rng: np.random.Generator,
    along: Floats,
    inside: np.ndarray[Any, Any],
    limit: float,
    step: float,
) -> tuple[Floats, Floats, float]:
    """Chains from what is ``inside``: as many draws as before, all up to ``limit``."""
    chains = along.shape[1] // SHARE
    here = np.stack(
        [
            its[rng.choice(np.flatnonzero(ok), chains, replace=ok.sum() < chains)]
            for its, ok in zip(along, inside, strict=True)
        ]
    )
    scores = surrogate.scores(here)
    seen = [(here, scores)]
    for count in range(1, SHARE):
        tried = math.sqrt(1 - step**2) * here + step * rng.standard_normal(here.shape)
        its = surrogate.scores(tried)
        went = its <= limit
        here, scores = np.where(went[..., None], tried, here), np.where(went, its, scores)
        seen.append((here, scores))
        step = min(1.0, step * math.exp((float(went.mean()) - ACCEPTED) / math.sqrt(count)))
    return (
        np.concatenate([a for a, _ in seen], axis=1),
        np.concatenate([s for _, s in seen], axis=1),
        step,
    )
