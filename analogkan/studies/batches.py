# pyright: strict
"""Many chips as one point of a study, of which scores alone are kept; and estimators as studies."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..coordinates import Mix
from ..errors import DisagreementError, SimulationError
from ..rare import Asking, Estimate, Scored
from ..schema import Maybe, Number, Rule, Several, Text
from ..streams import Source
from .result import Row
from .scores import Event

if TYPE_CHECKING:
    from .bench import Bench
    from .points import Point

CHIPS = 100
"""Of a point."""
KEPT = 32
"""Chips that are remembered because they are nearest to failing, or to not."""
COLUMNS: dict[str, Rule] = {
    **dict.fromkeys(("scores", "reached"), Several(Maybe(Number()), most=CHIPS)),
    "reasons": Several(Text(), most=CHIPS),
    "figure": Text(("accuracy", "rmse")),
}
"""Of a point's row: None of a chip that could not be simulated, and the reasons; and what
``reached`` are. Beside it, ``clipped``: parts of all its chips that were cut off at a limit."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Chips of one point, and what they may fail."""

    chips: Sequence[Source]
    event: Event

    @cached_property
    def _told(self) -> dict[str, Any]:
        chips = json.dumps([one.document() for one in self.chips], sort_keys=True)
        digest = hashlib.sha256(chips.encode()).hexdigest()[:32]
        return {"chips": digest, "event": self.event.document()}

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return self._told


def chip_point(point: Point, source: Source) -> Point:
    """The chip of ``source`` alone, of the settings of ``point``."""
    sample = source.parts[-1][0] if isinstance(source, Mix) else 0
    return replace(point, own=None, sample=sample, source=source)


def evaluate(bench: Bench, point: Point) -> Row:
    """The scores of a batch; a chip that cannot be simulated has none."""
    started = time.perf_counter()
    batch: Batch = point.own
    scores: list[float | None] = []
    reached: list[float | None] = []
    reasons: list[str] = []
    clipped = 0
    for source in batch.chips:
        try:
            read = bench.answers(chip_point(point, source))
            score, found = batch.event.score(bench.spec, bench.labels, read.logits)
            clipped += sum(n for name, n in read.counts.items() if name.startswith("clipped"))
        except DisagreementError:  # that is no chip
            raise
        except SimulationError as error:
            score, found = None, None
            reasons.append(str(error))
        scores.append(score)
        reached.append(found)
    row = bench.begun(point) | {"scores": scores, "reached": reached, "reasons": reasons}
    row |= {"figure": "rmse" if batch.event.rank is None else "accuracy", "clipped": clipped}
    return row | {"seconds": time.perf_counter() - started}


def spread_out(rows: Sequence[Row]) -> list[Row]:
    """A row a chip; chips are numbered in the order in which they were asked for."""
    return [chip for row in sorted(rows, key=lambda row: row["sample"]) for chip in _chips(row)]


def _chips(row: Row) -> list[Row]:
    reasons, found = iter(row["reasons"]), list[Row]()
    for k, (score, reached) in enumerate(zip(row["scores"], row["reached"], strict=True)):
        why = {"status": "ok", "reason": ""}
        if score is None:
            why = {"status": "failed", "reason": next(reasons)}
        told = {"key": f"{row['key']}/{k}", "sample": CHIPS * row["sample"] + k, **why}
        found.append(told | {"temp_c": row["temp_c"], "score": score, row["figure"]: reached})
    return found


@dataclass
class Progress:
    """What came of an estimator so far.

    Attributes
    ----------
    estimate
        At its end.
    nearest
        Scores and chips, those that fail first, the nearest to failing or not failing foremost.
    asked, failed
        Chips, and those that could not be simulated.
    clipped
        Parts of a chip, of the batch that had most, that were cut off at a limit.
    """

    estimate: Estimate | None = None
    nearest: list[tuple[float, Source]] = field(default_factory=list[tuple[float, Source]])
    asked: int = 0
    failed: int = 0
    clipped: float = 0.0

    def see(self, chips: Sequence[Source], row: Row) -> None:
        """Take note of a batch."""
        scores: list[float | None] = row["scores"]
        self.clipped = max(self.clipped, row.get("clipped", 0) / len(chips))
        self.asked += len(chips)
        self.failed += sum(score is None for score in scores)
        seen = [(score, one) for score, one in zip(scores, chips, strict=True) if score is not None]
        order = sorted((*self.nearest, *seen), key=lambda one: (one[0] >= 0, abs(one[0])))
        self.nearest = order[:KEPT]


def points_of(
    asking: Asking, template: Point, event: Event, progress: Progress
) -> Generator[Sequence[Point], list[Row], None]:
    """The points that ``asking`` leads to, ``CHIPS`` of its chips each; see ``Plan.explore``."""
    chips, batches = next(asking), 0
    while True:
        some = [chips[k : k + CHIPS] for k in range(0, len(chips), CHIPS)]
        points = [
            replace(template, sample=batches + k, own=Batch(batch, event))
            for k, batch in enumerate(some)
        ]
        batches += len(points)
        rows = yield points
        for batch, row in zip(some, rows, strict=True):
            progress.see(batch, row)
        try:
            chips = asking.send(
                Scored(_joined(rows, "scores", -math.inf), _joined(rows, "reached", math.nan))
            )
        except StopIteration as end:
            progress.estimate = cast(Estimate, end.value)
            return


def _joined(rows: Sequence[Row], name: str, missing: float) -> Any:
    values = [missing if v is None else v for row in rows for v in row[name]]
    return np.array(values, float)
