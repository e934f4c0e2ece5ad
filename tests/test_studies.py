"""montecarlo and thermal: rows, figures, failed chips, the judge."""

from __future__ import annotations

import json
import math
import re
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analogkan as ak
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.data import ImageSet
from analogkan.engines import chip_engines as chips_module
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.engines.ngspice import ENVIRONMENT
from analogkan.errors import NetlistError, SettingsError, SimulationError, StudyError
from analogkan.imperfections import Conditions, Variation, load_settings
from analogkan.intervals import exact, regress, spread
from analogkan.studies import registry
from analogkan.studies.bench import Bench
from analogkan.studies.judge import Share, choose_images, choose_points, parse_share
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.points import montecarlo_points, parse_temps, thermal_points
from analogkan.studies.simulate import simulate
from analogkan.studies.summary import summarise_chips
from analogkan.studies.sweep import sweep
from analogkan.studies.thermal import thermal

from .networks import random_images, random_spec

UNJUDGED = StudyOptions(judge="none")
HARD = ("sigma_g=0.3", "read_noise=0.02", "trim=none")


@pytest.fixture
def build(tmp_path) -> Build:
    return write_build(random_spec(1), Hardware(), tmp_path / "net.build")


@pytest.fixture
def images(build) -> ImageSet:
    """30 images whose labels are mostly the software's."""
    found = random_images(2, 30, 5)
    y = build.spec.logits(found.x).argmax(axis=1)
    return replace(found, y=np.where(np.arange(30) % 10 == 0, (y + 1) % 3, y))


class Faulty(TwinEngine):
    """A twin that cannot simulate every third call, and says so."""

    calls = 0

    def logits(self, design, volts, index, temp_c):
        self.calls += 1
        if self.calls % 3 == 0:
            raise SimulationError("no convergence today")
        return super().logits(design, volts, index, temp_c)


class Wrong(TwinEngine):
    """A twin that is 1e-4 off in one logit of image 107."""

    def logits(self, design, volts, index, temp_c):
        found = super().logits(design, volts, index, temp_c).copy()
        found[index == 107, 2] += 1e-4
        return found


# ---- rows


def test_a_row_says_what_the_logits_say(build, images):
    bench = Bench(build, images, TwinEngine(), seed=5)
    point = montecarlo_points(Hardware(), Variation(sigma_g=0.1), Conditions(temp_c=85), 3)[2]
    row, logits = bench.evaluate(point), bench.logits(point)
    software = build.spec.logits(images.x)
    assert (row["status"], row["reason"], row["sample"], row["temp_c"]) == ("ok", "", 2, 85.0)
    assert row["n"] == 30
    assert row["correct"] == (logits.argmax(axis=1) == images.y).sum()
    assert row["accuracy"] == row["correct"] / 30
    assert row["agreement"] == (logits.argmax(axis=1) == software.argmax(axis=1)).mean()
    assert row["max_abs_logit_error"] == np.abs(logits - software).max()
    assert row["rms_logit_error"] == np.sqrt(np.mean((logits - software) ** 2))
    for o in range(3):
        gain, offset = np.polyfit(software[:, o], logits[:, o], 1)
        assert row["gain"][o] == pytest.approx(gain, abs=1e-12)
        assert row["offset"][o] == pytest.approx(offset, abs=1e-12)
    assert {"clipped_cells", "stuck_cells", "trim_saturated"} <= set(row)
    json.dumps(row, allow_nan=False)


def test_gain_and_offset_of_a_column_without_spread():
    software, circuit = np.array([[1.0, 2.0], [1.0, 4.0]]), np.array([[1.5, 1.0], [1.5, 2.0]])
    gain, offset = regress(software, circuit)
    np.testing.assert_allclose(gain, [np.nan, 0.5])
    np.testing.assert_allclose(offset, [np.nan, 0.0])


def test_jobs_extension_and_resumption_change_no_row(build, images, tmp_path):
    def run(name: str, samples: int, **options):
        options = StudyOptions(run=tmp_path / name, judge="none", **options)
        return montecarlo(build, images, samples=samples, settings=HARD, options=options)

    one, two = run("1", 8, jobs=1), run("2", 8, jobs=2)
    run("3", 3)
    extended = run("3", 8, resume=True, jobs=2)
    assert one.rows == two.rows == extended.rows
    assert len({row["accuracy"] for row in one.rows}) > 1
    texts = {(tmp_path / name / "chips.csv").read_bytes() for name in "123"}
    assert len(texts) == 1
    other = run("4", 8, seed=1)
    assert other.rows != one.rows
    fewer = run("3", 3)
    assert fewer.rows == one.rows[:3]
    assert fewer.summary["samples"] == 3


def test_the_same_study_has_the_same_folder_and_another_one_another(build, images):
    def run(**settings):
        known: dict[str, Any] = {"samples": 2}
        return montecarlo(build, images, options=UNJUDGED, **known | settings).run

    first = run()
    assert re.fullmatch(r".*/net\.run/[0-9a-f]{8}", str(first))
    assert run(samples=3) == first
    assert len({first, run(settings=["sigma_g=0.1"]), run(temp_c=85), run(preset="nominal")}) == 4


def test_a_changed_setting_is_refused_by_name(build, images, tmp_path):
    options = replace(UNJUDGED, run=tmp_path / "run")
    montecarlo(build, images, samples=2, options=options)
    known: dict[str, Any] = {"options": options}
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"settings": ["sigma_g=0.1"]}, r"sigma_g \(0.05 there, 0.1 here\)"),
        ({"options": replace(options, seed=1)}, r"seed \(0 there, 1 here\)"),
        ({"temp_c": 85.0}, r"temp_c \(26.85 there, 85.0 here\)"),
    )
    for changed, told in cases:
        with pytest.raises(StudyError, match=f"another {told}: give another --out"):
            montecarlo(build, images, samples=2, **known | changed)
    with pytest.raises(StudyError, match="another indices "):
        montecarlo(build, images.take(np.arange(9)), samples=2, options=options)


def test_the_hardware_of_a_preset_goes_on_top_of_the_builds(images, tmp_path):
    build = write_build(random_spec(1), Hardware(g_max=5e-5), tmp_path / "net.build")
    found = montecarlo(build, images, samples=1, options=UNJUDGED).summary
    assert found["recompiled"] == {"levels": 32}
    assert found["replaced"] == {"levels": [0, 32]}
    assert found["settings"]["hardware"]["g_max"] == 5e-5
    found = montecarlo(build, images, samples=1, preset="nominal", options=UNJUDGED).summary
    assert (found["recompiled"], found["nothing_drawn"]) == ({}, True)


@pytest.mark.parametrize("name", registry.names())
def test_every_study_says_what_its_preset_replaces(images, tmp_path, name):
    study = registry.study(name)
    build = write_build(random_spec(1), Hardware(levels=16), tmp_path / "net.build")
    said = partial(study.replaces, build, images)
    (told,) = said(preset="rram")
    assert told == (
        "preset rram replaces settings of the BUILD, levels 16 -> 32: --set levels=16 keeps it"
    )
    assert said(preset="rram", settings=["levels=8"]) == said(preset="nominal") == []


def test_what_a_build_was_made_for_is_named(images, tmp_path):
    hardware, _, _ = load_settings("board")
    board = write_build(random_spec(1), hardware, tmp_path / "board.build")
    (told,) = registry.study("montecarlo").replaces(board, images)
    assert told == (
        "preset rram replaces settings of the BUILD, levels e96 -> 32: --set levels=e96 keeps it; "
        "--preset board is what the BUILD was made for"
    )
    (told,) = registry.study("montecarlo").replaces(board, images, preset="hermes")
    assert "g_min 1e-06 -> 2.07e-07, g_max 0.0001 -> 2.07e-05: --set g_min=1e-06 --set" in told


# ---- the figures


def row(sample: int, accuracy: float | None) -> dict:
    if accuracy is None:
        return {"sample": sample, "temp_c": 27.0, "status": "failed", "reason": "no luck"}
    return {
        **{"sample": sample, "temp_c": 27.0, "status": "ok", "reason": ""},
        **{"accuracy": accuracy, "agreement": 0.5, "clipped_cells": 4},
        **{"max_abs_logit_error": 1.0, "rms_logit_error": 0.5},
    }


def test_the_figures_are_those_worked_out_by_hand():
    rows = [row(0, 0.9), row(1, None), row(2, 0.8), row(3, 1.0)]
    found = summarise_chips(rows, yield_at=0.9)
    assert (found["samples"], found["failed"]) == (4, 1)
    assert found["accuracy_mean"] == pytest.approx(0.9)
    half = 4.302652729911275 * 0.1 / math.sqrt(3)  # t at 97.5 % with 2 degrees of freedom
    assert found["accuracy_mean_ci95"] == pytest.approx(
        (0.9 - half, 1.0)
    )  # cut: no share is above 1
    assert found["accuracy_std"] == pytest.approx(0.1)
    assert found["accuracy_percentiles"] == pytest.approx({"5": 0.81, "50": 0.9, "95": 0.99})
    assert (found["yield"], found["yield_ci95"]) == (0.5, exact(2, 4))
    assert found["failures"] == [{"sample": 1, "temp_c": 27.0, "reason": "no luck"}]
    assert found["worst_chip"] == {"sample": 2, "accuracy": 0.8, "agreement": 0.5}
    assert found["clipped_cells_mean"] == 4
    assert found["accuracy_std_ci95"] is None
    assert found["accuracy_percentiles_ci95"] == {"5": None, "50": None, "95": None}
    assert found["no_interval"] == {
        **{"std": "needs 10 chips", "50": "needs 6 chips"},
        **{"5": "needs 59 chips", "95": "needs 59 chips"},
    }


def test_enough_chips_have_every_interval():
    values = np.linspace(0.9, 0.99, 59)
    rows = [row(k, value) for k, value in enumerate(values)]
    found = summarise_chips(rows, yield_at=0.9)
    assert found["no_interval"] == {}
    assert found["accuracy_std_ci95"] == spread(values)
    assert found["accuracy_percentiles_ci95"]["5"] == (values[0], values[9])


def test_faults_make_intervals_longer_or_none():
    rows = [row(k, 0.9 + 0.001 * k) for k in range(20)]
    means = [
        summarise_chips(rows, yield_at=0.9, faults=frozenset(faults))["accuracy_mean_ci95"]
        for faults in ([], ["stuck_min"], ["stuck_min", "open_lines"])
    ]
    assert means[0][0] > means[1][0] > means[2][0] + 0.1
    found = summarise_chips(rows, yield_at=0.9, faults=frozenset(["dead_diodes"]))
    assert found["accuracy_std_ci95"] is None
    assert found["no_interval"]["std"] == "few chips with faults decide"
    one = summarise_chips(rows[:1], yield_at=0.9, faults=frozenset(["open_lines"]))
    assert one["no_interval"]["mean"] == "needs 2 chips"


@pytest.mark.parametrize("accuracies", [[0.9], [0.9, 0.9, 0.9], [None]])
def test_without_a_spread_there_are_no_intervals(accuracies):
    rows = [row(k, accuracy) for k, accuracy in enumerate(accuracies)]
    found = summarise_chips(rows, yield_at=0.5)
    for key in ("accuracy_mean_ci95", "accuracy_std_ci95"):
        assert found[key] is None
    assert {"mean", "std"} <= set(found["no_interval"])
    assert set(found["accuracy_percentiles_ci95"].values()) == {None}
    assert found["yield"] == (0.0 if accuracies == [None] else 1.0)
    json.dumps(found, allow_nan=False)


def test_a_failed_chip_stays_in_the_denominator_and_is_tried_again(build, images, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(chips_module, "TwinEngine", Faulty)
        found = montecarlo(build, images, samples=7, options=UNJUDGED)
    s = found.summary
    assert [r["sample"] for r in found.rows if r["status"] == "failed"] == [2, 5]
    assert (s["failed"], s["samples"], s["yield"] <= 5 / 7) == (2, 7, True)
    assert s["failures"][0]["reason"] == "no convergence today"
    again = montecarlo(build, images, samples=7, options=UNJUDGED)
    assert again.summary["failed"] == 0
    assert again.run == found.run


def test_a_study_in_which_every_chip_fails_is_an_error(build, images, monkeypatch, tmp_path):
    def never(self, *args):
        raise SimulationError("no convergence at all")

    monkeypatch.setattr(chips_module.TwinEngine, "logits", never)
    options = replace(UNJUDGED, run=tmp_path / "run")
    with pytest.raises(StudyError, match=r"^none of 3 circuits .* reason: no convergence at all\."):
        montecarlo(build, images, samples=3, options=options)
    assert (tmp_path / "run" / "chips.csv").read_text().count("no convergence at all") == 3


# ---- temperature


def test_thermal_at_the_nominal_temperature_is_simulate(ngspice, build, images):
    simulated = simulate(build, images).summary
    for engine in ("twin", "ngspice"):
        found = thermal(
            build, images, temps_c=[26.85], options=StudyOptions(engine=engine, judge="none")
        ).summary["temperatures"][0]["nominal"]
        assert found["accuracy"] == simulated["circuit_accuracy"]
        assert found["agreement"] == simulated["agreement"]
        error = simulated["max_abs_logit_error"]
        assert found["max_abs_logit_error"] == pytest.approx(error, rel=1e-6)


def test_chips_and_compensation_over_temperature(build, images):
    found = thermal(
        build, images, temps_c=[125, -40], samples=4, compensate="each", options=UNJUDGED
    )
    s = found.summary
    assert (s["preset"], s["samples"], s["recompiled"]) == ("rram", 4, {"levels": 32})
    assert [entry["temp_c"] for entry in s["temperatures"]] == [-40.0, 125.0]
    assert len(found.rows) == 10
    for entry in s["temperatures"]:
        nominal, chips = entry["nominal"], entry["chips"]
        assert nominal["accuracy_compensated"] >= 0.8
        assert chips["samples"] == 4
        assert chips["gain_percentiles"]["5"] <= chips["gain_mean"]


def test_compensation_recovers_what_gain_and_offset_took(tmp_path):
    """One layer of diodes whose currents alone drift: gain and offset per column are all of it."""
    hardware = Hardware(diode_tc_voltage=0.0, diode_tc_current=-4e-3)
    build = write_build(random_spec(1, (5, 3)), hardware, tmp_path / "net.build")
    images = random_images(2, 30, 5)

    def errors(compensate: str | float) -> dict[float, tuple[float, float]]:
        found = thermal(build, images, temps_c=[-40, 125], compensate=compensate, options=UNJUDGED)
        return {
            r["temp_c"]: (r["max_abs_logit_error"], r["max_abs_logit_error_compensated"])
            for r in found.rows
        }

    for plain, compensated in errors("each").values():
        assert compensated < 1e-3 * plain
    at_hot = errors(125.0)
    assert at_hot[125.0] == errors("each")[125.0]
    assert at_hot[-40.0][1] > at_hot[-40.0][0]


def test_more_temperatures_go_into_the_same_run(build, images):
    first = thermal(build, images, temps_c=[0], options=UNJUDGED)
    second = thermal(build, images, temps_c=[0, 50], options=UNJUDGED)
    assert first.run == second.run
    assert second.rows[0] == first.rows[0]


@pytest.mark.parametrize(
    ("text", "temps"),
    [
        ("-40:125:15", [-40.0 + 15 * k for k in range(12)]),
        ("-40:125:50", [-40.0, 10.0, 60.0, 110.0]),
        ("0:0.3:0.1", [0.0, 0.1, 0.2, 0.3]),
        ("85", [85.0]),
        ("125,-40,26.85", [-40.0, 26.85, 125.0]),
    ],
)
def test_temperatures_are_read(text, temps):
    assert parse_temps(text) == temps


@pytest.mark.parametrize(
    "text", ["", "hot", "0:10", "10:0:5", "0:10:0", "0:nan:5", "1,,2", "0:1:-1"]
)
def test_temperatures_that_are_none_are_refused(text):
    with pytest.raises(SettingsError, match="are neither LO:HI:STEP with LO <= HI"):
        parse_temps(text)
    with pytest.raises(SettingsError, match="STEP = 1e-06 is out of range: at most 1000"):
        parse_temps("0:100:1e-6")


# ---- the judge


def test_the_judge_finds_twin_and_ngspice_equal_and_looks_once(ngspice, build, images, monkeypatch):
    options = StudyOptions(judge="3x8")
    found = montecarlo(build, images, samples=6, temp_c=85, settings=HARD, options=options)
    verdict = found.summary["judge"]
    assert (verdict["passed"], verdict["chips"], verdict["images"]) == (True, 3, 8)
    assert 0 < verdict["share_of_full_scale"] < 1e-9
    assert verdict["max_abs_difference"] == max(f["max_abs_difference"] for f in verdict["found"])
    assert found.summary["worst_chip"]["sample"] == verdict["found"][0]["sample"]
    monkeypatch.setattr(NgspiceEngine, "logits", None)
    again = montecarlo(build, images, samples=6, temp_c=85, settings=HARD, options=options)
    assert again.summary["judge"] == verdict


def test_a_wrong_twin_fails_the_study_and_the_sentence_says_where(
    ngspice, build, images, monkeypatch, tmp_path
):
    monkeypatch.setattr(chips_module, "TwinEngine", Wrong)
    options = StudyOptions(judge="2x30", run=tmp_path / "run")
    with pytest.raises(StudyError) as refused:
        montecarlo(build, images, samples=2, options=options)
    match = re.fullmatch(
        r"the twin is not what ngspice simulates: chip [01] at 26.85 degC, image 107, class 2: "
        r"logit (\S+) in the twin, (\S+) in ngspice, (\S+) of full scale apart where 1e-06 is "
        r"allowed. The deck is kept: (\S+)\. Please report it: one of the two is wrong",
        str(refused.value),
    )
    assert match
    twin, spice, share, deck = match.groups()
    assert float(twin) - float(spice) == pytest.approx(1e-4, rel=1e-3)
    assert float(share) > 1e-6
    assert Path(deck).is_file()
    assert tmp_path / "run" in Path(deck).parents
    kept = json.loads((tmp_path / "run" / "result.json").read_text())["judge"]
    assert (kept["passed"], kept["worst"]["image"]) == (False, 107)
    monkeypatch.undo()
    # What was wrong is not believed because it is stored: the right twin's rows are elsewhere.
    good = montecarlo(build, images, samples=2, options=replace(options, run=tmp_path / "good"))
    assert good.summary["judge"]["passed"]


def test_ngspice_gives_the_twins_rows(ngspice, build, images):
    rows = {}
    for engine in ("twin", "ngspice"):
        options = StudyOptions(engine=engine, jobs=2)
        found = montecarlo(build, images, samples=3, settings=HARD, temp_c=-40, options=options)
        rows[engine] = found.rows
        if engine == "ngspice":
            verdict = found.summary["judge"]
            assert (verdict["passed"], verdict["chips"], verdict["images"]) == (True, 3, 30)
            assert 0 < verdict["share_of_full_scale"] < 1e-9
            assert verdict["worst"]["judge_share"] == max(r["judge_share"] for r in found.rows)
    for twin, spice in zip(rows["twin"], rows["ngspice"], strict=True):
        assert twin["correct"] == spice["correct"]
        np.testing.assert_allclose(twin["gain"], spice["gain"], rtol=0, atol=1e-9)


def test_the_judge_takes_the_worst_chip_and_the_extreme_temperatures():
    points = thermal_points(Hardware(), Variation(), Conditions(), [0, 20, 40, 60], 5)
    rows = [
        {"key": point.key, "status": "ok", "accuracy": 0.9 - 0.1 * (k == 8)}
        for k, point in enumerate(points)
    ]
    rows[0]["status"] = "failed"
    chosen = choose_points(points, rows, 4, seed=0)
    assert chosen[0] == points[8]  # at 20 degrees
    assert [p.conditions.temp_c for p in chosen] == [20, 0, 60, 40]
    assert points[0] not in choose_points(points, rows, 99, seed=0)
    assert len(choose_points(points, rows, 99, seed=0)) == 23
    assert choose_points(points, rows, 4, seed=0) == chosen


def test_the_judge_takes_the_smallest_margins_and_random_images():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(100, 4))
    chosen = choose_images(logits, 11, seed=0, sample=3)
    two = np.sort(logits, axis=1)[:, -2:]
    close = set(np.argsort(two[:, 1] - two[:, 0])[:6].tolist())
    assert close <= set(chosen.tolist())
    assert (np.diff(chosen) > 0).all()
    assert chosen.size == 11
    assert choose_images(logits, 1000, 0, 3).tolist() == list(range(100))
    assert chosen.tolist() != choose_images(logits, 11, seed=0, sample=4).tolist()


def test_a_share_is_read():
    assert parse_share("3x50") == Share(3, 50)
    assert not parse_share("none")
    for text in ("3", "0x0", "0x5", "3x0"):
        with pytest.raises(SettingsError, match=rf"judge '{text}' is neither CHIPSxIMAGES such as"):
            parse_share(text)


# ---- what is refused before anything runs


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"settings": ["sigma_g=-0.1"]}, "sigma_g = -0.1 is out of range: 0 to 1"),
        ({"settings": ["sigma_g=nan"]}, "sigma_g = nan is out of range: 0 to 1"),
        ({"settings": ["sigm_g=0.1"]}, "--set: unknown setting 'sigm_g', did you mean sigma_g?"),
        ({"preset": "rrma"}, "unknown preset 'rrma', did you mean rram?"),
        ({"temp_c": math.inf}, "temp_c = inf is out of range: "),
        (
            {"temp_c": 200},
            "temp_c = 200.0 is out of range: diode_law = linear holds from -55 to 150 degC: "
            "choose temperatures in there",
        ),
        ({"samples": 0}, "samples = 0 is out of range: 1 to 1000000"),
        ({"yield_at": 97}, "yield_at = 97 is out of range: 0 to 1"),
    ],
)
def test_settings_that_are_none_are_refused_before_anything_runs(
    build, images, tmp_path, settings, sentence
):
    options = StudyOptions(run=tmp_path / "run", judge="none")
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}"):
        montecarlo(build, images, **{"samples": 2, "options": options} | settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"temps_c": [-60]}, "temp_c = -60.0 is out of range: diode_law = linear holds from -55"),
        ({"settings": ["temp_c=5"]}, "temp_c is what thermal varies: give its values with --temps"),
        (
            {"samples": 2, "preset": "nominal"},
            "samples = 2 draws chips, but preset nominal has no variation: give --preset rram",
        ),
        ({"compensate": 300.0}, "temp_c = 300.0 is out of range: diode_law = linear holds from"),
        ({"temps_c": []}, "temps_c = [] is out of range: at least one temperature"),
    ],
)
def test_thermal_refuses_before_anything_runs(build, images, tmp_path, settings, sentence):
    options = StudyOptions(run=tmp_path / "run", judge="none")
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}"):
        thermal(build, images, **{"temps_c": [0.0], "options": options} | settings)
    assert not (tmp_path / "run").exists()


def test_compensation_without_calibration_images_is_refused(images, tmp_path):
    build = write_build(random_spec(1, n_calibration=0), Hardware(), tmp_path / "net.build")
    sentence = "compensate = 'each' measures gains with calibration images, and "
    with pytest.raises(SettingsError, match=f"^{sentence}"):
        thermal(build, images, temps_c=[0], compensate="each", options=UNJUDGED)


def test_one_calibration_image_measures_no_gain(images, tmp_path):
    build = write_build(random_spec(1, n_calibration=1), Hardware(), tmp_path / "net.build")
    sentence = r"measures gains with calibration images, and .*net.build has only one: compile the"
    with pytest.raises(SettingsError, match=f"^compensate = 'each' {sentence}"):
        thermal(build, images, temps_c=[0], compensate="each", options=UNJUDGED)
    with pytest.raises(SettingsError, match=f"^calibrate {sentence}"):
        montecarlo(build, images, samples=1, calibrate=True, options=UNJUDGED)


def test_one_image_has_no_gain_no_offset_and_no_snr(build, images):
    one = images.take([3])
    (entry,) = thermal(build, one, temps_c=[60], samples=2, options=UNJUDGED).summary[
        "temperatures"
    ]
    for part in (entry["nominal"], entry["chips"]):
        assert part["gain_mean"] is None and part["offset_mean"] is None
    assert entry["chips"]["gain_mean_ci95"] is None and entry["chips"]["gain_percentiles"] is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cells = sweep(build, one, settings=["sigma_g=0,0.1"], samples=2, options=UNJUDGED)
    assert [cell["logit_snr_db"] for cell in cells.summary["cells"]] == [None, None]
    (entry,) = thermal(build, images, temps_c=[60], options=UNJUDGED).summary["temperatures"]
    assert 0.5 < entry["nominal"]["gain_mean"] < 2


def test_an_edited_build_is_refused(build, images):
    path = build.folder / "layer0.cir"
    path.write_text(path.read_text() + "* mine\n")
    with pytest.raises(NetlistError, match=r"layer0.cir was edited after it was compiled, and"):
        montecarlo(build, images, samples=1, options=UNJUDGED)


def test_a_run_that_is_not_there_is_not_resumed(build, images, tmp_path):
    options = replace(UNJUDGED, run=tmp_path / "run", resume=True)
    with pytest.raises(StudyError, match=r"run holds no study.sqlite to resume: leave --resume"):
        montecarlo(build, images, samples=1, options=options)
    assert not (tmp_path / "run").exists()


def test_without_ngspice_only_an_unjudged_twin_runs(build, images, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "/nonexistent")
    with pytest.raises(SimulationError, match=r"or trust the twin with --judge none$"):
        montecarlo(build, images, samples=1)
    with pytest.raises(SimulationError, match="names /nonexistent, which is no program"):
        montecarlo(build, images, samples=1, options=StudyOptions(engine="ngspice"))
    assert not build.folder.with_name("net.run").exists()
    assert montecarlo(build, images, samples=1, options=UNJUDGED).summary["judge"] is None


def test_the_studies_are_at_hand_from_the_package(build, images):
    assert ak.montecarlo(build, images, samples=1, judge="none").rows
    chip, _ = ak.perturb(
        build.design, ak.Variation(sigma_g=0.1), ak.Conditions(), spec=build.spec, seed=0, sample=0
    )
    volts = build.spec.dac_volts(images.x)
    assert ak.TwinEngine().logits(chip, volts, images.index, 26.85).shape == (30, 3)
