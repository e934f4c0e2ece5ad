"""Calibration: a chip's columns set from measured vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import analogkan as ak
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.engines.calibrate import calibrate, read_out, two_points
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import SettingsError
from analogkan.imperfections import Conditions, Variation

from .chips import EVERYTHING, OLD, chip, errors_of
from .networks import random_images, random_spec
from .test_twin import images

SPEC = random_spec(5, (8, 6, 4, 3), squash="clamp")
VOLTS, INDEX = images(60, 8), np.arange(60)


def error(design, temp_c: float = 26.85) -> float:
    """Largest logit error against software, of full scale, on images that nothing was set with."""
    fresh = images(40, 8, seed=9)
    found = Twin([design], temp_c).logits(Inputs.of(fresh), np.arange(40)).detach()[0].T.numpy()
    wanted = SPEC.forward_volts(fresh)
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("temp_c", [26.85, 85.0])
def test_errors_of_columns_are_taken_out_entirely(temp_c):
    """Gains of lines alike, of differences, and offsets of differences are a column's alone."""
    columns = Variation(diff_gain_sigma=0.05, r_c_sigma=0.05, offset_drift_sigma=0.0)
    hardware: dict[str, Any] = {"diode_tc_current": 0.0, "diode_tc_voltage": 0.0, "opamp_gain": 1e8}
    made = chip(SPEC, columns, Conditions(), **hardware)
    diffs = [
        replace(errors_of(s).diffs, offset=errors_of(s).diffs.offset + 2e-3) for s in made.stages
    ]
    stages = tuple(
        replace(stage, errors=replace(errors_of(stage), diffs=d))
        for stage, d in zip(made.stages, diffs, strict=True)
    )
    made = replace(made, stages=stages)
    found, left = calibrate(made, SPEC, VOLTS, INDEX, temp_c)
    assert left == 0
    assert error(made, temp_c) > 1e-2
    assert error(found, temp_c) < 1e-5


def test_a_perfect_chip_is_left_as_it_is():
    made = chip(SPEC, Variation(), Conditions(), opamp="ideal")
    found, left = calibrate(made, SPEC, VOLTS, INDEX, 26.85)
    assert left == 0
    for a, b in zip(found.stages, made.stages, strict=True):
        np.testing.assert_allclose(a.gain, b.gain, rtol=1e-6)
        np.testing.assert_allclose(errors_of(a).diffs.offset, 0.0, atol=1e-6)


def test_two_points_take_a_gain_and_an_offset_out_and_leave_a_broken_output():
    software = np.random.default_rng(0).uniform(-1, 1, (41, 3))
    software[:, 2] = 0.5  # the same everywhere: nothing to set it by
    at = two_points(software)
    for k in (0, 1):
        below = [int((software[:, k] < software[p, k]).sum()) for p in at[:, k]]
        assert below == [4, 36]  # a tenth and nine tenths of 40
    given = 0.6 * software + [0.3, -0.1, 0.0]
    found, wanted = (np.take_along_axis(one, at, axis=0) for one in (given, software))
    corrected, left = read_out(given, found, wanted)
    np.testing.assert_allclose(corrected[:, :2], software[:, :2], atol=1e-14)
    np.testing.assert_array_equal(corrected[:, 2], given[:, 2])
    assert left == 1
    given = 0.1 * software
    found = np.take_along_axis(given, at, axis=0)
    np.testing.assert_array_equal(read_out(given, found, wanted)[0], given)  # answers too little


@pytest.mark.parametrize("temp_c", [-40.0, 85.0])
def test_everything_at_once_gets_better_and_stays_the_same_in_both_engines(
    temp_c, ngspice, tmp_path
):
    variation = replace(EVERYTHING, stuck_max=0.0, stuck_min=0.0)
    before, after = [], []
    for m in range(4):
        made = chip(SPEC, variation, OLD, sample=m, r_wire=2.0)
        found, _ = calibrate(made, SPEC, VOLTS, INDEX, temp_c)
        before.append(error(made, temp_c))
        after.append(error(found, temp_c))
    assert np.mean(after) < 0.7 * np.mean(before)
    fresh = images(8, 8, seed=3)
    twin = TwinEngine().logits(found, fresh, INDEX[:8], temp_c)
    circuit = NgspiceEngine(ngspice, tmp_path).logits(found, fresh, INDEX[:8], temp_c)
    assert np.abs(twin - circuit).max() < 1e-6 * np.abs(circuit).max()


def test_a_broken_column_is_counted_and_left():
    made = chip(SPEC, Variation(dead_amplifiers=0.3), Conditions(), sample=2)
    found, left = calibrate(made, SPEC, VOLTS, INDEX, 26.85)
    assert left > 0
    assert all(np.isfinite(stage.gain).all() for stage in found.stages)


def test_montecarlo_says_what_calibration_wins(ngspice, tmp_path):
    spec = random_spec(5, (5, 6, 3))
    build = write_build(spec, Hardware(), tmp_path / "net.build")
    shown = random_images(2, 60, 5)
    shown = replace(shown, y=spec.logits(shown.x).argmax(axis=1))
    settings = {"line_sigma": 0.05, "diff_gain_sigma": 0.1, "sigma_g": 0.1, "trim": "none"}
    found = {}
    for calibrated in (False, True):
        out = tmp_path / f"run{calibrated}"
        found[calibrated] = ak.montecarlo(
            build, shown, samples=6, variation=settings, calibrate=calibrated, out=out, judge="2x10"
        ).summary
    assert found[True]["judge"]["passed"]
    assert found[True]["accuracy_uncalibrated_mean"] == found[False]["accuracy_mean"]
    assert found[True]["accuracy_mean"] > found[False]["accuracy_mean"]
    assert found[True]["rms_logit_error_mean"] < 0.8 * found[False]["rms_logit_error_mean"]


def test_calibration_needs_images_to_measure_with(tmp_path):
    spec = random_spec(5, (5, 4, 3), n_calibration=0)
    build = write_build(spec, Hardware(), tmp_path / "net.build")
    with pytest.raises(SettingsError, match=r"^calibrate measures gains with calibration images"):
        ak.montecarlo(
            build,
            random_images(2, 10, 5),
            samples=1,
            calibrate=True,
            out=tmp_path / "run",
            judge="none",
        )
