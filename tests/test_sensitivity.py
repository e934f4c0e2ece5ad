"""Which causes are to blame: chips with parts of others, shares by both ways, places, the study."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

import analogkan as ak
from analogkan.compiler.build import Build, load_build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.coordinates import Key, Linear
from analogkan.engines.chip_engines import TwinEngine
from analogkan.errors import SettingsError, SimulationError, StudyError
from analogkan.imperfections import Conditions, Variation
from analogkan.studies import sensitivity_found
from analogkan.studies.bench import Bench
from analogkan.studies.points import Point
from analogkan.studies.scores import Event
from analogkan.studies.sensitivity_causes import (
    AHEAD,
    Part,
    Picked,
    causes_of,
    drawn_parts,
    groups_of,
    said,
    with_few,
)
from analogkan.studies.sensitivity_draws import ratio_of_spreads, shares_of
from analogkan.studies.sensitivity_linear import Surrogate
from analogkan.studies.sensitivity_places import Placed, lines_of, place, tiles_of

from .convolutions import convolutional_images, convolutional_spec
from .networks import random_images, random_spec
from .test_values import network

RRAM = Variation(
    sigma_g=0.05, diode_sigma_current=0.05, offset_sigma=1e-3, line_sigma=0.002, read_noise=0.01,
    trim="dark-real",
)  # fmt: skip
MOST = Variation(sigma_g=0.05, diode_sigma_current=0.02, read_noise=0.01, trim="dark-real")
FAULTY = Variation(stuck_min=0.01, stuck_max=0.01, dead_diodes=0.02, sigma_g=0.05)


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Build:
    folder = tmp_path_factory.mktemp("sensitivity") / "net.build"
    write_build(random_spec(1), Hardware(tile_rows=4, tile_cols=4), folder)
    return load_build(folder)


@pytest.fixture(scope="module")
def images() -> ak.ImageSet:
    return random_images(3, 24, 5)


@pytest.fixture(scope="module")
def bench(build, images) -> Bench:
    return Bench(build, images, TwinEngine())


def point(build: Build, variation: Variation = RRAM, sample: int = 3, **more: Any) -> Point:
    return Point(
        hardware=build.hardware, variation=variation, conditions=Conditions(), sample=sample, **more
    )


def few(bench: Bench, variation: Variation) -> tuple[Bench, Point, list[Part]]:
    one = point(bench.build, variation)
    small = with_few(bench, one)
    return small, one, list(drawn_parts(small, one))


# ---- chips


def test_a_chip_has_what_is_picked_from_the_other_and_all_else_of_its_own(bench, build):
    part = Part(0, 0)  # cells of layer 0
    variation = Variation(sigma_g=0.05, diode_sigma_current=0.05)
    mine, other = (bench.chip(point(build, variation, m))[0] for m in (3, AHEAD + 3))
    both = bench.chip(point(build, variation, source=Picked(frozenset({part}))))[0]
    np.testing.assert_array_equal(both.stages[0].g, other.stages[0].g)
    np.testing.assert_array_equal(both.stages[1].g, mine.stages[1].g)
    for now, was in zip(both.stages, mine.stages, strict=True):
        np.testing.assert_array_equal(now.errors.k_i, was.errors.k_i)


@pytest.mark.parametrize("variation", [RRAM, FAULTY], ids=["rram", "faults"])
def test_a_chip_that_has_all_parts_from_the_other_is_the_other(bench, build, variation):
    _, one, parts = few(bench, variation)
    all_of_it = replace(one, source=Picked(frozenset(parts)))
    other = replace(one, sample=one.sample + AHEAD)
    np.testing.assert_array_equal(bench.read(all_of_it), bench.read(other))
    assert all_of_it.key != one.key


def test_every_part_that_is_drawn_is_found_noise_at_reads_too(bench):
    found = few(bench, RRAM)[2]
    words = {said(part) for part in found}
    assert {"programming: cell", "read noise: read noise", "trim: trim cell"} <= words
    assert {part.layer for part in found} == {0, 1}
    with_die = few(bench, Variation(die_sigma_shift=1e-3))[2]
    assert [(said(part), part.where) for part in with_die] == [("diodes: die shift", "die")]


# ---- causes


def test_a_cause_is_the_setting_that_takes_out_least(bench):
    small, one, parts = few(bench, RRAM)
    found = {
        cause.settings: {said(p) for p in cause.parts} for cause in causes_of(small, one, parts)
    }
    assert found == {
        ("sigma_g",): {"programming: cell", "trim: trim cell"},
        ("read_noise",): {"read noise: read noise"},
        ("diode_sigma_current",): {"diodes: diode current"},
        ("offset_sigma",): {
            "op-amps: row offset", "op-amps: line offset", "op-amps: diff offset",
        },
        ("line_sigma",): {"feedback: pair"},
    }  # fmt: skip
    assert len(groups_of(parts, causes_of(small, one, parts))) == len(parts) + 5


def test_what_no_setting_takes_out_alone_goes_with_all_of_its_imperfection(bench):
    small, one, parts = few(bench, FAULTY)
    settings = {cause.settings for cause in causes_of(small, one, parts)}
    assert settings == {("stuck_min", "stuck_max"), ("dead_diodes",), ("sigma_g",)}


# ---- by draws


def sums(weights: np.ndarray, n: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Chips A, B and picked of a figure that is a weighted sum of normal numbers."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, len(weights), n))
    return weights @ a, weights @ b, weights @ a + weights[:, None] * (b - a)


def test_shares_are_those_of_the_library():
    a, b, picked = sums(np.array([3.0, 2.0, 1.0]), 64)
    given = {"f_A": a[None], "f_B": b[None], "f_AB": picked[:, None]}
    library = stats.sobol_indices(func=given, n=64)
    found = shares_of(a, b, picked)
    np.testing.assert_allclose(found.first, library.first_order, rtol=1e-12)
    np.testing.assert_allclose(found.total, library.total_order, rtol=1e-12)


def test_intervals_of_shares_hold_them():
    weights = np.array([2.0, 1.0, 0.5])
    truth, held = weights**2 / (weights**2).sum(), []
    for seed in range(100):
        found = shares_of(*sums(weights, 64, seed))
        pairs = zip(truth, found.total_ci95, found.first_ci95, strict=True)
        held += [[t[0] <= s <= t[1], f[0] <= s <= f[1]] for s, t, f in pairs]
    assert (np.mean(held, axis=0) > 0.88).all()  # of 300, where 95 % are asked for


def test_a_figure_that_does_not_vary_has_no_shares():
    assert shares_of(np.ones(20), np.ones(20), np.ones((2, 20))) is None
    found = shares_of(*sums(np.array([1.0, 0.0]), 20))
    assert found.total[1] == 0 and found.total_ci95[1] is None


def test_the_ratio_of_spreads_has_an_interval_over_the_same_chips():
    a, _, _ = sums(np.array([1.0]), 200)
    ratio, pair = ratio_of_spreads(0.5 * a, a)
    assert ratio == pytest.approx(0.5)
    assert pair is None or pair == pytest.approx((0.5, 0.5))
    assert ratio_of_spreads(np.zeros(200), a) == (0.0, None)


# ---- by gradients


def linear(values: list[float], **slopes: list[list[float]]) -> Linear:
    """Figures with slopes in coordinates of layer 0, by the numbers of streams."""
    given = {Key(0, 0, int(s[1:]), 0): np.array(of, np.float32) for s, of in slopes.items()}
    return Linear(np.array(values), given)


def test_shares_of_figures_are_weighted():
    found = Surrogate(
        linear([1, 2], s0=[[3, 0], [0, 0]], s4=[[4], [1]]), Event(limit=1.0, images=2, rank=1)
    )
    assert found.shares(np.array([1.0, 0.0])) == {Part(0, 0): 9 / 25, Part(0, 4): 16 / 25}
    assert found.shares(np.ones(2)) == {Part(0, 0): 9 / 26, Part(0, 4): 17 / 26}


def test_scores_of_one_image_are_as_normal_as_its_margin():
    one = Surrogate(linear([2], s0=[[3, 0]], s4=[[4]]), Event(limit=1.0, images=1, rank=1))
    found = one.predict([frozenset({Part(0, 4)})], 0)
    assert found.first[0].std() == pytest.approx(5, rel=0.03)
    assert found.alone[Part(0, 0)][0].std() == pytest.approx(3, rel=0.03)
    assert found.without[frozenset({Part(0, 4)})][0].std() == pytest.approx(3, rel=0.03)
    assert found.first[1].mean() == pytest.approx(stats.norm.cdf(2 / 5), abs=0.02)
    shares = shares_of(found.first[0], found.second[0], found.picked[Part(0, 4)][0][None])
    assert shares.total[0] == pytest.approx(16 / 25, abs=0.03)


def test_the_image_nearest_to_the_limit_decides():
    one = linear([1, 1.2, 50], s0=[[1], [1], [1]])
    assert Surrogate(one, Event(limit=1.0, images=3, rank=1)).predict([], 0).decides[0] == 1
    assert Surrogate(one, Event(limit=0.5, images=3, rank=2)).predict([], 0).decides[1] == 1


def test_many_coordinates_are_drawn_by_their_covariance():
    rng = np.random.default_rng(0)
    slopes = rng.standard_normal((3, 500))
    one = Surrogate(linear([0, 0, 0], s0=slopes.tolist()), Event(limit=1.0, images=3, rank=1))
    factor = one._factor(Part(0, 0))
    assert factor.shape == (3, 3)
    np.testing.assert_allclose(factor @ factor.T, slopes @ slopes.T, rtol=1e-4)


def test_a_regression_has_scores_of_its_errors():
    one = Surrogate(linear([3, 4], s0=[[0], [0]]), Event(limit=5.0, images=2, rank=None))
    score, rmse = one.score(np.array([[3.0, 4.0]]))[:, 0]
    assert rmse == pytest.approx(np.sqrt(12.5)) and score == pytest.approx(5 - rmse)


# ---- places


def test_shares_are_placed_in_tiles_and_lines(build):
    circuit = build.circuit()
    stage = circuit.stages[0]
    rng = np.random.default_rng(0)
    shares = {
        Key(0, 0, 0, 0): rng.random(stage.g.shape),
        Key(0, 0, 10, 0): rng.random(stage.r_f.shape),
        Key(0, 0, 13, 0): rng.random(stage.r_c.shape),
        Key(0, 0, 21, 0): rng.random(stage.gain.shape),
        Key(-1, 0, 7, 0): rng.random(2),
    }
    total = sum(float(of.sum()) for of in shares.values())
    shares = {key: of / total for key, of in shares.items()}
    placed, seen = place(circuit, shares)
    assert seen == pytest.approx(1 - shares[Key(-1, 0, 7, 0)].sum())
    cells = shares[Key(0, 0, 0, 0)]
    tiles = tiles_of(placed, circuit.hardware)
    found = {(t["down"], t["across"]): t["share"] for t in tiles if t["layer"] == 0}
    assert found[1, 0] == pytest.approx(cells[4:8, :4].sum(), abs=1e-6)
    assert [t["share"] for t in tiles] == sorted((t["share"] for t in tiles), reverse=True)
    line = next(o for o in lines_of(placed) if (o["layer"], o["output"]) == (0, 1))
    assert line["cells"] == pytest.approx(cells[:, 2:4].sum(), abs=1e-6)
    own = shares[Key(0, 0, 13, 0)][2:4].sum() + shares[Key(0, 0, 21, 0)][1]
    assert line["amplifiers"] == pytest.approx(own, abs=1e-6)
    first: Placed = placed[0]
    assert first.bands(4).sum() == pytest.approx(cells.sum())


# ---- the study


@pytest.fixture(scope="module")
def study(build, images, tmp_path_factory) -> Any:
    return ak.sensitivity(
        build, images, samples=16, variation=MOST, out=tmp_path_factory.mktemp("run") / "r",
        judge="2x5", progress=False,
    )  # fmt: skip


def test_the_first_cause_is_confirmed(study):
    c = study.confirmed
    assert c["settings"] == study.causes[0]["settings"]
    assert c["score_fits"] and c["draws_fit"]
    low, high = c["score_ratio_ci95"]
    assert low <= c["score_ratio_predicted"] <= high < 1
    assert study.judge["passed"] and study.judge["chips"] == 2


def test_both_ways_agree_on_what_is_first(study):
    one = study.shares[0]
    assert one["quantity"] == max(study.shares, key=lambda o: o.get("gradient", 0))["quantity"]
    assert one["gradient_total"] == pytest.approx(one["total"], abs=0.2)
    for entry in ("gradient", "gradient_unweighted"):
        assert sum(part.get(entry, 0) for part in study.shares) == pytest.approx(1)
    low, high = study.first_sum_ci95
    assert low <= study.first_sum <= high


def test_the_study_says_what_its_shares_are(study):
    told = " ".join(study.sentences())
    assert "no gradient, measured by draws alone: trim: trim cell in layer 0" in told
    assert "confirmed: 32 chips without" in told and ", which fits" in told
    listing = study.facts()
    assert {len(row) for row in listing.rows} == {len(listing.columns)}
    names = [row[0] for row in listing.rows]
    assert names[0] == ", ".join(study.causes[0]["settings"])
    assert sum(name.startswith("tile, row ") for name in names) == 5
    assert sum(name.startswith("lines of output ") for name in names) == 5
    boxes = study.map["boxes"]
    assert sum(box["share"] for box in boxes) == pytest.approx(study.summary["placed"], abs=1e-4)
    for box in boxes:
        assert box["x"] + box["width"] <= study.map["width"] + 1e-9
        assert box["y"] + box["height"] <= study.map["height"] + 1e-9


def test_a_run_is_gone_on_with_extended_and_reported(build, images, tmp_path, monkeypatch):
    given: dict[str, Any] = {"variation": Variation(sigma_g=0.05), "judge": "none"}
    run = tmp_path / "run"
    ak.sensitivity(build, images, samples=4, out=run, progress=False, **given)
    seen, read = [], Bench.read
    monkeypatch.setattr(Bench, "read", lambda b, p: seen.append(p) or read(b, p))
    again = ak.sensitivity(build, images, samples=4, out=run, progress=False, **given)
    assert not [p for p in seen if p.own is not None]
    more = ak.sensitivity(build, images, samples=5, out=run, progress=False, **given)
    new = [p.sample % AHEAD for p in seen if p.own is not None]
    assert len(new) == len(again.rows) / 4 and {*new} == {4}
    assert json.loads((run / "result.json").read_text()) == json.loads(json.dumps(more.summary))
    page = ak.write_report(run, tmp_path / "r.html", build=build.folder)
    assert page["sections"][-1] == "Sensitivity"
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'id="figure-sensitivity"' in text and 'id="figure-sensitivity-map"' in text


def test_faults_are_measured_by_draws_alone(build, images, tmp_path):
    found = ak.sensitivity(
        build, images, samples=4, variation=FAULTY, judge="none", out=tmp_path / "run",
        progress=False,
    )  # fmt: skip
    faults = [one for one in found.shares if not one["normal"]]
    assert {one["quantity"] for one in faults} == {
        "stuck cells: stuck", "dead diodes: dead diode",
    }  # fmt: skip
    assert all("gradient" not in one and one["total"] >= 0 for one in faults)
    assert found.confirmed["score_ratio_predicted"] is None
    assert "nothing was predicted" in found.sentences()[-2]  # nor has so few an interval


def test_faults_alone_have_no_gradients(build, images, tmp_path):
    found = ak.sensitivity(
        build, images, samples=8, variation=Variation(stuck_max=0.05), judge="none",
        out=tmp_path / "run", progress=False,
    )  # fmt: skip
    assert found.no_gradients == "nothing that is drawn has a derivative"
    assert found.bands == [] and found.plot().axes
    given = found.plot().add_subplot()
    assert found.plot(ax=given) is given.figure and given.get_legend()
    assert "tiles or lines: nothing that is drawn has a derivative" in " ".join(found.sentences())


def test_without_gradients_there_are_draws(build, images, tmp_path, monkeypatch):
    def refuse(*given: Any) -> Linear:
        raise SimulationError("np.linalg.svd of imperfection 'odd' cannot be differentiated")

    monkeypatch.setattr(sensitivity_found, "linearise", refuse)
    found = ak.sensitivity(
        build, images, samples=4, variation=Variation(sigma_g=0.05), judge="none",
        out=tmp_path / "run", progress=False,
    )  # fmt: skip
    assert found.map is None and not found.tiles and len(found.figures()) == 1
    assert (
        "no shares by gradients, tiles or lines: np.linalg.svd of imperfection 'odd' cannot be "
        "differentiated"
    ) in found.sentences()


def test_a_regression_has_shares_of_its_rmse(tmp_path):
    spec, points = network(3, hidden=4, outputs=2)
    write_build(spec, Hardware(), tmp_path / "m.build")
    found = ak.sensitivity(
        tmp_path / "m.build", points, samples=4, judge="none", out=tmp_path / "run",
        variation=Variation(sigma_g=0.01, offset_sigma=1e-4), progress=False,
    )  # fmt: skip
    assert found.event["rank"] is None and found.score_std == pytest.approx(found.reached_std)
    spread = found.summary["gradient_score_std"]
    assert spread == pytest.approx(found.score_std, rel=0.8)
    assert "the score of a chip is the limit less its RMSE, below 0" in found.sentences()[0]
    assert "images weighted by their squared errors" in " ".join(found.sentences())


def test_convolutions_have_shares_of_their_layers(tmp_path):
    spec = convolutional_spec()
    write_build(spec, Hardware(), tmp_path / "conv.build", most=60)
    found = ak.sensitivity(
        tmp_path / "conv.build", convolutional_images(6, 6), samples=4, judge="none",
        variation=Variation(sigma_g=0.05),
        out=tmp_path / "run", progress=False,
    )  # fmt: skip
    assert {one["layer"] for one in found.shares if one["quantity"] == "programming: cell"} == {
        str(k) for k in range(len(spec.layers))
    }


def test_settings_with_nothing_drawn_are_refused(build, images, tmp_path):
    given: dict[str, Any] = {"judge": "none", "out": tmp_path / "run", "progress": False}
    for variation in (Variation(), Variation(trim="dark"), Variation(drift_nu=0.01)):
        with pytest.raises(
            SettingsError,
            match=r"^sensitivity shares out what chance does, and with these settings nothing is "
            r"drawn: give --preset rram, or --set sigma_g=0\.05 and the like$",
        ):
            ak.sensitivity(build, images, variation=variation, **given)
    assert not (tmp_path / "run").exists()


def test_a_limit_that_no_chip_misses_is_refused(build, images, tmp_path):
    with pytest.raises(
        SettingsError, match=r"^yield_at = 0 is an accuracy that every chip reaches, so none is a"
    ):
        ak.sensitivity(build, images, yield_at=0, judge="none", out=tmp_path / "run")


def test_chips_that_do_not_differ_have_nothing_to_share_out(build, images, tmp_path):
    with pytest.raises(StudyError, match=r"^all chips have the same score: nothing that is drawn"):
        ak.sensitivity(
            build, images, samples=4, judge="none", out=tmp_path / "run", progress=False,
            variation=Variation(offset_drift_sigma=1e-6),
        )  # fmt: skip
