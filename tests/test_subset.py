"""Subsets: class-stratified counts and ranges of a data set."""

from __future__ import annotations

from re import escape

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogkan.data import parse_subset, stratified
from analogkan.errors import DataError, SettingsError

Y = np.arange(20) % 4


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.data())
def test_a_stratified_subset_holds_each_class_by_its_share(labels, data):
    y = np.array(labels)
    n, seed = data.draw(st.integers(1, len(y))), data.draw(st.integers(0, 9))
    chosen = stratified(y, n, seed=seed)
    assert len(set(chosen.tolist())) == n
    assert (np.diff(chosen) > 0).all()
    share = n * np.bincount(y, minlength=5) / len(y)
    assert (np.abs(np.bincount(y[chosen], minlength=5) - share) < 1).all()
    np.testing.assert_array_equal(stratified(y, n, seed=seed), chosen)


def test_another_seed_draws_other_images():
    y = np.arange(1000) % 10
    assert stratified(y, 100, seed=0).tolist() != stratified(y, 100, seed=1).tolist()


@pytest.mark.parametrize("n", [0, -1, 21])
def test_a_subset_that_is_empty_or_larger_than_the_set_is_refused(n):
    sentence = f"^a subset of {n} images is not possible: there are 20$"
    with pytest.raises(DataError, match=sentence):
        stratified(Y, n)


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        (None, range(20)),
        ("0:3", range(3)),
        (":3", range(3)),
        ("17:", range(17, 20)),
        ("5:6", [5]),
        (":", range(20)),
    ],
)
def test_a_subset_is_all_or_a_range(text, positions):
    assert parse_subset(text, Y).tolist() == list(positions)


def test_a_subset_given_as_a_count_is_stratified_with_seed_0():
    assert parse_subset("8", Y).tolist() == stratified(Y, 8, seed=0).tolist()


@pytest.mark.parametrize("text", ["", "abc", "-3", "1.5", "1:2:3", "a:b", "1,2"])
def test_a_subset_in_another_form_is_refused(text):
    sentence = f"^subset {escape(repr(text))} is neither a count such as 200 nor a range such as"
    with pytest.raises(SettingsError, match=sentence):
        parse_subset(text, Y)


@pytest.mark.parametrize("text", ["3:3", "5:2", "0:21", "20:"])
def test_a_range_that_is_empty_or_leaves_the_set_is_refused(text):
    sentence = f"^subset {text} is empty or leaves the data set: it has 20 images$"
    with pytest.raises(DataError, match=sentence):
        parse_subset(text, Y)


def test_a_range_of_targets_is_of_points():
    sentence = "^subset 0:21 is empty or leaves the data set: it has 20 points$"
    with pytest.raises(DataError, match=sentence):
        parse_subset("0:21", Y[:, None] / 2)
