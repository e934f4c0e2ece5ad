"""A study on a Dask cluster of this machine, its parts measured, and what they predict for more.

The model: a study takes the bench to every worker (bytes over a network of assumed speed), each
worker makes it once, chips are shared out evenly, and the scheduler's time for a task is a floor.
"""

from __future__ import annotations

import logging
import pickle
import tempfile
import time
from pathlib import Path

import analogkan as ak
from analogkan import load_bundled, resources
from analogkan.engines.chip_engines import TwinEngine
from analogkan.imperfections import load_settings
from analogkan.studies.bench import Bench
from analogkan.studies.cluster import BATCH
from analogkan.studies.points import montecarlo_points

TASKS, CHIPS, REPEATS = 1000, 10_000, 10
WORKERS = (16, 64, 256)
BYTES_PER_SECOND = 1e9 / 8
"""Of the network between machines: 1 Gbit/s, assumed."""


def main() -> None:
    import distributed

    images = load_bundled()
    hardware, variation, conditions = load_settings("rram")
    with tempfile.TemporaryDirectory() as folder:
        build = ak.compile(resources.path("models/mnist-d2.pt"), Path(folder) / "d2.build")
        bench = Bench(build, images, TwinEngine())
        points = montecarlo_points(hardware, variation, conditions, REPEATS)
        body = pickle.dumps(bench.evaluate)
        started = time.perf_counter()
        evaluate = pickle.loads(body)
        evaluate(points[0])
        begin = time.perf_counter() - started
        started = time.perf_counter()
        rows = [evaluate(point) for point in points]
        chip = (time.perf_counter() - started) / len(points)
    sizes = [len(pickle.dumps(one)) for one in (points[0], rows[0])]
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.gather(client.map(_nothing, range(10), pure=False))
        started = time.perf_counter()
        client.gather(client.map(_nothing, range(TASKS), pure=False))
        task = (time.perf_counter() - started) / TASKS
    print(f"measured: {1e3 * chip:.1f} ms a chip of {len(images):,} images; {begin:.2f} s for a")
    print(
        f"worker's first; {1e3 * task:.2f} ms of the scheduler a task; {len(body) / 1e6:.1f} MB to"
    )
    print(f"each worker once, {sizes[0]:,} bytes out and {sizes[1]:,} back a chip")
    print(
        f"{CHIPS:,} chips, {BATCH} a task; assumed: a network of {BYTES_PER_SECOND * 8 / 1e9:g} "
        "Gbit/s, one thread"
    )
    print("a worker, chips alike, a client that keeps up:")
    for workers in (1, *WORKERS):
        out = len(body) * workers / BYTES_PER_SECOND
        moved = sum(sizes) * CHIPS / BYTES_PER_SECOND
        work = max(CHIPS * chip / workers, CHIPS * task / BATCH, moved)
        limit = "the chips" if work == CHIPS * chip / workers else "the scheduler"
        print(f"  {workers:4} workers: {out + begin + work:7.1f} s, bound by {limit}")


def _nothing(k: int) -> int:
    return k
