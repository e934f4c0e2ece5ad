"""Devices made of several sweeps: their mean, their spread, their temperatures."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from re import escape

import numpy as np
import pytest

from analogkan.devices import get
from analogkan.devices.formulas import resonant_tunnel_diode
from analogkan.devices.measured import (
    device_from_sweeps,
    import_device,
    safe_name,
    variation_path,
    write_measured,
)
from analogkan.devices.spread import PARAMETERS, Spread, fit_factors, measure_spread
from analogkan.devices.sweep import Sweep, read_sweep
from analogkan.errors import DeviceError, SettingsError

Z21 = get("Z21")
V = np.linspace(0.0, 1.25, 251)
SIGMAS = np.array([0.04, 0.01, 0.004])
T0 = 26.85


def sweep(v: np.ndarray, i: np.ndarray, file: str = "s.csv") -> Sweep:
    return Sweep(file=file, v=v, i=i, branch="up", hysteresis=None, columns="V (V) and I (A)")


def device(factors, rng: np.random.Generator, noise: float = 0.003, file: str = "s.csv") -> Sweep:
    """A sweep of Z21 with kI, kV, dV, with Gaussian noise as a share of the peak."""
    k_i, k_v, d_v = factors
    clean = k_i * Z21.current(k_v * V + d_v)
    return sweep(V, clean + noise * Z21.i_peak * rng.normal(size=V.size), file)


def batch(n: int, seed: int) -> tuple[np.ndarray, list[Sweep]]:
    """True factors (n, 3) and sweeps of n devices."""
    rng = np.random.default_rng(seed)
    factors = [1, 1, 0] + SIGMAS * rng.normal(size=(n, 3))
    return factors, [device(f, rng, file=f"d{k}.csv") for k, f in enumerate(factors)]


# ---- the spread


def test_the_spread_of_many_devices_is_the_one_they_were_drawn_with():
    true, sweeps = batch(200, seed=3)
    made = device_from_sweeps([(T0, s) for s in sweeps], "many")
    assert made.spread is not None
    # 200 devices know a standard deviation to 1 / sqrt(2 * 199) = 5 percent: 4 standard errors.
    np.testing.assert_allclose(made.spread.sigmas, SIGMAS, rtol=0.20)
    # Each device is found to a tenth of what devices differ by, but for what all have in common.
    missed = made.spread.factors - true
    assert (missed.std(axis=0) < 0.1 * SIGMAS).all()
    assert (np.abs(missed.mean(axis=0)) < 0.25 * SIGMAS).all()
    lo, hi = made.spread.intervals().T
    assert (lo < SIGMAS).all()
    assert (hi > SIGMAS).all()


def test_factors_of_a_sweep_without_noise_are_exact():
    rng = np.random.default_rng(0)
    for true in ((1.0, 1.0, 0.0), (1.1, 0.98, 0.01), (0.8, 1.03, -0.02)):
        found, error, rms = fit_factors(Z21.v, Z21.i, device(true, rng, noise=0.0))
        np.testing.assert_allclose(found, true, rtol=0, atol=1e-6)
        assert rms < 1e-6
        assert (error < 1e-6).all()


def test_standard_errors_are_what_noise_does_to_the_factors():
    rng = np.random.default_rng(1)
    fits = [fit_factors(Z21.v, Z21.i, device((1, 1, 0), rng)) for _ in range(200)]
    scatter = np.std([found for found, _, _ in fits], axis=0)
    stated = np.sqrt(np.mean([error**2 for _, error, _ in fits], axis=0))
    np.testing.assert_allclose(stated, scatter, rtol=0.20)  # 4 standard errors of 200 draws
    spread = measure_spread(Z21.v, Z21.i, [device((1, 1, 0), rng) for _ in range(200)], T0)
    np.testing.assert_allclose(spread.fit_errors, spread.sigmas, rtol=0.20)


def test_the_95_percent_interval_holds_the_true_sigma_in_95_percent_of_cases():
    rng, cases = np.random.default_rng(2), 1000
    inside = np.zeros(3)
    for _ in range(cases):
        factors = [1, 1, 0] + SIGMAS * rng.normal(size=(3, 3))
        zero = np.zeros((3, 3))
        spread = Spread(
            factors=factors, errors=zero, residuals=zero[0], temp_c=T0, files=("a", "b", "c")
        )
        lo, hi = spread.intervals().T
        inside += (lo < SIGMAS) & (hi > SIGMAS)
    # 4 standard errors of a share of 0.95 in 1,000 cases.
    np.testing.assert_allclose(inside / cases, 0.95, rtol=0, atol=4 * np.sqrt(0.95 * 0.05 / cases))


def tunnel_diode(v: np.ndarray) -> np.ndarray:
    """A peak of 1.7 mA at 0.11 V, behind it a fall to half within 30 mV; volts, amperes."""
    fallen = 1 / (1 + np.exp((0.13 - v) / 0.005))
    rise = v / 0.11 * np.exp(1 - v / 0.11)
    return 1.8e-3 * ((1 - fallen) * rise + fallen * (0.42 + 1.2 * (v - 0.4) ** 2))


@pytest.fixture(scope="module")
def steep() -> tuple[np.ndarray, list[Sweep]]:
    """True factors (12, 3) and sweeps of 141 points of diodes that peak and fall at 0.11 V."""
    rng, v = np.random.default_rng(8), np.linspace(0.0, 0.7, 141)
    factors = [1, 1, 0] + np.array([0.05, 0.05, 0.004]) * rng.normal(size=(12, 3))
    sweeps = []
    for k, (k_i, k_v, d_v) in enumerate(factors):
        i = k_i * tunnel_diode(k_v * v + d_v) + 4e-6 * rng.normal(size=v.size)
        sweeps.append(sweep(v, i, f"d{k}.csv"))
    return factors, sweeps


def spreads(sweeps: list[Sweep], steps: tuple[float, ...]) -> list[Spread]:
    """The spread found with each step."""
    made = [device_from_sweeps([(T0, s) for s in sweeps], "d", step=step) for step in steps]
    return [one.spread for one in made if one.spread is not None]


def test_the_spread_is_of_the_sweeps_whatever_the_step(steep):
    true, sweeps = steep
    found = spreads(sweeps, (0.1, 0.05, 0.02))
    for spread in found:
        np.testing.assert_array_equal(spread.factors, found[0].factors)
    np.testing.assert_allclose(found[0].sigmas, true.std(axis=0, ddof=1), rtol=0.1)
    np.testing.assert_allclose(found[0].factors.mean(axis=0), [1, 1, 0], rtol=0, atol=1e-2)


def test_knots_follow_a_steep_curve(steep):
    one = steep[1][0]
    made = device_from_sweeps([(T0, one)], "steep", step=0.05)
    gaps = np.diff(made.curve.v)
    assert gaps.max() <= 0.05 + 1e-9
    assert gaps.min() <= 0.025 + 1e-9
    assert made.curve.i_peak == pytest.approx(one.i.max(), rel=0.05)
    assert made.fits[T0].rms_residual < 0.035
    assert re.search(r"knots every 0\.05 V and \d+ more where it bends; ", made.curve.notes)


def test_noise_gets_no_knots():
    rng = np.random.default_rng(9)
    noisy = sweep(V, 1e-6 + 5e-8 * rng.normal(size=V.size))
    assert device_from_sweeps([(T0, noisy)], "noise", step=0.05).curve.v.size == 26
    assert device_from_sweeps([(T0, noisy)], "noise").curve.v.size == 3  # ends and peak


CURVES = {
    "a wave": (lambda v: 1e-6 * np.sin(3 * v) ** 2, 1.3),
    "a steep fall": (tunnel_diode, 0.7),
    "RTD": (lambda v: resonant_tunnel_diode(np.maximum(v, 0)), 4.0),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("share", [0.02, 0.005, 0.001])
def test_a_table_is_within_its_tolerance_of_the_points_with_few_knots(name, share):
    function, end = CURVES[name]
    v = np.linspace(0.0, end, 401)
    made = device_from_sweeps([(T0, sweep(v, function(v)))], "d", tolerance=share)
    off = np.abs(made.curve.current(v) - function(v)) / function(v).max()
    assert off.max() <= share * (1 + 1e-5)  # six digits
    even = next(
        n
        for n in range(2, 400)
        if np.abs(np.interp(v, np.linspace(0, end, n), function(np.linspace(0, end, n)))
                  - function(v)).max() <= share * function(v).max()
    )  # fmt: skip
    assert made.curve.v.size <= 0.9 * even
    assert (
        f"{made.curve.v.size} knots that follow the mean to {100 * share:.2f} % of the peak;"
        in (made.curve.notes)
    )


def test_knots_follow_the_mean_of_several_sweeps_at_every_temperature(steep):
    sweeps = steep[1]
    groups = [(T0, s) for s in sweeps[:6]] + [(85.0, s) for s in sweeps[6:]]
    made = device_from_sweeps(groups, "d", tolerance=0.02)
    for row, group in zip(made.curve.i_at, (sweeps[:6], sweeps[6:]), strict=True):
        v = sweeps[0].v
        mean = np.mean([s.i for s in group], axis=0)
        assert np.abs(np.interp(v, made.curve.v, row) - mean).max() <= 0.0201 * mean.max()
    assert "residual rms " in made.curve.notes


def test_noise_widens_the_tolerance_and_that_is_said():
    rng = np.random.default_rng(3)
    made = device_from_sweeps([(T0, device((1, 1, 0), rng, noise=0.01))], "noisy")
    words = r"(\d+) knots that follow the mean to ([\d.]+) % of the peak, 5 times its noise;"
    said = re.search(words, made.curve.notes)
    assert said is not None
    assert float(said[2]) == pytest.approx(5, rel=0.3)
    assert int(said[1]) == made.curve.v.size < 20


def test_a_mean_without_positive_current_is_refused():
    v = np.linspace(0, 1, 101)
    a, b = sweep(v - 0.2, 1e-6 * (0.1 - v), "a.csv"), sweep(v, -1e-6 * (0.85 - v), "b.csv")
    sentence = (
        "the mean of the sweeps has no positive current from 0 to 0.8 V, which all of them cover: "
        "measure them over one range, or import them apart"
    )
    with pytest.raises(DeviceError, match=f"^{escape(sentence)}$"):
        device_from_sweeps([(T0, a), (T0, b)], "none")


def test_more_knots_than_a_curve_needs_are_not_made():
    rng = np.random.default_rng(5)
    v = np.sort(rng.uniform(0, 1, 5_000))
    zigzag = sweep(v, 1e-6 * (2 + (-1) ** np.arange(5_000)))
    assert device_from_sweeps([(T0, zigzag)], "z").curve.v.size <= 200


@pytest.mark.parametrize("share", [0.0, 0.2, np.nan])
def test_a_tolerance_out_of_range_is_refused(share):
    sentence = f"a tolerance of {share:g} of the peak is out of range: 1e-4 to 0.1"
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        device_from_sweeps([(T0, sweep(V, Z21.current(V)))], "a", tolerance=share)


AI301A = Path(__file__).parents[2] / "shared/data/devices/ai301a"


@pytest.mark.skipif(not AI301A.is_dir(), reason="sweeps of real tunnel diodes are not there")
def test_the_spread_of_real_diodes_does_not_depend_on_the_step():
    sweeps = [read_sweep(path) for path in sorted(AI301A.glob("*.csv"))]
    found = spreads(sweeps, (0.1, 0.05, 0.03, 0.02))
    sigmas = np.array([spread.sigmas for spread in found])
    assert (np.ptp(sigmas, axis=0) < found[0].fit_errors).all()
    assert sigmas[0, 1] == pytest.approx(0.024, abs=0.003)
    assert device_from_sweeps([(T0, s) for s in sweeps], "d").fits[T0].rms_residual < 0.035


def test_three_devices_give_the_interval_of_two_degrees_of_freedom():
    factors = np.array([[0.9, 1.0, 0.0], [1.0, 1.0, 0.0], [1.1, 1.0, 0.0]])
    zero = np.zeros((3, 3))
    spread = Spread(
        factors=factors, errors=zero, residuals=zero[0], temp_c=T0, files=("a", "b", "c")
    )
    assert spread.sigmas[0] == pytest.approx(0.1)
    # Chi-square of 2: quantiles 0.025 and 0.975 are -2 ln 0.975 and -2 ln 0.025.
    expected = 0.1 * np.sqrt([2 / (-2 * np.log(0.025)), 2 / (-2 * np.log(0.975))])
    np.testing.assert_allclose(spread.intervals()[0], expected, rtol=1e-9)


def test_a_curve_of_another_shape_is_no_copy():
    other = sweep(V, 1e-6 * V / 1.25, "line.csv")
    sentence = (
        r"^line.csv is no copy of the mean curve: the best fit is \d\.\d+ times its current, "
        r"0\.[0-7]\d+ times its voltage \(limit 1\.25\), -?0\.\d+ V shifted, and \d\.\d % of the "
        r"peak off \(limit 10\)\. Import it as a device of its own$"
    )
    with pytest.raises(DeviceError, match=sentence):
        fit_factors(Z21.v, Z21.i, other)


def test_a_curve_of_the_same_scale_but_another_height_is_no_copy():
    waves = sweep(V, 1e-6 * (1 + np.sin(40 * V)), "waves.csv")
    with pytest.raises(
        DeviceError, match=r"^waves.csv is no copy .* and \d\d\.\d % of the peak off"
    ):
        fit_factors(Z21.v, Z21.i, waves)


def test_a_spread_that_leaves_devices_without_current_is_refused():
    rng = np.random.default_rng(1)
    apart = [device((k, 1, 0), rng, file=f"{k}.csv") for k in (0.2, 1.8)]
    sentence = (
        "diode_sigma_current of 0.2.csv, 1.8.csv: a relative sigma of 1.13 cannot be; possible are "
        "0 to 1 (a wider spread has devices without current)"
    )
    with pytest.raises(DeviceError, match=f"^{escape(sentence)}".replace("1\\.13", r"1\.1\d+")):
        measure_spread(Z21.v, Z21.i, apart, T0)


def test_sweeps_that_share_too_few_points_have_no_spread():
    few = [sweep(V[::100], k * Z21.current(V[::100]), f"{k}.csv") for k in (1, 2)]
    sentence = (
        "1.csv, 2.csv: laid upon each other they share less than 4 points of each, so they are no "
        "copies of one curve: import them apart"
    )
    with pytest.raises(DeviceError, match=f"^{sentence}$"):
        device_from_sweeps([(T0, s) for s in few], "few", step=5.0)


def test_a_spread_needs_points():
    few = sweep(V[:100:30], Z21.current(V[:100:30]))
    sentence = "s.csv has 3 points within the table: its spread needs at least 4"
    with pytest.raises(DeviceError, match=f"^{sentence}$"):
        fit_factors(Z21.v, Z21.i, few)


# ---- the table


def test_a_dense_sweep_becomes_a_table_every_50_millivolts_if_told():
    made = device_from_sweeps([(T0, sweep(V, Z21.current(V)))], "dense", step=0.05)
    np.testing.assert_allclose(made.curve.v, Z21.v, rtol=0, atol=1e-12)
    np.testing.assert_allclose(made.curve.i, Z21.i, rtol=0, atol=1e-6 * Z21.i_peak)
    assert made.spread is None
    assert made.curve.temperatures == ()
    assert made.curve.notes.startswith(
        "26.85 degC: 1 sweep(s) (up), 251 points; table: least-squares fit, knots every 0.05 V; "
        "residual rms "
    )


def test_a_coarse_sweep_keeps_its_points():
    v, i = np.array([0.0, 0.1, 0.35, 0.4]), np.array([0.0, 2e-6, 1e-6, 3e-6])
    made = device_from_sweeps([(T0, sweep(v, i))], "coarse")
    np.testing.assert_array_equal(made.curve.v, v)
    np.testing.assert_array_equal(made.curve.i, i)
    assert made.fits[T0].max_residual == 0.0
    assert "table: the measured points; residual rms 0.0e+00" in made.curve.notes


def test_coarse_sweeps_of_the_same_voltages_are_averaged():
    v = np.arange(8) * 0.1
    sweeps = [sweep(v, k * 1e-6 * v, f"{k}.csv") for k in (1.0, 2.0)]
    made = device_from_sweeps([(T0, s) for s in sweeps], "two")
    np.testing.assert_allclose(made.curve.i, 1.5e-6 * v, rtol=1e-12)


def test_the_pooled_table_averages_noise_away():
    rng = np.random.default_rng(4)
    sweeps = [(T0, device((1, 1, 0), rng, noise=0.02)) for _ in range(8)]
    made = device_from_sweeps(sweeps, "pool", step=0.05)
    # 2,008 points for 26 knots, about 77 each: 2 percent of noise becomes some 0.25 percent.
    error = (made.curve.i - Z21.i) / Z21.i_peak
    assert 0.001 < np.sqrt((error**2).mean()) < 0.005
    assert made.fits[T0].rms_residual == pytest.approx(0.02, rel=0.07)


def test_the_table_covers_what_all_sweeps_share():
    short = sweep(V[20:200], Z21.current(V[20:200]), "short.csv")
    made = device_from_sweeps([(T0, sweep(V, Z21.current(V))), (T0, short)], "cut")
    assert (made.curve.v[0], made.curve.v[-1]) == (0.1, 0.995)
    assert made.curve.notes.endswith("cut to 0.1 to 0.995 V, which all sweeps cover.")


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        (
            sweep(V, 1e3 * Z21.current(V), "a.csv"),
            sweep(V, Z21.current(V), "b.csv"),
            "a.csv peaks at 0.001 A and b.csv at 1e-06 A: more than 10 times apart, they are not "
            "one device type; check --i-unit, or import them apart",
        ),
        (
            sweep(V, Z21.current(V), "a.csv"),
            sweep(1e-3 * V, Z21.current(V), "b.csv"),
            "a.csv covers 0 to 1.25 V and b.csv 0 to 0.00125 V: they share less than half, so "
            "they make no common table; check --v-unit, or import them apart",
        ),
        (
            sweep(V, Z21.current(V), "a.csv"),
            sweep(np.array([-0.1, 0.7, 1.5]), np.array([1e-7, 9e-7, 1e-7]), "b.csv"),
            "b.csv has 1 point(s) from 0 to 1.25 V, which all sweeps cover: a table needs at least "
            "2 of each",
        ),
        (
            sweep(V, Z21.current(V), "a.csv"),
            sweep(V, -Z21.current(V), "b.csv"),
            "b.csv has no positive current, so it has no peak: check its columns",
        ),
        (
            sweep(V[::9], Z21.current(V[::9]), "a.csv"),
            sweep(V[::9] + 0.001, Z21.current(V[::9]), "b.csv"),
            "a.csv, b.csv: the sweep has too few points for knots every 0.02 V: 54 points support "
            "54 of 62 knots. Give a larger --step",
        ),
    ],
)
def test_sweeps_that_make_no_device_are_refused(a, b, sentence):
    with pytest.raises(DeviceError) as caught:
        device_from_sweeps([(T0, a), (T0, b)], "two", step=0.02)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("step", [0.0, -1.0, 11.0, np.nan])
def test_a_step_out_of_range_is_refused(step):
    sentence = f"a step of {step:g} V is out of range: 1e-6 to 10 V"
    with pytest.raises((DeviceError, SettingsError), match=f"^{escape(sentence)}$"):
        device_from_sweeps([(T0, sweep(V, Z21.current(V)))], "a", step=step)


def test_more_knots_than_a_table_has_are_refused():
    sweeps = [(T0, sweep(V + k * 1e-4, Z21.current(V))) for k in (0, 1)]
    sentence = (
        "knots every 1e-06 V from 0.0001 to 1.25 V are more than 100,000: give a larger --step"
    )
    with pytest.raises(DeviceError, match=f"^{sentence}$"):
        device_from_sweeps(sweeps, "a", step=1e-6)


def test_no_sweep_is_refused():
    with pytest.raises(SettingsError, match=r"^no sweep given: name at least one CSV file$"):
        device_from_sweeps([], "a")


# ---- temperatures


def test_several_temperatures_make_one_device_on_one_grid():
    rng = np.random.default_rng(5)
    cold, warm, hot = (device((k, 1, 0), rng, noise=0.0, file=f"{k}.csv") for k in (1.2, 1.0, 0.8))
    sweeps = [(85.0, hot), (-40.0, cold), (25.0, warm)]
    made = device_from_sweeps(sweeps, "warm", step=0.05)
    assert made.curve.temps_c == (-40.0, 25.0, 85.0)
    for row, k in zip(made.curve.i_at, (1.2, 1.0, 0.8), strict=True):
        np.testing.assert_allclose(row, k * Z21.i, rtol=0, atol=5e-6 * Z21.i_peak)  # six digits
    np.testing.assert_array_equal(made.curve.i, made.curve.i_at[1])
    assert made.spread is None


def test_the_spread_is_of_the_temperature_with_most_sweeps():
    rng = np.random.default_rng(6)
    warm = [(T0, device((1, 1, 0), rng))]
    hot = [(85.0, device((k, 1, 0), rng)) for k in (0.7, 0.8, 0.9)]
    made = device_from_sweeps(warm + hot, "hot")
    assert made.spread is not None
    assert made.spread.temp_c == 85.0
    # 0.7, 0.8, 0.9 over their mean, which is the table at 85 degC.
    assert made.spread.sigmas[0] == pytest.approx(0.1 / 0.8, rel=0.01)


# ---- files


def csvs(folder: Path, n: int = 3) -> list[Path]:
    """Files d1.csv, ... of devices with spread."""
    paths = []
    for k, one in enumerate(batch(n, seed=7)[1], start=1):
        paths.append(folder / f"d{k}.csv")
        table = np.stack([one.v, 1e6 * one.i], axis=1)
        np.savetxt(paths[-1], table, delimiter=",", header="voltage_V,current_uA")
    return paths


def test_the_variation_file_holds_the_three_sigmas(tmp_path):
    made = import_device(csvs(tmp_path), "mine")
    assert made.spread is not None
    out = tmp_path / "mine.toml"
    assert write_measured(made, out) == [out, tmp_path / "mine.variation.toml"]
    assert get(str(out)) == made.curve
    text = variation_path(out).read_text()
    assert text.startswith(
        "# spreads of 3 measured devices at 26.85 degC: d1.csv, d2.csv, d3.csv\n"
    )
    written = tomllib.loads(text)
    assert list(written) == ["variation"]
    assert tuple(written["variation"]) == PARAMETERS
    np.testing.assert_allclose(list(written["variation"].values()), made.spread.sigmas, rtol=5e-3)
    lo, hi = made.spread.intervals()[0]
    assert f"(kI); 95 %: {lo:.2g} to {hi:.2g}; error of a fit" in text


def test_a_file_name_cannot_write_into_the_variation_file(tmp_path):
    paths = csvs(tmp_path)
    evil = paths[0].rename(tmp_path / "a\n[hardware]\n.csv")
    made = import_device([evil, *paths[1:]], "mine")
    write_measured(made, tmp_path / "mine.toml")
    assert list(tomllib.loads((tmp_path / "mine.variation.toml").read_text())) == ["variation"]
    assert get(str(tmp_path / "mine.toml")).source == "a\n[hardware]\n.csv, d2.csv, d3.csv"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mine", "mine"),
        ("my diode-3", "my_diode_3"),
        ("3rd", "D3rd"),
        (".control", "control"),
        ("x" * 40, "x" * 32),
        ("%%", "D"),
        ("näher", "n_her"),
    ],
)
def test_a_name_made_safe_is_a_name(text, name):
    assert safe_name(text) == name
