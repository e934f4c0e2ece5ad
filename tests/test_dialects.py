"""Dialects: every circuit in each, nothing of another's, nothing left out; what one cannot say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analogkan.compiler import spice
from analogkan.compiler.build import write_build
from analogkan.compiler.deck import Deck, write_as
from analogkan.compiler.hardware import Hardware
from analogkan.dialects import DIALECTS, NGSPICE, Dialect
from analogkan.dialects.cellfile import format_cell
from analogkan.dialects.dialect import OPTIONAL
from analogkan.errors import CompileError, SettingsError

from .chips import chip
from .outside import miller
from .outside.neospice import NEOSPICE
from .test_spice import GOLDEN, NETS, golden_spec

NUMBER = re.compile(r"(?<![\w.])\d+\.?\d*(?:e[+-]?\d+)?(?![\w.])")
EVERY = ("ngspice", "neospice")


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    DIALECTS.add(NEOSPICE)
    yield
    DIALECTS.remove(NEOSPICE)


@pytest.fixture(params=NETS)
def deck(request, tmp_path) -> Deck:
    name = request.param
    return write_build(golden_spec(name), NETS[name][2], tmp_path / name).one_deck()


def written(deck: Deck, folder: Path, dialect: Dialect) -> dict[str, str]:
    write_as(deck, folder, dialect)
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def lines(files: dict[str, str]) -> list[str]:
    """What a simulator executes of a deck."""
    text = "\n".join(files.values())
    return [line for line in text.splitlines() if line and not line.startswith("*")]


def numbers(files: dict[str, str]) -> Counter[str]:
    kept = [x for x in lines(files) if not x.startswith((".option", ".control", "print"))]
    return Counter(NUMBER.findall("\n".join(kept)))


@pytest.mark.parametrize("name", EVERY)
def test_each_circuit_is_written_whole_in_each_dialect(deck, tmp_path, name):
    dialect = DIALECTS.find(name)
    files = written(deck, tmp_path / "once", dialect)
    assert files == written(deck, tmp_path / "again", dialect)
    assert sorted(files) == sorted(deck.deck_files())
    judged = {file: (deck.folder / file).read_text(encoding="utf-8") for file in files}
    assert numbers(files) == numbers(judged)
    spelled = lines(files)
    own = {*dialect.options("1", "2", "3"), *dialect.ending(["y"])}
    for other in map(DIALECTS.find, set(EVERY) - {name}):
        theirs = {*other.options("1", "2", "3"), *other.ending(["y"])} - own
        assert not theirs & {re.sub(r"v\(\w+\)", "v(y)", line) for line in spelled}
    runs = f"* Run it: {dialect.by_hand}" if dialect.runs else f"* Written for {name}, not run."
    assert runs in files["network.cir"]


def test_the_judged_deck_is_ngspices(deck, tmp_path):
    for file, text in written(deck, tmp_path / "deck", NGSPICE).items():
        assert (GOLDEN / deck.spec.name / file).read_text(encoding="utf-8") == text


@pytest.mark.parametrize("path", sorted(GOLDEN.parent.glob("cells/*.lib")), ids=lambda p: p.stem)
def test_a_cell_spelled_in_its_own_notation_is_the_file(path):
    text = path.read_text(encoding="utf-8")
    assert format_cell(text, path.stem, replace(NGSPICE, verbatim=False)) == text


def test_what_differs_in_neospice_is_spelled_so(tmp_path):
    build = write_build(golden_spec("layernorm"), Hardware(), tmp_path / "net.build")
    files = written(build.one_deck(), tmp_path / "deck", NEOSPICE)
    assert "b1 out 0 v=({scale}*(v(in)-v(mean))*v(rms)+{shift})\n" in files["cells.cir"]
    assert files["network.cir"].endswith("abstol=1e-15\n\n.op\n.end\n")


def test_a_chips_sweep_is_written_in_another_dialect():
    design = chip(golden_spec("plain"))
    text = spice.write_batch(design, np.eye(3), ["l0_y0"], say=NEOSPICE)
    assert text.endswith(".save v(index)\n+ v(l0_y0)\n.dc v_index 0 2 1\n.end\n")
    assert ".option klu" not in text


def unable(*parts: str, **changes) -> Dialect:
    return replace(NEOSPICE, name="half", cannot=parts, **changes)


@pytest.mark.parametrize(
    ("name", "dialect", "what"),
    [
        ("plain", unable("table"), "a table of points, which this circuit needs (diode_a21)"),
        ("plain", unable("model"), "a model, which this circuit needs (cell)"),
        ("plain", unable("instance"), "an instance of a subcircuit, which this circuit needs (x1 "
         "in the cell row_amp)"),
        ("plain", unable("temperature"), "the temperature in an expression, which this circuit "
         "needs (diode_a21)"),
        ("clamp", unable(functions={"min": "min"}), "the function max, which this circuit needs "
         "(b1 in the cell clamp)"),
        ("sigmoid", unable("transistor"), "a transistor, which this circuit needs (q1 in the cell "
         "sigmoid)"),
    ],
)  # fmt: skip
def test_what_a_dialect_cannot_say_is_refused_by_name(name, dialect, what, tmp_path):
    build = write_build(golden_spec(name), NETS[name][2], tmp_path / "net.build")
    with pytest.raises(CompileError, match=re.escape(f"dialect half cannot say {what}")):
        write_as(build.one_deck(), tmp_path / "deck", dialect)
    assert not (tmp_path / "deck").exists()


def test_a_sweep_that_a_dialect_cannot_say_is_refused():
    design = chip(golden_spec("plain"))
    sentence = re.escape("dialect half cannot say an analysis, which this circuit needs (dc)")
    with pytest.raises(CompileError, match=f"^{sentence}$"):
        spice.write_batch(design, np.zeros((2, 3)), [], say=unable("analysis"))


def test_a_line_that_no_dialect_knows_is_refused():
    sentence = "^dialect neospice cannot say 'm1 d g s b nmos', which this circuit needs "
    with pytest.raises(CompileError, match=sentence + r"\(m1 in the cell mine\)$"):
        format_cell("* mine\nm1 d g s b nmos\n", "mine", NEOSPICE)
    text = miller.KIND.path.read_text(encoding="utf-8")
    with pytest.raises(CompileError, match=r"needs \(\.model in the cell miller\)$"):
        format_cell(text, "miller", NEOSPICE)
    assert format_cell(text, "miller", NGSPICE) == text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "there is a dialect 'neospice' already: give yours another name"),
        ({"name": ""}, "dialect '' lacks name"),
        ({"name": "n", "temperature": ""}, "dialect 'n' lacks temperature"),
        ({"name": "n", "command": NGSPICE.command}, "dialect 'n' lacks judge, read"),
        ({"name": "n", "cannot": ("options",)}, "dialect 'n' lacks options, which every deck "
         "needs"),
    ],
)  # fmt: skip
def test_a_dialect_that_is_not_whole_is_refused(change, sentence):
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}$"):
        DIALECTS.add(replace(NEOSPICE, **change))


def test_an_empty_dialect_lacks_every_part():
    assert {*OPTIONAL, "name", "about", "options"} <= set(Dialect().lacks())
    with pytest.raises(
        SettingsError, match=r"^there is no dialect 'xyce': known are ngspice, neospice$"
    ):
        DIALECTS.find("xyce")


def test_a_folder_that_is_there_is_not_written_into(deck, tmp_path):
    with pytest.raises(CompileError, match=r" is there already: give a new folder$"):
        write_as(deck, tmp_path, NEOSPICE)


@pytest.mark.parametrize("name", ["plain", "clamp", "layernorm", "tanh"])
def test_neospice_gives_what_the_closed_form_gives(name, tmp_path, capfd):
    neospice = pytest.importorskip("neospice", reason="neospice is not installed")
    from analogkan.compiler.deck import image0_volts
    from analogkan.engines.chip_engines import TwinEngine

    build = write_build(golden_spec(name), NETS[name][2], tmp_path / "net.build")
    written(build.one_deck(), tmp_path / "deck", NEOSPICE)
    simulator = neospice.Simulator()
    found = simulator.run_dc(simulator.load(str(tmp_path / "deck" / "network.cir")))
    volts = image0_volts(build.spec)[None]
    exact = TwinEngine().logits(build.design, volts, np.zeros(1, int), 26.85)[0]
    logits = [found.voltage(f"logit_{k}") for k in range(exact.size)]
    share = np.abs(logits - exact).max() / np.abs(exact).max()
    assert "Warning" not in capfd.readouterr().err
    print(f"{name}: {share:.1e} of full scale")
    assert share < 1e-6  # op-amps of gain 1e9, as in clamp, cost digits
