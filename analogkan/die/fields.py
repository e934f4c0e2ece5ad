# pyright: strict
"""What varies over a die: smooth Gaussian fields, and gradients.

A field is white noise on a lattice, averaged around each part with weights exp(-d^2 / l^2). With
nodes l / 3 apart its covariance is exp(-d^2 / 2 l^2) to 1e-15, at parts anywhere (Poisson's sum).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import SettingsError
from .floorplan import Floorplan, Sites

Floats = npt.NDArray[np.float64]
NODES = 3
"""Nodes a correlation length: the covariance is wrong by 2 exp(-pi^2 9 / 2), 1e-19."""
REACH = 6.25
"""Correlation lengths beyond which a weight is below 1e-16."""
WHOLE_FIELD = NODES * math.sqrt(2 * math.pi)
"""A field where the noise is 1 at all nodes: of both axes the sum of their weights (Poisson's)."""
MOST_NODES = 4_000_000
"""Of a lattice."""
WHOLE_DIE = 1e6
"""Micrometres, a metre, that stand for a length without end: all of a die is alike."""


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Where the noise behind a field of ``length`` micrometres is.

    Attributes
    ----------
    length
        Correlation length l: two parts d apart have the correlation exp(-d^2 / 2 l^2).
    shape
        Nodes down and across.
    """

    length: float
    shape: tuple[int, int]

    def weights(self, at: Floats, axis: int) -> Floats:
        """(n, nodes) what the nodes along ``axis`` give to the places ``at`` (n,)."""
        step = self.length / NODES
        nodes = step * (np.arange(self.shape[axis]) - math.ceil(REACH * NODES))
        scale = math.sqrt(step / self.length * math.sqrt(2 / math.pi))
        return scale * np.exp(-(((at[:, None] - nodes) / self.length) ** 2))

    def field(self, noise: Floats, sites: Sites) -> Floats:
        """The field at ``sites`` of standard normal ``noise`` of ``shape``: of variance 1.

        With several fields' noise (D, ...) the last axis of ``sites`` is which one.
        """
        down, across = self._known(sites)
        if sites.grid:
            return down @ noise @ across.T
        if noise.ndim == len(self.shape):
            return ((down @ noise) * across).sum(axis=1).reshape(sites.shape)
        kinds = len(noise)
        parts = [((down[d::kinds] @ noise[d]) * across[d::kinds]).sum(axis=1) for d in range(kinds)]
        return np.stack(parts, axis=-1)

    def _known(self, sites: Sites) -> tuple[Floats, Floats]:
        """``weights`` of ``sites`` along both axes."""
        known = sites.known.get("field")  # one entry: other threads may put another there
        if known is None or known[0] != self:
            weights = self.weights(sites.y.ravel(), 0), self.weights(sites.x.ravel(), 1)
            sites.known["field"] = known = self, weights
        return known[1]


def lattice_of(plan: Floorplan, length: float, name: str) -> Lattice:
    """The lattice of ``name`` = ``length`` micrometres over a die.

    Raises
    ------
    SettingsError
        If it would have more than ``MOST_NODES``.
    """
    sides = plan.height, plan.width
    ends = 2 * math.ceil(REACH * NODES) + 1
    high, wide = (math.ceil(NODES * side / length) + ends for side in sides)
    if high * wide > MOST_NODES:
        # High and wide are below (NODES side / l + ends + 1): solved for l, rounded up.
        a, b, c = MOST_NODES - (ends + 1) ** 2, (ends + 1) * sum(sides), sides[0] * sides[1]
        least = NODES * (b + math.sqrt(b * b + 4 * a * c)) / (2 * a)
        raise SettingsError(
            f"{name} = {length:g} um on a die of {plan.width:.0f} x {plan.height:.0f} um takes a "
            f"lattice of {high * wide:,} numbers a field, at most {MOST_NODES:,}: set it to "
            f"{math.ceil(least)} um or more, or to 0, each part its own"
        )
    return Lattice(length=length, shape=(high, wide))


def gradient(plan: Floorplan, sites: Sites, slopes: Floats) -> Floats:
    """What a straight gradient gives ``sites``: 0 in the middle of the die.

    ``slopes`` (..., 2) are across and down, for each millimetre; they precede the parts' axes, or
    are one pair.
    """
    x, y = sites.each
    return (slopes[..., 0] * (x - plan.width / 2) + slopes[..., 1] * (y - plan.height / 2)) / 1e3
