# pyright: strict
"""``corners``: named corners, and the worst chip within so many sigmas, each kept as a BUILD."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from ..imperfections.registry import faults
from ..schema import Maybe, Number, Text
from ..settings import require
from .corners_result import Corners
from .result import Row
from .study import Job, Option, Plan, Study
from .thermal import read_temps

if TYPE_CHECKING:
    from ..imperfections import Variation
    from ..streams import Floats
    from .bench import Bench
    from .corners_named import Coordinates
    from .points import Point
    from .scores import Event

MOST_SIGMAS = 10.0
"""A part so far out is met once in 1e23."""
FOLDER = "corners"
"""In the RUN: BUILDs, and coordinates that were found."""
KEPT_IMAGES = 50
"""That a BUILD sweeps where nobody judges."""
CERTAIN = 0.5
"""Share of parts that fail from which on the part in the middle of all does."""


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

    def point(self, number: int, spot: Spot, at: Coordinates, temp_c: float) -> Point:
        """The point of a corner."""
        from ..coordinates import Given
        from .corners_named import MIDDLE

        conditions = replace(self.typical.conditions, temp_c=temp_c)
        source = Given(dict(at), MIDDLE)
        return replace(
            self.typical, conditions=conditions, sample=number, own=spot, source=source
        )


def plan(
    job: Job, *, sigmas: float, temps: Sequence[float], worst: int, yield_at: float | str | None
) -> Plan:
    """Simulate chips at corners, and keep each as a BUILD that a plain ngspice runs.

    Classical corners have all diodes strong, all offsets above 0, cells high, hot, cold and so on,
    each coordinate at --sigmas. Worst-case ones are the worst chips within --sigmas of the middle,
    over all coordinates together, found by gradients: for all images, for those of a class, then
    from other starts. ngspice judges every corner, on --judge's images. RUN keeps corners/NAME.build
    beside study.sqlite, chips.csv, result.json and corners.png.

    \b
    Examples:
      analogkan corners mnist.build --subset 200
      analogkan corners mnist.build --sigmas 4 --temps -20,25,85 --worst 0
    """
    from .montecarlo import yield_rule
    from .points import Point
    from .scores import Event

    if any(text.partition("=")[0].strip() == "temp_c" for text in job.settings):
        raise SettingsError("temp_c is what corners varies: give its values with --temps")
    require(0 < sigmas <= MOST_SIGMAS, "sigmas", sigmas, f"above 0, at most {MOST_SIGMAS:g}")
    hardware, variation, conditions, changed = job.read_settings()
    _require_drawn(job.preset, variation)
    limit, rule = yield_rule(job.build, job.images, yield_at)
    event = Event.of(job.build.spec, limit, len(job.images))
    if event.rank is not None and event.rank > len(job.images):
        raise SettingsError(
            f"yield_at = {limit:g} is an accuracy that every chip reaches, so none is a bad one: "
            "give one above 0"
        )
    three = sorted({float(temp_c) for temp_c in temps})
    if len(three) != 3:
        raise SettingsError(
            f"temps = {', '.join(f'{t:g}' for t in temps)}: corners take three temperatures, cold, "
            "typical and hot, such as -40,26.85,125"
        )
    cold, typical, hot = three
    point = Point(
        hardware=hardware, variation=variation, conditions=replace(conditions, temp_c=typical),
        sample=0,
    )  # fmt: skip
    asked = Asked(
        typical=point, temps={"cold": cold, "typical": typical, "hot": hot}, sigmas=sigmas,
        worst=worst, event=event,
    )  # fmt: skip
    return Plan(
        points=_classical(asked, {}),
        explore=partial(_explore, asked),
        most=_most(asked),
        more=partial(_measure, asked),
        summarise=partial(_summarise, asked),
        keep=partial(_keep, asked, job.judge),
        judge_all=True,
        arrange=lambda run, rows: sorted(rows, key=lambda row: row["sample"]),
        facts={
            "preset": job.preset,
            "sigmas": sigmas,
            "temps_c": [cold, typical, hot],
            "worst": worst,
            "yield_at": limit,
            "yield_rule": rule,
            "recompiled": changed,
        },
        identity=point.document()
        | {"sigmas": sigmas, "temps_c": [cold, typical, hot], "worst": worst, "yield_at": limit},
    )


def _require_drawn(preset: str | None, variation: Variation) -> None:
    """SettingsError if no coordinate could be displaced, or a part in the middle would fail."""
    failing = {name: getattr(variation, name) for name in faults()}
    for name, share in failing.items():
        if share >= CERTAIN:
            raise SettingsError(
                f"{name} = {share:g}: corners are near the chip in the middle, and of so many "
                f"parts that fail its own do: set {name} below {CERTAIN:g}"
            )
    if not any(one.numbers and not one.fault and not one.adjusts for one in variation.on()):
        only = " but faults, which have no direction" if variation.drawn else ""
        raise SettingsError(
            f"corners displaces what chance decides of a chip, and preset {preset} draws "
            f"nothing{only}: give --preset rram, or --set sigma_g=0.05 and the like"
        )


def _classical(asked: Asked, shapes: Mapping[Any, tuple[int, ...]]) -> list[Point]:
    """The named corners whose groups are all drawn, with coordinates of ``shapes``."""
    from .corners_named import CORNERS, displaced, drawn_groups

    drawn, found = drawn_groups(shapes), list[Any]()
    for number, corner in enumerate(CORNERS):
        if corner.signs.keys() <= drawn:
            temp_c = asked.temps[corner.at]
            at = displaced(corner, shapes, asked.sigmas, temp_c)
            found.append(asked.point(number, Spot(name=corner.name, about=corner.about), at, temp_c))
    return found


def _most(asked: Asked) -> int:
    from .corners_named import CORNERS

    return len(CORNERS) + asked.worst


def _listed(asked: Asked, bench: Bench) -> tuple[dict[Any, Any], bool]:
    """Shapes of the coordinates that are drawn, and whether faults are."""
    from ..coordinates import Listing

    listing = Listing({}, {})
    bench.drawn(replace(asked.typical, source=listing))
    return listing.shapes, bool(listing.uniforms)


def _explore(asked: Asked, bench: Bench) -> Generator[Sequence[Point], list[Row], None]:
    """Classical corners, then one worst-case one after the other."""
    shapes, _ = _listed(asked, bench)
    yield _classical(asked, shapes)
    for number, spot in _worst_spots(asked, bench):
        at = _found(asked, bench, shapes, spot)
        yield [asked.point(number, spot, at, asked.temps["typical"])]


def _worst_spots(asked: Asked, bench: Bench) -> list[tuple[int, Spot]]:
    """Numbers and names of the worst-case corners: for all images; for those of one class, those
    first that software decides most narrowly; then from other chips."""
    import numpy as np

    from .corners_named import CORNERS
    from .scores import margins

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


def _found(
    asked: Asked, bench: Bench, shapes: Mapping[Any, tuple[int, ...]], spot: Spot
) -> Coordinates:
    """A worst-case corner's coordinates: those that were kept, or those that a search finds."""
    import numpy as np

    from ..coordinates import Given
    from ..engines.gradients import gradient
    from ..streams import Place
    from .corners_named import MIDDLE
    from .corners_worst import search, weights
    from .kept_chips import load_coordinates, save_coordinates

    kept = bench.keep.parent / FOLDER / f"{spot.name}.npz"
    if kept.exists():
        return load_coordinates(kept)
    mine = np.flatnonzero(bench.labels == spot.images) if spot.images is not None else slice(None)
    labels = bench.labels[mine]
    event = type(asked.event).of(bench.spec, asked.event.limit, len(labels))

    def logits(at: Coordinates) -> Floats:
        return bench.read(replace(asked.typical, source=Given(dict(at), MIDDLE)))

    def slope(at: Coordinates, width: float) -> Coordinates:
        now, of = logits(at), np.zeros_like(bench.software)
        of[mine] = weights(bench.spec, event, labels, now[mine], width)
        return gradient(
            bench, asked.typical, at, lambda found: (found * found.new_tensor(of)).sum(),
            rest=MIDDLE,
        ).slopes  # fmt: skip

    start: dict[Any, Floats] = {}
    for key, shape in shapes.items() if spot.start is not None else ():
        place = Place(seed=bench.seed, sample=spot.start or 0, layer=key.layer, share=key.share)
        start[key] = place.normal(key.stream, shape, key.block)
    found = search(
        lambda at: event.score(bench.spec, labels, logits(at)[mine])[0], slope, asked.sigmas, start
    )
    save_coordinates(kept, found.at)
    return found.at


def _measure(asked: Asked, bench: Bench, point: Point) -> Row:
    """What a row has beside: the corner's name, its score, how far out it is, and for a worst-case
    one where on the way there the score crosses 0."""
    from ..coordinates import Given
    from .corners_named import MIDDLE, distance
    from .corners_worst import reach
    from .kept_chips import coordinates_of

    at = coordinates_of(point)

    def score(share: float) -> float:
        some = {key: share * array for key, array in at.items()}
        logits = bench.read(replace(point, source=Given(some, MIDDLE)))
        return asked.event.score(bench.spec, bench.labels, logits)[0]

    far, share = distance(at), None
    whole = score(1.0)
    if point.own.kind == "worst":
        share = reach(score)
    return {
        "corner": point.own.name,
        "score": whole,
        "distance": far,
        "beta": None if share is None else share * far,
    }


def _summarise(asked: Asked, rows: Sequence[Row], bench: Bench) -> dict[str, Any]:
    """Every corner, and what none has."""
    from .corners_named import CORNERS

    shapes, failing = _listed(asked, bench)
    known = {row["sample"]: row for row in rows}
    spots = [(k, Spot(name=one.name, about=one.about)) for k, one in enumerate(CORNERS)]
    figures = ("accuracy", "agreement", "rmse", "max_abs", "max_abs_logit_error")
    corners: list[dict[str, Any]] = []
    for number, spot in [*spots, *_worst_spots(asked, bench)]:
        row = known.get(number)
        if row is None:
            continue
        entry = {"name": spot.name, "about": spot.about, "kind": spot.kind}
        entry |= {key: row[key] for key in ("sample", "temp_c", "status", "reason")}
        if row["status"] == "ok":
            entry |= {key: row[key] for key in figures if key in row}
            entry |= {key: row[key] for key in ("score", "distance", "beta")}
            entry["build"] = f"{FOLDER}/{spot.name}.build"
        corners.append(entry)
    return {"corners": corners, "left_out": _left_out(shapes, failing), "event":
            asked.event.document()}  # fmt: skip


def _left_out(shapes: Mapping[Any, tuple[int, ...]], failing: bool) -> list[str]:
    """What no named corner has, sentences."""
    from .corners_named import CORNERS, GROUPS, drawn_groups, without_corner

    told: list[str] = []
    for group in sorted(GROUPS.keys() - drawn_groups(shapes)):
        names = [one.name for one in CORNERS if group in one.signs]
        by = GROUPS[group][0].drawn_by
        told.append(f"no {', '.join(names)}: {group} are not drawn ({by})")
    if left := without_corner(shapes):
        told.append(f"{', '.join(left)}: drawn, but in part in no classical corner, which leaves "
                    "at its middle what has no direction of its own")  # fmt: skip
    if failing:
        told.append("no part fails in a corner: faults have no direction")
    return told


def _keep(
    asked: Asked, judge: str, bench: Bench, points: Sequence[Point], rows: Sequence[Row], run: Path
) -> None:
    """Write the BUILD of every corner that could be simulated."""
    from ..compiler.closed_form import why_no_verdict
    from .judge import choose_images, parse_share
    from .kept_chips import keep_chip

    good = {row["key"] for row in rows if row["status"] == "ok"}
    count = parse_share(judge).images or KEPT_IMAGES
    for point in points:
        if point.key in good:
            close = not why_no_verdict(point.hardware)
            logits = bench.logits(point)
            at = choose_images(logits, count, bench.seed, point.sample, close=close)
            folder = run / FOLDER / f"{point.own.name}.build"
            keep_chip(folder, bench, point, point.own.name, point.own.about, at)


corners = Study(
    name="corners",
    short="Classical and worst-case corners, each kept as a BUILD.",
    options=(
        Option(
            name="sigmas", kind="number", default=3.0, metavar="X",
            about="How far out; of worst-case corners over all coordinates together.",
        ),
        Option(
            name="temps", kind="text", default="-40,26.85,125", metavar="COLD,TYPICAL,HOT",
            about="Degrees Celsius.", read=read_temps,
        ),
        Option(
            name="worst", kind="whole", default=10, least=0, most=1000,
            about="How many worst-case corners.",
        ),
        Option(
            name="yield_at", kind="limit", metavar="X",
            about="A chip is good from this accuracy on, or up to this RMSE; as for montecarlo.",
        ),
        Option(
            name="preset", kind="text", default="rram", metavar="NAME|FILE.toml", words="preset",
        ),
    ),
    plan=plan,
    result=Corners,
    more={"corner": Text(), "score": Number(), "distance": Number(low=0.0),
          "beta": Maybe(Number(low=0.0))},
)  # fmt: skip
