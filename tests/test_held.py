"""BUILDs with held stages: cut, compiled, verified, simulated circuit by circuit."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from analogkan.compiler.build import Build, load_build, write_build
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.sections import MOST_RESISTORS, divide
from analogkan.compiler.verify import verify_build, write_verified
from analogkan.engines.chunked import BatchOptions
from analogkan.errors import CompileError, NetlistError, SimulationError
from analogkan.studies.simulate import simulate

from .convolutions import convolutional_checkpoint, convolutional_images, convolutional_spec
from .networks import circuit, kept_chunks, random_images, random_spec
from .test_cli import done

IDEAL = Hardware(opamp="ideal", npn_bf=1e4, npn_vaf=1e4)


def test_layers_are_gathered_into_circuits_and_large_ones_shared_out():
    spec = random_spec(1, (6, 8, 4, 3))  # 192, 128 and 48 crossbar resistors
    assert [(s.first, s.last) for s in divide(spec, 368)] == [(0, 2)]
    assert [(s.first, s.last) for s in divide(spec, 320)] == [(0, 1), (2, 2)]
    two = divide(spec, 180)
    assert [(s.first, s.last) for s in two] == [(0, 0), (1, 2)]
    assert two[0].outputs == ((0, 4), (4, 8))
    assert two[0].names() == ["s0_0", "s0_1"]
    smallest = divide(spec, 1)
    assert [len(s.outputs) for s in smallest] == [8, 4, 3]
    assert smallest[0].outputs[:2] == ((0, 1), (1, 2))


def test_a_convolution_is_a_section_of_its_own():
    sections = divide(convolutional_spec().folded())
    assert [(s.first, s.last, s.positions) for s in sections] == [(0, 0, 9), (1, 1, 4), (2, 3, 1)]


@pytest.mark.parametrize(
    ("squash", "norm"),
    [("none", "none"), ("clamp", "batch"), ("none", "layer"), ("sigmoid", "layer")],
)
def test_held_circuits_are_the_network(ngspice, tmp_path, squash, norm):
    """The front of a cut layer is in the circuit: what is held comes before it."""
    spec = random_spec(4, (5, 6, 4, 3), squash=squash, norm=norm)
    build = write_verified(spec, IDEAL, tmp_path / "n.build", most=60)
    assert len(build.names()) == 5
    assert build.verification is not None
    assert build.verification.findings == []
    s = simulate(build, random_images(2, 6, 5)).summary
    pairs = 5e-6 if squash == "sigmoid" else 0.0  # Early effect, at these transistors
    limit = pairs + (1e-6 if ngspice.klu else 1e-5)
    assert 0 < s["max_abs_logit_error"] <= limit * s["logit_full_scale"]
    assert [section["circuits"] for section in s["held"]] == [2, 2, 1]
    assert [layer["layer"] for layer in s["layers"]] == [0, 1]
    assert all(e["max_abs_error"] <= 2 * limit * e["full_scale"] for e in s["layers"])


def test_held_circuits_give_what_one_deck_gives(ngspice, tmp_path):
    """Cut or not, amplifiers of finite gain err alike: the same order, the same class."""
    spec, images = random_spec(5, (5, 6, 4, 3)), random_images(2, 10, 5)
    whole = simulate(write_build(spec, Hardware(), tmp_path / "w.build"), images)
    held = simulate(write_verified(spec, Hardware(), tmp_path / "h.build", most=60), images)
    scale = np.abs(whole.software).max()
    np.testing.assert_allclose(circuit(held), circuit(whole), rtol=0, atol=1e-3 * scale)
    assert held.summary["agreement"] == whole.summary["agreement"] == 1.0


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("held") / "conv.build"
    write_verified(convolutional_spec(), IDEAL, folder, most=100)
    return folder


@pytest.fixture
def folder(compiled, tmp_path) -> Path:
    return shutil.copytree(compiled, tmp_path / "conv.build")


def read(folder: Path) -> Build:
    build = load_build(folder)
    assert isinstance(build, Build)
    return build


def test_a_convolution_in_ngspice_is_the_software(ngspice, folder):
    images = convolutional_images(3, 8)
    build = read(folder)
    result = simulate(build, images)
    s = result.summary
    wanted = build.spec.logits(images.x.reshape(8, -1))
    np.testing.assert_allclose(result.software, wanted, rtol=0, atol=1e-14)
    limit = 1e-6 if ngspice.klu else 1e-5
    assert 0 < s["max_abs_logit_error"] <= limit * s["logit_full_scale"]
    assert [part["positions"] for part in s["held"]] == [9, 4, 1, 1]
    assert s["held"][0]["points"] == 7 * 9  # two images are alike, and simulated once
    np.testing.assert_allclose(circuit(result)[-1], circuit(result)[-2], rtol=0, atol=1e-12)
    assert set(np.load(Path(s["run"]) / "result.npz")) >= {"layer0_software", "layer2_circuit"}


def test_an_interrupted_run_goes_on(ngspice, folder, tmp_path):
    build, images = read(folder), convolutional_images(3, 8)
    seen = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if len(kept_chunks(tmp_path / "run")) >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(build, images, run=tmp_path / "run", on_progress=stop)
    kept = kept_chunks(tmp_path / "run")
    progress: list[tuple[int, int]] = []
    done = simulate(
        build, images, run=tmp_path / "run", on_progress=lambda *at: progress.append(at)
    )
    assert set(kept) < set(kept_chunks(tmp_path / "run"))
    assert progress == sorted(progress)
    assert progress[-1] == (8, 8)
    np.testing.assert_array_equal(circuit(done), circuit(simulate(build, images)))


def test_jobs_and_chunks_change_nothing_that_matters(ngspice, folder):
    build, images = read(folder), convolutional_images(3, 6)
    one = simulate(build, images)
    other = simulate(build, images, options=BatchOptions(jobs=2, chunk=7, descending=True))
    np.testing.assert_allclose(circuit(one), circuit(other), rtol=0, atol=1e-6)


def test_verify_reads_every_circuit(folder):
    found = verify_build(read(folder))
    assert found.findings == []
    assert (
        found.facts["crossbar_resistors"] == read(folder).summary["elements"]["crossbar_resistors"]
    )


def test_verify_names_the_circuit_that_was_changed(folder):
    path = folder / "s1_1" / "layer0.cir"
    text = path.read_text()
    path.write_text(re.sub(r"(r_i00_d0_o0_p i00_d0 o0_p )\S+", r"\g<1>4321.0", text, count=1))
    said = "\n".join(verify_build(read(folder)).findings)
    assert "s1_1: layer0.cir was edited after it was compiled" in said
    assert "s1_1: layer 0: resistor i00_d0 to o0_p is 4321.0 ohm" in said


def test_verify_knows_a_circuit_of_another_network(folder, tmp_path):
    other = write_verified(convolutional_spec(7), IDEAL, tmp_path / "o.build", most=100)
    shutil.rmtree(folder / "s0_1")
    shutil.copytree(other.folder / "s0_1", folder / "s0_1")
    said = verify_build(read(folder)).findings
    assert "s0_1 is not its part of the network" in said


def test_verify_knows_circuits_of_other_hardware_and_another_summary(folder, tmp_path):
    other = write_verified(convolutional_spec(), Hardware(levels=8), tmp_path / "o.build", most=100)
    shutil.rmtree(folder / "s1_0")
    shutil.copytree(other.folder / "s1_0", folder / "s1_0")
    said = "\n".join(verify_build(read(folder)).findings)
    assert "s1_0/design.json is not what held.json vouches for" in said
    assert "s1_0 is of other hardware than held.json says" in said
    assert "held.json: design is not what its circuits say" in said


@pytest.mark.parametrize(
    ("key", "value"),
    [("circuits", []), ("elements", {}), ("sizes", [1, 2]), ("sections", []), ("design", "00")],
)
def test_verify_reads_the_summary(folder, key, value):
    document = json.loads((folder / "held.json").read_text())
    (folder / "held.json").write_text(json.dumps(document | {key: value}))
    said = verify_build(read(folder)).findings
    assert f"held.json: {key} is not what its circuits say" in said


def test_exchanged_circuits_are_named(folder, ngspice):
    (folder / "s1_0").rename(folder / "x")
    (folder / "s3").rename(folder / "s1_0")
    (folder / "x").rename(folder / "s3")
    said = verify_build(read(folder)).findings
    assert {"s1_0 is not its part of the network", "s3 is not its part of the network"} <= {*said}
    with pytest.raises(NetlistError, match="s1_0 takes 4 values to 3, in its place 16 become"):
        simulate(read(folder), convolutional_images(3, 2), allow_edited=True)


def test_supplies_that_held_values_leave_are_told(ngspice, tmp_path):
    hardware = Hardware(v_rail=0.3, opamp="rails")
    build = write_verified(convolutional_spec(), hardware, tmp_path / "r.build", most=100)
    assert build.summary["notes"]
    assert all("but the rails are at 0.3 V" in note for note in build.summary["notes"])
    s = simulate(build, convolutional_images(3, 4)).summary
    assert s["saturated_images"] == [0, 1, 2, 3]
    high = write_verified(convolutional_spec(), IDEAL, tmp_path / "h.build", most=100)
    assert high.summary["notes"] == []
    assert simulate(high, convolutional_images(3, 4)).summary["saturated_images"] == []


def test_an_edited_circuit_has_a_run_of_its_own(ngspice, folder):
    images = convolutional_images(3, 2)
    first = simulate(read(folder), images)
    path = folder / "s2_0" / "layer0.cir"
    text = path.read_text()
    path.write_text(re.sub(r"(r_i00_d0_o0_p i00_d0 o0_p )\S+", r"\g<1>50000.0", text, count=1))
    second = simulate(read(folder), images, allow_edited=True)
    assert first.summary["run"] != second.summary["run"]
    assert np.abs(circuit(first) - circuit(second)).max() > 0


def test_an_edited_circuit_keeps_its_build_from_being_replaced(folder):
    again = partial(write_build, convolutional_spec(), IDEAL, folder, most=100)
    again()
    with (folder / "s2_0" / "layer0.cir").open("a") as stream:
        stream.write("* a note\n")
    with pytest.raises(
        CompileError, match=r" was edited after it was compiled \(s2_0/layer0\.cir\)"
    ):
        again()
    assert again(force=True).edited_files() == []


def test_an_edited_circuit_is_not_simulated_as_if_it_were_not(ngspice, folder):
    with (folder / "s2_0" / "layer0.cir").open("a") as stream:
        stream.write("* a note\n")
    with pytest.raises(NetlistError, match=r"s2_0/layer0\.cir was edited after it was compiled"):
        simulate(read(folder), convolutional_images(3, 2))
    result = simulate(read(folder), convolutional_images(3, 2), allow_edited=True)
    assert result.summary["edited_files"] == ["s2_0/layer0.cir"]


def test_other_commands_say_what_knows_held_stages(folder):
    with pytest.raises(NetlistError, match="with held stages, and one deck is needed here"):
        load_build(folder).one_deck()
    assert load_build(folder / "s3").spec.sizes == (4, 3)


def test_a_damaged_folder_is_refused(folder):
    document = json.loads((folder / "held.json").read_text())
    odd = [(key, None) for key in ("format", "files", "most_resistors", "design", "hardware")]
    odd += [("files", {}), ("files", {"../x": "0"}), ("most_resistors", float("inf"))]
    odd += [("most_resistors", 1), ("most_resistors", -5), ("hardware", {"g_max": -1.0})]
    for key, value in odd:
        (folder / "held.json").write_text(json.dumps(document | {key: value}))
        with pytest.raises(NetlistError, match="compile the model again"):
            load_build(folder)
    model = {"fingerprint": "0" * 64}
    (folder / "held.json").write_text(json.dumps(document | {"model": model}))
    with pytest.raises(NetlistError, match=r"is another model than the one held\.json describes"):
        load_build(folder)


def test_a_circuit_that_is_gone_is_named(folder, ngspice):
    shutil.rmtree(folder / "s1_0")
    with pytest.raises(NetlistError, match="s1_0 is no BUILD folder"):
        simulate(read(folder), convolutional_images(3, 2))


def test_one_deck_cannot_hold_a_convolution(tmp_path):
    with pytest.raises(CompileError, match="has convolutions, whose maps are held between"):
        write_build(convolutional_spec(), Hardware(), tmp_path / "c.build")
    assert not (tmp_path / "c.build").exists()


def test_a_build_of_either_kind_replaces_the_other_and_nothing_else(tmp_path):
    spec, folder = random_spec(5, (5, 4, 3)), tmp_path / "n.build"
    write_build(spec, Hardware(), folder)
    write_verified(spec, Hardware(), folder, most=30)
    assert not (folder / "design.json").exists()
    write_build(spec, Hardware(), folder)
    assert not (folder / "held.json").exists()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(CompileError, match=r"holds notes\.txt"):
        write_verified(spec, Hardware(), folder, most=30)
    assert (folder / "notes.txt").read_text() == "mine"
    (folder / "notes.txt").unlink()
    write_verified(spec, Hardware(), folder, most=30)
    (folder / "s0_1" / "mine.raw").write_text("mine")
    with pytest.raises(CompileError, match=r"holds s0_1/mine\.raw"):
        write_build(spec, Hardware(), folder)


def test_chunks_that_fail_name_their_images(ngspice, folder, monkeypatch):
    from analogkan.engines import ngspice as engine

    def fail(self, deck, raw, *, timeout):
        raise SimulationError("it broke", deck=deck)

    monkeypatch.setattr(engine.Runner, "run", fail)
    with pytest.raises(SimulationError, match=r"1 of 1 chunks failed twice: images 0 to \d"):
        simulate(read(folder), convolutional_images(3, 4))


def test_calibration_is_optional(tmp_path, ngspice):
    spec = replace(convolutional_spec(), calibration=None)
    build = write_verified(spec, IDEAL, tmp_path / "c.build", most=MOST_RESISTORS)
    assert build.verification is not None and build.verification.ok
    s = simulate(build, convolutional_images(3, 3)).summary
    assert s["max_abs_logit_error"] <= 1e-4 * s["logit_full_scale"]


# ---- the command line


def test_compile_verify_and_simulate_a_convolutional_checkpoint(ngspice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    convolutional_checkpoint(tmp_path / "conv.pt")
    images = convolutional_images(3, 30)
    np.savez("data.npz", x=images.x, y=images.y, split=np.full(30, "test"))
    said = done("compile", "conv.pt", "--preset", "ideal")
    assert "in 3 circuits, held between" in said
    assert "verified: the netlist is the network" in said
    assert "verified" in done("verify", "conv.build")
    said = done("simulate", "conv.build", "--dataset", "data.npz", "--subset", "6", "--jobs", "2")
    assert "held: 3 circuits one after the other" in said
    assert "same class" in said
    found = json.loads(
        done("simulate", "conv.build", "--dataset", "data.npz", "--engine", "software", "--json")
    )
    assert found["n"] == 30
    told = json.loads(
        done("simulate", "conv.build", "--dataset", "data.npz", "--trace", "1", "--json")
    )
    assert [s["stage"] for s in told["stages"]][:4] == [
        f"s0 layer 0 {what}" for what in ("inputs", "rows", "lines", "outputs")
    ]
    assert told["stages"][0]["nets"] == 9 * 18  # of each position
    assert told["largest_divergence"]["share_of_scale"] < 1e-6
    run = next(Path("conv.run").iterdir())
    done("report", run, "-o", "r.html")
    page = Path("r.html").read_text(encoding="utf-8")
    assert "one after the other, values held between; positions an image: 9, 4, 1" in page
    assert "Answers by class" in page
    assert "Conductances, tile by tile" in page


def test_held_cuts_a_dense_network_too(tmp_path, monkeypatch):
    from .networks import random_checkpoint

    monkeypatch.chdir(tmp_path)
    random_checkpoint(tmp_path / "model.pt")
    found = json.loads(done("compile", "model.pt", "--held", "30", "--json"))
    assert found["verified"] is True
    assert [part["name"] for part in found["circuits"]] == [
        *("s0_0", "s0_1", "s0_2", "s0_3"),
        *("s1_0", "s1_1", "s1_2"),
    ]
    assert found["most_resistors"] == 30
