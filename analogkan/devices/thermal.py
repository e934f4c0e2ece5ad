"""Diode curves at other temperatures: the three laws a circuit's diodes may follow.

Axes: N points of a table, T temperatures.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import DeviceError
from .curve import NOMINAL_TEMP_C, IVCurve, nearest_to_nominal

LAWS = ("linear", "tables", "smear")
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
        raise NotImplementedError
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
