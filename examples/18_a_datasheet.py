"""A datasheet: what a classifier draws, how fast it settles and how noisy it is.

    python examples/18_a_datasheet.py [FOLDER]

Defaults first, then with op-amps of twice the bandwidth and half the noise.
"""

from __future__ import annotations

import sys
from pathlib import Path

import analogkan as ak


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    build = ak.compile("mnist-d2", folder / "mnist-d2.build")
    images = ak.load_bundled()[:20]
    asis = ak.datasheet(build, images, judge="1x3", out=folder / "asis")
    print(asis)
    asis.plot().savefig(folder / "datasheet.png")
    faster = ak.datasheet(
        build, images, hardware={"gbw": 20e6}, assumptions={"e_n": 5e-9}, judge="none",
        out=folder / "faster",
    )  # fmt: skip
    for name in ("power_w", "settling_s", "energy_j", "noise_v_rms"):
        before, after = asis.figures_of[name]["typical"], faster.figures_of[name]["typical"]
        print(f"{name}: {before:.3g} -> {after:.3g}")
    ak.write_report([asis, faster], folder / "datasheet.html")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "sheet"))
