"""What an explicit deck costs ngspice: mnist-d2, every wire segment, tile sizes, drivers or none.

``compile`` forecasts from these figures. A row's driver ties all tiles of the row together, and
the factors of the matrix fill in.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import analogkan as ak
from analogkan import load_bundled, resources
from analogkan.compiler import names
from analogkan.engines.batch import BatchEngine
from analogkan.engines.chunked import BatchOptions, plan_chunks
from analogkan.engines.ngspice import Runner, find_ngspice

from .batch import peak_bytes

TILES = (16, 32, 64)
DRIVERS = (0, 20)
FEW, MANY = 2, 6


def main() -> None:
    program = find_ngspice()
    print(f"ngspice {program.version}, KLU {'yes' if program.klu else 'no'}, one process")
    print("tile  driver  cells   s an image  us a cell  bytes a cell")
    for driver in DRIVERS:
        for tile in TILES:
            tiles = {"tile_rows": tile, "tile_cols": tile, "r_wire": 1, "wires": "explicit"}
            _one(program, tile, driver, tiles | {"r_driver": driver})


def _one(program, tile: int, driver: int, hardware: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build = ak.compile(
            resources.path("models/mnist-d2.pt"), Path(folder) / "d2.build", hardware=hardware
        )
        more = _seconds(program, build, MANY) - _seconds(program, build, FEW)
        seconds = more / (MANY - FEW)  # what is read once does not count
        cells = build.summary["elements"]["crossbar_resistors"]
        peak = peak_bytes(program, build.folder)
    print(
        f"{tile:4}  {driver:6}  {cells:6}  {seconds:10.2f}  {1e6 * seconds / cells:9.1f}  "
        f"{peak / cells:12.0f}",
        flush=True,
    )


def _seconds(program, build, n: int) -> float:
    volts = build.spec.dac_volts(load_bundled().x[:n])
    started = time.perf_counter()
    with BatchEngine(build.one_deck(), Runner(program), build.folder.parent / "failed") as engine:
        options = BatchOptions(timeout=3600)
        (result,) = engine.run(volts, plan_chunks(n, n), names.logits(build.design), options)
    assert result.values is not None, result.error
    return time.perf_counter() - started
