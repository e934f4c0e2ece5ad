# pyright: strict
"""Holds: what becomes of values between a network's circuits while others use them.

A section's positions take turns of one length. What a position gives is sampled at the end of its
turn, and used until the end of that of the position that sees it.

Axes: n images, W held values = P positions of C outputs, I inputs of the next section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..devices.curve import NOMINAL_TEMP_C
from .converters import Sampling

if TYPE_CHECKING:
    from .circuit import Link
    from .sections import Section

Values = npt.NDArray[Any]
DOUBLES_K = 10.0
"""Kelvins in which a leakage current doubles; assumed, a rule of thumb of silicon junctions."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Holds:
    """What holds the outputs of one of a chip's circuits, each position's and output's by itself.

    Attributes
    ----------
    offset
        (P, C) volts of its amplifier.
    share, volts
        (P, C) what opening its switch adds: a share of what is held, and volts.
    falls
        (P, C) V/s that it loses at 26.85 degC.
    turn
        Seconds of a position.
    noise
        Of each sample; None without.
    """

    offset: Values
    share: Values
    volts: Values
    falls: Values
    turn: float
    noise: Sampling | None

    def sampled(self, values: Values, index: Values, temp_c: float) -> Values:
        """What is held (n, P, C) of ``values`` (n, P, C) of images ``index`` (n,), when it is
        sampled."""
        found = values * (1 + self.share) + self.volts + self.offset
        if self.noise is None:
            return found
        drawn = self.noise.volts(index, self.offset.size, temp_c)
        return found + drawn.reshape(found.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class Held:
    """Values between two sections.

    Attributes
    ----------
    values
        (n, W) volts, when they are sampled.
    falls
        (W,) V/s that they lose; None: nothing.
    since
        (W,) seconds for which each has been held when the next section begins.
    turn
        Seconds of a position.
    """

    values: Values
    falls: Values | None = None
    since: Values | None = None
    turn: float = 0.0

    def points(self, section: Section) -> Values:
        """Inputs (n P, I) of the circuits of ``section``, the next one."""
        points = section.points(self.values)
        if self.falls is None or self.since is None:
            return points
        rate = section.points(self.falls[None])
        lost = section.points((self.falls * self.since)[None])
        lost = lost + rate * self.turn * np.arange(1, len(rate) + 1)[:, None]
        return points - np.tile(lost, (len(self.values), 1))


def hold(
    section: Section, links: Sequence[Link], outputs: Values, index: Values, temp_c: float
) -> Held:
    """What is held of the ``outputs`` (n P, C) of a section's circuits for images ``index``
    (n,)."""
    shape = (len(index), section.positions, outputs.shape[1])
    given, turn = outputs.reshape(shape), 0.0
    sampled, falling = list[Values](), list[Values]()
    for link in links:
        errors, (start, stop) = link.design.stages[-1].errors, section.outputs[link.share]
        one = None if errors is None else errors.holds
        own = given[..., start:stop]
        sampled.append(own if one is None else one.sampled(own, index, temp_c))
        falling.append(np.zeros(own.shape[1:]) if one is None else one.falls)
        turn = turn if one is None else one.turn
    falls = np.concatenate(falling, axis=-1)
    values = np.concatenate(sampled, axis=-1).reshape(len(index), -1)
    if not falls.any():
        return Held(values=values)
    warm = 2.0 ** ((temp_c - NOMINAL_TEMP_C) / DOUBLES_K)
    waits = turn * np.arange(section.positions - 1, -1, -1.0)
    return Held(
        values=values,
        falls=(warm * falls).ravel(),
        since=np.repeat(waits, shape[2]),
        turn=turn,
    )
