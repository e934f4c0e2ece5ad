# pyright: strict
"""SONOS: charge trapping transistors, whose currents at one read voltage were measured for 5 days.

Agrawal et al., IEDM 2022, figures 10 and 11, by CrossSim's ``SONOS`` (commit 0a2eb1e). Conductances
are in microsiemens: the published nanoamperes over ``READ_VOLTS``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
READ_VOLTS = 0.1
"""Drain to source; CrossSim's default, at which its suggested 16 uS are the paper's 1,600 nA."""
NANOAMPERES = 1e3 * READ_VOLTS
"""Of a microsiemens."""
DAY = 86400.0
SPREADS = (
    (19.88665, 176.3115),
    (25.59102, 186.85544),
    (28.72753, 193.56834),
    (31.04318, 198.90332),
    (33.76214, 204.77023),
    (34.57909, 207.34309),
)
"""A and B after 0 to 5 days: the standard deviation is A (1 - exp(-I / B)), nanoamperes."""
SHIFTS = (
    (0.0,) * 11,
    (1.72684e-01, 5.72552e-02, -6.85715e-04, 3.50271e-06, -9.37682e-09, 1.40575e-11, -1.19803e-14,
     5.41293e-18, -8.85448e-22, -1.66869e-25, 5.95180e-29),
    (2.50712e-01, 6.62195e-02, -6.83218e-04, 2.99442e-06, -6.78255e-09, 7.70482e-12, -3.04983e-15,
     -2.15919e-18, 2.94617e-21, -1.23359e-24, 1.85329e-28),
    (-1.75300e-02, 9.76883e-02, -9.63791e-04, 4.55551e-06, -1.22391e-08, 1.93786e-11, -1.85899e-14,
     1.07659e-17, -3.58211e-21, 5.96785e-25, -3.30410e-29),
    (4.03338e-02, 1.03111e-01, -1.04740e-03, 4.83961e-06, -1.28132e-08, 1.99484e-11, -1.85139e-14,
     1.00008e-17, -2.84944e-21, 3.01008e-25, 1.18747e-29),
    (3.19927e-01, 1.06596e-01, -1.04054e-03, 4.50290e-06, -1.10352e-08, 1.56477e-11, -1.27592e-14,
     5.45513e-18, -7.26841e-22, -2.43893e-25, 7.14608e-29),
)  # fmt: skip
"""Of rising powers of I, after 0 to 5 days: what the mean has moved by, nanoamperes."""
READ = 12.58037, 215.36557
"""A and B of a read."""


def shift(target: Floats, age_s: float) -> Floats:
    """What the mean of cells of ``target`` has moved by at ``age_s``, microsiemens."""
    coefficients = _by_age(np.array(SHIFTS), age_s)
    moved: Any = np.polynomial.polynomial.polyval(NANOAMPERES * target, coefficients)
    return moved / NANOAMPERES


def error(target: Floats, age_s: float) -> Floats:
    """Standard deviation of cells of ``target`` from their mean at ``age_s``, microsiemens."""
    a, b = _by_age(np.array(SPREADS), age_s)
    return _saturated(target + shift(target, age_s), a, b)


def noise(now: Floats) -> Floats:
    """Standard deviation of a read, as a share of the conductance ``now``."""
    least = 1e-7
    return _saturated(now, *READ) / np.maximum(now, least)


def _saturated(g: Floats, a: float, b: float) -> Floats:
    return np.maximum(a * (1 - np.exp(-NANOAMPERES * g / b)), 0.0) / NANOAMPERES


def _by_age(days: Floats, age_s: float) -> Floats:
    """Between two days by time, as CrossSim does; after the last by ln t, as its last two go on."""
    age, last = age_s / DAY, len(days) - 1
    if age <= last:
        k = min(int(age), last - 1)
        return days[k] + (age - k) * (days[k + 1] - days[k])
    grown = math.log(age / last) / math.log(last / (last - 1))
    return days[last] + grown * (days[last] - days[last - 1])
