"""trace: one image's voltages stage by stage, and the net at which an error arises."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from analogkan.compiler.build import Build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.errors import ConvergenceError
from analogkan.files import sealed, sha256
from analogkan.studies.analyses import analyse_image, ask
from analogkan.studies.trace import TRACE, TraceStage, stages_of, summarise_trace

from .networks import random_images, random_inputs, random_spec

SPEC = random_spec(4, (5, 6, 4, 3), squash="clamp", norm="batch")
VOLTS = SPEC.dac_volts(random_inputs(7, 1, 5))


def trace(build: Build, volts: np.ndarray, keep: Path) -> list[TraceStage]:
    return stages_of(ask(build, volts, TRACE, keep))


@pytest.fixture
def build(ngspice, tmp_path) -> Build:
    return write_build(SPEC, Hardware(opamp="ideal"), tmp_path / "net.build")


def edit(build: Build, name: str, pattern: str, new: str) -> None:
    """Change the one line of a deck file that matches."""
    path = build.folder / name
    text, n = re.subn(pattern, new, path.read_text(), flags=re.MULTILINE)
    assert n == 1
    path.write_text(text)


def halve_rf(build: Build, layer: int, line: str) -> None:
    """Plant a fault: half the feedback at one line's amplifier."""
    k = 2 * int(line[1]) + line.endswith("n")
    half = float(build.design.stages[layer].r_c[k]) / 2
    pattern = rf"^(x_l{layer}_{line}_tia \S+ l{layer}_{line} tia rf=)\S+$"
    edit(build, f"layer{layer}.cir", pattern, rf"\g<1>{half!r}")


def test_what_software_expects_is_the_layers_outputs(build, tmp_path):
    stages = {s.what: s for s in trace(build, VOLTS[0], tmp_path)}
    assert len(stages) == 12
    folded, clamp = SPEC.folded().layer_outputs(VOLTS), SPEC.layers[1].squash
    np.testing.assert_array_equal(stages["layer 0 inputs"].software, VOLTS[0])
    for k in (1, 2):
        np.testing.assert_allclose(
            stages[f"layer {k} inputs"].software, clamp(folded[k - 1][0]), rtol=1e-12
        )
        np.testing.assert_allclose(
            stages[f"layer {k - 1} outputs"].software, folded[k - 1][0], rtol=1e-12, atol=1e-12
        )
    np.testing.assert_allclose(
        stages["layer 2 outputs"].software / build.design.v_per_logit,
        SPEC.layer_outputs(VOLTS)[2][0],
        rtol=1e-12,
        atol=1e-12,
    )


def test_a_clean_ideal_circuit_errs_nowhere(build, tmp_path):
    found = summarise_trace(trace(build, VOLTS[0], tmp_path))
    for stage in found["stages"]:
        assert stage["own_error_volts"] < 1e-6 * stage["scale_volts"], stage
        assert stage["max_error_volts"] < 1e-6 * stage["scale_volts"], stage
    assert found["largest_divergence"]["share_of_scale"] < 1e-6


@pytest.mark.parametrize(
    ("layer", "line"), [(0, "o0_p"), (0, "o5_n"), (1, "o2_p"), (1, "o3_n"), (2, "o1_n")]
)
def test_a_planted_fault_is_named(build, tmp_path, layer, line):
    halve_rf(build, layer, line)
    found = summarise_trace(trace(build, VOLTS[0], tmp_path))
    worst = found["largest_divergence"]
    assert (worst["stage"], worst["net"]) == (f"layer {layer} lines", f"l{layer}_{line}")
    assert worst["circuit_volts"] == pytest.approx(worst["expected_volts"] / 2, rel=1e-6)
    wrong = [s["stage"] for s in found["stages"] if s["own_error_volts"] > 1e-6 * s["scale_volts"]]
    assert wrong == [f"layer {layer} lines"]  # the stages after it inherit the error


def test_a_fault_of_a_row_is_not_put_down_to_the_lines_it_feeds(build, tmp_path):
    edit(build, "layer1.cir", r"^(x_l1_i2_d1_amp .* rf=)\S+", r"\g<1>1e3")
    found = summarise_trace(trace(build, VOLTS[0], tmp_path))
    worst = found["largest_divergence"]
    assert (worst["stage"], worst["net"]) == ("layer 1 rows", "l1_i2_d1")
    lines = next(s for s in found["stages"] if s["stage"] == "layer 1 lines")
    assert lines["max_error_volts"] > 1e-3 * lines["scale_volts"]
    assert lines["own_error_volts"] < 1e-6 * lines["scale_volts"]


def test_the_circuits_own_voltages_are_what_a_fault_makes_of_them(build, tmp_path):
    halve_rf(build, 0, "o2_p")
    clean, stage = SPEC.folded().layer_outputs(VOLTS)[0][0], build.design.stages[0]
    found = {s.what: s for s in trace(build, VOLTS[0], tmp_path)}
    lines = found["layer 0 lines"]
    assert lines.nets[4] == "l0_o2_p"
    error = found["layer 0 outputs"].circuit - clean
    np.testing.assert_allclose(error[2], -stage.gain[2] * lines.software[4] / 2, rtol=1e-5)
    np.testing.assert_allclose(np.delete(error, 2), 0, atol=1e-6)


def test_a_trace_is_written_whole(build, tmp_path):
    images = random_images(7, 3, 5)
    found = analyse_image(build, images[1], images, "trace", tmp_path, allow_edited=False)
    volts = SPEC.dac_volts(images[1].x)[0]
    stages = trace(build, volts, tmp_path / "failed")
    number = int(images.index[1])
    folder = tmp_path / f"trace-{number}"
    document = json.loads((folder / "trace.json").read_text())
    assert document == found.to_document()
    assert set(document["made"]) >= {"at", "analogkan"}
    assert document == sealed(
        summarise_trace(stages)
        | {"made": document["made"]}
        | {"image": number, "label": int(images.y[1]), "images": images.facts()}
        | {"files": {"trace.npz": sha256(folder / "trace.npz")}}
    )
    with np.load(folder / "trace.npz") as kept:
        assert len(kept.files) == 3 * len(stages)
        np.testing.assert_array_equal(kept["layer_1_rows_circuit"], stages[5].circuit)
        assert kept["layer_2_outputs_nets"].tolist() == ["l2_y0", "l2_y1", "l2_y2"]


def test_a_deck_without_a_solution_is_kept_and_named(build, tmp_path):
    edit(
        build,
        "layer0.cir",
        r"^(x_l0_y0_diff .*)$",
        r"\1" + "\nv_short l0_y0 0 dc 1\nv_other l0_y0 0 dc 2",
    )
    with pytest.raises(ConvergenceError, match=r"^ngspice found no solution: ") as caught:
        trace(build, VOLTS[0], tmp_path / "failed")
    deck = tmp_path / "failed" / "chunk00000" / "chunk00000_2.cir"
    assert caught.value.deck == deck
    assert deck.is_file()
