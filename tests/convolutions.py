"""Small networks with convolutions for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from analogkan.data import ImageSet
from analogkan.devices import resolve
from analogkan.network import checkpoint
from analogkan.network.encoding import Encoding
from analogkan.network.model import TDKAN, TDKANConfig
from analogkan.network.patches import Patches
from analogkan.network.spec import NetworkSpec

from .networks import random_inputs

SHAPE = (6, 5, 2)
ENCODING = Encoding(x_lo=0.0, x_hi=255.0, v_lo=0.0, v_hi=0.7, shape=SHAPE)


def convolutional_model(seed: int = 0, norm: str = "batch", v_lo: float = 0.0) -> TDKAN:
    """6x5x2 inputs, convolutions of 3x3 (padded) and 2x2, 4 hidden nodes, 3 classes; float64."""
    first = Patches(height=6, width=5, channels=2, kernel=3, stride=2, padding=1)
    second = Patches(height=first.rows, width=first.columns, channels=4, kernel=2)
    sizes = (60, first.count * 4, second.count * 3, 4, 3)
    config = TDKANConfig(sizes=sizes, curves=resolve("A21,Z21"), norm=norm, patches=(first, second))
    model = TDKAN(config).double()
    generator = torch.Generator().manual_seed(seed)
    model.initialise((0.05, 0.3), generator, gamma=0.2, beta=0.5)
    model.train()
    for k in range(3):  # statistics of their own for every norm
        model(torch.from_numpy(random_inputs(seed + k, 16, 60) / 255 * 0.7))
    return model.eval()


def convolutional_spec(seed: int = 0, norm: str = "batch") -> NetworkSpec:
    """The same as arrays, with calibration inputs."""
    x = random_inputs(seed + 50, 12, 60)
    model = convolutional_model(seed, norm)
    return model.to_spec(ENCODING, name="conv", dataset="random", calibration=x)


def convolutional_checkpoint(path: Path, seed: int = 0) -> None:
    """The same as a checkpoint."""
    checkpoint.save(
        convolutional_model(seed), path, name=path.stem, encoding=ENCODING, dataset="random",
        calibration=random_inputs(seed + 50, 12, 60),
    )  # fmt: skip


def convolutional_images(seed: int, n: int) -> ImageSet:
    """``n`` images of 6x5x2, 3 classes, the last two alike."""
    x = random_inputs(seed, n, 60).reshape(n, *SHAPE)
    x[-1] = x[-2]
    return ImageSet(name="random", x=x, y=np.arange(n) % 3, index=np.arange(n))
