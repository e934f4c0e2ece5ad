"""How fast chips are: the same study in float64 and in mixed precision, and what it costs to go on.

    python examples/24_fast_studies.py [FOLDER]

Mixed precision needs numba (`pip install 'analogkan[fast]'`); `python -m benchmarks` compares more.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import analogkan as ak
from analogkan import loops

CHIPS = 20


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    build = ak.compile("mnist-d2", folder / "mnist-d2.build")
    images = ak.load_bundled()
    ways = ["float64", "mixed"] if loops.available() else ["float64"]
    found = {}
    for precision in ways:
        started = time.perf_counter()
        found[precision] = ak.montecarlo(
            build, images, samples=CHIPS, precision=precision, judge="none", out=folder / precision
        )
        seconds = time.perf_counter() - started
        rows = [row["correct"] for row in found[precision].rows]
        print(f"{precision:8} {seconds:5.1f} s for {CHIPS} chips, correct: {rows[:5]} ...")
    if len(found) == 2:
        same = [
            [row[name] for name in ("status", "n", "correct", "accuracy", "agreement")]
            for of in found.values()
            for row in of.rows
        ]
        print("the same chips, digit by digit:", same[:CHIPS] == same[CHIPS:])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "fast"))
