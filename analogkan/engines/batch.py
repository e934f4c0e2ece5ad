"""Batch inference: many images as DC sweeps of an index source, chunk by chunk, in parallel."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import numpy as np

from ..compiler.circuit_files import write_deck
from ..compiler.deck import Deck, deck_files
from ..compiler.design import Design
from ..compiler.forecast import expected_cost
from ..compiler.lines import deck_bytes
from ..dialects import NGSPICE
from ..dialects.printed import TOO_LONG
from ..errors import SimulationError
from ..files import copy_file
from .analysis import INDEX_SWEEP, Analysis, Asked
from .chunked import BatchOptions, Chunk, ChunkResult, Exposure
from .ngspice import Runner
from .scratch import room_in, scratch
from .session import SessionRunner
from .starts import (
    FROM_ZERO,
    STARTED,
    Way,
    first_found,
    has_sources,
    no_point,
    relative_size,
    said_of,
    ways_of_one,
)
from .verdict import Difference

FIRST_SECONDS = 3600.0
"""What images of a circuit with black boxes may take, each, while nothing is known. Assumed."""
FIRST_TIMES = 15.0
"""Of a circuit with a user's op-amp: a minute, and so many times what its size lets expect.
`two_stage_level1` from 0 V takes 12 times as long. Assumed."""
SLOWER = 5.0
"""Times as long as the first two images alone, a start from nothing and a step, may each of a chunk
take: others run beside it, and some images are harder. Assumed."""
Check = Callable[[int, np.ndarray], Difference | None]
"""As ``verdict.Reference.check``: called with the number of the first image, and its values."""


class BatchEngine:
    """Runs a deck over many images: a build's own files as they are on disk, or a design's, which
    is written if those are another simulator's.

    Use as a context manager: it works in a temporary copy of the deck.

    Parameters
    ----------
    circuit
        A build, or a design whose deck is written for the purpose.
    runner
        What runs ngspice, or another simulator.
    keep
        Folder in which the deck of a chunk that failed is kept.
    exposure
        Temperature, and noise of the images that will be run.
    analysis
        What is asked of the deck.
    first_seconds
        Of the first two images alone, if it is known: else they are run, before the others, where
        the circuit has black boxes, of which nobody else knows how long they take.

    Attributes
    ----------
    first_seconds
        The same, once it is known; 0 where it is not.
    found_alone
        How images were found that were run alone.
    """

    def __init__(
        self,
        circuit: Deck | Design,
        runner: Runner,
        keep: Path,
        exposure: Exposure = Exposure(),
        analysis: Analysis = INDEX_SWEEP,
        first_seconds: float = 0.0,
    ) -> None:
        self.circuit, self.analysis = circuit, analysis
        self.exposure = exposure
        self.design = circuit.design if isinstance(circuit, Deck) else circuit
        self.keep = keep
        self.runner: Runner | SessionRunner = runner
        self._expected = expected_cost(self.design)["seconds_per_image"]
        hardware = self.design.hardware
        self._boxed = hardware.amplifier.boxed or bool(hardware.libraries)
        texts = [library.text for library in hardware.libraries.values()]
        self._own = bool(texts) and analysis.write is INDEX_SWEEP.write
        self._sourced = self._own and has_sources(texts)
        self._expected *= relative_size(texts)
        self._way, self._alone = STARTED if self._sourced else FROM_ZERO, False
        self.found_alone: list[Way] = []
        self.first_seconds = first_seconds
        self._folder = Path()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> BatchEngine:
        self._folder = self._stack.enter_context(scratch())
        try:
            with room_in(self._folder):
                say = self.runner.dialect
                if isinstance(self.circuit, Deck) and self.circuit.dialect == say.name:
                    copy_deck(self.circuit, self._folder)
                else:
                    write_deck(self.design, self._folder, self.exposure.temp_c, say)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc) -> None:
        self.runner.stop()
        self._stack.close()

    def answer(
        self, volts: np.ndarray, probes: Sequence[str], chunk: Chunk | None = None
    ) -> np.ndarray:
        """What one ``chunk`` of ``volts`` (n, I) gives, by default all of them in one.

        Raises
        ------
        SimulationError
            If it fails twice; its deck is kept.
        """
        (result,) = self.run(volts, [chunk or Chunk(0, 0, len(volts))], probes)
        if result.error is not None:
            raise result.error
        assert result.values is not None
        return result.values

    def run(
        self,
        volts: np.ndarray,
        chunks: Sequence[Chunk],
        probes: Sequence[str],
        options: BatchOptions = BatchOptions(),
        check: Check = lambda start, values: None,
    ) -> Iterator[ChunkResult]:
        """Results of ``chunks`` of ``volts`` (n, I) as they are finished, in any order.

        A chunk that fails, or whose values ``check`` refuses, is tried once more, cold and swept
        the other way, or with a user's op-amps image by image; if it fails again its result carries
        the error and its deck is kept. Leaving the engine kills what still runs.

        Raises
        ------
        SimulationError
            If the first two images alone, of a circuit with black boxes, take too long.
        ConvergenceError
            If they have no operating point that is found, with a user's op-amps.
        """
        if options.session and isinstance(self.runner, Runner):
            self.runner = SessionRunner()
        self._measure(volts, chunks, probes, options)
        waiting = list(reversed(chunks))
        jobs = max(1, options.jobs)
        # On the stack, so that its threads have ended before their folder is removed.
        pool = self._stack.enter_context(ThreadPoolExecutor(max_workers=jobs))
        running = set()
        while waiting or running:
            while waiting and len(running) < jobs:
                chunk = waiting.pop()
                block = volts[chunk.start : chunk.stop]
                part = self.exposure.part(chunk)
                running.add(pool.submit(self._chunk, chunk, block, probes, options, part, check))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()

    def _measure(
        self,
        volts: np.ndarray,
        chunks: Sequence[Chunk],
        probes: Sequence[str],
        options: BatchOptions,
    ) -> None:
        """How long the first two images take alone, if that is to be known before all are run."""
        several = self.analysis.sweeps and sum(chunk.stop - chunk.start for chunk in chunks) > 1
        known = bool(options.timeout or self.first_seconds)
        if not self._boxed or known or not several or options.alone:
            return
        started = time.perf_counter()
        two = Chunk(0, chunks[0].start, min(chunks[0].start + 2, chunks[0].stop))
        try:
            with room_in(self._folder):
                self._find_way(volts[two.start : two.stop], probes, options, two)
        except SimulationError as error:
            if not TOO_LONG.fullmatch(str(error)):
                if self._has_ways(options):
                    raise
                return  # their chunk says so, when it has been tried both ways
            raise SimulationError(
                f"{error}, the first two images alone: --timeout gives chunks as long as they need"
            ) from error
        self.first_seconds = time.perf_counter() - started
        options.on_first(self.first_seconds, self.runner.peak_megabytes)

    def _has_ways(self, options: BatchOptions) -> bool:
        """Whether images can be run one by one, from the macro-model's volts."""
        return self._own and not options.session and self.runner.dialect is NGSPICE

    def _find_way(
        self, volts: np.ndarray, probes: Sequence[str], options: BatchOptions, two: Chunk
    ) -> None:
        """Run the first images, ``two`` of them, and know how the others are run."""
        ask = partial(self._attempt, self._folder / "first.cir", probes=probes)
        limit = self._first_limit(len(volts)) * self.analysis.effort
        has_ways = self._has_ways(options)
        way = self._way if has_ways else FROM_ZERO
        try:
            ask(volts=volts, timeout=limit, exposure=self.exposure.part(two), way=way)
        except SimulationError as error:
            if self.runner.stopped or not (has_ways and no_point(error)):
                raise
            try:
                self._one_by_one(ask, volts, two)
            except SimulationError as last:
                raise said_of(last, self.design.name, self._keep("first", "first")) from last
            self._alone = True
            self.found_alone.clear()  # their chunk has them again

    def _one_by_one(
        self, ask: Callable[..., np.ndarray], volts: np.ndarray, chunk: Chunk, timeout: float = 0.0
    ) -> np.ndarray:
        """Images of a ``chunk``, each by itself from the macro-model's volts."""
        ways, found = ways_of_one(sourced=self._sourced), list[np.ndarray]()
        for k, image in enumerate(range(chunk.start, chunk.start + len(volts))):
            way, values = first_found(
                partial(
                    ask, volts=volts[k : k + 1], timeout=timeout or self._first_limit(1),
                    exposure=self.exposure.part(Chunk(0, image, image + 1)), alone=True,
                ),
                ways,
                self.runner,
            )  # fmt: skip
            found.append(values)
            self.found_alone.append(way)
            ways.sort(key=lambda one: one is not way)  # it finds the next one too, most likely
        return np.concatenate(found)

    def _chunk(
        self,
        chunk: Chunk,
        volts: np.ndarray,
        probes: Sequence[str],
        options: BatchOptions,
        exposure: Exposure,
        check: Check,
    ) -> ChunkResult:
        started = time.perf_counter()
        error: SimulationError | None = None
        has_ways = self._has_ways(options)
        single = self._sourced and len(volts) == 1
        alone = options.alone or (has_ways and (self._alone or single))
        for attempt in (1,) if alone else (1, 2):
            descending = options.descending != (attempt == 2)
            deck = self._folder / f"chunk{chunk.number:05d}_{attempt}.cir"
            try:
                with room_in(self._folder):
                    ask = partial(self._attempt, deck, probes=probes)
                    if alone or (has_ways and attempt == 2):
                        values = self._one_by_one(ask, volts, chunk, options.timeout)
                    else:
                        how = {"descending": descending, "timeout": options.timeout}
                        way = self._way if has_ways else FROM_ZERO
                        values = ask(volts=volts, exposure=exposure, way=way, **how)
                found = check(chunk.start, values)
            except SimulationError as failure:
                if self.runner.stopped:
                    raise
                error = failure
                continue
            for path in deck.parent.glob(f"{deck.stem}.*"):
                path.unlink()
            spent = time.perf_counter() - started
            return ChunkResult(chunk, values, None, spent, attempt, found)
        assert error is not None
        kept = self._keep(f"chunk{chunk.number:05d}", deck.stem)
        failure = type(error)(
            str(error),
            deck=kept,
            exit_code=error.exit_code,
            stderr_tail=error.stderr_tail,
        )
        return ChunkResult(chunk, None, failure, time.perf_counter() - started, attempt)

    def _attempt(
        self,
        deck: Path,
        volts: np.ndarray,
        probes: Sequence[str],
        timeout: float,
        exposure: Exposure,
        descending: bool = False,
        alone: bool = False,
        way: Way = FROM_ZERO,
    ) -> np.ndarray:
        """One run of one chunk, or image: what the analysis reads, or SimulationError."""
        asked = Asked(
            design=self.design,
            volts=volts,
            probes=probes,
            descending=descending,
            temp_c=exposure.temp_c,
            noise=exposure.noise,
            dialect=self.runner.dialect,
            alone=alone,
            way=way,
        )
        deck.write_text(self.analysis.write(asked), encoding="utf-8", newline="\n")
        raw = deck.with_suffix(".raw")
        self.runner.run(
            deck, raw, timeout=timeout or self._time_limit(len(volts) * self.analysis.effort)
        )
        vectors = asked.dialect.read(raw, points=self.analysis.points(asked))
        wanted = [*filter(None, [self.analysis.axis]), *self.analysis.vectors(asked)]
        missing = [name for name in wanted if name not in vectors]
        if missing:
            by = self.runner.dialect.name
            raise SimulationError(f"{by} delivered no {missing[0]}", deck=deck)
        return self.analysis.read(asked, vectors)

    def _time_limit(self, n: float) -> float:
        """Seconds: a minute, and thirty times what KLU is expected to need; more if the simulator
        is known to be slower. Of black boxes ``SLOWER`` times what the first two images took."""
        if self._boxed:
            return 60 + n * (SLOWER * self.first_seconds or FIRST_SECONDS)
        return (60 + 30 * n * self._expected) * self.runner.dialect.patience

    def _first_limit(self, n: int) -> float:
        """Seconds that the first ``n`` images may take."""
        return 60 + n * FIRST_TIMES * self._expected if self._own else n * FIRST_SECONDS

    def _keep(self, where: str, stem: str) -> Path:
        """Copy a failed deck, whole and runnable, to where it is kept; its path."""
        folder = self.keep / where
        folder.mkdir(parents=True, exist_ok=True)
        for name in [*deck_files(self.design), f"{stem}.cir", f"{stem}.log"]:
            if (self._folder / name).is_file():
                copy_file(self._folder / name, folder / name)
        return folder / f"{stem}.cir"


def distinct(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of ``points`` (n, I) the ``first`` (u,) of each kind, as they come, and which kind each is
    ``of`` (n,): equal inputs, such as of a map's blank corners, are one state of a circuit."""
    _, first, of = np.unique(points, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # as they come, so that a chunk holds one image after the other
    return first[order], np.argsort(order)[of.reshape(-1)]


def copy_deck(build: Deck, folder: Path) -> None:
    """Copy a build's deck; NetlistError if a file of it is gone, or is no file."""
    for name in build.deck_files():
        (folder / name).write_bytes(deck_bytes(build.folder / name))
