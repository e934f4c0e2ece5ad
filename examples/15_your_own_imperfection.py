"""An imperfection of your own: whole tiles that are lost, counted, in one file.

    python examples/15_your_own_imperfection.py [FOLDER]

draws chips of a shipped model with it. The same file is a plugin, for any command:

    analogkan montecarlo BUILD --plugin examples/15_your_own_imperfection.py --set lost_tiles=2%
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan.imperfections import Imperfection, upto


def lose(stage, draw):
    hardware, cells = draw.hardware, stage.g.shape
    size = (hardware.tile_rows, hardware.tile_cols)
    tiles = tuple(-(-have // most) for have, most in zip(cells, size, strict=True))
    lost = draw.happens("lost", tiles, draw.settings.lost_tiles)
    draw.count("lost_tiles", lost)
    where = np.kron(lost, np.ones(size, bool))[: cells[0], : cells[1]]
    return replace(stage, g=np.where(where, hardware.g_min, stage.g))


ak.imperfections.register(
    Imperfection(
        name="lost tiles",
        settings=(upto(1.0, "lost_tiles", "Share of tiles whose cells are all at ``g_min``."),),
        draw=lose,
        acts="broken",
        streams=("lost",),
        counts={"lost_tiles": "tiles lost"},
        fault=True,
        decisive=True,
    )
)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    build = ak.compile("mnist-d2", folder / "d2.build")
    images = ak.load_bundled()[:200]
    for share in (0.01, 0.05, 0.2):
        chips = ak.montecarlo(
            build, images, samples=20, variation=ak.Variation(lost_tiles=share),
            judge="1x10", out=folder / f"chips-{share}",
        )  # fmt: skip
        chips.plot().savefig(folder / f"chips-{share}.png")
        found = chips.summary
        print(
            f"{share:.0%} of tiles: {found['lost_tiles_mean']:.2f} lost a chip, accuracy "
            f"{found['accuracy_mean']:.3f} in the mean, worst {found['worst_chip']['accuracy']:.3f}"
        )
    print(f"known by {found['notes'][-1]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-15"))
