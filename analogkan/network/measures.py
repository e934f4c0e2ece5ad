# pyright: strict
"""How far what is computed is from what it should be: measures of a regression.

Axes: n points, K targets.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .targets import Targets

RESAMPLES, SEED = 1000, 0
"""Of the bootstrap over points."""
SPAN = "span"
"""The unit where there are several targets: shares of the span of each."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Between two sets of values of all targets, in their unit.

    Attributes
    ----------
    rmse
        Root of the mean squared difference.
    rmse_ci95
        Percentile bootstrap over the points, 1,000 resamples, seed 0; None of fewer than two.
    max_abs
        The largest difference.
    worst
        Place of the point where it is.
    r2
        1 minus the squared difference's share of the variance of the first; None if that is none.
    share
        ``rmse`` as a share of the span of the training targets.
    bits
        Effective bits: log2(span / (rmse sqrt(12))), what a converter of that error would have.
    """

    rmse: float
    rmse_ci95: tuple[float, float] | None
    max_abs: float
    worst: int
    r2: float | None
    share: float
    bits: float | None

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def unit_of(targets: Targets) -> str:
    """The unit of a measure: the target's own; with several ``span``, shares of each one's."""
    return targets.units[0] if len(targets) == 1 else SPAN


def span_of(targets: Targets) -> float:
    """Full scale in that unit."""
    return float(targets.span[0]) if len(targets) == 1 else 1.0


def in_unit(targets: Targets, y: np.ndarray) -> np.ndarray:
    """Quantities ``y`` (n, K) in the unit of a measure."""
    return y if len(targets) == 1 else y / targets.span


def distance(
    targets: Targets, wanted: np.ndarray, given: np.ndarray, *, ci95: bool = True
) -> Distance:
    """How far ``given`` (n, K) is from ``wanted`` (n, K), both in the targets' units; without the
    interval, which takes longest, unless ``ci95``."""
    wanted, given = in_unit(targets, wanted), in_unit(targets, given)
    apart = given - wanted
    squares = (apart**2).mean(axis=1)
    rmse, span = math.sqrt(float(squares.mean())), span_of(targets)
    variance = float(((wanted - wanted.mean(axis=0)) ** 2).mean())
    return Distance(
        rmse=rmse,
        rmse_ci95=_interval(squares) if ci95 else None,
        max_abs=float(np.abs(apart).max()),
        worst=int(np.abs(apart).max(axis=1).argmax()),
        r2=1 - rmse**2 / variance if variance else None,
        share=rmse / span,
        bits=math.log2(span / (rmse * math.sqrt(12))) if rmse else None,
    )


def straight_line(known: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values (m, K) at ``x`` (m, I) of the line, plane and so on through points ``known`` (n, I) of
    values ``y`` (n, K) with the least squares: what a network of them must do better than."""
    given, asked = (np.column_stack([one, np.ones(len(one))]) for one in (known, x))
    return asked @ np.linalg.lstsq(given, y)[0]


def _interval(squares: np.ndarray) -> tuple[float, float] | None:
    """Of the root of the mean of ``squares`` (n,)."""
    if len(squares) < 2:
        return None
    rng = np.random.default_rng(SEED)
    means = [
        squares[rng.integers(len(squares), size=len(squares))].mean() for _ in range(RESAMPLES)
    ]
    low, high = np.sqrt(np.percentile(means, [2.5, 97.5]))
    return float(low), float(high)


def format_value(value: float, unit: str) -> str:
    """``0.0312 degC``, or ``0.31 % of span`` where values are shares of it."""
    if unit == SPAN:
        return f"{100 * value:.3g} % of span"
    return f"{value:.3g} {unit}".strip()


def line_said(line: float | None, unit: str) -> str:
    """What a straight line reaches, to be put behind a network's RMSE; empty if not known."""
    return "" if line is None else f" (a straight line: {format_value(line, unit)})"
