"""A convolution of tunnel diodes: one crossbar, run at every position, its map held in between.

    python examples/13_convolution.py [FOLDER]

Trains a small one on 800 bundled images, compiles and verifies its circuits, lets ngspice
classify 20 others, and draws 10 chips of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan.data import by_class, stratified
from analogkan.training.fit import train
from analogkan.training.recipe import Recipe

RECIPE = Recipe(
    devices=("A21", "Z21"),
    convolutions=((8, 4, 2, 1),),  # channels, kernel, stride, padding: 14 x 14 becomes 7 x 7 x 8
    hidden=(),
    resize=(14, 14),
    epochs=30,
    learning_rate=2e-2,
)


def main(folder: Path) -> None:
    images = ak.load_bundled()
    held = stratified(images.y, 200)
    rest, test = images.take(np.setdiff1d(np.arange(len(images)), held)), images.take(held)
    done = train(rest, RECIPE, seed=0)
    spec = done.model.to_spec(
        done.encoding, name="conv", dataset="mnist", calibration=done.calibration
    )

    build = ak.compile(spec, folder / "conv.build")
    for section in build.sections:
        first, last = section.first, section.last
        print(f"layers {first} to {last}: {section.positions} positions an image")
    print(f"the netlists are the network: {ak.verify(build).ok}")

    few = by_class(test, 20)
    found = ak.simulate(build, few, out=folder / "run").summary
    print(f"software {found['software_accuracy']:.3f}, circuit {found['circuit_accuracy']:.3f}, "
          f"same class {found['agreement']:.3f}")  # fmt: skip

    made = ak.montecarlo(build, test, samples=10, judge="2x10", out=folder / "chips")
    made.plot().savefig(folder / "chips.png")
    chips = made.summary
    print(f"10 chips: {chips['accuracy_mean']:.3f} of {chips['n']} images in the mean, twin and "
          f"ngspice within {chips['judge']['share_of_full_scale']:.0e} of full scale")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("convolution"))
