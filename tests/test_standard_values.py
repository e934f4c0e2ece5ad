"""Resistors of standard values: each is the nearest, and the arithmetic stays true."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analogkan.compiler.build import load_build
from analogkan.compiler.design import build_design, load_design, save_design
from analogkan.compiler.hardware import Hardware, load_hardware
from analogkan.compiler.series import (
    SERIES,
    coarseness,
    nearest_of,
    standard_of,
    standard_values,
)
from analogkan.compiler.verify import verify_build, write_verified
from analogkan.devices import IVCurve
from analogkan.errors import CompileError, SettingsError

from .networks import random_spec

E96 = Hardware(levels="e96", g_min=1e-6, g_max=1e-4)


def are_standard(ohms, series="e96"):
    ohms = np.asarray(ohms, float)
    return np.allclose(nearest_of(standard_values(series), ohms), ohms, rtol=1e-12, atol=0)


def test_the_series_are_those_of_iec_60063():
    """Their number a decade, values that a formula alone gets wrong, and the widest step."""
    assert {name: len(values) for name, values in SERIES.items()} == {"e24": 24, "e96": 96}
    assert {100, 102, 105, 249, 499, 665, 806, 976} <= set(SERIES["e96"])
    assert {27, 30, 33, 47, 82} <= set(SERIES["e24"])  # 10^(k/24) has 26, 29, 32, 46, 83
    assert coarseness("e96") == pytest.approx(np.sqrt(137 / 133) - 1)
    values = standard_values("e96", 1e3, 1e5)
    assert (values[0], values[-1], len(values)) == (1000, 100e3, 193)


@given(st.floats(1.0, 1e7), st.sampled_from(sorted(SERIES)))
def test_the_nearest_value_is_no_farther_than_the_coarseness(ohms, series):
    near = standard_of(np.array(ohms), series, "it", "no")
    assert abs(near - ohms) <= coarseness(series) * near * (1 + 1e-12)
    above = standard_of(np.array(ohms), series, "it", "no", side=1)
    below = standard_of(np.array(ohms), series, "it", "no", side=-1)
    assert below <= ohms * (1 + 1e-8) and above >= ohms * (1 - 1e-8) and near in (below, above)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), squash=st.sampled_from(["none", "clamp", "tanh"]))
def test_every_resistor_is_standard_and_every_gain_is_what_they_make(seed, squash):
    """Whatever the network: the outputs' unit is exact, so that cells alone are rounded."""
    spec = random_spec(seed, (3, 4, 2), squash=squash)
    design = build_design(spec, E96)
    plain = build_design(spec, Hardware(g_min=1e-6, g_max=1e-4))
    for stage, exact in zip(design.stages, plain.stages, strict=True):
        assert are_standard(1 / stage.g[stage.g > 0])
        assert are_standard(stage.r_f) and are_standard(stage.r_c)
        assert are_standard(Hardware().r_diff * stage.gain)
        np.testing.assert_allclose(
            stage.r_c[::2] * stage.gain * E96.v_fs, stage.unit * stage.alpha, rtol=1e-12
        )
        # A finer range could be used, never a smaller one, and no more than two steps go unused.
        assert (stage.alpha >= exact.alpha * 0.98).all()
        assert (stage.alpha <= exact.alpha * 1.1).all()
    np.testing.assert_array_equal(design.stages[0].unit, plain.stages[0].unit)


def test_a_build_of_standard_values_is_verified_and_says_so(tmp_path):
    spec = random_spec(3, (3, 4, 2))
    build = write_verified(spec, E96, tmp_path / "b.build")
    found = verify_build(load_build(build.folder))
    assert found.ok, found.findings
    assert found.facts["levels"] == "e96"
    assert 0 < found.facts["max_coefficient_error"] < coarseness("e96")


def test_a_resistor_of_another_value_is_found(tmp_path):
    build = write_verified(random_spec(3, (3, 4, 2)), E96, tmp_path / "b.build")
    path = build.folder / "layer0.cir"
    text = path.read_text(encoding="utf-8")
    found = re.search(r"(?m)^(r_\S+ \S+ \S+) \S+ cell$", text)
    assert found is not None
    path.write_text(text.replace(found[0], f"{found[1]} 12345 cell"), encoding="utf-8")
    said = "\n".join(verify_build(load_build(build.folder)).findings)
    assert "is 12345.0 ohm, which is no value of E96" in said


def test_a_design_of_standard_values_survives_its_file(tmp_path):
    design = build_design(random_spec(4, (3, 2)), E96)
    save_design(design, tmp_path / "d.npz")
    assert load_design(tmp_path / "d.npz").hardware == E96


def test_levels_are_a_number_or_a_series():
    assert load_hardware("nominal", ["levels=e24"]).series == "e24"
    assert load_hardware("nominal", ["levels=16"]).series == ""
    with pytest.raises(SettingsError, match=r"^levels = 'E96' is out of range: .* did you mean e9"):
        load_hardware("nominal", ["levels=E96"])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"g_min": 1e-9},
            r"^g_min = 1e-09 is out of range: 1e-07 to 1 S with levels = e96, whose resistors are "
            r"from 1 to 1e\+07 ohm$",
        ),
        (
            {"g_min": 9.97e-6, "g_max": 9.99e-6},
            r"^levels = 'e96' is out of range: no two values of E96 lie between 100100 and 100301 "
            r"ohm, 1/g_max and 1/g_min: lower g_min or raise g_max$",
        ),
    ],
)
def test_a_range_without_standard_values_is_refused(values, sentence):
    with pytest.raises(SettingsError, match=sentence):
        Hardware(levels="e96", **values)


def test_an_amplifier_resistor_that_nobody_sells_is_refused():
    curve = IVCurve("tiny", np.array([0.0, 0.2, 0.4]), np.array([0.0, 2e-8, 1e-8]))
    sentence = (
        "layer 0: a row's feedback would have 2.5e+07 ohm, and resistors of E96 are from 1 to "
        "1e+07 ohm: change v_fs, which it is v_fs / I_peak by"
    )
    with pytest.raises(CompileError, match=f"^{re.escape(sentence)}$"):
        build_design(random_spec(4, (3, 2), curves=(curve,)), E96)
