"""Makes the pictures that the README and the site begin with, from real runs.

    .venv/bin/python scripts/make_front.py [--out DIR]

A measured curve, a crossbar of mnist-d2 and 1,000 virtual chips (seed 0, preset rram, the bundled
1,000 images) go into docs/images/front.png side by side, and below each other, for a phone, into
front-tall.png; some ten seconds, the RUN is kept in DIR.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle
from PIL import Image

import analogkan as ak
from analogkan.report.figures import CIRCUIT, CYCLE, SOFTWARE, tidy

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "images"
DEVICE, MODEL, CHIPS = "AI301A", "mnist-d2", 1000
ROWS, OUTPUTS = 6, 4
"""Of the last layer's crossbar."""
COLOURS = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "front.run")
    given = parser.parse_args()
    build = ak.compile(MODEL, given.out / f"{MODEL}.build")
    chips = ak.montecarlo(build, ak.load_bundled(), samples=CHIPS, out=given.out / "chips")
    wide = Figure(figsize=(10.6, 3.5), layout="constrained")
    tall = Figure(figsize=(4.3, 9.6), layout="constrained")
    across = wide.subplots(1, 3, width_ratios=[1, 1.15, 1])
    down = tall.subplots(3, 1, height_ratios=[1, 1.25, 1])
    for figure, (curve, crossbar, counts) in ((wide, across), (tall, down)):
        _curve(curve, ak.devices.resolve(DEVICE)[0])
        _crossbar(crossbar, build.one_deck().design.stages[-1].g)
        _chips(counts, chips)
        tidy((curve, counts))
        _save(figure, FOLDER / ("front.png" if figure is wide else "front-tall.png"))


def _save(figure: Figure, picture: Path) -> None:
    """A figure in few colours, so few bytes."""
    figure.savefig(picture, dpi=125, facecolor="white")
    with Image.open(picture) as drawn:
        small = drawn.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(picture, optimize=True)
    print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size / 1000:.0f} kB")


def _curve(ax: Any, curve: Any) -> None:
    """A tunnel diode as it was swept, dashed where nobody could measure it."""
    low, high = curve.reconstructed
    for part, line in ((curve.v <= low, "-"), (curve.v >= high, "-")):
        at = np.append(curve.v[part], low) if line and part[0] else np.append(high, curve.v[part])
        ax.plot(1e3 * at, 1e3 * curve.current(at), line, color=SOFTWARE, lw=2)
    between = np.linspace(low, high, 200)
    ax.plot(1e3 * between, 1e3 * curve.current(between), "--", color=SOFTWARE, lw=2)
    ax.plot(1e3 * curve.v, 1e3 * curve.i, "o", color=SOFTWARE, ms=4)
    ax.annotate(
        "current falls\nas voltage rises", (170, 1.2), (290, 1.35), fontsize=9,
        arrowprops={"arrowstyle": "->", "color": "#666666"}, color="#333333",
    )  # fmt: skip
    ax.set(xlabel="voltage (mV)", ylabel="current (mA)")
    ax.set_title(f"1  a tunnel diode ({curve.name})", fontsize=11, loc="left")


def _crossbar(ax: Any, g: np.ndarray) -> None:
    """Some rows of a crossbar with their diodes, columns with their op-amps, cells in colour."""
    shown = 1e6 * g[:ROWS, : 2 * OUTPUTS]
    colours: Colormap = _map()
    largest = float(shown.max())
    width = 2 * OUTPUTS
    for row in range(ROWS):
        y = ROWS - row
        ax.plot([-0.9, width - 0.4], [y, y], color="#888888", lw=1)
        ax.add_patch(Polygon([(-1.5, y - 0.22), (-1.5, y + 0.22), (-1.1, y)], color=CYCLE[0]))
        ax.plot([-1.1, -1.1], [y - 0.22, y + 0.22], color=CYCLE[0], lw=2)
        ax.plot([-1.1, -0.9], [y, y], color="#888888", lw=1)
    for column in range(width):
        ax.plot([column, column], [0.25, ROWS + 0.5], color="#888888", lw=1)
        for row in range(ROWS):
            colour = colours(float(shown[row, column]) / largest)
            place = (column - 0.27, ROWS - row - 0.27)
            cell = Rectangle(place, 0.54, 0.54, facecolor=colour, edgecolor="#444444", lw=0.6)
            ax.add_patch(cell).set_zorder(3)
    for output in range(OUTPUTS):
        x = 2 * output
        corners = [(x - 0.35, 0.2), (x + 1.35, 0.2), (x + 0.5, -0.9)]
        ax.add_patch(Polygon(corners, facecolor="#f4f4f4", edgecolor="#444444"))
        ax.text(x + 0.5, -0.17, "+  –", ha="center", va="center", fontsize=9)
        ax.add_patch(Circle((x + 0.5, -1.1), 0.1, color="#444444"))
        ax.text(x + 0.5, -1.62, f"class {output}", ha="center", fontsize=8)
    ax.text(-1.75, ROWS / 2 + 0.5, "diodes", rotation=90, ha="right", va="center", fontsize=9)
    ax.set(xlim=(-2.3, width - 0.2), ylim=(-1.9, ROWS + 0.9), aspect="equal")
    ax.axis("off")
    ax.set_title("2  such curves, weighted by resistor pairs", fontsize=11, loc="left")
    ax.text(
        width - 0.3, ROWS + 0.75, f"darkest: {largest:.0f} µS", ha="right", va="center",
        fontsize=8, color="#555555",
    )  # fmt: skip


def _map() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("cells", ["#ffffff", CIRCUIT, "#5c1420"])


def _chips(ax: Any, chips: Any) -> None:
    """How many of the images each chip has right."""
    shares = [100 * row["accuracy"] for row in chips.rows]
    step = 100 / chips.summary["n"]
    bins = np.arange(min(shares) - step / 2, max(shares) + step, step)
    counts, _, _ = ax.hist(shares, bins=bins, color=CIRCUIT, alpha=0.85)
    ax.set_ylim(0, 1.25 * counts.max())
    software = 100 * chips.summary["software_accuracy"]
    ax.axvline(software, color=SOFTWARE, lw=2)
    ax.annotate(
        "the network\nin software", (software, ax.get_ylim()[1]), (-6, -4), fontsize=9,
        textcoords="offset points", ha="right", va="top", color=SOFTWARE,
    )  # fmt: skip
    ax.set(xlabel=f"images right, of {chips.summary['n']:,} (%)", ylabel="chips")
    ax.set_title(f"3  {CHIPS:,} chips, each a little different", fontsize=11, loc="left")


if __name__ == "__main__":
    main()
