# pyright: strict
"""Seeds and streams: the random numbers of one quantity of one layer of one chip, and of no other.

A stream is a number in the seed. Those below ``FIRST_DERIVED`` are fixed by hand and never change;
every other follows from a name, so that it depends on nothing else that there is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .errors import SettingsError

Floats = npt.NDArray[np.float64]

MAX_SAMPLE = 2**31
"""Numbers of chips are below it."""
BLOCK = 1000
"""Images whose numbers are drawn together; part of what those are."""
DIE = -1
"""In place of a layer's number where a draw is common to the whole chip."""
FIRST_DERIVED = 2**16
"""Streams that are numbered by hand are below it."""


def derived(owner: str, name: str) -> int:
    """The number of stream ``name`` of ``owner``: 2^16 to 2^32 - 1, from a hash of both names."""
    digest = hashlib.sha256(f"{owner}/{name}".encode()).digest()
    return FIRST_DERIVED + int.from_bytes(digest[:8], "big") % (2**32 - FIRST_DERIVED)


class Source(Protocol):
    """What a chip's numbers are, where they do not follow from its own; see ``coordinates``."""

    def normal(self, place: Place, stream: int, shape: tuple[int, ...], block: int) -> Floats:
        """Standard normal numbers of ``shape``."""
        ...

    def uniform(self, place: Place, stream: int, shape: tuple[int, ...]) -> Floats:
        """Numbers from 0 to 1."""
        ...

    def reading(self, place: Place) -> Place:
        """Where noise at every read is drawn for what is drawn for ``place``."""
        ...

    def document(self) -> Any:
        """What tells it from all others, for JSON."""
        ...


@dataclass(frozen=True, kw_only=True)
class Place:
    """What numbers are drawn for.

    Attributes
    ----------
    seed, sample
        Of the study; number of the chip.
    layer
        Of the network, or ``DIE``.
    share
        Which of the circuits that share the layer's outputs.
    source
        Gives the numbers; None: they follow from the rest.
    """

    seed: int
    sample: int
    layer: int
    share: int = 0
    source: Source | None = None

    def of(self, sample: int) -> Place:
        """The same of chip number ``sample`` as it is by its number."""
        return replace(self, sample=sample, source=None)

    def normal(self, stream: int, shape: tuple[int, ...], block: int = 0) -> Floats:
        """Standard normal numbers of ``stream`` here."""
        if self.source is not None:
            return self.source.normal(self, stream, shape, block)
        return self.generator(stream, block).standard_normal(shape)

    def uniform(self, stream: int, shape: tuple[int, ...]) -> Floats:
        """Numbers of ``stream`` here from 0 to 1."""
        if self.source is not None:
            return self.source.uniform(self, stream, shape)
        return self.generator(stream).random(shape)

    def generator(self, stream: int, block: int = 0) -> np.random.Generator:
        """The random numbers of ``stream`` here; ``block`` is of images.

        Raises
        ------
        SettingsError
            Where a ``source`` gives the numbers: it is asked by ``normal`` and ``uniform`` alone.
        """
        if self.source is not None:
            raise SettingsError(
                "numbers that a draw takes from place.generator are no coordinates, which this "
                "study moves: draw.normal and draw.uniform give those"
            )
        share = (self.share,) if self.share else ()
        key = (self.sample, stream, self.layer + 1, block, *share)
        seed = np.random.SeedSequence(self.seed, spawn_key=key)
        return np.random.Generator(np.random.PCG64(seed))

    def normal_of_images(self, stream: int, index: np.ndarray, width: int) -> np.ndarray:
        """Standard normal draws (n, width) of images ``index`` (n,).

        An image's depend on its position in its data set, not on what else is simulated.
        """
        place = self if self.source is None else self.source.reading(self)
        blocks = np.unique(index // BLOCK)
        drawn = [place.normal(stream, (BLOCK, width), int(block)) for block in blocks]
        at = np.searchsorted(blocks, index // BLOCK) * BLOCK + index % BLOCK
        return np.concatenate(drawn)[at]
