"""A board: three diodes' sweeps become a model, a deck, a bill of materials, a netlist, a band.

    python examples/17_a_board.py [FOLDER [SWEEP.csv ...]]

Without sweeps it makes up three of a tunnel diode as a tester with 220 ohm in series sees it: they
jump along that load line, so their static parts are taken and the rest is reconstructed. With
CSV files of real diodes it takes those.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan.errors import CompileError

RECIPE = """\
task = "regression"
devices = ["{device}"]
hidden = [5]
taps = [[0.0, 0.1], [0.1, 0.0]]  # volts: up to the peak, from either side
each_range = true
epochs = 400
batch = 256
learning_rate = 3e-2
clip_sigma = 0.0
range_penalty = 300.0
range_hi = 0.12
init_phi2 = [0.2, 0.3]
norm_gain = 0.03
norm_offset = 0.06
"""
R_TESTER = 220.0
"""Ohms in series with the diode in the made-up sweeps."""


def write_sweeps(folder: Path, *, seed: int = 0) -> list[Path]:
    """Three tunnel diodes of about 1.8 mA, swept up by a source of 5 mV steps behind 220 ohm."""
    rng, paths = np.random.default_rng(seed), []
    v = np.linspace(0, 0.9, 9001)
    for k in range(3):
        peak, scale = 1.78e-3 * rng.normal(1, 0.05), rng.normal(1, 0.03)
        x = v * scale / 0.109
        i = peak * x * np.exp((1 - x**2.8) / 2.8) + 7e-5 * np.exp(8 * (v * scale - 0.6)) - 5.8e-7
        source, at, points = v + R_TESTER * i, 0, []
        for given in np.arange(0, 0.9, 0.005):
            at = max(at, int(np.argmax(source[at:] >= given)) + at)
            points.append((v[at], i[at] + rng.normal(0, 5e-7)))
        paths.append(folder / f"diode-{k + 1}.csv")
        table, header = 1e3 * np.array(points), "Voltage (mV),Current (mA)"
        np.savetxt(paths[-1], table, fmt="%.5f", delimiter=",", header=header, comments="")
    return paths


def main(folder: Path, sweeps: list[Path]) -> None:
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    device = folder / "mine.toml"
    given = {"name": "mine", "static": True, "g_d": 16e-3, "force": True}
    ak.devices.measure(sweeps or write_sweeps(folder), device, **given)
    recipe = folder / "board-recipe.toml"
    recipe.write_text(RECIPE.format(device=device.as_posix()), encoding="utf-8")

    boards = f"board,{folder / 'mine.variation.toml'}"  # the spread of these diodes on top
    made = ak.train("thermistor", folder / "curve.pt", recipe=recipe, preset=boards, noise="twin")
    build = ak.compile(made.model, folder / "curve.build", preset="board")
    points = ak.load_dataset("thermistor", "test")
    print(ak.simulate(build, points, out=folder / "circuit"))
    chips = ak.montecarlo(build, points, samples=1000, preset=boards, out=folder / "boards")
    print(chips)
    chips.plot().savefig(folder / "boards.png")

    board = ak.write_board(build, folder / "curve.board", band=folder / "boards")
    print(board)
    print(*board.sentences(), sep="\n")
    try:
        ak.write_board(build, folder / "slow.board", opamp="tl07x", samples=1)
    except CompileError as error:
        print(f"refused: {error}")
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "board")
    main(out, [Path(word) for word in sys.argv[2:]])
