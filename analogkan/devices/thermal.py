"""Diode curves at other temperatures: the three laws a circuit's diodes may follow.

Axes: N points of a table, T temperatures.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import DeviceError
from .curve import ABSOLUTE_ZERO_C, NOMINAL_TEMP_C, IVCurve, nearest_to_nominal
from .formulas import BOLTZMANN_OVER_CHARGE

LAWS = ("linear", "tables", "smear")
SMEAR_TEMPS_C = (NOMINAL_TEMP_C, 35.0, 50.0, 75.0, 100.0, 125.0, 150.0)
"""Temperatures of the tables that ``smear`` becomes; between them the blend errs by less than 0.5 %
of the peak for the shipped devices."""
NODES = np.polynomial.legendre.leggauss(64)
RANGE_C = (-55.0, 150.0)
"""Degrees Celsius in which ``linear`` and ``smear`` are taken to hold; assumed."""


def with_law(curve: IVCurve, law: str, width: float = 1.0) -> IVCurve:
    """``curve`` with the tables at other temperatures that ``law`` gives it.

    ``linear`` needs none. ``tables`` are those measured, the one nearest to 26.85 degC being taken
    for that temperature's. ``smear`` computes them.

    Raises
    ------
    DeviceError
        If ``tables`` is asked of a device measured at one temperature only.
    """
    if law == "linear":
        return replace(curve, temperatures=())
    if law == "smear":
        tables = tuple((t, smeared(curve, t, width)) for t in SMEAR_TEMPS_C)
        return replace(curve, temperatures=tables)
    if len(curve.temperatures) < 2:
        raise DeviceError(
            f"device {curve.name} was measured at one temperature: import sweeps at several for "
            "diode_law=tables, or choose linear or smear"
        )
    nominal = nearest_to_nominal(curve.temps_c)
    return replace(
        curve,
        temperatures=tuple(
            (NOMINAL_TEMP_C if temp_c == nominal else temp_c, i) for temp_c, i in curve.temperatures
        ),
    )


def smeared(curve: IVCurve, temp_c: float, width: float = 1.0) -> np.ndarray:
    """Currents (N,) of ``curve`` at ``temp_c`` by the smearing of the Fermi edges, a heuristic.

    The curve at 300 K is taken for one in which the two contacts' Fermi functions at 300 K are
    folded, and folded once more with what takes 300 K to T: the kernel
    sin(th) / (cosh(e / kT) + cos(th)) / (2 pi k T0), th = pi T0 / T. It is no consequence of
    Landauer's formula: I(V) at one temperature does not determine I(V) at another. ``width`` scales
    e, and 0 and 2 bracket what may be. The curve is continued oddly below 0 V, so that nothing
    flows at 0 V, and by its last value above; below 300 K it is held.
    """
    thermal = width * BOLTZMANN_OVER_CHARGE * (temp_c - ABSOLUTE_ZERO_C)
    if temp_c <= NOMINAL_TEMP_C or thermal == 0:
        return curve.i
    theta = np.pi * (NOMINAL_TEMP_C - ABSOLUTE_ZERO_C) / (temp_c - ABSOLUTE_ZERO_C)
    u, i = _odd(curve)
    x, w = NODES
    # Sum over segments of their slope times the integral of the kernel's distribution.
    half = 0.5 * np.diff(u)[:, None]
    at = 0.5 * (u[:-1] + u[1:])[:, None] + half * x
    share = smear_share((curve.v[:, None, None] - at) / thermal, theta)
    integral = (share * w * half).sum(axis=-1)
    return np.where(curve.v == 0, 0.0, i[0] + integral @ (np.diff(i) / np.diff(u)))


def smear_share(x: np.ndarray, theta: float) -> np.ndarray:
    """Share of the kernel below e = ``x`` kT (any shape)."""
    return 0.5 + np.arctan(np.tan(theta / 2) * np.tanh(x / 2)) / theta


def _odd(curve: IVCurve) -> tuple[np.ndarray, np.ndarray]:
    """The curve's part above 0 V, its mirror image below, and nothing at 0 V."""
    above = curve.v > 0
    u, i = curve.v[above], curve.i[above]
    return np.concatenate([-u[::-1], [0.0], u]), np.concatenate([-i[::-1], [0.0], i])


def table_at(
    curve: IVCurve, temp_c: float, *, tc_current: float = 0.0, tc_voltage: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The table (N,) volts and (N,) amperes of ``curve`` at ``temp_c``.

    ``curve`` as ``with_law`` gives it: between its temperatures currents are blended linearly,
    beyond them held. The coefficients, 1/K, are those of ``linear``.
    """
    dt = temp_c - NOMINAL_TEMP_C
    i = curve.i
    if curve.temperatures:
        temps = np.array(curve.temps_c)
        k = int(np.clip(np.searchsorted(temps, temp_c) - 1, 0, temps.size - 2))
        w = float(np.clip((temp_c - temps[k]) / (temps[k + 1] - temps[k]), 0.0, 1.0))
        i = (1 - w) * curve.i_at[k] + w * curve.i_at[k + 1]
    return curve.v * (1 + tc_voltage * dt), i * (1 + tc_current * dt)


def law_range(curves: tuple[IVCurve, ...], law: str) -> tuple[float, float]:
    """Lowest and highest temperature, degrees Celsius, at which ``law`` holds for ``curves``."""
    if law != "tables":
        return RANGE_C
    return max(c.temps_c[0] for c in curves), min(c.temps_c[-1] for c in curves)
