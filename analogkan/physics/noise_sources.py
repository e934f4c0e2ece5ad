# pyright: strict
"""What is noisy in a circuit, and how much: densities, one-sided, in A^2/Hz and V^2/Hz."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.converters import BOLTZMANN
from ..devices.curve import ABSOLUTE_ZERO_C
from .assumptions import Assumptions

Values = npt.NDArray[Any]
CHARGE = 1.602176634e-19
"""C, exact (SI, 2019)."""


def thermal_energy(temp_c: float) -> float:
    """k T, joules."""
    return BOLTZMANN * (temp_c - ABSOLUTE_ZERO_C)


def diode_noise(
    volts: Values,
    currents: Values,
    slopes: Values,
    rests: Values,
    assumed: Assumptions,
    temp_c: float,
) -> Values:
    """Shot noise of tunnel diodes, A^2/Hz: 2 q |I| coth(q |V| / 2 k T) times the Fano factor.

    Tiemann 1960, doi:10.1109/JRPROC.1960.287568; checked to 0.1 % in tunnel junctions by Spietz et
    al., Science 300, 1929, 2003. At 0 V it is 4 k T times the slope there, as of any resistor. What
    a measured curve has at 0 V, where nothing can flow, is taken to be a current beside that, with
    2 q |I| of its own.

    Parameters
    ----------
    volts, currents, slopes, rests
        Volts, amperes, siemens, and amperes at 0 V; shapes that broadcast.
    """
    kt = thermal_energy(temp_c)
    x = np.where(volts == 0, 1.0, CHARGE * np.abs(volts) / (2 * kt))
    shot = 2 * CHARGE * np.abs(currents - rests) / np.tanh(x)
    fano = np.where(slopes < 0, assumed.fano_falling, assumed.fano_rising)
    tunnelled = np.where(volts == 0, 4 * kt * np.abs(slopes), shot)
    return fano * (tunnelled + 2 * CHARGE * np.abs(rests))


@dataclass(frozen=True, kw_only=True)
class Node:
    """A frequency at which a circuit is looked at, and for how many hertz it stands.

    Attributes
    ----------
    f
        Hz.
    width, coarse
        Hz that it stands for, and that it stands for where every second one is left out.
    e_n, i_n
        V^2/Hz and A^2/Hz of an op-amp's inputs there.
    """

    f: float
    width: float
    coarse: float
    e_n: float
    i_n: float

    @property
    def s(self) -> complex:
        """2 pi i f, 1/s."""
        return 2j * math.pi * self.f


def nodes_of(lowest: float, highest: float, per_decade: int, assumed: Assumptions) -> list[Node]:
    """Frequencies from ``assumed.f_low`` up, by the trapezoidal rule in the logarithm.

    All below ``lowest`` hertz, where nothing changes but 1/f, is one of them. Above ``highest`` an
    amplifier's noise falls as 1/f^2, which the last one stands for.
    """
    f_low = assumed.f_low
    start = max(lowest, f_low)
    count = 2 * max(1, math.ceil(per_decade * math.log10(highest / start) / 2))
    f = np.geomspace(start, highest, count + 1)
    step = math.log(highest / start) / count
    width, coarse = f * step, 2 * f * step
    coarse[1::2] = 0.0
    for part in (width, coarse):
        part[[0, -1]] /= 2
        part[-1] += highest
    white, flicker = assumed.e_n**2, assumed.e_n**2 * assumed.f_corner
    found = [
        Node(f=float(a), width=float(b), coarse=float(c), e_n=white + flicker / float(a),
             i_n=assumed.i_n**2)
        for a, b, c in zip(f, width, coarse, strict=True)
    ]  # fmt: skip
    band = start - f_low
    if band > 0:
        below = white + flicker * math.log(start / f_low) / band
        found.insert(0, Node(f=start, width=band, coarse=band, e_n=below, i_n=assumed.i_n**2))
    return found
