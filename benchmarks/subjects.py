"""What benchmarks of speed are run on: mnist-d2 and its images, or a small network in its place."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analogkan import load_bundled, resources
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.data import ImageSet
from analogkan.engines.arithmetic import AUTO, CPU, choose
from analogkan.engines.twin_engine import TwinEngine
from analogkan.imperfections import load_settings
from analogkan.network import checkpoint
from analogkan.studies.bench import Bench
from analogkan.studies.points import montecarlo_points

from .emit import random_network
from .measure import ROUNDS

SMALL = (16, 8, 4)


@dataclass(frozen=True)
class Subject:
    """A BUILD, images, and a folder for whatever is run."""

    build: Build
    images: ImageSet
    folder: Path

    @property
    def volts(self) -> np.ndarray:
        """(B, I) at its inputs."""
        return self.build.spec.dac_volts(self.images.flat(self.build.spec.encoding.shape))


@contextlib.contextmanager
def subject(n: int, *, quick: bool, hardware: Hardware | None = None) -> Iterator[Subject]:
    """mnist-d2, compiled, with ``n`` of the bundled images, which come again beyond 1,000; a small
    network and 16 images where it is to be ``quick``."""
    if quick:
        spec = random_network(SMALL)
        x = np.asarray(spec.calibration)
        images = ImageSet(name="random", x=x, y=np.arange(16) % SMALL[-1], index=np.arange(16))
    else:
        spec = checkpoint.load_spec(resources.path("models/mnist-d2.pt"))
        images = again(load_bundled(), n)
    with tempfile.TemporaryDirectory() as place:
        build = write_build(spec, hardware or Hardware(), Path(place) / "net.build")
        yield Subject(build, images, Path(place))


def again(images: ImageSet, n: int) -> ImageSet:
    """``n`` images: these in turn, each with an index of its own."""
    at = np.arange(n) % len(images)
    return ImageSet(name=images.name, x=images.x[at], y=images.y[at], index=np.arange(n))


def chips_of(
    build: Build,
    images: ImageSet,
    settings: tuple[Any, Any, Any] | None = None,
    precision: str = AUTO,
) -> Callable[[], None]:
    """A call evaluates the next chip in the twin, as a study does: under rram, or ``settings``."""
    bench = Bench(build, images, TwinEngine(choose(precision, CPU, len(images), "")))
    drawn = settings or load_settings("rram", base=build.hardware)
    points = itertools.cycle(montecarlo_points(*drawn, 10 * ROUNDS))

    def chip() -> None:
        row = bench.evaluate(next(points))
        assert row["status"] == "ok", row["reason"]

    return chip
