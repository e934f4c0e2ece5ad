"""Fits by other methods: what they must keep, and how far the stated error is true."""

from __future__ import annotations

from itertools import combinations, pairwise
from re import escape

import numpy as np
import pytest

from analogkan.devices import IVCurve, get, names
from analogkan.devices.interpolate import refit
from analogkan.errors import DeviceError, SettingsError

A21 = get("A21")


def test_as_many_segments_as_the_table_has_are_the_table():
    for name in names():
        curve = get(name)
        fit = refit(curve, "pwl", order=curve.v.size - 1)
        np.testing.assert_array_equal(fit.curve.v, curve.v)
        np.testing.assert_array_equal(fit.curve.i, curve.i)
        assert fit.max_residual == 0.0


def test_the_segments_of_a_piecewise_linear_curve_are_found():
    knots, table = np.array([0.0, 0.3, 0.5, 1.0]), np.array([0.0, 2e-6, 1e-6, 3e-6])
    v = np.linspace(0.0, 1.0, 101)
    fit = refit(IVCurve("K", v, np.interp(v, knots, table)), "pwl", order=3)
    np.testing.assert_allclose(fit.curve.v, knots, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fit.curve.i, table, rtol=0, atol=1e-15)


def test_no_other_choice_of_knots_through_the_points_is_better():
    v, i = A21.v[::2], A21.i[::2]
    curve = IVCurve("half", v, i)
    fit = refit(curve, "pwl", order=4)
    inner = combinations(range(1, v.size - 1), 3)
    through = [np.interp(v, v[[0, *c, -1]], i[[0, *c, -1]]) - i for c in inner]
    best = min(np.sqrt((r**2).mean()) for r in through) / curve.i_peak
    assert fit.rms_residual <= best


def test_more_segments_are_never_worse():
    residuals = [refit(A21, "pwl", order=k).rms_residual for k in range(1, 27)]
    assert all(b <= a * 1.001 for a, b in pairwise(residuals))


@pytest.mark.parametrize("name", names())
def test_pchip_goes_through_the_points_and_never_beyond_its_neighbours(name):
    curve = get(name)
    fit = refit(curve, "pchip")
    assert fit.max_residual < 1e-6  # six digits are kept
    assert fit.table_error <= 1e-3
    segment = np.clip(np.searchsorted(curve.v, fit.curve.v, side="right") - 1, 0, curve.v.size - 2)
    ends = np.stack([curve.i[segment], curve.i[segment + 1]])
    room = 1e-6 * curve.i_peak
    assert (fit.curve.i >= ends.min(axis=0) - room).all()
    assert (fit.curve.i <= ends.max(axis=0) + room).all()
    assert fit.curve.i.min() >= min(curve.i.min(), 0) - room
    assert (fit.lowest, fit.v_lowest) == (0.0, 0.0)


@pytest.mark.parametrize("order", [1, 4, 9, 14])
@pytest.mark.parametrize("name", ["A21", "Z21"])
def test_a_polynomials_residual_is_numpys(name, order):
    curve = get(name)
    fit = refit(curve, "poly", order=order, tolerance=1e-5)
    exact = np.polynomial.Polynomial.fit(curve.v, curve.i, order)(curve.v)
    residual = (exact - curve.i) / curve.i_peak
    assert fit.rms_residual == pytest.approx(np.sqrt((residual**2).mean()), abs=2e-5)
    assert fit.max_residual == pytest.approx(np.abs(residual).max(), abs=2e-5)
    assert fit.table_error <= 1.2e-5


def test_a_fit_that_goes_negative_says_where():
    v = np.linspace(0.0, 1.0, 11)
    curve = IVCurve("P", v, 1e-6 * np.maximum(0.0, v - 0.5))
    fit = refit(curve, "poly", order=2, tolerance=1e-5)
    exact = np.polynomial.Polynomial.fit(v, curve.i, 2)
    grid = np.linspace(1e-3, 1.0, 5001)
    assert fit.lowest == pytest.approx(exact(grid).min() / curve.i_peak, abs=1e-4)
    assert fit.v_lowest == pytest.approx(grid[exact(grid).argmin()], abs=0.01)


def test_a_current_the_device_has_itself_is_not_reported():
    curve = IVCurve("N", np.array([0.0, 0.5, 1.0]), np.array([0.0, -1e-6, 2e-6]))
    assert refit(curve, "pwl", order=2).lowest == 0.0


def test_a_fitted_device_says_how_it_was_fitted():
    fit = refit(A21, "poly", order=9)
    assert (fit.curve.name, fit.curve.source) == ("A21_poly9", A21.source)
    assert fit.curve.notes.startswith(
        "poly of order 9 through 27 points of A21: residual rms 1.4e-"
    )
    assert refit(A21, "pchip").curve.name == "A21_pchip"
    assert refit(A21, "pwl", order=3, name="mine").curve.name == "mine"


BIG = IVCurve("big", np.linspace(0, 1, 2001), np.linspace(0, 1, 2001))


@pytest.mark.parametrize(
    ("curve", "method", "options", "sentence"),
    [
        (A21, "spline", {}, "fit method 'spline' is unknown: one of pwl, pchip, poly"),
        (
            A21,
            "pchip",
            {"order": 3},
            "pchip goes through every point, so it has no --order: leave it out",
        ),
        (A21, "poly", {}, "poly needs --order, its degree: 1 to 26 for A21"),
        (A21, "pwl", {}, "pwl needs --order, its number of segments: 1 to 26 for A21"),
        (
            A21,
            "poly",
            {"order": 27},
            "--order 27 is out of range: the degree is 1 to 26 for the 27 points of A21",
        ),
        (
            A21,
            "pwl",
            {"order": 0},
            "--order 0 is out of range: the number of segments is 1 to 26 for the 27 points of A21",
        ),
        (
            A21,
            "pchip",
            {"tolerance": 0.0},
            "a tolerance of 0 of the peak is out of range: 1e-6 to 0.1",
        ),
        (
            A21,
            "poly",
            {"order": 26},
            "poly of order 26 swings to 5.44e+03 times the peak of A21 between its points (limit "
            "10): give a lower --order",
        ),
        (
            BIG,
            "poly",
            {"order": 300},
            "device big: its 2001 points do not determine a polynomial of order 300: give a lower "
            "--order",
        ),
        (
            BIG,
            "pwl",
            {"order": 5},
            "big has 2001 points: pwl chooses among at most 2000. "
            "Import the sweep with a larger --step",
        ),
    ],
)
def test_a_fit_that_cannot_be_is_refused(curve, method, options, sentence):
    with pytest.raises((DeviceError, SettingsError), match=f"^{escape(sentence)}$"):
        refit(curve, method, **options)
