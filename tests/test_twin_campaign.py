"""Long comparisons of the shipped models: `pytest -m campaign tests/test_twin_campaign.py -s`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analogkan import load_bundled, resources
from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.data import parse_subset
from analogkan.engines.chips import NgspiceEngine, TwinEngine
from analogkan.network import checkpoint
from analogkan.network.spec import NetworkSpec
from analogkan.network.squash import Squash
from analogkan.variation.sample import perturb

from .chips import EVERYTHING, OLD

pytestmark = pytest.mark.campaign
CHIPS, IMAGES = 20, 50


def model(name: str) -> NetworkSpec:
    """A shipped model; ``clamp`` is mnist-d2 with clamp cells at its hidden nodes."""
    if name != "clamp":
        return checkpoint.load_spec(resources.path(f"models/{name}.pt"))
    spec = model("mnist-d2")
    clamp = Squash(kind="clamp", v_lo=0.0, v_hi=1.25)
    return replace(spec, layers=(spec.layers[0], replace(spec.layers[1], squash=clamp)))


@pytest.mark.parametrize("wires", [{}, {"r_wire": 1.0}], ids=["no wires", "wires"])
@pytest.mark.parametrize("name", ["mnist-d2", "clamp", "paper-mnist-d2"])
@pytest.mark.parametrize("temp_c", [-40.0, 85.0, 125.0])
def test_the_twin_is_ngspice_with_everything_on(name, temp_c, wires, ngspice, tmp_path):
    chips = CHIPS if temp_c == 85.0 else 2
    spec = model(name)
    design = build_design(spec, Hardware(levels=32, **wires))
    images = load_bundled()
    images = images.take(parse_subset(str(IMAGES), images.y))
    volts = spec.dac_volts(images.flat(spec.encoding.shape))
    full = np.abs(spec.forward_volts(volts)).max()
    twin, circuit = TwinEngine(), NgspiceEngine(ngspice, tmp_path)
    worst = 0.0
    for m in range(chips):
        chip, _ = perturb(design, EVERYTHING, OLD, spec=spec, seed=0, sample=m)
        found = twin.logits(chip, volts, images.index, temp_c)
        wanted = circuit.logits(chip, volts, images.index, temp_c)
        worst = max(worst, float(np.abs(found - wanted).max() / full))
    print(f"\n{name}, {temp_c:g} degC, {chips} chips x {IMAGES} images: {worst:.1e} of full scale")
    assert worst < 1e-6
