"""A user's own file: what the page on it says, from the command line; what is wrong with one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import analogkan as ak
from analogkan import outside, plugins
from analogkan.cells import known
from analogkan.errors import NetlistError, SettingsError, StudyError
from analogkan.imperfections import Variation
from analogkan.imperfections.registry import FIGURES
from analogkan.studies import entries, values
from analogkan.studies.corners import corners

from . import test_cells, test_imperfections
from .pages import ROOT, blocks, commands, run, skeleton
from .test_cli import cli, done
from .test_cli_complete import offered

PAGE = ROOT / "docs" / "extend.md"
TEXT = PAGE.read_text(encoding="utf-8")
NAME = re.compile(r'^(?:"""|# |\* )([a-z]+\.(?:py|toml|lib)): ')
PARTS = [text for _, text in blocks(PAGE, "python", "spice", "toml")]
FILES = {found[1]: text for text in PARTS if (found := NAME.match(text))}
BOTH = ("--plugin", "arctan.py", "--plugin", "shorts.py")
pytestmark = pytest.mark.usefixtures("own_plugins")


def write(folder: Path, *names: str) -> None:
    """Write files of the page into a folder."""
    for name in names or FILES:
        (folder / name).write_text(FILES[name], encoding="utf-8", newline="\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[tuple[str, str]]]]:
    """The page's files and RUNs, and what its commands print beside what it says they do."""
    import torch

    folder, threads = tmp_path_factory.mktemp("extend"), torch.get_num_threads()
    write(folder)
    printed, compared = "", []
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for language, text in blocks(PAGE, "sh", "text"):
            if language == "text":
                compared.append((printed, text))
                continue
            printed = ""
            for command in commands(text):
                printed += run(command, folder)
                plugins.take_back(plugins.parts())
    torch.set_num_threads(threads)
    yield folder, compared


@pytest.fixture
def here(made, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of it, as the current one."""
    monkeypatch.chdir(made[0])
    return made[0]


def test_the_page_says_what_its_commands_print(made):
    assert len(made[1]) == 4
    for printed, said in made[1]:
        assert skeleton(printed) == skeleton(said)
        assert re.findall(r"sha256 \w+", printed) == re.findall(r"sha256 \w+", said)


def test_builds_and_runs_name_the_file_by_its_hash_and_no_path(here):
    sha256 = hashlib.sha256((FILES["arctan.py"] + FILES["arctan.lib"]).encode()).hexdigest()
    told = {"sha256": sha256, "uses": ["cell arctan"]}
    for file in ("rings.build/design.json", "rings.run/circuit/result.json"):
        text = (here / file).read_text(encoding="utf-8")
        assert json.loads(text)["plugins"] == {"arctan.py": told}
        assert str(here) not in text
    result = json.loads((here / "rings.run/chips/result.json").read_text(encoding="utf-8"))
    assert [*result["plugins"]] == ["arctan.py", "shorts.py"]
    assert result["shorted_cells_mean"] > 0
    assert f"sha256 {sha256[:12]}" in (here / "rings.html").read_text(encoding="utf-8")


def test_grids_of_faults_visit_it(here):
    rates = re.findall(r"^shorted_cells +([\d.]+)", (here / "faults.txt").read_text(), re.MULTILINE)
    assert rates == ["0.0001", "0.001", "0.003", "0.01", "0.03", "0.1"]


@pytest.mark.parametrize(
    "command",
    [
        "verify rings.build",
        "simulate rings.build",
        "montecarlo rings.build",
        "report rings.run/circuit",
    ],
)
def test_what_needs_a_file_says_which(here, command):
    what = command.split()[1]
    said = re.search(r"^    (rings\.build uses .*)$", TEXT, re.MULTILINE)[1]  # type: ignore[index]
    found = cli(*command.split())
    assert (found.exit_code, found.stderr) == (1, f"error: {said.replace('rings.build', what)}\n")


def test_a_run_of_an_imperfection_names_its_file(here):
    with pytest.raises(StudyError, match=r"^rings.run/chips uses cell arctan from plugin arct"):
        ak.write_report(["rings.run/chips"], "again.html")
    ak.load_plugin("arctan.py")
    with pytest.raises(
        StudyError, match=r"^rings.run/chips uses imperfection shorted cells from plugin shorts.py"
    ):
        ak.write_report(["rings.run/chips"], "again.html")


def test_a_corner_names_the_file_of_what_its_chip_has(here):
    ak.load_plugin("arctan.py")
    ak.load_plugin("shorts.py")
    images = ak.load_dataset("rings.npz", "test")[:10]
    spread = {"shorted_cells": 0.01, "sigma_g": 0.05}
    ak.corners(
        "rings.build", images, worst=0, judge="none", variation=spread, out="rings.run/corners",
        progress=False,
    )  # fmt: skip
    told = json.loads(Path("rings.run/corners/corners/typical.build/chip.json").read_text())
    assert told["plugins"]["shorts.py"]["uses"] == ["imperfection shorted cells"]
    assert told["build"] == str(here / "rings.build")


def other(folder: Path) -> Path:
    """A file of the same name as the page's cell, with another comment."""
    write(folder, "arctan.py", "arctan.lib")
    path = folder / "arctan.py"
    path.write_text(f"{FILES['arctan.py']}# another\n", encoding="utf-8")
    return path


def test_another_file_of_the_name_is_refused(here, tmp_path):
    ak.load_plugin(other(tmp_path))
    sentence = (
        r"^rings.build uses cell arctan from plugin arctan.py \(sha256 \w{12}\), and the arctan.py "
        r"that is loaded has sha256 \w{12}: load the one that it was made with, or make it again$"
    )
    with pytest.raises(NetlistError, match=sentence):
        ak.load_build("rings.build")


def test_the_options_place_does_not_matter_and_a_shell_may_say_it(here, monkeypatch):
    settings = ("doctor", "--settings", "--json")
    found = [done("--plugin", "shorts.py", *settings)]
    plugins.take_back(plugins.parts())
    assert "shorted_cells" not in done(*settings)
    found.append(done(*settings, "--plugin", "shorts.py", "--plugin", "shorts.py"))
    plugins.take_back(plugins.parts())
    monkeypatch.setenv("ANALOGKAN_PLUGINS", "shorts.py")
    found.append(done(*settings))
    assert found[0] == found[1] == found[2]
    assert "Share of cells that a short bridges." in found[0]


def test_a_variable_may_end_in_its_separator(here, monkeypatch):
    monkeypatch.setenv("ANALOGKAN_PLUGINS", f"shorts.py{os.pathsep}")
    assert "shorted_cells" in done("doctor", "--settings", "--json")


def test_the_next_command_has_the_plugins_that_this_one_was_given(here, tmp_path, monkeypatch):
    out = str(tmp_path / "next.build")
    printed = " ".join(done("compile", "rings.pt", *BOTH, "-o", out).split())
    told = f"analogkan simulate {out} --dataset rings.npz"
    assert printed.endswith(f"{told} --plugin arctan.py --plugin shorts.py")
    plugins.take_back(plugins.parts())
    monkeypatch.setenv("ANALOGKAN_PLUGINS", "arctan.py")
    told = done("compile", "rings.pt", "-o", out).rstrip()
    assert told.endswith("next.build --dataset rings.npz")


def test_tab_knows_its_settings(here):
    assert "shorted_cells=" in offered("analogkan montecarlo --plugin shorts.py --set sho")
    plugins.take_back(plugins.parts())
    assert offered("analogkan montecarlo --set shorted") == []


def test_its_limits_are_kept(here):
    found = cli("montecarlo", "rings.build", *BOTH, "--set", "shorted_cells=2")
    assert found.exit_code == 2
    assert "shorted_cells = 2.0 is out of range: 0 to 1" in found.stderr
    assert "`shorted_cells = 2.0 is out of range: 0 to 1`" in TEXT


def test_another_version_of_a_file_does_not_go_on_with_a_run(here, tmp_path):
    write(tmp_path, "shorts.py", "arctan.py", "arctan.lib")
    given = "--dataset rings.npz --subset 60 --judge none --samples 2 --set shorted_cells=1%"
    study = f"montecarlo rings.build {given} --preset nominal --out {tmp_path}/run --plugin"
    done(*study.split(), "arctan.py", "--plugin", tmp_path / "shorts.py")
    plugins.take_back(plugins.parts())
    with (tmp_path / "shorts.py").open("a", encoding="utf-8") as stream:
        stream.write("# another\n")
    found = cli(*study.split(), "arctan.py", "--plugin", tmp_path / "shorts.py")
    sentence = (
        r"error: .*run was started with another plugin shorts.py \('\w+\.\.\. there, '\w+\.\.\. "
        r"here\): give another --out, or remove the folder\n"
    )
    assert found.exit_code == 1 and re.fullmatch(sentence, found.stderr)
    plugins.take_back(plugins.parts())
    plain = "montecarlo rings.build --dataset rings.npz --judge none --plugin arctan.py --samples 1"
    done(*plain.split(), "--out", tmp_path / "plain")
    kept = (tmp_path / "plain" / "chips.csv").read_bytes()
    more = json.loads(done(*plain.split(), "--out", tmp_path / "plain", *BOTH[2:], "--json"))
    assert [*more["plugins"]] == ["arctan.py"]  # what is not used makes no other study
    done(*plain.split(), "--out", tmp_path / "with", "--plugin", "shorts.py")
    with_it = (tmp_path / "with" / "chips.csv").read_text(encoding="utf-8")
    assert with_it.splitlines()[0].encode() == kept.splitlines()[0]


def test_held_circuits_name_it_too(here):
    printed = done("compile", "rings.pt", *BOTH[:2], "--held", "60", "-o", "held.build")
    assert "with cell arctan from plugin arctan.py (sha256 " in printed
    plugins.take_back(plugins.parts())
    with pytest.raises(NetlistError, match=r"^held.build uses cell arctan from plugin arctan.py"):
        ak.load_build("held.build")
    assert "with cell arctan from" in done("verify", "held.build", "--plugin", "arctan.py")


def test_an_import_and_a_copy_are_the_same_file(tmp_path, monkeypatch):
    write(tmp_path, "shorts.py")
    monkeypatch.syspath_prepend(tmp_path)
    import shorts  # type: ignore[import-not-found]  # noqa: F401

    (plugin,) = [one for one in outside.loaded() if one.name == "shorts.py"]
    (tmp_path / "copy").mkdir()
    write(tmp_path / "copy", "shorts.py")
    ak.load_plugin(tmp_path / "shorts.py")
    ak.load_plugin(tmp_path / "copy" / "shorts.py")
    assert [one for one in outside.loaded() if one.name == "shorts.py"] == [plugin]
    assert plugin.sha256 == hashlib.sha256(FILES["shorts.py"].encode()).hexdigest()
    monkeypatch.delitem(__import__("sys").modules, "shorts")


@pytest.mark.parametrize("temp_c", [26.85, 61.0])
def test_what_holds_for_each_cell_holds_for_it(here, session, temp_c):
    ak.load_plugin("arctan.py")
    kind = ak.cells.squash_kind("arctan")
    test_cells.test_a_declaration_is_what_its_file_says(kind)
    test_cells.test_the_closed_form_of_a_squash_cell_is_the_cell(session, kind, temp_c)


def test_what_holds_for_each_imperfection_holds_for_it(here, tmp_path):
    ak.load_plugin("shorts.py")
    one = Variation.declared[-1]
    test_imperfections.test_each_alone_changes_something_and_off_changes_nothing(one)
    test_imperfections.test_each_is_documented_and_limited_at_both_ends(one)
    preset = tmp_path / "mine.toml"
    preset.write_text("[variation]\nshorted_cells = 0.02\n", encoding="utf-8")
    assert ak.load_preset(preset).variation == ak.Variation(shorted_cells=0.02)


# ---- what is refused


SHORTS, ARCTAN = FILES["shorts.py"], FILES["arctan.py"]
WRONG = {
    "not Python": ("x = (\n", r"shorts.py, line 1: it is not Python: '\(' was never closed"),
    "raises": ("import numpy\n1 / 0\n", "shorts.py, line 2: ZeroDivisionError: division by zero"),
    "ends": ("import sys\nsys.exit(3)\n", "shorts.py, line 2: SystemExit: 3"),
    "registers nothing": (
        "x = 1\n",
        "shorts.py registers nothing: it has to call ak.imperfections.register or "
        "ak.cells.register",
    ),
    "lacks a part": (
        SHORTS.replace("draw=bridge", "draw=None"),
        r"shorts.py, line \d+: imperfection 'shorted cells' lacks draw",
    ),
    "two of one name": (
        f"{SHORTS}\nak.imperfections.register(Imperfection(name='diodes', "
        "settings=(upto(1, 'x', 'X.'),), draw=bridge))\n",
        r"shorts.py, line \d+: imperfection 'diodes': name 'diodes' is that of imperfection "
        "'diodes' already: choose another",
    ),
    "a row's figure": (
        SHORTS.replace('counts={"shorted_cells"', 'counts={"correct"'),
        r"shorts.py, line \d+: imperfection 'shorted cells': count 'correct' is that of a row of "
        "every study already: choose another",
    ),
    "a cell without its file": (
        ARCTAN,
        r"shorts.py, line \d+: cell arctan: there is no file .*shorts.lib",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_file_that_fails_leaves_nothing(what, tmp_path, monkeypatch):
    text, sentence = WRONG[what]
    monkeypatch.chdir(tmp_path)
    Path("shorts.py").write_text(text, encoding="utf-8")
    before = Variation.declared, known(), outside.loaded()
    with pytest.raises(SettingsError, match=f"^plugin {sentence}$"):
        ak.load_plugin("shorts.py")
    assert (Variation.declared, known(), outside.loaded()) == before


def test_a_declaration_that_is_not_its_file_is_refused_by_line(tmp_path):
    write(tmp_path, "arctan.lib")
    path = tmp_path / "arctan.py"
    path.write_text(ARCTAN.replace('"hi", "V", "1"', '"hi", "V", "2"'), encoding="utf-8")
    sentence = (
        r"^plugin .*arctan.py, line \d+: cell arctan: arctan.lib has the parameters k=1 lo=0 hi=1, "
        "its declaration k=1 lo=0 hi=2$"
    )
    with pytest.raises(SettingsError, match=sentence):
        ak.load_plugin(path)


def test_a_file_that_is_not_there_is_refused_with_the_nearest(here):
    for words in (("--plugin", "short.py", "doctor"), ("doctor", "--plugin", "short.py")):
        found = cli(*words, "--json")
        assert found.exit_code == 2
        message = json.loads(found.stdout)["error"]["message"]
        assert message == "plugin short.py: there is no such file, did you mean shorts.py?"
    with pytest.raises(SettingsError, match=r"^path = 3 is of type int: give the path of a Python"):
        ak.load_plugin(3)  # type: ignore[arg-type]


def test_two_files_of_one_name_and_two_cells_of_one_name_are_refused(here, tmp_path):
    ak.load_plugin("arctan.py")
    with pytest.raises(
        SettingsError, match=r"^plugin .*arctan.py, line \d+: there is a cell arctan already: give"
    ):
        ak.load_plugin(other(tmp_path))
    path = tmp_path / "arctan.py"
    path.write_text(SHORTS, encoding="utf-8")
    with pytest.raises(
        SettingsError,
        match=r"line \d+: there is a plugin arctan.py already, .*arctan.py: rename one of them$",
    ):
        ak.load_plugin(path)
    shutil.copy("arctan.lib", tmp_path / "second.lib")
    shutil.copy("arctan.py", tmp_path / "second.py")
    with pytest.raises(SettingsError, match=r"second.py, line \d+: there is a cell arctan already"):
        ak.load_plugin(tmp_path / "second.py")


def test_a_cells_file_must_be_beside_the_one_that_registers_it(here, tmp_path):
    path = tmp_path / "away.py"
    path.write_text(
        ARCTAN.replace('Path(__file__).with_suffix(".lib")', f'Path("{here / "arctan.lib"}")'),
        encoding="utf-8",
    )
    sentence = "its file .*arctan.lib is not in the folder of away.py: put it beside it"
    with pytest.raises(SettingsError, match=f"^plugin .*: cell arctan: {sentence}$"):
        ak.load_plugin(path)


@pytest.mark.parametrize("name", ["arctan.py", "arctan.lib"])
def test_a_file_that_was_changed_since_is_refused(here, tmp_path, name):
    write(tmp_path, "arctan.py", "arctan.lib")
    ak.load_plugin(tmp_path / "arctan.py")
    with (tmp_path / name).open("a", encoding="utf-8") as stream:
        stream.write("\n")
    sentence = (
        f"^plugin arctan.py: {name} is not what was loaded any more: start again, so that it is "
        "loaded as it is now$"
    )
    with pytest.raises(SettingsError, match=sentence):
        ak.load_plugin(tmp_path / "arctan.py")
    with pytest.raises(SettingsError, match=sentence):
        ak.compile("rings.pt", tmp_path / "rings.build")
    assert not (tmp_path / "rings.build").exists()


DRAWS = {
    "another's stream": (
        'draw.happens("short"',
        'draw.happens("cell"',
        "imperfection 'shorted cells' draws from stream 'cell', which is not its own: it has short",
    ),
    "it raises": (
        'draw.happens("short"',
        'draw.happen("short"',
        "imperfection 'shorted cells', layer 0: AttributeError: 'Draw' object has no attribute "
        "'happen'",
    ),
    "no stage": (
        "return replace(",
        "return None and replace(",
        "imperfection 'shorted cells', layer 0: its draw gives a NoneType, not a stage",
    ),
    "no circuit": (
        "draw.hardware.g_max, stage",
        "-1.0, -stage",
        r"imperfection 'shorted cells', layer 0: its draw gives cells of shape \(\d+, .*\) from "
        r"-.* S on; they must be of shape \(\d+, .*\), above 0 S and finite, and 0 "
        "where there is no cell",
    ),
}


@pytest.mark.parametrize("what", DRAWS)
def test_a_draw_that_cannot_be_is_refused_before_a_run_is_begun(here, tmp_path, what):
    found, put, sentence = DRAWS[what]
    path = tmp_path / "wrong.py"
    path.write_text(SHORTS.replace(found, put), encoding="utf-8")
    given = "--preset nominal --set shorted_cells=1% --dataset rings.npz --subset 9 --samples 2"
    words = f"montecarlo rings.build {given} --plugin arctan.py --plugin {path} --out"
    result = cli(*words.split(), tmp_path / "run")
    assert result.exit_code == 2
    assert re.fullmatch(f"error: {sentence}\n", result.stderr)
    assert not (tmp_path / "run").exists()


def test_names_of_rows_are_those_that_studies_write():
    own = {"seconds", "uncalibrated_columns", "adc_saturated", "adc_ties", *corners.more}
    assert {*FIGURES} - own == {*entries._BASE, *entries.FIGURES, *entries._ASKED, *values.FIGURES}


# ---- elsewhere


def test_another_process_is_sent_the_files(tmp_path):
    write(tmp_path, "arctan.py", "arctan.lib")
    ak.load_plugin(tmp_path / "arctan.py")
    (plugin,) = [one for one in outside.loaded() if one.name == "arctan.py"]
    sent = plugins.packed([plugin])
    plugins.unpack(sent)  # it is there
    assert plugin in outside.loaded()
    plugins.take_back(plugin.parts())
    plugins.unpack(sent)
    (copy,) = [one for one in outside.loaded() if one.name == "arctan.py"]
    assert copy.sha256 == plugin.sha256 and copy.path.parent != tmp_path
    edited = b"#\n" + plugin.files["arctan.py"]
    plugins.unpack([("arctan.py", {**plugin.files, "arctan.py": edited})])
    (newer,) = [one for one in outside.loaded() if one.name == "arctan.py"]
    assert newer.sha256 != plugin.sha256


def test_what_is_in_no_file_is_said_and_stays_here():
    exec(SHORTS, {"__name__": "notebook"})
    used = outside.used([(outside.IMPERFECTION, "shorted cells")])
    assert outside.sentences(outside.told(used)) == [
        "imperfection shorted cells that was registered in no file"
    ]
    with pytest.raises(
        SettingsError,
        match=r"^imperfection shorted cells was registered in no file, which workers elsewhere do "
        r"not run: put it in a file of its own, and load that with --plugin, in Python "
        r"ak\.load_plugin$",
    ):
        plugins.packed(used)
