"""Scrambled Sobol points for some coordinates, plain draws for all others.

Sobol' 1967; scrambled by Owen's method as Matousek 1998 simplifies it (doi:10.1006/jcom.1998.0489),
in scipy's implementation. Scrambles drawn apart are independent, and their spread is the error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special
from scipy.stats import qmc

from ..coordinates import Key, Mix
from ..errors import StudyError, UntrustedError
from ..streams import Floats, Place
from .base import (
    Asking,
    Estimate,
    Numbers,
    Weighted,
    check_samples,
    check_spread,
    of_counts,
    of_repeats,
)

SCRAMBLES = 16
LEAST = 16 * SCRAMBLES
MOST_DIMENSIONS = qmc.Sobol.MAXDIM
"""Coordinates for which there are directions (Joe and Kuo 2008, doi:10.1137/070709359)."""
FEWEST_FAILS = 20
"""Of fewer the interval holds too rarely (``python -m benchmarks rare``)."""
TOGETHER = 2**22
"""Coordinates of points that are worked out at once, at most."""
BITS = 30
"""Of a point."""

Listed = tuple[tuple[Key, tuple[int, ...]], ...]


@dataclass(frozen=True)
class SobolPoint:
    """The coordinates of a point of one scramble; others are those of ``rest``.

    Attributes
    ----------
    seed, scramble, index
        Of the study; which scramble; which of its points.
    listed
        The keys of its coordinates, in their order, and their shapes.
    rest
        Gives all others.
    """

    seed: int
    scramble: int
    index: int
    listed: Listed
    rest: Mix

    def normal(self, place: Place, stream: int, shape: tuple[int, ...], block: int) -> Floats:
        """See ``streams.Source``."""
        start, key = 0, Key.at(place, stream, block)
        for other, its in self.listed:
            size = math.prod(its)
            if other == key:
                return self._all()[start : start + size].reshape(shape).copy()
            start += size
        return self.rest.normal(place, stream, shape, block)

    def _all(self) -> Floats:
        size = sum(math.prod(shape) for _, shape in self.listed)
        return point(self.seed, self.scramble, self.index, size)

    def uniform(self, place: Place, stream: int, shape: tuple[int, ...]) -> Floats:
        """See ``streams.Source``."""
        return self.rest.uniform(place, stream, shape)

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return self.rest.reading(place)

    def document(self) -> Any:
        """See ``streams.Source``."""
        listed = [[list(key), list(shape)] for key, shape in self.listed]
        which = [self.seed, self.scramble, self.index]
        return {"sobol": which, "listed": listed, "rest": self.rest.document()}


def point(seed: int, scramble: int, index: int, size: int) -> Floats:
    """(size,) standard normal; nobody may write into it."""
    block, place = divmod(index, _together(size))
    return _points(seed, scramble, block, size)[place]


def _together(size: int) -> int:
    """How many points are worked out at once; a power of 2."""
    return 2 ** min(10, int(math.log2(TOGETHER / size)))


@lru_cache(maxsize=4)
def _points(seed: int, scramble: int, block: int, size: int) -> Floats:
    """(n, size) of one block."""
    count = _together(size)
    rng = np.random.default_rng([seed, 3, scramble])
    engine = qmc.Sobol(size, bits=BITS, seed=rng)  # type: ignore[call-arg]
    if block:
        engine.fast_forward(block * count)
    return special.ndtri(engine.random(count) + 0.5 / 2**BITS)


def sobol(
    samples: int,
    first: int = 0,
    *,
    seed: int,
    listed: Mapping[Key, tuple[int, ...]],
    frozen: bool = False,
) -> Asking:
    """``SCRAMBLES`` times a power of 2 chips, the largest that makes no more than ``samples``.

    Parameters
    ----------
    samples
        Chips.
    first
        Number of the first chip.
    seed
        Of the scrambles.
    listed
        Shapes of the coordinates that are points' , by their keys.
    frozen
        See ``coordinates.Mix``.

    Raises
    ------
    StudyError
        Too few chips; no coordinates, or more than there are directions for.
    UntrustedError
        See ``docs/rare-yields.md``.
    """
    check_samples("sobol", samples, LEAST)
    keys = tuple(sorted((key, tuple(shape)) for key, shape in listed.items()))
    size = sum(math.prod(shape) for _, shape in keys)
    if not 0 < size <= MOST_DIMENSIONS:
        raise StudyError(
            f"--method sobol spreads 1 to {MOST_DIMENSIONS} coordinates of diodes and amplifiers "
            f"evenly, and these settings draw {size}: take --method subset"
        )
    numbers = Numbers(first, frozen)
    each = 2 ** int(math.log2(samples // SCRAMBLES))
    scores, reached = np.empty((SCRAMBLES, each)), np.empty((SCRAMBLES, each))
    for scramble in range(SCRAMBLES):
        rests = numbers.chips(each)
        answer = yield [SobolPoint(seed, scramble, i, keys, r) for i, r in enumerate(rests)]
        scores[scramble], reached[scramble] = answer
    return _estimate(scores < 0, reached, size)


def _estimate(fails: np.ndarray[Any, Any], reached: Floats, size: int) -> Estimate:
    """Of (SCRAMBLES, n) chips."""
    count, n = int(fails.sum()), fails.size
    if count in (0, n):
        return of_counts("sobol", count, n, reached.ravel())
    if count < FEWEST_FAILS:
        raise UntrustedError(
            f"of {n} chips {count} failed, fewer than the {FEWEST_FAILS} by which scrambles can be "
            f"compared: take {math.ceil(2 * FEWEST_FAILS / count)} times as many chips, or "
            "--method subset"
        )
    p, cv, pair = of_repeats(fails.mean(axis=1))
    check_spread(f"the {SCRAMBLES} scrambles", p, cv)
    levels = [
        {"scramble": k, "chips": len(row), "fails": int(row.sum())} for k, row in enumerate(fails)
    ]
    sample = Weighted(
        np.full(n, 1 / n), reached.ravel(), np.repeat(np.arange(SCRAMBLES), n // SCRAMBLES)
    )
    note = f"{size} coordinates are points, all others are drawn"
    return Estimate(
        p=p, ci95=pair, method="sobol", simulated=n, cv=cv, levels=levels, sample=sample,
        notes=[note],
    )  # fmt: skip
