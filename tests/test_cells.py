"""Each cell of the library, alone on a PySpice test bench, does what its comment says."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from PySpice.Unit import u_uA  # pyright: ignore[reportAttributeAccessIssue]

from analogkan import cells
from analogkan.compiler.closed_form import line_volts
from analogkan.compiler.front import build_front
from analogkan.compiler.hardware import Hardware
from analogkan.devices.formulas import BOLTZMANN_OVER_CHARGE
from analogkan.network.squash import Squash

from .benches import CELLS, bench, solve, sweep, transient


def test_opamp_linear_amplifies_its_offset_and_draws_its_bias_current(session):
    follower = bench()
    follower.X("1", "opamp_linear", "in", "out", "out", gain=1e4, vos=2e-3)
    follower.V("1", "in", 0, 0.3)
    (out,) = solve(session, follower, "out")
    assert out == pytest.approx((0.3 + 2e-3) * 1e4 / (1e4 + 1), rel=1e-9)
    # The current that leaves the inverting node comes through the feedback resistor.
    inverter = bench()
    inverter.X("1", "opamp_linear", 0, "n", "out", gain=1e9, ib=1e-6)
    inverter.R("1", "n", "out", 100e3)
    (out,) = solve(session, inverter, "out")
    assert out == pytest.approx(1e-6 * 1e5, rel=1e-6)


def test_tia_turns_current_into_voltage_and_holds_its_input_at_ground(session):
    circuit = bench()
    circuit.I("1", 0, "in", 2e-6)
    circuit.X("1", "tia", "in", "out", rf=150e3)
    total, out = solve(session, circuit, "in", "out")
    assert out == pytest.approx(-0.3 * 1e5 / (1 + 1e5), rel=1e-9)
    assert total == pytest.approx(-out / 1e5, rel=1e-9)


def test_a_tia_with_a_capacitor_settles_as_its_time_constant_says(session):
    circuit = bench(opamp="opamp_ideal")
    circuit.PulseCurrentSource("1", 0, "in", 0, u_uA(2), 10, 20, 0, 1e-12, 1e-12)
    circuit.X("1", "tia", "in", "out", rf=150e3)
    circuit.C("1", "in", "out", 1e-12)
    time, out = transient(session, circuit, 1e-9, 1e-6, "out")
    assert time[0] == 0
    assert time[-1] == pytest.approx(1e-6)
    np.testing.assert_allclose(out, -0.3 * -np.expm1(-time / 150e-9), rtol=0, atol=1e-4)


def test_diff_amp_subtracts_with_its_gain(session):
    circuit = bench()
    circuit.V("1", "p", 0, 0.9)
    circuit.V("2", "n", 0, 0.2)
    circuit.X("1", "diff_amp", "p", "n", "out", gain=1.7)
    (out,) = solve(session, circuit, "out")
    loop = 1e5 / (1 + 1.7)
    assert out == pytest.approx(1.7 * 0.7 * loop / (1 + loop), rel=1e-9)


@pytest.mark.parametrize("cell", ["summing_amp", "summing_amp_rails"])
def test_summing_amp_adds_a_current_and_what_a_voltage_sends(session, cell):
    circuit = bench()
    circuit.I("1", 0, "in", 2e-6)
    circuit.V("1", "n", 0, -0.3)
    circuit.X("1", cell, "in", "n", "out", rf=150e3, rx=60e3)
    (out,) = solve(session, circuit, "out")
    exact = line_volts(2e-6 - 0.3 / 60e3, 1 / 60e3, 150e3, 1e5, 0.0)
    assert out == pytest.approx(exact, rel=1e-9)
    assert out == pytest.approx(-150e3 * (2e-6 - 0.3 / 60e3), rel=1e-4)


def test_clamp_limits_and_otherwise_passes(session):
    circuit = bench()
    circuit.V("1", "a", 0, 0)
    circuit.X("1", "clamp", "a", "b", lo=0.1, hi=0.8)
    given, got = sweep(session, circuit, "v1", (-1.0, 3.0, 0.05), "a", "b")
    assert len(given) == 81
    np.testing.assert_allclose(got, np.clip(given, 0.1, 0.8), rtol=0, atol=1e-15)


NPN = ".model npn npn(is=1e-16 bf={bf} vaf={vaf})\n.option gmin=1e-18"
V_T = 300.0 * BOLTZMANN_OVER_CHARGE


def pair(kind: str, bf: float, vaf: float, **settings: float):
    """A bench with one transistor-pair cell between ``in`` and ``out``, sweepable by v1."""
    circuit = bench(opamp="opamp_ideal", options=NPN.format(bf=bf, vaf=vaf))
    circuit.V("1", "in", 0, 0)
    beta = bf * (1 + 1 / vaf)
    load = {"rl": settings.pop("swing") * (1 + 1 / beta) / 10e-6}
    circuit.X("1", kind, "in", "out", **settings, **load)
    return circuit


@pytest.mark.parametrize(
    ("bf", "vaf", "limit"), [(1e6, 1e6, 1e-6), (1e4, 1e4, 3e-5), (100, 50, 3e-4)]
)
def test_the_sigmoid_cell_is_the_logistic_function(session, bf, vaf, limit):
    circuit = pair("sigmoid", bf, vaf, k=3 * V_T, lo=0.1, swing=1.2)
    x, out = sweep(session, circuit, "v1", (-2.5, 2.5, 0.05), "in", "out")
    np.testing.assert_allclose(out, 0.1 + 1.2 / (1 + np.exp(-3 * x)), rtol=0, atol=1.2 * limit)


@pytest.mark.parametrize(("bf", "vaf", "limit"), [(1e6, 1e6, 1e-6), (100, 50, 3e-4)])
def test_the_tanh_cell_is_the_hyperbolic_tangent_and_stays_odd(session, bf, vaf, limit):
    circuit = pair("tanh", bf, vaf, k=2 * 1.5 * V_T, mid=0.6, swing=0.5)
    x, out = sweep(session, circuit, "v1", (-2.5, 2.5, 0.05), "in", "out")
    np.testing.assert_allclose(out, 0.6 + 0.5 * np.tanh(1.5 * x), rtol=0, atol=limit)
    np.testing.assert_allclose(out + out[::-1], 2 * 0.6, rtol=0, atol=0.1 * limit)


@pytest.mark.parametrize(("kind", "start"), [("sigmoid", "lo"), ("tanh", "mid")])
def test_a_pair_driven_far_stays_at_its_ends(session, kind, start):
    """Without a limit its base would pass the collector and turn the transistor around."""
    circuit = pair(kind, 1e6, 1e6, k=1000 * V_T, swing=1.0, **{start: 0.2})
    x, out = sweep(session, circuit, "v1", (-5.0, 5.0, 0.1), "in", "out")
    low = {"sigmoid": 0.2, "tanh": -0.8}[kind]
    ends = np.where(x < 0, low, 1.2)[np.abs(x) > 0.05]
    np.testing.assert_allclose(out[np.abs(x) > 0.05], ends, rtol=0, atol=2e-6)


def test_the_sigmoid_cell_drifts_with_temperature_as_its_junctions_do(session):
    """The attenuator is set for 300 K, so at 400 K the curve is 300/400 as steep."""
    circuit = pair("sigmoid", 1e6, 1e6, k=3 * V_T, lo=0.0, swing=1.0)
    circuit.raw_spice += "\n.option temp=126.85"
    x, out = sweep(session, circuit, "v1", (-2.0, 2.0, 0.1), "in", "out")
    np.testing.assert_allclose(out, 1 / (1 + np.exp(-3 * 0.75 * x)), rtol=0, atol=1e-4)


def test_the_layernorm_cells_norm(session):
    x = np.random.default_rng(0).normal(0.3, 0.8, 7)
    circuit = bench()
    for k, volts in enumerate(x):
        circuit.V(k, f"x{k}", 0, float(volts))
        circuit.X(f"in{k}", "layernorm_input", f"x{k}", "mean", "square")
        circuit.X(
            f"out{k}", "layernorm_output", f"x{k}", "mean", "rms", f"y{k}", scale=1.5, shift=0.2
        )
    circuit.X("core", "layernorm_core", "square", "rms", eps=1e-3)
    mean, square, *y = solve(session, circuit, "mean", "square", *(f"y{k}" for k in range(7)))
    assert mean == pytest.approx(x.mean(), abs=1e-12)
    assert square == pytest.approx(x.var(), rel=1e-12)
    normed = (x - x.mean()) / np.sqrt(x.var() + 1e-3)
    np.testing.assert_allclose(y, 1.5 * normed + 0.2, rtol=0, atol=1e-11)


def test_the_row_amplifier_is_a_transimpedance_amplifier_to_direct_current(session):
    circuit = bench(opamp="opamp_ideal")
    circuit.I("1", 0, "in", 2e-6)
    circuit.X("1", "row_amp", "in", "out", rf=150e3, cf=1e-12)
    (out,) = solve(session, circuit, "out")
    assert out == pytest.approx(-0.3, rel=1e-8)


def test_amplifiers_with_rails_pass_inside_and_stop_at_them(session):
    for name, cell, settings, slope in (
        ("row", "row_amp_rails", {"rf": 1e6, "cf": 1e-12}, -1.0),
        ("tia", "tia_rails", {"rf": 2e6}, -2.0),
        ("diff", "diff_amp_rails", {"gain": 3.0}, 3.0),
        ("sum", "summing_amp_rails", {"rf": 2e6, "rx": 1e6}, -2.0),
    ):
        circuit = bench(opamp="opamp_ideal")
        circuit.V("1", "v", 0, 0)
        if name == "diff":
            circuit.X("1", cell, "v", 0, "out", vr=1.5, **settings)
        elif name == "sum":
            circuit.X("1", cell, "in", "v", "out", vr=1.5, **settings)
        else:
            circuit.R("1", "v", "in", 1e6)
            circuit.X("1", cell, "in", "out", vr=1.5, **settings)
        v, out = sweep(session, circuit, "v1", (-2.0, 2.0, 0.1), "v", "out")
        np.testing.assert_allclose(
            out, np.clip(slope * v, -1.5, 1.5), rtol=0, atol=1e-7, err_msg=cell
        )


def test_the_opamp_with_a_pole_has_its_gain_and_its_bandwidth(session):
    """A follower of bandwidth 1 MHz reaches a step as 1 - exp(-2 pi GBW t) says."""
    follower = bench()
    follower.X("1", "opamp_pole", "in", "out", "out", gain=1e4, gbw=1e6)
    follower.V("1", "in", 0, 0.5)
    (out,) = solve(session, follower, "out")
    assert out == pytest.approx(0.5 * 1e4 / (1 + 1e4), rel=1e-9)
    step = bench()
    step.X("1", "opamp_pole", "in", "out", "out", gain=1e4, gbw=1e6)
    step.V("1", "in", 0, "dc 0 pwl(0 0 1p 0.5)")
    time, out = transient(session, step, 2e-9, 1e-6, "out")
    np.testing.assert_allclose(out, -0.5 * np.expm1(-2e6 * np.pi * time), rtol=0, atol=1e-3)


def test_the_opamp_with_two_poles_has_its_gain_and_its_output_resistance(session):
    """Its output behind ro gives way by the share that the loop leaves, at DC and after a step."""
    loaded = bench()
    loaded.X("1", "opamp_two_pole", "in", "out", "out", gain=1e3, gbw=1e6, p2=3e6, ro=50)
    loaded.R("1", "out", 0, 50)
    loaded.V("1", "in", 0, 0.5)
    (out,) = solve(session, loaded, "out")
    assert out == pytest.approx(0.5 * 500 / (1 + 500), rel=1e-9)
    step = bench()
    step.X("1", "opamp_two_pole", "in", "out", "out", gain=1e5, gbw=1e6, p2=1e6, ro=50)
    step.V("1", "in", 0, "dc 0 pwl(0 0 1p 0.5)")
    time, out = transient(session, step, 2e-9, 2e-6, "out")
    # s^2 / (w p) + s / w + 1 with w = p: damping 1/2
    w = 2e6 * np.pi
    ring = math.sqrt(3) / 2 * w * time
    wanted = 0.5 * (1 - np.exp(-w * time / 2) * (np.cos(ring) + np.sin(ring) / math.sqrt(3)))
    np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-3)


def test_every_cell_explains_itself_and_is_named_after_its_file():
    for path in CELLS:
        text = path.read_text(encoding="utf-8")
        assert re.search(rf"^\.subckt {path.stem} ", text, re.MULTILINE), path
        assert sum(line.startswith("*") for line in text.splitlines()) >= 5, path


@pytest.mark.parametrize("kind", cells.known(), ids=lambda kind: kind.name)
def test_a_declaration_is_what_its_file_says(kind):
    kind.check()
    comments = [x for x in kind.path.read_text(encoding="utf-8").splitlines() if x[:1] == "*"]
    words = set(re.findall(r"[a-z_0-9]+", " ".join(comments).lower()))
    assert {part.name for part in (*kind.pins, *kind.params)} <= words


@pytest.mark.parametrize("kind", cells.squashes().values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("temp_c", [26.85, 61.0])
def test_the_closed_form_of_a_squash_cell_is_the_cell(session, kind, temp_c):
    rng = np.random.default_rng(5)
    for _ in range(3):
        lo, hi, slope = rng.uniform(-0.5, 0.3), rng.uniform(0.5, 1.5), rng.uniform(0.5, 8.0)
        squash = Squash(kind=kind.name, v_lo=lo, v_hi=hi, slope=slope)
        unit, bf, vaf = np.array([rng.uniform(0.3, 2)]), rng.uniform(50, 200), rng.uniform(20, 90)
        hw = Hardware(npn_bf=bf, npn_vaf=vaf)
        front = build_front(squash, None, unit, hw)
        params = front.params(float(front.attenuation[0]) if kind.sloped else 1.0, hw)
        circuit = bench(options=NPN.format(bf=bf, vaf=vaf))
        include = f"\n.include {kind.lib}" if kind.lib else ""
        circuit.raw_spice += f"{include}\n.option temp={temp_c}"
        circuit.V("1", "in", 0, 0)
        circuit.X("1", kind.name, "in", "out", **params)
        v, out = sweep(session, circuit, "v1", (-2.5, 2.5, 0.25), "in", "out")
        wanted = kind.closed_form(torch.from_numpy(v), params, hw, temp_c, torch)
        np.testing.assert_allclose(out, wanted, rtol=0, atol=1e-8)
        other = kind.closed_form(v, params, hw, temp_c, cells.NUMPY)
        np.testing.assert_allclose(wanted, other, rtol=0, atol=1e-14)
        assert list(kind.transfer(params, squash, float(unit[0]), hw)) == []
        for key in params:  # the transfer sees each of them
            moved = params | {key: params[key] * 1.001 + 1e-9}
            assert list(kind.transfer(moved, squash, float(unit[0]), hw)), key
