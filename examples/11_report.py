"""A report: one page of everything that was found out about a network.

    python examples/11_report.py [FOLDER]

Simulates 50 bundled images in ngspice, draws 20 chips with wires, heats the nominal circuit, and
writes FOLDER/report.html and its figures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import analogkan as ak
from analogkan.data import by_class
from analogkan.report.page import write_report


def main(folder: Path) -> None:
    build = ak.compile_model("mnist-d2", folder / "d2.build")
    bundled = ak.load_bundled()
    images = by_class(bundled, 50)
    ak.simulate(build, images, run=folder / "circuit", options=ak.BatchOptions(jobs=2))

    def options(name: str) -> ak.StudyOptions:
        return ak.StudyOptions(run=folder / name, judge="1x20", jobs=2)

    chips = {"samples": 20, "settings": ["r_wire=1"]}
    ak.montecarlo(build, images, **chips, options=options("chips"))
    ak.thermal(build, images, temps_c=[-40, 0, 40, 85, 125], options=options("heat"))

    runs = [folder / name for name in ("circuit", "chips", "heat")]
    found = write_report(runs, folder / "report.html", figures=folder / "figures")
    print(f"{found['report']}: {found['bytes'] / 1e6:.1f} MB, {len(found['figures'])} figures")
    print("sections: " + ", ".join(found["sections"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("report"))
