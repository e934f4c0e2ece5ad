"""A report: one page of everything that was found out about a network.

    python examples/11_report.py [FOLDER]

Simulates 50 bundled images in ngspice, draws 20 chips with wires, heats the nominal circuit, and
writes FOLDER/report.html and its figures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import analogkan as ak


def main(folder: Path) -> None:
    build = ak.compile("mnist-d2", folder / "d2.build")
    bundled = ak.load_bundled()
    images = ak.by_class(bundled, 50)
    circuit = ak.simulate(build, images)
    chips = ak.montecarlo(build, images, samples=20, hardware={"r_wire": 1}, judge="1x20")
    heat = ak.thermal(build, images, temps=[-40, 0, 40, 85, 125], judge="1x20")

    found = ak.write_report(
        [circuit, chips, heat], folder / "report.html", figures=folder / "figures"
    )
    print(f"{found['report']}: {found['bytes'] / 1e6:.1f} MB, {len(found['figures'])} figures")
    print("sections: " + ", ".join(found["sections"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("report"))
