"""A compiled network as a PySpice circuit: change an input, and ask ngspice in-process.

    python examples/04_pyspice.py [FOLDER]

Needs libngspice beside ngspice (Debian, Ubuntu: `apt install libngspice0`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import analogkan as ak


def main(folder: Path) -> None:
    build = ak.compile("mnist-d2", folder / "mnist-d2.build")
    images = ak.load_bundled()[:1]
    volts = build.spec.dac_volts(images.x)[0]

    # Every resistor, diode and amplifier is a PySpice element now.
    circuit = ak.to_pyspice(build.design, volts)
    print(f"{len(list(circuit.subcircuits))} tiles, {len(list(circuit.elements))} elements on top")

    with ak.Session() as session:
        before = logits(session, circuit)
        print("class", before.argmax(), "software", build.spec.logits(images.x)[0].argmax())

        # Inputs are voltage sources named after their nets: light one pixel in the middle.
        circuit["V_l0_v105"].dc_value = 0.7
        after = logits(session, circuit)
        print("largest change of a logit:", np.abs(after - before).max().round(3))


def logits(session: ak.Session, circuit) -> np.ndarray:
    """The ten read-out voltages, one a logit."""
    vectors = session.run(circuit, ".op")
    return np.array([vectors[f"v(logit_{k})"][0] for k in range(10)])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-04"))
