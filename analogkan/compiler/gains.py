"""Gains of a stage: what its row, line and output amplifiers make of currents.

Axes: I inputs, D diodes, O outputs; physical lines 2 O, interleaved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..devices import IVCurve
from ..errors import CompileError
from ..network.spec import LayerSpec
from .hardware import Hardware
from .readout import READOUTS
from .series import nearest_of, standard_of, standard_values


@dataclass(frozen=True, eq=False, kw_only=True)
class Gains:
    """Of one stage.

    Attributes
    ----------
    r_c
        (2 O,) ohms, feedback of the line amplifiers.
    gain
        (O,) of the difference amplifiers; of a summing read-out r_n / r_x, which is 1.
    unit
        (O,) volts at the outputs per unit of y.
    alpha
        (O,) volts per siemens that the mapping must have for that.
    """

    r_c: np.ndarray
    gain: np.ndarray
    unit: np.ndarray
    alpha: np.ndarray


def row_feedback(
    curves: tuple[IVCurve, ...], hardware: Hardware, layer: int
) -> tuple[np.ndarray, np.ndarray]:
    """R_f (D,) ohms, and the rows' volts at phi = 1 as shares (D,) of v_fs: of standard values they
    are not 1.

    Raises
    ------
    CompileError
        If a standard value is asked for and none is near.
    """
    peaks = np.array([curve.i_peak for curve in curves])
    r_f = hardware.v_fs / peaks
    if not hardware.series:
        return r_f, np.ones_like(r_f)
    hint = "change v_fs, which it is v_fs / I_peak by"
    r_f = standard_of(r_f, hardware.series, f"layer {layer}: a row's feedback", hint)
    return r_f, r_f * peaks / hardware.v_fs


def size_gains(
    drive: np.ndarray,
    load: np.ndarray,
    alpha: np.ndarray,
    reach: float,
    after: LayerSpec | None,
    hardware: Hardware,
    layer: int,
) -> Gains:
    """Gains that keep lines within their headroom.

    Of standard values the resistors come first; ``alpha`` is then what makes ``unit`` exact, at
    most two steps of the series above the one that was given, so that no error is left but that of
    the cells.

    Parameters
    ----------
    drive
        (2 O,) the lines' largest current, amperes.
    load
        (2 O,) all conductances on each line, siemens.
    alpha
        (O,) volts per siemens, the least that the layer's coefficients can have.
    reach
        The largest ``|y|``.
    after
        The next layer.
    layer
        For messages.

    Raises
    ------
    CompileError
        If a standard value is asked for and none is near.
    """
    limit = hardware.headroom * hardware.v_rail
    if not READOUTS[hardware.readout].differences:
        return _summing(drive, load, alpha, reach, after, hardware, layer)
    # An output that nothing drives gets the gain of one row at g_min.
    idle = hardware.v_fs * hardware.g_min
    r_c = limit / np.maximum(drive.reshape(-1, 2).max(axis=1), idle)
    ones = np.ones_like(alpha)
    load = load.reshape(-1, 2).max(axis=1)
    if after is None or after.norm is not None:
        # One scale for all: logits keep their order, and a LayerNorm compares its inputs.
        common = (r_c / alpha).min()
        r_c = common * alpha
        gain = ones * split(load * r_c, hardware).max()
        if hardware.series and gain[0] > 1:
            gain = _differences(gain, hardware, layer)
        common, r_c = common / gain[0], r_c / gain
        if hardware.series:
            tightest = int(alpha.argmin())
            common = _lines(r_c[tightest], hardware, layer, side=-1) / alpha[tightest]
            r_c = _lines(common * alpha, hardware, layer, side=1)
            alpha = r_c / common
        unit = gain * common * hardware.v_fs
        return Gains(r_c=np.repeat(r_c, 2), gain=gain, unit=unit, alpha=alpha)
    unit = ones
    if after.squash.bends and reach > limit:  # its attenuator takes any scale
        unit = ones * (limit / reach)
    gain = unit / (r_c * hardware.v_fs / alpha)
    k = split(load * r_c / gain, hardware)
    r_c, gain = r_c / k, gain * k
    if not hardware.series:
        return Gains(r_c=np.repeat(r_c, 2), gain=gain, unit=unit, alpha=alpha)
    r_c = _lines(r_c, hardware, layer, side=-1)
    gain = _differences(unit * alpha / (r_c * hardware.v_fs), hardware, layer)
    alpha = gain * r_c * hardware.v_fs / unit
    return Gains(r_c=np.repeat(r_c, 2), gain=gain, unit=unit, alpha=alpha)


def _summing(
    drive: np.ndarray,
    load: np.ndarray,
    alpha: np.ndarray,
    reach: float,
    after: LayerSpec | None,
    hardware: Hardware,
    layer: int,
) -> Gains:
    """``size_gains`` of a summing read-out.

    r_f follows from what an output has per unit of y, where that is free from the largest |y| at
    the headroom. r_n is then free: the noise gains of the two amplifiers, 1 + r_n sum g_n and
    1 + r_f (sum g_p + 1/r_n), have the least sum at r_n = sqrt(r_f / sum g_n), unless the negative
    line would pass its headroom.
    """
    limit, ones = hardware.headroom * hardware.v_rail, np.ones_like(alpha)
    if after is None or after.norm is not None:
        # An output that nothing drives gets the scale of one cell at g_min.
        unit = ones * limit / max(reach, float((alpha * hardware.g_min).min()))
    else:
        unit = ones * (limit / reach if after.squash.bends and reach > limit else 1.0)
    r_f = unit * alpha / hardware.v_fs
    if hardware.series:
        r_f = _lines(r_f, hardware, layer, side=1)
        alpha = r_f * hardware.v_fs / unit
    most = limit / np.maximum(drive[1::2], hardware.v_fs * hardware.g_min)
    r_n = np.minimum(np.sqrt(r_f / np.maximum(load[1::2], hardware.g_min)), most)
    if hardware.series:
        r_n = _lines(r_n, hardware, layer, side=-1)
    return Gains(r_c=np.stack([r_f, r_n], axis=1).ravel(), gain=ones, unit=unit, alpha=alpha)


def split(ratio: np.ndarray, hardware: Hardware) -> np.ndarray:
    """What lines' feedback is divided and difference amplifiers' gains multiplied by, at least 1.

    A line of feedback r and conductances G has the noise gain 1 + G r, a difference amplifier of
    gain a has 1 + a. At a given product P = r a their sum 2 + G r + P / r is least where G r is
    P / r, which is a: both by sqrt(G r / a) off what they were. ``gain_split`` is a power of that.

    Parameters
    ----------
    ratio
        (O,) G r / a as it was.
    """
    return np.maximum(1.0, ratio ** (hardware.gain_split / 2))


def _differences(gain: np.ndarray, hardware: Hardware, layer: int) -> np.ndarray:
    """Gains (O,) of difference amplifiers whose resistors are of standard values, not below
    ``gain``."""
    _require_standard(hardware.r_diff, hardware.series)
    hint = "change v_rail, headroom or v_fs"
    what = f"layer {layer}: a difference amplifier's feedback"
    ohms = hardware.r_diff * gain
    return standard_of(ohms, hardware.series, what, hint, side=1) / hardware.r_diff


def _require_standard(r_diff: float, series: str) -> None:
    nearest = float(nearest_of(standard_values(series), np.array(r_diff)))
    if not math.isclose(nearest, r_diff, rel_tol=1e-9):
        raise CompileError(
            f"r_diff = {r_diff:g} ohm is no value of {series.upper()}: the nearest is {nearest:g}"
        )


def _lines(r_c: np.ndarray, hardware: Hardware, layer: int, side: int) -> np.ndarray:
    hint = "change v_rail, headroom or v_fs, or the range g_min to g_max"
    what = f"layer {layer}: a line's feedback"
    return standard_of(np.asarray(r_c), hardware.series, what, hint, side)


def reach_of(layer: LayerSpec) -> float:
    """Largest ``|y|`` that any voltages could produce."""
    extreme = np.array([_extreme_phi(curve) for curve in layer.curves])
    return float(((np.abs(layer.theta) * extreme).sum(axis=(0, 2)) + np.abs(layer.bias)).max())


def _extreme_phi(curve: IVCurve) -> float:
    return max(abs(curve.i.min()), curve.i_peak) / curve.i_peak


def line_drive(
    layer: LayerSpec, phi: np.ndarray | None, g: np.ndarray, row_volts: np.ndarray, v_fs: float
) -> np.ndarray:
    """Largest current of each line, amperes, (2 O,): for basis values ``phi`` (N, I D), or at
    worst.

    ``row_volts`` (D,) is what rows have at phi = 1; bias rows, the last ones of ``g``, have
    ``v_fs``.
    """
    if phi is None:
        extreme = [_extreme_phi(curve) for curve in layer.curves]
        phi = np.tile(extreme, layer.theta.shape[0])[None]
    rows, n = np.empty((len(phi), len(g))), phi.shape[1]
    np.multiply(phi, np.tile(row_volts / v_fs, layer.theta.shape[0]), out=rows[:, :n])
    rows[:, n:] = 1.0
    return v_fs * np.abs(rows @ g).max(axis=0)
