"""A falling diode and its row amplifier: the rule for C_f, and .tran that shows it is right."""

from __future__ import annotations

import math
from dataclasses import replace
from re import escape

import numpy as np
import pytest

from analogkan.compiler import spice_cells
from analogkan.compiler.build import write_build
from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.stability import smallest_c_f, stabilise, steepest_fall
from analogkan.devices import IVCurve, get, resolve
from analogkan.errors import CompileError

from .benches import bench, transient
from .networks import random_spec

GBW = 10e6
KICK = 1e-3
TRANSIENT = ".option reltol=1e-4 vntol=1e-7 abstol=1e-12 chgtol=1e-17"
"""The benches' tolerances for direct current would make steps of femtoseconds."""
TUNNEL_DIODES = resolve("A21,Z21,Z15,ZAZ21")
FALLING = [
    pytest.param(curve, k, id=f"{curve.name} at {curve.v[k : k + 2].mean():.3f} V")
    for curve in TUNNEL_DIODES
    for k in np.flatnonzero(np.diff(curve.i) < 0)
]
"""Every negative-slope segment of the library's tunnel diodes."""


def after_a_kick(session, curve: IVCurve, k: int, c_f: float) -> float:
    """How far the row is from its DC point 9 to 11 us after the diode's voltage jumped; volts.

    The diode rests in the middle of segment ``k``; at 1 us it is moved by 1 mV and stays there.
    The summing node has 50 fF, as any amplifier's input: the rule does not depend on it.
    """
    rest = float(curve.v[k : k + 2].mean())
    circuit = bench(opamp=f"opamp_pole gain=1e5 gbw={GBW!r}", options=TRANSIENT)
    circuit.raw_spice += "\n" + spice_cells.format_diode(curve, Hardware()) + "\nc_in sum 0 50f"
    circuit.V("1", "a", 0, f"dc {rest!r} pwl(0 {rest!r} 1u {rest!r} 1.01u {rest + KICK!r})")
    circuit.X("1", spice_cells.diode_name(curve), "a", "sum")
    r_f = 0.5 / curve.i_peak
    circuit.X("2", "row_amp", "sum", "row", rf=r_f, cf=c_f)
    time, row = transient(session, circuit, 2e-9, 12e-6, "row")
    settled = -r_f * float(curve.current(np.array(rest + KICK)))
    return float(np.abs(row - settled)[time > 10e-6].max())


@pytest.mark.parametrize(("curve", "k"), FALLING)
def test_with_its_c_f_a_cell_returns_after_a_kick_and_without_it_oscillates(session, curve, k):
    slope = float(np.diff(curve.i)[k] / np.diff(curve.v)[k])
    needed = smallest_c_f(-slope, 0.5 / curve.i_peak, GBW)
    (chosen,) = stabilise((curve,), (-math.inf, math.inf), Hardware(), 0, GBW).c_f
    assert after_a_kick(session, curve, k, float(chosen)) < 0.02 * KICK
    left = after_a_kick(session, curve, k, 0.0)
    assert left > 10 * KICK if needed else left < 0.02 * KICK


@pytest.mark.parametrize(("name", "k"), [("A21", 10), ("Z21", 17), ("Z15", 19)])
def test_the_rule_is_sharp(session, name, k):
    """At 0.7 of the smallest C_f the oscillation grows, at 1.3 of it it dies away."""
    curve = get(name)
    slope = float(np.diff(curve.i)[k] / np.diff(curve.v)[k])
    needed = smallest_c_f(-slope, 0.5 / curve.i_peak, GBW)
    assert needed > 10e-15
    assert after_a_kick(session, curve, k, 0.7 * needed) > 10 * KICK
    assert after_a_kick(session, curve, k, 1.3 * needed) < 0.1 * KICK


def test_the_rule_is_the_formula():
    """circuit.md of the contract: A21 at 0.475 V, V_fs 1 V, 10 MHz needs 51 fF."""
    a21 = get("A21")
    fall = steepest_fall(a21, 0.46, 0.49)
    assert smallest_c_f(fall, 1.0 / a21.i_peak, 10e6) == pytest.approx(51e-15, rel=0.01)
    assert smallest_c_f(1e-6, 1e5, 10e6) == 0.0


def test_only_segments_that_are_reached_count():
    curve = IVCurve("T", np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 3.0, 2.0, 0.0]) * 1e-6)
    assert steepest_fall(curve, 0.0, 0.9) == 0.0
    assert steepest_fall(curve, 0.0, 1.0) == 0.0
    assert steepest_fall(curve, 0.0, 1.1) == pytest.approx(1e-6)
    assert steepest_fall(curve, -math.inf, math.inf) == pytest.approx(2e-6)


def test_a_stage_gets_three_times_what_its_range_needs(tmp_path):
    spec = random_spec(3, (4, 3, 2), curves=resolve("A21,E2N7002"), squash="clamp")
    build = write_build(spec, Hardware(), tmp_path / "net.build")
    first, second = build.design.stages
    a21 = get("A21")
    needed = smallest_c_f(steepest_fall(a21, 0.05, 0.7), 0.5 / a21.i_peak, 10e6)
    np.testing.assert_allclose(first.c_f, [3 * needed, 10e-15], rtol=1e-12)
    assert first.stability["c_margin"] == pytest.approx(3.0)
    assert second.c_f[0] >= first.c_f[0]
    assert first.stability["node_margin"] == pytest.approx(1 - 50 * steepest_fall(a21, 0.05, 0.7))
    assert build.summary["stages"][0]["stability"] == first.stability


def test_currents_in_the_wrong_unit_are_doubted_before_the_amplifier():
    curve = IVCurve("D", np.array([0.0, 0.5, 1.0]), np.array([0.0, 3.1, 1.0]))
    sentence = (
        "layer 0: device D: largest current 3.1 A, above what diodes carry (1e-12 to 0.3 A): were "
        "they mA or uA? Import its sweeps again with --i-unit"
    )
    with pytest.raises(CompileError, match=f"^{escape(sentence)}$"):
        stabilise((curve,), (0.0, 1.0), Hardware(), 0, GBW)


def test_a_stage_without_falling_segments_needs_no_capacitor():
    spec = random_spec(3, (4, 2), curves=resolve("E2N7002"))
    (stage,) = build_design(spec, Hardware()).stages
    assert stage.stability == {"c_margin": None, "node_margin": 1.0}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"c_f": 20e-15},
            "layer 0: c_f = 2e-14 F is below the 4.01e-14 F that a row amplifier behind A21 needs "
            "not to oscillate (falling slope 8.74e-06 S, GBW 1e+07 Hz): leave c_f at 0, or raise "
            "it or gbw",
        ),
        (
            {"r_out": 1e6},
            "layer 0: r_out = 1e+06 ohm times the diodes' falling slopes of 8.74e-06 S is not "
            "below 1, so a diode node has several solutions: lower r_out to less than 1.14e+05 "
            "ohm",
        ),
    ],
)
def test_a_negative_margin_is_refused(tmp_path, change, sentence):
    spec = random_spec(3, (4, 2), curves=resolve("A21"))
    with pytest.raises(CompileError, match=f"^{escape(sentence)}$"):
        write_build(spec, replace(Hardware(), **change), tmp_path / "net.build")
    assert not list(tmp_path.iterdir())
