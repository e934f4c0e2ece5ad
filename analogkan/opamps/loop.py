# pyright: strict
"""The loop of a row amplifier around a diode, with the op-amp's input and its second pole.

An op-amp whose gain-bandwidth product is w / 2 pi and whose second pole is p / 2 pi has the gain
w / (s (1 + s/p)). With C farads and G siemens, of a falling diode a negative G, at its inverting
input and R beside C_f as feedback its loop is

    s (1 + s/p) ((C + C_f) s + G + 1/R) + w (C_f s + 1/R) = 0,

which without a second pole is that of ``physics.capacitors``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..compiler.stability import RATIO, smallest_c_f
from ..physics.capacitors import damping_c_f

LARGER, STEPS = 10.0, 200
"""How much larger than without a second pole a capacitor may become, and in how many ratios it is
tried; assumed."""


@dataclass(frozen=True)
class Loop:
    """Of one row amplifier.

    Attributes
    ----------
    c_in, g, r
        Farads and siemens from the inverting input to ground, ohms of the feedback.
    gbw, second
        Hertz: gain-bandwidth product and second pole, which may be infinite.
    """

    c_in: float
    g: float
    r: float
    gbw: float
    second: float

    def damping(self, c_f: float) -> float:
        """Of its least damped pole: 1 where nothing rings, 0 or less where it does not decay."""
        w, p = 2 * math.pi * self.gbw, 2 * math.pi * self.second
        c, g = self.c_in + c_f, self.g + 1 / self.r
        poles = np.roots([c / p, c + g / p, g + w * c_f, w / self.r])  # infinite: no first term
        return float((-poles.real / np.abs(poles)).min())

    def least_c_f(self, zeta: float) -> float:
        """Farads from which on it is damped to ``zeta``, and that its falling diode needs
        ``RATIO`` times; where no capacitor does, the one that damps it most."""
        c_in, g = np.array(self.c_in), np.array(self.g)
        alone = float(damping_c_f(c_in, g, np.array(self.r), self.gbw, zeta))
        alone = max(alone, RATIO * smallest_c_f(-self.g, self.r, self.gbw))
        if not alone or self.damping(alone) >= zeta:
            return alone
        tried = np.geomspace(alone, LARGER * alone, STEPS)
        found = np.array([self.damping(float(c_f)) for c_f in tried])
        reached = np.flatnonzero(found >= zeta)
        return float(tried[reached[0] if reached.size else found.argmax()])
