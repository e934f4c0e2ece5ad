"""Training for the hardware: a small network, chips with bad cells, and what can be done about it.

    python examples/10_train_for_hardware.py [FOLDER]

The bundled images, 800 to train on and 200 to test. Trained plainly; then on through the twin for
chips with 3-bit pairs; then on for chip 3 alone, 2 % of whose cells are stuck at g_max. A small
network, trained in seconds: what counts is what comes back.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import analogkan as ak

COARSE = {"levels": 4}
BROKEN = {"stuck_max": 0.02}
CHIP = 3


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    bundled = ak.load_bundled()
    split = np.where(np.arange(len(bundled)) % 5 == 0, "test", "train")
    data = folder / "digits.npz"
    np.savez(data, x=bundled.x, y=bundled.y, split=split)

    plain, hard, one = (folder / f"{name}.pt" for name in ("plain", "hard", "one"))
    ak.train(data, plain, recipe="plain-d2", epochs=60)
    build = ak.compile(plain, folder / "plain.build")
    further = {"start": plain, "epochs": 40}
    ak.train(data, hard, preset="rram", hardware=COARSE, noise="twin", **further)
    found = ak.train(data, one, chip=(build, CHIP), variation=BROKEN, **further).summary

    images = ak.load_dataset(data, "test")
    for name, model in (("plainly", plain), ("through the twin", hard)):
        made = ak.compile(model, model.with_suffix(".build"))
        chips = ak.montecarlo(made, images, samples=10, hardware=COARSE, judge="1x20")
        chips.plot().savefig(model.with_suffix(".png"))
        s = chips.summary
        print(
            f"trained {name}: software {100 * s['software_accuracy']:.1f} %, 3-bit chips "
            f"{100 * s['accuracy_mean']:.1f} % in the mean; twin and ngspice within "
            f"{s['judge']['share_of_full_scale']:.0e} of full scale"
        )
    before, after = (100 * found[f"chip_accuracy{when}"] for when in ("_before", ""))
    print(f"chip {CHIP} with stuck cells: {before:.1f} %, trained for it {after:.1f} %")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("train-for-hardware"))
