"""Regressions in circuits: identity, simulations, chips, temperature, grids, reports."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import analogkan as ak
from analogkan.cli import main
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.data.images import checked
from analogkan.errors import DataError, SettingsError
from analogkan.network.encoding import Encoding
from analogkan.network.measures import distance
from analogkan.network.targets import Targets
from analogkan.report.functions import errors_histogram
from analogkan.studies.simulate import simulate
from analogkan.studies.values import drift, error_limit, row_of

from .networks import random_spec
from .test_cli_errors import refused

IDEAL = Hardware(opamp="ideal", tile_rows=8, tile_cols=8)
CELSIUS = Targets(low=(0.0,), high=(100.0,), names=("temperature",), units=("degC",))
TAPS = ((0.0, 0.7), (0.6, 0.1))


def network(seed: int, inputs: int = 1, hidden: int = 5, outputs: int = 1, taps=TAPS):
    """A random regression of ``inputs`` quantities, each with its range and DACs."""
    ranges = tuple((-1.0 - k, 2.0 + 10 * k) for k in range(inputs))
    encoding = Encoding(
        x_lo=min(lo for lo, _ in ranges), x_hi=max(hi for _, hi in ranges), shape=(inputs,),
        v_lo=0.0, v_hi=0.7, ranges=ranges, taps=taps,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    x = np.array([rng.uniform(lo, hi, 40) for lo, hi in ranges]).T
    spec = random_spec(seed, (encoding.width, hidden, outputs), n_calibration=0)
    layers = (spec.layers[0], replace(spec.layers[1], bias=0.1 * spec.layers[1].bias))
    span = tuple(10.0 ** (k + 2) for k in range(outputs))
    targets = Targets(
        low=tuple(-s / 2 for s in span), high=tuple(s / 2 for s in span),
        names=tuple(f"y{k}" for k in range(outputs)), units=("degC", "V", "")[:outputs],
    )  # fmt: skip
    spec = replace(spec, layers=layers, encoding=encoding, targets=targets, calibration=x)
    y = targets.values(spec.logits(x)) + rng.normal(0, 0.01, (40, outputs)) * span
    pairs = tuple(zip(targets.names, targets.units, strict=True))
    return spec, checked("random", x, y, "here", task="regression", targets=pairs)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    inputs=st.integers(1, 3),
    hidden=st.integers(1, 7),
    outputs=st.integers(1, 3),
    taps=st.sampled_from([(), TAPS, ((0.0, 0.7), (0.7, 0.0), (0.2, 0.4))]),
)
def test_random_regressions_agree(ngspice, tmp_path_factory, seed, inputs, hidden, outputs, taps):
    """As classifiers do: ngspice, the twin (which judges every point) and software."""
    spec, points = network(seed, inputs, hidden, outputs, taps)
    folder = tmp_path_factory.mktemp("net")
    build = write_build(spec, IDEAL, folder / "net.build")
    s = simulate(build, points, run=folder / "run").summary
    assert s["judge"]["passed"]
    most = (5e-6 if ngspice.klu else 5e-5) * max(1.0, s["logit_full_scale"])
    assert s["max_abs_logit_error"] <= most


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> tuple[ak.Build, ak.ImageSet, Path]:
    folder = tmp_path_factory.mktemp("values")
    spec, points = network(3, hidden=4)
    return write_build(spec, Hardware(), folder / "m.build"), points, folder


@pytest.fixture(scope="module")
def simulated(ngspice, build):
    made, points, folder = build
    return ak.simulate(made, points, out=folder / "sim", progress=False)


@pytest.fixture(scope="module")
def chips(ngspice, build):
    made, points, folder = build
    return ak.montecarlo(made, points, samples=6, judge="1x4", out=folder / "chips", progress=False)


def test_a_simulation_is_told_in_the_targets_unit(build, simulated):
    made, points, _ = build
    targets = made.spec.targets
    assert targets is not None
    s, table = simulated.summary, simulated.table()
    assert (s["task"], s["unit"], s["span"], s["n"]) == ("regression", "degC", 100.0, 40)
    np.testing.assert_array_equal(table["y0"], points.y[:, 0])
    off = table["y0_circuit"] - table["y0"]
    apart = table["y0_circuit"] - table["y0_software"]
    assert s["rmse_circuit"] == pytest.approx(float(np.sqrt((off**2).mean())))
    assert s["max_abs_between"] == pytest.approx(float(np.abs(apart).max()))
    assert s["rmse_between"] < 1e-3 * s["span"] < s["rmse_software"]
    assert s["worst"][0]["point"] == int(np.abs(off).argmax())
    assert "accuracy" not in json.dumps(s)
    assert len(repr(simulated).splitlines()) <= 10
    assert f"{s['rmse_circuit']:.3g} degC" in repr(simulated)
    assert [figure.name for figure in simulated.figures()] == ["curve", "parity"]
    for figure in simulated.figures():
        figure.draw()


def test_a_deck_says_how_what_it_prints_becomes_the_quantity(build):
    made, _, _ = build
    top = (made.folder / "network.cir").read_text(encoding="utf-8")
    assert "* y0 = 0 + 50 logit_0 degC\n" in top


def test_chips_have_errors_and_a_yield(chips):
    s, rmse = chips.summary, chips.table()["rmse"]
    assert s["rmse_mean"] == pytest.approx(float(rmse.mean()))
    assert s["yield_at"] == pytest.approx(s["rmse_software"] + 1.0)  # 1 % of a span of 100 degC
    assert s["yield"] == float((rmse <= s["yield_at"]).mean())
    assert s["worst_chip"]["rmse"] == float(rmse.max())
    assert s["judge"]["passed"]
    band = s["band"]
    assert (np.diff(band["x"]) >= 0).all()
    assert (np.array(band["5"]) <= band["95"]).all()
    assert [figure.name for figure in chips.figures()] == ["histogram", "band"]
    for figure in chips.figures():
        figure.draw()


@pytest.mark.parametrize("grid", ["axes", "budget", "faults"])
def test_a_grid_is_in_the_same_measure(build, tmp_path, grid):
    made, points, _ = build
    how = {"axes": {"sigma_g": [0, 0.1], "levels": [0, 8]}} if grid == "axes" else {}
    found = ak.sweep(
        made, points, grid=grid, samples=2, judge="none", out=tmp_path, progress=False, **how
    )
    cells = found.summary["cells"]
    assert all(c["added"] == c["rmse_mean"] - found.summary["rmse_software"] for c in cells)
    assert len(found.facts().rows) <= len(cells)
    for figure in found.figures():
        figure.draw()


def test_temperature_has_drifts_and_compensation_takes_them_out(build, tmp_path):
    made, points, _ = build
    found = ak.thermal(
        made, points, temps=[0, 26.85, 60], compensate="each", judge="none", out=tmp_path,
        progress=False,
    )  # fmt: skip
    for entry in found.summary["temperatures"][::2]:
        nominal = entry["nominal"]
        assert nominal["rmse_compensated"] < nominal["rmse"]
    ppm = drift(found.summary["temperatures"])
    assert ppm is not None and abs(ppm[0]) > 10
    assert any("ppm/K" in sentence for sentence in found.sentences())
    for figure in found.figures():
        figure.draw()


def test_calibrated_chips_are_nearer(build, tmp_path):
    made, points, _ = build
    s = ak.montecarlo(
        made, points, samples=4, calibrate=True, judge="none", out=tmp_path, progress=False
    ).summary
    assert s["rmse_mean"] < s["rmse_uncalibrated_mean"]


def test_two_points_set_the_read_out_of_a_chip(build, tmp_path):
    made, points, _ = build
    how = {"samples": 4, "judge": "1x4", "progress": False}
    found = ak.montecarlo(made, points, two_point=True, out=tmp_path / "two", **how)
    s = found.summary
    assert s["rmse_mean"] < s["rmse_uncalibrated_mean"]
    assert s["judge"]["passed"]  # of the circuit, which is as it was
    as_made = ak.montecarlo(made, points, out=tmp_path / "made", **how).table()
    np.testing.assert_allclose(found.table()["rmse_uncalibrated"], as_made["rmse"])
    assert set(found.table()["calibration"]) == {"two-point"}
    assert found.drawn().endswith("read-out set at two points")
    sentence = "calibrate and two_point are two ways to set a chip: give one of them"
    with pytest.raises(SettingsError, match=sentence):
        ak.montecarlo(made, points, samples=2, calibrate=True, two_point=True, progress=False)


def test_a_report_shows_all_of_it(build, simulated, chips, tmp_path):
    page = tmp_path / "r.html"
    ak.write_report([simulated, chips], page, build=build[0].folder)
    text = page.read_text(encoding="utf-8")
    assert "Circuit against software and truth" in text
    assert "RMSE" in text and "degC" in text
    assert not re.search(r"class(es)? as software|accuracy", text)


def test_commands_print_the_unit(build):
    made, points, folder = build
    np.savez(
        folder / "own.npz", x=points.x, y=points.y, task="regression", y_name="y0",
        y_unit="degC", split=np.full(40, "test"),
    )  # fmt: skip
    words = ["montecarlo", str(made.folder), "--dataset", str(folder / "own.npz")]
    words += ["--samples", "2", "--judge", "none", "--out", str(folder / "cli")]
    told = CliRunner().invoke(main, [*words, "--yield-at", "5degC"], catch_exceptions=False)
    assert "yield (RMSE at most 5 degC)" in told.output


@pytest.mark.parametrize("command", ["simulate", "montecarlo"])
def test_a_share_of_images_is_refused_before_anything_is_run(build, tmp_path, command):
    made, points, _ = build
    np.savez(tmp_path / "own.npz", x=points.x, y=points.y, y_name="y0", y_unit="degC")
    words = [command, str(made.folder), "--dataset", str(tmp_path / "own.npz")]
    words += ["--out", str(tmp_path / "run"), "--fail-under", "0.9"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert (
        "--fail-under is of accuracies, and a regression has none: look at rmse_circuit or "
        "rmse_mean of --json"
    ) in result.output
    assert not (tmp_path / "run").exists()


def test_an_interval_has_one_unit_at_both_ends(simulated):
    """Shares of span are per cent throughout."""
    for unit, said in (("span", "0.389 to 0.53 % of span"), ("degC", "0.00389 to 0.0053 degC")):
        found = replace(simulated, unit=unit, rmse_software_ci95=(0.00389, 0.0053))
        assert found.software_fact().note == said


def test_a_histogram_of_shares_says_per_cent_of_span(chips):
    ax = errors_histogram(chips.rows, dict(chips.summary) | {"unit": "span"}).axes[0]
    assert ax.get_xlabel() == "RMSE (share of span)"
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    assert said[0] == f"software {100 * chips.summary['rmse_software']:.3g} % of span"


@pytest.mark.parametrize(
    ("given", "limit", "rule"),
    [
        (None, 3.0, "1 % of span above software's 2 degC"),
        ("1%", 1.0, "as was asked for"),
        (0.02, 2.0, "as was asked for"),
        ("0.5degC", 0.5, "as was asked for"),
        ("0.5 degC", 0.5, "as was asked for"),
        (".5degC", 0.5, "as was asked for"),
    ],
)
def test_an_error_limit_is_a_share_of_span_or_in_the_unit(given, limit, rule):
    found = error_limit(CELSIUS, 2.0, given)
    assert found[0] == pytest.approx(limit)
    assert found[1] == rule


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("0.5bar", "yield_at = 0.5bar is in bar, and the target is in degC: give a share of"),
        ("5K", "yield_at = 5K is in K, and the target is in degC: give a share of span, such as"),
        ("5m", "yield_at = 5m is in m, and the target is in degC: give a share of span, such as"),
        (
            "0.97",
            "yield_at = 0.97 is 97 % of span: a circuit that gives mid-scale whatever it is shown "
            "is within 50 %; give less, such as 1%",
        ),
        ("500degC", "yield_at = 500degC is 500 % of span: a circuit that gives mid-scale"),
        ("0", "yield_at = 0 is out of range: above 0"),
        ("much", "yield_at = much is no RMSE: give a share of span, such as 1%"),
    ],
)
def test_an_error_limit_that_is_none_is_refused(given, sentence):
    with pytest.raises(SettingsError, match=re.escape(sentence)):
        error_limit(CELSIUS, 2.0, given)


def test_several_targets_and_those_without_a_unit_have_shares_alone():
    pair = Targets(low=(0.0, 0.0), high=(1.0, 2.0), names=("a", "b"), units=("V", "K"))
    with pytest.raises(SettingsError, match="is in V, and several targets have shares of span"):
        error_limit(pair, 0.1, "0.5V")
    with pytest.raises(SettingsError, match="is in V, and the target has no unit: give a share"):
        error_limit(replace(CELSIUS, units=("",)), 0.1, "0.5V")


def test_classes_and_values_are_not_taken_for_each_other(build, tmp_path):
    made, points, _ = build
    classes = replace(points, y=np.arange(40) % 2, targets=())
    with pytest.raises(DataError, match=r"random has classes, and net3 gives y0 \(degC\)"):
        ak.simulate(made, classes, progress=False)
    with pytest.raises(DataError, match="target y0 of random is in K, and net3 gives degC"):
        ak.montecarlo(made, replace(points, targets=(("y0", "K"),)), samples=2, progress=False)
    np.savez(tmp_path / "c.npz", x=points.x, y=np.arange(40) % 2, split=np.full(40, "test"))
    words = ("simulate", made.folder, "--dataset", tmp_path / "c.npz")
    kind, text = refused(*words)
    assert (kind, text[:20]) == ("DataError", "c has classes, and n")


def test_a_gain_and_an_offset_are_found_in_the_unit():
    y = np.linspace(0, 100, 50)[:, None]
    z = CELSIUS.outputs(y)
    row = row_of(CELSIUS, y, z, 1.02 * z + 0.04)
    assert row["gain_mean"] == pytest.approx(1.02)
    assert row["offset_mean"] == pytest.approx(2.0)  # 0.04 of a half span of 50 degC
    told = distance(CELSIUS, y, CELSIUS.values(1.02 * z + 0.04))
    assert (row["rmse"], row["max_abs"]) == (told.rmse, told.max_abs)


def test_a_trace_of_a_point_says_what_is_wanted(ngspice, build, tmp_path):
    made, points, _ = build
    found = ak.trace(made, points[3], out=tmp_path)
    assert f"wanted {points.y[3, 0]:.6g}" in found.title()
    assert "class" not in found.title()
