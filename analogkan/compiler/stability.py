"""Stability of the row amplifiers: a falling diode is a negative resistance.

A diode of slope -|g_d| into a transimpedance amplifier of feedback R_f, C_f and gain-bandwidth
product GBW settles only if C_f > (|g_d| - 1 / R_f) / (2 pi GBW); a DC solution exists all the same,
so a DC analysis does not show it. What drives the diodes must stay stiff: its output resistance
times the node's sum of |g_d| below 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..devices import IVCurve
from ..errors import CompileError
from ..limits import doubt_of_current
from ..network.squash import Squash
from .hardware import Hardware

RATIO = 3.0
"""C_f over its minimum, where it is chosen here."""
SMALLEST_C_F = 10e-15
"""Farads; a smaller capacitor is not a component."""


@dataclass(frozen=True, kw_only=True)
class Stability:
    """Margins of one stage.

    Attributes
    ----------
    c_f
        (D,) farads, feedback capacitors of the row amplifiers.
    c_margin
        (D,) c_f over the smallest that is stable; infinite where none is needed.
    node_margin
        1 - (output resistance of what drives a diode node) * (sum of its ``|g_d|``).
    """

    c_f: np.ndarray
    c_margin: np.ndarray
    node_margin: float

    def summary(self) -> dict[str, float | None]:
        """``c_margin`` of the worst device (None: none needs a capacitor) and ``node_margin``."""
        smallest = float(self.c_margin.min())
        return {
            "c_margin": smallest if math.isfinite(smallest) else None,
            "node_margin": self.node_margin,
        }


def steepest_fall(curve: IVCurve, v_lo: float, v_hi: float) -> float:
    """Largest |dI/dV| among falling segments that reach into [v_lo, v_hi]; siemens, 0 if none."""
    slopes = np.diff(curve.i) / np.diff(curve.v)
    driven = (curve.v[:-1] < v_hi) & (curve.v[1:] > v_lo)
    return float(max(0.0, -slopes[driven].min(initial=0.0)))


def smallest_c_f(fall: float, r_f: float, gbw: float) -> float:
    """Farads that ``fall`` siemens of negative conductance need beside ``r_f`` ohms; 0 if none."""
    return max(0.0, (fall - 1.0 / r_f) / (2.0 * math.pi * gbw))


def driven_range(squash: Squash, dac: tuple[float, float] | None) -> tuple[float, float]:
    """Volts that can reach a stage's diodes: the DAC's, the squash's, or without one any."""
    if dac is not None:
        return dac
    return (-math.inf, math.inf) if squash.kind == "none" else (squash.v_lo, squash.v_hi)


def stabilise(
    curves: tuple[IVCurve, ...],
    reach: tuple[float, float],
    hardware: Hardware,
    layer: int,
    gbw: float,
) -> Stability:
    """C_f of each device's row amplifier and what is left of the margins.

    Parameters
    ----------
    curves
        The D devices of a node.
    reach
        Volts that can reach it.
    layer
        For messages.
    gbw
        Of the row amplifiers, hertz.

    Raises
    ------
    CompileError
        If ``hardware.c_f`` or ``hardware.r_out`` makes a node oscillate.
    """
    falls = [steepest_fall(curve, *reach) for curve in curves]
    needed = np.array(
        [
            smallest_c_f(fall, hardware.v_fs / curve.i_peak, gbw)
            for fall, curve in zip(falls, curves, strict=True)
        ]
    )
    chosen = np.full_like(needed, hardware.c_f)
    if not hardware.c_f:
        chosen = np.maximum(RATIO * needed, SMALLEST_C_F)
    with np.errstate(divide="ignore"):
        margin = np.where(needed > 0, chosen / needed, np.inf)
    if margin.min() < 1:
        d = int(margin.argmin())
        raise CompileError(
            f"layer {layer}: c_f = {hardware.c_f:g} F is below the {needed[d]:.3g} F that a row "
            f"amplifier behind {curves[d].name} needs not to oscillate (falling slope "
            f"{falls[d]:.3g} S, GBW {gbw:g} Hz): leave c_f at 0, or raise it or gbw"
        )
    node = 1.0 - hardware.r_out * sum(falls)
    odd = max(curves, key=lambda curve: curve.i_peak)
    if node <= 0 and doubt_of_current(odd.i_peak):
        raise CompileError(
            f"layer {layer}: device {odd.name}: {doubt_of_current(odd.i_peak)}: were they mA or "
            "uA? Import its sweeps again with --i-unit"
        )
    if node <= 0:
        raise CompileError(
            f"layer {layer}: r_out = {hardware.r_out:g} ohm times the diodes' falling slopes of "
            f"{sum(falls):.3g} S is not below 1, so a diode node has several solutions: lower "
            f"r_out to less than {1 / sum(falls):.3g} ohm"
        )
    return Stability(c_f=chosen, c_margin=margin, node_margin=node)
