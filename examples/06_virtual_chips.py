"""Virtual chips: accuracy over mismatch and temperature, from Python, with ngspice as the judge.

    python examples/06_virtual_chips.py [FOLDER] [CHIPS] [IMAGES]

Draws CHIPS chips (8 if not given) of the shipped mnist-d2 under the preset rram and runs IMAGES of
the bundled images (200) through each; then without the dark trim, and with a 1 % mismatch of each
pair's lines; then the first chips from -40 to 125 degC. At last one chip is looked at by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import analogkan as ak
from analogkan.compiler.design import build_design
from analogkan.data import by_class
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import Inputs
from analogkan.imperfections.make import perturb

CASES = {
    "rram": {},
    "without trim": {"trim": "none"},
    "1 % line mismatch": {"line_sigma": 0.01},
}


def main(folder: Path, chips: int, count: int) -> None:
    build = ak.compile("mnist-d2", folder / "d2.build")
    bundled = ak.load_bundled()
    images = by_class(bundled, count)
    for k, (name, variation) in enumerate(CASES.items()):
        how: dict[str, Any] = {"out": folder / f"run{k}", "judge": "1x20", "jobs": 2}
        found = ak.montecarlo(build, images, samples=chips, variation=variation, **how)
        found.plot().savefig(folder / f"chips{k}.png")
        s = found.summary
        print(
            f"{name}: mean {100 * s['accuracy_mean']:.2f} %, software "
            f"{100 * s['software_accuracy']:.2f} %; twin and ngspice within "
            f"{s['judge']['share_of_full_scale']:.0e} of full scale"
        )
    how = {"out": folder / "thermal", "judge": "1x20", "jobs": 2}
    heat = ak.thermal(build, images, temps=[-40.0, 26.85, 125.0], **how)
    heat.plot().savefig(folder / "thermal.png")
    for entry in heat.summary["temperatures"]:
        nominal = entry["nominal"]
        print(
            f"{entry['temp_c']:g} degC: {100 * nominal['accuracy']:.2f} %, logits times "
            f"{nominal['gain_mean']:.3f}"
        )

    # A chip is a Design like any other, and the twin is differentiable: which line's feedback
    # resistor would move the first image's margin most?
    hardware, variation, conditions = ak.load_preset("rram")
    design = build_design(build.spec, hardware)
    chip, _ = perturb(design, variation, conditions, spec=build.spec, seed=0, sample=0)
    twin = Twin([chip])
    for stage in twin.stages:
        stage.r_c.requires_grad_(True)
    volts = build.spec.dac_volts(images.flat(build.spec.encoding.shape)[:1])
    best, second = twin.logits(Inputs.of(volts))[0, :, 0].sort(descending=True).values[:2]
    (best - second).backward()
    margin = float((best - second).detach())
    slopes = []
    for stage in twin.stages:
        assert stage.r_c.grad is not None
        slopes.append((stage.r_c.grad * stage.r_c)[0].detach().numpy())
    k = int(np.argmax([np.abs(slope).max() for slope in slopes]))
    line = int(np.abs(slopes[k]).argmax())
    print(
        f"chip 0, image {images.index[0]}: margin {margin:.2f} logits; 1 % of "
        f"layer {k}'s line {line} moves it by {0.01 * slopes[k][line]:+.3f}"
    )


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-06"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 8,
        int(sys.argv[3]) if len(sys.argv) > 3 else 200,
    )
