"""The one loop of every study: points in, rows out, finished ones never run twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .executor import Executor
from .points import Point
from .store import Row, StudyStore


def run_study(
    points: Sequence[Point],
    evaluate: Callable[[Point], Row],
    store: StudyStore,
    executor: Executor,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Row]:
    """Evaluate the points that ``store`` lacks, and those that failed; the rows of all.

    Rows are written by the calling thread alone, each as it is finished. An interrupt leaves them
    in the store.

    Parameters
    ----------
    points
        What to simulate.
    evaluate
        The row of a point; called by the executor's workers.
    store
        Open, with the settings that all points share.
    executor
        Who calls ``evaluate``.
    on_progress
        Called with points done and points in all.
    """
    finished = store.finished()
    missing = [point for point in points if point.key not in finished]
    done = len(points) - len(missing)
    on_progress(done, len(points))
    since = time.perf_counter()
    for point, row in executor.run(evaluate, missing):
        now = time.perf_counter()
        store.add(point, row, now - since)
        since = now
        done += 1
        on_progress(done, len(points))
    return store.rows(points)
