# pyright: strict
"""The score of a chip: how far it is from failing, a number that does not come in steps.

An accuracy comes in steps of one image. The k-th smallest of the images' signed margins is
continuous, and is negative exactly when the accuracy is below the limit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import SettingsError
from ..network.measures import distance

if TYPE_CHECKING:
    from ..network.spec import NetworkSpec

Floats = npt.NDArray[np.float64]
TIED = -np.finfo(float).tiny
"""Margin of an image whose label's logit is the largest, but not the first that is."""
ROUNDING = 1e-9
"""Images by which a limit may be beside a whole number of them."""


def margins(logits: Floats, labels: npt.NDArray[Any]) -> Floats:
    """(B,) by how much the label's logit is above the largest other, below 0 where another class is
    taken, of equal ones the first; logits (B, O), labels (B,)."""
    images = np.arange(len(labels))
    others = logits.copy()
    others[images, labels] = -np.inf
    found = logits[images, labels] - others.max(axis=1)
    return np.where((found == 0) & (logits.argmax(axis=1) != labels), TIED, found)


@dataclass(frozen=True, kw_only=True)
class Event:
    """That a chip fails.

    Attributes
    ----------
    limit
        Accuracy from which on a chip is a good one, or RMSE up to which it is.
    images
        How many it is shown.
    rank
        Of a classifier which margin is the score, 1 the smallest: as many images must be wrong for
        the accuracy to be below the limit. None: a regression.
    """

    limit: float
    images: int
    rank: int | None

    @classmethod
    def of(cls, spec: NetworkSpec, limit: float, images: int) -> Event:
        """The event that a chip of ``spec`` misses ``limit`` on so many images."""
        if spec.targets is not None:
            return cls(limit=limit, images=images, rank=None)
        needed = math.ceil(limit * images - ROUNDING)
        return cls(limit=limit, images=images, rank=images - needed + 1)

    @classmethod
    def asked(cls, spec: NetworkSpec, limit: float, images: int) -> Event:
        """The same of a limit that was asked for; SettingsError if no chip can miss it."""
        found = cls.of(spec, limit, images)
        if found.rank is not None and 0 < images < found.rank:
            raise SettingsError(
                f"yield_at = {limit:g} is an accuracy that every chip reaches, so none is a bad "
                "one: give one above 0"
            )
        return found

    def score(
        self, spec: NetworkSpec, labels: npt.NDArray[Any], logits: Floats
    ) -> tuple[float, float]:
        """How far a chip with ``logits`` (B, O) is from failing, below 0 if it does, and what it
        reaches: in logits and an accuracy, or both an RMSE."""
        if self.rank is None:
            assert spec.targets is not None
            found = distance(spec.targets, labels, spec.targets.values(logits), ci95=False).rmse
            return self.limit - found, found
        of_images = margins(logits, labels)
        score = np.partition(of_images, self.rank - 1)[self.rank - 1]
        return float(score), float((of_images >= 0).mean())

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
