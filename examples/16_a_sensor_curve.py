"""A sensor's curve from a table: trained, compiled, judged, fifty chips, three temperatures.

    python examples/16_a_sensor_curve.py [FOLDER]

Writes a table of a thermistor's divider as a calibration bench would, and learns degrees from it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import analogkan as ak


def write_table(path: Path, n: int = 600) -> None:
    """A 10 kohm thermistor (B = 3950) below 10 kohm, 0 to 100 degC, read to 0.02 degC."""
    rng = np.random.default_rng(0)
    celsius = np.linspace(0.0, 100.0, n)
    ohms = 10e3 * np.exp(3950 * (1 / (celsius + 273.15) - 1 / 298.15))
    read = celsius + rng.normal(0, 0.02, n)
    lines = [f"{r / (r + 10e3):.6f},{t:.3f}" for r, t in zip(ohms, read, strict=True)]
    path.write_text("\n".join(["ratio (V/V),temperature (degC)", *lines, ""]), encoding="utf-8")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "thermistor.csv"
    write_table(table)
    made = ak.train(table, folder / "thermistor.pt", recipe="function-d2", epochs=300)
    print(made)

    build = ak.compile(made.model, folder / "thermistor.build")
    print(f"the netlist is the network: {ak.verify(build).ok}")
    points = ak.load_dataset(table, "test")
    circuit = ak.simulate(build, points, out=folder / "circuit")
    chips = ak.montecarlo(build, points, samples=50, yield_at="2degC", out=folder / "chips")
    heat = ak.thermal(build, points, temps=[0, 25, 50], out=folder / "heat")
    for found in (circuit, chips, heat):
        print(found)
        found.plot().savefig(folder / f"{found.run.name}.png")
    ak.write_report([circuit, chips, heat], folder / "thermistor.html")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "sensor"))
