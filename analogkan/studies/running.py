"""Running the points of a study: those that its store lacks, each kept as it is finished."""

from __future__ import annotations

import contextlib
import time
from array import array
from collections.abc import Callable, Iterator, Sequence

from .cost import MANY, Forecast, Meter, foretell
from .executor import Executor
from .points import Point, keys_of
from .result import Row
from .store import StudyStore


def keep_points(
    points: Sequence[Point],
    evaluate: Callable[[Point], Row],
    store: StudyStore,
    executor: Executor,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    meter: Meter | None = None,
) -> None:
    """Evaluate the points that ``store`` lacks, and those that failed.

    Rows are written by the calling thread alone, as they are finished. An interrupt leaves them
    in the store. A ``meter`` measures what they take.
    """
    finished, meter = store.finished(points), meter or Meter()
    missing = array("L", (k for k, key in enumerate(keys_of(points)) if key not in finished))
    done = len(points) - len(missing)
    del finished  # of a million points, more than all else here
    on_progress(done, len(points))
    meter.begin()
    since = time.perf_counter()
    for found in executor.run(evaluate, (points[k] for k in missing), len(missing)):
        now = time.perf_counter()
        store.add(found, now - since)
        since = now
        meter.add([row for _, row in found], time.perf_counter() - now, executor.threads)
        done += len(found)
        on_progress(done, len(points))


@contextlib.contextmanager
def approved(
    store_of: Callable[[], StudyStore],
    points: Sequence[Point],
    evaluate: Callable[[Point], Row],
    executor: Executor,
    approve: Callable[[Forecast], None] | None,
) -> Iterator[StudyStore]:
    """The RUN's store; before it, ``approve`` is asked about very many points that it lacks."""
    left = len(points)
    if approve is not None and left > MANY:
        if store_of().file.is_file():
            with store_of() as store:
                left -= len(store.finished(points))
        if left > MANY:
            approve(foretell(points, left, evaluate, executor))
    with store_of() as store:
        yield store
