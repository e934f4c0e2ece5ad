"""Estimators of rare failures: intervals that hold the truth, and refusals where none would."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache

import numpy as np
import pytest
from scipy import stats

from analogkan import rare
from analogkan.coordinates import Key, Linear, Mix
from analogkan.errors import StudyError, UntrustedError
from analogkan.rare.sobol import SobolPoint
from analogkan.rare.surrogate import Conditional, Surrogate
from analogkan.streams import Place
from benchmarks import rare as bench

HERE = Place(seed=5, sample=3, layer=0)
REPEATS, CHEAP = 15, 20_000
BUDGETS = {
    ("plain", 3): 10_000,
    ("subset", 4): 2_000,
    ("scaled", 4): 1_250,
    ("sobol", 2.5): 8_200,
    ("control", 4): 1_000,
}


def score(values):
    """Of chips whose one coordinate that matters is drawn by ``bench.Chips``."""
    return lambda seed: bench.Chips(lambda z: values(z[:, 0]), 2, seed)


def asked(method, samples, seed=0):
    listed = {bench.KEY: (2,)}
    return bench.asking(method, samples, seed, bench.linear_surrogate(4), 1, listed, CHEAP)


@lru_cache
def linear(method, beta):
    """Repeats of the linear case."""
    repeats = 6 if method == "sobol" else REPEATS
    return bench.linear(method, beta, BUDGETS[method, beta], repeats, CHEAP)


@pytest.mark.parametrize("method, beta", BUDGETS)
def test_intervals_hold_the_truth_of_the_linear_case(method, beta):
    found = linear(method, beta)
    p = float(stats.norm.cdf(-beta))
    assert len(found.estimates) >= 4 * len(found.refused), found.refused
    assert found.held(p) >= 0.8 * len(found.estimates)
    mean = np.mean([e.p for e in found.estimates])
    error = np.sqrt(np.mean([(e.cv * e.p) ** 2 for e in found.estimates]) / len(found.estimates))
    assert abs(mean - p) < 4 * error
    for e in found.estimates:
        assert e.ci95[0] < e.p < e.ci95[1] or e.bound
        assert json.loads(json.dumps(e.levels, allow_nan=False)) == e.levels
        assert e.simulated <= {"subset": 4.7, "scaled": 8}.get(method, 1) * BUDGETS[method, beta]


@pytest.mark.parametrize("method, gain", [("subset", 20), ("scaled", 2), ("control", 200)])
def test_what_is_rare_costs_fewer_chips_than_plain_draws(method, gain):
    found = linear(method, 4)
    effective = np.median([e.n_effective / e.simulated for e in found.estimates])
    assert effective > gain
    one = found.estimates[0]
    assert one.enough == pytest.approx(one.simulated * (one.cv / 0.1) ** 2)
    assert one.n_effective == pytest.approx((1 - one.p) / one.p / one.cv**2)


def test_a_thousand_coordinates_are_what_their_sum_is():
    drawn = bench.Drawn(2.5, 0)
    sums = bench.Chips(lambda z: 2.5 - z[:, 0], 1, 0, 4000)
    of = [drawn.place.of(m).normal(bench.KEY.stream, (bench.WIDTH,)) @ bench.A for m in range(4000)]
    sums.drawn[:, 0] = of
    full = bench.answered(rare.subset(1000, seed=0), drawn)
    short = bench.answered(rare.subset(1000, seed=0), sums)
    assert full.p == pytest.approx(short.p, rel=1e-12)
    assert full.ci95[0] < stats.norm.cdf(-2.5) < full.ci95[1]


@pytest.mark.parametrize("method", ["subset", "scaled", "control"])
@pytest.mark.parametrize("name", ["two regions", "4th of 200 margins", "steps"])
def test_what_is_not_linear_is_covered_or_refused(method, name, cases):
    case = cases[name]
    found = bench.other(case, method, 600 if method == "scaled" else 2_000, 4, CHEAP)
    assert found.held(case.p) >= len(found.estimates) - 1
    if name == "steps" and method == "subset":
        assert not found.estimates


@pytest.fixture(scope="module")
def cases():
    return bench.cases()


def test_a_surrogate_of_one_region_of_two_is_refused(cases):
    case = cases["two regions, a surrogate of one"]
    with pytest.raises(UntrustedError, match=r"correlation of their score with the simulated"):
        bench.answered(
            rare.control(1000, seed=0, linear=case.linear, k=1, cheap=CHEAP),
            bench.Chips(case.score, 2, 0),
        )


REFUSED = {
    "subset: it jumps": ("subset", 1000, lambda x: np.where(x > 4, -1.0, 1.0),
        r"stands still in level 0: 100 % of its chips have the score 1 or less, where a tenth is "
        r"wanted, so it jumps: take --method plain"),
    "subset: none can fail": ("subset", 1000, lambda x: 1 + np.exp(-x),
        r"found no chip that fails in 8 levels: fewer than about 1 in [\d,]+ do, if any can: set"),
    "scaled: none can fail": ("scaled", 250, lambda x: 1 + np.exp(-x),
        r"of 100 chips of 17\.9 times the spread 0 fail, fewer than 10 %: a larger spread does not "
        r"reach what fails: take --method subset"),
    "scaled: many fail": ("scaled", 250, lambda x: -1 + 0 * x,
        r"of 100 chips 100 fail, more than 40 %: there is nothing to scale: take --method plain"),
    "scaled: no such formula": ("scaled", 2_500,
        lambda x: np.where(abs(abs(x) - 4) < 1, -1.0, np.where(abs(x) > 9, -1.0, 1.0)),
        r"formula does not hold: its deviance from the failures at \d+ scales is [\d.e+]+, which "
        r"has a probability of [\de.-]+, below 0\.01: take --method subset"),
    "sobol: few fail": ("sobol", 4096, lambda x: 3 - x,
        r"of 4096 chips \d+ failed, fewer than the 20 by which scrambles can be compared: take"),
    "control: another score": ("control", 500, lambda x: 4 + x,
        r"their score with the simulated one is -0\.9\d, below 0\.7: take --method subset"),
    "control: none fails": ("control", 500, lambda x: 9 - x,
        r"none of \d+ chips failed, though they were chosen where linearised margins are lowest"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trusted_is_refused(name):
    method, samples, values, sentence = REFUSED[name]
    with pytest.raises(UntrustedError, match=sentence):
        bench.answered(asked(method, samples), score(values)(0))


def test_a_score_that_is_rough_is_refused():
    sentence = (
        r"stands still in level 2: of the moves of its chains \d\.\d % were accepted, fewer than "
        r"5 %: the score is not smooth there; take --method plain"
    )
    with pytest.raises(UntrustedError, match=sentence):
        bench.answered(asked("subset", 1000), score(lambda x: 1e6 * x % 1 - 1e-5)(0))


@pytest.mark.parametrize("correlation, sentence", [
    (0.9, r"strata none of whose chips failed may have \d+ % of p, which is about [\de.-]+, by the "
          r"mean and spread of their scores: more than 25 %: take more chips, or --method subset"),
    (0.75, r"\d chips of \d+ whose linearised score is between [\d.]+ and [\d.]+ make \d+ % of p, "
           r"which is about [\de.-]+: fewer than 5: take more chips, or --method subset"),
])  # fmt: skip
def test_a_surrogate_that_is_too_coarse_is_refused(correlation, sentence):
    found = bench.linear("control", 3.5, 800, 15, CHEAP, correlation)
    assert any(re.search(sentence, text) for text in found.refused)
    assert found.held(float(stats.norm.cdf(-3.5))) >= 0.8 * len(found.estimates)


def test_repetitions_that_differ_and_few_that_decide_are_refused():
    found = bench.linear("subset", 5, 1000, 10)
    for sentence in (
        r"repetitions differ too much: p is about .*, with a standard error of \d+ % of it, above "
        r"40 %: take \d+ times as many chips",
        r"all chips that fail come from 1\d of the first 1000, fewer than 15: p is about [\de.-]+, "
        r"but few chips decide: take more chips",
    ):
        assert any(re.search(sentence, text) for text in found.refused)


@pytest.mark.parametrize(
    "method, least", [("plain", 1), ("subset", 1000), ("scaled", 250), ("sobol", 256),
                      ("control", 500)]
)  # fmt: skip
def test_too_few_chips(method, least):
    sentence = f"--method {method} needs at least {least} chips, not {least - 1}"
    with pytest.raises(StudyError, match=sentence):
        next(asked(method, least - 1))


@pytest.mark.parametrize("method", ["plain", "sobol"])
def test_none_fails_is_a_bound(method):
    found = bench.answered(asked(method, 1024), score(lambda x: 9 - x)(0))
    assert found.bound and found.p == 0 and math.isnan(found.n_effective)
    assert found.ci95 == pytest.approx((0, 0.0035959), rel=1e-3)
    assert (
        "none of 1024 chips failed: fewer than 1 in 278 do, with 95 % confidence" in found.notes[0]
    )


@pytest.mark.parametrize("method", ["plain", "subset", "sobol"])
def test_each_fails_is_a_bound(method):
    found = bench.answered(asked(method, 1024), score(lambda x: -9 - x)(0))
    assert found.bound and found.p == 1
    assert "chips failed: more than 99.6" in found.notes[-1]
    assert found.notes[-1].endswith("set a limit that a chip can keep")


def test_failures_that_are_not_rare_are_counted():
    found = bench.answered(asked("subset", 1000), score(lambda x: 1 - x)(0))
    assert found.ci95[0] < stats.norm.cdf(-1) < found.ci95[1] and found.simulated == 1000
    assert found.notes == ["more than one chip in 10 fails: plain draws are as good"]


@pytest.mark.parametrize("method, samples", [("plain", 2500), *(
    (name, min(n, 4096)) for (name, _), n in BUDGETS.items() if name != "plain"
)])  # fmt: skip
def test_the_same_answers_make_the_same_questions_and_no_chip_is_used_twice(method, samples):
    def documents():
        chips, told = score(lambda x: 2.5 - x)(0), []

        def answer(asked):
            told.extend(chip.document() for chip in asked)
            return chips(asked)

        return told, bench.answered(asked(method, samples), answer)

    told, found = documents()
    again, twice = documents()
    assert told == again and found.p == twice.p and found.ci95 == twice.ci95
    fresh = [max(part[0] for part in one.get("rest", one)["parts"]) for one in told]
    assert sorted(fresh) == list(range(len(told))) and found.simulated == len(told)
    assert len({str(one) for one in told}) == len(told)


def test_the_first_number_is_chosen():
    [chip] = next(rare.plain(1, 12, frozen=True))
    assert chip == Mix(((12, 1.0),), frozen=True)
    with pytest.raises(StudyError, match="chips have numbers below 2147483648, and all are taken"):
        next(rare.plain(2, 2**31 - 1))


def test_a_chip_that_is_not_simulated_fails():
    found = bench.answered(rare.plain(100), lambda asked: np.r_[-math.inf, np.ones(len(asked) - 1)])
    assert found.p == 0.01


LINEAR = Linear(
    np.array([1.0, 2.0, 3.0, 40.0]),
    {
        Key(0, 0, 1, 0): np.random.default_rng(0).normal(size=(4, 3, 5)),
        Key(2, 1, 7, 4): np.random.default_rng(1).normal(size=(4, 6)),
    },
)


def test_a_chip_whose_linearised_margins_are_given_has_them():
    surrogate = Surrogate.of(LINEAR, 2)
    assert len(surrogate.values) == 3  # the fourth is out of reach
    target = np.array([0.3, -2.0, 1.0])
    chip = Conditional(surrogate.directions, target, Mix(((9, 1.0),)))
    here = HERE.__class__(seed=5, sample=3, layer=0, source=chip)
    wanted = surrogate.values + surrogate.slopes @ target
    assert LINEAR.at(here)[:3] == pytest.approx(wanted, abs=1e-12)
    assert surrogate.scores(target) == pytest.approx(np.sort(wanted)[1])
    rest = Mix(((9, 1.0),))
    assert np.array_equal(
        chip.normal(HERE, 3, (4,), 0), rest.normal(HERE, 3, (4,), 0)
    ) and np.array_equal(chip.uniform(HERE, 3, (4,)), rest.uniform(HERE, 3, (4,)))


def test_chips_along_drawn_directions_are_as_probable_as_any():
    surrogate = Surrogate.of(LINEAR, 2)
    rng = np.random.default_rng(0)
    drawn = []
    for number in range(3000):
        chip = Conditional(surrogate.directions, rng.standard_normal(3), Mix(((number, 1.0),)))
        drawn.append(chip.normal(HERE, 1, (3, 5), 0).ravel())
    covariance = np.cov(np.array(drawn).T)
    assert abs(covariance - np.eye(15)).max() < 0.12  # 4.6 standard errors of the diagonal
    assert abs(np.mean(drawn, axis=0)).max() < 0.08


def test_nothing_to_linearise_is_refused():
    flat = Linear(np.ones(3), {Key(0, 0, 1, 0): np.zeros((3, 2))})
    with pytest.raises(StudyError, match="nothing that margins depend on is drawn"):
        Surrogate.of(flat, 1)
    with pytest.raises(StudyError, match="the 5th smallest of 4 margins is none of them"):
        Surrogate.of(LINEAR, 5)


def test_margins_that_cannot_fail_are_refused():
    rng = np.random.default_rng(0)
    far = Linear(np.full(2, 100.0), {Key(0, 0, 1, 0): rng.normal(size=(2, 2))})
    with pytest.raises(UntrustedError, match=r"none of \d+ chips failed, though they were chosen"):
        bench.answered(
            rare.control(500, seed=0, linear=far, k=1, cheap=CHEAP),
            bench.Chips(lambda z: (far.values + z @ far.slopes[bench.KEY].T).min(axis=1), 2, 0),
        )


def test_sobol_points_are_even_and_the_rest_is_drawn():
    listed = ((Key(0, 0, 1, 0), (2,)), (Key(0, 0, 4, 1), (3, 1)))
    points = [SobolPoint(0, 0, i, listed, Mix(((i, 1.0),))) for i in range(512)]
    for key, shape in listed:
        values = np.array([p.normal(HERE, key.stream, shape, key.block).ravel() for p in points])
        counts = [np.histogram(stats.norm.cdf(v), 16, (0, 1))[0] for v in values.T]
        assert all((c == 32).all() for c in counts)
    assert np.array_equal(points[7].normal(HERE, 2, (3,), 0), HERE.of(7).normal(2, (3,)))
    assert np.array_equal(points[7].uniform(HERE, 2, (3,)), HERE.of(7).uniform(2, (3,)))


def test_sobol_needs_coordinates():
    sentence = r"spreads 1 to 21201 coordinates .* evenly, and these settings draw 0: take"
    with pytest.raises(StudyError, match=sentence):
        next(rare.sobol(1000, seed=0, listed={}))


@pytest.mark.parametrize("method", ["plain", "subset", "control"])
def test_other_limits_have_intervals_too(method):
    found = bench.answered(asked(method, 4000), score(lambda x: 4 - x)(1))
    assert found.sample is not None
    for limit in (1.5, 2.0, 2.5):  # scores are what is reached, here
        p, pair = found.sample.beyond(limit)
        assert pair[0] < stats.norm.cdf(limit - 4) < pair[1]
        assert pair[0] < p < pair[1]
    p, (low, high) = found.sample.beyond(-99.0)
    assert p == low == 0 and (math.isnan(high) or method == "plain")
    assert found.sample.beyond(4.0, above=True)[0] == pytest.approx(0.5, abs=0.05)
