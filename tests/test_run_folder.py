"""The RUN folder: what is finished stays finished, and what is not this run's is refused."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

import analogkan
from analogkan.cli import common
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.data import ImageSet
from analogkan.engines.chunked import BatchOptions, Chunk, ChunkResult
from analogkan.errors import StudyError
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.simulate import simulate
from analogkan.studies.store import STORE, StudyStore

from .networks import circuit, kept_chunks, random_images, random_inputs, random_spec

CHUNKS = BatchOptions(chunk=4)


@pytest.fixture
def build(ngspice, tmp_path) -> Build:
    return write_build(random_spec(1), Hardware(), tmp_path / "net.build")


@pytest.fixture
def images() -> ImageSet:
    return random_images(2, 10, 5)


def test_an_interrupted_run_goes_on_where_it_was(build, images, tmp_path):
    def interrupt(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        simulate(build, images, options=CHUNKS, run=run, on_progress=interrupt)
    first = kept_chunks(run)
    assert [line[:2] for line in first] == [(0, 4)]
    assert not (run / "result.json").exists()

    seen: list[tuple[int, int]] = []
    resumed = simulate(
        build, images, options=CHUNKS, run=run, on_progress=lambda k, n: seen.append((k, n))
    )
    assert seen == [(4, 10), (8, 10), (10, 10)]
    assert kept_chunks(run)[:1] == first
    straight = simulate(build, images, options=CHUNKS, run=tmp_path / "straight")
    assert circuit(resumed).tobytes() == circuit(straight).tobytes()


def test_a_finished_run_is_read_not_repeated(build, images, tmp_path):
    first = simulate(build, images, options=CHUNKS, run=tmp_path / "run")
    seen: list[int] = []
    again = simulate(
        build, images, options=CHUNKS, run=tmp_path / "run", on_progress=lambda k, n: seen.append(k)
    )
    assert seen == [10]
    assert circuit(again).tobytes() == circuit(first).tobytes()
    assert again.summary["images_per_second"] == first.summary["images_per_second"]


OTHER_CHUNK = "(SELECT {0} FROM chunks WHERE start = 0)"
DAMAGE = {
    "empty": "UPDATE chunks SET volts = X'' WHERE start = 4",
    "cut": "UPDATE chunks SET volts = substr(volts, 1, 96) WHERE start = 4",
    "zeros": "UPDATE chunks SET volts = zeroblob(length(volts)) WHERE start = 4",
    "text": "UPDATE chunks SET volts = 'x' WHERE start = 4",
    "seconds": "UPDATE chunks SET seconds = seconds + 1 WHERE start = 4",
    "another chunk": f"UPDATE chunks SET volts = {OTHER_CHUNK.format('volts')}, sha256 = "
    f"{OTHER_CHUNK.format('sha256')} WHERE start = 4",
}


def change(run: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(run / STORE)) as db, db:
        assert db.execute(statement, values).rowcount == 1


@pytest.mark.parametrize("damage", [*DAMAGE, "one bit", "another run", "lie"])
def test_a_damaged_chunk_is_simulated_again_and_said(build, images, tmp_path, damage):
    run = tmp_path / "run"
    first = simulate(build, images, options=CHUNKS, run=run)
    assert first.summary["damaged_chunks"] == 0
    start, stop, _, volts, _ = kept_chunks(run)[1]
    if damage == "one bit":
        path = run / STORE
        assert path.read_bytes().count(volts[:64]) == 1
        path.write_bytes(path.read_bytes().replace(volts[:64], bytes([volts[0] ^ 1]) + volts[1:64]))
    elif damage == "another run":
        other = replace(images, x=random_inputs(99, 10, 5))
        simulate(build, other, options=CHUNKS, run=tmp_path / "other")
        line = kept_chunks(tmp_path / "other")[1]
        change(run, "REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)", *line)
    elif damage == "lie":  # whoever made it kept the hash as well
        with closing(sqlite3.connect(run / STORE)) as db:
            (text,) = db.execute("SELECT value FROM meta WHERE key = 'settings'").fetchone()
        values = np.frombuffer(volts).reshape(4, -1)[::-1]
        with StudyStore(run, json.loads(text)) as store:
            store.add_chunk(ChunkResult(Chunk(1, start, stop), values, None, 1.0, 1), 0.0, 0.0)
    else:
        change(run, DAMAGE[damage])
    seen: list[int] = []
    again = simulate(
        build, images, options=CHUNKS, run=run, on_progress=lambda k, n: seen.append(k)
    )
    assert seen == [6, 10]
    np.testing.assert_allclose(circuit(again), circuit(first), rtol=0, atol=1e-12)
    assert again.summary["damaged_chunks"] == 1
    assert simulate(build, images, options=CHUNKS, run=run).summary["damaged_chunks"] == 0
    with common.out.capture() as said:
        common.print_result(again)
    assert "note: 1 kept chunks were not what was kept, and were simulated again" in said.get()


def test_every_set_of_settings_has_a_folder_of_its_own(build, images, tmp_path):
    runs = {
        simulate(build, images).summary["run"],
        simulate(build, images, options=BatchOptions(descending=True)).summary["run"],
        simulate(build, images.take(np.arange(5))).summary["run"],
        simulate(build, images).summary["run"],
    }
    assert len(runs) == 3
    assert all(re.fullmatch(rf"{tmp_path}/net\.run/[0-9a-f]{{8}}", run) for run in runs)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"options": BatchOptions(chunk=5)}, "chunk (4 there, 5 here)"),
        (
            {"options": BatchOptions(chunk=4, descending=True)},
            "descending (False there, True here)",
        ),
        ({"y": np.zeros(10, np.int64)}, "labels ('HASH' there, 'HASH' here)"),
        ({"x": random_inputs(99, 10, 5)}, "inputs ('HASH' there, 'HASH' here)"),
    ],
)
def test_a_run_of_other_settings_is_refused(build, images, tmp_path, changed, what):
    run = tmp_path / "run"
    simulate(build, images, options=CHUNKS, run=run)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    options = changed.pop("options", CHUNKS)
    sentence = f"{run} was started with another {what}: give another --out, or remove the folder"
    pattern = re.escape(sentence).replace("HASH", "[0-9a-f]{16}")
    with pytest.raises(StudyError, match=f"^{pattern}$"):
        simulate(build, replace(images, **changed), options=options, run=run)
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_a_run_of_another_version_is_refused(build, images, tmp_path, monkeypatch):
    run = tmp_path / "run"
    simulate(build, images, run=run)
    monkeypatch.setattr("analogkan.studies.store.__version__", "0.0.1")
    told = f"analogkan ('{analogkan.__version__}' there, '0.0.1' here)"
    sentence = f"{run} was started with another {told}: give another --out, or remove the folder"
    with pytest.raises(StudyError, match=f"^{re.escape(sentence)}$"):
        simulate(build, images, run=run)


def test_a_run_in_use_is_refused_until_it_is_free(build, images, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with (
        FileLock(run / ".lock"),
        pytest.raises(StudyError, match=f"^{run} is in use by another process: wait for it$"),
    ):
        simulate(build, images, run=run)
    assert simulate(build, images, run=run).summary["n"] == 10


def test_a_folder_or_file_of_somebody_else_is_refused(build, images, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(
        StudyError, match=r"mine holds files but no study.sqlite: give another --out$"
    ):
        simulate(build, images, run=tmp_path / "mine")
    with pytest.raises(StudyError, match=r"thesis.tex is a file: give another folder with --out$"):
        simulate(build, images, run=tmp_path / "mine" / "thesis.tex")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("content", "why"), [("{", "it has no tables"), ("x" * 1000, "file is not a database")]
)
def test_a_damaged_run_is_refused(build, images, tmp_path, content, why):
    (tmp_path / STORE).write_text(content)
    sentence = f"{tmp_path / STORE} is damaged: give another --out ({why})"
    with pytest.raises(StudyError, match=f"^{re.escape(sentence)}$"):
        simulate(build, images, run=tmp_path)


def test_a_run_that_kept_a_file_a_chunk_is_refused_and_left_as_it_is(build, images, tmp_path):
    run = tmp_path / "run"
    (run / "chunks").mkdir(parents=True)
    (run / "run.json").write_text("{}")
    sentence = (
        f"{run} is a RUN of an earlier version, which kept run.json and a file a chunk: give "
        "another --out, or remove the folder"
    )
    with pytest.raises(StudyError, match=f"^{re.escape(sentence)}$"):
        simulate(build, images, run=run)
    options = StudyOptions(run=run, judge="none")
    with pytest.raises(StudyError, match=f"^{re.escape(sentence)}$"):
        montecarlo(build, images, samples=1, options=options)
    assert {p.name for p in run.iterdir()} == {"chunks", "run.json"}


def test_a_simulation_and_a_study_refuse_each_others_run(build, images, tmp_path):
    simulate(build, images, run=tmp_path / "sim")
    options = StudyOptions(run=tmp_path / "sim", judge="none", resume=True)
    told = r"^{} was started with another study \('{}' there, '{}' here\): give another --out, or "
    with pytest.raises(StudyError, match=told.format(options.run, "simulate", "montecarlo")):
        montecarlo(build, images, samples=1, options=options)
    options = StudyOptions(run=tmp_path / "chips", judge="none")
    montecarlo(build, images, samples=1, options=options)
    with pytest.raises(StudyError, match=told.format(options.run, "montecarlo", "simulate")):
        simulate(build, images, run=tmp_path / "chips")
