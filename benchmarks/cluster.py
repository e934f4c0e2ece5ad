"""A study on a Dask cluster of this machine: 1, 2 and 4 workers, its parts measured, and what they
predict for more.

The model: a study takes the bench to every worker (bytes over a network of assumed speed), each
worker makes it once, chips are shared out evenly, and the scheduler's time for a task, and the
client's for a row, are floors.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import analogkan as ak
from analogkan import load_bundled, resources
from analogkan.compiler.hardware import Hardware
from analogkan.engines.chip_engines import TwinEngine
from analogkan.imperfections import Conditions, Variation, load_settings
from analogkan.studies.bench import Bench
from analogkan.studies.cluster import DaskExecutor
from analogkan.studies.cost import Cost, Meter, task_size
from analogkan.studies.executor import Executor, LocalExecutor
from analogkan.studies.points import Points, montecarlo_points
from analogkan.studies.running import keep_points
from analogkan.studies.store import StudyStore

from .measure import Row, beside, not_run, rounds, row, seconds

TASKS, CHIPS, FEW = 1000, 10_000, 120
WORKERS = (16, 64, 256)
LOCAL = (1, 2, 4)
TOGETHER = 16
"""Rows of a transaction."""
BYTES_PER_SECOND = 1e9 / 8
"""Of the network between machines: 1 Gbit/s, assumed."""


@contextlib.contextmanager
def cluster_of(workers: int) -> Iterator[Any]:
    """Worker processes of one thread on loopback, which say nothing."""
    import distributed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


@contextlib.contextmanager
def bench_of(images: int) -> Iterator[tuple[Bench, Points]]:
    """mnist-d2 and chips of preset rram."""
    with tempfile.TemporaryDirectory() as folder:
        build = ak.compile(resources.path("models/mnist-d2.pt"), Path(folder) / "d2.build")
        bench = Bench(build, load_bundled()[:images], TwinEngine())
    yield bench, montecarlo_points(*load_settings("rram"), CHIPS)


def kept(points: Any, evaluate: Callable[..., Any], executor: Executor) -> Cost:
    """What ``points`` cost, kept in a store of their own."""
    meter = Meter()
    with (
        tempfile.TemporaryDirectory() as folder,
        StudyStore(Path(folder) / "run", {}) as store,
    ):
        keep_points(points, evaluate, store, executor, meter=meter)
    cost = meter.cost()
    assert cost is not None
    return cost


def main() -> None:
    with bench_of(1000) as (bench, points):
        body = pickle.dumps(bench.evaluate)
        began = time.perf_counter()
        evaluate = pickle.loads(body)
        evaluate(points[0])
        begin = time.perf_counter() - began
        cost = kept(points[:40], evaluate, LocalExecutor(1))
        # Of rows that come together, as from workers enough that keeping them matters.
        grouped = _in_groups(quick=False)
        assert "seconds" in grouped
        cost = replace(cost, keep_s=grouped["seconds"] / TOGETHER)
        task = _scheduler_s()
        busy, draw, keep = (1e3 * part for part in (cost.busy_s, cost.draw_s, cost.keep_s))
        print(f"a chip of {len(bench.labels):,} images takes {busy:.1f} ms, {draw:.1f} of them to")
        print(f"draw it; its row {keep:.2f} to keep; a worker's first {begin:.2f} s; a task")
        print(f"{1e3 * task:.2f} ms of the scheduler; {len(body) / 1e6:.1f} MB to each worker once")
        _predict(cost, begin, task, len(body))
        for one in _by_workers(bench, points, quick=False):
            print(f"{one['what']} against {one['against']}: {one['ratio']:.2f} ({one['note']})")


def _scheduler_s() -> float:
    """Seconds of a scheduler for a task that does nothing."""
    import distributed

    with cluster_of(2) as cluster, distributed.Client(cluster) as client:
        client.gather(client.map(_nothing, range(10), pure=False))
        began = time.perf_counter()
        client.gather(client.map(_nothing, range(TASKS), pure=False))
        return (time.perf_counter() - began) / TASKS


def _predict(cost: Cost, begin: float, task: float, body: int) -> None:
    print(
        f"{CHIPS:,} chips; assumed: a network of {BYTES_PER_SECOND * 8 / 1e9:g} Gbit/s, one thread "
        "a worker, chips alike:"
    )
    for workers in (1, *WORKERS):
        out = body * workers / BYTES_PER_SECOND
        together = task_size(CHIPS, workers, cost.busy_s)
        floors = {
            "the chips": cost.busy_s / workers,
            "the scheduler": task / together,
            "the client": cost.keep_s,
        }
        limit = max(floors, key=lambda name: floors[name])
        took = out + begin + CHIPS * floors[limit]
        print(f"  {workers:4} workers, {together:3} chips a task: {took:7.1f} s, bound by {limit}")


def measured(quick: bool = False) -> list[Row]:
    """What groups of rows save, and what more workers on these cores do."""
    found = [_in_groups(quick)]
    if quick:
        why = "a quick run has no time to start workers"
        return [*found, not_run("chips by 2 workers", "by 1", why)]
    with bench_of(1000) as (bench, points):
        return [*found, *_by_workers(bench, points, quick=quick)]


def _in_groups(quick: bool) -> Row:
    """Rows of a group in one transaction, against one each."""
    points = montecarlo_points(Hardware(), Variation(sigma_g=0.05), Conditions(), TOGETHER)
    rows = [(point, _row(point.key, point.sample)) for point in points]
    with (
        tempfile.TemporaryDirectory() as folder,
        StudyStore(Path(folder) / "run", {}) as store,
    ):
        return beside(
            f"{TOGETHER} rows kept in one transaction", f"in {TOGETHER}",
            lambda: store.add(rows, 0.0),
            lambda: [store.add([one], 0.0) for one in rows],
            quick=quick, note="SQLite, brought to the disk each time",
        )  # fmt: skip


def _row(key: str, sample: int | None) -> dict[str, Any]:
    """A row such as a chip of ten classes has."""
    found = {"key": key, "sample": sample, "temp_c": 26.85, "status": "ok", "reason": "", "n": 1000}
    found |= {"correct": 987, "accuracy": 0.987, "agreement": 0.991, "gain_mean": 2 / 3}
    found |= {"max_abs_logit_error": 1 / 3, "rms_logit_error": 1 / 7, "offset_mean": 1 / 9}
    return found | {name: [k / 7 for k in range(10)] for name in ("gain", "offset")}


def _by_workers(bench: Bench, points: Points, *, quick: bool) -> list[Row]:
    """Chips by more workers, against one; each cluster warm, and taking turns."""
    with contextlib.ExitStack() as stack:
        executors: dict[str, Executor] = {}
        for workers in LOCAL:
            cluster = stack.enter_context(cluster_of(workers))
            executor = DaskExecutor(cluster.scheduler_address, "twin")
            stack.callback(executor.close)
            executors[f"{workers} Dask workers"] = executor
        executors |= {f"{jobs} threads": LocalExecutor(jobs) for jobs in (1, 2)}
        took: dict[str, list[float]] = {name: [] for name in executors}
        for k in range(rounds(quick) + 1):  # the first makes benches
            for name, executor in executors.items():
                some = points[:FEW]
                spent = seconds(lambda e=executor, s=some: kept(s, bench.evaluate, e))
                if k:
                    took[name].append(spent)
    alone = took["1 Dask workers"]
    pairs = {name: list(zip(all_, alone, strict=True)) for name, all_ in took.items()}
    note = f"{FEW} chips of {len(bench.labels):,} images, {{:.0f}} ms of wall time a chip"
    return [
        row(
            f"chips by {name}", "by 1 Dask worker", pairs[name],
            note.format(1e3 * statistics.median(took[name]) / FEW),
        )
        for name in executors if name != "1 Dask workers"
    ]  # fmt: skip


def _nothing(k: int) -> int:
    return k
