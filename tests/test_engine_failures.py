"""An ngspice that hangs, dies or lies: never a result, always the reason, the deck and no orphan.

The program below answers ``-v`` as the real ngspice does. Asked to run a deck it calls that one
where it needs a result to spoil, and then misbehaves.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.chunked import BatchOptions
from analogkan.engines.ngspice import ENVIRONMENT, Runner
from analogkan.errors import ConvergenceError, SimulationError
from analogkan.studies.simulate import simulate

from .networks import circuit, kept_chunks, random_images, random_spec

FAKE = """#!{python} -SE
import os, pathlib, re, signal, subprocess, sys, time
if "-v" in sys.argv:
    os.execv({real!r}, sys.argv)
raw, deck = pathlib.Path(sys.argv[4]), pathlib.Path(sys.argv[5])
calls = pathlib.Path({calls!r})
(calls / str(os.getpid())).touch()

def real():
    subprocess.run([{real!r}, *sys.argv[1:]], check=True)

def change(old, new, count=1):
    real()
    content = raw.read_bytes()
    assert old in content, (old, content[:500])
    raw.write_bytes(content.replace(old, new, count))

{body}
"""


@pytest.fixture
def fake(ngspice, tmp_path, monkeypatch) -> Callable[[str], Path]:
    """Install a misbehaving ngspice; the folder that lists the process ids of its runs."""

    def install(body: str) -> Path:
        calls = tmp_path / "calls"
        calls.mkdir(exist_ok=True)
        program = tmp_path / "ngspice-fake"
        text = FAKE.format(
            python=sys.executable, calls=str(calls), real=str(ngspice.path), body=body
        )
        program.write_text(text)
        program.chmod(0o755)
        monkeypatch.setenv(ENVIRONMENT, str(program))
        return calls

    return install


@pytest.fixture
def build(tmp_path) -> Build:
    return write_build(random_spec(3), Hardware(opamp="ideal"), tmp_path / "net.build")


def assert_all_dead(calls: Path, runs: int) -> None:
    """``runs`` processes were started, and none of them is left."""
    pids = [int(path.name) for path in calls.iterdir()]
    assert len(pids) == runs
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


FAILURES = {
    "hangs": (
        "time.sleep(60)",
        SimulationError,
        "ngspice took longer than 1 s and was stopped: --timeout 2 gives it twice as long",
    ),
    "is killed": (
        "os.kill(os.getpid(), signal.SIGKILL)",
        SimulationError,
        "ngspice was killed by signal 9",
    ),
    "is killed after it wrote": (
        "real(); os.kill(os.getpid(), signal.SIGKILL)",
        SimulationError,
        "ngspice was killed by signal 9",
    ),
    "exits with 1": ("real(); sys.exit(1)", SimulationError, "ngspice ended with exit code 1"),
    "writes nothing": ("pass", SimulationError, "ngspice wrote no result file"),
    "writes an empty file": (
        "raw.touch()",
        SimulationError,
        "ngspice's result file is empty (0 bytes)",
    ),
    "is cut short": (
        "real(); raw.write_bytes(raw.read_bytes()[:-8])",
        SimulationError,
        "ngspice's result file is cut short: 352 of 360 bytes",
    ),
    "stops half-way": (
        "text = deck.read_text(); n = re.search('v_index (4 0|0 4)', text)[0]\n"
        "deck.write_text(text.replace(n, n.replace('4', '2'))); real()",
        SimulationError,
        "ngspice delivered 3 of 5 points: the sweep stopped on the way",
    ),
    "sweeps other points": (
        "text = deck.read_text(); n = re.search('v_index (4 0 -1|0 4 1)', text)[0]\n"
        "deck.write_text(text.replace(n, 'v_index 5 9 1')); real()",
        SimulationError,
        "ngspice swept other points than it was asked for",
    ),
    "aborts and exits with 0": (
        "real(); print('doAnalyses: iteration limit reached'); print('run simulation(s) aborted')",
        ConvergenceError,
        "ngspice found no solution: run simulation(s) aborted",
    ),
    "has a singular matrix and exits with 0": (
        "real(); print('Warning: singular matrix:  check node l0_y1')",
        ConvergenceError,
        "ngspice found no solution: Warning: singular matrix:  check node l0_y1",
    ),
    "prints an error on stderr": (
        "real(); print('Error: no such function', file=sys.stderr)",
        SimulationError,
        "ngspice printed: Error: no such function",
    ),
    "delivers NaN": (
        "import struct; real(); raw.write_bytes(raw.read_bytes()[:-8] + "
        "struct.pack('<d', float('nan')))",
        SimulationError,
        "ngspice delivered v(l0_y3) = NaN or infinity at 4",
    ),
    "renames a vector": (
        "change(b'v(logit_1)', b'v(other_1)')",
        SimulationError,
        "ngspice delivered no v(logit_1)",
    ),
    "names a vector twice": (
        "change(b'v(logit_1)', b'v(logit_2)')",
        SimulationError,
        "ngspice's result file names no vectors, or one of them twice",
    ),
}


@pytest.mark.parametrize(("body", "kind", "sentence"), FAILURES.values(), ids=FAILURES)
def test_an_ngspice_that(fake, build, ngspice, tmp_path, body, kind, sentence):
    calls, run, timeout = fake(body), tmp_path / "run", 1 if "sleep" in body else 60
    with pytest.raises(SimulationError) as caught:
        simulate(build, random_images(3, 5, 5), options=BatchOptions(timeout=timeout), run=run)
    error = caught.value
    assert type(error) is kind
    assert str(error) == (
        "1 of 1 chunks failed twice: images 100 to 104 (5 of them). "
        f"First reason: {sentence}. Its deck is kept: {error.deck}. "
        "The same command tries the failed chunks again"
    )
    assert_all_dead(calls, runs=2)
    assert {p.name for p in run.iterdir()} == {".lock", "failed", "log.txt", "study.sqlite"}
    kept = run / "failed" / "chunk00000"
    assert error.deck == kept / "chunk00000_2.cir"
    assert {p.name for p in kept.iterdir()} >= {*build.one_deck().deck_files(), "chunk00000_2.cir"}


def test_vectors_in_another_order_are_read_by_name(fake, build, tmp_path):
    calls = fake(
        "real(); head, body = raw.read_bytes().split(b'Binary:\\n', 1)\n"
        "lines = head.split(b'\\n'); k = lines.index(b'Variables:') + 1\n"
        "lines[k : k + 9] = lines[k : k + 9][::-1]\n"
        "words = [body[j : j + 8] for j in range(0, len(body), 8)]\n"
        "rows = [words[j : j + 9][::-1] for j in range(0, len(words), 9)]\n"
        "raw.write_bytes(b'\\n'.join(lines) + b'Binary:\\n' + b''.join(sum(rows, [])))"
    )
    result = simulate(build, random_images(3, 5, 5), run=tmp_path / "run")
    np.testing.assert_allclose(circuit(result), result.software, rtol=0, atol=1e-6)
    assert_all_dead(calls, runs=1)


def test_a_chunk_that_fails_once_is_tried_again_the_other_way(fake, build, tmp_path):
    calls = fake("sys.exit(1) if len(list(calls.iterdir())) == 1 else real()")
    result = simulate(build, random_images(3, 5, 5), run=tmp_path / "run")
    assert result.summary["retried_chunks"] == 1
    np.testing.assert_allclose(circuit(result), result.software, rtol=0, atol=1e-6)
    assert_all_dead(calls, runs=2)
    assert not (tmp_path / "run" / "failed").exists()


def test_one_failed_chunk_costs_only_itself(fake, build, ngspice, tmp_path, monkeypatch):
    calls = fake("sys.exit(1) if 'chunk00001' in deck.name else real()")
    run = tmp_path / "run"
    images, options = random_images(3, 10, 5), BatchOptions(chunk=4, jobs=2)
    with pytest.raises(
        SimulationError, match=re.escape("1 of 3 chunks failed twice: images 104 to 107 (4 of them")
    ) as caught:
        simulate(build, images, options=options, run=run)
    assert_all_dead(calls, runs=4)
    kept = kept_chunks(run)
    assert [line[:2] for line in kept] == [(0, 4), (8, 10)]

    deck = caught.value.deck
    assert deck is not None
    Runner(ngspice).run(deck, deck.with_suffix(".raw"), timeout=20)
    alone = read_raw(deck.with_suffix(".raw"), points=4)["v(logit_1)"][::-1]  # kept: descending

    monkeypatch.setenv(ENVIRONMENT, str(ngspice.path))
    seen: list[int] = []
    result = simulate(
        build,
        random_images(3, 10, 5),
        options=options,
        run=run,
        on_progress=lambda k, n: seen.append(k),
    )
    assert seen == [6, 10]
    assert [line for line in kept_chunks(run) if line[0] != 4] == kept
    np.testing.assert_allclose(circuit(result), result.software, rtol=0, atol=1e-6)
    np.testing.assert_allclose(alone, circuit(result)[4:8, 1], rtol=0, atol=1e-7)


def test_an_interrupt_kills_what_still_runs(fake, build, tmp_path):
    calls = fake(
        "while len(list(calls.iterdir())) < 2: time.sleep(0.01)\n"
        "real() if 'chunk00000' in deck.name else time.sleep(60)"
    )

    def interrupt(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(
            build,
            random_images(3, 10, 5),
            options=BatchOptions(chunk=5, jobs=2),
            run=tmp_path / "run",
            on_progress=interrupt,
        )
    assert_all_dead(calls, runs=2)
    assert not (tmp_path / "run" / "failed").exists()
    assert [line[:2] for line in kept_chunks(tmp_path / "run")] == [(0, 5)]
