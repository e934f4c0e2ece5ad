"""A session against the ngspice program: one batch, and one small operating point many times."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan import load_bundled, resources
from analogkan.compiler import names
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.batch import BatchEngine, BatchOptions, plan_chunks
from analogkan.engines.ngspice import Runner, find_ngspice
from analogkan.engines.session import Session

BATCH, TIMES = 300, 200
SMALL = "* a divider\nv1 a 0 1\nr1 a b 1k\nr2 b 0 3k\n.save v(b)\n.op\n.end\n"


def main() -> None:
    program = find_ngspice()
    print(f"ngspice {program.version}, KLU {'yes' if program.klu else 'no'}, one process")
    with tempfile.TemporaryDirectory() as folder:
        _batch(program, Path(folder))
        _small(program, Path(folder))


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _batch(program, folder: Path) -> None:
    build = ak.compile(resources.path("models/mnist-d2.pt"), folder / "d2.build")
    volts = build.spec.dac_volts(load_bundled().x[:BATCH])
    probes = names.logits(build.design)
    values: dict[bool, np.ndarray] = {}
    times: dict[bool, list[float]] = {False: [], True: []}

    def run(session: bool) -> None:
        with BatchEngine(build.one_deck(), Runner(program), folder / "failed") as engine:
            chunks, options = plan_chunks(BATCH, BATCH), BatchOptions(session=session)
            (result,) = engine.run(volts, chunks, probes, options)
        assert result.values is not None, result.error
        values[session] = result.values

    for session in (False, True, True, False):
        times[session].append(seconds(lambda: run(session)))  # noqa: B023
    said = "equal to the last digit" if np.array_equal(values[True], values[False]) else "NOT EQUAL"
    a, b = min(times[True]), min(times[False])
    print(f"{BATCH} images of mnist-d2: session {a:.2f} s, its start included, program {b:.2f} s")
    print(f"ratio: {a / b:.2f} ({said})")


def _small(program, folder: Path) -> None:
    deck, raw = folder / "small.cir", folder / "small.raw"
    deck.write_text(SMALL, encoding="utf-8")
    runner = Runner(program)

    def once() -> None:
        runner.run(deck, raw, timeout=60)
        read_raw(raw, points=1)

    with Session() as session:
        session.run(SMALL)
        a = seconds(lambda: [session.run(SMALL) for _ in range(TIMES)]) / TIMES
    b = seconds(lambda: [once() for _ in range(TIMES)]) / TIMES
    print(f"a small .op, {TIMES} times: session {1e3 * a:.2f} ms each, program {1e3 * b:.1f} ms")
    print(f"ratio: {b / a:.0f} times")
