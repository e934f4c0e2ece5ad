"""Devices known by a formula rather than a sweep."""

from __future__ import annotations

import numpy as np

BOLTZMANN_OVER_CHARGE = 8.617333262e-5
"""k_B / q in volts per kelvin (CODATA 2018)."""


def resonant_tunnel_diode(v: np.ndarray, *, b: float = 5.0) -> np.ndarray:
    """Resonant tunnel diode, arXiv 2510.23638 Eq. 4 (Schulman's form; Ref. 35 there).

    Parameters
    ----------
    v
        Voltages, any shape, volts; the parameters describe 0 to 4 V.
    b
        Volts. The paper scales the published 0.5 V by ten.

    Returns
    -------
    np.ndarray
        Currents, amperes, same shape.
    """
    a, c, d, n1, n2, h, t = 0.0039, 0.0874, 0.0073, 0.0352, 0.0031, 0.0367, 300.0
    v = np.asarray(v, dtype=np.float64)
    v_t = BOLTZMANN_OVER_CHARGE * t
    rise = np.logaddexp(0.0, (b - c + n1 * v) / v_t) - np.logaddexp(0.0, (b - c - n1 * v) / v_t)
    resonance = np.pi / 2 + np.arctan((c - n1 * v) / d)
    return a * rise * resonance + h * np.expm1(n2 * v / v_t)


def mosfet_2n7002(v: np.ndarray) -> np.ndarray:
    """2N7002 E-MOSFET in saturation, arXiv 2510.23638 Eq. 5: 6.17 mA/V^2 above 1 V, else nothing.

    As a two-terminal device: gate tied to drain. ``v`` any shape, volts; returns amperes.
    """
    return 6.17e-3 * np.maximum(np.asarray(v, dtype=np.float64) - 1.0, 0.0) ** 2
