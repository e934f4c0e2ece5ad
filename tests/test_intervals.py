"""Confidence intervals: published values, symmetry, and the coverage they promise."""

from __future__ import annotations

import numpy as np
import pytest

from analogkan.intervals import bootstrap, paired_difference, student, wilson

YES, NO = np.ones(200, bool), np.zeros(200, bool)


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17, 857, Table I
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(correct, n, low, high):
    assert wilson(correct, n) == pytest.approx((low, high), abs=5e-5)


def test_a_wilson_interval_of_all_right_ends_at_1_and_mirrors_all_wrong():
    low, high = wilson(50, 50)
    assert high == 1.0
    assert wilson(0, 50) == pytest.approx((0.0, 1.0 - low), abs=1e-12)


def test_more_confidence_is_a_wider_interval():
    narrow, wide = (wilson(90, 100, confidence=c) for c in (0.9, 0.99))
    assert wide[0] < narrow[0] < 0.9 < narrow[1] < wide[1]


def test_a_paired_difference_contains_0_when_no_image_differs():
    for both in (YES, NO):
        low, high = paired_difference(both, both)
        assert low < 0 < high
        assert high == pytest.approx(-low)
        assert high < 0.02


def test_exchanging_the_two_mirrors_the_interval():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 200)) < 0.8
    low, high = paired_difference(first, second)
    assert paired_difference(second, first) == pytest.approx((-high, -low), abs=1e-9)


def test_a_gain_is_positive_and_stays_within_1():
    low, high = paired_difference(NO, YES)
    assert 0.9 < low < high <= 1.0


@pytest.mark.parametrize(
    ("lost", "won"), [(0.03, 0.06), (0.005, 0.005), (0.2, 0.1), (0.01, 0.0), (0.0, 0.004)]
)
def test_95_percent_intervals_of_a_difference_cover_it(lost, won):
    # 2,000 draws of 200 images: 0.93 is four standard errors below 0.95.
    rng = np.random.default_rng(1)
    kinds = rng.choice(4, p=[lost, won, 0.6, 0.4 - lost - won], size=(2000, 200))
    covered = 0
    for kind in kinds:
        low, high = paired_difference((kind == 0) | (kind == 2), (kind == 1) | (kind == 2))
        covered += low <= won - lost <= high
    assert covered / 2000 >= 0.93


def test_95_percent_wilson_intervals_cover_the_accuracy():
    drawn, times = np.unique(np.random.default_rng(2).binomial(200, 0.97, 2000), return_counts=True)
    bounds = np.array([wilson(int(k), 200) for k in drawn])
    assert times[(bounds[:, 0] <= 0.97) & (bounds[:, 1] >= 0.97)].sum() / 2000 >= 0.93


def test_students_interval_is_the_textbooks():
    # t(0.975, 4) = 2.776445; mean 3, standard error sqrt(2.5 / 5)
    half = 2.7764451051977987 * np.sqrt(0.5)
    assert student(np.arange(1.0, 6.0)) == pytest.approx((3 - half, 3 + half))


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5, 0.5]])
def test_no_spread_no_interval(values):
    assert student(np.array(values)) is None
    assert bootstrap(np.array(values), lambda x: x.mean(axis=1)) is None


def test_a_bootstrap_is_the_same_for_the_same_seed_and_agrees_with_student_on_a_mean():
    values = np.random.default_rng(3).normal(size=400)
    found = bootstrap(values, lambda x: x.mean(axis=1), seed=1)
    assert found == bootstrap(values, lambda x: x.mean(axis=1), seed=1)
    assert found != bootstrap(values, lambda x: x.mean(axis=1), seed=2)
    assert found == pytest.approx(student(values), abs=0.01)


def test_bootstrap_intervals_of_a_median_and_a_spread_cover_them():
    rng = np.random.default_rng(4)
    median = spread = 0
    for k in range(300):
        values = rng.normal(size=100)
        low, high = bootstrap(values, lambda x: np.median(x, axis=1), seed=k, draws=400) or (1, 0)
        median += low <= 0 <= high
        low, high = bootstrap(values, lambda x: x.std(axis=1, ddof=1), seed=k, draws=400) or (1, 0)
        spread += low <= 1 <= high
    # 95 % less four standard errors of 300, and what a percentile bootstrap lacks at 100 values
    assert min(median, spread) >= 0.87 * 300
