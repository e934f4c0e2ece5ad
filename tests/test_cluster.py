"""Studies on a Dask cluster of this machine: the same rows, whatever happens to workers."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest

from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.data import ImageSet
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.errors import SettingsError, StudyError
from analogkan.plugins import load_plugin
from analogkan.studies import cluster
from analogkan.studies.bench import Bench
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.store import StudyStore

from .networks import random_images, random_spec
from .test_plugins import write

pytestmark = pytest.mark.filterwarnings("ignore")


def cluster_of(workers: int) -> Any:
    """Worker processes of one thread on loopback, at ports that nobody else has."""
    form: dict[str, Any] = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    return distributed.LocalCluster(n_workers=workers, threads_per_worker=1, **form)


@pytest.fixture(scope="module")
def workers():
    """Two worker processes on loopback."""
    with cluster_of(2) as made:
        yield made


def test_tls_without_certificates_is_refused(monkeypatch):
    monkeypatch.delenv("DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT", raising=False)
    sentence = (
        "tls://127.0.0.1:1 is behind TLS, and Dask's configuration names no certificates: set "
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ...__CLIENT__CERT and ...__CLIENT__KEY"
    )
    with pytest.raises(StudyError, match=f"^{re.escape(sentence)}$"):
        cluster.DaskExecutor("tls://127.0.0.1:1", "twin")


@pytest.fixture
def build(tmp_path) -> Build:
    return write_build(random_spec(1), Hardware(), tmp_path / "net.build")


@pytest.fixture
def images(build) -> ImageSet:
    found = random_images(2, 30, 5)
    return replace(found, y=build.spec.logits(found.x).argmax(axis=1))


def run(build, images, folder: Path, samples: int = 8, on_progress=None, settings=(), **given):
    options = StudyOptions(judge="none", run=folder, **given)
    more = {"settings": settings} | ({} if on_progress is None else {"on_progress": on_progress})
    return montecarlo(build, images, samples=samples, options=options, **more)


def rows(result) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in result.rows]


@pytest.mark.parametrize("engine", ["twin", "ngspice"])
def test_a_cluster_gives_the_same_rows(engine, build, images, workers, ngspice, tmp_path):
    local = run(build, images, tmp_path / "local", 6, engine=engine)
    there = {"executor": "dask", "scheduler": workers.scheduler_address}
    result = run(build, images, tmp_path / "dask", 6, engine=engine, **there)
    assert rows(result) == rows(local)
    told = result.summary["cluster"]
    assert (told["workers"], told["threads"]) == (2, 2)
    assert 0 < told["bytes_per_point"] < 5000 and 0 < told["bytes_per_row"] < 5000
    again = run(build, images, tmp_path / "dask", 6, engine=engine, **there)
    assert again.summary["cluster"]["bytes_scattered"] == 0


@pytest.mark.parametrize("engine", ["twin", "ngspice"])
def test_workers_load_the_files_that_a_study_uses(
    engine, images, workers, ngspice, own_plugins, tmp_path
):
    write(tmp_path, "arctan.py", "arctan.lib", "shorts.py")
    for name in ("arctan.py", "shorts.py"):
        if engine == "twin":  # a version that the cluster, which stays up, is to forget
            with (tmp_path / name).open("a", encoding="utf-8") as stream:
                stream.write("# an earlier one\n")
        load_plugin(tmp_path / name)
    build = write_build(random_spec(1, squash="arctan"), Hardware(), tmp_path / "net.build")
    given: dict[str, Any] = {"engine": engine, "settings": ["shorted_cells=0.1"]}
    local = run(build, images, tmp_path / "local", 4, **given)
    there = {"executor": "dask", "scheduler": workers.scheduler_address}
    result = run(build, images, tmp_path / "dask", 4, **given, **there)
    assert rows(result) == rows(local)
    assert all(row["shorted_cells"] for row in result.rows)


def kill(address: str, how_many: int) -> list[int]:
    """End so many workers as a crash would; their process numbers."""
    with distributed.Client(address, set_as_default=False) as client:
        pids: Any = client.run(os.getpid)
    chosen = list(pids.values())[:how_many]
    for pid in chosen:
        os.kill(pid, signal.SIGKILL)
    return chosen


@pytest.fixture
def kept(monkeypatch) -> list[str]:
    """Keys of the rows that stores keep, as often as they do."""
    found: list[str] = []
    add = StudyStore.add

    def listed(store: StudyStore, rows: Any, spent: float) -> None:
        found.extend(row["key"] for _, row in rows)
        add(store, rows, spent)

    monkeypatch.setattr(StudyStore, "add", listed)
    return found


def test_a_worker_killed_in_mid_study_loses_nothing(build, images, workers, tmp_path, kept):
    local = run(build, images, tmp_path / "local", 40)
    killed: list[int] = []
    kept.clear()

    def on_progress(what: str, done: int, total: int) -> None:
        if what == "chips" and done >= 5 and not killed:
            killed.extend(kill(workers.scheduler_address, 1))

    there = {"executor": "dask", "scheduler": workers.scheduler_address}
    result = run(build, images, tmp_path / "dask", 40, on_progress=on_progress, **there)
    assert killed
    assert rows(result) == rows(local)
    assert len(kept) == len(set(kept)) == 40  # none twice
    assert result.summary["cluster"]["tasks"] >= 20


@pytest.mark.slow
def test_a_cluster_that_grows_with_its_work_gives_the_same_rows(build, images, tmp_path, kept):
    """It has no worker before the study, several in it, and none some time after."""
    local = run(build, images, tmp_path / "local", 100)
    kept.clear()
    with cluster_of(0) as made:
        made.adapt(minimum=0, maximum=3, target_duration="200ms", wait_count=30)
        there = {"executor": "dask", "scheduler": made.scheduler_address}
        result = run(build, images, tmp_path / "dask", 100, **there)
    assert rows(result) == rows(local)
    assert len(kept) == len(set(kept)) == 100
    assert 1 <= result.summary["cluster"]["workers"] <= 3


@pytest.mark.slow
@pytest.mark.parametrize("come_back", [False, True])
def test_workers_lost_all_at_once_lose_nothing(build, images, tmp_path, come_back, monkeypatch):
    """Their work is given out again to those that come back; else the study goes on later."""
    monkeypatch.setattr(cluster, "LOST_S", 60.0 if come_back else 1.0)
    local = run(build, images, tmp_path / "local", 100)
    lost: list[int] = []
    with cluster_of(2) as made:
        there = {"executor": "dask", "scheduler": made.scheduler_address}

        def on_progress(what: str, done: int, total: int) -> None:
            if what == "chips" and done >= 5 and not lost:
                lost.extend(kill(made.scheduler_address, 2) if come_back else [0, 0])
                if not come_back:
                    made.scale(0)

        refused = pytest.raises(StudyError, match=r"^all workers of tcp://\S+ were lost, and no")
        with contextlib.nullcontext() if come_back else refused:
            found = run(build, images, tmp_path / "dask", 100, on_progress=on_progress, **there)
            assert rows(found) == rows(local)
    assert len(lost) == 2
    assert rows(run(build, images, tmp_path / "dask", 100)) == rows(local)


def test_a_worker_with_another_version_is_refused(build, images, workers, tmp_path, monkeypatch):
    here = cluster.versions("twin")
    monkeypatch.setattr(cluster, "versions", lambda *_: here | {"torch": "1.0"})

    class Client(distributed.Client):
        """One whose workers tell their own versions, not this process's."""

        def run(self, function, *args, **kwargs):
            return super().run(_true_versions, *args, **kwargs)

    monkeypatch.setattr(distributed, "Client", Client)
    with pytest.raises(
        StudyError, match=r"^worker tcp://\S+ has torch \S+, this process has 1.0: rows would not"
    ):
        run(
            build,
            images,
            tmp_path / "run",
            executor="dask",
            scheduler=workers.scheduler_address,
        )


def _true_versions(engine: str, packages: tuple[str, ...] = ()) -> dict[str, str]:
    from analogkan.studies.cluster import versions

    return versions(engine, packages)


def test_a_worker_that_joins_later_is_checked_too(build, images):
    body = pickle.dumps(Bench(build, images, TwinEngine()).evaluate)
    wanted = cluster.versions("twin") | {"numpy": "0.1"}
    with pytest.raises(StudyError, match=r"^worker \S+ has numpy \S+, this process has 0.1"):
        cluster._task(body, b"", wanted)


def test_a_worker_of_a_study_in_mixed_precision_has_the_same_numba():
    wanted = cluster.versions("twin", ("numba",))
    assert set(wanted) - set(cluster.versions("twin")) == {"numba"}
    with pytest.raises(StudyError, match=r"^worker \S+ has numba \S+, this process has 0.1"):
        cluster._task(b"", b"", wanted | {"numba": "0.1"})


def test_a_worker_without_ngspice_is_another_worker(monkeypatch):
    wanted = cluster.versions("ngspice")
    monkeypatch.setenv("ANALOGKAN_NGSPICE", "/nonexistent")
    with pytest.raises(StudyError, match=r"^worker w has ngspice none \(ANALOGKAN_NGSPICE names"):
        cluster._compare(cluster.versions("ngspice"), wanted, "w")


def test_an_address_that_does_not_answer_is_refused(build, images, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 1.0)
    with pytest.raises(
        StudyError, match=r"^no Dask scheduler answers at tcp://127.0.0.1:9 within 1 s"
    ):
        run(build, images, tmp_path / "a", executor="dask", scheduler="tcp://127.0.0.1:9")


def test_a_cluster_without_workers_is_refused(build, images, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 1.0)
    empty = cluster_of(0)
    with empty, pytest.raises(StudyError, match=r"has no worker after 1 s: start some with `dask"):
        run(
            build,
            images,
            tmp_path / "a",
            executor="dask",
            scheduler=empty.scheduler_address,
        )


@pytest.mark.parametrize("given", [{"executor": "dask"}, {"scheduler": "tcp://127.0.0.1:1"}])
def test_an_address_goes_with_dask_and_only_with_it(given):
    with pytest.raises(SettingsError, match=r"^scheduler = '.*' is out of range: an address, such"):
        StudyOptions(**given)


def test_a_bench_survives_its_journey(build, images):
    bench = Bench(build, images, TwinEngine(), seed=3)
    again = pickle.loads(pickle.dumps(bench))
    assert again.seed == 3 and again.engine.name == "twin"
    np.testing.assert_array_equal(again.software, bench.software)


def test_a_worker_keeps_failed_decks_where_nobody_else_can_have_been(ngspice, build, images):
    body = pickle.dumps(Bench(build, images, NgspiceEngine(ngspice, Path("failed"))))
    one, two = (pickle.loads(body).engine.keep for _ in range(2))
    assert one != two
    assert {path.stat().st_mode & 0o777 for path in (one, two)} == {0o700}
