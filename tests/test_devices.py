"""Devices: the shipped curves, the tables that are refused, the fits the library is made by."""

from __future__ import annotations

from re import escape

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analogkan.devices import IVCurve, get, names, resolve
from analogkan.devices.fit import fit_pwl, round_significant, tabulate
from analogkan.devices.formulas import mosfet_2n7002, resonant_tunnel_diode
from analogkan.devices.library import load, save
from analogkan.errors import DeviceError

SHIPPED = ["A21", "E2N7002", "RTD", "Z15", "Z21", "ZAZ21"]
MEASURED = ["A21", "Z15", "Z21", "ZAZ21"]
ZIGZAG = IVCurve("Z", [0.0, 1.0, 2.0, 4.0], [0.0, 3e-6, 1e-6, 2e-6])


def test_six_devices_ship():
    assert names() == SHIPPED


@pytest.mark.parametrize(
    ("name", "v_peak", "i_ua"),
    [
        ("A21", 0.35, 2.79),
        ("Z21", 0.70, 1.00),
        ("Z15", 0.85, 2.53),
        ("Z15", 1.30, 3.07),
        ("ZAZ21", 1.00, 1.61),
    ],
)
def test_the_measured_devices_peak_where_the_paper_says(name, v_peak, i_ua):
    peaks = {v: round(1e6 * i, 2) for kind, v, i in get(name).extrema() if kind == "peak"}
    assert peaks[v_peak] == i_ua


def test_a21_has_its_valley_at_1_05_volts_and_its_largest_current_at_the_end():
    a21 = get("A21")
    assert [(kind, v) for kind, v, _ in a21.extrema()] == [("peak", 0.35), ("valley", 1.05)]
    assert (a21.v_peak, round(1e6 * a21.i_peak, 2)) == (1.30, 3.11)


@pytest.mark.parametrize(("name", "v"), [("Z21", 1.05), ("ZAZ21", 1.15)])
def test_a_resonance_is_followed_by_almost_nothing(name, v):
    curve = get(name)
    assert curve.i[curve.v >= v].max() < 0.003 * curve.i_peak


@pytest.mark.parametrize("name", SHIPPED)
def test_a_curve_is_flat_outside_its_table(name):
    curve = get(name)
    outside = np.array([curve.v[0] - 9.0, curve.v[-1] + 1e-9, curve.v[-1] + 9.0])
    assert curve.current(outside).tolist() == [curve.i[0], curve.i[-1], curve.i[-1]]


def test_between_two_points_a_curve_is_straight_and_phi_is_its_share_of_the_peak():
    v = np.array([[0.25], [3.0]])
    np.testing.assert_allclose(ZIGZAG.current(v), [[0.75e-6], [1.5e-6]], rtol=1e-15)
    np.testing.assert_allclose(ZIGZAG.phi(v), [[0.25], [0.5]], rtol=1e-15)


def test_falling_segments_and_inner_extrema_are_found():
    assert ZIGZAG.negative_slopes().tolist() == [-2e-6]
    assert ZIGZAG.extrema() == [("peak", 1.0, 3e-6), ("valley", 2.0, 1e-6)]


@pytest.mark.parametrize(
    ("name", "v", "i", "sentence"),
    [
        (
            "2N",
            [0, 1],
            [0, 1],
            "device name '2N' is not usable in a netlist: "
            "letters, digits and underscores, a letter first, at most 32",
        ),
        ("A\nB", [0, 1], [0, 1], "device name 'A\\nB' is not usable in a netlist: "),
        ("x" * 33, [0, 1], [0, 1], "is not usable in a netlist"),
        ("A", [0], [1], "device A: v has shape (1,) and i (1,); both must be (N,) with N at least"),
        ("A", [0, 1, 2], [0, 1], "device A: v has shape (3,) and i (2,); both must be (N,)"),
        ("A", [[0, 1]], [[0, 1]], "device A: v has shape (1, 2) and i (1, 2); both must be (N,)"),
        ("A", [0, 1], [0, np.nan], "device A: its table holds NaN or infinity"),
        ("A", [0, np.inf], [0, 1], "device A: its table holds NaN or infinity"),
        (
            "A",
            [0, 0.5, 0.5],
            [0, 1, 2],
            "device A: voltages must increase, but point 2 (0.5 V) follows 0.5 V",
        ),
        ("A", [0, 1], [0, 0], "device A: no positive current, so it has no peak"),
    ],
)
def test_a_bad_table_is_refused_by_name(name, v, i, sentence):
    with pytest.raises(DeviceError, match=escape(sentence)):
        IVCurve(name, v, i)


def test_a_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        get("A21").i[0] = 1.0


def test_curves_are_equal_by_name_and_table_alone():
    same = IVCurve("Z", ZIGZAG.v, ZIGZAG.i, "elsewhere")
    assert same == ZIGZAG
    assert hash(same) == hash(ZIGZAG)
    assert IVCurve("Z", ZIGZAG.v, np.nextafter(ZIGZAG.i, 1)) != ZIGZAG


def test_an_unknown_device_is_refused_with_the_nearest_name():
    sentence = "unknown device 'A12', did you mean A21? Known: A21, E2N7002, RTD, Z15, Z21, ZAZ21, "
    with pytest.raises(DeviceError, match=escape(sentence)):
        get("A12")
    with pytest.raises(DeviceError, match=escape("unknown device 'xyzzy'. Known: A21, E2N7002")):
        get("xyzzy")


def test_device_lists_ignore_case_and_blanks():
    assert resolve("a21, Z21") == resolve(["A21", "z21"]) == (get("A21"), get("Z21"))


def test_a_device_named_twice_is_refused():
    with pytest.raises(DeviceError, match=r"^device 'a21' is named twice \(names ignore case\)$"):
        resolve("A21,Z21,a21")


def test_no_device_is_refused():
    with pytest.raises(DeviceError, match="no device named: a layer needs at least one"):
        resolve(" , ")


@settings(max_examples=50, deadline=None)
@given(
    v=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8, unique=True),
    i=st.lists(st.floats(0.0, 1e3, exclude_min=True), min_size=8, max_size=8),
    text=st.text(st.characters(codec="utf-8")),
)
def test_a_device_file_reads_back_equal_to_the_last_bit(tmp_path_factory, v, i, text):
    path = tmp_path_factory.mktemp("device") / "own.toml"
    curve = IVCurve("own", sorted(v), i[: len(v)], text, 'a "quoted" \\ note\r\n\tof two lines\x7f')
    save(curve, path)
    back = get(str(path))
    assert (back.v.tobytes(), back.i.tobytes()) == (curve.v.tobytes(), curve.i.tobytes())
    assert (back.name, back.source, back.notes) == (curve.name, curve.source, curve.notes)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name = ", "is not a TOML device file"),
        (b"\xff\xfe", "is not a TOML device file"),
        (b'name = "A"', "lacks v, i: a device file has name, v and i"),
        (b'name = "A"\nv = [0, "x"]\ni = [0, 1]', "v and i must be lists of numbers"),
    ],
)
def test_a_bad_device_file_is_refused(tmp_path, content, sentence):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(DeviceError, match=sentence):
        load(path)


def test_a_missing_device_file_is_refused(tmp_path):
    with pytest.raises(DeviceError, match=r"cannot read device file .*none.toml: No such file"):
        get(str(tmp_path / "none.toml"))


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
    assert mosfet_2n7002([0.0, 0.5, 1.0]).tolist() == [0.0, 0.0, 0.0]
    assert float(mosfet_2n7002(2.0)) == 6.17e-3


@pytest.mark.parametrize(
    ("name", "function"), [("RTD", resonant_tunnel_diode), ("E2N7002", mosfet_2n7002)]
)
def test_the_shipped_formula_devices_are_their_formulas_tables(name, function):
    curve = get(name)
    fit = tabulate(function, 0.0, curve.v[-1])
    np.testing.assert_array_equal(curve.v, fit.v)
    np.testing.assert_allclose(curve.i, fit.i, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", MEASURED)
def test_the_shipped_tables_are_fits_of_the_public_sweeps(shared_data, name):
    path = shared_data / "devices" / f"{name}.csv"
    v, i_ua = np.loadtxt(path, delimiter=",", skiprows=1, unpack=True)
    fit = fit_pwl(v, 1e-6 * i_ua)
    assert IVCurve(name, fit.v, fit.i) == get(name)
    assert fit.max_residual <= 5e-6
