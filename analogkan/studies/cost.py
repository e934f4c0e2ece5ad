"""What points of a study cost: parts measured while they are run, and what they foretell."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..text import duration, many
from .result import Row

if TYPE_CHECKING:
    from .executor import Executor
    from .points import Point

MANY = 100_000
"""Points from which on what they cost is said, and asked about, before they are run."""
TRIAL_S, TRIAL_POINTS = 10.0, 20_000
"""How long points are tried for a forecast, seconds, and how many at most."""
LINE, ROOM = 150, 1.2
"""Bytes of a row's line in the store beside its texts, and how much more than its lines SQLite's
pages take: measured, ``tests/test_cost.py``."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a point took, in the mean of ``points``.

    Attributes
    ----------
    points
        How many were measured.
    thread_s
        Seconds of a thread that works on them, what it waits for between two points included.
    busy_s
        Of these, drawing and evaluating.
    draw_s
        Of these, drawing.
    keep_s
        Seconds that the process which keeps the rows takes for one.
    row_bytes
        Of a row in the store.
    """

    points: int
    thread_s: float
    busy_s: float
    draw_s: float
    keep_s: float
    row_bytes: float

    def seconds(self, count: int, threads: int) -> float:
        """How long ``count`` points take with so many threads: they or their keeper decide."""
        return count * max(self.thread_s / max(threads, 1), self.keep_s)


class Meter:
    """Measures what points take, from group to group of those that are finished together.

    Threads may come and go: what counts is how long each was there.
    """

    def __init__(self) -> None:
        self._points = self._timed = 0
        self._thread_s = self._first_s = self._busy_s = self._draw_s = self._keep_s = 0.0
        self._bytes = 0.0
        self.begin()

    def begin(self) -> None:
        """Points are begun, by threads that are not ready yet."""
        self._since, self._ready = time.perf_counter(), False

    def add(self, rows: Sequence[Row], keep_s: float, threads: int) -> None:
        """``rows`` are finished, were kept in ``keep_s`` seconds, and ``threads`` go on."""
        now = time.perf_counter()
        spent = threads * (now - self._since)
        if self._ready:
            self._thread_s, self._timed = self._thread_s + spent, self._timed + len(rows)
        else:
            self._first_s += spent
        self._since, self._ready = now, True
        self._points += len(rows)
        self._keep_s += keep_s
        for row in rows:
            self._busy_s += row.get("seconds", 0.0)
            self._draw_s += row.get("draw_seconds", 0.0)
        self._bytes += len(rows) * ROOM * (LINE + len(json.dumps(rows[0])))

    def cost(self) -> Cost | None:
        """What points took, but for the first group, if there is another; None of no points."""
        n = self._points
        if not n:
            return None
        each = self._thread_s / self._timed if self._timed else self._first_s / n
        return Cost(
            points=n, thread_s=each, busy_s=self._busy_s / n, draw_s=self._draw_s / n,
            keep_s=self._keep_s / n, row_bytes=self._bytes / n,
        )  # fmt: skip

    def facts(self) -> dict[str, float] | None:
        """``cost`` as a result keeps it."""
        cost = self.cost()
        return cost and asdict(cost)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What ``count`` points will take, as ``cost`` was measured, with ``threads`` of workers.

    Attributes
    ----------
    tasks
        In how many parts a cluster's workers get them; 0: in none, they are threads here.
    """

    count: int
    threads: int
    tasks: int
    cost: Cost

    @property
    def seconds(self) -> float:
        """Wall time."""
        return self.cost.seconds(self.count, self.threads)

    @property
    def megabytes(self) -> float:
        """Of the store."""
        return self.count * self.cost.row_bytes / 1e6

    def told(self) -> str:
        """All of it, in words."""
        c, threads = self.cost, many(self.threads, "thread")
        circuits = f"{many(self.count, 'circuit')}: about {duration(self.seconds)} with {threads}"
        return (
            f"{circuits} ({1e3 * c.busy_s:.3g} ms each, {1e3 * c.draw_s:.3g} of them drawing, and "
            f"{1e3 * c.keep_s:.2g} to keep one, as {c.points:,} of them took)"
            + (f", {self.tasks:,} tasks" if self.tasks else "")
            + f", {self.megabytes:,.0f} MB in the RUN"
        )


def foretell(
    points: Sequence[Point],
    count: int,
    evaluate: Callable[[Point], Row],
    executor: Executor,
) -> Forecast:
    """Try some of the ``points``, more than a few, and forecast ``count`` of them.

    They are evaluated as all will be, by the same ``executor``, and kept in a store that is not the
    RUN's. Every thread is ready before one is timed.
    """
    import tempfile

    from .running import keep_points
    from .store import StudyStore

    def tried(some: int) -> Cost:
        meter = Meter()
        with (
            tempfile.TemporaryDirectory() as folder,
            StudyStore(Path(folder) / "run", {}) as store,
        ):
            keep_points(points[:some], evaluate, store, executor, meter=meter)
        cost = meter.cost()
        assert cost is not None
        return cost

    threads = executor.threads
    tried(4 * threads)
    few = tried(4 * threads)
    some = min(math.ceil(TRIAL_S / few.seconds(1, threads)), TRIAL_POINTS)
    cost = tried(some) if some > 4 * threads else few
    tasks = 0 if executor.facts is None else tasks_of(count, threads, cost.busy_s)
    return Forecast(count=count, threads=threads, tasks=tasks, cost=cost)


TASK_S = 0.5
"""Seconds of work that a task has at least, where there are points enough: what is lost with a
worker, and what all wait for at the end."""
SCHEDULER_S = 2e-3
"""Seconds of a scheduler a task: measured, ``python -m benchmarks cluster``."""
MOST_TOGETHER = 256
"""Points of a task, at most."""


def task_size(left: int, threads: int, seconds: float) -> int:
    """How many of the points that are ``left`` go into the next task, if each takes so many
    ``seconds`` of one of the ``threads``; of 0, which is not known yet, one.

    So many that the scheduler is busy half of the time at most, and fewer towards the end, where
    threads would wait for the last of them.
    """
    work = max(TASK_S, 2 * SCHEDULER_S * threads)
    fit = work / seconds if seconds else 1.0
    return max(1, min(int(fit), MOST_TOGETHER, left // (4 * max(threads, 1))))


def tasks_of(count: int, threads: int, seconds: float) -> int:
    """In how many tasks ``count`` points go out."""
    tasks = 0
    while count:
        count -= task_size(count, threads, seconds)
        tasks += 1
    return tasks
