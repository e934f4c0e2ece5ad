"""How much devices of one type differ: peak current, voltage scale and shift of each sweep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DeviceError
from ..limits import require_physical
from .falling import Falling
from .fit import fit_knots, following_knots, mean_curve, scatter
from .sweep import Sweep

PARAMETERS = ("diode_sigma_current", "diode_sigma_voltage", "diode_sigma_shift")
MEANINGS = (
    "relative, of the peak current (kI)",
    "relative, of the voltage scale (kV)",
    "volts, of the shift (dV)",
)
EDGE = 0.05
"""Share of the table at each end that is not compared: beyond the table nothing is known."""

MAX_RESIDUAL = 0.1
"""Rms residual, as a share of the peak, of what still counts as a copy of the table; assumed."""
MAX_SCALE = 1.25
"""Largest voltage scale of what still counts as a copy, and its inverse the smallest; assumed."""
FOLLOWS = 0.003
"""Share of the peak to which the common curve follows the sweeps' mean."""
X_SCALE = (0.1, 0.01, 0.01)
"""Of the fit's steps in kI, kV and dV."""
MIN_CURRENT = 0.01
"""Smallest current scale of what still counts as a copy; assumed."""
MIN_POINTS = 4
"""Of a sweep for three factors and an error."""
STARTS = (0.95, 1.05)
"""Voltage scales from which a fit begins anew: behind a steep fall lie local optima. Assumed."""
EXPLAINED = 2.0
"""Times its noise that a sweep may be off its fit without another start; assumed."""
ROUNDS = 4
"""Of laying the sweeps upon each other; assumed."""
CONVERGED = 1e-12
"""Relative change of a fit's factors, and of its squares, at which it is done."""
DECIMALS = 6
"""That a sweep's factors keep between the rounds.

The next round's knots are some of the points that the factors move, so that which ones they are can
hang on the last digit of a sum, and a spread that the sweeps hardly determine on the library that
added it up.
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Spread:
    """Factors of n measured devices, I = kI f(kV V + dV) with f their common curve.

    Attributes
    ----------
    factors
        (n, 3): kI, kV (no unit), dV (volts).
    errors
        (n, 3): standard errors of ``factors`` as the scatter of each sweep's points gives them.
    residuals
        (n,): rms distance of each sweep from its fit, as a share of the peak.
    temp_c
        Degrees Celsius all were measured at.
    files
        n names.
    """

    factors: np.ndarray
    errors: np.ndarray
    residuals: np.ndarray
    temp_c: float
    files: tuple[str, ...]

    @property
    def sigmas(self) -> np.ndarray:
        """Sample standard deviations (3,) of kI, kV and dV (n - 1 in the denominator)."""
        return self.factors.std(axis=0, ddof=1)

    @property
    def fit_errors(self) -> np.ndarray:
        """Standard error of one sweep's kI, kV, dV: (3,), rms of ``errors``.

        From what is left of a fit: the sweep's noise, and what the common curve misses.
        """
        return np.sqrt((self.errors**2).mean(axis=0))

    def intervals(self) -> np.ndarray:
        """95 % intervals (3, 2) of the standard deviations, for normal factors (chi-square)."""
        from scipy.stats import chi2

        n = len(self.factors)
        scale = np.sqrt((n - 1) / chi2.ppf([0.975, 0.025], n - 1))
        return self.sigmas[:, None] * scale

    def rows(self) -> list[tuple[str, float, np.ndarray, float]]:
        """(name of the setting, sigma, its 95 % interval (2,), fit error) of kI, kV and dV."""
        columns = (PARAMETERS, self.sigmas, self.intervals(), self.fit_errors)
        return [(n, float(s), ci, float(e)) for n, s, ci, e in zip(*columns, strict=True)]


def common_curve(sweeps: Sequence[Sweep]) -> tuple[np.ndarray, np.ndarray]:
    """The curve f (N,), volts and amperes, of which sweeps are the copies kI f(kV V + dV).

    The mean of the sweeps, each laid upon the others by its factors, whose means are 1, 1 and 0.
    A plain mean is blunt where devices differ, and a sweep that is as blunt hides how much.
    Points that are reconstructed have no part in it.

    Raises
    ------
    DeviceError
        As ``fit_factors``.
    """
    factors = np.tile([1.0, 1.0, 0.0], (len(sweeps), 1))
    for left in reversed(range(ROUNDS)):
        points = [
            (k_v * s.v + d_v, (s.i if s.static is None else np.where(s.static, s.i, np.nan)) / k_i)
            for (k_i, k_v, d_v), s in zip(factors, sweeps, strict=True)
        ]
        lo, hi = max(v[0] for v, _ in points), min(v[-1] for v, _ in points)
        points = [(v[(v >= lo) & (v <= hi)], i[(v >= lo) & (v <= hi)]) for v, i in points]
        if min(v.size for v, _ in points) < MIN_POINTS:
            raise DeviceError(
                f"{', '.join(s.file for s in sweeps)}: laid upon each other they share less than "
                f"{MIN_POINTS} points of each, so they are no copies of one curve: import them "
                "apart"
            )
        knots = following_knots(np.array([lo, hi]), points, FOLLOWS)
        v, i = mean_curve(points)
        try:
            table = fit_knots(knots, v, i).i
        except DeviceError:  # points lie so close to a knot that they do not determine the next
            table = np.interp(knots, v, i)
        if left:
            fitted = [fit_factors(knots, table, sweep)[0] for sweep in sweeps]
            factors = np.round(fitted, DECIMALS)
            scale = factors.mean(axis=0)
            factors[:, 2] -= scale[2]
            factors /= [scale[0], scale[1], scale[1]]
    return knots, table


def measure_spread(v: np.ndarray, i: np.ndarray, sweeps: Sequence[Sweep], temp_c: float) -> Spread:
    """Fit kI, kV and dV of each of at least two sweeps to the table ``v``, ``i`` (N,)."""
    fitted = [fit_factors(v, i, sweep) for sweep in sweeps]
    factors, errors, residuals = (np.array(part) for part in zip(*fitted, strict=True))
    files = tuple(sweep.file for sweep in sweeps)
    made = Spread(factors=factors, errors=errors, residuals=residuals, temp_c=temp_c, files=files)
    kinds = ("relative sigma", "relative sigma", "voltage sigma")
    for name, sigma, kind in zip(PARAMETERS, made.sigmas, kinds, strict=True):
        require_physical(sigma, kind, f"{name} of {', '.join(files)}")
    return made


def fit_factors(v: np.ndarray, i: np.ndarray, sweep: Sweep) -> tuple[np.ndarray, np.ndarray, float]:
    """kI, kV, dV (3,) of a sweep against a table (N,), their standard errors (3,), rms residual.

    Least squares over the sweep's measured points, all of the same weight, but for the outer
    twentieth of the table at each end.

    Raises
    ------
    DeviceError
        If the sweep has too few points there, or is no scaled and shifted copy of the table.
    """
    edge = EDGE * (v[-1] - v[0])
    volts, amperes = sweep.measured
    inner = (volts >= v[0] + edge) & (volts <= v[-1] - edge)
    volts, share, table = volts[inner], amperes[inner] / i.max(), i / i.max()
    if volts.size < MIN_POINTS:
        raise DeviceError(
            f"{sweep.file} has {volts.size} points within the table: its spread needs at least "
            f"{MIN_POINTS}"
        )

    def residual(x: np.ndarray) -> np.ndarray:
        return x[0] * np.interp(x[1] * volts + x[2], v, table) - share

    found = _squares(residual, 1.0)
    if np.sqrt(np.mean(found.fun**2)) > EXPLAINED * scatter(amperes) / i.max():
        others = [_squares(residual, k_v) for k_v in STARTS]
        found = min(found, *others, key=lambda fit: fit.cost)
    rms = float(np.sqrt(np.mean(found.fun**2)))
    k_i, k_v, d_v = found.x
    scaled = k_i > MIN_CURRENT and 1 / MAX_SCALE < k_v < MAX_SCALE
    if rms > MAX_RESIDUAL or not scaled:
        raise DeviceError(
            f"{sweep.file} is no copy of the mean curve: the best fit is {k_i:.3g} times its "
            f"current, {k_v:.3g} times its voltage (limit {MAX_SCALE:g}), {d_v:.3g} V shifted, and "
            f"{100 * rms:.1f} % of the peak off (limit {100 * MAX_RESIDUAL:g}). Import it as a "
            "device of its own"
        )
    variance = (found.fun**2).sum() / (volts.size - 3)
    covariance = variance * np.linalg.pinv(found.jac.T @ found.jac)
    return found.x, np.sqrt(np.diag(covariance)), rms


def _squares(residual: Callable[[np.ndarray], np.ndarray], k_v: float) -> Any:
    """The least squares of ``residual`` over kI, kV, dV from 1, ``k_v``, 0 V: scipy's result.

    By MINPACK's Levenberg-Marquardt, which takes no linear algebra from elsewhere: the other
    methods end at another point with another LAPACK.
    """
    from scipy.optimize import least_squares

    tolerances = dict.fromkeys(("ftol", "xtol", "gtol"), CONVERGED)
    return least_squares(residual, [1.0, k_v, 0.0], x_scale=X_SCALE, method="lm", **tolerances)


def format_variation(spread: Spread | None, falling: Falling | None = None) -> str:
    """The text of a variation file: what devices differ by, and what nobody knows of their type."""
    about, lines = [], []
    if spread is not None:
        files = ", ".join("".join(c if c.isprintable() else " " for c in f) for f in spread.files)
        n = len(spread.files)
        about += [
            f"# spreads of {n} measured devices at {spread.temp_c:g} degC: {files}",
            "# Each sweep was fitted by I = kI f(kV V + dV), f being the curve common to all of "
            "them.",
            f"# Sample standard deviations; {n} devices know them within the 95 % interval given",
            "# (chi-square). In each is the error of a fit: noise, and what the common curve "
            "misses.",
        ]
        lines += [
            f"{name} = {float(f'{sigma:.3g}')!r}  # {meaning}; 95 %: {lo:.2g} to {hi:.2g}; "
            f"error of a fit {error:.1g}"
            for meaning, (name, sigma, (lo, hi), error) in zip(MEANINGS, spread.rows(), strict=True)
        ]
    if falling is not None:
        about += ["# Static parts only.", f"# {falling.sentence}."]
        lines.append(
            f"die_sigma_voltage = {float(f'{falling.voltage_sigma:.3g}')!r}  # assumed: that of "
            "|g_d|, as the voltage scale nearest to it, common to all diodes of a type"
        )
    return "\n".join([*about, "[variation]", *lines]) + "\n"
