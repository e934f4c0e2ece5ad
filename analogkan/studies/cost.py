"""What points of a study cost: parts measured while they are run, and what they foretell."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..schema import Rule
from ..text import duration, many
from .result import Row

if TYPE_CHECKING:
    from .executor import Executor
    from .points import Point

MANY = 100_000
"""Points from which on what they cost is said, and asked about, before they are run."""
TRIAL_S, TRIAL_POINTS = 3.0, 200
"""How long points are tried for a forecast at least, seconds, and how many at most."""
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
        self._thread_s = self._busy_s = self._draw_s = self._keep_s = self._bytes = 0.0
        self._since: float | None = None

    def begin(self) -> None:
        """Points are begun; their threads are not ready yet."""
        self._since = None

    def add(self, rows: Sequence[Row], keep_s: float, threads: int) -> None:
        """``rows`` are finished, were kept in ``keep_s`` seconds, and so many threads go on."""
        now = time.perf_counter()
        if self._since is not None:  # what was before the first group is made but once
            self._thread_s += threads * (now - self._since)
            self._timed += len(rows)
        self._since = now
        self._points += len(rows)
        self._keep_s += keep_s
        for row in rows:
            self._busy_s += row.get("seconds", 0.0)
            self._draw_s += row.get("draw_seconds", 0.0)
        self._bytes += len(rows) * ROOM * (LINE + len(json.dumps(rows[0])))

    def cost(self) -> Cost | None:
        """What was measured; None before two groups were finished."""
        if not self._timed:
            return None
        n = self._points
        return Cost(
            points=n, thread_s=self._thread_s / self._timed, busy_s=self._busy_s / n,
            draw_s=self._draw_s / n, keep_s=self._keep_s / n, row_bytes=self._bytes / n,
        )  # fmt: skip


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
        """All of it, without a verb at its end."""
        tasks = f", {self.tasks:,} tasks" if self.tasks else ""
        c = self.cost
        return (
            f"{many(self.count, 'circuit')}: about {duration(self.seconds)} with "
            f"{many(self.threads, 'thread')} ({1e3 * c.busy_s:.3g} ms each, {1e3 * c.draw_s:.3g} of "
            f"them drawing, {1e3 * c.keep_s:.2g} to keep a row, as {c.points} of them took)"
            f"{tasks}, {self.megabytes:,.0f} MB in the RUN's store"
        )


def foretell(
    points: Sequence[Point],
    count: int,
    evaluate: Callable[[Point], Row],
    columns: Mapping[str, Rule],
    executor: Executor,
) -> Forecast:
    """Try some of the ``points``, which are evaluated and kept as all will be, but elsewhere, and
    forecast ``count`` of them."""
    from .running import run_points
    from .store import StudyStore

    def tried(some: int) -> Cost | None:
        meter = Meter()
        with (
            tempfile.TemporaryDirectory() as folder,
            StudyStore(Path(folder) / "run", {}, columns) as store,
        ):
            run_points(points[:some], evaluate, store, executor, meter=meter)
        return meter.cost()

    few = min(len(points), 4 * executor.threads)
    tried(few)  # every worker is ready now
    cost = tried(few)
    assert cost is not None
    wanted = math.ceil(TRIAL_S / cost.seconds(1, executor.threads))
    if few < (some := min(wanted, TRIAL_POINTS, len(points))):
        cost = tried(some)
        assert cost is not None
    threads = executor.threads
    tasks = 0 if executor.facts is None else tasks_of(count, threads, cost.busy_s)
    return Forecast(count=count, threads=threads, tasks=tasks, cost=cost)


TASK_S = 0.25
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
