"""``montecarlo --method``: scores, points of many chips, what is refused, what is told."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan import rare
from analogkan.cli import main
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.coordinates import Mix
from analogkan.engines.chip_engines import TwinEngine
from analogkan.errors import (
    DataError,
    DisagreementError,
    SettingsError,
    SimulationError,
    StudyError,
    UntrustedError,
)
from analogkan.intervals import exact
from analogkan.report.runs import read_runs
from analogkan.studies.bench import Bench
from analogkan.studies.enough import chips_for, told_after, told_before, told_of_means, unseen
from analogkan.studies.scores import TIED, Event, margins
from analogkan.studies.yields_result import Yield, probabilities

from .networks import random_images, random_spec
from .test_values import network

SPREAD = ak.Variation(sigma_g=0.15, diode_sigma_current=0.1, offset_sigma=5e-3)
LIMIT = 0.55


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return write_build(random_spec(1), Hardware(), tmp_path_factory.mktemp("yields") / "net.build")


@pytest.fixture(scope="module")
def images(build):
    """Whose labels are what the network says, but for some."""
    found = random_images(2, 40, 5)
    labels = build.spec.logits(found.flat(build.spec.encoding.shape)).argmax(axis=1)
    labels[::8] = (labels[::8] + 1) % 3
    return replace(found, y=labels)


def run(build, images, tmp_path, **given: Any) -> Yield:
    asked: dict[str, Any] = {
        "samples": 300, "method": "plain", "variation": SPREAD, "yield_at": LIMIT, "judge": "none",
        "out": tmp_path / "run", "progress": False, "jobs": 1,
    }  # fmt: skip
    found = ak.montecarlo(build, images, **(asked | given))
    assert isinstance(found, Yield)
    return found


@pytest.fixture(scope="module")
def plain(build, images, tmp_path_factory):
    return run(build, images, tmp_path_factory.mktemp("plain"), samples=800)


# ---- scores


def test_the_score_is_negative_exactly_where_the_accuracy_is_below_the_limit():
    rng = np.random.default_rng(0)
    spec = random_spec(1)
    for _ in range(300):
        n = int(rng.integers(1, 30))
        logits = np.round(rng.normal(size=(n, 3)), 1)  # ties among them
        labels = rng.integers(0, 3, n)
        limit = float(rng.choice([rng.random(), int(rng.integers(0, n + 1)) / n]))
        event = Event.of(spec, limit, n)
        if not 1 <= (event.rank or 0) <= n:
            continue
        score, reached = event.score(spec, labels, logits)
        assert reached == (logits.argmax(axis=1) == labels).mean()
        assert (score < 0) is (reached < limit - 1e-12)


def test_of_equal_logits_the_first_is_taken():
    logits = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    assert margins(logits, np.array([0, 1])).tolist() == [0.0, TIED]


def test_a_chip_by_its_number_has_the_row_that_it_always_had(build, images, tmp_path):
    rows = ak.montecarlo(
        build, images, samples=5, first=3, variation=SPREAD, judge="none", out=tmp_path / "rows",
        progress=False,
    ).rows  # fmt: skip
    found = run(build, images, tmp_path, samples=5, first=3)
    assert [row["accuracy"] for row in found.rows] == [row["accuracy"] for row in rows]
    assert found.p_fail == np.mean([row["accuracy"] < LIMIT for row in rows])


# ---- methods as studies


def test_plain_keeps_scores_resumes_and_is_extended(build, images, tmp_path, monkeypatch):
    answers, left = Bench.answers, [151]  # the first is in the middle

    def some(bench: Bench, point: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return answers(bench, point)

    monkeypatch.setattr(Bench, "answers", some)
    with pytest.raises(KeyboardInterrupt):
        run(build, images, tmp_path)
    left[0] = 201
    found = run(build, images, tmp_path)  # the first hundred are not asked for again
    assert found.simulated == 300 and left == [0]
    fails = round(300 * found.p_fail)
    assert 0 < fails < 300 and tuple(found.p_fail_ci95) == exact(fails, 300)
    left[0] = 101
    more = run(build, images, tmp_path, samples=400)
    assert more.simulated == 400 and left == [0]
    with (tmp_path / "run" / "chips.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [int(line["sample"]) for line in lines] == list(range(400))
    assert sum(float(line["score"]) < 0 for line in lines) == round(400 * more.p_fail)
    wanted = sum(float(line["accuracy"]) < LIMIT for line in lines)
    assert wanted == round(400 * more.p_fail)


def test_numbers_of_numpy_are_numbers(build, images, tmp_path):
    plain = run(build, images, tmp_path, samples=100)
    limit = np.float64(LIMIT)
    assert run(build, images, tmp_path, samples=np.int64(100), yield_at=limit).curve == plain.curve


def test_the_curve_says_of_other_limits_what_plain_chips_say(plain):
    found = plain
    reached = np.array([row["accuracy"] for row in found.rows])
    assert len(found.curve) > 3
    for one in found.curve:
        assert one["p"] == pytest.approx((reached < one["limit"]).mean())
        assert one["ci95"][0] <= one["p"] <= one["ci95"][1]
    for one, other in pairwise(found.curve):
        assert one["limit"] < other["limit"] and one["p"] <= other["p"]


METHODS = [
    pytest.param("subset", 1000, LIMIT, marks=pytest.mark.slow),
    pytest.param("control", 1000, LIMIT, marks=pytest.mark.slow),
    ("sobol", 512, 0.85),
]


@pytest.mark.parametrize(("method", "samples", "limit"), METHODS, ids=str)
def test_methods_agree_with_plain_chips(method, samples, limit, plain, build, images, tmp_path):
    found = run(build, images, tmp_path, method=method, samples=samples, yield_at=limit)
    known = next(one for one in plain.curve if one["limit"] >= limit - 1e-9)
    assert found.method == method and found.simulated > 0
    low, high = found.p_fail_ci95
    assert low <= known["ci95"][1] and high >= known["ci95"][0]
    assert found.n_effective is not None and found.n_effective > 50


@pytest.mark.parametrize(
    ("method", "samples"),
    [pytest.param("subset", 1000, marks=pytest.mark.slow), ("sobol", 256)],
)
def test_a_trim_that_writes_other_cells_on_every_chip_is_no_matter(
    method, samples, images, tmp_path
):
    build = write_build(random_spec(1), Hardware(levels=32), tmp_path / "net.build")
    spread = replace(SPREAD, trim="dark-real", sigma_g=0.02)
    try:
        found = run(build, images, tmp_path, method=method, samples=samples, variation=spread)
    except UntrustedError:  # which no sum of numbers of other shapes is
        return
    assert found.simulated >= samples and not found.failed


def test_failing_chips_are_judged_by_ngspice(build, images, tmp_path, ngspice):
    found = run(build, images, tmp_path, judge="2x10")
    assert found.judge is not None
    assert found.judge["passed"] and found.judge["chips"] == 2
    assert found.judge["share_of_full_scale"] < 1e-6


def test_a_regression_fails_by_its_rmse(tmp_path):
    spec, points = network(3)
    build = write_build(spec, Hardware(), tmp_path / "net.build")
    found = run(build, points, tmp_path, yield_at="20%")
    assert {row["score"] < 0 for row in found.rows} == {True, False}
    rmse = np.array([row["rmse"] for row in found.rows])
    assert found.p_fail == (rmse > found.yield_at).mean()
    for one in found.curve:
        assert one["p"] == pytest.approx((rmse > one["limit"]).mean())
    with pytest.raises(SettingsError, match=r"^method = control is of images' margins, and a reg"):
        run(build, points, tmp_path, method="control", out=tmp_path / "control", yield_at="20%")
    assert "RMSE" in found.yield_rule and found.plot().axes[0].get_xlabel().startswith("RMSE")
    given = found.plot().add_subplot()
    assert found.plot(ax=given) is given.figure and given.get_xlabel().startswith("RMSE")


def test_a_result_is_read_back_and_reported(build, images, tmp_path):
    found = run(build, images, tmp_path)
    (again,) = read_runs([tmp_path / "run"])
    assert again.result.to_document() == json.loads((tmp_path / "run" / "result.json").read_text())
    assert again.result.facts() == found.facts()
    page = ak.write_report(tmp_path / "run", tmp_path / "r.html", build=build.folder)
    assert page["sections"][-1] == "Rare yields"
    assert "failing chips" in repr(found) and "part of what is asked" in " ".join(found.sentences())


def test_chips_that_cannot_be_simulated_fail(build, images, tmp_path, monkeypatch):
    logits = TwinEngine.logits
    calls = []

    def sometimes(engine: TwinEngine, design: Any, *given: Any) -> Any:
        calls.append(0)
        if len(calls) % 50 == 0:
            raise SimulationError("a chip without an operating point")
        return logits(engine, design, *given)

    plain = run(build, images, tmp_path, out=tmp_path / "whole")
    monkeypatch.setattr(TwinEngine, "logits", sometimes)
    found = run(build, images, tmp_path)
    assert found.failed == 6 and found.p_fail > plain.p_fail
    assert "6 chips could not be simulated, and count as failing" in found.closing()
    lines = [row for row in found.rows if row["status"] == "failed"]
    assert {row["reason"] for row in lines} == {"a chip without an operating point"}
    monkeypatch.setattr(TwinEngine, "logits", _never)
    with pytest.raises(StudyError, match=r"^none of 300 chips could be simulated"):
        run(build, images, tmp_path, out=tmp_path / "none")


def test_what_is_no_chip_does_not_count_as_one_that_fails(build, images, tmp_path, monkeypatch):
    def lying(*given: Any) -> Any:
        raise DisagreementError("other values than the closed form's")

    monkeypatch.setattr(TwinEngine, "logits", lying)
    with pytest.raises(DisagreementError, match=r"^chip \d+ at 26\.85 degC: other values than"):
        run(build, images, tmp_path)


def test_in_ngspice_every_chip_is_judged(build, images, tmp_path, ngspice):
    found = run(build, images[:4], tmp_path, engine="ngspice", samples=2)
    assert found.judge is None
    assert re.match(r"in ngspice \d+: every chip judged by its closed form", found.judged())


def _never(*given: Any) -> Any:
    raise SimulationError("never")


# ---- what is refused


def test_a_limit_that_no_chip_or_every_chip_fails_has_a_bound(build, images, tmp_path):
    none = run(build, images, tmp_path, yield_at=0.01, samples=100)
    assert none.bound and none.p_fail == 0 and tuple(none.p_fail_ci95) == exact(0, 100)
    assert none.cv is None and none.n_effective is None
    assert "0 to 3.62 %" in " ".join(row[-1] for row in none.facts().rows)
    every = run(build, images, tmp_path, yield_at=1.0, samples=100, out=tmp_path / "every")
    assert every.bound and every.p_fail == 1 and tuple(every.p_fail_ci95) == exact(100, 100)
    told = [found.plot().axes[0].get_legend_handles_labels()[1][-1] for found in (none, every)]
    assert told == ["none failed: below this", "all failed: above this"]


def test_an_interval_is_in_the_unit_of_its_share():
    assert probabilities(0.0267, (0.0073, 0.0669)) == ("2.67 %", "0.73 to 6.69 %")
    assert probabilities(0.0061, (0.0042, 0.012)) == ("0.61 %", "0.42 to 1.2 %")
    assert probabilities(3.2e-5, (2.1e-5, 5e-5)) == ("3.2e-05", "2.1e-05 to 5e-05")


@pytest.mark.parametrize("limit", [0, 1e-12], ids=str)
def test_a_limit_that_no_chip_can_miss_is_refused(limit, build, images, tmp_path):
    sentence = f"yield_at = {limit:g} is an accuracy that every chip reaches, so none is a bad one"
    with pytest.raises(SettingsError, match=f"^{sentence}: give one above 0$"):
        run(build, images, tmp_path, yield_at=limit)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", [None, "plain"])
def test_no_images_are_refused(method, build, images, tmp_path):
    with pytest.raises(DataError, match=r"^random has no images to simulate$"):
        run(build, images[:0], tmp_path, method=method)


def test_a_method_that_was_refused_leaves_no_run_behind(build, images, tmp_path):
    spread = replace(SPREAD, stuck_min=0.01)
    with pytest.raises(SettingsError, match=r"^method = control needs scores that are smooth"):
        run(build, images, tmp_path, method="control", variation=spread)
    assert not (tmp_path / "run" / "study.sqlite").exists()
    assert run(build, images, tmp_path, variation=spread, samples=100).simulated == 100


def test_resuming_with_another_method_is_refused(build, images, tmp_path):
    run(build, images, tmp_path, samples=100)
    with pytest.raises(StudyError, match=r"another method \('plain' there, 'subset' here\)"):
        run(build, images, tmp_path, method="subset", samples=1000)


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"method": "subset", "variation": ak.Variation()},
        "method = subset: nothing is drawn, so every chip is the same: give a preset, or a sigma",
    ),
    (
        {"method": "plain", "variation": ak.Variation(drift_nu=0.01)},
        "method = plain: nothing is drawn, so every chip is the same: give a preset, or a sigma",
    ),
    (
        {"method": "sobol", "variation": ak.Variation(read_noise=0.1), "noise": "frozen"},
        "method = sobol: nothing is drawn but noise at reads, which is frozen, so every chip is "
        "the same: give a preset, or a sigma",
    ),
    (
        {"method": "control", "variation": replace(SPREAD, stuck_min=0.01)},
        "method = control needs scores that are smooth, and stuck cells happen or do not: methods "
        "plain, sobol and subset take any",
    ),
    (
        {"method": "scaled", "variation": replace(SPREAD, trim="dark-real"),
         "hardware": {"levels": 16}},
        "method = scaled needs scores that are smooth, and trim = dark-real rounds bias cells to "
        "levels = 16: methods plain, sobol and subset take any",
    ),
    (
        {"method": "scaled", "variation": replace(SPREAD, verify_window_abs=1e-6)},
        "method = scaled needs scores that are smooth, and verify_window_abs writes cells again or "
        "does not: methods plain, sobol and subset take any",
    ),
    (
        {"method": "scaled", "hardware": {"adc_bits": 8, "adc_range": 2.0}},
        "method = scaled needs scores that are smooth, and adc_bits = 8 rounds logits: methods "
        "plain, sobol and subset take any",
    ),
    (
        {"method": "subset", "samples": 1000, "variation": ak.Variation(stuck_min=0.01)},
        "method = subset moves along normal coordinates, and no chip has one: use plain",
    ),
    ({"method": "bisection"}, "method = 'bisection' is out of range: plain or control or subset"),
    ({"noise": "loud"}, "noise = 'loud' is out of range: drawn or frozen"),
    (
        {"method": None, "noise": "frozen"},
        "noise = frozen goes with a method: give --method, or leave it out",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "sentence"), REFUSED, ids=lambda one: str(one)[:40])
def test_what_a_method_cannot_be_asked(given, sentence, build, images, tmp_path):
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}"):
        run(build, images, tmp_path, **given)
    assert not list((tmp_path / "run").glob("result.json"))


def test_a_threshold_of_the_mean_does_not_go_with_a_method(build):
    given = ["montecarlo", str(build.folder), "--method", "plain", "--fail-under", "0.9"]
    found = CliRunner().invoke(main, given)
    assert found.exit_code == 2
    assert "--fail-under is about the mean accuracy, and --method estimates none" in found.output


def test_that_chips_are_calibrated_is_said(build, images, tmp_path):
    found = run(build, images, tmp_path, samples=100, calibrate=True)
    assert found.title().endswith(", 26.85 degC, calibrated")
    assert found.drawn().endswith("calibrated") or found.preset is None


def test_an_estimate_that_cannot_be_trusted_is_no_result(build, images, tmp_path, monkeypatch):
    def distrustful(samples: int, **given: Any) -> Any:
        yield [Mix(((k, 1.0),)) for k in range(samples)]
        raise UntrustedError("repetitions differ too much")

    monkeypatch.setattr(rare, "subset", distrustful)
    with pytest.raises(UntrustedError, match=r"^repetitions differ too much$"):
        run(build, images, tmp_path, method="subset", samples=10)
    assert not (tmp_path / "run" / "result.json").exists()


# ---- how many chips are enough


def test_how_many_chips_are_enough():
    assert chips_for(0.01) == 9900 and unseen(100) == exact(0, 100)[1]
    assert told_before(100) == (
        "100 chips: of failing ones a share below 3.62 % may not show; one of 1 % is known to a "
        "tenth of it by 9,900 chips, one of 1e-4 by 999,900, or by far fewer with --method"
    )
    assert told_after(1, 100).startswith("1 chip of 100 fails, 1 %: ")
    assert told_after(3, 100).startswith("3 chips of 100 fail, 3 %: 3,233 chips would know that")
    assert told_after(0, 100).startswith("none of 100 chips fails: the share of failing ones is be")
    assert told_after(100, 100).startswith("every one of 100 chips fails")
    assert (
        told_after(2500, 5000) == "2,500 chips of 5,000 fail: that share is known to a tenth of it"
    )
    assert told_of_means([], 20) == [] == told_of_means([None], 20)
    assert "0.02 to either side: 80 chips each would halve" in told_of_means([(0.9, 0.94)], 20)[0]
