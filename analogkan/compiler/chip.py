"""What makes a circuit one chip: the errors that a nominal stage has not.

Conductances, feedback resistors and the gains of difference amplifiers that are off by a little
need no fields of their own: they are the stage's arrays, changed.
Axes: I inputs, D diodes, O outputs; R rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import SimulationError
from ..streams import Place
from .cell_law import CellLaw
from .converters import Adcs, Dacs
from .holds import Holds


@dataclass(frozen=True, eq=False, kw_only=True)
class OpAmpErrors:
    """Errors of a group of op-amps, or of other amplifying blocks, arrays of the group's shape.

    Attributes
    ----------
    gain
        Gain as a share of the design's; of an op-amp its open-loop gain.
    offset
        Volts at the input at 26.85 degC.
    drift
        Volts per kelvin of the offset.
    """

    gain: np.ndarray
    offset: np.ndarray
    drift: np.ndarray

    def offset_at(self, dt: float | np.ndarray) -> np.ndarray:
        """Offsets, volts, ``dt`` kelvins above 26.85 degC."""
        return self.offset + self.drift * dt


@dataclass(frozen=True, eq=False, kw_only=True)
class SquashErrors:
    """Errors of a stage's squash cells.

    Attributes
    ----------
    pair
        (I,) volts between the bases of each pair at 26.85 degC, as k T / q ln(Is1 / Is2): it grows
        with the absolute temperature. Nothing to a cell without transistors.
    loads
        (I, n) each load as a share of the design's; n is the kind's ``n_loads``.
    tail
        (I,) tail currents as shares of the design's.
    offset, drift
        (I,) volts at the outputs at 26.85 degC, and volts per kelvin of that: the op-amp's offset
        of a sigmoid cell; of a tanh cell twice that of its last one, less that of the other.
    load_tc1, tail_tc1
        1/K, of the loads' resistance and of the tail currents, from 26.85 degC on.
    """

    pair: np.ndarray
    loads: np.ndarray
    tail: np.ndarray
    offset: np.ndarray
    drift: np.ndarray
    load_tc1: float
    tail_tc1: float


@dataclass(frozen=True, eq=False, kw_only=True)
class NormErrors:
    """Errors of a LayerNorm's parts; gains as shares of the design's, offsets at the inputs.

    Attributes
    ----------
    r_mean, r_square
        (I,) averaging resistors of the mean and of the variance, as shares of the design's.
    squares, outputs
        Squarers and multipliers, (I,).
    core
        The reciprocal square root, (1,).
    """

    r_mean: np.ndarray
    r_square: np.ndarray
    squares: OpAmpErrors
    outputs: OpAmpErrors
    core: OpAmpErrors


@dataclass(frozen=True, eq=False, kw_only=True)
class FrontErrors:
    """Errors of what stands before a stage's diodes; None: as designed, or not there."""

    squash: SquashErrors | None = None
    norm: NormErrors | None = None


@dataclass(frozen=True, kw_only=True)
class ReadNoise:
    """Noise of a layer's cells at every read.

    Attributes
    ----------
    sigma
        Of a cell, as a share of its conductance: of all alike, or (R, 2 O).
    place, stream
        What the noise is drawn from, beside the image.
    """

    sigma: float | np.ndarray
    place: Place
    stream: int

    @property
    def scale(self) -> float:
        """What is common to all: 1 where each cell has its own."""
        sigma: Any = self.sigma
        return 1.0 if np.ndim(sigma) else sigma

    def weights(self, shape: tuple[int, ...]) -> np.ndarray:
        """What each cell's noise is of ``scale``, (R or more, 2 O). What stands behind the cells
        for a change of them, as in training, has none where each cell has its own."""
        sigma: Any = self.sigma
        if not np.ndim(sigma):
            return np.ones(shape)
        return np.pad(sigma, ((0, shape[0] - len(sigma)), (0, 0)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Written:
    """How the cells of one stage were programmed, siemens (R, 2 O).

    Attributes
    ----------
    target
        What they were to be.
    g
        What they were.
    """

    target: np.ndarray
    g: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Warmth:
    """How much warmer than the ambient the parts of one stage are, kelvins.

    Attributes
    ----------
    cells
        (R, 2 O).
    rows
        (I, D) diodes, each with its amplifier and feedback.
    lines
        (2 O,) line amplifiers and their feedback.
    diffs
        (O,) difference amplifiers; (0,) of a summing read-out.
    """

    cells: np.ndarray
    rows: np.ndarray
    lines: np.ndarray
    diffs: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class StageErrors:
    """Errors of one stage of one chip.

    Attributes
    ----------
    k_i, k_v, d_v
        (I, D) factors of each diode: I = k_i f(k_v V + d_v), d_v in volts and ramped in over
        ``RAMP_VOLTS`` so that nothing flows at 0 V.
    rows
        Op-amps behind the diodes, (I, D).
    lines
        Op-amps of the lines, (2 O,).
    diffs
        Op-amps of the difference amplifiers, (O,).
    stuck
        (R, 2 O) cells that programming does not change.
    noise
        Of its cells at every read; None without.
    cell_tc1
        (R, 2 O) 1/K, each cell's own first coefficient of resistance; None: the hardware's.
    warmth
        What its parts have above the ambient; None: nothing.
    law
        How the current of its cells follows voltage; None: as a resistor's.
    written
        How its cells were programmed, where their aging follows from it.
    front
        Of its squash and LayerNorm cells; None: they are as designed.
    dacs
        What drives it, of a network's first stage; None if that is exact.
    adcs
        What reads its outputs, of the last stage; None if it is the design's.
    holds
        What holds its outputs, between circuits; None if that is exact.
    """

    k_i: np.ndarray
    k_v: np.ndarray
    d_v: np.ndarray
    rows: OpAmpErrors
    lines: OpAmpErrors
    diffs: OpAmpErrors
    stuck: np.ndarray
    noise: ReadNoise | None = None
    cell_tc1: np.ndarray | None = None
    warmth: Warmth | None = None
    law: CellLaw | None = None
    written: Written | None = None
    front: FrontErrors | None = None
    dacs: Dacs | None = None
    adcs: Adcs | None = None
    holds: Holds | None = None

    @property
    def uneven(self) -> tuple[str, ...]:
        """What makes cells follow temperature each its own way, in words."""
        found = {
            "temperature coefficients of each cell's own": self.cell_tc1,
            "parts of unequal temperature": self.warmth,
        }
        return tuple(words for words, part in found.items() if part is not None)

    @property
    def unusual(self) -> tuple[str, ...]:
        """What only the circuit's own equations follow, in words: see ``require_usual``."""
        found = {
            "squash or LayerNorm cells of errors of their own": self.front,
            self.law.words if self.law else "": self.law,
            "errors of DACs": self.dacs,
            "errors of holds": self.holds,
        }
        more = tuple(words for words, part in found.items() if part is not None)
        return self.uneven + more


def require_usual(stages: Iterable[Any], what: str) -> None:
    """Refuse chips with what ``what`` is not worked out for.

    Parameters
    ----------
    stages
        Of a chip or of several.
    what
        Such as ``power``.

    Raises
    ------
    SimulationError
        If there is something unusual in one: it is named.
    """
    found = [e.unusual for e in (stage.errors for stage in stages) if e is not None]
    words = dict.fromkeys(word for of_stage in found for word in of_stage)
    if words:
        raise SimulationError(
            f"{what} is not worked out of chips with {' and '.join(words)}: leave that out"
        )


RAMP_VOLTS = 0.05
"""Volts over which a diode's shift comes in: a passive device carries nothing at 0 V."""
