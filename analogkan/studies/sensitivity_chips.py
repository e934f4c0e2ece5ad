# pyright: strict
"""Chips by which causes are told apart: their rows, and what the rows say."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import DisagreementError, SimulationError
from .result import Row
from .scores import Event
from .sensitivity_causes import AHEAD, Cause, Part, Picked, said

if TYPE_CHECKING:
    from .bench import Bench
    from .points import Point

Floats = npt.NDArray[np.float64]
Group = frozenset[Part]
FIRST, SECOND = "A", "B"


@dataclass(frozen=True)
class Drawn:
    """What a chip may fail, and which of the chips it is."""

    event: Event
    kind: str

    def document(self) -> dict[str, Any]:
        """For JSON: the chip is told by its number and its source."""
        return self.event.document()


@dataclass(frozen=True, eq=False, kw_only=True)
class Chips:
    """The chips of a study of causes.

    Attributes
    ----------
    one
        Their settings.
    event
        What they may fail.
    groups
        Parts of what is drawn for them, that are taken together.
    samples
        Chips A, as many chips B, and of each group chips A that have it from B.
    """

    one: Point
    event: Event
    groups: Sequence[Group]
    samples: int

    @property
    def pairs(self) -> list[Point]:
        """Chips A, then B."""
        numbers = range(self.samples)
        return [self._chip(m, FIRST) for m in numbers] + [
            self._chip(AHEAD + m, SECOND) for m in numbers
        ]

    def points(self) -> list[Point]:
        """All but those without a cause."""
        return [*self.pairs, *(point for group in self.groups for point in self.picked(group))]

    def picked(self, group: Group) -> list[Point]:
        """Chips A that have ``group`` from B."""
        names = ", ".join(f"{said(part)} of layer {part.where}" for part in sorted(group))
        kind, source = f"A, {names} from B", Picked(group)
        return [replace(self._chip(m, kind), source=source) for m in range(self.samples)]

    def without(self, cause: Cause) -> list[Point]:
        """Chips A, then B, without a cause."""
        kind = f"without {', '.join(cause.settings)}"
        return [
            replace(p, variation=cause.variation, own=Drawn(self.event, f"{p.own.kind} {kind}"))
            for p in self.pairs
        ]

    def _chip(self, sample: int, kind: str) -> Point:
        return replace(self.one, sample=sample, own=Drawn(self.event, kind))

    def figures(self, rows: Sequence[Row], points: Sequence[Point]) -> Floats:
        """(2, M) scores and what is reached of ``points``; nan of those that failed."""
        known = {row["key"]: row for row in rows if row["status"] == "ok"}
        found = (known.get(point.key, {}) for point in points)
        return np.array([[row.get(k, np.nan) for k in ("score", "reached")] for row in found]).T


def evaluate(bench: Bench, point: Point) -> Row:
    """The score of a chip; one that cannot be simulated has none."""
    started = time.perf_counter()
    row, drawn = bench.begun(point), point.own
    try:
        score, reached = drawn.event.score(bench.spec, bench.labels, bench.read(point))
        row |= {"chip": drawn.kind, "score": score, "reached": reached}
    except DisagreementError:  # that is no chip
        raise
    except SimulationError as error:
        row |= {"status": "failed", "reason": str(error)}
    return row | {"seconds": time.perf_counter() - started}


def whole(figures: Mapping[Any, Floats]) -> tuple[dict[Any, Floats], int]:
    """The same (2, N), each, of the numbers of which no chip failed; and how many did."""
    good = np.isfinite(np.stack([*figures.values()])).all(axis=(0, 1))
    return {of: values[:, good] for of, values in figures.items()}, int((~good).sum())
