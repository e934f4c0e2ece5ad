"""Makes the table of docs/datasheet.md anew.

    .venv/bin/python scripts/make_datasheets.py [--data DIR] [--out DIR] [--only NAME]

Compiles the networks, asks for their datasheets, judged by ngspice, and writes the table between
its marks. RUNs are kept, so that an interrupted one goes on.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from make_results import replaced

import analogkan as ak
from analogkan.data import ImageSet, choose
from analogkan.studies.datasheet_result import Datasheet
from analogkan.text import engineering, markdown_table, percent

ROOT = Path(__file__).parents[1]
NETWORKS = ("mnist-d2", "paper-mnist-d2", "mnist-conv", "thermistor")
FEWER = {"mnist-conv": 10}
"""Images of what has 245 positions an image."""
COLUMNS = (
    *("network", "supply power", "dissipated", "settled (8 bits)", "class final", "energy"),
    *("noise", "class flips", "reached", "judged by ngspice"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "datasheets.run")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="of mnist-conv alone")
    parser.add_argument("--only", action="append", choices=NETWORKS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows = [row_of(name, given) for name in given.only or NETWORKS]
    page = ROOT / "docs" / "datasheet.md"
    text = replaced(page.read_text(encoding="utf-8"), "datasheets", markdown_table(COLUMNS, rows))
    page.write_text(text, encoding="utf-8", newline="\n")


def row_of(name: str, given: argparse.Namespace) -> list[str]:
    """The row of one network."""
    folder: Path = given.out
    images = images_of(name, given.data)
    build = ak.compile(model_of(name, folder), folder / f"{name}.build")
    started = time.perf_counter()
    sheet = ak.datasheet(build, images, judge="1x10", out=folder / name)
    print(f"{name}: {time.perf_counter() - started:.0f} s")
    return [name, *cells_of(sheet), reached(sheet), ", ".join(sheet.summary["judge"]["parts"])]


def model_of(name: str, folder: Path) -> Path | str:
    """A shipped model, or one that is trained here."""
    if name != "thermistor":
        return name
    model = folder / "thermistor.pt"
    if not model.exists():
        ak.train("thermistor", model, recipe="function-d2")
    return model


def images_of(name: str, data: Path) -> ImageSet:
    """The bundled images are small ones; a convolution takes them as they are published."""
    if name == "thermistor":
        return ak.load_dataset("thermistor", "test")
    large = name == "mnist-conv"
    images = ak.load_dataset("mnist", "test", data) if large else ak.load_bundled()
    return choose(images, str(FEWER.get(name, 100)))


def cells_of(sheet: Datasheet) -> list[str]:
    """Typical figures, and the most that noise flips."""
    units = {"power_w": "W", "dissipated_w": "W", "settling_s": "s", "settling_class_s": "s",
             "energy_j": "J", "noise_v_rms": "V"}  # fmt: skip
    cells = [
        engineering(sheet.figures_of[entry]["typical"], unit) if entry in sheet.figures_of else "–"
        for entry, unit in units.items()
    ]
    flips = sheet.figures_of.get("flip_probability")
    return [*cells, "–" if flips is None else f"at most {max(flips['max'], 1e-12):.0e}"]


def reached(sheet: Datasheet) -> str:
    """The typical accuracy, or RMSE."""
    ((what, found),) = sheet.reached.items()
    said = f"{found['typical']:.3g} {sheet.summary.get('unit', '')}"
    return percent(found["typical"]) if what == "accuracy" else said


if __name__ == "__main__":
    main()
