"""Dialects: every circuit in each, nothing of another's, nothing left out; what one cannot say."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analogkan.compiler import spice
from analogkan.compiler.build import write_build
from analogkan.compiler.deck import Deck, write_as
from analogkan.compiler.hardware import Hardware
from analogkan.dialects import DIALECTS, NEOSPICE, NGSPICE, VACASK, XYCE, Dialect
from analogkan.dialects.cellfile import format_cell
from analogkan.dialects.dialect import OPTIONAL, missing
from analogkan.errors import CompileError, SettingsError

from .chips import chip
from .outside import miller
from .test_spice import GOLDEN, NETS, golden_spec

NUMBER = re.compile(r"(?<![\w.])\d+\.?\d*(?:e[+-]?\d+)?(?![\w.])")
EVERY = (NGSPICE, VACASK, NEOSPICE, XYCE)


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
    return [line for line in text.splitlines() if line and not line.startswith(("*", "//"))]


def elements(files: dict[str, str]) -> Counter[str]:
    """Names of all elements but sources of an expression, and the numbers of these elements."""
    begin = ("r", "c1", "x", "e1", "e_", "v_")
    kept = [x for x in lines(files) if x.startswith(begin) and "once" not in x]
    return Counter(x.split()[0] for x in kept) + Counter(NUMBER.findall("\n".join(kept)))


@pytest.mark.parametrize("dialect", EVERY, ids=lambda say: say.name)
def test_each_circuit_is_written_whole_in_each_dialect(deck, tmp_path, dialect):
    files = written(deck, tmp_path / "once", dialect)
    assert files == written(deck, tmp_path / "again", dialect)
    assert sorted(files) == sorted(deck.deck_files())
    judged = written(deck, tmp_path / "judged", replace(NGSPICE, branches=dialect.branches))
    assert elements(files) == elements(judged)
    spelled = lines(files)
    own = ends(dialect)
    for other in EVERY:
        theirs = ends(other) - own
        assert not theirs & {re.sub(r"v\(\w+\)", "v(y)", line) for line in spelled}
    runs = f" Run it: {dialect.by_hand}" if dialect.runs else f" Written for {dialect.name}, not "
    assert runs in files["network.cir"]


def ends(say: Dialect) -> set[str]:
    """Lines at the end of a deck."""
    return {*say.options("1", "2", "gmin=3"), *say.ending(["y"])} - {".end", "control"}


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
    assert files["network.cir"].endswith(
        "abstol=1e-15\n\n.op\n.print op v(logit_0) v(logit_1)\n.end\n"
    )


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
        ({"name": "n", "judge": missing}, "dialect 'n' lacks judge"),
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
        SettingsError,
        match=r"^there is no dialect 'spectre': known are ngspice, vacask, neospice, xyce$",
    ):
        DIALECTS.find("spectre")


def test_a_folder_that_is_there_is_not_written_into(deck, tmp_path):
    with pytest.raises(CompileError, match=r" is there already: give a new folder$"):
        write_as(deck, tmp_path, NEOSPICE)
