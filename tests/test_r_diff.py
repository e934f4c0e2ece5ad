"""The difference amplifiers' resistors as a setting: no logit moves, and what they take shrinks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import CompileError, SettingsError
from analogkan.physics.power import power_of

from .chips import chip
from .networks import random_spec
from .sheets import require_judged
from .test_twin import images, worst

LARGE = 250e3


def test_a_chip_is_the_same_in_twin_and_ngspice(ngspice, tmp_path):
    design = chip(random_spec(2, (6, 5, 3)), levels=32, r_diff=LARGE)
    assert worst(design, images(8, 6), 60.0, ngspice, tmp_path) < 1e-6


def test_no_logit_moves():
    spec, volts = random_spec(2, (6, 5, 3)), Inputs.of(images(8, 6))
    small, large = (
        Twin([build_design(spec, Hardware(r_diff=r))]).logits(volts) for r in (1e4, LARGE)
    )
    np.testing.assert_array_equal(small, large)


def test_its_power_shrinks_in_proportion(tmp_path):
    spec, volts = random_spec(2, (6, 5, 3)), images(8, 6)
    found = [
        power_of(write_build(spec, Hardware(r_diff=r), tmp_path / f"{r:g}.build"), volts)
        for r in (1e4, LARGE)
    ]
    small, large = (one.dissipated["differences"] for one in found)
    np.testing.assert_allclose(small, large * LARGE / 1e4, rtol=1e-9)
    np.testing.assert_allclose(found[0].dissipated["cells"], found[1].dissipated["cells"])


def test_ngspice_confirms_power_settling_and_noise(ngspice, tmp_path):
    build = write_build(random_spec(2, (6, 5, 3)), Hardware(r_diff=LARGE), tmp_path / "n.build")
    require_judged(build, images(4, 6), tmp_path)


def test_another_resistor_in_the_deck_is_noticed(tmp_path):
    build = write_build(random_spec(2, (6, 5, 3)), Hardware(r_diff=LARGE), tmp_path / "n.build")
    deck = build.folder / "layer1.cir"
    text = deck.read_text(encoding="utf-8")
    assert " r=250000" in text
    deck.write_text(text.replace(" r=250000", " r=260000", 1), encoding="utf-8")
    said = verify_build(load_build(build.folder)).sentence()
    assert "input resistor of 260000.0 ohm, not 250000.0" in said


def test_what_no_shop_has_is_refused(tmp_path):
    spec = random_spec(2, (6, 5, 3))
    hardware = replace(Hardware(), levels="e96", g_min=1e-6, g_max=1e-4, r_diff=12345.0)
    with pytest.raises(
        CompileError, match=r"r_diff = 12345 ohm is no value of E96: the nearest is"
    ):
        build_design(spec, hardware)
    with pytest.raises(SettingsError, match=r"r_diff = 0\.5 is out of range: 1 to 1e9 ohm"):
        Hardware(r_diff=0.5)
