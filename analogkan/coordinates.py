# pyright: strict
"""A chip as a point among standard normal coordinates, and where else than in its number it lies.

All that chance decides of a chip is a function of standard normal numbers, its coordinates: those
of every quantity of every layer. By its number a chip has those that its generators give. A source
gives it others: a sum of other chips', or some that are written down.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from .streams import Floats, Place, Source


class Key(NamedTuple):
    """Which coordinates: of a layer, or ``streams.DIE``, of the circuit that has this share of its
    outputs; of a quantity, by its stream; of a block of draws."""

    layer: int
    share: int
    stream: int
    block: int

    @classmethod
    def at(cls, place: Place, stream: int, block: int) -> Key:
        """Those of ``stream`` at ``place``."""
        return cls(place.layer, place.share, stream, block)

    def drawn(self, place: Place, shape: tuple[int, ...]) -> Floats:
        """These of the chip at ``place``, of whatever layer and share."""
        here = replace(place, layer=self.layer, share=self.share)
        return here.normal(self.stream, shape, self.block)


class _Recent:
    """What was worked out last, up to ``most`` bytes of it; for several threads."""

    def __init__(self, most: int) -> None:
        self.most, self._bytes = most, 0
        self._known: OrderedDict[Any, Floats] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, key: Any, make: Callable[[], Floats]) -> Floats:
        """What ``make`` gives, or gave for the same ``key``; nobody may write into it."""
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        made = make()
        with self._lock:
            if key not in self._known:
                self._known[key] = made
                self._bytes += made.nbytes
            while self._bytes > self.most:
                self._bytes -= self._known.popitem(last=False)[1].nbytes
        return made


_RECENT = _Recent(2**28)


def _lengthened(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A list's shape, its length rounded up: what a trim writes is of another length on every chip,
    the first of the same numbers, so that what is remembered serves most of them."""
    if len(shape) != 1:
        return shape
    return (1 << max(4, (shape[0] - 1).bit_length()),)


@dataclass(frozen=True)
class Mix:
    """A weighted sum of the coordinates of chips that have numbers.

    Of weights whose squares add up to 1 it is as probable as any chip.

    Attributes
    ----------
    parts
        Numbers of chips, and their weights.
    frozen
        Whether noise at every read is that of chip 0, whatever the chip.
    parent, kept
        What it was moved from, and how much of that it kept.
    """

    parts: tuple[tuple[int, float], ...]
    frozen: bool = False
    parent: Mix | None = field(default=None, compare=False, repr=False)
    kept: float = field(default=0.0, compare=False, repr=False)

    def normal(self, place: Place, stream: int, shape: tuple[int, ...], block: int) -> Floats:
        """See ``streams.Source``."""
        if self.parent is not None:
            asked = _lengthened(tuple(shape))
            found = _RECENT.remembered(
                (self, place.seed, Key.at(place, stream, block), asked),
                lambda: self._moved(place, stream, asked, block),
            )
            return found if asked == shape else found[: shape[0]]
        found = np.zeros(shape)
        for sample, weight in self.parts:
            found += weight * place.of(sample).normal(stream, shape, block)
        return found

    def _moved(self, place: Place, stream: int, shape: tuple[int, ...], block: int) -> Floats:
        """From the parent's, which are mostly remembered: a chain has many parts."""
        assert self.parent is not None
        sample, weight = self.parts[-1]
        before = self.parent.normal(place, stream, shape, block)
        return self.kept * before + weight * place.of(sample).normal(stream, shape, block)

    def uniform(self, place: Place, stream: int, shape: tuple[int, ...]) -> Floats:
        """Of what is uniform the coordinate is the quantile of the normal distribution."""
        (sample, weight), *others = self.parts
        if not others and weight == 1:
            return place.of(sample).uniform(stream, shape)
        from scipy import special

        found = np.zeros(shape)
        for sample, weight in self.parts:
            found += weight * special.ndtri(place.of(sample).uniform(stream, shape))
        return special.ndtr(found)

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return place.of(0) if self.frozen else place

    def document(self) -> Any:
        """See ``streams.Source``."""
        return {"parts": [list(part) for part in self.parts], "frozen": self.frozen}

    def moved(self, sample: int, kept: float) -> Mix:
        """As probable a chip near this one: ``kept`` of its coordinates, and sqrt(1 - kept^2) of
        those of chip ``sample``."""
        parts = tuple((of, kept * weight) for of, weight in self.parts)
        return Mix((*parts, (sample, float(np.sqrt(1 - kept**2)))), self.frozen, self, kept)


@dataclass(frozen=True, eq=False)
class Given:
    """Coordinates that are written down; others are those of ``rest``.

    Attributes
    ----------
    arrays
        By their keys, of the shapes in which they are drawn.
    rest
        Gives all others.
    """

    arrays: Mapping[Key, Any]
    rest: Source

    def normal(self, place: Place, stream: int, shape: tuple[int, ...], block: int) -> Floats:
        """See ``streams.Source``."""
        found = self.arrays.get(Key.at(place, stream, block))
        return self.rest.normal(place, stream, shape, block) if found is None else found

    def uniform(self, place: Place, stream: int, shape: tuple[int, ...]) -> Floats:
        """See ``streams.Source``."""
        return self.rest.uniform(place, stream, shape)

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return self.rest.reading(place)

    def document(self) -> Any:
        """See ``streams.Source``."""
        told = {str(list(key)): _told(self.arrays[key]) for key in sorted(self.arrays)}
        return {"given": told, "rest": self.rest.document()}


def _told(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, float).tobytes()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Listing:
    """The chip in the middle, all of whose coordinates are 0, that lists them as they are drawn.

    Attributes
    ----------
    shapes
        Of the normal ones that were drawn so far, by their keys.
    uniforms
        The same of those that are not normal.
    """

    shapes: dict[Key, tuple[int, ...]]
    uniforms: dict[Key, tuple[int, ...]]

    def normal(self, place: Place, stream: int, shape: tuple[int, ...], block: int) -> Floats:
        """See ``streams.Source``."""
        self.shapes[Key.at(place, stream, block)] = tuple(shape)
        return np.zeros(shape)

    def uniform(self, place: Place, stream: int, shape: tuple[int, ...]) -> Floats:
        """See ``streams.Source``."""
        self.uniforms[Key.at(place, stream, 0)] = tuple(shape)
        return np.full(shape, 0.5)

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return place

    def document(self) -> Any:
        """See ``streams.Source``."""
        return "listing"


@dataclass(frozen=True, eq=False)
class Linear:
    """Figures of a chip, as if they were linear in its coordinates.

    Attributes
    ----------
    values
        (n,) with all coordinates 0.
    slopes
        (n, ...) what each grows by with each coordinate, by their keys.
    """

    values: Floats
    slopes: Mapping[Key, Floats]

    def at(self, place: Place) -> Floats:
        """(n,) of the chip whose coordinates are drawn at ``place``, of whatever layer."""
        found = self.values.copy()
        for key, slope in self.slopes.items():
            drawn = key.drawn(place, slope.shape[1:])
            found += slope.reshape(len(slope), -1) @ np.ravel(drawn)
        return found

    def covariance(self, keys: Iterable[Key] | None = None) -> Floats:
        """(n, n) over chips; of ``keys`` alone, if they are given."""
        found = np.zeros((len(self.values), len(self.values)))
        for key in self.slopes if keys is None else keys:
            slope = self.slopes[key].reshape(len(self.values), -1)
            found += slope @ slope.T
        return found
