"""simulate: the circuit beside the software, what it refuses, and the figures that come out."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analogkan.cli import common
from analogkan.compiler.build import Build, load_build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.data import ImageSet
from analogkan.engines.chunked import BatchOptions
from analogkan.engines.ngspice import ENVIRONMENT
from analogkan.errors import DataError, NetlistError, SimulationError
from analogkan.intervals import paired_difference, wilson
from analogkan.studies.compare import compare
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.simulate import simulate

from .networks import circuit, random_images, random_inputs, random_spec

IDEAL = Hardware(opamp="ideal")
KEYS = {
    *("software_accuracy", "circuit_accuracy", "delta", "agreement", "n", "software_ci95"),
    *("circuit_ci95", "delta_ci95", "max_abs_logit_error", "logit_full_scale"),
    *("images_per_second", "engine", "ngspice_version", "flipped"),
}


@pytest.fixture
def build(ngspice, tmp_path) -> Build:
    return write_build(random_spec(1), IDEAL, tmp_path / "net.build")


@pytest.fixture
def images() -> ImageSet:
    return random_images(2, 10, 5)


@pytest.mark.parametrize(("squash", "norm"), [("none", "none"), ("clamp", "batch")])
def test_the_circuit_is_the_software(ngspice, tmp_path, images, squash, norm):
    spec = random_spec(6, (5, 6, 4, 3), squash=squash, norm=norm)
    result = simulate(write_build(spec, IDEAL, tmp_path / "net.build"), images)
    s = result.summary
    np.testing.assert_array_equal(result.software, spec.logits(images.x))
    np.testing.assert_array_equal(result.index, np.arange(100, 110))
    np.testing.assert_array_equal(result.labels, images.y)
    assert s["logit_full_scale"] == np.abs(result.software).max()
    assert s["max_abs_logit_error"] == np.abs(circuit(result) - result.software).max()
    limit = 1e-6 if ngspice.klu else 1e-5  # Sparse loses digits to the ideal amplifiers' gain
    assert 0 < s["max_abs_logit_error"] <= limit * s["logit_full_scale"]


def test_the_summary_has_every_figure_and_is_kept_in_run(ngspice, build, images, tmp_path):
    result = simulate(build, images, run=tmp_path / "run")
    s = result.summary
    assert set(s) >= KEYS
    assert (s["n"], s["engine"], s["ngspice_version"]) == (10, "ngspice", ngspice.version)
    assert s["images_per_second"] == 10 / s["seconds"] > 0
    assert json.loads((tmp_path / "run" / "result.json").read_text()) == json.loads(json.dumps(s))
    with np.load(tmp_path / "run" / "result.npz") as kept:
        np.testing.assert_array_equal(kept["circuit"], circuit(result))
        np.testing.assert_array_equal(kept["index"], result.index)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_ngspice_s_memory_is_kept(build, images, tmp_path, monkeypatch):
    monkeypatch.setattr("analogkan.engines.ngspice.SAMPLED_SECONDS", (0.001, 0.001))
    first = simulate(build, images, run=tmp_path / "run").summary["megabytes"]
    assert 1 < first < 100
    assert simulate(build, images, run=tmp_path / "run").summary["megabytes"] == first  # kept


def test_the_number_of_jobs_changes_nothing_to_the_last_bit(build, images, tmp_path):
    one = simulate(build, images, options=BatchOptions(chunk=3, jobs=1), run=tmp_path / "1")
    two = simulate(build, images, options=BatchOptions(chunk=3, jobs=2), run=tmp_path / "2")
    assert circuit(one).tobytes() == circuit(two).tobytes()


def test_a_single_image_is_simulated(build, images):
    result = simulate(build, images.take(np.array([7])))
    assert circuit(result).shape == (1, 3)
    assert result.index.tolist() == [107]
    np.testing.assert_allclose(circuit(result), result.software, rtol=0, atol=1e-6)


def test_a_name_that_reads_like_an_error_is_no_error(ngspice, tmp_path, images):
    spec = replace(random_spec(1), name="fatal error, aborted")
    result = simulate(write_build(spec, IDEAL, tmp_path / "net.build"), images)
    np.testing.assert_allclose(circuit(result), result.software, rtol=0, atol=1e-6)


# ---- decks and images


def test_a_file_that_is_gone_was_not_edited(build, images, tmp_path):
    copy = tmp_path / "copy.build"
    shutil.copytree(build.folder, copy)
    (copy / "cells.cir").unlink()
    for ask in (simulate, montecarlo):
        with pytest.raises(NetlistError, match=r"copy.build lacks cells.cir: compile the model ag"):
            ask(load_build(copy), images, **({"samples": 2} if ask is montecarlo else {}))


def test_an_edited_deck_is_refused_unless_allowed(build, images, tmp_path):
    path = build.folder / "layer0.cir"
    path.write_text(
        re.sub(r"^(x_l0_o0_p_tia .* rf=).*$", r"\g<1>1.0", path.read_text(), flags=re.M)
    )
    with pytest.raises(
        NetlistError, match=r"/layer0.cir was edited after it was compiled: `analog"
    ):
        simulate(build, images, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    result = simulate(build, images, run=tmp_path / "run", allow_edited=True)
    assert result.summary["edited_files"] == ["layer0.cir"]
    assert result.summary["max_abs_logit_error"] > 0.01 * result.summary["logit_full_scale"]


def test_a_deck_that_lost_a_file_is_refused_even_if_edits_are_allowed(build, images):
    (build.folder / "layer1.cir").unlink()
    with pytest.raises(NetlistError, match=r"net.build lacks layer1.cir: compile the model again$"):
        simulate(build, images, allow_edited=True)


def test_a_build_moves_with_its_folder(build, images, tmp_path):
    here = simulate(build, images)
    moved = load_build(shutil.copytree(build.folder, tmp_path / "elsewhere" / "net.build"))
    assert circuit(simulate(moved, images)).tobytes() == circuit(here).tobytes()


def test_the_software_engine_needs_no_ngspice(build, images, monkeypatch, tmp_path):
    monkeypatch.setenv(ENVIRONMENT, "/nonexistent/ngspice")
    result = simulate(build, images, engine="software", run=tmp_path / "run")
    assert set(result.summary) >= KEYS
    assert result.circuit is None
    assert result.summary["circuit_accuracy"] is None
    right = build.spec.logits(images.x).argmax(axis=1) == images.y
    assert result.summary["software_accuracy"] == right.mean()
    assert not (tmp_path / "run").exists()
    with pytest.raises(SimulationError, match=r"^ANALOGKAN_NGSPICE names /nonexistent/ngspice"):
        simulate(build, images)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"y": np.arange(10)}, "label 3 of image 103 in random is out of range: the network has 3"),
        (
            {"x": random_inputs(2, 10, 6)},
            "images of random have shape (6,); the network takes (5,)",
        ),
        ({"x": np.where(np.eye(10, 5, -4) > 0, np.nan, 9.0)}, "image 4 holds NaN or infinity"),
        (
            {"x": np.full((10, 5), 9e3)},
            "input values span 9000 to 9000; this network was trained on 0 to 255: rescale them",
        ),
    ],
)
@pytest.mark.parametrize("engine", ["ngspice", "software"])
def test_images_that_do_not_suit_the_network_are_refused(build, images, engine, changed, sentence):
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}"):
        simulate(build, replace(images, **changed), engine=engine)
    assert not build.folder.with_name("net.run").exists()


def test_no_images_are_no_simulation(build, images):
    with pytest.raises(DataError, match=r"^random has no images to simulate$"):
        simulate(build, images.take(np.array([], int)))


# ---- the comparison


def test_the_figures_are_those_counted_by_hand():
    """Software has images 5, 6 and 8 right, the circuit 5, 7 and 8."""
    labels, index = np.array([0, 1, 0, 1]), np.array([5, 6, 7, 8])
    software = np.array([[4.0, 0], [0, 1], [0, 2], [-8, 0]])
    circuit = np.array([[4.0, 1], [1, 0.5], [2, 1], [-8, 0]])
    found = compare(labels, index, software, circuit)
    assert found == {
        "n": 4,
        "software_accuracy": 0.75,
        "software_ci95": wilson(3, 4),
        "logit_full_scale": 8.0,
        "circuit_accuracy": 0.75,
        "circuit_ci95": wilson(3, 4),
        "delta": 0.0,
        "delta_ci95": paired_difference(
            np.array([True, True, False, True]), np.array([True, False, True, True])
        ),
        "agreement": 0.5,
        "max_abs_logit_error": 2.0,
        "rms_logit_error": np.sqrt((1 + 1 + 0.25 + 4 + 1) / 8),
        "flipped": [
            {"image": 6, "label": 1, "software": 1, "circuit": 0},
            {"image": 7, "label": 0, "software": 1, "circuit": 0},
        ],
    }
    json.dumps(found)


def test_a_lost_image_is_a_negative_delta():
    labels = np.array([0, 0, 1, 1])
    software = np.eye(2)[labels]
    circuit = software.copy()
    circuit[0] = [0, 1]
    found = compare(labels, np.arange(4), software, circuit)
    assert (found["software_accuracy"], found["circuit_accuracy"]) == (1.0, 0.75)
    assert found["delta"] == -0.25
    assert found["delta_ci95"][0] < -0.25 < found["delta_ci95"][1]


@pytest.mark.parametrize(("megabytes", "line"), [(1234.5, True), (50.0, False), (None, False)])
def test_much_memory_is_a_line(build, images, tmp_path, megabytes, line):
    found = simulate(build, images, run=tmp_path / "run")
    with common.out.capture() as captured:
        common.print_result(replace(found, summary=found.summary | {"megabytes": megabytes}))
    assert ("ngspice's memory  " in captured.get()) == line
    assert ("1,234 MB" in captured.get()) == line
