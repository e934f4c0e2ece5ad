"""An op-amp of transistors in every amplifier: what it decides, and what its macro-model misses.

    python examples/20_your_own_op_amp.py [FOLDER]

A sensor's curve again, so that the whole circuit of transistors takes ngspice seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import analogkan as ak


def write_curve(path: Path) -> None:
    """A table of a sensor that saturates."""
    volts = np.linspace(0, 1, 300)
    lines = [f"{v:.6f},{np.tanh(3 * v):.6f}" for v in volts]
    path.write_text("\n".join(["input (V),output", *lines, ""]), encoding="utf-8")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "curve.csv"
    write_curve(table)
    made = ak.train(table, folder / "curve.pt", recipe="function-d2", epochs=100)

    opamp = ak.characterise("two_stage_level1", load=[(20e3, 1e-12)], draws=50)
    print(opamp)
    opamp.plot().savefig(folder / "opamp.png")
    build = ak.compile(made.model, folder / "curve.build", cell={"opamp": "two_stage_level1"})
    for note in build.summary["opamp_notes"]:
        print(note)

    points = ak.load_dataset(table, "test")[:40]
    circuit = ak.simulate(build, points, out=folder / "circuit")
    print(circuit)
    supplies = circuit.summary["supplies"]
    print(f"its supplies give {1e3 * supplies['watts']:.1f} mW")
    chips = ak.montecarlo(
        build, points, preset=str(build.folder / "opamp.toml"),
        variation={"offset_sigma": opamp.summary["preset"]["variation"]["offset_sigma"]},
        samples=20, yield_at="0.1", judge="2x10", out=folder / "chips",
    )  # fmt: skip
    print(chips)
    chips.plot().savefig(folder / "chips.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "own-op-amp"))
