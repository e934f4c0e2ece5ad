"""Compile a trained network, check its netlist, and let ngspice answer for it.

    python examples/01_compile_and_simulate.py [FOLDER]

Needs nothing but the package and ngspice: the model and the images ship with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import analogkan as ak


def main(folder: Path) -> None:
    build = ak.compile("mnist-d2", folder / "mnist-d2.build")
    verification = ak.verify(build)
    print("the netlist is the network:", verification.ok)

    images = ak.load_bundled()[:100]
    result = ak.simulate(build, images, out=folder / "run")
    summary = result.summary
    print("software", summary["software_accuracy"], "circuit", summary["circuit_accuracy"])
    print("same class on", summary["agreement"], "of", summary["n"], "images")

    # Fewer states per cell: what programming 4-bit pairs (8 levels) costs before any noise.
    coarse = ak.compile("mnist-d2", folder / "coarse.build", hardware={"levels": 8})
    result = ak.simulate(coarse, images, out=folder / "coarse-run")
    print("4-bit pairs:", result.summary["circuit_accuracy"])
    result.plot().savefig(folder / "coarse.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-01"))
