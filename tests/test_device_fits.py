"""From sweeps and formulas to tables: how the device library is made."""

from __future__ import annotations

import numpy as np
import pytest

from analogkan.devices import IVCurve, get
from analogkan.devices.fit import fit_knots, fit_pwl, round_significant, tabulate
from analogkan.devices.formulas import mosfet_2n7002, resonant_tunnel_diode
from analogkan.errors import DeviceError


def test_a_fit_of_points_on_its_knots_is_exact():
    v = np.arange(8) * 0.05
    i = np.random.default_rng(0).uniform(0, 1e-6, 8)
    fit = fit_pwl(v, i, digits=17)
    np.testing.assert_allclose(fit.v, v, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fit.i, i, rtol=1e-12, atol=0)
    assert fit.max_residual < 1e-12


def test_a_fit_finds_the_knots_of_a_piecewise_linear_sweep_between_which_it_was_sampled():
    knots, table = np.array([0.0, 0.1, 0.2, 0.3, 0.33]), np.array([0.0, 2.0, 1.0, 4.0, 3.0])
    v = np.linspace(0.0, 0.33, 500)
    fit = fit_pwl(v, np.interp(v, knots, table), step=0.1)
    np.testing.assert_allclose(fit.v, knots, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fit.i, table, rtol=0, atol=5e-6)


def test_the_stated_residual_is_the_distance_from_the_sweep_as_a_share_of_the_peak():
    fit = fit_pwl(np.array([0.0, 0.5, 1.0]), np.array([0.0, 4.0, 2.0]), step=1.0)
    # Least squares through (0, 0), (0.5, 4), (1, 2): 1 + 2 v, that is -1, +2, -1 from the points.
    np.testing.assert_allclose(fit.i, [1.0, 3.0], rtol=1e-12)
    assert fit.max_residual == pytest.approx(2 / 3)
    assert fit.rms_residual == pytest.approx(np.sqrt(2) / 3)


def test_a_sweep_with_too_few_points_is_refused():
    sentence = "too few points for knots every 0.05 V: 3 points support 3 of 21 knots"
    with pytest.raises(DeviceError, match=sentence):
        fit_pwl(np.array([0.0, 0.5, 1.0]), np.ones(3))


def test_rounding_keeps_significant_digits():
    rounded = round_significant(np.array([1.23456789e-7, -98765.4321, 0.0]), 4)
    assert rounded.tolist() == [1.235e-7, -98770.0, 0.0]


@pytest.mark.parametrize("tolerance", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize(("function", "v_hi"), [(resonant_tunnel_diode, 4.0), (mosfet_2n7002, 2.5)])
def test_a_tabulated_formula_is_within_the_stated_tolerance(function, v_hi, tolerance):
    fit = tabulate(function, 0.0, v_hi, tolerance=tolerance)
    v = np.linspace(0.0, v_hi, 100_003)
    error = np.abs(np.interp(v, fit.v, fit.i) - function(v)).max() / fit.i.max()
    assert error <= tolerance * 1.01  # the grid of tabulate is coarser, and it keeps 6 digits
    assert fit.max_residual == pytest.approx(error, rel=0.02)


def test_the_resonant_tunnel_diode_peaks_at_69_8_milliamperes_and_2_16_volts():
    v = np.linspace(0.0, 3.0, 30_001)
    i = resonant_tunnel_diode(v)
    assert i.max() == pytest.approx(69.8e-3, abs=0.05e-3)
    assert v[i.argmax()] == pytest.approx(2.16, abs=0.005)


def test_the_2n7002_carries_nothing_up_to_1_volt_and_6_17_milliamperes_at_2():
    assert mosfet_2n7002(np.array([0.0, 0.5, 1.0, 2.0])).tolist() == [0.0, 0.0, 0.0, 6.17e-3]


@pytest.mark.parametrize(
    ("name", "function"), [("RTD", resonant_tunnel_diode), ("E2N7002", mosfet_2n7002)]
)
def test_the_shipped_formula_devices_are_their_formulas_tables(name, function):
    curve = get(name)
    fit = tabulate(function, 0.0, curve.v[-1])
    np.testing.assert_array_equal(curve.v, fit.v)
    np.testing.assert_allclose(curve.i, fit.i, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["A21", "Z15", "Z21", "ZAZ21"])
def test_the_shipped_tables_are_fits_of_the_public_sweeps(shared_data, name):
    path = shared_data / "devices" / f"{name}.csv"
    v, i_ua = np.loadtxt(path, delimiter=",", skiprows=1, unpack=True)
    fit = fit_pwl(v, 1e-6 * i_ua)
    assert IVCurve(name, fit.v, fit.i) == get(name)
    assert fit.max_residual <= 5e-6


def test_a_fit_of_too_many_knots_is_refused():
    v = np.linspace(0, 1, 20_001)
    sentence = "9,001 knots for 20,001 points are too many to fit: at most 999 knots here"
    with pytest.raises(DeviceError, match=f"^{sentence}$"):
        fit_knots(np.linspace(0, 1, 9_001), v, v)
