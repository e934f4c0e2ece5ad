"""The paper's own network, sigmoid and LayerNorm, as transistors: what its errors are made of.

    python examples/05_sigmoid_and_layernorm.py [FOLDER] [IMAGES]

Compiles the shipped paper-mnist-d2 with near-ideal and with ordinary transistors, runs IMAGES of
the bundled images (20 if not given), and says how far logits are off, how much of that one scale
for all logits would take away, and how far one image's diode voltages are off.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan.data import by_class
from analogkan.studies.analyses import ask
from analogkan.studies.trace import TRACE, stages_of

MODEL = "paper-mnist-d2"
CIRCUITS = {
    "near-ideal transistors, ideal op-amps": {"opamp": "ideal", "npn_bf": 1e4, "npn_vaf": 1e4},
    "ordinary transistors, ideal op-amps": {"opamp": "ideal"},
    "near-ideal transistors, gain 1e5": {"npn_bf": 1e4, "npn_vaf": 1e4},
    "ordinary transistors, gain 1e5": {},
}


def main(folder: Path, count: int) -> None:
    bundled = ak.load_bundled()
    images = by_class(bundled, count)
    for k, (name, settings) in enumerate(CIRCUITS.items()):
        build = ak.compile(MODEL, folder / f"circuit{k}.build", hardware=settings)
        result = ak.simulate(build, images, out=folder / f"run{k}")
        assert result.circuit is not None
        software, circuit = result.software, result.circuit
        full_scale = np.abs(software).max()
        scale = (software * circuit).sum() / (circuit * circuit).sum()
        volts = build.spec.dac_volts(images.flat(build.spec.encoding.shape))[0]
        answers = ask(build, volts, TRACE, folder / "failed")
        stages = {s.what: s for s in stages_of(answers)}
        diodes = stages["layer 1 inputs"]
        print(name)
        print(f"  same class: {100 * result.summary['agreement']:.1f} % of {count} images")
        print(f"  largest logit error: {np.abs(circuit - software).max() / full_scale:.1e}")
        print(
            f"  with all logits scaled by {scale:.6f}: "
            f"{np.abs(scale * circuit - software).max() / full_scale:.1e} of full scale"
        )
        print(
            f"  largest error of a diode's voltage, image {images.index[0]}: "
            f"{1e6 * np.abs(diodes.circuit - diodes.software).max():.1f} uV, of which its own "
            f"pair's {1e6 * np.abs(diodes.circuit - diodes.local).max():.1f} uV"
        )


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-05"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 20,
    )
