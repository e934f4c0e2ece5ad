# pyright: strict
"""Shares of causes where margins are linear in what is drawn, and what they predict of scores.

Axes: n figures, of images or of a regression's outputs; M draws; P parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..coordinates import Key, Linear
from .scores import Event
from .sensitivity_causes import Part

Floats = npt.NDArray[np.float64]
DRAWS = 4096
"""Of the Gaussian that margins are; the standard deviation of a score is then known to 1.1 %."""
BLOCK = 512
LEFT_OUT = 1e-6
"""Of a part's variance, by directions that are not drawn."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Predicted:
    """Scores and what is reached, (2, M) each, where margins are linear.

    Attributes
    ----------
    first, second
        Of all parts: chips A, and B.
    picked
        By part, of chips A that have it from B.
    alone, without
        By part of it alone; and of all but parts that are left out together, by these.
    decides
        (n,) share of the draws in which a figure is the score, or of a regression its share of the
        squared error.
    """

    first: Floats
    second: Floats
    picked: Mapping[Part, Floats]
    alone: Mapping[Part, Floats]
    without: Mapping[frozenset[Part], Floats]
    decides: Floats


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A chip whose figures are linear in what is drawn.

    Attributes
    ----------
    linear
        Signed margins of images, or errors of a regression's outputs in its unit.
    event
        What a chip may fail.
    """

    linear: Linear
    event: Event

    @cached_property
    def keys(self) -> dict[Part, list[Key]]:
        """The coordinates of each part."""
        found: dict[Part, list[Key]] = {}
        for key in self.linear.slopes:
            found.setdefault(Part(key.layer, key.stream), []).append(key)
        return found

    @cached_property
    def variances(self) -> dict[Part, Floats]:
        """(n,) of each figure, by part."""
        return {
            part: np.sum([_squares(self.linear.slopes[key]) for key in keys], axis=0)
            for part, keys in self.keys.items()
        }

    def shares(self, weights: Floats) -> dict[Part, float]:
        """Of the variance of all figures, weighted (n,): the first-order index of several outputs
        (Lamboni et al. 2011, doi:10.1016/j.ress.2010.12.002; Gamboa et al. 2014,
        doi:10.1214/14-EJS895)."""
        each = {part: float(weights @ of) for part, of in self.variances.items()}
        total = sum(each.values())
        return {part: value / total if total else 0.0 for part, value in each.items()}

    def places(self, weights: Floats) -> dict[Key, Floats]:
        """Of every coordinate its share, in arrays of the coordinates' shapes."""
        some = np.flatnonzero(weights)
        found = {
            key: np.tensordot(weights[some], np.square(slope[some], dtype=float), axes=1)
            for key, slope in self.linear.slopes.items()
        }
        total = sum(float(of.sum()) for of in found.values())
        return {key: of / total for key, of in found.items()} if total else found

    def score(self, figures: Floats) -> Floats:
        """(2, M): scores and what is reached, accuracies or RMSEs; of ``figures`` (M, n)."""
        if self.event.rank is None:
            rmse = np.sqrt((figures**2).mean(axis=1))
            return np.stack([self.event.limit - rmse, rmse])
        kth = self.event.rank - 1
        score = np.partition(figures, kth, axis=1)[:, kth]
        return np.stack([score, (figures >= 0).mean(axis=1)])

    def predict(self, without: Sequence[frozenset[Part]], seed: int) -> Predicted:
        """What cheap draws of the figures' normal distribution say of scores.

        Parameters
        ----------
        without
            Parts that are left out together.
        """
        rng = np.random.default_rng(seed)
        factors = {part: self._factor(part) for part in self.keys}
        blocks = [self._block(factors, without, rng) for _ in range(DRAWS // BLOCK)]

        def joined(found: Sequence[Floats]) -> Floats:
            return np.concatenate(found, axis=1)

        return Predicted(
            first=joined([one.first for one in blocks]),
            second=joined([one.second for one in blocks]),
            picked={p: joined([one.picked[p] for one in blocks]) for p in factors},
            alone={p: joined([one.alone[p] for one in blocks]) for p in factors},
            without={of: joined([one.without[of] for one in blocks]) for of in without},
            decides=np.mean([one.decides for one in blocks], axis=0),
        )

    def _block(
        self,
        factors: Mapping[Part, Floats],
        without: Sequence[frozenset[Part]],
        rng: np.random.Generator,
    ) -> Predicted:
        middle = self.linear.values
        first, second = (
            {p: rng.standard_normal((BLOCK, of.shape[1])) @ of.T for p, of in factors.items()}
            for _ in range(2)
        )
        a, b = (middle + sum(of.values()) for of in (first, second))
        return Predicted(
            first=self.score(a),
            second=self.score(b),
            picked={p: self.score(a - first[p] + second[p]) for p in factors},
            alone={p: self.score(middle + first[p]) for p in factors},
            without={of: self.score(a - sum(first[p] for p in of if p in first)) for of in without},
            decides=self._decides(a),
        )

    def _decides(self, figures: Floats) -> Floats:
        if self.event.rank is None:
            squares = (figures**2).mean(axis=0)
            return squares / squares.sum()
        kth = self.event.rank - 1
        which = np.argpartition(figures, kth, axis=1)[:, kth]
        return np.bincount(which, minlength=figures.shape[1]) / len(figures)

    def _factor(self, part: Part) -> Floats:
        """(n, r) so that standard normal numbers (r,) give what the part does to the figures."""
        keys, n = self.keys[part], len(self.linear.values)
        if sum(int(np.prod(self.linear.slopes[key].shape[1:])) for key in keys) <= n:
            flat = [self.linear.slopes[key].reshape(n, -1) for key in keys]
            return np.concatenate(flat, axis=1).astype(float)
        values, vectors = np.linalg.eigh(self.linear.covariance(keys))
        kept = np.cumsum(values) > LEFT_OUT * values.sum()  # they rise
        return vectors[:, kept] * np.sqrt(np.maximum(values[kept], 0.0))


def _squares(slope: Any) -> Floats:
    flat = slope.reshape(len(slope), -1)
    return np.einsum("ij,ij->i", flat, flat, dtype=float)
