"""What a batch is: its chunks, how they are run, and what they are simulated under."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..compiler import spice_cells
from ..errors import SimulationError
from .verdict import Difference

MIN_CHUNK, MAX_CHUNK = 50, 500


@dataclass(frozen=True)
class Chunk:
    """Images ``start`` to ``stop`` of a study, simulated in one ngspice process."""

    number: int
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class ChunkResult:
    """What came of a chunk: ``values``, of a sweep (n, probes), or what kept them from coming.

    ``seconds`` is the wall time of the attempts, ``attempts`` 1 or 2, ``difference`` what the check
    said of the values.
    """

    chunk: Chunk
    values: np.ndarray | None
    error: SimulationError | None
    seconds: float
    attempts: int
    difference: Difference | None = None


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How a batch is run; ``chunk`` and ``timeout`` (seconds a chunk) of 0 choose for you.

    ``session`` runs it in libngspice, in a worker process a job, instead of the program; ``alone``
    runs image by image, each from the macro-model's volts.
    ``on_first`` is told seconds and megabytes of the first two images, where these are run alone to
    know.
    """

    jobs: int = 1
    chunk: int = 0
    timeout: float = 0.0
    descending: bool = False
    session: bool = False
    alone: bool = False
    on_first: Callable[[float, float], None] = lambda seconds, megabytes: None


def plan_chunks(n: int, size: int = 0) -> list[Chunk]:
    """Blocks of ``size`` images, or of a size that follows from n alone.

    Not from the number of jobs: so the result does not depend on it to the last bit.
    """
    size = size or min(MAX_CHUNK, max(MIN_CHUNK, -(-n // 4)))
    return [Chunk(k, a, min(a + size, n)) for k, a in enumerate(range(0, n, size))]


@dataclass(frozen=True, eq=False, kw_only=True)
class Exposure:
    """What a batch is simulated under: degrees Celsius; for each stage the noise currents
    (n, 2 O), amperes, of the n images, or none."""

    temp_c: float = spice_cells.TEMPERATURE_C
    noise: Sequence[np.ndarray] = ()

    def part(self, chunk: Chunk) -> Exposure:
        """The part of it that a chunk's images see."""
        return replace(self, noise=[currents[chunk.start : chunk.stop] for currents in self.noise])
