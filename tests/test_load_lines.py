"""Sweeps that jump along a tester's load line: found, left out, reconstructed and labelled."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from re import escape
from typing import Any

import numpy as np
import pytest

from analogkan.devices import get, measure, refit, spread
from analogkan.devices.falling import MAX_VOLTAGE_SIGMA, esaki, reconstruct
from analogkan.devices.library import origin
from analogkan.devices.load_line import find_load_line
from analogkan.devices.measured import device_from_sweeps, import_device
from analogkan.devices.spread import format_variation
from analogkan.devices.sweep import Sweep, read_sweep
from analogkan.errors import DeviceError, SettingsError
from analogkan.imperfections.diodes import PARTS

from .test_cli import done
from .test_cli_errors import refused
from .test_spread import T0, sweep, tunnel_diode

V_PEAK, I_PEAK, SHAPE = 0.1, 1.6e-3, 2.5
G_D = SHAPE * I_PEAK / (np.e * V_PEAK)
REAL = Path(__file__).parents[2] / "shared/data/devices/ai301a"
real = pytest.mark.skipif(not REAL.is_dir(), reason="sweeps of real tunnel diodes are not there")


def diode(v: np.ndarray) -> np.ndarray:
    """A tunnel diode with a peak near 0.1 V, |g_d| of 14.7 mS and 80 uA of excess current."""
    v = np.asarray(v, dtype=np.float64)
    return I_PEAK * esaki(np.maximum(v, 0) / V_PEAK, SHAPE) + 8e-5 * np.minimum(v / 0.02, 1)


def behind_a_load(r: float = 100.0, *, noise: float = 0.0, factors=(1, 1, 0), **names) -> Sweep:
    """The way up behind ``r`` ohm, in even steps of 5 mV: from the peak it jumps where it can."""
    k_i, k_v, d_v = factors
    v = np.linspace(0, 1.2, 120_001)
    i = k_i * diode(k_v * v + d_v * np.minimum(v / 0.05, 1))
    at = np.searchsorted(np.maximum.accumulate(v + r * i), np.arange(0, max(0.8, 2e-3 * r), 0.005))
    scatter = noise * np.random.default_rng(0).normal(size=at.size)
    return replace(sweep(v[at], i[at] + scatter), **names)


def oscillating(r: float = 53.0, **names) -> Sweep:
    """Between 0.105 and 0.6 V the mean of an oscillation, a plateau on load lines of ``r`` ohm."""
    source = np.arange(0, 0.75, 0.005)
    v, i = np.linspace(0, 0.9, 90_001), diode(np.linspace(0, 0.9, 90_001))
    static = np.interp(source, np.maximum.accumulate(v + r * i), v)
    plateau = source - r * 0.4 * I_PEAK
    out = (static > 0.105) & (plateau < 0.6)
    volts = np.where(out, plateau, static)
    return replace(sweep(volts, np.where(out, 0.4 * I_PEAK, diode(static))), **names)


def made_of(sweeps: list[tuple[float, Sweep]], **options: Any) -> Any:
    """The device of their static parts."""
    return device_from_sweeps(sweeps, "d", static=True, **options)


def line_of(one: Sweep) -> Any:
    return find_load_line(one)


# ---- found


@pytest.mark.parametrize("r", [80.0, 100.0, 200.0])
def test_one_jump_gives_the_resistance_behind_it(r):
    found = line_of(behind_a_load(r, noise=2e-6))
    assert found is not None
    assert abs(found.r_load - r) < 4 * found.r_error < 2
    assert found.v_step == pytest.approx(5e-3, rel=1e-3)
    ((before, behind),) = found.v_jumps
    assert V_PEAK < before < 0.13
    assert behind > 0.2


def test_a_plateau_between_two_jumps_is_no_static_curve():
    found = line_of(oscillating())
    assert found is not None
    assert found.r_load == pytest.approx(53, rel=1e-3)
    (first, _), (_, last) = found.v_jumps
    assert found.sentence.startswith(
        f"{first:.3f} to {last:.3f} V is no static curve but a tester's load line: it jumps from "
    )
    assert "along -1/R with R = 53.0 +- 0.0 ohm, and V + R I rises by an even 5 mV a point" in (
        found.sentence
    )


V = np.linspace(0.0, 0.7, 141)
GAP = np.delete(V, np.s_[23:34])
NONE = {
    "a source without resistance": sweep(V, tunnel_diode(V)),
    "too little of it to jump": behind_a_load(40.0),
    "points left out where it falls": sweep(GAP, diode(GAP)),
    "uneven points": sweep(V**2, diode(V**2)),
    "noise": sweep(V, 1e-6 + 5e-8 * np.random.default_rng(1).normal(size=V.size)),
    "a flat curve with a gap": sweep(GAP, np.full(GAP.size, 1e-6)),
    "few points": sweep(V[[0, 2, 4, 60, 62]], np.array([0.0, 2, 3, 1, 1.1])),
}  # fmt: skip


@pytest.mark.parametrize("what", NONE)
def test_what_is_no_load_line_is_not_taken_for_one(what):
    assert line_of(NONE[what]) is None


# ---- reconstructed


def test_with_the_right_slope_the_curve_is_found_again():
    for one in (behind_a_load(), behind_a_load(500), oscillating()):
        made = made_of([(T0, one)], g_d=G_D, g_d_sigma=0.1)
        v = np.linspace(0.0, one.v[-1], 1000)
        off = np.abs(made.curve.current(v) - diode(v)) / made.curve.i_peak
        assert off.max() < 0.03
        assert made.fits[T0].max_residual < 0.01
        assert made.falling is not None
        assert made.falling.shape == pytest.approx(SHAPE, rel=0.06)
        assert made.curve.reconstructed == made.falling.span
        assert made.curve.negative_slopes().min() == pytest.approx(-G_D, rel=0.05)


def test_the_slope_asked_for_is_the_steepest_of_the_esaki_term():
    one = oscillating()
    for g_d in (8e-3, 16e-3, 30e-3):
        (filled,), falling = reconstruct([one], [line_of(one)], g_d, 0.1)
        assert np.diff(filled.i).min() / np.diff(filled.v).max() == pytest.approx(-g_d, rel=0.06)
        assert falling.g_d == g_d
    assert reconstruct([one], [line_of(one)])[1].g_d == pytest.approx(
        one.i.max() / one.v[one.i.argmax()]
    )


def test_static_points_stay_as_they_were_measured():
    one = oscillating()
    line = line_of(one)
    (filled,), falling = reconstruct([one], [line])
    v, i = filled.measured
    np.testing.assert_array_equal(v, one.v[falling.static[0]])
    np.testing.assert_array_equal(i, one.i[falling.static[0]])
    lo, hi = falling.span
    assert (lo, hi) == (v[i.argmax()], line.v_jumps[-1, 1])
    assert not ((v > lo) & (v < hi)).any()


SIGMAS = np.array([0.05, 0.03, 0.001])


@pytest.fixture(scope="module")
def batch() -> tuple[np.ndarray, list[tuple[float, Sweep]]]:
    """True factors (12, 3), and the sweeps, each behind a load."""
    true = [1, 1, 0] + SIGMAS * np.random.default_rng(4).normal(size=(12, 3))
    return true, [(T0, behind_a_load(factors=f, file=f"d{k}.csv")) for k, f in enumerate(true)]


def test_the_spread_is_of_the_static_parts_whatever_the_knots_and_the_slope(batch):
    true, sweeps = batch
    options = ({}, {"step": 0.05}, {"step": 0.02}, {"tolerance": 0.02}, {"g_d": 1.2 * G_D})
    made = [made_of(sweeps, g_d_sigma=0.2, **o) for o in options]
    for one in made:
        np.testing.assert_array_equal(one.spread.factors, made[0].spread.factors)
        assert one.fits[T0].rms_residual == pytest.approx(made[0].fits[T0].rms_residual, rel=0.1)
    spread = made[0].spread
    assert (np.abs(spread.sigmas - true.std(axis=0, ddof=1)) < 0.25 * SIGMAS).all()


def test_what_nobody_knows_of_the_slope_goes_into_the_variation_of_a_type():
    one = oscillating()

    def sigma(share: float) -> float:
        return made_of([(T0, one)], g_d=G_D, g_d_sigma=share).falling.voltage_sigma

    assert sigma(0.0) == 0
    assert sigma(0.2) == pytest.approx(2 * sigma(0.1))
    assert 0.02 < sigma(0.1) < 0.05
    made = made_of([(T0, one)], g_d=G_D, g_d_sigma=0.1)
    text = format_variation(None, made.falling)
    assert tomllib.loads(text) == {
        "variation": {"die_sigma_voltage": float(f"{made.falling.voltage_sigma:.3g}")}
    }
    assert f"\n# {made.falling.sentence}.\n" in text
    assert {name: most for name, most, _ in PARTS}["voltage"] == MAX_VOLTAGE_SIGMA


def static(one: Sweep, **options):
    return made_of([(T0, one)], **options)


SHORT = oscillating()
REFUSED = {
    "no load line": (
        lambda: static(sweep(V, tunnel_diode(V))),
        "s.csv has no load line, no jump along one slope -1/R, so all of it is taken as static: "
        "leave --static out, or import it apart",
    ),
    "the way down": (
        lambda: static(oscillating(branch="down")),
        "s.csv: --static takes the way up, which reaches the peak, and this is down: choose "
        "--sweep up, or measure upwards",
    ),
    "nothing behind": (
        lambda: static(replace(SHORT, v=SHORT.v[SHORT.v < 0.64], i=SHORT.i[SHORT.v < 0.64])),
        "s.csv has 2 static points behind its last jump, at 0.631 V, their lowest current 8e-05 A, "
        "and its peak at 0.101 V: what lies between takes 4 points of positive current and a peak "
        "above 0 V: measure further, or leave --static out",
    ),
    "no slope": (
        lambda: static(SHORT, g_d=0.1),
        "--g-d 0.1 S is out of range: 0.00306 to 0.0612 S, 0.5 to 10 times what a plain Esaki term "
        "through the sweeps' peaks has",
    ),
    "too uncertain": (
        lambda: static(SHORT, g_d_sigma=0.6),
        "--g-d-sigma 0.6 is out of range: 0 to 0.5",
    ),
    "more than a chip may be off": (
        lambda: static(SHORT, g_d_sigma=0.4),
        "--g-d-sigma 0.4 moves the falling part as 0.122 of voltage does, and a chip's "
        "die_sigma_voltage is at most 0.1: give a smaller --g-d-sigma",
    ),
    "a slope of nothing": (
        lambda: device_from_sweeps([(T0, SHORT)], "d", g_d=16e-3),
        "--g-d 0.016 is of a falling part that is reconstructed, and without --static none is: "
        "give --static, or leave it out",
    ),
    "an uncertainty of nothing": (
        lambda: device_from_sweeps([(T0, SHORT)], "d", g_d_sigma=0.1),
        "--g-d-sigma 0.1 is of a falling part that is reconstructed, and without --static none is: "
        "give --static, or leave it out",
    ),
    "two kinds of knots": (
        lambda: device_from_sweeps([(T0, SHORT)], "d", step=0.05, tolerance=0.01),
        "a tolerance of 0.01 is of knots that follow the curve, and a step of 0.05 V makes even "
        "ones: give one of them",
    ),
    "a valley below the Esaki term": (
        lambda: static(SHORT, g_d=3.2e-3, g_d_sigma=0.0),
        "s.csv: an Esaki term of exponent 0.55 has more current at 0.631 V than the 8e-05 A "
        "measured there: give a larger --g-d",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_reconstructed_is_refused(case):
    call, sentence = REFUSED[case]
    with pytest.raises((DeviceError, SettingsError), match=f"^{escape(sentence)}$"):
        call()


# ---- the command


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder: o.csv oscillates, j1.csv and j2.csv jump."""
    monkeypatch.chdir(tmp_path)
    many = {"o": oscillating(), "j1": behind_a_load(), "j2": behind_a_load(factors=(1.1, 1, 0))}
    for name, one in many.items():
        table = np.stack([one.v, one.i], axis=1)
        np.savetxt(f"{name}.csv", table, delimiter=",", header="V (V),I (A)", comments="")
    return tmp_path


def test_a_load_line_is_said_with_what_to_do(folder):
    text = done("devices", "import", "o.csv", "-o", "o.toml")
    assert "note: o.csv: 0.1" in text
    assert "along -1/R with R = 53.0 +- 0.0 ohm" in text
    assert ": --static keeps what is static and reconstructs the falling part\n" in text
    assert get("o.toml").reconstructed is None
    facts = json.loads(done("devices", "import", "o.csv", "-o", "p.toml", "--json"))
    assert facts["sweeps"][0]["load_line"]["r_load"] == pytest.approx(53, rel=1e-3)
    assert facts["reconstructed"] is None


def test_static_parts_are_kept_and_the_rest_is_labelled_everywhere(folder):
    args = ("devices", "import", "j1.csv", "j2.csv", "-o", "d.toml", "--static", "--g-d", "15m")
    text = done(*args, "--g-d-sigma", "20%", "--plot", "d.png")
    curve = get("d.toml")
    assert curve.reconstructed is not None
    lo, hi = curve.reconstructed
    where = f"{lo:.3f} to {hi:.3f} V reconstructed, not measured"
    assert f"{where}: an Esaki term of exponent " in text
    assert "|g_d| 15 mS (given; a plain Esaki term has " in text
    assert "residual over the static points rms " in text
    assert "Left out: load lines of 100.0, 100.0 ohm. " in text
    assert ": left out, from the peak on, 0.001" in text
    assert "die_sigma_voltage" in text
    assert "assumed" in text
    assert {"d.png", "d.toml", "d.variation.toml"} <= {p.name for p in folder.iterdir()}
    sigmas = tomllib.loads(Path("d.variation.toml").read_text())["variation"]
    assert list(sigmas)[-1] == "die_sigma_voltage"
    shown = done("devices", "show", "d.toml")
    assert f"Assumed: {where}\n" in shown
    marked = sum(line.endswith("reconstructed") for line in shown.splitlines())
    assert marked == ((curve.v > lo) & (curve.v < hi)).sum() > 3
    assert json.loads(done("devices", "show", "d.toml", "--json"))["reconstructed"] == [lo, hi]
    assert curve.assumed in repr(curve)
    assert done("devices", "plot", "d.toml", "--out", "c.svg") == "c.svg\n"
    facts = json.loads(done(*args, "--force", "--json"))
    assert facts["reconstructed"]["span"] == [lo, hi]
    assert (facts["reconstructed"]["g_d"], facts["reconstructed"]["given"]) == (0.015, True)


def test_from_python_and_through_another_fit_the_label_stays(folder):
    made = measure(["j1.csv", "j2.csv"], "p.toml", static=True, g_d=15e-3, g_d_sigma=0.2)
    assert made.curve.reconstructed == get("p.toml").reconstructed
    assert made.curve.reconstructed is not None
    fitted = refit(made.curve, "pchip").curve
    assert fitted.reconstructed == made.curve.reconstructed
    done("devices", "fit", "p.toml", "--method", "pwl", "--order", "6", "-o", "f.toml")
    assert get("f.toml").reconstructed == made.curve.reconstructed


def test_a_picture_that_cannot_be_is_refused_before_anything_is_written(folder):
    args = ("devices", "import", "o.csv", "-o", "d.toml", "--plot", "d.foo")
    sentence = "cannot plot into d.foo: its name must end in .png, .svg or .pdf"
    assert refused(*args) == ("AnalogKanError", sentence)
    assert not Path("d.toml").exists()


def test_one_stray_point_of_many_is_said(folder):
    v = np.linspace(0, 1, 101)
    i = 1e-6 * np.sin(3 * v)
    i[60] *= 0.7
    np.savetxt("s.csv", np.stack([v, i], axis=1), delimiter=",", header="V (V),I (A)", comments="")
    text = done("devices", "import", "s.csv", "-o", "s.toml")
    assert (
        "note: s.csv: one point at 0.600 V is 28.49 % of the peak or more off both its neighbours: "
        "if it is a stray reading, remove it\n" in text
    )


# ---- the real ones


@pytest.fixture(scope="module")
def sweeps() -> list[Sweep]:
    return [read_sweep(path) for path in sorted(REAL.glob("*.csv"))]


@real
def test_the_load_lines_of_the_real_sweeps_have_50_to_56_ohm(sweeps):
    lines = [line_of(one) for one in sweeps]
    assert [round(line.r_load, 1) for line in lines] == [56.0, 51.6, 51.9]
    assert all(line.r_error < 0.3 for line in lines)
    assert all(line.v_step == pytest.approx(5e-3, rel=2e-3) for line in lines)


@real
def test_the_real_spread_is_the_same_for_steps_and_for_knots_that_follow(sweeps):
    measured = [(T0, one) for one in sweeps]
    options = ({}, {"step": 0.05}, {"step": 0.02}, {"g_d": 12e-3, "g_d_sigma": 0.1})
    made = [made_of(measured, **o) for o in options]
    for one in made:
        off = np.abs(one.spread.sigmas - made[0].spread.sigmas)
        assert (off < made[0].spread.fit_errors).all()
        assert one.fits[T0].rms_residual < 0.022
    assert made[0].curve.v.size < 20
    assert (made[0].spread.residuals < 0.01).all()


@real
def test_the_real_spread_hangs_on_no_last_digit(sweeps, monkeypatch):
    """The sweeps hardly determine kV: a sum's last digit once made 0.03 or 0.07 of its sigma."""
    found, rng = [], np.random.default_rng(0)
    for size in (0.0, 1e-15, 1e-12):
        least = spread._squares

        def moved(residual, k_v, least=least, size=size):
            fit = least(residual, k_v)
            fit.x = fit.x * (1 + size * rng.normal(size=3))
            return fit

        monkeypatch.setattr(spread, "_squares", moved)
        found.append(made_of([(T0, one) for one in sweeps], g_d=16e-3).spread.sigmas)
        monkeypatch.setattr(spread, "_squares", least)
    np.testing.assert_allclose(found, [found[0]] * 3, rtol=1e-6)


@real
def test_the_shipped_ai301a_is_what_the_command_makes():
    files = [REAL / f"diode-{k}.csv" for k in (1, 2, 3)]
    shipped = get("AI301A")
    made = import_device(files, "AI301A", static=True, g_d=16e-3, source=shipped.source)
    assert made.curve == shipped
    assert (made.curve.notes, made.curve.reconstructed) == (shipped.notes, shipped.reconstructed)
    preset = Path(__file__).parents[1] / "analogkan/presets/ai301a.toml"
    assert preset.read_text() == format_variation(made.spread, made.falling)


def test_the_shipped_ai301a_says_what_of_it_is_measured():
    curve = get("AI301A")
    assert origin("AI301A") == "measured"
    assert curve.assumed == "0.099 to 0.601 V reconstructed"
    assert curve.i_peak == pytest.approx(1.77e-3, rel=0.01)
    assert " --static --g-d 16m" in curve.source
    assert "Origin: measured\nAssumed: 0.099 to 0.601 V reconstructed, not measured\n" in done(
        "devices", "show", "AI301A"
    )
    line = next(x for x in done("devices", "list").splitlines() if x.startswith("AI301A"))
    assert " measured in " in line
