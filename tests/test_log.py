"""The log beside a RUN: what it says, that no study reads it, and progress without a terminal."""

from __future__ import annotations

import io
import json
import re
import warnings
from pathlib import Path

import pytest
from rich.console import Console

from analogkan import pace
from analogkan.api import progress
from analogkan.cli.process import Ended
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.engines.chunked import BatchOptions
from analogkan.engines.versions import said
from analogkan.errors import StudyError
from analogkan.studies import log
from analogkan.studies.folder import FIRST
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.simulate import simulate

from .networks import random_images, random_spec

CHUNKS = BatchOptions(chunk=4)


@pytest.fixture
def build(ngspice, tmp_path) -> Build:
    return write_build(random_spec(1), Hardware(), tmp_path / "net.build")


def lines(run: Path) -> list[str]:
    """What a log says, without the times."""
    first, *others = (run / "log.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    assert first == FIRST
    for line in others:
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d  \S", line), line
    return [line.rstrip("\n").split("  ", 1)[1] for line in others]


def chips(build: Build, run: Path, samples: int = 2, judge: str = "1x4", command: str = "x"):
    options = StudyOptions(run=run, judge=judge, command=command)
    return montecarlo(build, random_images(2, 10, 5), samples=samples, options=options)


def test_a_study_says_when_what_was_run_by_what_and_goes_on_saying(build, ngspice, tmp_path):
    chips(build, tmp_path / "run", command="analogkan montecarlo net.build")
    found = lines(tmp_path / "run")
    notes = json.loads((tmp_path / "run" / "result.json").read_text())["notes"]
    assert found[:2] == ["begin: analogkan montecarlo net.build", f"with {said(ngspice)}"]
    assert [line for line in found if line.startswith("note: ")] == [f"note: {n}" for n in notes]
    tail = ["chips: 0 of 2", "chips: 2 of 2", "judge: 0 of 1", "judge: 1 of 1"]
    assert found[-5:-1] == tail
    assert re.fullmatch(r"end: after [\d.]+ s", found[-1])
    chips(build, tmp_path / "run", samples=3, judge="none", command="")
    more = lines(tmp_path / "run")[len(found) :]
    assert more[:2] == ["begin: montecarlo, from Python", f"with {said(None)}"]
    assert more[-3:-1] == ["chips: 2 of 3", "chips: 3 of 3"]


def test_versions_are_on_one_line(ngspice, monkeypatch):
    assert re.fullmatch(r"analogkan \S+, Python \S+, torch \S+, numba .+, PySpice \S+", said(None))
    assert said(ngspice).endswith(f", ngspice {ngspice.version}{' with KLU' * ngspice.klu}")


def test_no_study_reads_it(build, tmp_path):
    images = random_images(2, 10, 5)
    first = simulate(build, images, options=CHUNKS, run=tmp_path / "run").summary
    (tmp_path / "run" / "log.txt").write_text(f"{FIRST}\x00 no line of ours", encoding="utf-8")
    assert simulate(build, images, options=CHUNKS, run=tmp_path / "run").summary == first
    (tmp_path / "run" / "log.txt").unlink()
    assert simulate(build, images, options=CHUNKS, run=tmp_path / "run").summary == first
    assert lines(tmp_path / "run")[-2] == "images: 10 of 10"


def test_an_error_and_a_signal_are_its_last_line(build, tmp_path, monkeypatch):
    def stop(done: int, total: int) -> None:
        if done:
            raise Ended(15)

    images, run = random_images(2, 10, 5), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        simulate(build, images, options=CHUNKS, run=run, on_progress=stop)
    assert lines(run)[-1] == "interrupted by signal 15"
    with pytest.raises(StudyError), log.logged(run, "simulate", "", None):
        raise StudyError("no\nluck")
    assert lines(run)[-1] == "error: no luck"
    with pytest.raises(KeyboardInterrupt), log.logged(run, "simulate", "", None):
        raise KeyboardInterrupt
    assert lines(run)[-1] == "interrupted"
    with log.logged(run, "simulate", "", None) as one:
        one.refusal = StudyError("the judge differs")
        with pytest.warns(UserWarning, match="odd"), warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("odd", stacklevel=1)
    assert lines(run)[-1] == "error: the judge differs"


def test_warnings_of_python_and_of_chunks_are_in_it(tmp_path, monkeypatch):
    shown: list[object] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda *given: shown.append(given[0]))
        with log.logged(tmp_path, "simulate", "", None) as one:
            warnings.warn("odd", stacklevel=1)
            one.warn("2 chunks retried")
    assert [str(message) for message in shown] == ["odd"]
    assert lines(tmp_path)[2:4] == ["warning: UserWarning: odd", "warning: 2 chunks retried"]


def test_a_file_of_somebody_elses_is_left_as_it_is(build, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "log.txt").write_text("my diary\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"mine holds files but no study\.sqlite: give another"):
        chips(build, mine)
    chips(build, tmp_path / "run", judge="none")
    (tmp_path / "run" / "log.txt").unlink()
    for made in (lambda path: path.write_text("x"), lambda path: path.symlink_to(mine / "log.txt")):
        made(tmp_path / "run" / "log.txt")
        with pytest.raises(
            StudyError,
            match=r"run/log\.txt is no log of a study, and montecarlo keeps one there: move it, or "
            r"give another --out$",
        ):
            chips(build, tmp_path / "run", judge="none")
        (tmp_path / "run" / "log.txt").unlink()
    assert (mine / "log.txt").read_text(encoding="utf-8") == "my diary\n"


def test_a_folder_with_a_log_alone_may_become_a_run(build, tmp_path):
    with log.logged(tmp_path, "montecarlo", "", None):
        pass
    chips(build, tmp_path / "run", judge="none")
    run = tmp_path / "other"
    run.mkdir()
    (run / "log.txt").write_text(FIRST, encoding="utf-8")
    chips(build, run, judge="none")
    assert lines(run)[-1].startswith("end: after")


def test_a_disk_that_is_full_ends_no_study(tmp_path, monkeypatch):
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log, "append_text", full)
    with log.logged(tmp_path, "simulate", "", None) as one:
        one.say("anything")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time, which a test moves."""
    now = [1000.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


def test_a_line_a_minute_says_what_is_done_and_what_is_left(clock):
    given = pace.Pace(ends=False)
    told = []
    for done in range(0, 1001, 50):
        told.append(given.line("chips", done, 1000))
        clock[0] += 10
    said = [line for line in told if line]
    assert said == [
        "chips: 300 of 1,000, about 2.3 minutes left",
        "chips: 600 of 1,000, about 80 s left",
        "chips: 900 of 1,000, about 20 s left",
    ]
    clock[0] += 100
    assert given.line("epochs", 3, None) == "epochs: 3"


def test_ends_are_lines_where_they_are_wanted(clock):
    given = pace.Pace(ends=True)
    told = [given.line("judge", done, 3) for done in (0, 1, 2, 3, 3)]
    assert told == ["judge: 0 of 3", None, None, "judge: 3 of 3", None]


def test_without_a_terminal_progress_is_a_line_a_minute(clock):
    stream = io.StringIO()
    with progress.rich_bar(Console(file=stream), disable=False) as bar:
        follow = progress.follow(bar, lambda what: f"ngspice: {what}")
        follow("[chips]", 1, 5)
        assert stream.getvalue() == ""
        clock[0] += 60
        follow("[chips]", 2, 5)
        follow("[chips]", 3, 5)
        clock[0] += 60
        follow("[chips]", 4, 5)
    assert stream.getvalue() == (
        "ngspice: [chips]: 2 of 5, about 3.0 minutes left\n"
        "ngspice: [chips]: 4 of 5, about 40 s left\n"
    )
    stream = io.StringIO()
    with progress.rich_bar(Console(file=stream), disable=True) as bar:
        follow = progress.follow(bar)
        clock[0] += 600
        follow("chips", 1, 5)
    assert stream.getvalue() == ""
