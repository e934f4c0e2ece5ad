"""A session against the ngspice program: one batch, and one small operating point many times."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from analogkan.compiler import names
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.batch import BatchEngine
from analogkan.engines.chunked import BatchOptions, plan_chunks
from analogkan.engines.library import find_library
from analogkan.engines.ngspice import Runner, find_ngspice
from analogkan.engines.session import Session
from analogkan.errors import AnalogKanError

from .measure import Row, beside, not_run
from .subjects import subject

BATCH, TIMES = 300, 100
SMALL = "* a divider\nv1 a 0 1\nr1 a b 1k\nr2 b 0 3k\n.save v(b)\n.op\n.end\n"


def measured(quick: bool = False) -> list[Row]:
    """The session over the program; both start what they need for the batch."""
    try:
        find_library()
    except AnalogKanError as error:
        return [not_run("a session", "the program", str(error))]
    return [_batch(quick), _small(quick)]


def _batch(quick: bool) -> Row:
    with subject(BATCH, quick=quick) as of:
        volts, probes = of.volts, names.logits(of.build.design)
        chunks = plan_chunks(len(volts), len(volts))

        def run(session: bool) -> np.ndarray:
            with BatchEngine(
                of.build.one_deck(), Runner(find_ngspice()), of.folder / "f"
            ) as engine:
                (found,) = engine.run(volts, chunks, probes, BatchOptions(session=session))
            assert found.values is not None, found.error
            return found.values

        same = np.array_equal(run(True), run(False))
        note = "equal to the last digit" if same else "NOT EQUAL"
        what = f"a session, {len(volts)} images, its start included"
        return beside(
            what, "the program", lambda: run(True), lambda: run(False), quick=quick, note=note
        )


def _small(quick: bool) -> Row:
    times = 3 if quick else TIMES
    with tempfile.TemporaryDirectory() as folder, Session() as session:
        deck, raw = Path(folder) / "small.cir", Path(folder) / "small.raw"
        deck.write_text(SMALL, encoding="utf-8")
        runner = Runner(find_ngspice())

        def again() -> None:
            for _ in range(times):
                session.run(SMALL)

        def started() -> None:
            for _ in range(times):
                runner.run(deck, raw, timeout=60)
                read_raw(raw, points=1)

        what = f"a session, a small `.op`, {times} times"
        return beside(what, "the program started for each", again, started, quick=quick)
