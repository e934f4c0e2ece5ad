"""Diode laws, and decks that follow temperature as ngspice does it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.devices import IVCurve, get
from analogkan.devices.formulas import BOLTZMANN_OVER_CHARGE
from analogkan.devices.thermal import law_range, smear_share, smeared, table_at, with_law
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.engines.ngspice import Runner
from analogkan.errors import DeviceError

from .networks import random_spec

V = np.array([0.0, 0.1, 0.25, 0.4, 0.6, 0.9])
TABLES = tuple(np.concatenate([[0.0], row]) for row in np.random.default_rng(4).uniform(
    0.2e-6, 3e-6, (3, 5)
))  # fmt: skip
MEASURED = IVCurve(
    "T0", V, TABLES[1], temperatures=tuple(zip((-40.0, 25.0, 90.0), TABLES, strict=True))
)


# ---- laws


def kernel(e: Any, kelvin: float) -> Any:
    """The smearing kernel as it is written, per volt."""
    theta = np.pi * 300 / kelvin
    kt = BOLTZMANN_OVER_CHARGE * kelvin
    return np.sin(theta) / (np.cosh(e / kt) + np.cos(theta)) / (2 * theta * kt)


@pytest.mark.parametrize("kelvin", [310.0, 350.0, 423.15])
def test_the_smearing_kernel_is_one_and_its_share_is_its_integral(kelvin):
    theta, kt = np.pi * 300 / kelvin, BOLTZMANN_OVER_CHARGE * kelvin
    whole, _ = quad(kernel, -1.5, 1.5, args=(kelvin,), epsabs=1e-13, points=[0.0])
    assert whole == pytest.approx(1, abs=1e-9)
    for x in (-2.0, 0.3, 1.7):
        below, _ = quad(kernel, -1.5, x * kt, args=(kelvin,), epsabs=1e-13, points=[0.0])
        assert smear_share(np.array(x), theta) == pytest.approx(below, abs=1e-9)


@pytest.mark.parametrize("name", ["A21", "Z21", "Z15", "ZAZ21"])
@pytest.mark.parametrize("temp_c", [50.0, 125.0])
def test_smearing_is_the_fold_with_the_kernel(name, temp_c):
    curve = get(name)
    kelvin = temp_c + 273.15
    u = np.concatenate([-curve.v[:0:-1], curve.v])
    i = np.concatenate([-curve.i[:0:-1], curve.i])
    e = np.linspace(-1.3, 1.3, 200_001)
    weight = kernel(e, kelvin)
    found = smeared(curve, temp_c)
    for k in (1, len(curve.v) // 3, len(curve.v) - 1):
        wanted = np.trapezoid(np.interp(curve.v[k] - e, u, i) * weight, e)
        assert found[k] == pytest.approx(wanted, abs=1e-7 * curve.i_peak)
    assert found[0] == 0


def test_smearing_flattens_and_leaves_what_is_not_hot():
    curve = get("A21")
    peaks = [smeared(curve, t).max() for t in (26.85, 50, 100, 150)]
    assert (np.diff(peaks) < 0).all()
    at = int(np.argmin(np.where(curve.v > 0.5, curve.i, np.inf)))
    assert smeared(curve, 125.0)[at] > curve.i[at]
    for same in (smeared(curve, 26.85), smeared(curve, -40.0), smeared(curve, 150.0, width=0.0)):
        np.testing.assert_array_equal(same, curve.i)
    twice, once = smeared(curve, 100.0, width=2.0), smeared(curve, 100.0)
    assert np.abs(twice - curve.i).max() > np.abs(once - curve.i).max()


@pytest.mark.parametrize("name", ["A21", "Z21", "Z15", "ZAZ21"])
def test_the_tables_of_smearing_are_dense_enough(name):
    curve = get(name)
    made = with_law(curve, "smear")
    for temp_c in np.linspace(27, 150, 25):
        blend = table_at(made, float(temp_c))[1]
        assert np.abs(blend - smeared(curve, float(temp_c))).max() < 5e-3 * curve.i_peak


def test_tables_are_blended_and_held():
    made = with_law(MEASURED, "tables")
    assert made.temps_c == (-40.0, 26.85, 90.0)
    np.testing.assert_array_equal(table_at(made, 26.85)[1], MEASURED.i)
    np.testing.assert_allclose(table_at(made, 58.425)[1], 0.5 * (TABLES[1] + TABLES[2]), rtol=1e-12)
    np.testing.assert_array_equal(table_at(made, 200.0)[1], TABLES[2])
    np.testing.assert_array_equal(table_at(made, -60.0)[1], TABLES[0])
    assert law_range((made,), "tables") == (-40.0, 90.0)


def test_a_linear_law_scales_currents_and_voltages():
    v, i = table_at(get("A21"), 126.85, tc_current=-1e-3, tc_voltage=-3e-4)
    np.testing.assert_allclose(v, 0.97 * get("A21").v)
    np.testing.assert_allclose(i, 0.9 * get("A21").i)
    assert law_range((get("A21"),), "linear") == (-55.0, 150.0)


def test_tables_of_a_device_measured_once_are_refused():
    with pytest.raises(
        DeviceError,
        match=r"^device A21 was measured at one temperature: import sweeps at several for "
        r"diode_law=tables, or choose linear or smear$",
    ):
        with_law(get("A21"), "tables")


# ---- decks


LAWS = [
    {"diode_law": "linear", "diode_tc_current": -2e-3, "diode_tc_voltage": 4e-4},
    {"diode_law": "tables", "cell_tc2": 1e-6},
    {"diode_law": "smear", "feedback_tc1": -5e-4},
]


@pytest.fixture(params=LAWS, ids=lambda law: law["diode_law"])
def build(request, tmp_path):
    spec = random_spec(5, (4, 3, 2), curves=(MEASURED,))
    made = write_build(spec, Hardware(opamp="ideal", **request.param), tmp_path / "net.build")
    again = load_build(made.folder)
    assert again.design.stages[0].curves == made.design.stages[0].curves
    return again


def at_temperature(build, volts: np.ndarray, temp_c: float) -> np.ndarray:
    """The network with drifted curves and resistors, in numpy: ideal amplifiers."""
    hw, dt = build.design.hardware, temp_c - 26.85
    law = {}
    if hw.diode_law == "linear":
        law = {"tc_current": hw.diode_tc_current, "tc_voltage": hw.diode_tc_voltage}
    y = volts
    for stage in build.design.stages:
        (curve,) = stage.curves
        v, i = table_at(curve, temp_c, **law)
        r_f = stage.r_f[:, 0] * (1 + hw.feedback_tc1 * dt + hw.feedback_tc2 * dt**2)
        rows = np.concatenate(
            [-r_f * np.interp(y, v, i), np.full((len(y), stage.n_bias), -hw.v_fs)], axis=1
        )
        g = stage.g / (1 + hw.cell_tc1 * dt + hw.cell_tc2 * dt**2)
        r_c = stage.r_c * (1 + hw.feedback_tc1 * dt + hw.feedback_tc2 * dt**2)
        lines = -r_c * (rows @ g)
        y = stage.gain * (lines[:, 0::2] - lines[:, 1::2])
    return y / build.design.v_per_logit


@pytest.mark.parametrize("temp_c", [-40.0, 26.85, 40.0, 85.0])
def test_a_deck_at_a_temperature_is_the_drifted_network(build, temp_c, ngspice, tmp_path):
    volts = np.random.default_rng(0).uniform(0, 0.7, (8, 4))
    wanted = at_temperature(build, volts, temp_c)
    index = np.arange(8)
    found = NgspiceEngine(ngspice, tmp_path).logits(build.design, volts, index, temp_c)
    twin = TwinEngine().logits(build.design, volts, index, temp_c)
    scale = np.abs(wanted).max()
    assert np.abs(found - wanted).max() < 1e-6 * scale
    assert np.abs(twin - wanted).max() < 1e-6 * scale


@pytest.mark.parametrize("squash", ["none", "sigmoid"])
def test_set_temp_by_hand_gives_what_studies_report(squash, ngspice, tmp_path):
    spec = random_spec(6, (4, 3, 2), squash=squash)
    build = write_build(spec, Hardware(), tmp_path / "net.build")
    top = build.folder / "network.cir"
    text = top.read_text(encoding="utf-8")
    by_hand = text.replace(".control\nop\n", ".control\nset temp=85\nset numdgt=15\nop\n")
    assert by_hand != text
    top.write_text(by_hand, encoding="utf-8")
    printed = Runner(ngspice).run(top, top.with_suffix(".raw"), timeout=30)
    found = [float(x) for x in re.findall(r"v\(logit_\d\) = (\S+)", printed)]
    from analogkan.compiler.deck import image0_volts

    volts, index = image0_volts(spec, Hardware())[None], np.arange(1)
    for engine in (NgspiceEngine(ngspice, tmp_path / "keep"), TwinEngine()):
        hot = engine.logits(build.design, volts, index, 85.0)[0]
        np.testing.assert_allclose(found, hot, atol=1e-6 * np.abs(hot).max())
        cold = engine.logits(build.design, volts, index, 26.85)[0]
        assert np.abs(hot - cold).max() > 1e-3 * np.abs(cold).max()


def test_a_reduced_deck_says_at_which_temperature_it_holds(tmp_path):
    spec = random_spec(6, (4, 3, 2))
    wired = Hardware(r_wire=1.0)
    text = (write_build(spec, wired, tmp_path / "a.build").folder / "layer0.cir").read_text()
    assert "HOLDS AT 26.85 DEGREES CELSIUS ONLY" in text
    alike = replace(wired, wire_tc1=wired.cell_tc1)
    text = (write_build(spec, alike, tmp_path / "b.build").folder / "layer0.cir").read_text()
    assert "holds at every temperature" in text
