"""docs/physics.md: each equation as the page has it, against the code."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from analogkan.cells import NUMPY
from analogkan.cells.squash import BASE_VOLTS, THERMAL_VOLTS, pair_volts, saturation_current
from analogkan.compiler import closed_form as cf
from analogkan.compiler.columns import Columns
from analogkan.compiler.front import build_front
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.kron import reduce_tile
from analogkan.compiler.mapping import map_layer
from analogkan.compiler.stability import smallest_c_f
from analogkan.devices import get
from analogkan.devices.thermal import smear_share, table_at
from analogkan.engines.twin_arrays import current_table
from analogkan.network.squash import Squash

A, V_OS = 1e4, 2e-3


def test_a_row_solves_its_two_equations():
    r_f, i = 1.6e5, 2.1e-6
    r = cf.row_volts(i, r_f, A, V_OS)
    s = cf.summing_volts(r, A, V_OS)
    assert (s - r) / r_f == pytest.approx(i, rel=1e-12)
    assert r == pytest.approx(A * (V_OS - s), rel=1e-9)


def test_a_column_solves_its_two_equations_with_and_without_wires():
    rng = np.random.default_rng(0)
    g, v = rng.uniform(1e-6, 2e-5, 9), rng.uniform(-0.5, 0, 9)
    r_c = 1e4
    t = cf.line_volts(g @ v, g.sum(), r_c, A, V_OS)
    c = V_OS - t / A
    assert (g * (v - c)).sum() == pytest.approx((c - t) / r_c, rel=1e-9)
    one = np.ones(1)
    wired = cf.wired_line_volts(
        np.array([[g @ v]]), np.array([[g.sum()]]), r_c * one, A * one, V_OS * one, np.linalg,
        np.diag,
    )  # fmt: skip
    assert wired[0, 0] == pytest.approx(t, rel=1e-12)


def test_a_difference_amplifier_is_its_four_resistors():
    p, n, rho = 0.31, -0.12, 1.7
    u = cf.difference_volts(p, n, rho, A, V_OS)
    plus, minus = p * rho / (1 + rho), (n * rho + u) / (1 + rho)
    assert u == pytest.approx(A * (plus + V_OS - minus), rel=1e-9)


def test_a_summing_column_solves_its_equations():
    rng = np.random.default_rng(0)
    g, v = rng.uniform(1e-6, 2e-5, (9, 2)), rng.uniform(-0.5, 0, 9)
    r_f, r_n, r_x, one = 1.2e4, 9e3, 8e3, np.ones(2)
    columns = Columns(
        g=g.sum(axis=0), feet=None, r_c=np.array([r_f, r_n]), ratio=np.array([r_n / r_x]),
        line_gain=A * one, line_offset=V_OS * one, diff_gain=one[:0], diff_offset=one[:0],
        differences=False, xp=NUMPY,
    )  # fmt: skip
    lines = columns.lines((v @ g)[:, None], lambda volts: volts)
    (u,), (n,) = lines
    assert columns.outputs(lines, lambda volts: volts)[0, 0] == u
    c = V_OS - u / A
    assert (g[:, 0] * (v - c)).sum() + (n - c) / r_x + (u - c) / r_f == pytest.approx(0, abs=1e-15)
    alone = cf.line_volts(g[:, 1] @ v, g[:, 1].sum(), r_n, A, V_OS)
    assert n == pytest.approx(alone, rel=1e-12)


def test_pairs_and_bias_rows_are_what_the_page_says():
    rng = np.random.default_rng(1)
    hardware = Hardware(max_bias_rows=4)
    theta, b = rng.normal(size=(5, 3, 2)), np.array([0.3, -6.0, 40.0])
    made = map_layer(theta, b, hardware)
    span = hardware.g_max - hardware.g_min
    largest = np.abs(theta).max(axis=(0, 2))
    alpha = np.maximum(largest, np.abs(b) / 4) / span
    np.testing.assert_allclose(made.alpha, alpha, rtol=1e-14)
    assert made.n_bias == max(math.ceil(x - 1e-12) for x in np.abs(b) / (alpha * span))
    pairs = made.g[:, 0::2] - made.g[:, 1::2]
    for k in range(made.n_bias):
        filled = np.minimum(np.maximum(np.abs(b) / alpha - k * span, 0), span)
        np.testing.assert_allclose(np.abs(pairs[10 + k]), filled, atol=1e-18)
    np.testing.assert_allclose(pairs[2 * 3 + 1] * alpha, theta[3, :, 1], rtol=1e-9)


@pytest.mark.parametrize("temp_c", [-40.0, 26.85, 125.0])
def test_a_chips_factors_and_the_temperature_compose_as_the_page_says(temp_c):
    curve, k_i, k_v, d_v, tc_i, tc_v = get("A21"), 1.05, 0.97, 4e-3, 2e-3, -1e-3
    hardware = Hardware(diode_tc_current=tc_i, diode_tc_voltage=tc_v)
    one = np.ones((1, 1))
    errors = SimpleNamespace(warmth=None, k_i=k_i * one, k_v=k_v * one, d_v=d_v * one)
    kinks, current = current_table(curve, hardware, temp_c, errors, 0)  # type: ignore[arg-type]
    v, dt = np.linspace(0.0, 1.3, 500), temp_c - 26.85
    u = (k_v * v + d_v * np.clip(v / 0.05, 0, 1)) / (1 + tc_v * dt)
    wanted = k_i * (1 + tc_i * dt) * curve.current(u)
    np.testing.assert_allclose(
        np.interp(v, kinks[0], current[0]), wanted, rtol=0, atol=1e-12 * curve.i_peak
    )


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_roots_move_to_the_left_at_the_smallest_c_f(share):
    r_f, fall, gbw, c_in = 1.6e5, 2.4e-5, 1e7, 5e-14
    c_f = share * smallest_c_f(fall, r_f, gbw)
    w = 2 * math.pi * gbw
    roots = np.roots([c_f + c_in, 1 / r_f - fall + w * c_f, w / r_f])
    assert (roots.real < 0).all() == (share > 1)


def test_a_tile_is_its_schur_complement():
    rng = np.random.default_rng(2)
    rows, cols, wire = 3, 2, 0.05
    g = rng.uniform(1e-3, 1e-2, (rows, cols))  # large, so that wires matter
    along = lambda r, c: rows + cols + r * cols + c  # noqa: E731
    down = lambda r, c: along(r, c) + rows * cols  # noqa: E731
    y = np.zeros((rows + cols + 2 * rows * cols,) * 2)

    def join(a: int, b: int, siemens: float) -> None:
        y[[a, b], [a, b]] += siemens
        y[[a, b], [b, a]] -= siemens

    for r in range(rows):
        for c in range(cols):
            join(along(r, c - 1) if c else r, along(r, c), wire)
            join(along(r, c), down(r, c), g[r, c])
            join(down(r, c), down(r + 1, c) if r + 1 < rows else rows + c, wire)
    p = rows + cols
    reduced = y[:p, :p] - y[:p, p:] @ np.linalg.solve(y[p:, p:], y[p:, :p])
    ports = reduce_tile(g, wire, entries=True)
    np.testing.assert_allclose(ports.g, -reduced[:rows, rows:], rtol=1e-12)
    np.testing.assert_allclose(ports.feet, reduced[rows:, rows:], rtol=1e-12, atol=1e-16)
    assert ports.entries is not None
    np.testing.assert_allclose(ports.entries, reduced[:rows, :rows], rtol=1e-12, atol=1e-16)


def test_a_pair_is_the_sigmoid_and_its_early_effect():
    hardware = Hardware(opamp="ideal", npn_bf=100.0, npn_vaf=50.0)
    squash = Squash(kind="sigmoid", v_lo=0.1, v_hi=1.1, slope=3.0)
    front = build_front(squash, None, np.ones(1), hardware)
    beta = 100.0 * (1 + 1 / 50.0)
    assert front.r_load == pytest.approx(1.0 * (1 + beta) / beta / hardware.i_tail, rel=1e-12)
    assert front.attenuation[0] == pytest.approx(3.0 * THERMAL_VOLTS, rel=1e-12)
    drive, v_t = 0.03, 300 * 1.38064852e-23 / 1.6021766208e-19
    at = torch.tensor([drive], dtype=torch.float64)
    rho, leak = math.exp(drive / v_t), saturation_current(26.85)
    e_1, e_2 = 1 - (BASE_VOLTS + drive) / 50, 1 - BASE_VOLTS / 50
    i = (1e-5 + 2 * leak / 100) * rho * e_1 / (rho * (e_1 + 0.01) + e_2 + 0.01) + leak
    found = pair_volts(at, front.params(1.0, hardware), hardware, 26.85, torch)
    assert float(found[0]) == pytest.approx(0.1 + front.r_load * i, abs=1e-9)
    stiff = Hardware(opamp="ideal", npn_bf=1e6, npn_vaf=1e6)
    front = build_front(squash, None, np.ones(1), stiff)
    found = pair_volts(at, front.params(1.0, stiff), stiff, 26.85, torch)
    assert float(found[0]) == pytest.approx(squash(np.array([drive / v_t / 3.0]))[0], abs=1e-6)


def test_the_smearing_kernel_is_the_one_of_the_page():
    theta = math.pi * 300.0 / 400.0

    def kernel(x: float) -> float:  # e = x kT, times kT
        return math.sin(theta) / (math.cosh(x) + math.cos(theta)) / (2 * theta)

    for x in (-3.0, 0.4, 2.0):
        share, _ = quad(kernel, -40, x)
        assert smear_share(np.array(x), theta) == pytest.approx(share, abs=1e-9)


def test_the_linear_law_scales_current_and_voltage():
    a21, dt = get("A21"), 60.0
    v, i = table_at(a21, 26.85 + dt, tc_current=-1e-3, tc_voltage=-3e-4)
    at = np.array([0.2, 0.61])
    expected = (1 - 1e-3 * dt) * a21.current(at / (1 - 3e-4 * dt))
    np.testing.assert_allclose(np.interp(at, v, i), expected, rtol=1e-12)
    assert cf.drifted(1e-3, 2e-6, dt) == pytest.approx(1 + 1e-3 * dt + 2e-6 * dt * dt)
