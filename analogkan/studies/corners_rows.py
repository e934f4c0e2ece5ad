# pyright: strict
"""What is said of each corner's chip, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ..compiler.closed_form import why_no_verdict
from ..coordinates import Given, Key
from ..streams import Floats
from .bench import Bench
from .corners_named import (
    CORNERS,
    GROUPS,
    MIDDLE,
    coordinates_of,
    distance,
    drawn_groups,
    without_corner,
)
from .corners_points import FOLDER, Asked, Spot, images_of, listed, slopes_without, worst_spots
from .corners_worst import reach
from .judge import choose_images, parse_share
from .kept_chips import keep_chip
from .points import Point
from .result import Row

KEPT_IMAGES = 50
"""That a corner's deck sweeps where nobody judges."""
FIGURES = "accuracy", "agreement", "rmse", "max_abs", "max_abs_logit_error"


def measure(asked: Asked, bench: Bench, point: Point) -> Row:
    """What a row has beside: the corner's name, its score, how far out it is, and for a worst-case
    one where on the way there the score crosses 0."""
    at = coordinates_of(point)

    @cache  # the whole way is asked for by several
    def logits(share: float) -> Floats:
        some = {key: share * array for key, array in at.items()}
        return bench.read(replace(point, source=Given(some, MIDDLE)))

    def score(share: float) -> float:
        return asked.event.score(bench.spec, bench.labels, logits(share))[0]

    share, own = None, None
    if point.own.kind == "worst":
        share = reach(score)
        mine, event = images_of(asked, bench, point.own)
        own = event.score(bench.spec, bench.labels[mine], logits(1.0)[mine])[0]
    return {
        "corner": point.own.name,
        "score": score(1.0),
        "own_score": own,
        "distance": distance(at),
        "beta": None if share is None else share * distance(at),
    }


def summarise(asked: Asked, rows: Sequence[Row], bench: Bench) -> dict[str, Any]:
    """Every corner, and what none has."""
    shapes, failing = listed(asked, bench)
    known = {row["sample"]: row for row in rows}
    spots = [(k, Spot(name=one.name, about=one.about)) for k, one in enumerate(CORNERS)]
    corners: list[dict[str, Any]] = []
    for number, spot in [*spots, *worst_spots(asked, bench)]:
        row = known.get(number)
        if row is None:
            continue
        entry = {"name": spot.name, "about": spot.about, "kind": spot.kind}
        entry |= {key: row[key] for key in ("sample", "temp_c", "status", "reason")}
        if row["status"] == "ok":
            entry |= {key: row[key] for key in FIGURES if key in row}
            entry |= {key: row[key] for key in ("score", "own_score", "distance", "beta")}
            entry["build"] = f"{FOLDER}/{spot.name}.build"
        corners.append(entry)
    return {
        "corners": corners,
        "left_out": [*_left_out(shapes, failing), *slopes_without(asked, bench)],
        "event": asked.event.document(),
    }


def _left_out(shapes: Mapping[Key, tuple[int, ...]], failing: bool) -> list[str]:
    """What no corner has, sentences."""
    told: list[str] = []
    for group in sorted(GROUPS.keys() - drawn_groups(shapes)):
        names = [one.name for one in CORNERS if group in one.signs]
        by = GROUPS[group][0].drawn_by
        told.append(f"no {', '.join(names)}: {group} are not drawn ({by})")
    if left := without_corner(shapes):
        told.append(
            f"{', '.join(left)}: some of what is drawn is in no classical corner, and in the "
            "middle there"
        )
    if failing:
        told.append("no part fails in a corner: faults have no direction")
    return told


def keep(judge: str, bench: Bench, points: Sequence[Point], rows: Sequence[Row], run: Path) -> None:
    """Write every corner that could be simulated as a folder of decks."""
    good = {row["key"] for row in rows if row["status"] == "ok"}
    count = parse_share(judge).images or KEPT_IMAGES
    for point in points:
        if point.key in good:
            close = not why_no_verdict(point.hardware)
            logits = bench.logits(point)
            at = choose_images(logits, count, bench.seed, point.sample, close=close)
            folder = run / FOLDER / f"{point.own.name}.build"
            keep_chip(folder, bench, point, point.own.name, point.own.about, at)
