# pyright: strict
"""What estimators of small probabilities of failure have in common: how they ask, what they say.

An estimator is a generator. It gives chips, is sent their scores, and at last returns an estimate.
It simulates nothing, and draws nothing of a chip's: asked again with the same answers it asks the
same, so that a study that was stopped goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..coordinates import Mix
from ..errors import UntrustedError
from ..intervals import exact
from ..streams import MAX_SAMPLE, Floats, Source


class Scored(NamedTuple):
    """Answers to a list of chips, in their order.

    Attributes
    ----------
    scores
        (n,) of each chip: below 0 it fails; -inf if it could not be simulated.
    reached
        (n,) accuracy or RMSE; nan if it could not be simulated.
    """

    scores: Floats
    reached: Floats


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A probability of failure.

    Attributes
    ----------
    p, ci95
        It, and its interval.
    method
        Name of the estimator.
    simulated
        Chips that were.
    cv
        Standard error of ``p`` as a share of it; nan where none failed.
    bound
        Whether no chip, or every one, failed: ``ci95`` is then all there is to say.
    levels
        What each level, scale or stratum had, by its columns.
    weights, reached
        (n,) what each chip counts in a mean over chips, and its accuracy or RMSE; None where the
        method weighs none.
    notes
        Sentences that belong to the figures.
    """

    p: float
    ci95: tuple[float, float]
    method: str
    simulated: int
    cv: float
    bound: bool = False
    levels: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    weights: Floats | None = None
    reached: Floats | None = None
    notes: list[str] = field(default_factory=list[str])

    @property
    def n_effective(self) -> float:
        """Plain chips that would know ``p`` as well; nan where none failed."""
        return (1 - self.p) / (self.p * self.cv**2) if self.p and self.cv else math.nan


Asking = Generator[Sequence[Source], Scored, Estimate]
