"""The two engines of studies: a simulator, mostly ngspice, chip by chip; and the twin.

Both work in fixed blocks of images, so that an answer does not depend on jobs or on who asks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler import names
from ..compiler.circuit import Circuit, Link
from ..compiler.circuit_files import write_deck
from ..compiler.converters import adcs_of, driven
from ..compiler.design import Design
from ..dialects import NGSPICE, Dialect
from ..errors import SimulationError
from ..files import write_text
from .analysis import INDEX_SWEEP, Asked
from .arithmetic import Arithmetic
from .base import ChipEngine
from .batch import BatchEngine, distinct
from .chunked import BatchOptions, Exposure, plan_chunks
from .ngspice import Ngspice, Runner
from .twin_engine import TwinEngine
from .verdict import Difference, Reference, farthest

BLOCK = 100
"""Images in one ngspice process."""
BLOCK_IMAGES = 1000
"""Of a network with convolutions, whose values are held at once."""


class NgspiceEngine:
    """Writes a chip's deck and lets ngspice sweep the images; see ``base.ChipEngine``.

    Parameters
    ----------
    program
        The ngspice to use, or another simulator.
    keep
        Folder for the decks of blocks that failed.
    """

    def __init__(self, program: Ngspice, keep: Path) -> None:
        self.program, self.name = program, program.name
        self.keep = keep
        self._runners: set[Runner] = set()
        self._first_seconds: dict[tuple[Any, ...], float] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def logits(
        self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float
    ) -> np.ndarray:
        """Logits (B, O) as they come; see ``base.ChipEngine.logits``."""
        return self._sweep(design, volts, index, temp_c, None)[0]

    def judged(
        self, link: Link, volts: np.ndarray, index: np.ndarray, temp_c: float, *, last: bool
    ) -> tuple[np.ndarray, Difference | None]:
        """Logits (B, O) of a chain's circuit, the ``last`` or not, and how far the farthest is from
        the closed form of that very circuit; None if there is none.

        Raises
        ------
        DisagreementError
            If it is farther than the twin may be from ngspice, twice.
        """
        section = link.section

        def refer(volts: np.ndarray, index: np.ndarray) -> Reference:
            return Reference(
                link.design,
                self.program.klu,
                volts,
                index,
                images=index // section.positions,
                temp_c=temp_c,
                layer=section.first,
                column=section.outputs[link.share][0],
                logits=last,
                by=self.name,
            )

        return self._sweep(link.design, volts, index, temp_c, refer)

    def _sweep(
        self,
        design: Design,
        volts: np.ndarray,
        index: np.ndarray,
        temp_c: float,
        refer: Callable[[np.ndarray, np.ndarray], Reference] | None,
    ) -> tuple[np.ndarray, Difference | None]:
        """Logits (B, O), and the largest difference from what they are referred to."""
        of, volts = np.arange(len(volts)), driven(design, volts, index, temp_c)
        if not design.noisy:
            first, of = distinct(volts)
            volts, index = volts[first], index[first]
        check = _unjudged if refer is None else refer(volts, index).check
        exposure = exposure_of(design, volts, index, temp_c)
        chunks = plan_chunks(len(volts), BLOCK)
        logits = np.empty((len(volts), design.stages[-1].shape[1]))
        found: list[Difference | None] = []
        keep = self.keep / chip_tag(design, temp_c)
        alike = (*design.hardware.opamps.values(), *(stage.shape for stage in design.stages))
        known = self._first_seconds.get(alike, 0.0)
        with (
            self._runner() as runner,
            BatchEngine(design, runner, keep, exposure, first_seconds=known) as engine,
        ):
            probes = names.logits(design)
            for result in engine.run(volts, chunks, probes, BatchOptions(), check):
                if result.values is None:
                    assert result.error is not None
                    raise type(result.error)(
                        f"{result.error} (its deck is kept: {result.error.deck})",
                        deck=result.error.deck,
                        exit_code=result.error.exit_code,
                        stderr_tail=result.error.stderr_tail,
                    )
                logits[result.chunk.start : result.chunk.stop] = result.values
                found.append(result.difference)
            self._first_seconds[alike] = engine.first_seconds
        return logits[of], farthest(found)

    def keep_deck(
        self, design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float
    ) -> Path:
        """Write the deck of a circuit over a few images where failed ones are kept; its path."""
        folder = self.keep / chip_tag(design, temp_c)
        folder.mkdir(parents=True, exist_ok=True)
        say = self.program.dialect
        write_deck(design, folder, temp_c, say)
        return write_images(design, folder, volts, index, temp_c, say)

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
        """The simulator's version, KLU or not, the block of images."""
        return {**self.program.facts(), "block": BLOCK}


def write_images(
    design: Design,
    folder: Path,
    volts: np.ndarray,
    index: np.ndarray,
    temp_c: float,
    say: Dialect = NGSPICE,
) -> Path:
    """Write ``images.cir`` beside a deck's files: it as a sweep over ``volts`` (B, I) that DACs are
    to give for images ``index`` (B,); its path."""
    volts = driven(design, volts, index, temp_c)
    asked = Asked(
        design=design,
        volts=volts,
        probes=names.logits(design),
        temp_c=temp_c,
        noise=exposure_of(design, volts, index, temp_c).noise,
        dialect=say,
    )
    deck = folder / "images.cir"
    write_text(deck, INDEX_SWEEP.write(asked))
    return deck


def exposure_of(design: Design, volts: np.ndarray, index: np.ndarray, temp_c: float) -> Exposure:
    """The temperature, and read noise as the twin draws and scales it."""
    if not design.noisy:
        return Exposure(temp_c=temp_c)
    from .twin import Twin, one_torch_thread
    from .twin_inputs import prepared

    with one_torch_thread:
        currents = Twin([design], temp_c).run(prepared(volts), index).noise
    return Exposure(temp_c=temp_c, noise=[part[0].T.numpy() for part in currents])


def _unjudged(start: int, values: np.ndarray) -> None:
    """A check that finds nothing: the twin's own judge holds these values against the twin."""


def chip_tag(design: Design, temp_c: float) -> str:
    """A short name that no other chip, and no other temperature, has."""
    return hashlib.sha256("\n".join(_told((design, temp_c))).encode()).hexdigest()[:12]


def _told(part: Any) -> Iterator[str]:
    """Everything that a design holds, whatever it is made of, as texts."""
    if dataclasses.is_dataclass(part):
        part = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    if isinstance(part, np.ndarray):
        yield f"{part.dtype} {part.shape} {hashlib.sha256(part.tobytes()).hexdigest()}"
    elif isinstance(part, dict):
        for key, value in part.items():
            yield f"{key}:"
            yield from _told(value)
    elif isinstance(part, (tuple, list)):
        yield f"{len(part)} of"
        for value in part:
            yield from _told(value)
    else:
        yield repr(part)


def open_engine(
    name: str, program: Ngspice | None, keep: Path, arithmetic: Arithmetic = Arithmetic()
) -> NgspiceEngine | TwinEngine:
    """The engine called ``name``; decks that fail are kept in ``keep``."""
    if name == "twin":
        return TwinEngine(arithmetic)
    assert program is not None
    return NgspiceEngine(program, keep)


def chain_logits(
    engine: ChipEngine,
    chip: Circuit,
    volts: np.ndarray,
    index: np.ndarray,
    temp_c: float,
    seen: list[Difference | None] | None = None,
    *,
    classes: bool = False,
) -> np.ndarray:
    """Logits (B, O) of a chip of one circuit or several; see ``base.ChipEngine.logits``.

    A convolution's points are many: images are taken ``BLOCK_IMAGES`` at a time. With ``seen``,
    ngspice is judged: every circuit against its closed form on the inputs that it was given, and
    what was found is added. ``classes``: that the largest logits are right is enough; it is more
    where they are converted, or are not all from one circuit.
    """
    alone = len(chip.links) == 1 and adcs_of(chip.links[0].design) is None

    def evaluate(link: Link, points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        if classes and alone and isinstance(engine, TwinEngine):
            return engine.classes(link.design, points, numbers, temp_c)
        if seen is None or not isinstance(engine, NgspiceEngine):
            return engine.logits(link.design, points, numbers, temp_c)
        last = link.section == chip.links[-1].section
        logits, found = engine.judged(link, points, numbers, temp_c, last=last)
        seen.append(found)
        return logits

    size = BLOCK_IMAGES if chip.convolutional else len(volts)
    blocks = [slice(k, k + size) for k in range(0, len(volts), size)]
    return np.concatenate([chip.run(volts[b], index[b], evaluate, temp_c) for b in blocks])


def keep_decks(
    engine: NgspiceEngine, chip: Circuit, volts: np.ndarray, index: np.ndarray, temp_c: float
) -> list[Path]:
    """``NgspiceEngine.keep_deck`` of every circuit, each with what ngspice says drives it."""
    found = []

    def evaluate(link: Link, points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        found.append(engine.keep_deck(link.design, points, numbers, temp_c))
        if link.section == chip.links[-1].section:
            return points  # nothing follows
        return engine.logits(link.design, points, numbers, temp_c)

    chip.run(volts, index, evaluate, temp_c)
    return found
