"""A circuit over many images in ngspice, chunk by chunk, kept as they are finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..compiler import names
from ..compiler.converters import driven
from ..compiler.deck import Deck
from ..compiler.spice_cells import TEMPERATURE_C
from ..dialects.printed import TOO_LONG
from ..engines.batch import BatchEngine
from ..engines.chip_engines import exposure_of
from ..engines.chunked import BatchOptions, Chunk, ChunkResult, Exposure, plan_chunks
from ..engines.ngspice import Ngspice, Runner
from ..engines.starts import MENDED
from ..engines.verdict import Difference, Reference
from ..errors import ConvergenceError, DisagreementError
from .evidence import hidden_nets, supply_currents, supply_watts
from .store import FAILED, StudyStore

FIRST, ALONE = "first_seconds", "found_alone"


@dataclass(frozen=True, eq=False)
class Answers:
    """What a circuit answered to n images.

    Attributes
    ----------
    logits
        (n, O).
    hidden
        By layer, but the last: (n, width) in software's unit.
    retried
        Chunks that were run twice.
    seconds
        Wall time, in this and earlier sessions of the RUN.
    chunks
        How many there were.
    first_seconds
        Wall time of the first two images alone, of all circuits; 0 if they were not run alone.
    megabytes
        Of the largest ngspice process; 0 if not known.
    damaged
        Kept chunks that were not believed, and simulated again.
    judged
        The largest difference from the closed form, a chunk; None where there is none.
    why_not
        Why these are no verdict, a circuit; empty if they are.
    watts
        (n,) out of the supplies of op-amps of transistors; (0,) where there are none.
    found_alone
        Images that were run by themselves from the macro-model's volts, and those of them that
        took the solver Sparse 1.3.
    """

    logits: np.ndarray
    hidden: dict[int, np.ndarray]
    retried: int
    seconds: float
    chunks: int
    first_seconds: float
    megabytes: float
    damaged: int
    judged: list[Difference | None]
    why_not: list[str]
    watts: np.ndarray
    found_alone: tuple[int, int] = (0, 0)


def run_deck(
    deck: Deck,
    program: Ngspice,
    volts: np.ndarray,
    index: np.ndarray,
    options: BatchOptions,
    store: StudyStore,
    on_progress: Callable[[int, int], None],
    *,
    layer: int = 0,
    column: int = 0,
    logits: bool = True,
    why_not: str = "",
    temp_c: float = TEMPERATURE_C,
) -> Answers:
    """A deck over ``volts`` (n, I) of the images ``index`` (n,); ``store`` keeps every chunk.

    Everything that ngspice gives is held against the closed form of the same circuit on the same
    voltages; what is kept too. ``layer``, ``column``, ``logits``, ``why_not`` and ``temp_c`` are a
    ``Reference``'s.

    Raises
    ------
    SimulationError
        If chunks failed twice: the message lists what they hold. Finished ones stay in the store.
    """
    design = deck.design
    volts = driven(design, volts, index, temp_c)
    chunks = plan_chunks(len(volts), options.chunk)
    reference = Reference(
        design,
        program.klu,
        volts,
        index,
        hidden=True,
        layer=layer,
        column=column,
        logits=logits,
        why_not=why_not,
        temp_c=temp_c,
        by=program.name,
    )
    exposure = exposure_of(design, volts, index, temp_c)
    values, retried, judged = _run_chunks(
        deck, program, volts, index, chunks, options, store, on_progress, reference, exposure
    )
    outputs = design.stages[-1].gain.size
    hidden, start = {}, outputs
    for k, stage in enumerate(design.stages[:-1]):
        hidden[k] = values[:, start : start + stage.gain.size] / stage.unit
        start += stage.gain.size
    return Answers(
        values[:, :outputs],
        hidden,
        retried,
        store.spent(),
        len(chunks),
        store.get(FIRST) or 0.0,
        store.peak(),
        store.damaged,
        judged,
        [reference.why_not],
        supply_watts(design, values[:, start:]) if start < values.shape[1] else np.zeros(0),
        tuple(store.get(ALONE) or (0, 0)),
    )


def _run_chunks(
    deck: Deck,
    program: Ngspice,
    volts: np.ndarray,
    index: np.ndarray,
    chunks: Sequence[Chunk],
    options: BatchOptions,
    store: StudyStore,
    on_progress: Callable[[int, int], None],
    reference: Reference,
    exposure: Exposure,
) -> tuple[np.ndarray, int, list[Difference | None]]:
    """Logits and hidden nodes of all chunks, (n, O + nets), how many were retried, and how far
    each is from ``reference``."""
    design = deck.design
    probes = [*names.logits(design), *hidden_nets(design), *supply_currents(design)]
    values = np.empty((len(volts), len(probes)))
    missing, judged = [], []
    for chunk in chunks:
        stored = store.chunk(chunk, len(probes))
        if stored is None:
            missing.append(chunk)
            continue
        try:
            judged.append(reference.check(chunk.start, stored))
        except DisagreementError:  # simulated again, which says what is wrong if that stays so
            store.damaged += 1
            missing.append(chunk)
            continue
        values[chunk.start : chunk.stop] = stored
    done = len(volts) - sum(c.stop - c.start for c in missing)
    on_progress(done, len(volts))
    if not missing:
        return values, 0, judged
    failures: list[ChunkResult] = []
    retried = 0
    since = time.perf_counter()
    with BatchEngine(deck, Runner(program), store.path / FAILED, exposure) as engine:
        for result in engine.run(volts, missing, probes, options, reference.check):
            now = time.perf_counter()
            store.add_chunk(result, now - since, engine.runner.peak_megabytes)
            since = now
            if result.values is None:
                failures.append(result)
                continue
            retried += result.attempts - 1
            judged.append(result.difference)
            values[result.chunk.start : result.chunk.stop] = result.values
            done += len(result.values)
            on_progress(done, len(volts))
        if engine.first_seconds:
            store.put(FIRST, engine.first_seconds)
        if engine.found_alone:
            before = store.get(ALONE) or (0, 0)
            sparse = sum(not way.direct for way in engine.found_alone)
            store.put(ALONE, [before[0] + len(engine.found_alone), before[1] + sparse])
    if failures:
        own = bool(design.hardware.libraries)
        _raise_failures(failures, store.path, index, len(chunks), own=own)
    return values, retried, judged


def _raise_failures(
    failures: list[ChunkResult], run: Path, index: np.ndarray, total: int, *, own: bool
) -> None:
    """Raise what happened; ``own``: the circuit has an op-amp of the user's."""
    failures.sort(key=lambda result: result.chunk.number)
    listed = "; ".join(
        f"images {index[r.chunk.start]} to {index[r.chunk.stop - 1]} "
        f"({r.chunk.stop - r.chunk.start} of them)"
        for r in failures[:5]
    )
    more = f" and {len(failures) - 5} chunks more" if len(failures) > 5 else ""
    first = failures[0].error
    assert first is not None
    limit = TOO_LONG.fullmatch(str(first))
    longer = f": --timeout {2 * float(limit[1]):g} gives it twice as long" if limit else ""
    if own and isinstance(first, ConvergenceError):
        longer = f": {MENDED}"
    tries = " twice" if all(r.attempts == 2 for r in failures) else ""
    raise type(first)(
        f"{len(failures)} of {total} chunks failed{tries}: {listed}{more}. "
        f"First reason: {first}{longer}. Its deck is kept: {first.deck}. "
        "The same command tries the failed chunks again"
        + (f"; finished ones are kept in {run}" if len(failures) < total else ""),
        deck=first.deck,
        exit_code=first.exit_code,
        stderr_tail=first.stderr_tail,
    )
