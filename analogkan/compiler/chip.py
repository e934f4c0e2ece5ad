"""What makes a circuit one chip: the errors that a nominal stage has not.

Conductances, feedback resistors and the gains of difference amplifiers that are off by a little
need no fields of their own: they are the stage's arrays, changed.
Axes: I inputs, D diodes, O outputs; R rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..streams import Place
from .converters import Adcs, Dacs
from .holds import Holds


@dataclass(frozen=True, eq=False, kw_only=True)
class OpAmpErrors:
    """Errors of a group of op-amps, arrays of the group's shape.

    Attributes
    ----------
    gain
        Open-loop gain as a share of the design's.
    offset
        Volts at the input at 26.85 degC.
    drift
        Volts per kelvin of the offset.
    """

    gain: np.ndarray
    offset: np.ndarray
    drift: np.ndarray

    def offset_at(self, dt: float) -> np.ndarray:
        """Offsets, volts, ``dt`` kelvins above 26.85 degC."""
        return self.offset + self.drift * dt


@dataclass(frozen=True, kw_only=True)
class ReadNoise:
    """Noise of a layer's cells at every read.

    Attributes
    ----------
    sigma
        Of a cell, as a share of its conductance.
    place, stream
        What the noise is drawn from, beside the image.
    """

    sigma: float
    place: Place
    stream: int

    def generator(self, block: int) -> np.random.Generator:
        """The random numbers of a block of images."""
        return self.place.generator(self.stream, block)


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
    dacs: Dacs | None = None
    adcs: Adcs | None = None
    holds: Holds | None = None


RAMP_VOLTS = 0.05
"""Volts over which a diode's shift comes in: a passive device carries nothing at 0 V."""
