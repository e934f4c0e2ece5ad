"""Rows that are left out: the circuit is the network without them, and nothing of theirs stays."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analogkan as ak
from analogkan.compiler.build import Build, load_build, write_build
from analogkan.compiler.counts import element_counts
from analogkan.compiler.design import CrossbarStage, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build
from analogkan.engines.chip_engines import TwinEngine
from analogkan.errors import CompileError, SettingsError
from analogkan.imperfections import Conditions, Variation
from analogkan.imperfections.make import perturb
from analogkan.network.dropped import without_rows
from analogkan.network.spec import NetworkSpec
from analogkan.physics import Assumptions
from analogkan.physics.area import area_of
from analogkan.physics.noise import noise_of_design
from analogkan.physics.power import power_of
from analogkan.physics.supply import supply_of, work_of
from analogkan.report.maps import ir_drop_figure
from analogkan.studies.simulate import simulate
from analogkan.studies.trace import Tracing

from .chips import chip, errors_of
from .networks import circuit, random_images, random_spec
from .sheets import require_judged
from .test_twin import images, worst

SHARE = 1e-3
IDEAL = Hardware(opamp="ideal", tile_rows=5, tile_cols=4)
WIRES = {"r_wire": 5.0, "r_driver": 40.0, "tile_rows": 5, "tile_cols": 4}


def idle(**how: Any) -> NetworkSpec:
    """A network of which input 0 never moves, and row 5 (input 2, diode 1) and hidden node 1 hardly
    matter."""
    spec = random_spec(7, (6, 5, 3), **how)
    first, second = (layer.theta.copy() for layer in spec.layers)
    first[2, :, 1] *= 1e-2
    second[1] *= 1e-2
    assert spec.calibration is not None
    still = spec.calibration.copy()
    still[:, 0] = 130
    hidden = replace(spec.layers[0], theta=0.3 * first, bias=np.full(5, 0.3))  # on all curves
    return replace(spec, layers=(hidden, replace(spec.layers[1], theta=second)), calibration=still)


SPEC = idle()
GONE = r"l0_(?:v|i)0_?|l0_i2_d1|l1_i1_d\d"


def built(folder: Path, spec: NetworkSpec = SPEC, **hardware) -> Build:
    return write_build(spec, Hardware(drop_rows=SHARE, **hardware), folder / "net.build")


# ---- software


def test_the_least_rows_go_and_their_means_stay():
    small, lost = without_rows(SPEC, SHARE)
    absent = [np.argwhere(~layer.theta.any(axis=1)).tolist() for layer in small.layers]
    assert absent == [[[0, 0], [0, 1], [2, 1]], [[1, 0], [1, 1]]]
    assert all(0 < part <= SHARE for part in lost)
    assert SPEC.calibration is not None
    volts = SPEC.dac_volts(SPEC.calibration)
    before, after = (spec.layer_outputs(volts)[0] for spec in (SPEC, small))
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), rtol=1e-12)
    apart = ((after - before) ** 2).mean(axis=0).sum()
    assert 0 < apart <= 2 * SHARE * before.var(axis=0).sum()


def test_a_tiny_share_takes_what_does_not_move_and_none_takes_nothing():
    dead, _ = without_rows(SPEC, 1e-9)
    assert np.argwhere(~dead.layers[0].theta.any(axis=1)).tolist() == [[0, 0], [0, 1]]
    assert SPEC.calibration is not None
    np.testing.assert_allclose(dead.logits(SPEC.calibration), SPEC.logits(SPEC.calibration))
    for layer, same in zip(without_rows(SPEC, 0.0)[0].layers, SPEC.layers, strict=True):
        assert layer is same


def test_a_layer_that_does_not_move_keeps_its_rows():
    assert SPEC.calibration is not None
    still = replace(SPEC, calibration=SPEC.calibration[:1])
    assert all(layer.theta.any(axis=1).all() for layer in without_rows(still, 0.5)[0].layers)


# ---- the circuit is that network


@pytest.mark.parametrize(
    ("how", "hardware"),
    [
        ({}, {}),
        ({}, WIRES),
        ({}, {**WIRES, "wires": "explicit"}),
        ({}, {"r_wire": 5.0, "wires": "explicit", "tile_rows": 3, "tile_cols": 4}),
        ({}, {"opamp": "rails", "r_driver": 40.0}),
        ({}, {"readout": "summing", "opamp": "rails", "gbw_by_stage": 1.0}),
        ({"squash": "tanh"}, {"readout": "summing"}),
        ({"squash": "clamp"}, {}),
        ({"squash": "sigmoid", "norm": "layer"}, {}),
        ({"norm": "layer"}, {}),
    ],
)
def test_ngspice_twin_and_verification_agree(how, hardware, ngspice, tmp_path):
    spec = idle(**how)
    build = built(tmp_path, spec, levels=32, **hardware)
    assert verify_build(build).sentence() == verify_build(load_build(build.folder)).sentence()
    assert verify_build(build).ok
    made = chip(spec, sample=1, levels=32, drop_rows=SHARE, **hardware)
    assert worst(made, images(8, 6), 60.0, ngspice, tmp_path) < 1e-6


def test_its_logits_are_those_of_the_network_without_the_rows(ngspice, tmp_path):
    small, _ = without_rows(SPEC, SHARE)
    volts = images(8, 6)
    design = build_design(SPEC, replace(IDEAL, drop_rows=SHARE))
    logits = TwinEngine().logits(design, volts, np.arange(8), 26.85)
    np.testing.assert_allclose(logits, small.forward_volts(volts), atol=1e-6)
    build = built(tmp_path)
    found = simulate(build, random_images(2, 8, 6), run=tmp_path / "run").summary
    assert found["max_abs_logit_error"] > 1e-6  # against the whole network's software


def test_the_deck_has_no_element_of_a_row_that_is_left_out(tmp_path):
    build = built(tmp_path)
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted(build.folder.glob("*.cir"))
    )
    assert not re.search(rf"\b(?:x|r|v)_(?:{GONE})", text)
    assert not re.search(r"\bl0_(?:i0_d\d|i2_d1|v0)\b|\bl1_i1_d\d\b", text)
    whole, left = build_design(SPEC, Hardware()), build.design
    for kind, fewer in {"diodes": 5, "op_amps": 5, "capacitors": 5}.items():
        assert element_counts(whole)[kind] - element_counts(left)[kind] == fewer
    before, after = (
        [np.count_nonzero(stage.g[: stage.r_f.size]) for stage in design.stages]
        for design in (whole, left)
    )
    assert np.subtract(before, after).tolist() == [2 * 3 * 5, 2 * 2 * 3]
    notes = build.summary["notes"]
    assert re.fullmatch(
        r"layer 0: 3 of 12 rows are left out \(they gave \d\S* of the variance\)", notes[0]
    )
    assert work_of(build).dacs == 5


def test_an_edgeless_row_of_a_pruned_network_is_not_there_either(ngspice, tmp_path):
    pruned, _ = without_rows(SPEC, SHARE)
    build = write_build(pruned, IDEAL, tmp_path / "net.build")
    assert build.summary["elements"]["op_amps"] == 12 + 10 - 5 + 3 * 8
    assert build.summary["notes"][0] == ("layer 0: 3 of 12 rows are left out (they move no output)")
    found = simulate(build, random_images(2, 8, 6), run=tmp_path / "run").summary
    assert found["max_abs_logit_error"] <= 1e-6 * found["logit_full_scale"]


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        (
            "layer0.cir",
            r"\g<0>x_l0_i2_d1_diode l0_v2 l0_i2_d1_sum diode_t1\n"
            r"x_l0_i2_d1_amp l0_i2_d1_sum l0_i2_d1 row_amp rf=3e5 cf=1e-13\n",
            r"input 2 \(l0_v2\) also feeds x_l0_i2_d1_diode",
        ),
        ("layer0.cir", "", r"input 2 \(l0_v2\): diode T0 is missing"),
        ("stimulus.cir", r"\g<0>v_l0_v0 l0_v0 0 dc 0.1\n", "l0_v0 is touched by one terminal only"),
    ],
)
def test_a_row_put_back_and_one_taken_away_are_found(file, line, told, tmp_path):
    """What may be missing is told by the network, not by the design."""
    build = built(tmp_path)
    path = build.folder / file
    text = path.read_text(encoding="utf-8")
    found = r"x_l0_i2_d0_diode .*\nx_l0_i2_d0_amp .*\n" if file == "layer0.cir" else r"v_l0_v1 .*\n"
    text, count = re.subn(found, line, text)
    assert count == 1
    path.write_text(text, encoding="utf-8", newline="\n")
    findings = verify_build(load_build(build.folder)).findings
    assert any(re.search(told, one) for one in findings), findings


def test_a_design_that_lacks_a_row_of_the_network_is_found(tmp_path):
    build = built(tmp_path)
    deck = build.one_deck()
    whole = replace(deck.design, hardware=replace(build.hardware, drop_rows=0.0))
    findings = verify_build(replace(build, deck=replace(deck, design=whole))).findings
    assert any("input 2 (l0_v2): diode T1 is missing" in one for one in findings), findings


def test_held_circuits_leave_out_rows_each(ngspice, tmp_path):
    build = write_build(SPEC, Hardware(drop_rows=SHARE), tmp_path / "held.build", most=40)
    assert len(build.names()) > 2
    assert verify_build(build).ok
    notes = [note for part in build.summary["circuits"] for note in part["notes"]]
    assert any("rows are left out" in note for note in notes)
    small, _ = without_rows(SPEC, SHARE)
    found = simulate(build, random_images(2, 8, 6), run=tmp_path / "run")
    x = random_images(2, 8, 6).x
    logits = circuit(found)
    assert np.abs(logits - small.logits(x)).max() < 0.05 * np.abs(logits).max()


@pytest.mark.parametrize("how", [{}, {"squash": "sigmoid", "norm": "layer"}])
def test_a_trace_and_a_map_show_the_rows_that_are_there(how, ngspice, tmp_path):
    build = built(tmp_path, idle(**how), **WIRES)
    found = ak.trace(build, random_images(2, 1, 6))
    assert isinstance(found, Tracing)
    nets = {s["stage"]: s["nets"] for s in found.stages}
    kept = [stage.kept.sum() for stage in build.design.stages]
    bias = [stage.n_bias for stage in build.design.stages]
    assert [nets[f"layer {k} rows"] for k in (0, 1)] == np.add(kept, bias).tolist()
    assert [nets[f"layer {k} inputs"] for k in (0, 1)] == [5, build.design.stages[1].driven.sum()]
    assert found.largest_divergence["share_of_scale"] < 1e-2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ir_drop_figure([stage.g for stage in build.design.stages], build.hardware)


# ---- what it draws, and what chance makes of it


@pytest.mark.parametrize("how", [{}, {"squash": "tanh", "norm": "batch"}])
@pytest.mark.parametrize("hardware", [{"readout": "summing"}, {"r_wire": 5.0}])
def test_ngspice_confirms_power_settling_and_noise(how, hardware, ngspice, tmp_path):
    build = built(tmp_path, idle(**how), **hardware)
    require_judged(build, images(4, 6), tmp_path)


def test_power_and_noise_fall(tmp_path):
    volts, assumed = images(4, 6), Assumptions()
    assert SPEC.calibration is not None
    volts[:, 0] = SPEC.dac_volts(SPEC.calibration[:1])[0, 0]  # so that hidden nodes are alike
    whole = write_build(SPEC, Hardware(), tmp_path / "whole.build")
    left = built(tmp_path)
    more, less = (power_of(b, volts) for b in (whole, left))
    for block in ("diodes", "row_feedback"):
        assert (less.dissipated[block] < more.dissipated[block]).all()
    assert [p.shape[1] for p in less.peaks["rows"]] == [9, 8]
    supplies = [supply_of(p, b.hardware, assumed) for p, b in ((more, whole), (less, left))]
    assert supplies[0].amplifiers - supplies[1].amplifiers == 5
    assert (supplies[1].quiescent["rows"] < supplies[0].quiescent["rows"]).all()
    areas = [area_of(b.circuit(), assumed) for b in (whole, left)]
    assert areas[0]["op_amps"] - areas[1]["op_amps"] == pytest.approx(5 * assumed.area_opamp)
    assert all(areas[1][block] < areas[0][block] for block in ("cells", "resistors"))
    noises = [noise_of_design(b.design, volts, assumed) for b in (whole, left)]
    assert ((noises[1].rms ** 2).sum(axis=1) < (noises[0].rms ** 2).sum(axis=1)).all()


def test_the_rows_that_stay_are_those_of_the_same_chip():
    made = Variation(sigma_g=0.05, diode_sigma_current=0.05, offset_sigma=1e-3)
    for whole, left in zip(*(stages(share, made) for share in (0.0, SHARE)), strict=True):
        (_, a), (design, b) = whole, left
        kept = design.kept
        np.testing.assert_array_equal(errors_of(a).k_i[kept], errors_of(b).k_i[kept])
        np.testing.assert_array_equal(
            errors_of(a).rows.offset[kept], errors_of(b).rows.offset[kept]
        )
        rows = np.flatnonzero(kept)
        factors = [(chip.g / np.maximum(of.g, 1e-12))[rows] for of, chip in (whole, left)]
        np.testing.assert_allclose(*factors, rtol=1e-12)
        assert not b.g[np.flatnonzero(~kept)].any()


def stages(share: float, variation: Variation) -> list[tuple[CrossbarStage, CrossbarStage]]:
    """Each stage of the design, and of chip 4 of it."""
    design = build_design(SPEC, Hardware(drop_rows=share))
    made, _ = perturb(design, variation, Conditions(), spec=SPEC, seed=0, sample=4)
    return list(zip(design.stages, made.stages, strict=True))


def test_faults_of_rows_that_are_left_out_are_not_counted():
    design = build_design(SPEC, Hardware(drop_rows=SHARE))
    all_dead = Variation(dead_diodes=1.0)
    _, counts = perturb(design, all_dead, Conditions(), spec=SPEC, seed=0, sample=0)
    assert counts["dead_diodes"] == element_counts(design)["diodes"]


# ---- refusals


def test_without_calibration_inputs_it_is_refused():
    with pytest.raises(
        CompileError,
        match=r"drop_rows = 0\.001 needs calibration inputs, to see which rows move, and net7 "
        r"carries none: give them with --calibrate FILE\.npz, or set drop_rows=0",
    ):
        build_design(replace(SPEC, calibration=None), Hardware(drop_rows=SHARE))


def test_a_share_beyond_its_range_is_refused():
    with pytest.raises(SettingsError, match=r"drop_rows = 0\.95 is out of range: 0 to 0\.9"):
        Hardware(drop_rows=0.95)
