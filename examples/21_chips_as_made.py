"""Chips as they are made: phase-change memory as it ages, set anew by calibration; then everything.

    python examples/21_chips_as_made.py [FOLDER]

Measured cells of mnist-d2 at two ages, a chip's map of errors and heat, and preset as-made.
"""

from __future__ import annotations

import sys
from pathlib import Path

import analogkan as ak

DAY_S = 86400.0


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    build = ak.compile("mnist-d2", folder / "mnist-d2.build")
    images = ak.by_class(ak.load_bundled(), 200)
    kept = []
    for preset, age_s in (("pcm", 20.0), ("pcm", DAY_S), ("as-made", DAY_S)):
        for calibrate in (False, True):
            found = ak.montecarlo(
                build, images, preset=preset, conditions={"age_s": age_s}, samples=4,
                calibrate=calibrate, judge="none", out=folder / f"{preset}-{age_s:g}-{calibrate}",
            )  # fmt: skip
            set_anew = "calibrated" if calibrate else "as made"
            print(f"{preset:8} {age_s:6g} s {set_anew:11} {found.summary['accuracy_mean']:.1%}")
            kept.append(found)
    die = ak.map_die(build, 0, preset="as-made")
    die.plot().savefig(folder / "die.png")
    ak.write_report(kept, folder / "chips.html")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "as-made"))
