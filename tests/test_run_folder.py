"""The RUN folder: what is finished stays finished, and what is not this run's is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

import analogkan
from analogkan.cli import common
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.data import ImageSet
from analogkan.engines.batch import BatchOptions, Chunk
from analogkan.errors import StudyError
from analogkan.studies.run import RunFolder
from analogkan.studies.simulate import simulate

from .networks import circuit, random_images, random_inputs, random_spec

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
    assert [p.name for p in (run / "chunks").iterdir()] == ["000000-000004.npz"]
    assert not (run / "result.json").exists()
    first = (run / "chunks" / "000000-000004.npz").stat().st_mtime_ns

    seen: list[tuple[int, int]] = []
    resumed = simulate(
        build, images, options=CHUNKS, run=run, on_progress=lambda k, n: seen.append((k, n))
    )
    assert seen == [(4, 10), (8, 10), (10, 10)]
    assert (run / "chunks" / "000000-000004.npz").stat().st_mtime_ns == first
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


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "short", "zeros", "one value", "another chunk", "another run", "lie"]
)
def test_a_damaged_chunk_is_simulated_again_and_said(build, images, tmp_path, damage):
    run = tmp_path / "run"
    first = simulate(build, images, options=CHUNKS, run=run)
    assert first.summary["damaged_chunks"] == 0
    path = run / "chunks" / "000004-000008.npz"
    kept = dict(np.load(path))
    if damage == "short":
        np.savez(path, logits=np.zeros((3, 3)), seconds=1.0)
    elif damage == "zeros":
        np.savez(path, **kept | {"volts": 0 * kept["volts"]})
    elif damage == "one value":
        kept["volts"][2, 1] += 1e-9
        np.savez(path, **kept)
    elif damage == "another chunk":
        path.write_bytes((run / "chunks" / "000000-000004.npz").read_bytes())
    elif damage == "another run":
        other = replace(images, x=random_inputs(99, 10, 5))
        simulate(build, other, options=CHUNKS, run=tmp_path / "other")
        path.write_bytes((tmp_path / "other" / "chunks" / path.name).read_bytes())
    elif damage == "lie":  # whoever made it kept the hash as well
        store = RunFolder(run, json.loads((run / "run.json").read_text()))
        store.add_chunk(Chunk(1, 4, 8), kept["volts"][::-1], 1.0)
    else:
        path.write_bytes(path.read_bytes()[:200] if damage == "cut" else b"")
    seen: list[int] = []
    again = simulate(
        build, images, options=CHUNKS, run=run, on_progress=lambda k, n: seen.append(k)
    )
    assert seen == [6, 10]
    np.testing.assert_allclose(circuit(again), circuit(first), rtol=0, atol=1e-12)
    assert again.summary["damaged_chunks"] == 1
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
        ({"options": BatchOptions(chunk=5)}, "chunk"),
        ({"options": BatchOptions(chunk=4, descending=True)}, "descending"),
        ({"y": np.zeros(10, np.int64)}, "labels"),
        ({"x": random_inputs(99, 10, 5)}, "inputs"),
    ],
)
def test_a_run_of_other_settings_is_refused(build, images, tmp_path, changed, what):
    run = tmp_path / "run"
    simulate(build, images, options=CHUNKS, run=run)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    options = changed.pop("options", CHUNKS)
    sentence = f"{run} was started with another {what}: give another --out, or remove the folder"
    with pytest.raises(StudyError, match=f"^{sentence}$"):
        simulate(build, replace(images, **changed), options=options, run=run)
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_a_run_of_another_version_is_refused(build, images, tmp_path, monkeypatch):
    run = tmp_path / "run"
    simulate(build, images, run=run)
    assert json.loads((run / "run.json").read_text())["analogkan"] == analogkan.__version__
    monkeypatch.setattr("analogkan.studies.simulate.__version__", "0.0.1")
    sentence = f"{run} was started with another analogkan: give another --out"
    with pytest.raises(StudyError, match=f"^{sentence}"):
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
    with pytest.raises(StudyError, match=r"mine holds files but no run.json: give another --out$"):
        simulate(build, images, run=tmp_path / "mine")
    with pytest.raises(StudyError, match=r"thesis.tex is a file: give another folder with --out$"):
        simulate(build, images, run=tmp_path / "mine" / "thesis.tex")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", ["{", "[1]", '"text"'])
def test_a_damaged_run_is_refused(build, images, tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(StudyError, match=r"run.json is damaged: give another --out$"):
        simulate(build, images, run=tmp_path)
