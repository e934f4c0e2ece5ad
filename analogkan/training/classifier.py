"""Training of networks that no circuit is made of: what TD-KANs are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data import ImageSet
from ..data.images import check_outputs
from ..errors import DataError, DivergedError
from ..settings import require
from ..text import percent
from .adam import Optimiser, adam, constant
from .augment import Augmentation, augmented
from .fit import Epoch, check_augmentable, generator_of, threads_for
from .unfinished import resume, save_state

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class Schedule(Augmentation):
    """How a classifier is trained: Adam at a constant rate, on images that are augmented so.

    Attributes
    ----------
    epochs, batch, learning_rate
        As in a recipe.
    mean, std
        Inputs, 0 to 1, become (x - mean) / std: one number, or one a colour.
    """

    epochs: int
    learning_rate: float
    batch: int = 64
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.epochs <= 10_000, "epochs", self.epochs, "1 to 10000")
        require(2 <= self.batch <= 65_536, "batch", self.batch, "2 to 65536")
        require(
            0 < self.learning_rate < 10, "learning_rate", self.learning_rate, "above 0, below 10"
        )
        require(min(self.std) > 0, "std", self.std, "above 0")
        require(len(self.mean) == len(self.std), "mean", self.mean, "as many numbers as std")


def inputs_of(images: ImageSet, shape: tuple[int, ...], schedule: Schedule) -> Tensor:
    """Inputs (n, I) for 8-bit ``images`` resized to ``shape``, normalised."""
    if images.x.dtype != np.uint8:
        raise DataError(f"{images.name} holds {images.x.dtype}: 8-bit images are needed")
    return _normalised(torch.from_numpy(images.flat(shape).astype(np.float32)), schedule)


def _normalised(x: Tensor, schedule: Schedule) -> Tensor:
    """Grey values (n, I) of 0 to 255, colours fastest, as a network takes them."""
    mean, std = torch.tensor(schedule.mean), torch.tensor(schedule.std)
    return ((x.view(len(x), -1, len(mean)) / 255.0 - mean) / std).flatten(1)


def train_classifier(
    make: Callable[[], M],
    images: ImageSet,
    shape: tuple[int, ...],
    schedule: Schedule,
    *,
    seed: int,
    state: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[M, float]:
    """Train what ``make`` makes on ``images``, resized to ``shape``.

    ``state`` is as for ``fit.train``: an unfinished training goes on.

    Returns
    -------
    model, float
        In evaluation mode; and the seconds that it took.

    Raises
    ------
    DataError
        If the images cannot be augmented so; DivergedError if the loss is no longer a number.
    CheckpointError
        If ``state`` is of another training.
    """
    started = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make()
    check_augmentable(images, schedule)
    x, labels, raw = inputs_of(images, shape, schedule), torch.from_numpy(images.y), images.x
    optimiser = adam(model, constant(schedule.learning_rate))
    parts = {"model": model, "optimiser": optimiser}
    key = repr((schedule, shape, seed, images.name, str(model)))
    for number in range(resume(state, key, parts) + 1, schedule.epochs + 1):
        generator = generator_of(seed, number)
        order = torch.randperm(len(x), generator=generator)
        if schedule.augments:
            x = _normalised(augmented(torch.from_numpy(raw), shape, schedule, generator), schedule)
        with threads_for(model):
            total, correct = _run_epoch(model, optimiser, x, labels, order.split(schedule.batch))
        if not np.isfinite(total):
            raise DivergedError(
                f"training diverged in epoch {number}: lower learning_rate from "
                f"{schedule.learning_rate:g}"
            )
        if state is not None and number < schedule.epochs:
            save_state(state, key, number, parts)
        said = f"{percent(correct / len(x))} of train"
        on_epoch(Epoch(number, schedule.epochs, total / len(x), said))
    return model.eval(), time.perf_counter() - started


def _run_epoch(
    model: nn.Module,
    optimiser: Optimiser,
    x: Tensor,
    labels: Tensor,
    batches: Sequence[Tensor],
) -> tuple[float, int]:
    """One pass; summed loss and number of correct answers while training."""
    total, correct = 0.0, 0
    for index in batches:
        logits = model(x[index])
        loss = functional.cross_entropy(logits, labels[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += float(loss.detach()) * len(index)
        correct += int((logits.detach().argmax(1) == labels[index]).sum())
    return total, correct


@torch.no_grad()
def accuracy_of(model: nn.Module, x: Tensor, y: np.ndarray) -> float:
    """Share of ``x`` (n, I) that ``model`` puts into its class ``y`` (n,)."""
    logits = torch.cat([model(block) for block in x.split(1024)])
    check_outputs(logits.shape[1])
    return float((logits.argmax(1).numpy() == y).mean())


def made_with() -> dict[str, Any]:
    """What the last digits of a training depend on, beside its seed."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads()}
