"""Settling: the deck in time, the twin in time, and ngspice as its judge."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from re import escape

import numpy as np
import pytest
import torch

import analogkan as ak
from analogkan import cells
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.design import Design, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.names import StageNames, logits
from analogkan.devices import resolve
from analogkan.dialects import NGSPICE
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.batch import BatchEngine
from analogkan.engines.chunked import BatchOptions, Chunk
from analogkan.engines.ngspice import Runner
from analogkan.engines.twin import Twin
from analogkan.errors import NetlistError, OscillationError, SimulationError
from analogkan.network.targets import Targets
from analogkan.physics import Assumptions, settling, settling_ngspice
from analogkan.physics.capacitors import capacitors_of
from analogkan.physics.deck import dynamic_design, format_capacitors
from analogkan.physics.settling import run_design, settle
from analogkan.physics.settling_blocks import difference_blocks
from analogkan.physics.settling_ngspice import ask_settling
from analogkan.physics.settling_twin import InTime
from analogkan.physics.waveforms import Waveforms, last_crossing
from analogkan.studies.analyses import kept_analyses

from .chips import EVERYTHING, chip
from .networks import random_images, random_inputs, random_spec
from .test_cli import done

ASSUMED = Assumptions()


def asked(ngspice, design: Design, volts: np.ndarray, keep) -> np.ndarray:
    with BatchEngine(design, Runner(ngspice), keep) as engine:
        (found,) = engine.run(volts, [Chunk(0, 0, 2)], logits(design), BatchOptions())
    assert found.values is not None
    return found.values


# ---- the deck


@pytest.mark.parametrize("change", [{}, {"opamp": "rails"}, {"r_wire": 2.0, "r_driver": 20.0}])
def test_the_deck_in_time_is_the_design_at_direct_current(change, ngspice, tmp_path):
    spec = random_spec(3, (5, 4, 3))
    design = build_design(spec, Hardware(**change))
    volts = spec.dac_volts(random_inputs(0, 2, 5))
    still = asked(ngspice, design, volts, tmp_path)
    moving = dynamic_design(design)
    assert moving.hardware.opamp == ("pole_rails" if change.get("opamp") == "rails" else "pole")
    np.testing.assert_allclose(asked(ngspice, moving, volts, tmp_path), still, rtol=1e-9)


def test_a_chip_keeps_its_errors_in_time(ngspice, tmp_path):
    made = chip(random_spec(3, (5, 4, 3)))
    volts = np.linspace(0.1, 0.6, 10).reshape(2, 5)
    still = asked(ngspice, made, volts, tmp_path)
    np.testing.assert_allclose(asked(ngspice, dynamic_design(made), volts, tmp_path), still, 1e-9)


@pytest.mark.parametrize("readout", ["differences", "summing"])
@pytest.mark.parametrize("opamp", ["linear", "rails"])
def test_every_capacitor_stands_in_the_deck_once(opamp, readout):
    design = build_design(random_spec(3, (5, 4, 3)), Hardware(opamp=opamp, readout=readout))
    lines = [line.split() for line in format_capacitors(design, ASSUMED)]
    assert len({name for name, *_ in lines}) == len(lines)
    found = sum(float(farads) for *_, farads in lines)
    wanted = 0.0
    for stage in design.stages:
        c = capacitors_of(stage, design.hardware, ASSUMED)
        wanted += (c.rows_in + c.rows - stage.c_f).sum() + c.lines_in.sum() + c.lines.sum()
        wanted += 2 * (c.diffs_in + c.diffs).sum()
    assert found == pytest.approx(wanted, rel=1e-12)
    row = StageNames(design, 1).rows()[0]
    back = f"x_{row}_amp.lin" if opamp == "rails" else row
    assert [f"c_{row}_f", f"{row}_sum", back] in [line[:3] for line in lines]


@pytest.mark.parametrize("opamp", ["ideal"])
def test_amplifiers_without_a_bandwidth_are_refused(opamp):
    design = build_design(random_spec(3, (5, 4, 3)), Hardware(opamp=opamp))
    sentence = (
        "opamp = ideal declares no bandwidth, and settling and noise need one: compile with "
        "--set opamp=linear, and with opamp_gain (now 100000) and gbw (now 1e+07 Hz) as your "
        "amplifiers have them"
    )
    with pytest.raises(SimulationError, match=f"^{escape(sentence)}$"):
        dynamic_design(design)


# ---- the twin in time

NETS = {
    "plain": ({}, {}),
    "rails": ({}, {"opamp": "rails", "headroom": 1.0, "v_rail": 0.9}),
    "wires": ({}, {"r_wire": 2.0, "r_driver": 20.0}),
    "explicit": ({}, {"r_wire": 2.0, "r_driver": 20.0, "wires": "explicit"}),
    "sigmoid": ({"squash": "sigmoid", "norm": "layer"}, {}),
    "tanh": ({"squash": "tanh"}, {}),
    "clamp": ({"squash": "clamp"}, {}),
    "summing": ({}, {"readout": "summing"}),
    "summing, rails": (
        {},
        {"readout": "summing", "opamp": "rails", "headroom": 1.0, "v_rail": 0.9},
    ),
    "summing, wires": ({}, {"readout": "summing", "r_wire": 2.0, "r_driver": 20.0}),
}
"""What a network and its hardware are, by name."""


def lively(name: str, folder: Path) -> tuple[Build, np.ndarray]:
    """A build whose outputs move by more than a step, and 3 points at its inputs, 0 V first."""
    network, hardware = NETS[name]
    spec = random_spec(6, (5, 4, 3), curves=resolve("A21,Z21"), **network)
    volts = spec.dac_volts(random_inputs(0, 3, 5))
    volts[0] = 0.0
    return write_build(spec, Hardware(**hardware), folder / "net.build"), volts


def at_rest(design: Design, volts: np.ndarray, temp_c: float = 26.85) -> np.ndarray:
    """Logits (n, O) by the closed form."""
    out = Twin([design], temp_c).run(torch.from_numpy(volts.T[None])).outputs[-1]
    return out[0].T.numpy() / design.v_per_logit


@pytest.mark.parametrize("name", NETS)
def test_waveforms_are_ngspices(name, ngspice, tmp_path):
    """Within 0.2 % of full scale at every time, times within 2 %, ends at direct current's."""
    build, volts = lively(name, tmp_path)
    found = ask_settling(build, volts, ASSUMED)
    assert found.waveform_error.max() < 5e-4
    assert found.end_error.max() < 1e-6
    assert found.twin.settling_s.min() > 1e-7  # they move
    for key in ("settling_s", "settling_margin_s", "settling_class_s"):
        mine, other = getattr(found.ngspice, key), getattr(found.twin, key)
        np.testing.assert_allclose(mine, other, rtol=0.02, atol=1e-9)
    assert found.twin.waveforms is not None
    ends = found.twin.waveforms.values[[0, -1]]
    scale = found.twin.full_scale
    exact = at_rest(build.design, volts)
    np.testing.assert_allclose(ends[0], exact[:-1], rtol=0, atol=1e-9 * scale)
    np.testing.assert_allclose(ends[1], exact[1:], rtol=0, atol=1e-6 * scale)


def test_half_the_tolerance_and_step_moves_ngspices_by_less_than_a_two_thousandth(
    ngspice, tmp_path, monkeypatch
):
    build, volts = lively("plain", tmp_path)

    def waves() -> Waveforms:
        found = ask_settling(build, volts[:2], ASSUMED).ngspice
        assert found.waveforms is not None
        return found.waveforms

    coarse = waves()
    finer = replace(NGSPICE, over_time=lambda _: [".option method=gear trtol=1 abstol=1e-12"])
    monkeypatch.setattr(Runner, "dialect", finer)
    monkeypatch.setattr(settling_ngspice, "STEPS", 2 * settling_ngspice.STEPS)
    fine = waves()
    moved = np.abs(coarse.at(fine.time) - fine.values).max()
    assert 0 < moved < 5e-4 * np.abs(fine.values[-1]).max()


def test_a_chip_settles_to_its_own_values(tmp_path):
    design = chip(random_spec(3, (5, 4, 3)), replace(EVERYTHING, read_noise=0.0))
    volts = np.linspace(0.1, 0.6, 15).reshape(3, 5)
    run = run_design(design, volts[:-1], volts[1:], ASSUMED, 61.0)
    exact = at_rest(design, volts, 61.0)
    scale = np.abs(exact).max()
    np.testing.assert_allclose(run.waves.values[0], exact[:-1], rtol=0, atol=1e-9 * scale)
    np.testing.assert_allclose(run.waves.values[-1], exact[1:], rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("ringing", [False, True])
def test_half_the_step_moves_waveforms_by_less_than_a_two_thousandth(tmp_path, ringing):
    build, volts = lively("plain", tmp_path)
    volts = volts[:2] if ringing else volts
    assumed = Assumptions(zeta=0.0, c_in=20e-12) if ringing else ASSUMED
    moving = InTime(build.design, assumed, 26.85)
    end = moving.least_seconds(volts[1:].T) / (10 if ringing else 1)

    def logits_at(finer: float) -> tuple[np.ndarray, np.ndarray]:
        time, found = [], []
        for t, states in moving.march(volts[:-1].T, volts[1:].T, finer):
            time.append(t)
            found.append(moving.stages[-1].outputs(states[-1]).ravel())
            if t > end:
                break
        return np.array(time), np.transpose(found)

    times, coarse = logits_at(1.0)
    finer, found = logits_at(2.0)
    fine = np.stack([np.interp(times, finer, y) for y in found])
    assert np.abs(coarse - fine).max() < 5e-4 * np.abs(fine[:, -1]).max()


def test_a_linear_block_steps_as_its_differential_equation_says():
    """A difference amplifier of gain 3 and one pole: small steps and a large one end alike."""
    one = np.ones(1)
    args = (1e-12 * one, 0.2e-12 * one, 10e3, 3 * one, 1e5 * one, 1e-3 * one, 2e7 * np.pi)
    block = difference_blocks(*args)
    u0, u1 = np.array([[[0.1], [0.3]]]), np.array([[[0.4], [0.2]]])
    x = block.rest(u0)
    assert x[0, 2, 0] == pytest.approx((3 * (0.1 - 0.3) + 4e-3) / (1 + 4e-5), rel=1e-9)
    once, n = block.step(x, u0, u1, 1e-8), 20_000
    for k in range(n):  # Euler's method
        u = u0 + (u1 - u0) * (k + 0.5) / n
        x = x + 1e-8 / n * (block.a @ x + block.b @ u + block.e[..., None])
    np.testing.assert_allclose(once, x, rtol=1e-3)


def test_a_crossing_is_found_between_two_times():
    time = np.array([0.0, 1.0, 2.0, 3.0])
    excess = np.array([[1.0, -1, 1], [3.0, -1, 1], [-1.0, -2, 1], [-2.0, -1, 2]])
    assert last_crossing(time, excess).tolist() == [1.75, 0.0, np.inf]


# ---- what is told


def test_more_capacitance_at_inputs_settles_later_and_undamped_later_still(tmp_path):
    build, volts = lively("plain", tmp_path)
    quick, slow, ringing = (
        settle(build, volts[:-1], volts[1:], replace(ASSUMED, **change)).settling_s.mean()
        for change in ({"c_in": 0.2e-12}, {"c_in": 2e-12}, {"c_in": 2e-12, "zeta": 0.0})
    )
    assert quick < slow < ringing


def test_held_stages_settle_one_after_the_other(tmp_path):
    spec = random_spec(6, (5, 4, 3), curves=resolve("A21,Z21"))
    volts = spec.dac_volts(random_inputs(0, 3, 5))
    whole = write_build(spec, Hardware(), tmp_path / "whole.build")
    held = write_build(spec, Hardware(), tmp_path / "held.build", most=80)
    assert len(held.sections) == 2
    one, two = (settle(b, volts[:-1], volts[1:], ASSUMED) for b in (whole, held))
    assert (one.held_s.shape, two.held_s.shape) == ((0, 2), (1, 2))
    np.testing.assert_allclose(two.logits, one.logits, atol=1e-3)
    assert (two.settling_s > one.settling_s).all()
    assert (two.held_s[0] > 0).all() and (two.settling_s > two.held_s[0]).all()
    with pytest.raises(NetlistError, match="and one deck is needed here"):
        ask_settling(held, volts, ASSUMED)


def test_a_regression_is_settled_within_its_range(tmp_path):
    targets = Targets(low=(0.0,) * 3, high=(10.0,) * 3, names=("a", "b", "c"), units=("",) * 3)
    spec = replace(random_spec(6, (5, 4, 3), curves=resolve("A21,Z21")), targets=targets)
    build = write_build(spec, Hardware(), tmp_path / "net.build")
    volts = spec.dac_volts(random_inputs(0, 3, 5))
    found = settle(build, volts[:-1], volts[1:], ASSUMED, waveforms=True)
    np.testing.assert_array_equal(found.within(2.0 / 2**9), found.settling_s)
    assert (found.within(0.1) < found.settling_s).all()
    with pytest.raises(SimulationError, match=r"^no waveforms were kept: settle\(\.\.\., "):
        replace(found, waveforms=None).within(0.1)
    assert np.isnan(found.settling_class_s).all() and np.isnan(found.settling_margin_s).all()
    assert found.full_scale == 2.0 and (found.settling_s > 0).all()


def test_what_oscillates_is_named_and_its_waveform_kept(tmp_path, monkeypatch):
    """A row of a tenth of the capacitor that it is compiled with."""
    monkeypatch.setattr(settling, "MOST_STEPS", 2000)
    spec = random_spec(4, (5, 4), curves=resolve("A21"))
    build = write_build(spec, Hardware(), tmp_path / "net.build")
    volts = spec.dac_volts(random_inputs(0, 5, 5))
    (link,) = build.circuit().links
    stages = tuple(replace(stage, c_f=stage.c_f / 10) for stage in link.design.stages)
    made = [replace(link, design=replace(link.design, stages=stages))]
    sentence = (
        r"^layer 0: row l0_i\d_d0 does not settle: after [\d.e+-]+ s it still moves by "
        r"[\d.e+-]+ V at about [\d.e+-]+ Hz; raise its feedback capacitor \(c_f of the "
        r"hardware, or zeta of the assumptions\). Its waveform is in "
        r".*/failed/settling-l0_i\d_d0.csv$"
    )
    with pytest.raises(OscillationError, match=sentence) as caught:
        settle(build, volts[:-1], volts[1:], replace(ASSUMED, zeta=0.0), chip=made)
    wave = caught.value.waveform
    kept = np.loadtxt(str(caught.value).rsplit(" ", 1)[1], delimiter=",", skiprows=1)
    np.testing.assert_array_equal(kept, np.column_stack([wave.time, wave.values[:, 0, 0]]))
    assert np.ptp(kept[len(kept) // 2 :, 1]) > 1e-3


def test_what_is_not_at_rest_is_named_however_large_the_rails_are(tmp_path, monkeypatch):
    monkeypatch.setattr(settling, "MOST_STEPS", 90)
    build, volts = lively("plain", tmp_path)
    hardware = replace(build.hardware, v_rail=100.0)
    (link,) = build.circuit().links
    made = [replace(link, design=replace(link.design, hardware=hardware))]
    with pytest.raises(OscillationError, match=r"^layer \d: \w+ \w+ does not settle: after"):
        settle(build, volts[:-1], volts[1:], ASSUMED, chip=made)


def test_slewing_is_refused(tmp_path):
    build, volts = lively("plain", tmp_path)
    sentence = (
        "slew = 1e+06 V/s: amplifiers are linear in time here; leave it at 0 and compare slew "
        "rates with the slopes of the waveforms"
    )
    with pytest.raises(SimulationError, match=f"^{escape(sentence)}$"):
        settle(build, volts[:-1], volts[1:], replace(ASSUMED, slew=1e6))


def test_a_cell_with_op_amps_must_say_how_it_follows_them(monkeypatch):
    bare = replace(cells.squash_kind("sigmoid"), in_time=())
    monkeypatch.setitem(cells._registry.kinds, "sigmoid", bare)
    design = build_design(random_spec(3, (5, 4, 3), squash="sigmoid"), Hardware())
    sentence = "cell sigmoid has op-amps, and declares no in_time to say how it follows them"
    with pytest.raises(SimulationError, match=f"^{sentence}$"):
        InTime(design, ASSUMED, 26.85)


def test_it_is_asked_for_by_name_and_leaves_a_deck_that_plain_ngspice_runs(
    ngspice, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    build, _ = lively("plain", tmp_path)
    images = random_images(2, 4, 5)
    np.savez("data.npz", x=images.x, y=images.y, split=np.full(4, "test"))
    line = ("simulate", str(build.folder), "--dataset", "data.npz", "--out", "run")
    asked = (*line, "--analysis", "settling", "--image", "2")
    said = " ".join(done(*asked).split())
    assert "from zero" in said and "slewing is not limited" in said
    kept = tmp_path / "run" / "settling-2"
    document = json.loads((kept / "settling.json").read_text(encoding="utf-8"))
    changes = ["from zero", "back to the image before", "from the image before"]
    assert [row["change"] for row in document["changes"]] == changes
    assert all(row["waveform_error"] < 2e-3 for row in document["changes"])
    runner = Runner(ngspice)
    runner.run(kept / "deck" / "settling.cir", kept / "deck" / "settling.raw", timeout=60)
    vectors = read_raw(kept / "deck" / "settling.raw", points=None)
    waves = np.loadtxt(kept / "settling.csv", delimiter=",", skiprows=1)
    np.testing.assert_array_equal(waves[:, 0], vectors["time"])
    np.testing.assert_array_equal(waves[:, 1], vectors["v(logit_0)"])
    (shown,) = kept_analyses(tmp_path / "run")
    assert shown.plot().axes[0].get_ylabel() == "logit"
    assert shown.table().height == 3
    first = ak.analyse(build, ak.load_dataset("data.npz", "test")[0], "settling")
    assert [row["change"] for row in first.summary["changes"]] == ["from zero"]
    (build.folder / "cells.cir").write_text("* edited\n")
    sentence = "cells.cir was edited by hand, and settling is asked of a deck of its own"
    with pytest.raises(NetlistError, match=sentence):
        ak.analyse(build, images[0], "settling", allow_edited=True)
