# pyright: strict
"""The chips of a study of corners: named ones, and the worst ones, as they are found."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..coordinates import Given, Key, Listing
from ..engines.gradients import gradient
from ..errors import DerivativeError, StudyError
from ..imperfections.registry import streams
from ..streams import DIE, Floats, Place
from .bench import Bench
from .corners_named import CORNERS, MIDDLE, Coordinates, displaced, distance, drawn_groups
from .corners_worst import search, weights
from .kept_chips import load_coordinates, save_coordinates
from .points import Point
from .result import Row
from .scores import Event, margins

FOLDER = "corners"
"""In the RUN: what is kept of each corner."""
NEAR = 1e-6
"""Of a distance, by which rounding may change it."""


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Which corner a point is.

    Attributes
    ----------
    name, about, kind
        As a result says them.
    images
        The class whose images a worst-case corner is the worst for; None: all.
    start
        Number of the chip at which its search begins; None: the middle.
    """

    name: str
    about: str
    kind: str = "classical"
    images: int | None = None
    start: int | None = None

    def document(self) -> Any:
        """What tells it from all others, for JSON."""
        return {"corner": self.name}


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What a study is asked.

    Attributes
    ----------
    typical
        The chip in the middle at the typical temperature.
    temps
        Degrees Celsius, by the corners' names for them.
    sigmas, worst
        How far out, and how many worst-case corners.
    event
        That a chip fails.
    """

    typical: Point
    temps: Mapping[str, float]
    sigmas: float
    worst: int
    event: Event

    @property
    def most(self) -> int:
        """How many corners there are, at most."""
        return len(CORNERS) + self.worst

    def point(self, number: int, spot: Spot, at: Coordinates, temp_c: float) -> Point:
        """The point of a corner."""
        conditions = replace(self.typical.conditions, temp_c=temp_c)
        source = Given(dict(at), MIDDLE)
        return replace(self.typical, conditions=conditions, sample=number, own=spot, source=source)


def classical(asked: Asked, shapes: Mapping[Key, tuple[int, ...]]) -> list[Point]:
    """The named corners whose groups are all drawn, with coordinates of ``shapes``."""
    drawn, found = drawn_groups(shapes), list[Point]()
    for number, corner in enumerate(CORNERS):
        if corner.signs.keys() <= drawn:
            temp_c = asked.temps[corner.at]
            at = displaced(corner, shapes, asked.sigmas, temp_c)
            spot = Spot(name=corner.name, about=corner.about)
            found.append(asked.point(number, spot, at, temp_c))
    return found


def listed(asked: Asked, bench: Bench) -> tuple[dict[Key, tuple[int, ...]], bool]:
    """Shapes of the coordinates that are drawn, and whether faults are.

    Not those of what is done about the others: what a trim writes again depends on the chip.
    """
    listing = Listing({}, {})
    bench.drawn(replace(asked.typical, source=listing))
    whose = streams()
    shapes = {key: at for key, at in listing.shapes.items() if not whose[key.stream][0].adjusts}
    return shapes, bool(listing.uniforms)


def explore(asked: Asked, bench: Bench) -> Generator[Sequence[Point], list[Row], None]:
    """Classical corners, then one worst-case one after the other.

    Raises
    ------
    DerivativeError
        Before any, if there are to be worst-case ones and something has no derivative.
    """
    shapes, _ = listed(asked, bench)
    slopes_without(asked, bench)
    yield classical(asked, shapes)
    for number, spot in worst_spots(asked, bench):
        at = _found(asked, bench, shapes, spot)
        yield [asked.point(number, spot, at, asked.temps["typical"])]


def worst_spots(asked: Asked, bench: Bench) -> list[tuple[int, Spot]]:
    """Numbers and names of the worst-case corners: for all images; for those of one class, those
    first that software decides most narrowly; then from other chips."""
    first, found = len(CORNERS), list[tuple[int, Spot]]()
    found.append((first, Spot(name="worst", about="the worst chip", kind="worst")))
    classes = bench.spec.sizes[-1] if bench.spec.targets is None else 0
    if classes:
        of_images = margins(bench.software, bench.labels)
        narrow = {
            int(c): float(np.median(of_images[bench.labels == c])) for c in np.unique(bench.labels)
        }
        for c in sorted(narrow, key=lambda c: (narrow[c], c)):
            about = f"the worst chip for class {c}"
            spot = Spot(name=f"worst-class-{c}", about=about, kind="worst", images=c)
            found.append((first + 1 + c, spot))
    for k in range(max(0, asked.worst - len(found))):
        about = f"the worst chip, looked for from chip {k} on"
        spot = Spot(name=f"worst-from-{k}", about=about, kind="worst", start=k)
        found.append((first + 1 + classes + k, spot))
    return found[: asked.worst]


def slopes_without(asked: Asked, bench: Bench) -> tuple[str, ...]:
    """What gradients are without, sentences; none where nothing is looked for by them."""
    if not asked.worst:
        return ()
    try:
        return gradient(bench, asked.typical, {}, lambda found: found.sum(), rest=MIDDLE).notes
    except DerivativeError as error:
        raise DerivativeError(
            f"worst-case corners are looked for by gradients: {error}; --worst 0 leaves the "
            "classical ones"
        ) from error


def images_of(asked: Asked, bench: Bench, spot: Spot) -> tuple[npt.NDArray[np.int64], Event]:
    """Positions of the images that a corner is the worst for, and that a chip fails on them."""
    mine = np.arange(len(bench.labels))
    if spot.images is not None:
        mine = np.flatnonzero(bench.labels == spot.images)
    return mine, Event.of(bench.spec, asked.event.limit, len(mine))


def kept_coordinates(path: Path, sigmas: float) -> Coordinates:
    """A worst-case corner's coordinates that were kept; StudyError if they are none."""
    at = load_coordinates(path)
    if distance(at) > sigmas * (1 + NEAR):
        raise StudyError(
            f"{path} is damaged: its chip is {distance(at):.3g} sigmas from the middle, and the "
            f"worst within {sigmas:g} was looked for: remove it, and the same command looks for "
            "the chip again"
        )
    return at


def _found(
    asked: Asked, bench: Bench, shapes: Mapping[Key, tuple[int, ...]], spot: Spot
) -> Coordinates:
    """A worst-case corner's coordinates: those that were kept, or those that a search finds."""
    kept = bench.keep.parent / FOLDER / f"{spot.name}.npz"
    if kept.exists():
        return kept_coordinates(kept, asked.sigmas)
    mine, event = images_of(asked, bench, spot)
    labels = bench.labels[mine]

    def logits(at: Coordinates) -> Floats:
        return bench.read(replace(asked.typical, source=Given(dict(at), MIDDLE)))

    def slope(at: Coordinates, width: float) -> Coordinates:
        of = np.zeros_like(bench.software)
        of[mine] = weights(bench.spec, event, labels, logits(at)[mine], width)

        def weighted(found: Any) -> Any:
            return (found * found.new_tensor(of)).sum()

        return gradient(bench, asked.typical, at, weighted, rest=MIDDLE).slopes

    start: dict[Key, Floats] = {}
    if spot.start is not None:
        chip = Place(seed=bench.seed, sample=spot.start, layer=DIE)
        start = {key: key.drawn(chip, shape) for key, shape in shapes.items()}
    found = search(
        lambda at: event.score(bench.spec, labels, logits(at)[mine])[0], slope, asked.sigmas, start
    )
    save_coordinates(kept, found.at)
    return found.at
