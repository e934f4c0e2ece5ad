"""Threads and copies of the process give the same rows, and nothing is left of those that end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.engines.chip_engines import chain_logits
from analogkan.engines.twin_engine import TwinEngine
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import SettingsError, StudyError
from analogkan.studies import executor
from analogkan.studies.bench import Bench
from analogkan.studies.executor import LocalExecutor
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.points import Point
from analogkan.studies.result import Row

from .networks import random_images, random_inputs, random_npz, random_spec

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux alone")
COUNT = 40
STUDY = """
import sys
from analogkan.cli import main
from analogkan.studies import executor
executor.LONG_S = -1.0
main(sys.argv[1:])
"""


@pytest.fixture
def copying(monkeypatch) -> None:
    """All work is long."""
    monkeypatch.setattr(executor, "LONG_S", -1.0)


def run(function, jobs: int = 2, count: int = COUNT, **options) -> list[tuple[int, object]]:
    doing = LocalExecutor(jobs, copies=True, **options).run(function, range(count), count)
    return sorted(pair for found in doing for pair in found)


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pids: list[int], within_s: float = 20) -> bool:
    limit = time.monotonic() + within_s
    while any(map(alive, pids)) and time.monotonic() < limit:
        time.sleep(0.05)
    return not any(map(alive, pids))


@linux
def test_what_is_long_is_done_by_copies_once_it_is_known_to_be(copying):
    made = np.arange(5)  # no copy is sent it
    pids = [pid for _, pid in run(lambda item: os.getpid() if made.size == 5 else 0)]
    tried = 2 * executor.TRIED
    assert set(pids[:tried]) == {os.getpid()}
    assert os.getpid() not in pids[tried:] and 1 <= len(set(pids[tried:])) <= 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_short_is_done_by_this_process(jobs):
    assert run(lambda item: os.getpid(), jobs) == [(k, os.getpid()) for k in range(COUNT)]
    assert run(lambda item: item, jobs, count=0) == []
    assert run(lambda item: item, jobs, count=3) == [(0, 0), (1, 1), (2, 2)]


@linux
def test_an_error_of_a_copy_is_that_of_the_work(copying):
    stopped, before = list[bool](), set(children(os.getpid()))

    def refuse(item: int) -> int:
        if item == COUNT - 1:
            raise SettingsError(f"item {item}")
        return item

    with pytest.raises(SettingsError, match=f"item {COUNT - 1}"):
        run(refuse, stop=lambda: stopped.append(True))
    assert stopped == [True]
    assert ended([*set(children(os.getpid())) - before])


@linux
def test_a_copy_that_is_killed_is_told_of_and_what_is_left_goes_on(copying, tmp_path, monkeypatch):
    build = write_build(random_spec(3), Hardware(), tmp_path / "net.build")
    images = random_images(4, 20, 5)
    real, here = Bench.evaluate, os.getpid()
    before = set(children(here))

    def evaluate(bench: Bench, point: Point) -> Row:
        if os.getpid() != here and point.sample == COUNT - 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(bench, point)

    def study(jobs: int) -> list[Row]:
        options = StudyOptions(jobs=jobs, run=tmp_path / f"{jobs}.run", judge="none")
        rows = montecarlo(build, images, samples=COUNT, options=options).rows
        return [{key: of for key, of in row.items() if key != "seconds"} for row in rows]

    monkeypatch.setattr(Bench, "evaluate", evaluate)
    with pytest.raises(StudyError, match=r"has ended, perhaps for want of memory.*goes on"):
        study(jobs=2)
    assert ended([*set(children(here)) - before])
    monkeypatch.setattr(Bench, "evaluate", real)
    assert study(jobs=2) == study(jobs=1)


@linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_copies_end_with_what_they_are_copies_of(tmp_path, how):
    random_npz(tmp_path / "d.npz")
    write_build(random_spec(3), Hardware(), tmp_path / "m.build")
    words = ["montecarlo", "m.build", "--dataset", "d.npz", "--samples", "200000", "--yes"]
    words += ["--jobs", "2", "--judge", "none", "--out", "run"]
    with subprocess.Popen(
        [sys.executable, "-c", STUDY, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL,
    ) as study:  # fmt: skip
        limit = time.monotonic() + 60
        while len(copies := children(study.pid)) < 2 and time.monotonic() < limit:
            assert study.poll() is None, study.stderr.read()
            time.sleep(0.05)
        assert len(copies) == 2
        time.sleep(0.3)  # they are at work
        study.send_signal(how)
        _, said = study.communicate(timeout=60)
    assert ended(copies)
    assert study.returncode == (-9 if how == signal.SIGKILL else 128 + how)
    if how != signal.SIGKILL:
        assert "the same command goes on with what is left" in said
    assert "Traceback" not in said


@linux
def test_copies_ignore_what_the_process_ignores(copying):
    """As `nohup` has it: a terminal that is closed tells all processes that were started in it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def hang_up(item: int) -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        return item

    try:
        assert run(hang_up) == [(k, k) for k in range(COUNT)]
    finally:
        signal.signal(signal.SIGHUP, before)


@linux
def test_an_interrupt_while_copies_are_made_is_not_lost(copying):
    """Python drops what is raised in the midst of a fork."""
    before, here, to_come = set(children(os.getpid())), os.getpid(), [True]

    def interrupt() -> None:
        if to_come and os.getpid() == here:
            to_come.clear()
            signal.raise_signal(signal.SIGINT)

    os.register_at_fork(after_in_parent=interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(lambda item: item)
    assert not to_come and ended([*set(children(here)) - before])


@linux
@pytest.mark.parametrize("made", [0, 1])
def test_where_the_system_makes_no_more_processes_threads_do_all(copying, monkeypatch, made):
    """As under a limit of processes, or without memory to spare."""
    before, forks, real = set(children(os.getpid())), list[int](), os.fork

    def fork() -> int:
        forks.append(len(forks))
        if len(forks) > made:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return real()

    monkeypatch.setattr(os, "fork", fork)
    assert run(lambda item: os.getpid()) == [(k, os.getpid()) for k in range(COUNT)]
    assert len(forks) == made + 1
    assert ended([*set(children(os.getpid())) - before])


def test_the_same_images_are_encoded_once_for_all_chips(tmp_path, monkeypatch):
    counted: list[int] = []
    real = Inputs.of
    monkeypatch.setattr(Inputs, "of", lambda volts: counted.append(len(volts)) or real(volts))
    spec = random_spec(3)
    volts, index = spec.dac_volts(random_inputs(1, 500, 5)), np.arange(500)
    engine = TwinEngine()
    chip = write_build(spec, Hardware(), tmp_path / "net.build").circuit()
    first = chain_logits(engine, chip, volts, index, 26.85)
    assert (chain_logits(engine, chip, volts, index, 26.85) == first).all()
    assert counted == [500]
    other = chain_logits(engine, chip, volts[::-1], index, 26.85)
    assert counted == [500, 500] and not (other == first).all()


@linux
def test_copies_that_do_not_answer_are_ended_and_threads_go_on(copying, monkeypatch):
    monkeypatch.setattr(executor, "PATIENCE_S", 0.3)
    before, here = set(children(os.getpid())), os.getpid()

    def stuck(item: int) -> int:
        if os.getpid() != here:
            time.sleep(60)
        return item

    with pytest.warns(RuntimeWarning, match=r"^copies of the process did not answer for \d+ s"):
        assert run(stuck) == [(k, k) for k in range(COUNT)]
    assert ended([*set(children(here)) - before])
