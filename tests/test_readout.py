"""The summing read-out: how it is sized, that its deck is read back, and that it is the circuit."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.columns import Columns
from analogkan.compiler.counts import element_counts
from analogkan.compiler.design import (
    CrossbarStage,
    Design,
    build_design,
    load_design,
    save_design,
)
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build
from analogkan.engines.calibrate import calibrate
from analogkan.engines.ideal import saturating, stage_volts
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import NetlistError, SimulationError
from analogkan.imperfections import Conditions, Variation
from analogkan.imperfections.trim import EXACT_VOLTS
from analogkan.network.squash import NORMS, squash_names
from analogkan.physics import Assumptions
from analogkan.physics.area import area_of
from analogkan.physics.capacitors import capacitors_of
from analogkan.physics.drive import least_damping, offset_volts
from analogkan.studies.points import Point
from analogkan.studies.simulate import simulate

from .chips import EVERYTHING, chip, errors_of
from .networks import random_images, random_spec
from .sheets import require_judged
from .test_levers import SPEC, edited, of_loop
from .test_standard_values import E96, are_standard
from .test_twin import images, worst
from .test_verify import damage

SUMMING: dict[str, Any] = {"readout": "summing"}
WIRED: dict[str, Any] = {"r_wire": 20.0, "tile_rows": 6, "tile_cols": 4}


def design_of(seed: int = 2, sizes=(6, 5, 3), network: Any = None, **hardware: Any) -> Design:
    return build_design(
        random_spec(seed, sizes, **(network or {})), Hardware(**SUMMING, **hardware)
    )


def gains_of(stage: CrossbarStage, r_n: np.ndarray) -> np.ndarray:
    """(O,) sum of the noise gains of an output's two amplifiers, with ``r_n``."""
    positive, negative = stage.g[:, 0::2].sum(axis=0), stage.g[:, 1::2].sum(axis=0)
    return 2 + r_n * negative + stage.r_c[0::2] * (positive + 1 / r_n)


# ---- sizes


@pytest.mark.parametrize("network", [{}, {"squash": "tanh"}, {"norm": "layer"}])
def test_r_f_makes_the_unit_and_r_n_the_least_noise_gains_within_the_headroom(network):
    spec = random_spec(2, (6, 5, 3), **network)
    design = build_design(spec, Hardware(**SUMMING))
    assert spec.calibration is not None
    volts = spec.dac_volts(spec.calibration)
    ideal = replace(design, hardware=replace(design.hardware, opamp="ideal"))
    limit = 0.8 * 2.5
    *hidden, found = stage_volts(ideal, volts)
    for stage, volts_of in zip(design.stages, [*hidden, found], strict=True):
        np.testing.assert_allclose(stage.r_c[0::2] * 0.5, stage.unit * stage.alpha)
        np.testing.assert_array_equal(stage.gain, 1.0)
        r_n, largest = stage.r_c[1::2], np.abs(volts_of.lines[:, 1::2]).max(axis=0)
        assert (largest <= limit * (1 + 1e-9)).all()
        capped = largest > limit * (1 - 1e-9)
        least = gains_of(stage, r_n)
        assert (least <= gains_of(stage, 0.9 * r_n)).all()
        assert ((least <= gains_of(stage, 1.1 * r_n)) | capped).all()
    assert np.abs(found.outputs).max() == pytest.approx(limit, rel=1e-6)
    assert np.ptp(design.stages[-1].unit) == 0


def test_without_images_no_output_passes_its_headroom_whatever_the_voltages():
    spec = random_spec(4, (4, 3, 2), n_calibration=0)
    design = build_design(spec, Hardware(**SUMMING))
    *_, last = stage_volts(design, np.random.default_rng(0).uniform(0, 0.7, (200, 4)))
    assert np.abs(last.outputs).max() <= 2.0


def test_an_output_that_nothing_drives_has_a_scale():
    spec = random_spec(3, (4, 3), n_calibration=0)
    (layer,) = spec.layers
    silent = replace(layer, theta=0 * layer.theta, bias=0 * layer.bias)
    (stage,) = build_design(replace(spec, layers=(silent,)), Hardware(**SUMMING)).stages
    assert np.isfinite(stage.r_c).all() and (stage.r_c > 0).all()


def test_it_has_two_op_amps_and_three_resistors_an_output():
    sizes = (6, 5, 3)
    one, other = (
        element_counts(build_design(random_spec(2, sizes), Hardware(readout=readout)))
        for readout in ("differences", "summing")
    )
    assert one["op_amps"] - other["op_amps"] == 5 + 3
    assert one["amplifier_resistors"] - other["amplifier_resistors"] == 3 * (5 + 3)


def test_standard_values_leave_the_unit_exact(tmp_path):
    spec = random_spec(3, (3, 4, 2))
    build = write_build(spec, replace(E96, **SUMMING), tmp_path / "b")
    assert verify_build(build).findings == []
    for stage in build.one_deck().design.stages:
        assert are_standard(stage.r_c) and are_standard(stage.r_x)
        np.testing.assert_allclose(stage.r_c[0::2] * E96.v_fs, stage.unit * stage.alpha, 1e-12)


def test_a_saved_design_has_it_and_one_from_before_has_differences(tmp_path):
    design = design_of()
    save_design(design, tmp_path / "d.npz")
    assert load_design(tmp_path / "d.npz").stages[0].readout.name == "summing"
    assert Hardware().readout == "differences"


def test_points_of_a_run_from_before_keep_their_keys():
    point = Point(hardware=Hardware(), variation=Variation(), conditions=Conditions(), sample=None)
    other = replace(point, hardware=Hardware(**SUMMING))
    assert point.circuit == "e211ec7781f2" and other.circuit != point.circuit


# ---- the deck, read back


@pytest.mark.parametrize("squash", squash_names())
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("hardware", [{"levels": 8}, {"opamp": "rails"}, WIRED,
                                      WIRED | {"wires": "explicit", "r_driver": 50.0}])  # fmt: skip
def test_what_compile_writes_is_the_network(hardware, squash, norm, tmp_path):
    spec = random_spec(9, (4, 5, 1, 3), squash=squash, norm=norm)
    build = write_build(spec, Hardware(**SUMMING, **hardware), tmp_path / "b")
    found = verify_build(build)
    assert found.findings == []
    assert found.facts["op_amps"] == build.summary["elements"]["op_amps"]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("summing") / "net.build"
    write_build(random_spec(2, (6, 5, 3)), Hardware(**SUMMING), folder)
    return folder


ADD = r"^x_l0_y3_add l0_o3_p_sum l0_o3_n l0_y3 summing_amp rf=(\S+) rx=(\S+)$"


@pytest.mark.parametrize(("replacement", "said"), [
    (r"x_l0_y3_add l0_o3_p_sum l0_o3_n l0_y3 summing_amp rf=\1 rx=1e4",
     r"layer 0: summing amplifier l0_y3: 10000\.0 ohm from the negative line, not \d+\.\d+$"),
    (r"x_l0_y3_add l0_o3_p_sum l0_o3_n l0_y3 summing_amp rf=1e4 rx=\2",
     r"layer 0: line amplifier l0_y3: feedback \[10000\.0\] ohm, not \d+\.\d+$"),
    (r"x_l0_y3_add l0_o3_p_sum l0_o2_n l0_y3 summing_amp rf=\1 rx=\2",
     r"^x_l0_o3_n_tia \(line amplifier\) drives nothing$"),
    (r"x_l0_y3_add l0_o3_p_sum l0_i0_d0 l0_y3 summing_amp rf=\1 rx=\2",
     r"summing amplifier l0_y3 adds the outputs of 0 line amplifiers, not one"),
    (r"x_l0_y3_add l0_o3_p_sum l0_y3 summing_amp rf=\1\nr_1 1 0 1",
     r"x_l0_y3_add has 2 nets and parameters \['rf'\]; summing_amp has 3 ports"),
    (r"x_l0_y3_add l0_o3_n_sum l0_o3_n l0_y3 summing_amp rf=\1 rx=\2",
     r"two amplifiers share the summing node l0_o3_n_sum"),
])  # fmt: skip
def test_a_deck_with_another_summing_amplifier_is_found_out(pristine, tmp_path, replacement, said):
    folder = Path(shutil.copytree(pristine, tmp_path / "net.build"))
    damage(folder, "layer0.cir", ADD, replacement)
    try:
        found = "\n".join(verify_build(load_build(folder)).findings)
    except NetlistError as error:
        found = str(error)
    assert re.search(said, found, re.MULTILINE), found


@pytest.mark.parametrize("opamp", ["pole", "pole_rails"])
def test_bandwidths_by_stage_are_read_back(opamp, tmp_path):
    """Positive lines have what outputs get."""
    hardware = Hardware(opamp=opamp, gbw_by_stage=1.0, **SUMMING)
    folder = write_build(random_spec(2, (6, 5, 3)), hardware, tmp_path / "n.build").folder
    assert verify_build(load_build(folder)).ok
    for what, label in (("_tia", "o0_n"), ("_add", "y0")):
        found = edited(folder, "layer1.cir", f"{what} ", " gbw=", " gbw=1")
        assert f"layer 1: line amplifier l1_{label}: gain-bandwidth product of 1" in found


# ---- the circuit


CASES = [
    ("none", "batch", {"opamp": "rails", "v_rail": 0.6}, 125.0),
    ("clamp", "layer", {"opamp": "ideal"}, 85.0),
    ("sigmoid", "none", {}, -40.0),
    ("tanh", "batch", WIRED, 60.0),
    ("none", "none", {**WIRED, "opamp": "rails", "v_rail": 0.6}, 85.0),
    ("none", "layer", {**WIRED, "wires": "explicit", "r_driver": 50.0}, 85.0),
]


@pytest.mark.parametrize(("squash", "norm", "hardware", "temp_c"), CASES)
def test_the_twin_is_the_circuit_with_everything_on(
    squash, norm, hardware, temp_c, ngspice, tmp_path
):
    spec = random_spec(1, (6, 5, 4, 3), squash=squash, norm=norm)
    design = chip(spec, sample=1, **SUMMING, **hardware)
    assert worst(design, images(12, 6), temp_c, ngspice, tmp_path) < 1e-6


@pytest.mark.parametrize("wires", [0.0, 20.0])
@pytest.mark.parametrize("fault", ["open_lines", "dead_amplifiers"])
def test_faults_are_the_same_in_both(fault, wires, ngspice, tmp_path):
    variation = replace(EVERYTHING, **{fault: 0.15})
    spec = random_spec(8, (6, 5, 4, 3), squash="clamp")
    design = chip(spec, variation, opamp="rails", r_wire=wires, **SUMMING)
    assert worst(design, images(6, 6), 60.0, ngspice, tmp_path) < 1e-6


def test_limited_lines_that_no_round_brings_to_rest_are_refused(monkeypatch):
    ones = np.ones(2)
    columns = Columns(
        g=3 * ones, feet=np.array([[3.0, -2.9], [-2.9, 3.0]]), r_c=ones, ratio=ones[:1],
        line_gain=ones, line_offset=0 * ones, diff_gain=ones[:0], diff_offset=ones[:0],
        differences=False, xp=Twin([design_of()]).stages[0].columns.of_first().xp,
    )  # fmt: skip
    monkeypatch.setattr("analogkan.compiler.columns.ROUNDS", 1)
    sentence = (
        "lines at their rails do not come to rest in 1 rounds: they see each other through wires "
        "with too little gain between; raise opamp_gain or lower r_wire"
    )
    with pytest.raises(SimulationError, match=f"^{re.escape(sentence)}$"):
        columns.lines(np.full((2, 1), 40.0), lambda v: np.clip(v, -0.1, 0.1))


@pytest.mark.parametrize("more", [{}, {"gbw_by_stage": 1.0, "r_wire": 2.0}, {"drop_rows": 0.3}])
def test_ngspice_confirms_power_settling_and_noise(more, ngspice, tmp_path):
    build = write_build(SPEC, Hardware(**SUMMING, **more), tmp_path / "n.build")
    require_judged(build, images(4, 6), tmp_path)


def test_held_stages_and_shared_outputs_are_judged_alike(ngspice, tmp_path):
    build = write_build(SPEC, Hardware(**SUMMING), tmp_path / "n.build", most=60)
    assert len(build.names()) > 2 and verify_build(build).ok
    found = simulate(build, random_images(2, 8, 6), run=tmp_path / "run")
    assert found.summary["max_abs_logit_error"] < 1e-3 * found.summary["logit_full_scale"]


def test_damping_offsets_and_area_are_those_of_its_two_amplifiers(tmp_path):
    given = Assumptions(zeta=0.4, area_opamp=0.0, area_cell=0.0, area_ohm=100.0, c_in=0.1e-12)
    build = write_build(SPEC, Hardware(gbw_by_stage=1.0, **SUMMING), tmp_path / "n.build")
    design = build.design
    damping, offsets = least_damping(design, given, 26.85), offset_volts(design, 1e-3)
    ohms = 0.0
    for k, stage in enumerate(design.stages):
        c, w = capacitors_of(stage, design.hardware, given), 2 * np.pi * stage.gbw
        loads = stage.g.sum(axis=0)
        loads[0::2] += 1 / stage.r_x
        for group, side in (("lines", 1), ("differences", 0)):
            own = (part[side::2] for part in (c.lines_in, loads, stage.r_c, c.lines))
            least = of_loop(*own, w[2 - side]).min()
            assert damping[group][k] == pytest.approx(min(1.0, least), rel=1e-3)
            gain = 1 + (loads * stage.r_c)[side::2].max()
            assert offsets[group][k] == pytest.approx(1e-3 * gain)
        ohms += stage.r_f.sum() + stage.r_c.sum() + stage.r_x.sum()
    assert area_of(build.circuit(), given)["resistors"] == pytest.approx(ohms / 100)


def test_mismatch_of_a_pair_is_that_of_its_two_line_gains():
    """As in the other read-out: half of it on each line, none of it on r_f's own tolerance."""
    spec, variation = random_spec(2, (6, 5)), Variation(line_sigma=0.05, r_c_sigma=0.01)
    summing, other = (
        chip(spec, variation, Conditions(), readout=readout, opamp="ideal").stages[0]
        for readout in ("summing", "differences")
    )
    nominal = design_of(2, (6, 5), opamp="ideal").stages[0]
    of_lines = np.stack([summing.r_c[0::2], summing.r_c[0::2] * summing.gain], axis=1).ravel()
    wanted = other.r_c / build_design(spec, Hardware(opamp="ideal")).stages[0].r_c
    np.testing.assert_allclose(of_lines / np.repeat(nominal.r_c[0::2], 2), wanted, rtol=1e-12)
    assert (summing.r_x != summing.r_c[1::2]).all()
    assert errors_of(summing).diffs.offset.size == 0


def test_feedback_that_drifts_alike_scales_the_outputs_alone():
    """r_x drifts with r_n: at 125 degC an output has drifted as its r_f."""
    still = dict.fromkeys(("cell_tc1", "diode_tc_current", "diode_tc_voltage"), 0.0)
    design = design_of(2, (6, 5), opamp="ideal", feedback_tc1=1e-3, **still)
    cold, hot = (
        Twin([design], t).logits(Inputs.of(images(5, 6)))[0].numpy() for t in (26.85, 126.85)
    )
    # Rows have such a feedback too.
    weights = design.stages[0]
    n_signal = weights.r_f.size
    bias = (weights.alpha * (weights.g[n_signal:, 0::2] - weights.g[n_signal:, 1::2])).sum(axis=0)
    np.testing.assert_allclose(
        hot - 1.1 * bias[:, None], 1.21 * (cold - bias[:, None]), rtol=1e-6, atol=1e-6
    )


def test_dark_trim_reaches_the_software_and_columns_are_set_entirely():
    spec = random_spec(5, (8, 6, 4, 3), squash="clamp")
    off = Variation(trim="dark", sigma_g=0.02, offset_sigma=1e-3, line_sigma=0.01)
    dark = chip(spec, off, Conditions(), **SUMMING)
    first = Twin([dark]).run(torch.zeros(1, 8, 1, dtype=torch.float64)).outputs[0][0, :, 0]
    wanted = spec.folded().layers[0].respond(np.zeros((1, 8)))[0] * dark.stages[0].unit
    assert np.abs(first.numpy() - wanted).max() < EXACT_VOLTS
    alone = Variation(r_c_sigma=0.05, offset_drift_sigma=1e-5)
    hardware: dict[str, Any] = {"diode_tc_current": 0.0, "diode_tc_voltage": 0.0}
    made = chip(spec, alone, Conditions(), opamp_gain=1e8, **SUMMING, **hardware)
    lines = [replace(errors_of(s).lines, offset=errors_of(s).lines.offset + 2e-3)
             for s in made.stages]  # fmt: skip
    made = replace(made, stages=tuple(
        replace(s, errors=replace(errors_of(s), lines=line))
        for s, line in zip(made.stages, lines, strict=True)
    ))  # fmt: skip
    volts, index = images(60, 8), np.arange(60)
    found, left = calibrate(made, spec, volts, index, 26.85)
    exact = spec.forward_volts(volts)

    def error(design: Design) -> float:
        logits = Twin([design]).logits(Inputs.of(volts), index)[0].numpy().T
        return float(np.abs(logits - exact).max() / np.abs(exact).max())

    assert left == 0
    assert error(made) > 1e-2
    assert error(found) < 1e-5


def test_an_output_beyond_its_rails_counts_as_saturated():
    """Its positive line is the output itself: no line of its own is looked at."""
    design = design_of(2, (6, 5, 3), v_rail=0.3, headroom=1.0)
    volts = images(40, 6)
    free = replace(design, hardware=replace(design.hardware, v_rail=100.0))
    beyond = np.zeros(40, bool)
    for stage in stage_volts(free, volts):
        for nets in (stage.rows, stage.lines[:, 1::2], stage.outputs):
            beyond |= (np.abs(nets) > 0.3).any(axis=1)
    assert beyond.sum() > 0
    np.testing.assert_array_equal(saturating(design, volts), beyond)
