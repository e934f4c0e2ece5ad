"""Levers of energy: bandwidth by stage, the split of gain, what each kind of amplifier drives."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analogkan.compiler.bandwidth import groups_of, share_out
from analogkan.compiler.blocks import Blocks
from analogkan.compiler.build import Build, load_build, write_build
from analogkan.compiler.closed_form import difference_volts, line_volts
from analogkan.compiler.counts import element_counts
from analogkan.compiler.design import CrossbarStage, build_design, load_design, save_design
from analogkan.compiler.extract import read_deck
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import NetlistError, SettingsError
from analogkan.files import read_npz, sha256, write_npz
from analogkan.physics import Assumptions, judged
from analogkan.physics.area import area_of
from analogkan.physics.blocks import AMPLIFIERS
from analogkan.physics.capacitors import capacitors_of
from analogkan.physics.deck import format_capacitors
from analogkan.physics.drive import (
    c_margin,
    least_damping,
    offset_volts,
    quiescent_asked,
    summing_swing,
)
from analogkan.physics.power import power_of
from analogkan.physics.settling import settle
from analogkan.physics.settling_twin import RISE
from analogkan.physics.sheet import Asked, measure
from analogkan.physics.supply import least_quiescent, supply_of

from .chips import chip
from .networks import random_spec
from .sheets import asked, require_judged
from .test_standard_values import are_standard
from .test_twin import images, worst

SPEC = random_spec(2, (6, 5, 3))
BOTH = {"gbw_by_stage": 1.0, "gain_split": 1.0}
SHARED = {"bandwidth": {"gbw_by_stage": 1.0}, "gain": {"gain_split": 1.0}, "both": BOTH}


def noise_gains(stage: CrossbarStage) -> np.ndarray:
    """Of a pair's line amplifiers, the larger, and of its difference amplifier, (2, O)."""
    lines = 1 + (stage.r_c * stage.g.sum(axis=0)).reshape(-1, 2).max(axis=1)
    return np.stack([lines, 1 + stage.gain])


# ---- bandwidth by stage


def test_no_other_sharing_out_settles_sooner_on_the_same_current():
    stages = build_design(SPEC, Hardware()).stages
    groups = [groups_of(s.curves, s.r_f, s.g, s.r_c, s.gain, s.readout) for s in stages]
    gains = np.concatenate([one.noise_gain for one in groups])
    count = np.concatenate([one.count for one in groups])
    best = np.concatenate(share_out(groups, Hardware(gbw_by_stage=1.0)))
    least, total = (gains / best).sum(), count @ best
    assert total == pytest.approx(count.sum() * 10e6)
    assert least == pytest.approx(np.sqrt(gains * count).sum() ** 2 / total)
    rng = np.random.default_rng(0)
    for size in (1e-3, 0.1, 1.0):
        for _ in range(50):
            other = best * np.exp(rng.normal(0, size, best.size))
            other *= total / (count @ other)
            assert (gains / other).sum() > least
    even = (gains / 10e6).sum()
    assert least < even


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_mean_bandwidth_is_gbw_and_ratios_are_the_power(power):
    stages = build_design(SPEC, Hardware(gbw=3e6, gbw_by_stage=power)).stages
    count = np.array([[s.r_f.size, s.r_c.size, s.gain.size] for s in stages])
    found = np.stack([s.gbw for s in stages])
    assert (count * found).sum() / count.sum() == pytest.approx(3e6, rel=1e-12)
    lines = max(noise_gains(stages[0])[0]), stages[0].r_c.size
    outputs = max(noise_gains(stages[1])[1]), stages[1].gain.size
    ratio = (lines[0] / lines[1] / (outputs[0] / outputs[1])) ** (power / 2)
    assert found[0, 1] / found[1, 2] == pytest.approx(ratio)


def test_rows_keep_their_margin_at_their_own_bandwidth():
    even, uneven = (build_design(SPEC, Hardware(gbw_by_stage=x)) for x in (0.0, 1.0))
    falling = [k for k, s in enumerate(even.stages) if s.stability["c_margin"] is not None]
    assert falling
    for k in falling:
        a, b = even.stages[k], uneven.stages[k]
        assert b.stability["c_margin"] == pytest.approx(a.stability["c_margin"])
        large = a.c_f > 10e-15
        np.testing.assert_allclose((b.c_f * b.gbw[0])[large], (a.c_f * a.gbw[0])[large])


def test_a_design_from_before_there_was_a_choice_is_read(tmp_path):
    path = tmp_path / "design.npz"
    for power in (0.0, 1.0):
        save_design(build_design(SPEC, Hardware(gbw=3e6, gbw_by_stage=power)), path)
        arrays = read_npz(path)
        del arrays["l1_gbw"]
        write_npz(path, arrays)
        if power:
            with pytest.raises(NetlistError, match=r"design\.npz is damaged: compile the model"):
                load_design(path)
        else:
            np.testing.assert_array_equal(load_design(path).stages[1].gbw, np.full(3, 3e6))


@pytest.mark.parametrize("change", list(SHARED))
def test_ngspice_confirms_power_settling_and_noise(change, ngspice, tmp_path):
    build = write_build(SPEC, Hardware(**SHARED[change]), tmp_path / "n.build")
    require_judged(build, images(4, 6), tmp_path)


@pytest.mark.parametrize("more", [{}, {"opamp": "rails"}, {"opamp": "pole", "r_wire": 2.0}])
def test_a_chip_is_the_same_in_twin_and_ngspice(more, ngspice, tmp_path):
    design = chip(SPEC, levels=32, **BOTH, **more)
    assert worst(design, images(8, 6), 60.0, ngspice, tmp_path) < 1e-6


def test_a_chip_with_rails_moves_alike_in_both(ngspice, tmp_path):
    build = write_build(SPEC, Hardware(opamp="rails", **BOTH), tmp_path / "n.build")
    (link,) = build.circuit().links
    made = chip(SPEC, opamp="rails", **BOTH)
    circuit = replace(build.circuit(), links=(replace(link, design=made),))
    found = judged.judge_settling(asked(build, images(4, 6), circuit), tmp_path)
    assert found["waveforms"] < 5e-4


@pytest.mark.parametrize("opamp", ["pole", "pole_rails"])
def test_bandwidths_in_the_deck_are_read_back(opamp, tmp_path):
    build = write_build(SPEC, Hardware(opamp=opamp, gbw_by_stage=1.0), tmp_path / "n.build")
    assert verify_build(load_build(build.folder)).ok
    for what, said in (
        ("_amp", "row amplifier of input 0"),
        ("_tia", "line amplifier"),
        ("_diff", "difference amplifier"),
    ):
        found = edited(build.folder, "layer1.cir", f"{what} ", " gbw=", " gbw=1")
        assert f"layer 1: {said}" in found and ": gain-bandwidth product of 1" in found
        assert "gain-bandwidth product of" in edited(
            build.folder, "layer1.cir", what, "gbw=", "gbw=1"
        )
    assert "cell tia" in edited(build.folder, "cells.cir", ".subckt tia", "gbw=", "gbw=1")
    assert "opamp is not one of" in edited(
        build.folder, "cells.cir", ".subckt opamp ", "gbw=", "gbw=1"
    )


def edited(folder: Path, name: str, line: str, old: str, new: str) -> str:
    """What verification says if ``old`` is ``new`` in the first line of a file with ``line``."""
    path = folder / name
    before = path.read_text(encoding="utf-8")
    lines = before.splitlines(keepends=True)
    k = next(k for k, text in enumerate(lines) if line in text and old in text)
    lines[k] = lines[k].replace(old, new, 1)
    path.write_text("".join(lines), encoding="utf-8")
    said = verify_build(load_build(folder)).sentence()
    path.write_text(before, encoding="utf-8")
    return said


# ---- the split of gain


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_the_sum_of_both_noise_gains_is_least_at_one(norm):
    spec = random_spec(4, (9, 8, 6, 3), norm=norm)
    sums = {}
    for share in (0.0, 0.7, 1.0, 1.4):
        stages = build_design(spec, Hardware(gain_split=share)).stages
        sums[share] = np.stack([noise_gains(s).sum(axis=0).max() for s in stages])
    free = sums[1.0] < sums[0.0]  # where lines have the larger noise gain to begin with
    assert free.any()
    for other in (0.0, 0.7, 1.4):
        assert (sums[1.0][free] < sums[other][free]).all()
    np.testing.assert_array_equal(sums[1.0][~free], sums[0.0][~free])


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_volts_at_outputs_stay(norm):
    spec = random_spec(4, (9, 8, 3), norm=norm)
    plain, parted = (build_design(spec, Hardware(opamp="ideal", gain_split=x)) for x in (0.0, 1.0))
    for a, b in zip(plain.stages, parted.stages, strict=True):
        np.testing.assert_allclose(b.unit, a.unit, rtol=1e-12)
        np.testing.assert_allclose(b.r_c * np.repeat(b.gain, 2), a.r_c * np.repeat(a.gain, 2))
        assert (b.gain >= a.gain * (1 - 1e-12)).all()
    alike = parted.stages[-1], *(parted.stages[:1] if norm == "layer" else ())
    assert all(np.ptp(stage.gain) == 0 and stage.gain[0] > 1.2 for stage in alike)
    volts = Inputs.of(images(8, 9))
    found = [Twin([design]).logits(volts) for design in (plain, parted)]
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-6)


def test_standard_values_are_split_too(tmp_path):
    hardware = Hardware(levels="e96", g_min=1e-6, g_max=1e-4, gain_split=1.0)
    build = write_build(SPEC, hardware, tmp_path / "n.build")
    assert verify_build(build).ok
    for stage in build.design.stages:
        assert are_standard(hardware.r_diff * stage.gain)
        assert are_standard(stage.r_c)
    assert build.design.stages[-1].gain[0] > 1.2


def test_a_wrong_gain_in_the_deck_is_noticed(tmp_path):
    build = write_build(SPEC, Hardware(gain_split=1.0), tmp_path / "n.build")
    said = edited(build.folder, "layer1.cir", "_diff ", "gain=", "gain=1")
    assert "layer 1: difference amplifier" in said and ": gain 1" in said


# ---- what each kind of amplifier draws


def test_each_kind_of_amplifier_has_its_load_and_class(tmp_path):
    build = write_build(SPEC, Hardware(gbw_by_stage=1.0), tmp_path / "n.build")
    found = power_of(build, images(4, 6))
    given = Assumptions(c_load_rows=3e-12, class_ab_lines=1.0, class_ab_differences=1e6)
    supply = supply_of(found, build.hardware, given)
    load = {"rows": 3e-12, "lines": 1e-12, "differences": 1e-12}
    ratio = {"rows": 10.0, "lines": 1.0, "differences": 1e6}
    for k, stage in enumerate(build.design.stages):
        for group, block in enumerate(load):
            least = 4 * 2 * math.pi * stage.gbw[group] * load[block] / 15
            assert least_quiescent(stage.gbw[group], given, block) == pytest.approx(least)
            peaks = found.peaks[block][k][0]
            wanted = 2 * 2.5 * np.maximum(peaks / ratio[block], least).sum()
            assert supply.quiescent[block][0, k] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Hardware(gbw_by_stage=2.5), "gbw_by_stage = 2.5 is out of range: 0 to 2"),
        (lambda: Hardware(gain_split=-1.0), "gain_split = -1.0 is out of range: 0 to 2"),
        (
            lambda: Assumptions(class_ab_rows=0.5),
            r"class_ab_rows = 0.5 is out of range: 0 \(class_ab\), or 1 to 1e6",
        ),
        (
            lambda: Assumptions(c_load_lines=-1.0),
            r"c_load_lines = -1.0 is out of range: 0 \(c_load\), to 0.001 F",
        ),
    ],
)
def test_what_is_out_of_range_is_refused(make, said):
    with pytest.raises(SettingsError, match=f"^{said}$"):
        make()


# ---- sections that draw only while they work


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> Build:
    return write_build(SPEC, Hardware(), tmp_path_factory.mktemp("held") / "h.build", most=60)


def test_a_section_draws_while_it_works_and_wakes_before(held):
    assert len(held.sections) == 2
    volts = images(4, 6)
    few = np.arange(4)
    given = {"build": held, "chip": held.circuit(), "volts": volts, "few": few, "temp_c": 26.85}
    always, gated = (
        measure(Asked(assumed=Assumptions(**assumed), **given), ("power", "settling"))
        for assumed in ({}, {"gating": 1, "t_wake": 1e-8})
    )
    found = settle(held, np.roll(volts, 1, axis=0), volts, Assumptions())
    layers = supply_of(power_of(held, volts), held.hardware, Assumptions()).by_layer[0]
    total, first = layers.sum(axis=0), found.held_s[0]
    joules = total * found.settling_s
    assert always["energy_j_typical"] == pytest.approx(np.median(joules))
    joules = layers[0] * first + layers[1] * (found.settling_s - first) + total * 1e-8
    assert gated["energy_j_typical"] == pytest.approx(np.median(joules))
    assert gated["energy_j_max"] < always["energy_j_min"]
    assert gated["power_w_max"] == always["power_w_max"]


def test_a_network_in_one_section_has_nothing_to_switch(tmp_path):
    build = write_build(SPEC, Hardware(), tmp_path / "n.build")
    own = asked(build, images(4, 6))
    one, other = (
        measure(replace(own, assumed=Assumptions(**given)), ("power", "settling"))
        for given in ({}, {"gating": 1, "t_wake": 1e-6})
    )
    assert one == other


# ---- area


@pytest.mark.parametrize("drop_rows", [0.0, 0.3])
def test_area_is_counted_from_what_stands_in_the_deck(drop_rows, tmp_path):
    """Of resistors and cells by what a deck's reader finds; of capacitors by the deck in time."""
    hardware = Hardware(gain_split=1.0, gbw_by_stage=1.0, drop_rows=drop_rows)
    build = write_build(SPEC, hardware, tmp_path / "n.build")
    design = build.design
    rows = [int(stage.kept.sum()) for stage in design.stages]
    assert (sum(rows) < 22) == (drop_rows > 0)
    total = sum(n * s.gbw[0] + s.gbw[1:] @ [s.r_c.size, s.gain.size]
                for n, s in zip(rows, design.stages, strict=True))  # fmt: skip
    assert total == pytest.approx(10e6 * element_counts(design)["op_amps"])
    given = Assumptions(area_opamp=3.0, area_cell=0.25, area_farad=1e-15, area_ohm=100.0)
    found = area_of(build.circuit(), given)
    deck = Blocks(read_deck(build.folder / "network.cir"))
    assert found["cells"] == 0.25 * deck.cells.size
    assert found["op_amps"] == 3 * (len(deck.amplifiers) + len(deck.differences))
    ohms = sum(sum(amp.feedback) for amp in deck.amplifiers.values())
    ohms += sum(diff.r1 + diff.r2 + diff.r3 + diff.r4 for diff in deck.differences.values())
    assert found["resistors"] == pytest.approx(ohms / 100)
    lines = [line.split() for line in format_capacitors(design, replace(given, c_in=0, c_cell=0))]
    damped = sum(float(farads) for *_, farads in lines)  # beside the rows' own
    damped += sum((stage.c_f * stage.kept).sum() for stage in design.stages)
    without = area_of(build.circuit(), replace(given, c_in=0, c_cell=0))
    assert without["capacitors"] == pytest.approx(damped / 1e-15)
    assert found["total"] == pytest.approx(sum(v for k, v in found.items() if k != "total"))


def test_op_amps_of_squash_cells_take_area(tmp_path):
    plain, squashed = (
        area_of(write_build(random_spec(2, (6, 5, 3), squash=squash), Hardware(),
                            tmp_path / f"{squash}.build").circuit(), Assumptions())
        for squash in ("none", "tanh")
    )  # fmt: skip
    assert squashed["op_amps"] - plain["op_amps"] == 2000 * 2 * 5  # DACs drive the first layer


# ---- what amplifiers are asked for


def test_currents_ask_for_what_the_supply_model_gives_them(tmp_path):
    build = write_build(SPEC, Hardware(gbw_by_stage=1.0), tmp_path / "n.build")
    power, given = power_of(build, images(4, 6)), Assumptions(class_ab_lines=2.0)
    asked_for = quiescent_asked(power, given)
    supply = supply_of(power, build.hardware, given)
    every = np.concatenate([np.maximum(*asked_for[block]) for block in AMPLIFIERS[:3]])
    assert every.max() == pytest.approx(supply.i_quiescent[1])
    assert asked_for["lines"][0][1] == power.peaks["lines"][1].max() / 2
    own = quiescent_asked(power, replace(given, i_quiescent=1e-6))
    assert (own["rows"][1] == 1e-6).all() and (own["squash"][1] == 0).all()


def test_an_offset_comes_out_times_the_noise_gain():
    design = build_design(SPEC, Hardware())
    found = offset_volts(design, 1e-3)
    for k, stage in enumerate(design.stages):
        diffs = difference_volts(0.0, 0.0, stage.gain, 1e9, 1e-3)
        assert found["differences"][k] == pytest.approx(diffs.max(), rel=1e-6)
        lines = line_volts(0.0, stage.g.sum(axis=0), stage.r_c, 1e9, 1e-3)
        assert found["lines"][k] == pytest.approx(lines.max(), rel=1e-6)
        rows = []  # an ideal op-amp with an offset, in the middle of each segment
        for curve, r_f in zip(stage.curves, stage.r_f[0], strict=True):
            v = (curve.v[:-1] + curve.v[1:]) / 2
            out = [vos - r_f * np.interp(v - vos, curve.v, curve.i) for vos in (0.0, 1e-3)]
            rows.append((out[1] - out[0]).max())
        assert found["rows"][k] == pytest.approx(max(rows), rel=1e-6)


def test_damping_is_that_of_each_loop_by_its_polynomial():
    given = Assumptions(zeta=0.4)
    design = build_design(SPEC, Hardware(gbw_by_stage=1.0))
    found = least_damping(design, given, 26.85)
    for k, stage in enumerate(design.stages):
        c = capacitors_of(stage, design.hardware, given)
        r_d = design.hardware.r_diff
        falls = [-(np.diff(curve.i) / np.diff(curve.v)).min() for curve in stage.curves]
        w = 2 * np.pi * stage.gbw
        for group, damping in {
            "rows": of_loop(c.rows_in, -np.array(falls), stage.r_f, c.rows, w[0]),
            "lines": of_loop(c.lines_in, stage.g.sum(axis=0), stage.r_c, c.lines, w[1]),
            "differences": of_loop(c.diffs_in, 1 / r_d, r_d * stage.gain, c.diffs, w[2]),
        }.items():
            assert found[group][k] == pytest.approx(min(1.0, damping.min()), rel=1e-3), group
            assert found[group][k] > 0.399


def of_loop(c, g, r, c_f, w) -> np.ndarray:
    """Damping of (C + C_f) s^2 + (G + 1/R + w C_f) s + w / R."""
    return (g + 1 / r + w * c_f) / (2 * np.sqrt((c + c_f) * w / r))


def test_a_row_swings_as_its_differential_equation_says():
    spec = random_spec(5, (1, 3), n_dev=1)
    design = build_design(spec, Hardware())
    (stage,), given = design.stages, Assumptions(zeta=0.0)
    before, after = np.array([[0.05]]), np.array([[0.6]])
    found = summing_swing(design, before, after, given, 26.85)
    (curve,), r_f, c_f = stage.curves, stage.r_f[0, 0], stage.c_f[0]

    def slope(t, y):
        s, out = y
        v = np.interp(t, [0, RISE], [before[0, 0], after[0, 0]])
        d_out = -2 * np.pi * 10e6 * (s + out / 1e5)
        amperes = np.interp(v - s, curve.v, curve.i) - (s - out) / r_f + c_f * d_out
        return [amperes / (given.c_in + c_f), d_out]

    rest = -r_f * np.interp(before[0, 0], curve.v, curve.i)
    solved = solve_ivp(slope, (0, 1e-6), [-rest / 1e5, rest], max_step=2e-10)
    assert found[0] == pytest.approx(np.abs(solved.y[0]).max(), rel=0.02)
    assert found[0] > 1e-3


def test_the_least_margin_of_any_row_is_told():
    design = build_design(SPEC, Hardware())
    margins = [s.stability["c_margin"] for s in design.stages]
    assert c_margin(design) == min(m for m in margins if m is not None)
    still = [replace(s, stability={"c_margin": None, "node_margin": 1.0}) for s in design.stages]
    assert c_margin(replace(design, stages=tuple(still))) == math.inf


@pytest.mark.parametrize("most", [None, 60])
def test_a_build_from_before_these_settings_is_still_verified(most, tmp_path):
    build = write_build(SPEC, Hardware(), tmp_path / "n.build", most=most)
    for path in sorted(build.folder.rglob("*.json"), reverse=True):  # decks, then held.json
        told = json.loads(path.read_text(encoding="utf-8"))
        for name in ("gbw_by_stage", "gain_split", "readout"):
            del told["hardware"][name]
        own = [name for name in told["files"] if name.endswith(".json")]
        told["files"] |= {name: sha256(build.folder / name) for name in own}
        path.write_text(json.dumps(told), encoding="utf-8")
    assert verify_build(load_build(build.folder)).sentence() == ""
