# pyright: strict
"""The feedback capacitor of a row amplifier, chosen from a series of standard values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.series import E12
from ..compiler.stability import RATIO, smallest_c_f, steepest_fall
from ..devices import IVCurve
from .amplifiers import BoardOpAmp
from .loop import Node

Values = npt.NDArray[Any]
SERIES = tuple(float(f"{value}e{power - 1}") for power in range(-12, -8) for value in E12)
"""Farads, 1 pF to 8.2 nF."""
WIDEST = 30.0
"""Largest C_f tried, over the smallest that a one-pole amplifier needs."""
LARGEST, STEPS = 4.0, 80
"""Slope margins are looked for up to this factor, in so many steps."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A feedback capacitor and what is left with it.

    Attributes
    ----------
    c_f
        Farads.
    slope_margin
        The node stays put up to this factor on the diode's falling slopes, 4 where it does so
        there; 0 if not even flat or rising.
    damping
        Least share of a pole's distance from 0 that is decay, over the whole curve as it is.
    """

    c_f: float
    slope_margin: float
    damping: float


def slope_range(curve: IVCurve) -> tuple[float, float]:
    """``|g_d|`` of the steepest falling part of a curve, 0 if none falls, and of the rising."""
    slopes = np.diff(curve.i) / np.diff(curve.v)
    return steepest_fall(curve, -math.inf, math.inf), float(max(0.0, slopes.max()))


def judge_c_f(node: Node, d: int) -> Choice:
    """What is left with row ``d`` of ``node`` as it is; the other diodes are flat."""
    fall, rise = slope_range(node.rows[d].curve)
    factors = np.linspace(0.0, LARGEST, STEPS + 1)
    slopes = np.zeros((STEPS + 1, len(node.rows)))
    slopes[:, d] = -fall * factors
    down = node.poles(slopes)
    slopes[:, d] = rise * factors / LARGEST
    up = node.poles(slopes)
    moving = down.real.max(axis=1) >= 0
    margin = float(factors[int(moving.argmax()) - 1]) if moving.any() else LARGEST
    if moving[0] or up.real.max() >= 0:
        margin = 0.0
    poles = np.concatenate([up.ravel(), down[factors <= 1].ravel()])
    return Choice(
        c_f=node.rows[d].c_f,
        slope_margin=margin,
        damping=float((-poles.real / np.abs(poles)).min()),
    )


def choose_c_f(nodes: Sequence[Node], d: int) -> Choice:
    """What is left of the worst of ``nodes``, which differ in what is around row ``d``, with the
    best C_f there.

    Of the E12 values from the one-pole rule's smallest to 30 times as much it is the one with the
    largest slope margin; of equals the best damped, to a tenth, of these the smallest.
    """
    row = nodes[0].rows[d]
    least = smallest_c_f(slope_range(row.curve)[0], row.r_f, nodes[0].opamp.gbw)
    least = max(least, SERIES[0])
    tried = [c for c in SERIES if least <= c <= WIDEST * least] or SERIES[-1:]
    found: list[Choice] = []
    for c_f in tried:
        each = [judge_c_f(with_c_f(node, d, c_f), d) for node in nodes]
        found.append(
            Choice(
                c_f=c_f,
                slope_margin=min(one.slope_margin for one in each),
                damping=min(one.damping for one in each),
            )
        )
    return max(found, key=lambda one: (one.slope_margin, round(one.damping, 1), -one.c_f))


def with_c_f(node: Node, d: int, c_f: float) -> Node:
    """``node`` with another feedback capacitor in row ``d``, farads."""
    rows = list(node.rows)
    rows[d] = replace(rows[d], c_f=c_f)
    return replace(node, rows=tuple(rows))


def with_choices(node: Node, choices: Sequence[Choice]) -> Node:
    """``node`` with the capacitor of each of ``choices``, one a row."""
    rows = [replace(row, c_f=choice.c_f) for row, choice in zip(node.rows, choices, strict=True)]
    return replace(node, rows=tuple(rows))


def one_pole(curve: IVCurve, r_f: float, opamp: BoardOpAmp) -> float:
    """Farads that the rule for amplifiers of one pole chooses beside ``r_f`` ohms."""
    return RATIO * smallest_c_f(slope_range(curve)[0], r_f, opamp.gbw)
