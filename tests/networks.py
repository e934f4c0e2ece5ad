"""Small random networks for tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from analogkan.data import ImageSet
from analogkan.devices import IVCurve, get
from analogkan.network.encoding import Encoding
from analogkan.network.spec import LayerSpec, NetworkSpec
from analogkan.network.squash import Norm, Squash
from analogkan.studies.simulation import Simulation
from analogkan.studies.store import STORE


def random_curve(rng: np.random.Generator, name: str) -> IVCurve:
    """A curve with 3 to 12 random points over about a volt; it starts at the origin."""
    n = int(rng.integers(3, 13))
    v = np.concatenate([[0.0], np.cumsum(rng.uniform(0.05, 0.2, n - 1))])
    i = np.concatenate([[0.0], rng.uniform(0.0, 3e-6, n - 2), rng.uniform(1e-6, 3e-6, 1)])
    return IVCurve(name, v, i, "random")


def random_spec(
    seed: int,
    sizes: tuple[int, ...] = (5, 4, 3),
    *,
    n_dev: int = 2,
    squash: str = "none",
    norm: str = "none",
    n_calibration: int = 16,
    curves: tuple[IVCurve, ...] | None = None,
) -> NetworkSpec:
    """A network with random coefficients, 8-bit inputs and random devices."""
    rng = np.random.default_rng(seed)
    if curves is None:
        curves = tuple(random_curve(rng, f"T{d}") for d in range(n_dev))
    layers = []
    for k, (n_in, n_out) in enumerate(pairwise(sizes)):
        layers.append(
            LayerSpec(
                theta=rng.normal(0, (n_in * len(curves)) ** -0.5, (n_in, n_out, len(curves))),
                bias=rng.normal(0, 1.0, n_out),
                curves=curves,
                squash=Squash(kind=squash, v_lo=0.05, v_hi=0.9),
                norm=Norm(
                    kind=norm,
                    scale=rng.uniform(0.2, 2.0, n_in),
                    shift=rng.normal(0.4, 0.2, n_in),
                    eps=1e-5 if norm == "layer" else 0.0,
                )
                if k and norm != "none"
                else None,
            )
        )
    x = random_inputs(seed + 1, n_calibration, sizes[0])
    return NetworkSpec(
        name=f"net{seed}",
        layers=tuple(layers),
        encoding=Encoding(x_lo=0, x_hi=255, v_lo=0.0, v_hi=0.7, shape=(sizes[0],)),
        dataset="random",
        calibration=x if n_calibration else None,
    )


def random_inputs(seed: int, n: int, width: int) -> np.ndarray:
    """(n, width) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (n, width)).astype(np.uint8)


def random_images(seed: int, n: int, width: int, classes: int = 3) -> ImageSet:
    """``n`` images of classes 0, 1, 2, 0, ... whose positions in their set start at 100."""
    return ImageSet(
        name="random",
        x=random_inputs(seed, n, width),
        y=np.arange(n) % classes,
        index=np.arange(100, 100 + n),
    )


def random_checkpoint(path: Path, seed: int = 0, squash: str = "clamp") -> None:
    """Write a checkpoint of a small random network: 5 inputs, 3 classes, a squash, a norm."""
    import torch

    from analogkan.network import checkpoint
    from analogkan.network.model import TDKAN, TDKANConfig

    curves = (random_curve(np.random.default_rng(seed), "T0"), get("A21"))
    kind = Squash(kind=squash, v_lo=0.05, v_hi=0.9)
    model = TDKAN(TDKANConfig(sizes=(5, 4, 3), curves=curves, squash=kind)).eval()
    generator = torch.Generator().manual_seed(seed)
    model.initialise([0.3], generator, gamma=0.3, beta=0.4)
    encoding = Encoding(x_lo=0, x_hi=255, v_lo=0.0, v_hi=0.7, shape=(5,))
    x = random_inputs(seed, 16, 5)
    checkpoint.save(model, path, name=path.stem, encoding=encoding, dataset="random", calibration=x)


def random_npz(path: Path, n: int = 40, shape: tuple[int, ...] = (5,)) -> None:
    """Write a data set that is all test: ``n`` images of ``shape``, 3 classes."""
    images = random_images(5, n, int(np.prod(shape)))
    np.savez(path, x=images.x.reshape(n, *shape), y=images.y, split=np.full(n, "test"))


def flipped(whole: bytes, bit: int) -> bytes:
    """``whole`` with one bit of the other value."""
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def circuit(result: Simulation) -> np.ndarray:
    """The circuit's logits (n, O) of a simulation that has them."""
    assert result.circuit is not None
    return result.circuit


def kept_chunks(run: Path) -> list[tuple]:
    """What a RUN keeps of each chunk, of held circuits' too: start, stop, seconds, bytes, hash."""
    found = []
    for path in sorted(run.rglob(STORE)):
        with closing(sqlite3.connect(path)) as db:
            found += db.execute("SELECT * FROM chunks ORDER BY start").fetchall()
    return found


class Stopped(Exception):
    """What ``stopping_after`` raises."""


def stopping_after(number: int) -> Callable[[Any], None]:
    """An ``on_epoch`` that stops a training when its epoch ``number`` is finished."""

    def on_epoch(epoch: Any) -> None:
        if epoch.number == number:
            raise Stopped

    return on_epoch
