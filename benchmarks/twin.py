"""The twin against ngspice on the same chip of mnist-d2 under the rram preset, and its parts."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from analogkan import load_bundled, resources
from analogkan.compiler.design import build_design
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.engines.ngspice import find_ngspice
from analogkan.imperfections import load_settings
from analogkan.imperfections.make import perturb
from analogkan.network import checkpoint

IMAGES, REPEATS, COPIES = 200, 3, 10


def main() -> None:
    spec = checkpoint.load_spec(resources.path("models/mnist-d2.pt"))
    hardware, variation, conditions = load_settings("rram")
    images = load_bundled()
    volts = spec.dac_volts(images.flat(spec.encoding.shape))
    many, index = np.tile(volts, (COPIES, 1)), np.arange(COPIES * len(volts))
    program = find_ngspice()
    twin, design = TwinEngine(), build_design(spec, hardware)
    twin.logits(design, many, index, 26.85)  # the codes of the inputs are worked out once
    draw, fast, slow, worst = 0.0, 0.0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        ngspice = NgspiceEngine(program, Path(folder))
        for sample in range(REPEATS):
            at = time.perf_counter()
            chip, _ = perturb(design, variation, conditions, spec=spec, seed=0, sample=sample)
            drawn = time.perf_counter()
            answer = twin.logits(chip, many, index, 26.85)
            told = time.perf_counter()
            circuit = ngspice.logits(chip, volts[:IMAGES], index[:IMAGES], 26.85)
            draw, fast = draw + drawn - at, fast + told - drawn
            slow += time.perf_counter() - told
            worst = max(worst, float(np.abs(answer[:IMAGES] - circuit).max()))
    a_chip = 1e3 * (draw + fast) / REPEATS
    per_image = (draw + fast) / REPEATS / len(many)
    print(f"ngspice {program.version}, KLU {'yes' if program.klu else 'no'}, one process; one core")
    print(f"twin:    {a_chip:.0f} ms a chip of {len(many):,} images ({len(volts):,} bundled ones")
    print(f"         {COPIES} times), {1e3 * draw / REPEATS:.1f} ms of it to draw the chip")
    print(f"ngspice: {1e3 * slow / REPEATS / IMAGES:.1f} ms an image ({IMAGES} images a chip)")
    print(f"ratio a chip and image: {slow / REPEATS / IMAGES / per_image:.0f} times")
    print(f"largest difference: {worst:.1e} logits over {REPEATS} chips of {IMAGES} images")
