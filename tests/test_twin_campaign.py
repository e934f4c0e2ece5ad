"""Long comparisons of the shipped models: `pytest -m campaign tests/test_twin_campaign.py -s`."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import analogkan as ak
from analogkan import load_bundled, resources
from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.data import parse_subset
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.imperfections.make import perturb
from analogkan.network import checkpoint
from analogkan.network.spec import NetworkSpec
from analogkan.network.squash import Squash

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


def montecarlo(build: Path, out: Path, *options: str) -> list[str]:
    command = [sys.executable, "-m", "analogkan", "montecarlo", str(build), "--out", str(out)]
    return [*command, "--samples", "60", "--judge", "1x10", *options]


def test_a_study_killed_five_times_and_resumed_is_the_study(ngspice, tmp_path):
    """Rows of jobs 1, of jobs 2, and of a run killed at random: the same bytes."""
    build = ak.compile(resources.path("models/mnist-d2.pt"), tmp_path / "d2.build").folder
    whole = tmp_path / "whole"
    subprocess.run(montecarlo(build, whole, "--jobs", "1"), check=True, capture_output=True)
    rng, killed = random.Random(0), tmp_path / "killed"
    for _ in range(5):
        process = subprocess.Popen(
            montecarlo(build, killed, "--jobs", "2"), stdout=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(3.0, 5.0))
        process.kill()
        process.wait()
    done = subprocess.run(
        montecarlo(build, killed, "--jobs", "2", "--resume"), check=True, capture_output=True
    )
    assert done.returncode == 0
    assert (killed / "chips.csv").read_bytes() == (whole / "chips.csv").read_bytes()


def test_every_row_of_a_study_in_ngspice_is_the_twins(ngspice, tmp_path):
    """10 chips x 500 images, all of it in ngspice."""
    import analogkan as ak

    build = ak.compile(resources.path("models/mnist-d2.pt"), tmp_path / "d2.build")
    images = load_bundled()
    images = images.take(parse_subset("500", images.y))
    found = {}
    for engine in ("twin", "ngspice"):
        out = tmp_path / engine
        found[engine] = ak.montecarlo(
            build, images, samples=10, engine=engine, out=out, jobs=2
        ).rows
    print()
    for twin, circuit in zip(found["twin"], found["ngspice"], strict=True):
        print(f"chip {twin['sample']}: {twin['accuracy']:.4f} {circuit['accuracy']:.4f}", end="  ")
        apart = abs(twin["max_abs_logit_error"] - circuit["max_abs_logit_error"])
        print(f"largest logit errors {apart:.1e} apart")
        assert twin["correct"] == circuit["correct"]
        assert twin["agreement"] == circuit["agreement"]
        assert apart < 1e-4
