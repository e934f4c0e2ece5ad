"""One training from data set to checkpoint and card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..data import ImageSet, load_dataset, stratified
from ..data.sources import check_labels
from ..devices import resolve
from ..errors import CheckpointError, DataError
from ..network import checkpoint
from .card import evaluate, parameter_count, write_card
from .fit import Epoch, input_encoding, train
from .noise import Noise
from .recipe import Recipe, load_recipe


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """What to train, on what, and where it goes.

    Attributes
    ----------
    dataset, data, download
        As for ``load_dataset``.
    recipe
        A shipped name or a TOML file.
    devices
        Instead of the recipe's, separated by commas: names, or paths of ``.toml`` files.
    out
        The checkpoint; the card goes beside it, the unfinished state too.
    seed, epochs
        The latter instead of the recipe's.
    holdout
        Training images kept back and reported on instead of the test set.
    noise
        What disturbs every batch, for hardware that will.
    command
        What the card says made the model.
    """

    dataset: str
    recipe: str
    out: Path
    data: Path = Path("data")
    download: bool = False
    seed: int = 0
    epochs: int | None = None
    holdout: int | None = None
    devices: str | None = None
    noise: Noise | None = None
    command: str = ""

    def plan(self) -> Recipe:
        """The recipe, read, with what is asked for instead."""
        recipe = load_recipe(self.recipe, epochs=self.epochs)
        if self.devices is None:
            return recipe
        named = (name.strip() for name in self.devices.split(","))
        return replace(recipe, devices=tuple(name for name in named if name))


def run_training(
    request: TrainingRequest, *, on_epoch: Callable[[Epoch], None] = lambda epoch: None
) -> dict[str, Any]:
    """Train, read the test set once, write checkpoint and card; the figures as a dictionary.

    Raises
    ------
    SettingsError, DataError, DeviceError, CheckpointError
        If the recipe, the data, a device or an unfinished training in the way cannot be used.
    """
    plan = request.plan()
    out, card = request.out, request.out.with_suffix(".md")
    if out.suffix != ".pt":
        raise CheckpointError(f"--out {out} must end in .pt")
    if card.exists() and "| sha256 |" not in card.read_text(encoding="utf-8", errors="replace"):
        raise CheckpointError(f"{card}, where the card would go, is no card: give another --out")
    resolve(plan.devices)  # a device that is none is refused before the data are read
    images = load_dataset(request.dataset, "train", request.data, download=request.download)
    if request.holdout:
        images, held = _split(images, request.holdout)
        what, judged = "held-out training", held
    else:
        what = "test"
        judged = load_dataset(request.dataset, "test", request.data, download=request.download)
    check_labels(judged, int(images.y.max()) + 1)
    encoding = input_encoding(images, plan)
    encoding.volts(judged.flat(encoding.shape))  # its width and unit, before hours of training
    state = out.with_name(out.name + ".training")
    done = train(
        images,
        plan,
        seed=request.seed,
        state=state,
        on_epoch=on_epoch,
        disturbance=request.noise,
    )
    spec = done.model.to_spec(
        done.encoding, name=out.stem, dataset=images.name, calibration=done.calibration
    )
    found = evaluate(spec, judged, f"{images.name} {what}, read once")
    recipe = Path(request.recipe).stem
    checkpoint.save(
        done.model,
        out,
        name=out.stem,
        encoding=done.encoding,
        dataset=images.name,
        calibration=done.calibration,
        training={"command": request.command, "recipe": recipe, "seed": request.seed},
    )
    facts = {
        "recipe, seed": f"{recipe}, {request.seed}; {plan.epochs} epochs on {len(images):,} "
        f"images of {images.name}",
        "made with": f"analogkan {__version__}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads",
    }
    if request.noise is not None:
        told = {k: v for k, v in request.noise.document().items() if v}
        facts["disturbed by"] = ", ".join(f"{key} {value}" for key, value in told.items())
    write_card(card, spec, found, model=out, command=request.command, facts=facts)
    state.unlink(missing_ok=True)
    return {
        "model": str(out),
        "card": str(card),
        "dataset": images.name,
        "recipe": recipe,
        "seed": request.seed,
        "epochs": plan.epochs,
        "parameters": parameter_count(spec),
        "evaluated_on": what,
        "n": found.n,
        "accuracy": found.accuracy,
        "ci95": found.ci95,
        "out_of_range": found.out_of_range,
        "hidden_volts": found.hidden_volts,
    }


def _split(images: ImageSet, holdout: int) -> tuple[ImageSet, ImageSet]:
    """Training images without, and with only, a stratified ``holdout`` of them."""
    if holdout >= len(images):
        raise DataError(f"holding out {holdout} of {len(images)} training images leaves none")
    kept = stratified(images.y, holdout)
    return images.take(np.setdiff1d(np.arange(len(images)), kept)), images.take(kept)
