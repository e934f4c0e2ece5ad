# pyright: strict
"""Whether a node of diodes stays put along its whole curves, by its poles.

Axes: S slopes, D diodes of a node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..devices import IVCurve
from .loop import Node

Values = npt.NDArray[Any]
BETWEEN = 4
"""Steps from the slope of one segment of a table to that of the next: no curve has kinks."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Where a node moves: at ``volts``, with ``scale`` times its slopes, a pole at ``hertz``."""

    volts: float
    scale: float
    hertz: float


def node_slopes(curves: Sequence[IVCurve]) -> tuple[Values, Values]:
    """Volts (S,) along a node's diodes, and their slopes (S, D) there, siemens.

    The middles of all segments of the tables, and steps between the slopes of neighbours.
    """
    v = np.unique(np.concatenate([curve.v for curve in curves]))
    middles = (v[1:] + v[:-1]) / 2
    slopes = np.stack([np.diff(curve.current(v)) / np.diff(v) for curve in curves], axis=1)
    at = np.linspace(0, len(middles) - 1, BETWEEN * (len(middles) - 1) + 1)
    places = np.arange(len(middles))
    return np.interp(at, places, middles), np.stack(
        [np.interp(at, places, slopes[:, d]) for d in range(len(curves))], axis=1
    )


def scales(g_d_sigma: float) -> list[float]:
    """Factors on the tables' slopes that must hold."""
    return sorted({1.0, 1 - g_d_sigma, 1 + g_d_sigma})


def steepest_volts(curve: IVCurve) -> float:
    """Volts in the middle of the segment that falls most steeply."""
    middles = (curve.v[1:] + curve.v[:-1]) / 2
    return float(middles[(np.diff(curve.i) / np.diff(curve.v)).argmin()])


def grows(node: Node, g_d_sigma: float) -> Growth | None:
    """Where the node moves, all its diodes together at the same voltage; None: nowhere."""
    volts, slopes = node_slopes([row.curve for row in node.rows])
    for scale in scales(g_d_sigma):
        poles = node.poles(scale * slopes)
        worst = int(poles.real.max(axis=1).argmax())
        fastest = poles[worst][poles[worst].real.argmax()]
        if fastest.real >= 0:
            hertz = abs(float(fastest.imag)) / 2 / np.pi
            return Growth(volts=float(volts[worst]), scale=scale, hertz=hertz)
    return None
