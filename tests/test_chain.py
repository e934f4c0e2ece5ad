"""Chips of networks whose circuits have held values between: drawn, simulated, set, judged."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analogkan as ak
from analogkan.compiler.build import Build, load_build, write_build
from analogkan.compiler.circuit import Circuit, Link
from analogkan.compiler.design import Design, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.sections import whole
from analogkan.engines import chip_engines as engines
from analogkan.engines.calibrate import calibrate, calibrate_chain
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine, chain_logits
from analogkan.engines.twin_inputs import Inputs, prepared
from analogkan.errors import NetlistError, StudyError
from analogkan.imperfections import Conditions, Variation
from analogkan.imperfections.make import perturb, perturb_chain
from analogkan.network.spec import NetworkSpec
from analogkan.studies import bench as bench_module
from analogkan.studies.bench import Bench
from analogkan.studies.points import montecarlo_points
from analogkan.studies.store import TIMES

from .chips import EVERYTHING, OLD, errors_of
from .convolutions import convolutional_checkpoint, convolutional_images, convolutional_spec
from .networks import random_images, random_spec
from .test_cli import cli, done

IDEAL = Hardware(opamp="ideal")
RELATIVE = Variation(
    sigma_g=0.05, diode_sigma_current=0.05, die_sigma_current=0.02, r_c_sigma=0.02, line_sigma=0.01
)
"""Errors that are shares of what they disturb: no scale of an output changes what they do."""


def of_one(spec: NetworkSpec, design: Design) -> Circuit:
    """The circuit of a network that is one deck."""
    return Circuit((Link(section=whole(spec)[0], share=0, spec=spec, design=design),))


def held(spec: NetworkSpec, folder: Path, hardware: Hardware = IDEAL, most: int = 60) -> Build:
    """``spec`` as circuits in ``folder``."""
    return write_build(spec, hardware, folder, most=most)


def volts_of(spec: NetworkSpec, images: ak.ImageSet) -> np.ndarray:
    return spec.dac_volts(images.flat(spec.encoding.shape))


def options(out: Path, **given: Any) -> dict[str, Any]:
    return {"out": out, "judge": "2x4"} | given


def test_a_deck_is_a_chain_of_one():
    spec = random_spec(5, (5, 6, 4, 3))
    chain = of_one(spec, build_design(spec, Hardware()))
    chip, counts = perturb_chain(chain, EVERYTHING, OLD, seed=1, sample=7)
    given = {"spec": spec, "seed": 1, "sample": 7}
    wanted, counted = perturb(chain.links[0].design, EVERYTHING, OLD, **given)
    assert counts == counted
    for a, b in zip(chip.stages, wanted.stages, strict=True):
        np.testing.assert_array_equal(a.g, b.g)
        np.testing.assert_array_equal(errors_of(a).rows.offset, errors_of(b).rows.offset)
    volts, index = volts_of(spec, random_images(2, 9, 5)), np.arange(9)
    found = chain_logits(TwinEngine(), chip, volts, index, 85.0)
    np.testing.assert_array_equal(found, TwinEngine().logits(wanted, volts, index, 85.0))


def test_a_chip_is_the_same_wherever_its_network_is_cut(tmp_path):
    spec = random_spec(5, (5, 6, 4, 3))
    images, build = random_images(2, 20, 5), held(spec, tmp_path / "h.build", most=160)
    assert [section.names() for section in build.sections] == [["s0"], ["s1"]]
    volts, index, found = volts_of(spec, images), images.index, []
    for chain in (of_one(spec, build_design(spec, IDEAL)), build.circuit()):
        chip, _ = perturb_chain(chain, RELATIVE, Conditions(), seed=0, sample=3)
        found.append(chain_logits(TwinEngine(), chip, volts, index, 85.0))
    assert np.abs(found[0] - spec.forward_volts(volts)).max() > 0.01 * np.abs(found[0]).max()
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-7 * np.abs(found[0]).max())


def test_circuits_that_share_a_layer_have_errors_of_their_own_on_one_die(tmp_path):
    build = held(random_spec(5, (5, 6, 4, 3)), tmp_path / "h.build")
    assert build.names() == ["s0_0", "s0_1", "s1_0", "s1_1", "s2"]
    die = Variation(sigma_g=0.05, die_sigma_current=0.1, read_noise=0.01)
    chip, _ = perturb_chain(build.circuit(), die, Conditions(), seed=0, sample=0)
    off = [
        made.design.stages[0].g / link.design.stages[0].g - 1
        for made, link in zip(chip.links, build.circuit().links, strict=True)
    ]
    assert off[0].shape == off[1].shape and np.abs(off[0] - off[1]).min() > 0
    assert {float(errors_of(stage).k_i[0, 0]) for stage in chip.stages} == {
        float(errors_of(chip.stages[0]).k_i[-1, 0])
    }
    noises = [errors_of(link.design.stages[0]).noise for link in chip.links]
    told = [(noise.place.layer, noise.place.share) for noise in noises if noise is not None]
    assert told == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


@pytest.mark.parametrize("temp_c", [26.85, 85.0])
@pytest.mark.parametrize("kind", ["convolutions", "sigmoid"])
def test_the_twin_of_held_chips_is_what_ngspice_simulates(ngspice, tmp_path, kind, temp_c):
    """Read noise of every position, transistor pairs and LayerNorms behind a cut among it."""
    if kind == "convolutions":
        spec, images, most = convolutional_spec(), convolutional_images(3, 3), 10_000
    else:
        spec, images = random_spec(4, (5, 6, 4, 3), squash="sigmoid", norm="layer"), None
        images, most = random_images(2, 5, 5), 60
    build = held(spec, tmp_path / "h.build", Hardware(), most=most)
    chip, _ = perturb_chain(build.circuit(), EVERYTHING, OLD, seed=2, sample=1)
    volts, index = volts_of(spec, images), images.index
    twin = chain_logits(TwinEngine(), chip, volts, index, temp_c)
    engine = NgspiceEngine(ngspice, tmp_path / "failed")
    circuit = chain_logits(engine, chip, volts, index, temp_c)
    limit = 1e-6 if ngspice.klu else 1e-5
    assert np.abs(twin - circuit).max() < limit * np.abs(circuit).max()
    software = spec.forward_volts(volts)
    assert np.abs(twin - software).max() > 1e-3 * np.abs(software).max()


def test_every_position_of_an_image_has_its_own_read_noise(tmp_path):
    spec = convolutional_spec()
    build = held(spec, tmp_path / "h.build", most=10_000)
    quiet, _ = perturb_chain(build.circuit(), Variation(), Conditions(), seed=0, sample=0)
    noisy, _ = perturb_chain(
        build.circuit(), Variation(read_noise=0.05), Conditions(), seed=0, sample=0
    )
    volts = np.full((2, spec.sizes[0]), 0.3)
    seen: list[np.ndarray] = []

    def evaluate(link, points, numbers) -> np.ndarray:
        seen.append(TwinEngine().logits(link.design, points, numbers, 26.85))
        return seen[-1]

    quiet.run(volts, np.arange(2), evaluate, 26.85)
    first = seen[0].reshape(2, 9, -1)
    seen.clear()
    noisy.run(volts, np.arange(2), evaluate, 26.85)
    off = seen[0].reshape(2, 9, -1) - first
    assert len(np.unique(off)) == off.size


def test_equal_points_are_one_for_ngspice_but_not_with_read_noise(ngspice, tmp_path, monkeypatch):
    spec = random_spec(5, (5, 4, 3))
    chain = of_one(spec, build_design(spec, IDEAL))
    once = volts_of(spec, random_images(2, 3, 5))
    volts, index = once[[0, 1, 0, 2, 1]], np.arange(5)
    counted: list[int] = []
    plan = engines.plan_chunks
    monkeypatch.setattr(engines, "plan_chunks", lambda n, b: counted.append(n) or plan(n, b))
    engine = NgspiceEngine(ngspice, tmp_path)
    found = chain_logits(engine, chain, volts, index, 26.85)
    np.testing.assert_array_equal(found[[0, 1]], found[[2, 4]])
    wanted = spec.forward_volts(volts)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    noisy, _ = perturb_chain(chain, Variation(read_noise=0.05), Conditions(), seed=0, sample=0)
    found = chain_logits(engine, noisy, volts, index, 26.85)
    assert counted == [3, 5] and (found[0] != found[2]).all()


def test_voltages_are_looked_up_if_they_are_few():
    rng = np.random.default_rng(0)
    few = rng.integers(0, 7, (40, 5)) / 10
    few[-1, -1] = 3.0  # a code that the first images lack
    looked_up = prepared(np.concatenate([np.tile(few[:39], (30, 1)), few]))
    assert isinstance(looked_up, Inputs) and len(looked_up.codes) == 8
    np.testing.assert_array_equal(looked_up.volts[:, -40:].numpy(), few.T)
    many = rng.random((40, 5))
    given = prepared(many)
    assert not isinstance(given, Inputs)
    np.testing.assert_array_equal(given[0].numpy(), many.T)


# ---- calibration


def test_calibration_reaches_behind_held_values(tmp_path):
    spec = random_spec(5, (5, 6, 4, 3))
    volts, index = volts_of(spec, random_images(2, 60, 5)), np.arange(60)
    whole = of_one(spec, build_design(spec, IDEAL))
    found = []
    for chain in (whole, held(spec, tmp_path / "h.build", most=160).circuit()):
        chip, _ = perturb_chain(chain, RELATIVE, Conditions(), seed=0, sample=3)
        made, left = calibrate_chain(chip, volts, index, 26.85)
        assert left == 0
        found.append(chain_logits(TwinEngine(), made, volts, index, 26.85))
    scale = np.abs(found[0]).max()
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-6 * scale)
    one, _ = perturb_chain(whole, RELATIVE, Conditions(), seed=0, sample=3)
    design, _ = calibrate(one.links[0].design, spec, volts, index, 26.85)
    again = TwinEngine().logits(design, volts, index, 26.85)
    np.testing.assert_allclose(found[0], again, rtol=0, atol=1e-12 * scale)


def test_a_convolution_s_columns_are_set_once_for_all_positions(tmp_path):
    spec = convolutional_spec()
    images, fresh = convolutional_images(3, 30), convolutional_images(4, 30)
    columns = Variation(diff_gain_sigma=0.1, r_c_sigma=0.1)
    chain = held(spec, tmp_path / "h.build", most=10_000).circuit()
    chip, _ = perturb_chain(chain, columns, Conditions(), seed=0, sample=0)
    made, left = calibrate_chain(chip, volts_of(spec, images), images.index, 26.85)
    assert left == 0
    volts = volts_of(spec, fresh)
    wanted, errors = spec.forward_volts(volts), []
    for one in (chip, made):
        found = chain_logits(TwinEngine(), one, volts, fresh.index, 26.85)
        errors.append(np.abs(found - wanted).max() / np.abs(wanted).max())
    assert errors[0] > 1e-2 and errors[1] < 1e-6


# ---- studies


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Build:
    folder = tmp_path_factory.mktemp("chain") / "conv.build"
    return held(convolutional_spec(), folder, Hardware(), most=10_000)


@pytest.fixture(scope="module")
def images() -> ak.ImageSet:
    shown = convolutional_images(3, 12)
    return replace(shown, y=convolutional_spec().logits(shown.x.reshape(12, -1)).argmax(axis=1))


def test_montecarlo_is_judged_and_the_same_whoever_runs_it(ngspice, build, images, tmp_path):
    given: dict[str, Any] = {"samples": 3, "variation": {"sigma_g": 0.1}}
    twin = ak.montecarlo(build, images, **options(tmp_path / "a", jobs=2), **given)
    assert twin.summary["judge"]["passed"] and twin.summary["judge"]["chips"] == 2
    assert len({row["rms_logit_error"] for row in twin.rows}) == 3
    alone = ak.montecarlo(
        build,
        images,
        first=2,
        **options(tmp_path / "b", judge="none"),
        **(given | {"samples": 1}),
    )
    assert alone.rows[0]["gain"] == twin.rows[2]["gain"]
    judged = ak.montecarlo(build, images, **options(tmp_path / "c", engine="ngspice"), **given)
    for a, b in zip(judged.rows, twin.rows, strict=True):
        assert a["max_abs_logit_error"] == pytest.approx(b["max_abs_logit_error"], rel=1e-4)


def test_a_disagreement_keeps_the_decks_of_all_circuits(
    ngspice, build, images, tmp_path, monkeypatch
):
    wrong = TwinEngine.logits
    monkeypatch.setattr(TwinEngine, "logits", lambda self, *given: 1.001 * wrong(self, *given))
    with pytest.raises(StudyError, match=r"The decks are kept: .*, .*, .*\. Please") as error:
        ak.montecarlo(build, images, samples=1, **options(tmp_path / "r"))
    kept = str(error.value).partition("The decks are kept: ")[2].partition(". Please")[0]
    assert len({Path(deck) for deck in kept.split(", ")}) == 3
    assert all(Path(deck).is_file() for deck in kept.split(", "))


def test_temperature_and_a_sweep_of_hardware(build, images, tmp_path):
    found = ak.thermal(
        build, images, temps=[26.85, 85.0], compensate="each",
        **options(tmp_path / "t", judge="none"),
    ).summary  # fmt: skip
    cold, hot = found["temperatures"]
    assert hot["nominal"]["max_abs_logit_error"] > cold["nominal"]["max_abs_logit_error"]
    cells = ak.sweep(
        build, images, axes={"levels": [2, 64]}, samples=1,
        **options(tmp_path / "s", judge="none"),
    ).summary["cells"]  # fmt: skip
    assert cells[0]["logit_snr_db"] < cells[1]["logit_snr_db"] - 10


def test_a_bench_remembers_circuits_of_other_hardware_up_to_a_size(build, images, monkeypatch):
    bench = Bench(build, images, TwinEngine())
    assert bench.chain(build.hardware) is bench.chain(build.hardware)
    first, second = Hardware(levels=8), Hardware(levels=16)
    assert bench.chain(first) is bench.chain(first)
    assert bench.chain(first).hardware.levels == 8
    monkeypatch.setattr(bench_module, "MOST_CELLS", build.circuit().cells)
    kept = bench.chain(first)
    bench.chain(second)
    assert bench.chain(first) is not kept


def test_a_bench_goes_where_its_folder_is_not(build, images, tmp_path):
    here = tmp_path / "here.build"
    shutil.copytree(build.folder, here)
    moved = load_build(here)
    bench = Bench(moved, images, TwinEngine(), seed=3)
    (point,) = montecarlo_points(moved.hardware, RELATIVE, Conditions(), 1)
    wanted, body = bench.evaluate(point), pickle.dumps(bench)
    shutil.rmtree(here)
    found = pickle.loads(body).evaluate(point)
    untimed = dict.fromkeys(TIMES, 0)
    assert found | untimed == wanted | untimed


def test_chips_of_edited_circuits_are_refused(build, images, tmp_path):
    here = tmp_path / "here.build"
    shutil.copytree(build.folder, here)
    with (here / "s1" / "layer0.cir").open("a") as stream:
        stream.write("* edited\n")
    with pytest.raises(NetlistError, match=r"s1/layer0.cir was edited after it was compiled"):
        ak.montecarlo(load_build(here), images, samples=1, **options(tmp_path / "r"))


@pytest.mark.parametrize("edit", [("hardware", "opamp_gain", 100.0), ("design", "x")])
def test_a_held_json_that_says_otherwise_is_an_edited_file(ngspice, build, images, tmp_path, edit):
    here = tmp_path / "here.build"
    shutil.copytree(build.folder, here)
    summary = json.loads((here / "held.json").read_text())
    *keys, last, value = edit
    inner = summary[keys[0]] if keys else summary
    inner[last] = value
    (here / "held.json").write_text(json.dumps(summary))
    edited = load_build(here)
    assert edited.edited_files() == ["held.json"]
    for study in (ak.simulate, lambda *given: ak.montecarlo(*given, samples=1)):
        with pytest.raises(
            NetlistError, match=r"here.build/held.json was edited after it was comp"
        ):
            study(edited, images)


def test_the_commands_take_held_stages(ngspice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    convolutional_checkpoint(tmp_path / "conv.pt")
    given = convolutional_images(3, 20)
    np.savez("data.npz", x=given.x, y=given.y, split=np.full(20, "test"))
    done("compile", "conv.pt")
    shared = ("conv.build", "--dataset", "data.npz", "--judge", "1x4")
    said = done("montecarlo", *shared, "--samples", "3", "--calibrate", "--out", "mc")
    assert "judged by ngspice" in said and "mean before calibration" in said
    assert "judged by ngspice" in done("thermal", *shared, "--temps", "26.85,85", "--out", "th")
    assert "judged by ngspice" in done(
        "sweep", *shared, "--set", "sigma_g=0.01,0.1", "--samples", "2", "--out", "sw"
    )
    done("report", "mc", "th", "sw", "-o", "r.html")
    page = Path("r.html").read_text(encoding="utf-8")
    assert "3 chips" in page and "IR drop" not in page
    assert json.loads(Path("mc/result.json").read_text())["settings"]["hardware"]["levels"] == 32
    refused = cli("train", "--recipe", "plain-d2", "--chip", "conv.build:0", "--out", "x.pt")
    assert refused.exit_code != 0
