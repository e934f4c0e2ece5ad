# pyright: strict
"""How a plan is made: what is evaluated, what follows of it, and what is told of it in the end."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..errors import SettingsError, StudyError
from ..files import write_text
from ..network.measures import span_of
from ..network.spec import NetworkSpec
from ..physics import Assumptions
from ..planner.levers import Space, changed, value_of
from ..planner.limits import LOSS, misses
from ..planner.search import Ask, Candidate, Goal, Tried, explore, front, goals_of, survivors
from .bench import Bench
from .plan_result import FIGURES, PRESET
from .points import Point
from .result import Row
from .trial import Trial, said

FEWEST, SHARE_OF_CHIPS = 4, 4
"""While candidates are searched: chips at least, or one of so many of the samples."""
MORE = 3
"""Times as many images settle of what is reported."""
MARGIN_QUANTILE = 0.05
"""Of images: the margin that is needed is that of the one in twenty that has the least."""
MOST_BITS = 16
REACHED = ("accuracy_mean", "rmse_mean")
"""Of chips, one or the other."""
Asking = Generator[Sequence[Point], list[Row], Any]


@dataclass(eq=False, kw_only=True)
class Planning:
    """A plan that is being made.

    Attributes
    ----------
    space, goal
        What may be moved, and what is made least within which limits.
    point
        The circuit as it is.
    bits
        To which outputs settle, in candidates.
    tries, few, samples
        Candidates; images of each that settle; and chips of each that is reported.
    passing
        Accuracy or RMSE of a good chip; 0: none is counted.
    judged
        Images of what is reported that ngspice repeats.
    found
        What result.json says of it in the end.
    """

    space: Space
    goal: Goal
    point: Point
    bits: int
    tries: int
    few: int
    samples: int
    passing: float
    judged: int
    found: dict[str, Any] = field(default_factory=dict[str, Any])
    _reached: dict[bool, float] = field(default_factory=dict[bool, float])
    _reasons: list[str] = field(default_factory=list[str])

    def trial(self, assumed: Assumptions, *, full: bool) -> Trial:
        """How closely a circuit is looked at: as in a search, or in ``full``."""
        chips = min(self.samples, max(FEWEST, self.samples // SHARE_OF_CHIPS))
        return Trial(
            assumed=assumed, chips=self.samples if full else chips,
            few=MORE * self.few if full else self.few, judged=0, passing=self.passing,
        )  # fmt: skip

    def settings(self, values: Mapping[str, Any]) -> tuple[Hardware, Assumptions]:
        """Of the candidate of ``values``, whose outputs stop at the supplies."""
        hardware, assumed = changed(self.space.base, values)
        railed = hardware.amplifier.railed or hardware.opamp
        return replace(hardware, opamp=railed), replace(assumed, bits=self.bits)

    def at(self, values: Mapping[str, Any], *, full: bool) -> Point:
        """The candidate of ``values`` as a point."""
        hardware, assumed = self.settings(values)
        return replace(self.point, hardware=hardware, own=self.trial(assumed, full=full))

    def judge(self, points: Sequence[Point]) -> list[Point]:
        """The same points, which ngspice repeats."""
        return [replace(one, own=replace(one.own, judged=self.judged)) for one in points]

    def first(self) -> list[Point]:
        """The circuit as it is, in full, as in a search, and with the bits of candidates."""
        assumed = self.space.base[1]
        trials = (
            *(self.trial(assumed, full=full) for full in (True, False)),
            self.trial(replace(assumed, bits=self.bits), full=True),
        )
        points = [replace(self.point, own=trial) for trial in trials]
        points[::2] = self.judge(points[::2])
        return points

    def explore(self, bench: Bench) -> Asking:
        """All points: what there is, what is searched, what survives, what each lever brings.

        Raises
        ------
        StudyError
            If nothing keeps the limits, or what is reported cannot be simulated.
        """
        rows = yield self.first()
        for row in rows:
            _require(row, "the circuit as it is")
        self._reached = {True: reached(rows[0]), False: reached(rows[1])}
        self.found |= {"as_it_is": self._brief(rows[0]), "criterion": self._brief(rows[2])}
        search = explore(self.space, self.goal, self.tries, bench.seed)
        tried: list[Tried] = yield from self._asking(search, full=False)
        self.found |= {"tried": list(self._told(tried)), "candidates": len(tried)}
        seen: list[list[Tried]]
        seen = yield from self._asking(survivors(tried, self.goal), full=True)
        best = seen[0][0]
        if not self.goal.kept(best.figures):
            raise StudyError(self._nothing_meets([*seen[0], *tried]))
        yield from self._report(best.candidate, seen)

    def _asking(self, asking: Ask, *, full: bool) -> Asking:
        """Ask for the candidates of a generator as points, and send them back; what it returns."""
        try:
            batch = next(asking)
            while True:
                rows = yield from self._rows([one.values for one in batch], full=full)
                tried = [
                    Tried(candidate=one, figures=self.figures(row, full=full))
                    for one, row in zip(batch, rows, strict=True)
                ]
                batch = asking.send(tried)
        except StopIteration as end:
            return end.value

    def _rows(
        self, asked: Sequence[Mapping[str, Any]], *, full: bool, judged: bool = False
    ) -> Generator[Sequence[Point], list[Row], list[Row]]:
        """The rows of candidates of settings; of settings that contradict each other, why."""
        points: list[Point | None] = []
        refused: list[Row] = []
        for values in asked:
            try:
                points.append(self.at(values, full=full))
            except SettingsError as error:
                points.append(None)
                refused.append({"status": "failed", "reason": str(error)})
        made = [point for point in points if point is not None]
        rows = iter((yield self.judge(made) if judged else made))
        others = iter(refused)
        told = [next(others) if point is None else next(rows) for point in points]
        self._reasons += [row["reason"] for row in told if row["status"] != "ok"]
        return told

    def figures(self, row: Row, *, full: bool) -> Row | None:
        """A row with what its chips lost to those of the circuit as it is; None: it failed."""
        if row["status"] != "ok":
            return None
        sign = 1 if row[REACHED[0]] is not None else -1
        return row | {LOSS: sign * (self._reached[full] - reached(row))}

    def _report(self, best: Candidate, seen: Sequence[Sequence[Tried]]) -> Asking:
        """One lever after the other, up to ``best``, and what is best for other limits."""
        moved = [
            lever.name
            for lever in self.space.levers
            if best.values[lever.name] != value_of(self.space.base, lever.name)
        ]
        steps = [{name: best.values[name] for name in moved[: k + 1]} for k in range(len(moved))]
        rows = yield from self._rows(steps or [{}], full=True, judged=True)
        _require(rows[-1], "the circuit that was chosen")
        self.found["steps"] = [
            {"lever": name, "value": best.values[name], **self._brief(row)}
            for name, row in zip(moved, rows, strict=False)  # a row and no lever: nothing is moved
        ]
        self.found |= {"values": dict(best.values), "chosen": self._brief(rows[-1])}
        kept = [
            one
            for goal, found in zip(goals_of(self.goal), seen, strict=True)
            for one in found[:1]
            if goal.kept(one.figures)
        ]
        ends = front(kept, self.goal.objective)
        rows = yield from self._rows([one.candidate.values for one in ends], full=True, judged=True)
        self.found["front"] = [
            {"set": said(one.candidate.values), **self._brief(row)}
            for one, row in zip(ends, rows, strict=True)
        ]

    def _brief(self, row: Row) -> dict[str, Any]:
        """What a result says of a row."""
        figures = self.figures(row, full=True)
        if figures is None:
            return {"status": "failed", "reason": row["reason"]}
        return {"status": "ok", **{name: figures.get(name) for name in (*FIGURES, LOSS)}}

    def _told(self, tried: Sequence[Tried]) -> Iterator[list[float]]:
        """Of each candidate that was made: what was lost, the objective, whether it keeps all."""
        for one in tried:
            if one.figures is not None:
                f = one.figures
                yield [f[LOSS], f[self.goal.objective], float(self.goal.kept(f))]

    def _nothing_meets(self, every: Sequence[Tried]) -> str:
        missing = [one for one in every if not self.goal.kept(one.figures)]  # some did on a share
        nearest = min(missing, key=lambda one: self.goal.score(one.figures))
        asked = ", ".join(limit.said() for limit in self.goal.limits)
        if nearest.figures is None:
            return (
                f"none of {len(every)} candidates could be made or simulated. Of the last: "
                f"{self._reasons[-1]}"
            )
        missed = misses(self.goal.limits, nearest.figures)
        told = [
            limit.said(nearest.figures[limit.name])
            for limit in self.goal.limits
            if limit.name in missed
        ]
        return (
            f"nothing of {len(every)} candidates keeps to {asked}. The nearest has "
            f"{', '.join(told)}, which is what binds, at {said(nearest.candidate.values)}: allow "
            "more of it, free a lever with --free, or look at more with --tries"
        )

    def keep(self, run: Path, rows: list[Row]) -> list[Row]:
        """Write the chosen settings as a preset into ``run``; the ``rows`` as they are."""
        hardware, assumed = self.settings(self.found["values"])
        before = self.space.base[0]
        tables = {
            "hardware": _differing(hardware, before),
            "variation": _differing(self.point.variation),
            "conditions": _differing(self.point.conditions),
            "assumptions": _differing(assumed),
        }
        write_text(run / PRESET, format_preset(tables))
        return rows


def reached(row: Row) -> float:
    """Mean accuracy of chips, or RMSE."""
    return float(next(row[name] for name in REACHED if row[name] is not None))


def _require(row: Row, what: str) -> None:
    if row["status"] != "ok":
        raise StudyError(f"{what} cannot be simulated: {row['reason']}")


def _differing(settings: Any, before: Any = None) -> dict[str, Any]:
    """What of ``settings`` is not as by default, or was not ``before``."""
    default = type(settings)()
    names = [one.name for one in fields(settings)]
    return {
        name: getattr(settings, name)
        for name in names
        if any(
            getattr(one or default, name) != getattr(default, name) for one in (settings, before)
        )
    }


def format_preset(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """A preset's TOML."""
    import json

    parts = ["# Chosen by `analogkan plan`; compile and studies take it as --preset.\n"]
    for table, values in tables.items():
        if values:
            lines = [f"{name} = {json.dumps(value)}\n" for name, value in values.items()]
            parts.append(f"[{table}]\n{''.join(lines)}")
    return "\n".join(parts)


def needed_bits(spec: NetworkSpec, images: ImageSet, loss: float) -> tuple[int, str]:
    """Bits to which outputs settle if half of what is needed is kept, and what that is: of classes
    the margin of one image in twenty, of a regression the ``loss``, in its unit."""
    if spec.targets is not None:
        share = loss / span_of(spec.targets)
        bits = math.ceil(math.log2(1 / share)) if share > 0 else MOST_BITS
        return min(MOST_BITS, max(1, bits)), "half of what may be lost"
    logits = spec.logits(images.flat(spec.encoding.shape))
    two = np.sort(logits, axis=1)[:, -2:]
    margin = float(np.quantile(two[:, 1] - two[:, 0], MARGIN_QUANTILE))
    scale = float(np.abs(logits).max())
    bits = math.ceil(math.log2(scale / margin)) if margin > 0 else MOST_BITS
    said = f"half the margin of one image in twenty, {margin:.3g} of {scale:.3g} logits,"
    return min(MOST_BITS, max(1, bits)), said
