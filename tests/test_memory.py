"""Measured cells: programming, verification, drift and read noise by state, and their limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.errors import SettingsError
from analogkan.imperfections import Conditions, Variation
from analogkan.imperfections.make import perturb
from analogkan.imperfections.programming import written

from .networks import random_spec

SPEC = random_spec(3, (6, 5, 4))
N = 100_000


def normal(seed: int = 0):
    """Draws for ``written``: others for each name and try."""

    def drawn(name: str, shape: tuple[int, ...], k: int) -> np.ndarray:
        return np.random.default_rng([seed, k, *name.encode()]).standard_normal(shape)

    return drawn


# ---- programming


def test_one_try_is_what_cells_of_sigmas_always_were():
    target, hardware = np.array([0.0, 1e-7, 5e-6, 25e-6]), Hardware(g_min=1e-7)
    of = Variation(sigma_g=0.5, sigma_g_abs=0.1)
    g, counts = written(target, of, hardware, normal())
    drawn = {name: normal()(name, target.shape, 0) for name in ("cell", "cell_abs")}
    wanted = target * (1 + 0.5 * drawn["cell"]) + 25e-6 * (0.1 * drawn["cell_abs"])
    wanted = np.where(target > 0, np.maximum(wanted, 1e-8), 0.0)
    np.testing.assert_array_equal(g, wanted)
    assert counts == {"clipped_cells": int((wanted == 1e-8).sum())}


@pytest.mark.parametrize(
    ("setting", "value", "window"),
    [("verify_window", 0.02, 0.02 * 10e-6), ("verify_window_abs", 3e-7, 3e-7)],
)
def test_a_verified_cell_is_within_its_window_or_counted(setting, value, window):
    target, sigma, tries = np.full(N, 10e-6), 0.05, 4
    of = Variation(sigma_g=sigma, verify_tries=tries, **{setting: value})
    g, counts = written(target, of, Hardware(), normal())
    p = stats.norm.cdf(window / 10e-6 / sigma) - stats.norm.cdf(-window / 10e-6 / sigma)
    off = np.abs(g - target) > window
    assert counts["unverified_cells"] == off.sum()
    left = (1 - p) ** tries
    assert abs(off.mean() - left) < 4 * np.sqrt(left * (1 - left) / N)
    inside = (g[~off] / target[~off] - 1) / sigma
    limit = window / 10e-6 / sigma
    assert stats.kstest(inside, stats.truncnorm(-limit, limit).cdf).pvalue > 1e-3
    once, _ = written(target, Variation(sigma_g=sigma), Hardware(), normal())
    near = np.abs(once - target) <= window
    np.testing.assert_array_equal(g[near], once[near])


def test_both_windows_are_refused():
    with pytest.raises(
        SettingsError,
        match=r"^verify_window_abs = 1e-07 is out of range: 0 with verify_window = 0.02: a window "
        "is a share of the target or siemens, not both$",
    ):
        Variation(verify_window=0.02, verify_window_abs=1e-7)


def chip(variation: Variation, conditions: Conditions = Conditions(), **hardware: Any):
    design = build_design(SPEC, Hardware(**hardware))
    return perturb(design, variation, conditions, spec=SPEC, seed=0, sample=0)


def test_unverified_cells_are_counted_where_cells_are_verified_alone():
    assert "unverified_cells" not in chip(Variation(sigma_g=0.1))[1]
    assert chip(Variation(sigma_g=0.1, verify_window=0.1))[1]["unverified_cells"] == 0
    found = chip(Variation(sigma_g=0.1, verify_window=0.01, verify_tries=2))[1]
    assert found["unverified_cells"] > 0
