"""An MLP whose activation is a tunnel diode: crossbar, one diode a hidden unit, crossbar.

    python examples/12_mlp_with_a_device.py [FOLDER]

Trains one on 800 bundled images, compiles and verifies it, and lets ngspice classify 40 others.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan.data import by_class, stratified
from analogkan.network.baselines import MLP
from analogkan.network.mlp import mlp_spec
from analogkan.training.classifier import Schedule, train_classifier

SHAPE = (14, 14)


def main(folder: Path) -> None:
    images = ak.load_bundled()
    held = stratified(images.y, 200)
    train, test = images.take(np.setdiff1d(np.arange(len(images)), held)), images.take(held)
    schedule = Schedule(epochs=40, learning_rate=2e-3, mean=(0.13,), std=(0.31,))
    model, _ = train_classifier(lambda: MLP((196, 32, 10), "cmtd"), train, SHAPE, schedule, seed=0)

    spec = mlp_spec(
        model, "cmtd", train.flat(SHAPE)[:256],
        shape=SHAPE, mean=schedule.mean, std=schedule.std, name="mlp-a21", dataset="mnist",
    )  # fmt: skip
    build = ak.compile(spec, folder / "mlp-a21.build")
    print(f"the netlist is the network: {ak.verify(build).ok}")

    few = by_class(test, 40)
    circuit = ak.simulate(build, few, out=folder / "run")
    circuit.plot().savefig(folder / "circuit.png")
    found = circuit.summary
    print(f"software {found['software_accuracy']:.3f}, circuit {found['circuit_accuracy']:.3f}, "
          f"same class {found['agreement']:.3f}")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("mlp"))
