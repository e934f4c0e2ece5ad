"""A user's op-amp in every amplifier: `compile --cell opamp=FILE`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan import cells, resources
from analogkan.cli import main
from analogkan.compiler.build import load_build
from analogkan.compiler.verify import verify_build
from analogkan.errors import CompileError, NetlistError, SettingsError
from analogkan.opamps.flatten import library_of
from analogkan.opamps.libraries import resolve
from analogkan.opamps.source import read_opamp

from .networks import random_images, random_spec

SPEC = random_spec(3, (4, 3, 3))
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
    archive = shutil.make_archive(str(tmp_path / "net"), "tar", build.folder)
    shutil.unpack_archive(archive, tmp_path / "far away")
    moved = load_build(tmp_path / "far away")
    assert verify_build(moved).findings == []
    images = random_images(2, 4, 4)
    result = ak.simulate(moved, images, out=tmp_path / "net.run", progress=False)
    assert result.circuit is not None and result.summary["judge"]["passed"] is None


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


def test_a_name_of_the_deck_is_not_a_cells(tmp_path, ngspice):
    mine = tmp_path / "mine.lib"
    mine.write_text(SHIPPED.read_text() + ".model feedback r(tc1=1)\n")
    with pytest.raises(NetlistError, match=r"mine.lib defines feedback, and so does the deck: ren"):
        ak.compile(SPEC, tmp_path / "net.build", cell={"opamp": mine}, progress=False)
    assert not (tmp_path / "net.build").exists()


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
