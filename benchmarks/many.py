"""A million chips on a Dask cluster of this machine: planned, and 1,000 tasks of it run, with two
workers killed on the way; what was foretold, and what it took.

``python -m benchmarks many``: minutes. Ends with an error unless every row is there once and is the
row that this process has of the same chip, and the forecast is within ``ALLOWED``.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import analogkan as ak
from analogkan import load_bundled, resources
from analogkan.engines.chip_engines import TwinEngine
from analogkan.imperfections import load_settings
from analogkan.studies.bench import Bench
from analogkan.studies.cluster import DaskExecutor
from analogkan.studies.cost import Forecast, Meter, foretell, tasks_of
from analogkan.studies.points import Point, Points, keys_of, montecarlo_points
from analogkan.studies.running import keep_points
from analogkan.studies.store import TIMES, StudyStore
from analogkan.text import duration

from .cluster import cluster_of

PLANNED, TASKS, WORKERS, IMAGES = 1_000_000, 1_000, 2, 50
KILLED_AT = (0.25, 0.6)
"""Of the chips: when a worker is killed."""
CHECKED = 50
"""Chips that this process evaluates again."""
ALLOWED = 0.2


def main() -> None:
    hardware, variation, conditions = load_settings("rram")
    with tempfile.TemporaryDirectory() as folder, cluster_of(WORKERS) as cluster:
        build = ak.compile(resources.path("models/mnist-d2.pt"), Path(folder) / "d2.build")
        bench = Bench(build, load_bundled()[:IMAGES], TwinEngine())
        tracemalloc.start()
        began = time.perf_counter()
        points = montecarlo_points(hardware, variation, conditions, PLANNED)
        keys = sum(1 for _ in keys_of(points))
        planned, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"{keys:,} points named in {planned:.1f} s and {peak / 1e6:.2f} MB")
        executor = DaskExecutor(cluster.scheduler_address, "twin")
        whole = foretell(points, PLANNED, bench.evaluate, executor)
        print(f"of {IMAGES} images: {whole.told()}; {_load()}")
        each = round(PLANNED / whole.tasks)
        run(points, TASKS * each, bench, cluster, executor, whole, Path(folder) / "run")
        executor.close()


def run(
    points: Points, count: int, bench: Bench, cluster: Any, executor: DaskExecutor,
    whole: Forecast, folder: Path,
) -> None:  # fmt: skip
    """Run the first ``count`` points as foretold, kill workers, and compare."""
    some = Points((point, numbers[:count]) for point, numbers in points.series)
    foretold = whole.cost.seconds(count, WORKERS)
    tasks = tasks_of(count, WORKERS, whole.cost.busy_s)
    print(f"the first {count:,} of them, {tasks:,} tasks: {foretold:.0f} s foretold")
    meter, kept, left = Meter(), Counter[str](), list(KILLED_AT)
    later: dict[str, float] = {}
    assert executor.facts is not None
    before, began = executor.facts["tasks"], time.perf_counter()

    class Listed(StudyStore):
        def add(self, found: Any, spent: float) -> None:
            kept.update(row["key"] for _, row in found)
            super().add(found, spent)

    def on_progress(done: int, total: int) -> None:
        spent, cost = time.perf_counter() - began, meter.cost()
        if cost is not None and done >= 0.1 * total:
            later.setdefault("a tenth", spent + cost.seconds(total - done, WORKERS))
        if cost is not None and done >= 0.5 * total:
            later.setdefault("half", spent + cost.seconds(total - done, WORKERS))
        if left and done >= left[0] * total:
            left.pop(0)
            with cluster.get_client() as client:
                pid = next(iter(client.run(os.getpid).values()))
            os.kill(pid, signal.SIGKILL)
            print(
                f"after {done:,} chips, {spent:.0f} s: worker {len(KILLED_AT) - len(left)} killed"
            )

    with Listed(folder, {"chips": count}) as store:
        keep_points(some, bench.evaluate, store, executor, on_progress, meter)
        took = time.perf_counter() - began
        rows = {row["sample"]: row for row in store.rows(some)}
        size = store.file.stat().st_size
    print(f"{executor.facts['tasks'] - before:,} tasks were given out")
    _report(took, foretold, later, whole, meter)
    print(f"store: {size / 1e6:.1f} MB, {count * whole.cost.row_bytes / 1e6:.1f} foretold")
    if kept != Counter(keys_of(some)) or len(rows) != count:
        raise SystemExit(f"{count} chips, {len(rows)} rows, {max(kept.values())} times at most")
    _compare(some, rows, bench)
    print(f"every row there once; {CHECKED} of them evaluated here again: equal to the last digit")
    if abs(took / foretold - 1) > ALLOWED:
        raise SystemExit(f"the forecast is off by more than {ALLOWED:.0%}")


def _load() -> str:
    """What else the machine does, by which times differ from those foretold."""
    return f"load {os.getloadavg()[0]:.1f}"


def _report(
    took: float, foretold: float, later: dict[str, float], whole: Forecast, meter: Meter
) -> None:
    cost = meter.cost()
    assert cost is not None
    print(
        f"took {took:.0f} s; {_load()}: {took / foretold:.2f} of what was foretold before", end=""
    )
    for when, said in later.items():
        print(f", {took / said:.2f} of what was after {when}", end="")
    print(f"\na chip took {1e3 * cost.busy_s:.1f} ms, {1e3 * cost.draw_s:.1f} of them drawing; to")
    print(f"keep one {1e3 * cost.keep_s:.2f}; threads worked {cost.busy_s / cost.thread_s:.0%} of")
    again = cost.seconds(PLANNED, WORKERS)
    print(f"the time; the million: {duration(again)} ({duration(whole.seconds)} by the trial)")


def _compare(points: Points, rows: dict[int, Any], bench: Bench) -> None:
    chosen = np.random.default_rng(0).choice(len(points), CHECKED, replace=False)
    for point in map(points.__getitem__, map(int, chosen)):
        _equal(point, rows[point.sample or 0], bench)


def _equal(point: Point, row: Any, bench: Bench) -> None:
    here = {name: value for name, value in bench.evaluate(point).items() if name not in TIMES}
    if here != row:
        raise SystemExit(f"{point.label}: {row} there, {here} here")
