"""Op-amps with rails: what is limited, and which images would have needed more."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from analogkan.cli import main
from analogkan.compiler.build import write_build
from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.engines.ideal import saturating, stage_volts
from analogkan.studies.simulate import simulate

from .networks import random_checkpoint, random_images, random_npz, random_spec

GAIN = 1e7
"""So that what is left between the circuits is the rails."""


@pytest.fixture(scope="module")
def images():
    return random_images(2, 60, 6)


@pytest.fixture(scope="module")
def runs(images, tmp_path_factory):
    """The same network with room to spare and with rails that its lines pass on some images."""
    spec, folder = random_spec(12, (6, 5, 3)), tmp_path_factory.mktemp("rails")
    found = {}
    for name, hw in {
        "linear": Hardware(opamp_gain=GAIN, headroom=0.8),
        "rails": Hardware(opamp_gain=GAIN, headroom=0.8, opamp="rails"),
        "tight": Hardware(opamp_gain=GAIN, headroom=1.0, opamp="rails", v_rail=0.9),
        "free": Hardware(opamp_gain=GAIN, headroom=1.0, v_rail=0.9),
    }.items():
        build = write_build(spec, hw, folder / f"{name}.build")
        found[name] = build, simulate(build, images, run=folder / name)
    return found


def test_rails_that_nothing_reaches_change_nothing(runs):
    (build, railed), (_, linear) = runs["rails"], runs["linear"]
    assert railed.summary["saturated_images"] == []
    scale = linear.summary["logit_full_scale"]
    np.testing.assert_allclose(railed.circuit, linear.circuit, rtol=0, atol=1e-8 * scale)
    assert build.summary["elements"]["limiters"] == build.summary["elements"]["op_amps"]


def test_the_rails_change_only_images_that_are_flagged(runs, images):
    """Not all of them: a hidden node beyond a flat end of its diodes' curves moves nothing."""
    (_, tight), (_, free) = runs["tight"], runs["free"]
    flagged = tight.summary["saturated_images"]
    assert flagged == free.summary["saturated_images"]
    moved = np.abs(tight.circuit - free.circuit).max(axis=1)
    changed = images.index[moved > 1e-6 * free.summary["logit_full_scale"]]
    assert set(changed) <= set(flagged)
    assert 0.5 * len(flagged) < len(changed) < len(images)


def test_the_closed_form_limits_as_the_circuit_does(runs, images):
    build, tight = runs["tight"]
    volts = build.spec.dac_volts(images.x)
    *_, last = stage_volts(build.design, volts)
    logits = last.outputs / build.design.v_per_logit
    scale = tight.summary["logit_full_scale"]
    np.testing.assert_allclose(tight.circuit, logits, rtol=0, atol=1e-5 * scale)
    assert saturating(build.design, volts).sum() == len(tight.summary["saturated_images"])


def test_the_command_says_which_images_would_saturate(ngspice, tmp_path):
    random_checkpoint(tmp_path / "net.pt")
    random_npz(tmp_path / "data.npz")
    build, data = str(tmp_path / "net.build"), str(tmp_path / "data.npz")
    args = ["compile", str(tmp_path / "net.pt"), "-o", build, "--set", "v_rail=0.3"]
    assert CliRunner().invoke(main, args).exit_code == 0
    args = ["simulate", build, "--dataset", data]
    text = CliRunner().invoke(main, args, catch_exceptions=False).stdout
    found = json.loads(CliRunner().invoke(main, [*args, "--json"]).stdout)["saturated_images"]
    assert found
    assert f"note: on {len(found)} images an amplifier would leave its supplies: {found[0]}" in text


def test_a_diode_node_beyond_the_supplies_is_flagged(images):
    """A sigmoid to 5 V from an op-amp that stops at 2.5 V."""
    spec = random_spec(12, (6, 5, 3), squash="sigmoid")
    wide = replace(spec.layers[1], squash=replace(spec.layers[1].squash, v_hi=9.0))
    design = build_design(replace(spec, layers=(spec.layers[0], wide)), Hardware())
    volts = spec.dac_volts(images.x)
    *_, last = stage_volts(design, volts)
    np.testing.assert_array_equal(saturating(design, volts), (last.inputs > 2.5).any(axis=1))
    assert "leaves the table of T0" in design.notes[-1]
