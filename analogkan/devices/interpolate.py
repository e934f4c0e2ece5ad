"""Other curves through a device's points, as denser tables: what Figs. 3 and 4 compare.

arXiv 2510.23638 fits its sweeps with polynomials and splines. Whatever the method, a netlist gets
a piecewise-linear table, and how far that is from the points is stated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..errors import DeviceError, SettingsError
from .curve import IVCurve
from .fit import fitted_polynomial, tabulate

METHODS = ("pwl", "pchip", "poly")
MAX_POINTS = 2000
"""Points of a table that ``pwl`` chooses its knots from: time and memory grow as the square."""

MAX_SWING = 10.0
"""Times the peak that a fit may reach between the points; more is no fit of a device."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Refit:
    """A device's points fitted anew.

    Attributes
    ----------
    curve
        The table that a netlist gets.
    method, order
        One of ``METHODS``; segments of ``pwl``, degree of ``poly``, None for ``pchip``.
    rms_residual, max_residual
        Distance of the table from the device's points, as a share of the device's peak.
    table_error
        Largest distance of the table from the fitted function, as a share of the function's peak.
    lowest, v_lowest
        The most negative current above 0 V that the device itself does not have, as a share of
        its peak, and where; (0, 0) if there is none.
    """

    curve: IVCurve
    method: str
    order: int | None
    rms_residual: float
    max_residual: float
    table_error: float
    lowest: float
    v_lowest: float


def refit(
    curve: IVCurve,
    method: str,
    *,
    order: int | None = None,
    tolerance: float = 1e-3,
    name: str | None = None,
) -> Refit:
    """Fit the points of ``curve`` by another method.

    Parameters
    ----------
    curve
        The device; only its table at the temperature nearest to 26.85 degrees Celsius is fitted.
    method
        ``pwl``: ``order`` straight segments between ``order + 1`` of the points, chosen for the
        least sum of squares, the currents there then fitted. ``pchip``: monotone cubic pieces
        through all points. ``poly``: the least-squares polynomial of degree ``order``.
    order
        As above; not for ``pchip``.
    tolerance
        Of the table of a ``pchip`` or ``poly``, as a share of the peak.
    name
        Of the new device; by default the old one's with method and order.

    Raises
    ------
    SettingsError
        If the method is unknown, or its order or the tolerance is out of range.
    DeviceError
        If the points have no such fit.

    Examples
    --------
    >>> found = ak.devices.refit(ak.devices.load("A21"), "poly", order=9)
    >>> found.curve.name
    'A21_poly9'
    """
    if method not in METHODS:
        raise SettingsError(f"fit method {method!r} is unknown: one of {', '.join(METHODS)}")
    if not 1e-6 <= tolerance <= 0.1:
        raise SettingsError(
            f"a tolerance of {tolerance:g} of the peak is out of range: 1e-6 to 0.1"
        )
    _check_order(curve, method, order)
    if method == "pwl":
        v, i = _segments(curve, order or 1)
        table_error = 0.0
    else:
        exact = method == "pchip"
        function = _pchip(curve) if exact else fitted_polynomial(curve, order or 1)
        through = curve.v if exact else ()
        table = tabulate(function, curve.v[0], curve.v[-1], tolerance=tolerance, through=through)
        v, i, table_error = table.v, table.i, table.max_residual
        swing = float(np.abs(i).max()) / curve.i_peak
        if swing > MAX_SWING:
            raise DeviceError(
                f"{method} of order {order} swings to {swing:.3g} times the peak of {curve.name} "
                f"between its points (limit {MAX_SWING:g}): give a lower --order"
            )
    own = f"{curve.name}_{method}{'' if order is None else order}"
    made = IVCurve(name or own, v, i, curve.source, reconstructed=curve.reconstructed)
    error = (made.current(curve.v) - curve.i) / curve.i_peak
    rms, largest = float(np.sqrt(np.mean(error**2))), float(np.abs(error).max())
    lowest, v_lowest = _lowest(made, curve)
    notes = (
        f"{method}{'' if order is None else f' of order {order}'} through {curve.v.size} points of "
        f"{curve.name}: residual rms {rms:.1e}, max {largest:.1e} of the peak current; "
        f"table within {table_error:.1e} of the function's peak."
    )
    return Refit(
        curve=replace(made, notes=notes),
        method=method,
        order=order,
        rms_residual=rms,
        max_residual=largest,
        table_error=table_error,
        lowest=lowest,
        v_lowest=v_lowest,
    )


def _check_order(curve: IVCurve, method: str, order: int | None) -> None:
    n = curve.v.size
    if method == "pchip":
        if order is not None:
            raise SettingsError(
                "pchip goes through every point, so it has no --order: leave it out"
            )
        return
    what = "number of segments" if method == "pwl" else "degree"
    if order is None:
        raise SettingsError(f"{method} needs --order, its {what}: 1 to {n - 1} for {curve.name}")
    if not 1 <= order < n:
        raise SettingsError(
            f"--order {order} is out of range: the {what} is 1 to {n - 1} for the {n} points of "
            f"{curve.name}"
        )
    if method == "pwl" and n > MAX_POINTS:
        raise DeviceError(
            f"{curve.name} has {n} points: pwl chooses among at most {MAX_POINTS}. "
            "Import the sweep with a larger --step"
        )


def _pchip(curve: IVCurve) -> Callable[[np.ndarray], np.ndarray]:
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(curve.v, curve.i)


def _segments(curve: IVCurve, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Knots (count + 1,), volts, and currents of ``count`` straight segments.

    The knots are those of the points between which straight lines through the points leave the
    least sum of squares (dynamic programming); the currents are then fitted to all points.
    """
    v, y, n = curve.v, curve.i / curve.i_peak, curve.v.size
    cost = np.full((n, n), np.inf)  # of a segment from point a to point b
    for a in range(n - 1):
        dv, dy = v[a + 1 :] - v[a], y[a + 1 :] - y[a]
        slope = dy / dv
        squares, products, lengths = (np.cumsum(x) for x in (dy * dy, dy * dv, dv * dv))
        cost[a, a + 1 :] = squares - 2 * slope * products + slope**2 * lengths
    best = cost[0]
    came_from = []
    for _ in range(count - 1):
        total = best[:, None] + cost
        came_from.append(total.argmin(axis=0))
        best = total.min(axis=0)
    chosen = [n - 1]
    for previous in reversed(came_from):
        chosen.append(int(previous[chosen[-1]]))
    chosen = [0, *reversed(chosen)]
    knots = v[chosen]
    if count == n - 1:
        return knots, curve.i
    hats = np.stack([np.interp(v, knots, row) for row in np.eye(knots.size)], axis=1)
    return knots, np.linalg.lstsq(hats, y, rcond=None)[0] * curve.i_peak


def _lowest(made: IVCurve, curve: IVCurve) -> tuple[float, float]:
    """The most negative current of ``made`` above 0 V, if ``curve`` is not as negative; and where.

    Current as a share of the peak of ``curve``, and volts.
    """
    v = np.union1d(made.v, curve.v)
    v = v[v > 0]
    if not v.size:
        return 0.0, 0.0
    below = np.minimum(made.current(v), 0.0) - np.minimum(curve.current(v), 0.0)
    at = int(below.argmin())
    if below[at] >= 0:
        return 0.0, 0.0
    return float(made.current(v[at])) / curve.i_peak, float(v[at])
