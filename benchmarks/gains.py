"""Whether learned gains and offsets before the diodes would be worth a cell each.

A hidden node's own gain and offset are learned already: BatchNorm's, folded into the crossbar. Here
every diode of every input has them too, v = a u + b, on top of the same recipe: accuracy on
training images kept back, and what the shares of a and b come to.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from analogkan.data import load_dataset, stratified
from analogkan.network.model import TDKAN, TDKANLayer
from analogkan.training import fit
from analogkan.training.classifier import accuracy_of
from analogkan.training.recipe import load_recipe

DATA = Path("data")
CASES = (("mnist", "mnist-d2", 15), ("fashion-mnist", "fashion-d2", 12))
KEPT_BACK = 5000
SEEDS = (0,)


class Tuned(TDKANLayer):
    """A layer whose diodes see a u + b, with ``a`` and ``b`` (I, D) learned from 1 and 0."""

    def __init__(self, layer: TDKANLayer, curves) -> None:
        n_in, n_out, n_dev = layer.shape
        super().__init__(n_in, n_out, curves)
        self.load_state_dict(layer.state_dict())
        self.gain = nn.Parameter(torch.ones(n_in, n_dev))
        self.offset = nn.Parameter(torch.zeros(n_in, n_dev))

    def forward(self, v: Tensor, *, clip_sigma: float = 0.0) -> Tensor:
        """As ``TDKANLayer``."""
        phi = self.basis.each(v[..., None] * self.gain + self.offset).flatten(1)
        return nn.functional.linear(phi, self.clipped(clip_sigma), self.bias)


class TunedTDKAN(TDKAN):
    """A TD-KAN of such layers."""

    def initialise(self, *args, **kwargs) -> None:
        """As ``TDKAN``; then every layer is tuned."""
        super().initialise(*args, **kwargs)
        self.layers = nn.ModuleList(Tuned(k, self.config.curves) for k in self.layers)  # type: ignore


def accuracy(make, images, judged, recipe, seed: int) -> tuple[float, TDKAN]:
    """Of a network that ``make`` makes, on ``judged``, and itself."""
    plain, fit.TDKAN = fit.TDKAN, make
    try:
        done = fit.train(images, recipe, seed=seed)
    finally:
        fit.TDKAN = plain
    x = done.encoding.volts(judged.flat(done.encoding.shape))
    return accuracy_of(done.model, torch.from_numpy(x.astype(np.float32)), judged.y), done.model


def main() -> None:
    for dataset, name, epochs in CASES:
        images = load_dataset(dataset, "train", DATA)
        kept = stratified(images.y, KEPT_BACK)
        rest = images.take(np.setdiff1d(np.arange(len(images)), kept))
        recipe, judged = load_recipe(name, epochs=epochs), images.take(kept)
        for make in (TDKAN, TunedTDKAN):
            found = [accuracy(make, rest, judged, recipe, seed) for seed in SEEDS]
            shares = ", ".join(f"{100 * share:.2f} %" for share, _ in found)
            print(
                f"{name}, {epochs} epochs, {make.__name__}: {shares} of {KEPT_BACK} kept back",
                flush=True,
            )
        for k, layer in enumerate(found[0][1].layers):
            assert isinstance(layer, Tuned)
            gain, offset = layer.gain.detach(), layer.offset.detach()
            print(
                f"  layer {k}: gains {gain.min():.2f} to {gain.max():.2f} (rms off 1 "
                f"{(gain - 1).square().mean().sqrt():.2f}), offsets {offset.min():.2f} to "
                f"{offset.max():.2f} V"
            )
