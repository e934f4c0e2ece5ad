# pyright: strict
"""What each kind of amplifier of a circuit is asked for, layer by layer, and what it has.

An op-amp's gain is taken to be what it is without a load: what a load takes of it is not modelled.

Axes: K layers, n images, I inputs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.bandwidth import column_gains
from ..compiler.design import Design
from .assumptions import Assumptions
from .blocks import AMPLIFIERS
from .power import PowerResult
from .settling_twin import InTime
from .supply import least_quiescent

Values = npt.NDArray[Any]


def quiescent_asked(power: PowerResult, assumed: Assumptions) -> dict[str, tuple[Values, Values]]:
    """By block of op-amps amperes (K,) of I_q: what the largest current of any of them asks for in
    its class, and what it has by ``i_quiescent``, or else needs for its bandwidth.

    Where the first is more, currents and not bandwidths make the quiescent power. Both are 0 in a
    layer without any.
    """
    found: dict[str, tuple[Values, Values]] = {}
    for block in AMPLIFIERS:
        asked = [peaks.max(initial=0.0) / assumed.class_of(block) for peaks in power.peaks[block]]
        has = [
            np.full(gbw.shape, assumed.i_quiescent or least_quiescent(gbw, assumed, block))
            for gbw in power.gbw[block]
        ]
        found[block] = np.array(asked), np.array([least.max(initial=0.0) for least in has])
    return found


def offset_volts(design: Design, sigma: float) -> dict[str, Values]:
    """By group of op-amps volts (K,) at an output, of an offset of ``sigma`` volts at the input.

    Of the op-amp with the largest noise gain: rows 1 + r_f times the steepest rise of any diode's
    curve, others see ``bandwidth.column_gains``.
    """
    gains = np.array([_noise_gains(design, k) for k in range(len(design.stages))])
    return dict(zip(AMPLIFIERS, sigma * gains.T, strict=False))


def _noise_gains(design: Design, layer: int) -> list[float]:
    stage = design.stages[layer]
    rises = [float((np.diff(curve.i) / np.diff(curve.v)).max()) for curve in stage.curves]
    rows = 1 + (stage.r_f * np.maximum(rises, 0.0)).max()
    lines, outputs = column_gains(stage.g, stage.r_c, stage.gain, stage.readout)
    return [float(gains.max()) for gains in (rows, lines, outputs)]


def least_damping(design: Design, assumed: Assumptions, temp_c: float) -> dict[str, Values]:
    """By group of op-amps (K,) the least damping of any pole of their loops, rows' on every segment
    of their diodes' curves: 1 where nothing rings, 0 or less where it does not decay.

    Raises
    ------
    SimulationError
        As ``InTime``.
    """
    found: dict[str, list[float]] = {"rows": [], "lines": [], "differences": []}
    for stage in InTime(design, assumed, temp_c).stages:
        rows = np.concatenate([bank.poles().ravel() for bank in stage.rows])
        for group, poles in zip(found, (rows, *stage.column_poles()), strict=True):
            found[group].append(float((-np.real(poles) / np.abs(poles)).min()))
    return {group: np.array(least) for group, least in found.items()}


def summing_swing(
    design: Design, before: Values, after: Values, assumed: Assumptions, temp_c: float
) -> Values:
    """Volts (K,): as far as the summing node of any row is from 0 V, at any time, as the inputs go
    from ``before`` (n, I) volts to ``after``.

    A diode sees that much less, or more, than what drives it: more than the distance of two knots
    of its curve, and it passes segments that it does not rest on.

    Raises
    ------
    SimulationError
        As ``InTime``.
    """
    moving = InTime(design, assumed, temp_c)
    end, most = moving.least_seconds(after.T), np.zeros(len(moving.stages))
    for t, states in moving.march(before.T, after.T):
        nodes = [[float(np.abs(own[0]).max()) for own in state.rows] for state in states]
        most = np.maximum(most, np.max(nodes, axis=1))
        if t >= end:
            break
    return most


def c_margin(design: Design) -> float:
    """The least of any row amplifier's capacitor over what its falling diode needs; infinite where
    none falls."""
    margins = [stage.stability["c_margin"] for stage in design.stages]
    return min((margin for margin in margins if margin is not None), default=math.inf)
