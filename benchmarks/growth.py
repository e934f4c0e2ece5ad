"""How time grows: with images, width, chips and the side of a wired tile, as exponents.

The slope of log time over log size, of every round; 1 is in proportion. Networks are random, of
196 inputs and 10 outputs, with two diodes and ideal wires; ngspice sweeps in one process; chips
are under rram, drawing included.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from analogkan.compiler import names
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.kron import reduce_tile
from analogkan.compiler.verify import verify_build
from analogkan.data import ImageSet
from analogkan.engines.batch import BatchEngine
from analogkan.engines.chunked import BatchOptions, plan_chunks
from analogkan.engines.ngspice import Runner, find_ngspice
from analogkan.engines.twin import one_torch_thread
from analogkan.threads import one_blas_thread

from .emit import random_network
from .measure import Row, growth
from .subjects import chips_of

HIDDEN, IMAGES = 64, 2000
WIDTHS = (32, 64, 128)
SWEPT = (50, 100, 200, 400)
SEEN = (2000, 4000, 8000, 16_000)
CHIPS = (1, 2, 4, 8)
TILES, EXPLICIT = (32, 64, 128, 256), (16, 32, 64)
FEW = 10


def measured(quick: bool = False) -> list[Row]:
    """Exponents."""
    parts = (_of_images, _of_width, _of_chips, _of_tiles)
    with one_blas_thread, one_torch_thread:
        return list(itertools.chain.from_iterable(part(quick) for part in parts))


def _of_images(quick: bool) -> Iterator[Row]:
    with _network(8 if quick else HIDDEN) as build:
        swept, seen = ((4, 8), (50, 100)) if quick else (SWEPT, SEEN)
        yield _row("ngspice, by images", swept, lambda n: _ngspice(build, n), quick)
        yield _row("twin, a chip, by images", seen, lambda n: _twin(build, n), quick)


def _of_width(quick: bool) -> Iterator[Row]:
    widths = (4, 8) if quick else WIDTHS
    note = "by hidden nodes"
    with contextlib.ExitStack() as stack:
        builds = {n: stack.enter_context(_network(n)) for n in widths}
        yield _row(
            f"ngspice, {FEW} images, {note}", widths, lambda n: _ngspice(builds[n], FEW), quick
        )
        images = 50 if quick else IMAGES
        yield _row(
            f"twin, a chip of {images:,} images, {note}",
            widths,
            lambda n: _twin(builds[n], images),
            quick,
        )
        yield _row(f"compiled, {note}", widths, _compiled, quick)
        yield _row(f"verified, {note}", widths, lambda n: lambda: verify_build(builds[n]), quick)


def _of_chips(quick: bool) -> Iterator[Row]:
    with _network(8 if quick else HIDDEN) as build:
        images = 50 if quick else IMAGES
        one = _twin(build, images)

        def chips(n: int) -> Callable[[], object]:
            return lambda: [one() for _ in range(n)]

        yield _row(f"twin, chips of {images:,} images", CHIPS[:2] if quick else CHIPS, chips, quick)


def _of_tiles(quick: bool) -> Iterator[Row]:
    rng = np.random.default_rng(0)

    def reduced(side: int) -> Callable[[], object]:
        g = rng.uniform(1e-6, 1e-4, (side, side))
        return lambda: reduce_tile(g, 1.0)

    yield _row("wires reduced, by rows and columns of a tile", (8, 16) if quick else TILES,
               reduced, quick)  # fmt: skip
    sides = (4, 8) if quick else EXPLICIT
    with contextlib.ExitStack() as stack:
        builds = {n: stack.enter_context(_tile(n)) for n in sides}
        yield _row(
            f"ngspice, {FEW} images, every segment of wire, by the tile",
            sides,
            lambda n: _ngspice(builds[n], FEW),
            quick,
        )


def _row(
    what: str, sizes: Sequence[int], call: Callable[[int], Callable[[], object]], quick: bool
) -> Row:
    return growth(what, sizes, [call(n) for n in sizes], quick=quick)


@contextlib.contextmanager
def _network(hidden: int, hardware: Hardware | None = None, inputs: int = 196) -> Iterator[Build]:
    spec = random_network((inputs, hidden, 10))
    with tempfile.TemporaryDirectory() as folder:
        yield write_build(spec, hardware or Hardware(), Path(folder) / "net.build")


@contextlib.contextmanager
def _tile(side: int) -> Iterator[Build]:
    """A layer whose crossbar is one tile of about ``side`` rows and columns, wires explicit."""
    hardware = Hardware(r_wire=1.0, wires="explicit", tile_rows=2 * side, tile_cols=2 * side)
    spec = random_network((side // 2, side // 2))
    with tempfile.TemporaryDirectory() as folder:
        yield write_build(spec, hardware, Path(folder) / "tile.build")


def _compiled(hidden: int) -> Callable[[], None]:
    def call() -> None:
        with _network(hidden):
            pass

    return call


def _volts(build: Build, n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return build.spec.dac_volts(rng.integers(0, 256, (n, build.spec.sizes[0])).astype(np.uint8))


def _ngspice(build: Build, n: int) -> Callable[[], object]:
    """A sweep over ``n`` images in one process."""
    volts, deck, probes = _volts(build, n), build.one_deck(), names.logits(build.design)

    def call() -> None:
        with BatchEngine(deck, Runner(find_ngspice()), build.folder.parent / "failed") as engine:
            (found,) = engine.run(volts, plan_chunks(n, n), probes, BatchOptions())
        assert found.values is not None, found.error

    return call


def _twin(build: Build, n: int) -> Callable[[], None]:
    """The next chip under rram on ``n`` images, as a study evaluates it."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (n, build.spec.sizes[0])).astype(np.uint8)
    images = ImageSet(name="random", x=x, y=np.arange(n) % 10, index=np.arange(n))
    return chips_of(build, images)
