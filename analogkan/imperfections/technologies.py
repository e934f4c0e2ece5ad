# pyright: strict
"""Technologies of memory cells: what was measured of them, with constants and their sources.

Conductances here are in microsiemens, as published; x is one as a share of ``most``. Constants are
those of aihwkit 1.1.0 and of CrossSim at commit 0a2eb1e, which name the papers: where the two
differ both are here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import sonos

Floats = npt.NDArray[np.float64]
NONE = "none"
DAY = 86400.0
YEAR = 365 * DAY


@dataclass(frozen=True, eq=False, kw_only=True)
class Technology:
    """What was measured of a kind of cells; conductances in microsiemens, arrays of any shape.

    Attributes
    ----------
    name, source
        Of it, and where the figures are from.
    least, most
        The conductances that were measured.
    error
        Of targets: the standard deviation of what programming makes of them.
    first_s, last_s
        Seconds after programming from which, and until which, its aging is known.
    aged
        Of conductances as programmed, their targets, standard normal draws and an age in seconds:
        the conductances then. None: nothing is known, and they stay.
    noise
        Of conductances as programmed, conductances now and an age: the standard deviation of a
        read, as a share of the conductance now. None: nothing is known.
    """

    name: str
    source: str
    least: float
    most: float
    error: Callable[[Floats], Floats]
    first_s: float
    last_s: float
    aged: Callable[[Floats, Floats, Floats, float], Floats] | None = None
    noise: Callable[[Floats, Floats, float], Floats] | None = None


def polynomial(x: Floats, *coefficients: float) -> Floats:
    """Of rising powers; not below 0, as no standard deviation is."""
    return np.maximum(np.polynomial.polynomial.polyval(x, coefficients), 0.0)


# ---- phase change: g (t / t0)^-nu, 1/f noise since programming

NuOf = Callable[[Floats], tuple[Floats, Floats]]
LEAST_X = 1e-7
"""Of a logarithm's argument, as in aihwkit."""


def faded(most: float, t0_s: float, nu_of: NuOf):
    def aged(g: Floats, target: Floats, normal: Floats, age_s: float) -> Floats:
        mean, spread = nu_of(np.maximum(target / most, LEAST_X))
        return g * (age_s / t0_s) ** -np.abs(mean + spread * normal)

    return aged


def _flicker(most: float, t_read_s: float, q_of: Callable[[Floats], Floats]):
    def noise(programmed: Floats, now: Floats, age_s: float) -> Floats:
        q = q_of(np.maximum(programmed / most, LEAST_X))
        return q * math.sqrt(math.log((age_s + t_read_s) / (2 * t_read_s)))

    return noise


def _pcm_nu(x: Floats) -> tuple[Floats, Floats]:
    ln = np.log(x)
    return np.clip(-0.0155 * ln + 0.0244, 0.049, 0.1), np.clip(-0.0125 * ln - 0.0059, 0.008, 0.045)


def _pcm_q(x: Floats) -> Floats:
    return np.minimum(0.0088 / np.maximum(x**0.65, 1e-3), 0.2)


def _hermes_nu(edge: float, low: tuple[float, ...], high: tuple[float, ...]) -> NuOf:
    """``low``: slope and intercept in ln x, and their limits; ``high``: of rising powers."""

    def nu_of(x: Floats) -> tuple[Floats, Floats]:
        ln = np.log(x)
        mean = np.where(
            x < 0.0945,
            np.clip(-0.0387 * ln - 0.0182, 0.0720, 0.13),
            -0.0436 * x**2 - 0.0126 * x + 0.0736,
        )
        slope, intercept, least, most = low
        below = np.clip(slope * ln + intercept, least, most)
        return mean, np.where(x < edge, below, polynomial(x, *high))

    return nu_of


def _hermes_q(edge: float, low: tuple[float, ...], high: tuple[float, ...]):
    def q_of(x: Floats) -> Floats:
        slope, intercept, least, most = low
        below = np.clip(slope * np.log(x) + intercept, least, most)
        return np.where(x < edge, below, polynomial(x, *high))

    return q_of


# ---- oxides: what spreads further as they age is independent of what programming left

WAN = {
    1.0: (0.348, 16.030, -43.853, 45.393, -16.815),
    DAY: (0.701, 22.086, -50.773, 47.095, -16.458),
    2 * DAY: (0.782, 20.274, -43.507, 37.062, -11.934),
}
"""Seconds, and the polynomial in x of the standard deviation from the target then."""


def wan_error(target: Floats, age_s: float) -> Floats:
    """Standard deviation at ``age_s`` >= 1 s: by the measured ages, between and beyond by ln t."""
    ages = list(WAN)
    k = 0 if age_s <= ages[1] else 1
    before, after = (polynomial(target / 40, *WAN[age]) for age in ages[k : k + 2])
    share = math.log(age_s / ages[k]) / math.log(ages[k + 1] / ages[k])
    return np.maximum(before + share * (after - before), 0.0)


def _wan_aged(g: Floats, target: Floats, normal: Floats, age_s: float) -> Floats:
    return g + spread_since(wan_error(target, age_s), wan_error(target, 1.0)) * normal


def spread_since(now: Floats, then: Floats) -> Floats:
    """Standard deviation of what has come since, where it is ``now`` and was ``then``."""
    return np.sqrt(np.maximum(now**2 - then**2, 0.0))


def _cmo_aged(g: Floats, target: Floats, normal: Floats, age_s: float) -> Floats:
    ln = math.log(age_s)
    return g - 0.08900206 * ln + (0.04201137 * ln + 0.41183342) * normal


def _cmo_noise(programmed: Floats, now: Floats, age_s: float) -> Floats:
    t_read_s = 1e-6
    grown = math.sqrt(math.log((age_s + t_read_s) / (2 * t_read_s)))
    return 0.0277316483 * np.log10(np.maximum(now, 1.0)) * grown / np.maximum(now, LEAST_X)


def _cmo(name: str, window: str, slope: float, intercept: float) -> Technology:
    return Technology(
        name=name,
        source=f"Falcone et al., arXiv:2502.04524, programmed within {window} of the target, by "
        "aihwkit's ReRamCMONoiseModel",
        least=9.0,
        most=88.199997,
        error=lambda g: polynomial(g, intercept, slope),
        first_s=1.0,
        last_s=10 * YEAR,
        aged=_cmo_aged,
        noise=_cmo_noise,
    )


_NANDAKUMAR = "Nandakumar et al., ICECS 2019, doi:10.1109/ICECS46596.2019.8964852, by aihwkit's "
_HERMES = (
    "Le Gallo et al., Nat. Electron. 6, 680 (2023), doi:10.1038/s41928-023-01010-1, by aihwkit's "
    "HermesNoiseModel, "
)
_WAN = "Wan et al., Nature 608, 504 (2022), doi:10.1038/s41586-022-04992-8, by "
TECHNOLOGIES = {
    one.name: one
    for one in (
        Technology(
            name="pcm",
            source=_NANDAKUMAR + "PCMLikeNoiseModel",
            least=0.0,
            most=25.0,
            error=lambda g: polynomial(g / 25, 0.26348, 1.9650, -1.1731),
            first_s=20.0,
            last_s=math.inf,
            aged=faded(25.0, 20.0, _pcm_nu),
            noise=_flicker(25.0, 250e-9, _pcm_q),
        ),
        Technology(
            name="pcm-joshi",
            source="Joshi et al., Nat. Commun. 11, 2473 (2020), doi:10.1038/s41467-020-16108-9, "
            "figure 3b by CrossSim's PCMJoshi",
            least=0.0,
            most=25.0,
            error=lambda g: polynomial(g, 0.28638599, 0.07585724, -0.00178767),
            first_s=27.36,
            last_s=27.36,
        ),
        Technology(
            name="hermes",
            source=_HERMES + "two devices a weight",
            least=0.0,
            most=20.7,
            error=lambda g: polynomial(g / 20.7, 0.16603222, 4.71806468, -8.48101252, 4.68961419),
            first_s=300.0,
            last_s=math.inf,
            aged=faded(
                20.7,
                300.0,
                _hermes_nu(0.3055, (-0.0117, -0.0057, 0.0091, 0.04), (0.0073, 0.0093, -0.0118)),
            ),
            noise=_flicker(
                20.7,
                512e-9,
                _hermes_q(0.16, (-0.0117, -0.0069, 0.015, 0.04), (0.0123, 0.0211, -0.0280, 0.0069)),
            ),
        ),
        Technology(
            name="hermes-single",
            source=_HERMES + "one device a weight",
            least=0.0,
            most=10.35,
            error=lambda g: polynomial(g / 10.35, 0.15781817, 2.32443916, -2.16310839, 0.68841818),
            first_s=200.0,
            last_s=math.inf,
            aged=faded(
                10.35,
                200.0,
                _hermes_nu(0.3039, (-0.0120, -0.0023, 0.0124, 0.04), (0.0104, 0.0116, -0.0165)),
            ),
            noise=_flicker(
                10.35,
                512e-9,
                _hermes_q(
                    0.1591, (-0.0078, 0.0038, 0.0179, 0.04), (0.0088, 0.0768, -0.1352, 0.0664)
                ),
            ),
        ),
        Technology(
            name="rram-wan",
            source=_WAN + "aihwkit's ReRamWan2022NoiseModel",
            least=0.0,
            most=40.0,
            error=lambda g: wan_error(g, 1.0),
            first_s=1.0,
            last_s=2 * DAY,
            aged=_wan_aged,
        ),
        Technology(
            name="rram-wan-crosssim",
            source=_WAN + "CrossSim's RRAMWan (extended data, figure 3, 1 s)",
            least=0.0,
            most=39.26,
            error=lambda g: polynomial(g, 1.053, 0.2374, -0.01167, 1.536e-4),
            first_s=1.0,
            last_s=1.0,
        ),
        Technology(
            name="rram-milo",
            source="Milo et al., IRPS 2021, doi:10.1109/IRPS46558.2021.9405119, figure 4 "
            "(IGVVA-100) by CrossSim's RRAMMilo",
            least=50.0,
            most=225.0,
            error=lambda g: polynomial(g, 4.782321, -0.009107),
            first_s=0.0,
            last_s=0.0,
        ),
        _cmo("cmo-hfox", "0.2 %", 0.00106879, 0.00081107),
        _cmo("cmo-hfox-coarse", "2 %", 0.01129027418, 0.0112185391),
        Technology(
            name="sonos",
            source="Agrawal et al., IEDM 2022, doi:10.1109/IEDM45625.2022.10019564, by CrossSim's "
            "SONOS, whose nanoamperes are taken at 0.1 V (16 uS are 1,600 nA), as it suggests",
            least=0.0,
            most=16.0,
            error=lambda g: sonos.error(g, 0.0),
            first_s=0.0,
            last_s=5 * DAY,
            aged=lambda g, target, normal, age_s: (
                g
                + sonos.shift(target, age_s)
                + spread_since(sonos.error(target, age_s), sonos.error(target, 0.0)) * normal
            ),
            noise=lambda programmed, now, age_s: sonos.noise(now),
        ),
    )
}
"""Those that come with the package, by their names."""
