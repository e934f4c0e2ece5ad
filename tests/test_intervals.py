"""Confidence intervals: published values, symmetry, and the coverage they promise."""

from __future__ import annotations

import numpy as np
import pytest

from analogkan.intervals import (
    Sample,
    beside,
    bounded,
    exact,
    paired_difference,
    quantile,
    quantile_needs,
    spread,
    student,
    tango,
    welch,
    wilson,
)
from benchmarks.coverage import LOSSES, coverage, loss, loss_truth, proportions

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
    assert spread(np.array(values)) is None


def test_skewed_values_have_a_longer_interval():
    plain, longer = (student(np.arange(9.0), skewed=skewed) for skewed in (False, True))
    assert plain is not None and longer is not None
    assert np.ptp(longer) == pytest.approx(1.5 * np.ptp(plain))  # 1 + 1.5 / sqrt(9)


def test_a_spread_needs_ten_values():
    values = np.arange(20.0)
    assert spread(values[:9]) is None
    low, high = spread(values[:10]) or (0.0, 0.0)
    assert low < values[:10].std(ddof=1) < high
    assert spread(1 + 3 * values) == pytest.approx([3 * end for end in spread(values) or ()])


def test_a_quantile_has_an_interval_where_there_are_values_enough():
    # 1 - 0.95^59 = 0.9515 and 1 - 2 / 2^6 = 0.969: the smallest to reach 95 %
    assert [quantile_needs(q) for q in (0.05, 0.5, 0.95)] == [59, 6, 59]
    values = np.random.default_rng(0).permutation(100) / 1.0
    assert quantile(values[:58], 0.05) is quantile(values[:58], 0.95) is None
    assert quantile(values[:5], 0.5) is None
    # Conover, Practical Nonparametric Statistics: of 100, the 40th and 60th hold the median
    assert quantile(values, 0.5) == (39.0, 59.0)
    low, high = quantile(values, 0.05) or (1.0, 0.0)
    assert quantile(-values, 0.95) == (-high, -low)


def test_a_bounded_mean_counts_with_what_has_not_been_seen():
    assert bounded(np.array([0.98]), 0, 1) is None
    low, high = bounded(np.full(20, 0.98), 0, 1) or (1.0, 0.0)
    assert low < 0.98 * 0.025 ** (1 / 20)  # a twentieth part of chips at 0 may have stayed away
    assert 0.98 < high < 1
    assert bounded(np.zeros(50), -1, 1) is not None
    assert bounded(np.full(20, 0.02), 0, 1) == pytest.approx((1 - high, 1 - low))
    assert bounded(2 * np.full(20, 0.98) - 1, -1, 1) == pytest.approx((2 * low - 1, 2 * high - 1))


def test_parts_of_a_sum_add_in_squares():
    assert beside(1.0, (0.0, 5.0), (1.0 - 0.75, 4.0)) == pytest.approx((-0.25, 6.0))
    assert beside(1.0, (0.0, 2.0), None) == (0.0, 2.0)


def test_means_of_counts_are_counts_to_tango():
    low, high = tango(0.5, 1.5, 100)
    assert tango(0, 1, 100)[0] > low and high < tango(1, 2, 100)[1]
    assert low < -0.01 < high


def test_equal_values_do_not_make_a_difference_sure():
    assert welch(Sample(1.0, 0.0, 2), Sample(2.0, 0.1, 2)) is None


# ---- coverage: standard errors are those of 95 % of so many samples; floors are three below


def floor(times: int, of: float = 0.95) -> float:
    return of - 3 * np.sqrt(of * (1 - of) / times)


KINDS = {
    "normal": lambda rng, shape: rng.normal(0.98, 0.003, shape),
    "exponential": lambda rng, shape: 1 - rng.exponential(0.02, shape),
    "100 images": lambda rng, shape: rng.binomial(100, 0.985, shape) / 100,
}
STD = {"normal": 0.003, "exponential": 0.02, "100 images": np.sqrt(0.985 * 0.015 / 100)}


@pytest.mark.parametrize("n", [10, 20, 50])
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_of_a_spread_cover_it(kind, n):
    draws = KINDS[kind](np.random.default_rng(3), (300, n))
    assert coverage(draws, spread, STD[kind])[0] >= floor(300, 0.945)


@pytest.mark.parametrize(("n", "q"), [(59, 0.05), (60, 0.95), (10, 0.5), (100, 0.05)])
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_of_a_quantile_cover_it(kind, n, q):
    rng = np.random.default_rng(4)
    truth = float(np.quantile(KINDS[kind](rng, 400_000), q, method="inverted_cdf"))
    draws = KINDS[kind](rng, (300, n))
    assert coverage(draws, lambda x: quantile(x, q), truth)[0] >= floor(300)


@pytest.mark.parametrize("n", [5, 20])
def test_intervals_of_a_mean_that_few_chips_decide_cover_it(n):
    """One chip in twenty has lost a class; Student's holds the mean of 20 in a third of cases."""
    rng = np.random.default_rng(5)
    draws = np.where(rng.random((200, n)) < 0.05, 0.3, rng.normal(0.985, 0.003, (200, n)))
    truth = 0.05 * 0.3 + 0.95 * 0.985
    assert coverage(draws, lambda x: bounded(x, 0, 1), truth)[0] >= floor(200)


@pytest.mark.parametrize("n", [10, 50])
def test_intervals_of_a_skewed_mean_cover_it(n):
    draws = 1 - np.random.default_rng(6).exponential(0.02, (300, n))
    assert coverage(draws, lambda x: student(x, skewed=True), 0.98)[0] >= floor(300)


@pytest.mark.parametrize("n", [20, 100])
def test_an_exact_interval_covers_every_share_and_wilsons_only_most(n):
    assert proportions(exact, n)[1] >= 0.95
    mean, smallest = proportions(wilson, n)
    assert mean >= 0.95 and smallest < 0.90


@pytest.mark.parametrize("case", (LOSSES[0], LOSSES[3], LOSSES[4]))
def test_intervals_of_a_loss_cover_it_over_images_and_chips(case):
    rng = np.random.default_rng(7)
    found = coverage([case] * 200, lambda case: loss(rng, *case), loss_truth(case[2]))
    assert found[1] == 1 and found[0] >= floor(200)
