# pyright: strict
"""What makes chips differ: which numbers are drawn for which layer, and which settings ask for
them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..engines.chip_engines import open_engine
from ..errors import SettingsError
from ..imperfections import Variation
from ..imperfections.registry import streams
from ..streams import DIE, Floats, Place
from .bench import Bench
from .points import Point

AHEAD = 2**30
"""By so much the numbers of the chips B are above those of the chips A."""
LOOKED_AT = 2
"""Images at which it is seen what is drawn: noise at every read is drawn there."""


class Part(NamedTuple):
    """The numbers of one stream in one layer, in every circuit that shares its outputs."""

    layer: int
    stream: int

    @property
    def where(self) -> str:
        """The layer in words."""
        return "die" if self.layer == DIE else str(self.layer)


@dataclass(frozen=True)
class Picked:
    """A chip that has some of its numbers from another chip: that whose number is ``ahead``."""

    parts: frozenset[Part]
    ahead: int = AHEAD

    def _place(self, place: Place, stream: int) -> Place:
        picked = Part(place.layer, stream) in self.parts
        return place.of(place.sample + self.ahead if picked else place.sample)

    def normal(self, place: Place, stream: int, shape: tuple[int, ...], block: int) -> Floats:
        """See ``streams.Source``."""
        return self._place(place, stream).normal(stream, shape, block)

    def uniform(self, place: Place, stream: int, shape: tuple[int, ...]) -> Floats:
        """See ``streams.Source``."""
        return self._place(place, stream).uniform(stream, shape)

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return place

    def document(self) -> Any:
        """See ``streams.Source``."""
        return {"picked": [list(part) for part in sorted(self.parts)], "ahead": self.ahead}


@dataclass(frozen=True, eq=False)
class Noted:
    """A chip as it is, whose numbers are noted as they are drawn.

    Attributes
    ----------
    parts
        What was drawn so far: whether it is normal, by its part.
    """

    parts: dict[Part, bool] = field(default_factory=dict[Part, bool])

    def normal(self, place: Place, stream: int, shape: tuple[int, ...], block: int) -> Floats:
        """See ``streams.Source``."""
        self.parts[Part(place.layer, stream)] = True
        return place.of(place.sample).normal(stream, shape, block)

    def uniform(self, place: Place, stream: int, shape: tuple[int, ...]) -> Floats:
        """See ``streams.Source``."""
        self.parts[Part(place.layer, stream)] = False
        return place.of(place.sample).uniform(stream, shape)

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return place

    def document(self) -> Any:
        """See ``streams.Source``."""
        return "noted"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Settings without which some numbers are not drawn.

    Attributes
    ----------
    settings
        Their names.
    variation
        What is left without them.
    parts
        What is not drawn then.
    """

    settings: tuple[str, ...]
    variation: Variation
    parts: frozenset[Part]


def with_few(bench: Bench, point: Point) -> Bench:
    """A twin's bench of the circuits of ``point``, with images enough to see what is drawn."""
    return Bench(
        bench.build, bench.images[:LOOKED_AT], open_engine("twin", None, bench.keep),
        seed=bench.seed, chain=bench.chain(point.hardware),
    )  # fmt: skip


def drawn_parts(few: Bench, point: Point) -> dict[Part, bool]:
    """What is drawn for chip ``point``, and whether it is normal: in the order of imperfections,
    then of layers."""
    noted = Noted()
    few.read(replace(point, source=noted))
    order = {number: k for k, number in enumerate(_words())}
    found = sorted(noted.parts, key=lambda part: (order[part.stream], part.layer))
    return {part: noted.parts[part] for part in found}


def _words() -> dict[int, str]:
    """Every stream in words."""
    return {
        number: f"{one.name}: {name.replace('_', ' ')}" for number, (one, name) in streams().items()
    }


def said(part: Part) -> str:
    """The quantity that is drawn, in words."""
    return _words()[part.stream]


def causes_of(few: Bench, point: Point, parts: Sequence[Part]) -> list[Cause]:
    """By which settings of ``point`` its ``parts`` are drawn, each part in one cause.

    A part goes with that setting whose default takes it out, and as little else as may be; where
    none does alone, with all settings of its imperfection. Parts that neither takes out, or without
    which the other settings do not go together, are in no cause.
    """
    variation: Variation = point.variation
    fields = Variation.__dataclass_fields__
    adjusting = {s.name for one in variation.on() if one.adjusts for s in one.settings}
    names = [n for n in vars(variation) if n not in adjusting and not fields[n].metadata["shapes"]]
    sets = [(name,) for name in names]
    sets += [tuple(s.name for s in one.settings if s.name in names) for one in variation.on()]
    tried = {which: _without(few, point, parts, which) for which in dict.fromkeys(sets) if which}
    chosen: dict[tuple[str, ...], Cause] = {}
    for part in parts:
        able = [one for one in tried.values() if one is not None and part in one.parts]
        if able:
            best = min(able, key=lambda one: (len(one.settings), len(one.parts)))
            chosen[best.settings] = best
    return list(chosen.values())


def _without(
    few: Bench, point: Point, parts: Iterable[Part], names: tuple[str, ...]
) -> Cause | None:
    kept = {name: value for name, value in vars(point.variation).items() if name not in names}
    try:
        left = Variation(**kept)
        drawn = drawn_parts(few, replace(point, variation=left))
    except SettingsError:
        return None
    gone = frozenset(part for part in parts if part not in drawn)
    return Cause(settings=names, variation=left, parts=gone)


def groups_of(parts: Iterable[Part], causes: Iterable[Cause]) -> list[frozenset[Part]]:
    """Every part alone, and those of each cause together."""
    alone = (frozenset({part}) for part in parts)
    return [*dict.fromkeys([*alone, *(cause.parts for cause in causes)])]
