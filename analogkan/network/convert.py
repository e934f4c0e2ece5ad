"""From a KANalogue state dictionary to a TDKAN: the same function, in this package's units.

Theirs is y = sum coeffs I_d(x) + bias with I_d in some unit, ours theta phi_d(v) with phi = I /
I_peak and v = x in volts: theta = coeffs I_peak / unit. Smooth basis fits become denser tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import torch

from ..devices import IVCurve
from ..devices.fit import fitted_polynomial, smooth_table, univariate_spline
from ..errors import SettingsError
from ..settings import require
from .config import TDKANConfig
from .model import TDKAN
from .squash import NORMS, Squash
from .state import parse_state

BASIS_FITS = ("pwl", "univariate", "poly")
BASIS_UNITS = {"uA": 1e-6, "nA": 1e-9, "mA": 1e-3, "A": 1.0, "peak": None}
"""Amperes; ``peak`` is each measured table's largest current."""
SMOOTHING = 0.1
"""KANalogue's (cli/fit.py there), in the square of the basis unit, which is uA there."""
ORDER = 15
"""Of KANalogue's polynomials (cli/fit.py there)."""
RESIDUAL = re.compile(r"residual (?:rms \S+, )?max (\S+)")
"""How notes of a shipped or an imported device say how far its table is from its source."""
FULL_BITS = 24
"""Significant bits of float32; a state with fewer gets a note."""
EPS = 1e-5
"""Of the norms: PyTorch's default, which KANalogue's model.py keeps; no state carries it."""
SHAPES = {196: (14, 14), 784: (28, 28), 3072: (3, 32, 32)}
"""Input shapes of KANalogue's data sets, by their width."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Basis:
    """What the coefficients of a state multiply.

    Attributes
    ----------
    curves
        The D tables as they are used: the devices' own, or those of their fits.
    scale
        (D,) the largest current of each table in the basis unit: theta = coeffs scale.
    fit, unit
        One of ``BASIS_FITS`` and of ``BASIS_UNITS``.
    errors
        Largest distance of each table from its smooth fit, as a share of its peak; 0 for ``pwl``.
    source_errors
        Largest distance of each device's own table from the sweep or the formula it was made of,
        as its notes say; None of one whose notes do not, such as a table with all its digits.
    notes
        Sentences on what a fit of a device hangs on.
    """

    curves: tuple[IVCurve, ...]
    scale: np.ndarray
    fit: str
    unit: str
    errors: tuple[float, ...]
    source_errors: tuple[float | None, ...]
    notes: tuple[str, ...] = ()


def make_basis(
    curves: Sequence[IVCurve],
    *,
    fit: str,
    unit: str = "uA",
    smoothing: float = SMOOTHING,
    order: int = ORDER,
) -> Basis:
    """The basis that ``fit`` makes of the devices' tables.

    Parameters
    ----------
    curves
        The D devices, in the order of the coefficients' last axis.
    fit
        ``pwl``: the tables themselves; ``univariate``: scipy's smoothing spline of their points;
        ``poly``: the least-squares polynomial. The last two are tabulated anew.
    unit
        Of the currents that the coefficients multiply.
    smoothing
        Of ``univariate``: bound of the sum of squared residuals, in the square of ``unit``.
    order
        Of ``poly``.

    Raises
    ------
    SettingsError
        If a setting is unknown or out of its range.
    DeviceError
        If a table has no such fit.
    """
    require(fit in BASIS_FITS, "basis fit", fit, ", ".join(BASIS_FITS))
    require(unit in BASIS_UNITS, "basis unit", unit, ", ".join(BASIS_UNITS))
    require(0 <= smoothing < float("inf"), "smoothing", smoothing, "at least 0")
    require(1 <= order <= 100, "order", order, "1 to 100")
    units = [BASIS_UNITS[unit] or curve.i_peak for curve in curves]
    made, errors, notes = [], [], []
    for curve, amperes in zip(curves, units, strict=True):
        table, error = curve, 0.0
        if fit == "univariate":
            how = f"smoothing spline, s = {smoothing:g} ({unit})^2"
            spline = univariate_spline(curve, smoothing, unit=amperes)
            if smoothing and spline.of_version:
                version = metadata.version("scipy")
                how += f" by SciPy {version}"
                notes.append(
                    f"device {curve.name}: SciPy 1.18 and later may draw another smoothing spline "
                    f"of its points than 1.17 and before, and this one is of {version}: convert "
                    "with the SciPy that the network was trained with"
                )
            table, error = _tabulated(curve, spline, "univ", how)
        elif fit == "poly":
            polynomial = fitted_polynomial(curve, order)
            how = f"least-squares polynomial of order {order}"
            table, error = _tabulated(curve, polynomial, f"poly{order}", how)
        made.append(table)
        errors.append(error)
    peaks = [table.i_peak for table in made]
    return Basis(
        curves=tuple(made),
        scale=np.array(peaks) / np.array(units),
        fit=fit,
        unit=unit,
        errors=tuple(errors),
        source_errors=tuple(map(source_error, curves)),
        notes=tuple(notes),
    )


def source_error(curve: IVCurve) -> float | None:
    """The largest residual, a share of the peak, that a device's notes state; None without one."""
    stated = [float(text) for text in RESIDUAL.findall(curve.notes)]
    return max(stated, default=None)


def _tabulated(curve: IVCurve, function: Any, suffix: str, how: str) -> tuple[IVCurve, float]:
    """The table of a fit, and its error as a share of the peak."""
    fit = smooth_table(curve, function)
    source = f"{curve.source}; {how} of the {curve.v.size} points of {curve.name}"
    notes = f"Tabulated at {fit.v.size} points, error {fit.max_residual:.1e} of the peak."
    name = f"{curve.name}_{suffix}"
    made = IVCurve(name, fit.v, fit.i, source, notes, reconstructed=curve.reconstructed)
    return made, fit.max_residual


def convert(
    state: Mapping[str, Any],
    basis: Basis,
    *,
    squash: Squash,
    norm: str | None = None,
    beyond_measured: bool = False,
) -> tuple[TDKAN, dict[str, Any]]:
    """The float64 model that ``state`` stands for, and a report.

    Parameters
    ----------
    state
        Keys and tensors as ``state.py`` describes them.
    basis
        From ``make_basis``.
    squash
        At the input of every layer, the first one too.
    norm
        What the keys must say; None accepts what they say.
    beyond_measured
        Accept a squash whose range leaves a measured curve: the curve's end value is held there.

    Raises
    ------
    CheckpointError
        If a key is missing or too many, or a tensor cannot be used.
    SettingsError
        If the keys are those of another norm, or the squash leaves a measured curve unasked.
    """
    require(norm is None or norm in NORMS, "norm", norm, ", ".join(NORMS))
    beyond = squash.beyond(basis.curves)
    if beyond and not beyond_measured:
        raise SettingsError(
            f"{beyond}: --beyond-measured accepts that and holds the curve's end value there, "
            "as KANalogue does"
        )
    parsed = parse_state(state, len(basis.curves))
    sizes = (parsed.coeffs[0].shape[0], *(c.shape[1] for c in parsed.coeffs))
    if norm not in (None, parsed.norm) and len(sizes) > 2:
        raise SettingsError(
            f"norm {norm} was asked for, but the state's keys are those of norm {parsed.norm}"
        )
    model = TDKAN(
        TDKANConfig(sizes=sizes, curves=basis.curves, squash=squash, norm=parsed.norm)
    ).double()
    with torch.no_grad():
        scale = torch.tensor(basis.scale)
        for layer, coeffs, bias in zip(model.layers, parsed.coeffs, parsed.biases, strict=True):
            layer.theta.copy_(coeffs * scale)
            layer.bias.copy_(bias)
        for module, tensors in zip(model.norms, parsed.norms, strict=True):
            module.eps = EPS
            for name, tensor in tensors.items():
                getattr(module, name).copy_(tensor)
    devices = [_device_facts(basis, d) for d in range(len(basis.curves))]
    notes = [f"{beyond}: the curve's end value is held there"] if beyond else []
    notes += basis.notes
    if sizes[-1] == 1:
        notes.append(
            "the network has one output: accuracy, agreement and yield compare outputs, so "
            "simulate and studies refuse it; compile, verify and simulate --trace take it"
        )
    for device in devices:
        if device["negative_current"]:
            notes.append(_negative_sentence(device))
    bits = parsed.significant_bits
    if bits < FULL_BITS:
        kind = str(parsed.dtype).removeprefix("torch.")
        notes.append(f"the coefficients had {bits} significant bits ({kind}): accuracy may suffer")
    return model.eval(), {
        "sizes": sizes,
        "parameters": sum(p.numel() for p in model.parameters()),
        "norm": parsed.norm,
        "significant_bits": bits,
        "norm_eps": EPS if len(model.norms) else None,
        "norm_eps_from": "PyTorch's default, which KANalogue's norms keep; a state has none"
        if len(model.norms)
        else None,
        "squash": vars(squash) | {},
        "basis_fit": basis.fit,
        "basis_unit": basis.unit,
        "devices": devices,
        "notes": notes,
    }


def _device_facts(basis: Basis, d: int) -> dict[str, Any]:
    curve = basis.curves[d]
    return {
        "name": curve.name,
        "source": curve.source,
        "points": curve.v.size,
        "i_peak": curve.i_peak,
        "scale": float(basis.scale[d]),
        "table_error": basis.errors[d],
        "source_error": basis.source_errors[d],
        "negative_current": negative_current(curve),
    }


def negative_current(curve: IVCurve) -> dict[str, Any] | None:
    """Where a table's current is negative at voltages from 0 up, as in no passive device.

    The most negative current as a share of the peak, its voltage, and the stretches of knots
    (first and last, volts) that are negative; None if there is none.
    """
    negative = (curve.i < 0) & (curve.v >= 0)
    if not negative.any():
        return None
    at = int(np.argmin(np.where(negative, curve.i, 0.0)))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], negative, [False]])))
    return {
        "share": float(curve.i[at] / curve.i_peak),
        "volts": float(curve.v[at]),
        "ranges": [[float(curve.v[a]), float(curve.v[b - 1])] for a, b in edges.reshape(-1, 2)],
    }


def _negative_sentence(device: dict[str, Any]) -> str:
    found = device["negative_current"]
    ranges = ", ".join(f"{a:.4g}" if a == b else f"{a:.4g} to {b:.4g}" for a, b in found["ranges"])
    return (
        f"{device['name']} carries negative current at {ranges} V, as no passive device does: "
        f"down to {100 * found['share']:.2g} % of its peak at {found['volts']:.4g} V"
    )
