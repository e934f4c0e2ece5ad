# pyright: strict
"""Worst-case corners: the worst chip within a sphere of so many sigmas, by gradient.

The performance measure approach: the chip of the smallest score with |z| at most beta, over all
standard normal coordinates z (Tu, Choi and Park, J. Mech. Des. 121, 557 (1999),
doi:10.1115/1.2829499), by the advanced mean value's step, z = -beta grad / |grad| (Wu, Millwater
and Cruse, AIAA J. 28, 1663 (1990), doi:10.2514/3.25266), shortened until the score falls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..coordinates import Key
from ..network.spec import NetworkSpec
from ..streams import Floats
from .corners_named import Coordinates, distance
from .scores import Event, margins

WIDTHS = 1.0, 0.25, 0.0625
"""Of the bell of ``weights``: the next one where none leads to a worse chip with the one before."""
STEPS = 16
"""Gradients that are asked for, at most."""
SHORTEST = 1 / 16
"""Of a step, as a share of the whole one: below it there is no worse chip that way."""
BISECTIONS = 12
"""That find where a score crosses 0: to 1 in 4,096 of the distance."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Worst:
    """What a search found.

    Attributes
    ----------
    at
        The chip's coordinates.
    score
        Its score on the images that it was looked for on.
    gradients
        How many were asked for.
    settled
        Whether no step led to a worse one any more, before ``STEPS``.
    """

    at: dict[Key, Floats]
    score: float
    gradients: int
    settled: bool


def search(
    score: Callable[[Coordinates], float],
    slope: Callable[[Coordinates, float], Coordinates],
    sigmas: float,
    start: Coordinates,
) -> Worst:
    """The worst chip that is ``sigmas`` from the middle.

    Parameters
    ----------
    score
        Of a chip by its coordinates: below 0 if it fails.
    slope
        What moves the score there, or what is like it: the more so, the smaller the share of
        ``WIDTHS``.
    start
        Where the search begins: the middle, or a chip, which is put onto the sphere.
    """
    at = _onto(start, sigmas) if distance(start) else dict(start)
    least, widths = score(at), list(WIDTHS)
    for k in range(STEPS):
        found = _stepped(score, sigmas, at, least, slope(at, widths[0]))
        if found is not None:
            at, least = found
        elif len(widths) == 1 or not distance(at):
            return Worst(at=dict(at), score=least, gradients=k + 1, settled=True)
        else:
            del widths[0]
    return Worst(at=dict(at), score=least, gradients=STEPS, settled=False)


def _stepped(
    score: Callable[[Coordinates], float],
    sigmas: float,
    at: dict[Key, Floats],
    least: float,
    slope: Coordinates,
) -> tuple[dict[Key, Floats], float] | None:
    """The next chip on the sphere and its score, which is below ``least``, or the first one there;
    None where the ``slope`` leads to none."""
    to, step = _onto(_scaled(slope, -1.0), sigmas), 1.0
    while distance(to) and step >= SHORTEST:
        tried = _onto(_between(at, to, step), sigmas)
        found = score(tried)
        if found < least or not distance(at):
            return tried, found
        step /= 2
    return None


def reach(score: Callable[[float], float]) -> float | None:
    """Which share of the way to a chip lies before the ``score``, of that share, crosses 0: the
    way's first crossing as bisection finds it; None where the chip does not fail, 0 where the one
    in the middle does."""
    if score(1.0) >= 0:
        return None
    low, high = 0.0, 1.0
    if score(low) < 0:
        return 0.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if score(middle) < 0 else (middle, high)
    return high


def weights(
    spec: NetworkSpec,
    event: Event,
    labels: npt.NDArray[np.int64],
    logits: Floats,
    width: float = 1.0,
) -> Floats:
    """(B, O) what the score grows by with each logit, or what is like it.

    Of a classifier the score is one image's margin, and the image another one a step farther: so
    it is the mean margin of the images about the k-th smallest, by a bell ``width`` k ranks wide.
    """
    if event.rank is None:
        return _rmse_slope(spec, labels, logits)
    images, place = np.arange(len(labels)), event.rank - 1
    rank = np.argsort(np.argsort(margins(logits, labels), kind="stable"), kind="stable")
    bell = np.exp(-0.5 * ((rank - place) / (width * event.rank)) ** 2)
    bell /= bell.sum()
    others = logits.copy()
    others[images, labels] = -np.inf
    found = np.zeros_like(logits)
    found[images, labels] = bell
    found[images, others.argmax(axis=1)] -= bell
    return found


def _rmse_slope(spec: NetworkSpec, labels: npt.NDArray[np.int64], logits: Floats) -> Floats:
    """What -RMSE grows by, up to a factor: every output's error as a share of its span."""
    assert spec.targets is not None
    return -(spec.targets.values(logits) - labels) / spec.targets.span


def _onto(at: Coordinates, sigmas: float) -> dict[Key, Floats]:
    """The chip that lies that way, ``sigmas`` from the middle."""
    far = distance(at)
    return _scaled(at, sigmas / far if far else 0.0)


def _scaled(at: Coordinates, by: float) -> dict[Key, Floats]:
    return {key: by * array for key, array in at.items()}


def _between(one: Coordinates, other: Coordinates, share: float) -> dict[Key, Floats]:
    """The chip ``share`` of the way from ``one`` to the ``other``."""
    found = _scaled(one, 1 - share)
    for key, array in other.items():
        found[key] = found.get(key, 0.0) + share * array
    return found
