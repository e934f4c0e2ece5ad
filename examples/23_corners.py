"""Corners: named ones, and the worst chip within 3 sigma, each kept as decks.

    python examples/23_corners.py [FOLDER]

The last line is how the worst of them is run by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

import analogkan as ak


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    build = ak.compile("mnist-d2", folder / "mnist-d2.build")
    images = ak.load_bundled()[:50]
    found = ak.corners(build, images, worst=1, judge="1x4", out=folder / "corners")
    print(found)
    found.plot().savefig(folder / "corners.png")
    worst = min(found.corners, key=lambda one: one["score"])
    print(f"cd {found.run / worst['build']} && ngspice -b network.cir")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "corners"))
