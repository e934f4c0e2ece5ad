"""What a training is after: the right class, or the right values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..data import ImageSet
from ..data.images import REGRESSION, count_classes
from ..errors import DataError, SettingsError
from ..network.targets import MOST, Targets
from ..text import percent, with_unit

ANY = "any"
"""The task of a recipe that trains a model on, whatever it does."""


class Goal(Protocol):
    """What outputs are compared with.

    Attributes
    ----------
    outputs
        How many a network for it has.
    wanted
        (n, ...) what they should be.
    targets
        What they stand for, in a regression.
    """

    outputs: int
    wanted: Tensor
    targets: Targets | None

    def loss(self, given: Tensor, wanted: Tensor) -> Tensor:
        """What training makes small, of outputs (B, O)."""
        ...

    def score(self, given: Tensor, wanted: Tensor) -> float:
        """What is summed over an epoch for ``said``."""
        ...

    def said(self, score: float) -> str:
        """The mean score of an epoch, in words."""
        ...


@dataclass(frozen=True, eq=False)
class Classes:
    """Each image in its class: cross-entropy."""

    outputs: int
    wanted: Tensor
    targets: Targets | None = None

    def loss(self, given: Tensor, wanted: Tensor) -> Tensor:
        """Cross-entropy of logits (B, O) and classes (B,)."""
        return functional.cross_entropy(given, wanted)

    def score(self, given: Tensor, wanted: Tensor) -> float:
        """How many are right."""
        return int((given.argmax(1) == wanted).sum())

    def said(self, score: float) -> str:
        """The share that is right."""
        return f"{percent(score)} of train"


@dataclass(frozen=True, eq=False)
class Values:
    """Each point at its targets: mean squared error, of outputs that are -1 to 1."""

    outputs: int
    wanted: Tensor
    targets: Targets | None

    def loss(self, given: Tensor, wanted: Tensor) -> Tensor:
        """Mean squared difference of outputs and wanted ones, (B, K) each."""
        return (given - wanted).square().mean()

    def score(self, given: Tensor, wanted: Tensor) -> float:
        """The summed squares, an output each."""
        return float((given - wanted).square().mean(dim=1).sum())

    def said(self, score: float) -> str:
        """The root of the mean, as a share of the span, which is 2."""
        return f"RMSE {percent(score**0.5 / 2, 3)} of span on train"


def goal_of(images: ImageSet, targets: Targets | None = None) -> Goal:
    """What a network for ``images`` is after; ``targets`` are an earlier model's.

    Raises
    ------
    DataError
        If there is one class, or a target that is the same everywhere.
    """
    if images.task != REGRESSION:
        return Classes(count_classes(images), torch.from_numpy(images.y))
    found = targets or targets_of(images)
    wanted = torch.from_numpy(found.outputs(images.y))
    return Values(len(found), wanted, found)


def targets_of(images: ImageSet) -> Targets:
    """What the targets of a training set are, and their range."""
    low, high = images.y.min(axis=0), images.y.max(axis=0)
    for (name, unit), lo, hi in zip(images.targets, low, high, strict=True):
        if not np.ptp([lo, hi]):
            raise DataError(
                f"target {name} of {images.name} is {lo:g} {unit}".rstrip()
                + " at every training point: nothing to learn"
            )
    named = images.inputs if len(images.inputs) <= MOST else ()
    return Targets(
        low=tuple(map(float, low)),
        high=tuple(map(float, high)),
        names=tuple(name for name, _ in images.targets),
        units=tuple(unit for _, unit in images.targets),
        inputs=tuple(with_unit(*one) for one in named),
    )


def check_task(images: ImageSet, task: str, recipe: str, asked: str = "") -> None:
    """Raise SettingsError if a recipe for ``task`` trains on data of another, or another was
    ``asked`` for than the data can be of."""
    have = "targets" if images.task == REGRESSION else "classes"
    if asked and images.task != asked:
        raise SettingsError(
            f"--task {asked}: {images.name} has {have}; only whole numbers in a file of your own "
            "may be either"
        )
    if task in (ANY, images.task):
        return
    other = "function-d2" if images.task == REGRESSION else "plain-d2"
    either = task == REGRESSION and not asked
    raise SettingsError(
        f"recipe {recipe} is for {task}, and {images.name} has {have}: give a recipe for "
        f"{images.task}, such as --recipe {other}"
        f"{', or --task regression if they are quantities' if either else ''}"
    )
