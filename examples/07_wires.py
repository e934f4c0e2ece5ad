"""Wires: what they take, smaller tiles, and the reduced deck beside one with every segment.

    python examples/07_wires.py [FOLDER] [IMAGES]

Compiles the shipped mnist-d2 with 1 ohm a segment in three tilings, prints what compile forecasts
and what the circuit does to IMAGES of the bundled images (200 if not given); then ngspice runs two
images through the reduced deck and through the explicit one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.wires import kept
from analogkan.data import by_class
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.engines.ngspice import find_ngspice

TILES = ((1024, 128), (64, 64), (32, 32))


def main(folder: Path, count: int) -> None:
    build = ak.compile("mnist-d2", folder / "d2.build")
    spec, bundled = build.spec, ak.load_bundled()
    images = by_class(bundled, count)
    volts = spec.dac_volts(images.flat(spec.encoding.shape))
    twin = TwinEngine()
    for rows, cols in TILES:
        design = build_design(spec, Hardware(r_wire=1.0, tile_rows=rows, tile_cols=cols))
        logits = twin.logits(design, volts, images.index, 26.85)
        share = [kept(stage.g, design.hardware) for stage in design.stages]
        print(
            f"tiles {rows} x {cols}: wires leave {100 * share[0]:.1f} and {100 * share[1]:.1f} % "
            f"of the layers' currents; {100 * np.mean(logits.argmax(axis=1) == images.y):.2f} % "
            "right"
        )
    program = find_ngspice()
    if not program.klu:  # a hundred thousand nodes more; the older solver would take hours
        print("this ngspice has no KLU: the explicit deck is left out")
        return
    found = []
    ngspice = NgspiceEngine(program, folder / "failed")
    small = {"r_wire": 1.0, "tile_rows": 16, "tile_cols": 16}
    for wires in ("reduced", "explicit"):
        design = build_design(spec, Hardware(**small, wires=wires))
        found.append(ngspice.logits(design, volts[:2], images.index[:2], 26.85))
    apart = np.abs(found[0] - found[1]).max() / np.abs(found[1]).max()
    print(f"ngspice, 2 images, reduced and explicit: {apart:.0e} of the largest logit apart")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-07"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 200,
    )
