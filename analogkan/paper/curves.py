"""Figures of the paper that need no training: activation curves, and fits of the diodes' curves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..devices import get
from ..devices.fit import fit_pwl, fitted_polynomial
from ..network.baselines import activation_values

DIODES = ("A21", "Z21", "Z15", "ZAZ21")
ORDERS = (3, 5, 7, 9, 11, 13, 15)
"""Of the polynomials: the paper's figure names none."""
STEPS = (0.05, 0.1, 0.15, 0.2, 0.25)
"""Volts between knots; the sweeps have a point every 0.05 V."""
POINTS = 801

Row = dict[str, Any]


def activations() -> list[Row]:
    """Fig. 1: three devices' curves as MLPs use them: over their largest current, or in mA."""
    volts = np.linspace(-3.0, 5.0, POINTS)
    found = []
    for name in ("cmtd", "rtd", "mosfet"):
        for v, value in zip(volts, activation_values(name, volts), strict=True):
            found.append({"activation": name, "volts": float(v), "value": float(value)})
    return found


def polynomials() -> list[Row]:
    """Fig. 3: polynomials of rising order through each diode's points, and what they miss there.

    Residuals and the lowest value between the ends are shares of the diode's largest current;
    ``beyond`` is the polynomial's own value 0.2 V after the last point, where the device is held.
    """
    found = []
    for name in DIODES:
        curve = get(name)
        fine = np.linspace(curve.v[0], curve.v[-1], POINTS)
        for order in ORDERS:
            fitted = fitted_polynomial(curve, order)
            missed = (fitted(curve.v) - curve.i) / curve.i_peak
            free = np.polynomial.Polynomial.fit(curve.v, curve.i, order)
            found.append(
                {
                    "device": name,
                    "order": order,
                    "rms_residual": float(np.sqrt(np.mean(missed**2))),
                    "max_residual": float(np.abs(missed).max()),
                    "lowest": float(fitted(fine).min() / curve.i_peak),
                    "beyond": float(free(curve.v[-1] + 0.2) / curve.i_peak),
                }
            )
    return found


def segments() -> list[Row]:
    """Fig. 4: piecewise-linear fits of each diode with knots ever further apart."""
    found = []
    for name in DIODES:
        curve = get(name)
        for step in STEPS:
            fit = fit_pwl(curve.v, curve.i, step=step)
            found.append(
                {
                    "device": name,
                    "step_volts": step,
                    "segments": len(fit.v) - 1,
                    "rms_residual": fit.rms_residual,
                    "max_residual": fit.max_residual,
                }
            )
    return found


CURVES: dict[str, Callable[[], list[Row]]] = {
    "fig1": activations,
    "fig3": polynomials,
    "fig4": segments,
}
"""By the name of the figure: what gives its rows."""
