"""From one image to the next where op-amps are of transistors: a whole step, or parts of one.

A sweep whose step Newton cannot follow has ngspice step gmin, image by image.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan import cells
from analogkan.compiler.names import logits
from analogkan.engines.batch import BatchEngine, Chunk
from analogkan.engines.ngspice import Runner, find_ngspice

IMAGES = 5
STEPS = (1, 4, 16, 64)
OPAMP = "two_stage_level1"


def main() -> None:
    program = find_ngspice()
    images = ak.load_bundled()[:IMAGES]
    with tempfile.TemporaryDirectory() as place:
        build = ak.compile(
            "mnist-d2", Path(place, "d2.build"), cell={"opamp": OPAMP}, progress=False
        )
        kind, volts = build.hardware.amplifier, build.spec.dac_volts(images.flat((196,)))
        first, given = 0.0, np.zeros(0)
        for steps in STEPS:
            cells.unregister(kind.name)
            cells.own(replace(kind, steps=steps))
            with BatchEngine(build.design, Runner(program), Path(place, "failed")) as engine:
                began = time.perf_counter()
                (found,) = engine.run(volts, [Chunk(0, 0, IMAGES)], logits(build.design))
                seconds = time.perf_counter() - began
            if found.values is None:
                print(f"  {steps:3d} steps an image: {found.error}")
                continue
            first, given = (first or seconds), (given if given.size else found.values)
            off = np.abs(found.values - given).max() / np.abs(given).max()
            print(
                f"  {steps:3d} steps an image: {seconds / IMAGES:.1f} s an image, "
                f"{first / seconds:.2f} times as fast as whole steps, {off:.0e} of full scale off"
            )


if __name__ == "__main__":
    main()
