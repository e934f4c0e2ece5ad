"""Levers of energy: bandwidth by stage, the split of gain, what each kind of amplifier drives."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analogkan.compiler.bandwidth import groups_of, share_out
from analogkan.compiler.build import Build, load_build, write_build
from analogkan.compiler.design import CrossbarStage, build_design, load_design, save_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import NetlistError, SettingsError
from analogkan.files import read_npz, write_npz
from analogkan.physics import Assumptions, judged
from analogkan.physics.power import power_of
from analogkan.physics.sheet import Asked
from analogkan.physics.supply import least_quiescent, supply_of

from .chips import chip
from .networks import random_spec
from .test_standard_values import are_standard
from .test_twin import images, worst

SPEC = random_spec(2, (6, 5, 3))
BOTH = {"gbw_by_stage": 1.0, "gain_split": 1.0}
SHARED = {"bandwidth": {"gbw_by_stage": 1.0}, "gain": {"gain_split": 1.0}, "both": BOTH}


def asked(build: Build, chosen=None) -> Asked:
    return Asked(
        build=build, chip=chosen or build.circuit(), volts=images(4, 6), few=np.arange(4),
        assumed=Assumptions(), temp_c=26.85,
    )  # fmt: skip


def noise_gains(stage: CrossbarStage) -> np.ndarray:
    """Of a pair's line amplifiers, the larger, and of its difference amplifier, (2, O)."""
    lines = 1 + (stage.r_c * stage.g.sum(axis=0)).reshape(-1, 2).max(axis=1)
    return np.stack([lines, 1 + stage.gain])


# ---- bandwidth by stage


def test_no_other_sharing_out_settles_sooner_on_the_same_current():
    stages = build_design(SPEC, Hardware()).stages
    groups = [groups_of(s.curves, s.r_f, s.g, s.r_c, s.gain) for s in stages]
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
            with pytest.raises(NetlistError, match="design.npz is damaged: compile the model"):
                load_design(path)
        else:
            np.testing.assert_array_equal(load_design(path).stages[1].gbw, np.full(3, 3e6))


@pytest.mark.parametrize("change", list(SHARED))
def test_ngspice_confirms_power_settling_and_noise(change, ngspice, tmp_path):
    build = write_build(SPEC, Hardware(**SHARED[change]), tmp_path / "n.build")
    found: dict = {}
    judged.judge_parts(asked(build), ("power", "settling", "noise"), 3, tmp_path, found)
    assert set(found) == {"power", "settling", "noise"}


@pytest.mark.parametrize("more", [{}, {"opamp": "rails"}, {"opamp": "pole", "r_wire": 2.0}])
def test_a_chip_is_the_same_in_twin_and_ngspice(more, ngspice, tmp_path):
    design = chip(SPEC, levels=32, **BOTH, **more)
    assert worst(design, images(8, 6), 60.0, ngspice, tmp_path) < 1e-6


def test_a_chip_with_rails_moves_alike_in_both(ngspice, tmp_path):
    build = write_build(SPEC, Hardware(opamp="rails", **BOTH), tmp_path / "n.build")
    (link,) = build.circuit().links
    made = chip(SPEC, opamp="rails", **BOTH)
    circuit = replace(build.circuit(), links=(replace(link, design=made),))
    found = judged.judge_settling(asked(build, circuit), tmp_path)
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
        assert said in edited(build.folder, "layer1.cir", f"{what} ", " gbw=", " gbw=1")
        assert "gain-bandwidth product of" in edited(build.folder, "layer1.cir", what, "gbw=", "gbw=1")
    assert "cell tia" in edited(build.folder, "cells.cir", ".subckt tia", "gbw=", "gbw=1")
    assert "opamp is not one of" in edited(build.folder, "cells.cir", ".subckt opamp ", "gbw=", "gbw=1")


def edited(folder: Path, name: str, line: str, old: str, new: str) -> str:
    """What verification says if ``old`` is ``new`` in the first line of a file that has ``line``."""
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
    plain, parted = (
        build_design(spec, Hardware(opamp="ideal", gain_split=x)) for x in (0.0, 1.0)
    )
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
