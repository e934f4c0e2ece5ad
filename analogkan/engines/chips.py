"""The two engines of studies: ngspice chip by chip, and the twin.

Both work in fixed blocks of images, so that an answer does not depend on jobs or on who asks.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler import names, spice
from ..compiler.chain import Chain, Link
from ..compiler.design import Design
from ..errors import SimulationError
from .base import ChipEngine
from .batch import (
    BatchEngine,
    BatchOptions,
    Exposure,
    at_least_two,
    distinct,
    plan_chunks,
    write_deck,
)
from .ngspice import Ngspice, Runner

BLOCK = 100
"""Images in one ngspice process."""
BLOCK_IMAGES = 1000
"""Of a network with convolutions, whose values are held at once."""


class NgspiceEngine:
    """Writes a chip's deck and lets ngspice sweep the images; see ``base.ChipEngine``.

    Parameters
    ----------
    program
        The ngspice to use.
    keep
        Folder for the decks of blocks that failed.
    """

    name = "ngspice"

    def __init__(self, program: Ngspice, keep: Path) -> None:
        self.program = program
        self.keep = keep
        self._runners: set[Runner] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def logits(
        self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float
    ) -> np.ndarray:
        """Logits (B, O); see ``base.ChipEngine.logits``."""
        of = np.arange(len(volts))
        if design.noise is None:
            first, of = distinct(volts)
            volts, index = volts[first], index[first]
        exposure = self._exposure(design, volts, index, temp_c)
        chunks = plan_chunks(len(volts), BLOCK)
        logits = np.empty((len(volts), design.stages[-1].shape[1]))
        keep = self.keep / _tag(design, temp_c)
        with self._runner() as runner, BatchEngine(design, runner, keep, exposure) as engine:
            probes = names.logits(design)
            for result in engine.run(volts, chunks, probes, BatchOptions()):
                if result.values is None:
                    assert result.error is not None
                    raise SimulationError(
                        f"{result.error} (its deck is kept: {result.error.deck})",
                        deck=result.error.deck,
                        exit_code=result.error.exit_code,
                        stderr_tail=result.error.stderr_tail,
                    )
                logits[result.chunk.start : result.chunk.stop] = result.values
        return logits[of]

    def keep_deck(
        self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float
    ) -> Path:
        """Write the deck of a circuit over a few images where failed ones are kept; its path."""
        folder = self.keep / _tag(design, temp_c)
        folder.mkdir(parents=True, exist_ok=True)
        write_deck(design, folder, temp_c)
        exposure = self._exposure(design, volts, index, temp_c)
        text = spice.write_batch(
            design,
            at_least_two(volts),
            names.logits(design),
            temp_c=temp_c,
            noise=[at_least_two(part) for part in exposure.noise],
        )
        deck = folder / "images.cir"
        deck.write_text(text, encoding="utf-8", newline="\n")
        return deck

    def stop(self) -> None:
        """Kill what runs and start no more."""
        with self._lock:
            self._stopped = True
            for runner in self._runners:
                runner.stop()

    @contextlib.contextmanager
    def _runner(self) -> Iterator[Runner]:
        """A runner of one call's, which ``stop`` reaches."""
        runner = Runner(self.program)
        with self._lock:
            if self._stopped:
                raise SimulationError("stopped")
            self._runners.add(runner)
        try:
            yield runner
        finally:
            with self._lock:
                self._runners.discard(runner)

    def versions(self) -> dict[str, Any]:
        """ngspice's version, KLU or not, its options, the block of images."""
        return {"ngspice": self.program.version, "klu": self.program.klu, "block": BLOCK}

    def _exposure(
        self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float
    ) -> Exposure:
        """The temperature, and read noise as the twin draws and scales it."""
        if design.noise is None:
            return Exposure(temp_c=temp_c)
        from .twin import Twin
        from .twin_inputs import prepared

        currents = Twin([design], temp_c).run(prepared(volts), index).noise
        return Exposure(temp_c=temp_c, noise=[part[0].T.numpy() for part in currents])


def _tag(design: Design, temp_c: float) -> str:
    """A short name for a chip at a temperature."""
    digest = hashlib.sha256(repr((design.name, temp_c, design.noise)).encode())
    for stage in design.stages:
        parts = [stage.g, stage.r_c]
        if stage.errors is not None:
            parts += [stage.errors.k_i, stage.errors.rows.offset, stage.errors.diffs.offset]
        for part in parts:
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:8]


class TwinEngine:
    """Evaluates a chip in closed form; see ``base.ChipEngine``. One torch thread a call."""

    name = "twin"

    def __init__(self) -> None:
        from . import twin, twin_inputs

        twin.use_one_thread()
        self._twin, self._prepare = twin, twin_inputs.prepared
        self._inputs: list[tuple[np.ndarray, Any]] = []

    def logits(
        self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float
    ) -> np.ndarray:
        """Logits (B, O); see ``base.ChipEngine.logits``."""
        chip = self._twin.Twin([design], temp_c)
        return chip.answers(self._prepared(volts), index, TWIN_BLOCK)[0]

    def _prepared(self, volts: np.ndarray) -> Any:
        """The inputs' codes, worked out once an array: a study asks with the same one."""
        for known, inputs in self._inputs:
            if known is volts:
                return inputs
        inputs = self._prepare(volts)
        self._inputs = [*self._inputs[-3:], (volts, inputs)]
        return inputs

    def stop(self) -> None:
        """Nothing runs outside a call."""

    def versions(self) -> dict[str, Any]:
        """torch's version and the block of images."""
        return {"torch": metadata.version("torch"), "block": TWIN_BLOCK}


TWIN_BLOCK = 1000
"""Images the twin evaluates at once."""


def chain_logits(
    engine: ChipEngine, chip: Chain, volts: np.ndarray, index: np.ndarray, temp_c: float
) -> np.ndarray:
    """Logits (B, O) of a chip of one circuit or several; see ``base.ChipEngine.logits``.

    A convolution's points are many: images are taken ``BLOCK_IMAGES`` at a time.
    """

    def evaluate(link: Link, points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        return engine.logits(link.design, points, numbers, temp_c)

    size = BLOCK_IMAGES if chip.convolutional else len(volts)
    blocks = [slice(k, k + size) for k in range(0, len(volts), size)]
    return np.concatenate([chip.run(volts[b], index[b], evaluate) for b in blocks])


def keep_decks(
    engine: NgspiceEngine, chip: Chain, volts: np.ndarray, index: np.ndarray, temp_c: float
) -> list[Path]:
    """``NgspiceEngine.keep_deck`` of every circuit, each with what ngspice says drives it."""
    found = []

    def evaluate(link: Link, points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        found.append(engine.keep_deck(link.design, points, numbers, temp_c))
        if link.section == chip.links[-1].section:
            return points  # nothing follows
        return engine.logits(link.design, points, numbers, temp_c)

    chip.run(volts, index, evaluate)
    return found
