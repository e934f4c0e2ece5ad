"""Many resistors at a time: what is read is what one line at a time gives, or is refused alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analogkan.compiler import runs
from analogkan.compiler.build import write_build
from analogkan.compiler.expressions import MOST_CHARACTERS, number
from analogkan.compiler.extract import read_deck
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.netlist import Names, Netlist
from analogkan.errors import NetlistError

from .edits import draw
from .networks import random_spec
from .test_verify_edits import DESIGNS

NEVER = re.compile(r"(?!)")
PLAIN = [f"r{k} a b {k + 1}.5 cell" for k in range(40) if k != 7]


def told(netlist: Netlist) -> dict[str, Any]:
    """All that a netlist says, in order."""
    found = {}
    for name, value in vars(netlist).items():
        if isinstance(value, np.ndarray):
            found[name] = value.tolist()
        elif isinstance(value, Names):
            found[name] = [*value]
        elif not name.startswith("_"):
            found[name] = repr(value)
    return found


def read(folder: Path) -> dict[str, Any] | str:
    """What a deck says, or why it cannot be read."""
    try:
        return told(read_deck(folder / "network.cir"))
    except NetlistError as error:
        return str(error)


@pytest.fixture
def one_by_one(monkeypatch):
    """Says whether lines are read one by one from now on."""
    known = runs._RUN
    return lambda on: monkeypatch.setattr(runs, "_RUN", NEVER if on else known)


@pytest.mark.parametrize("name", DESIGNS)
def test_a_deck_is_the_same_read_line_by_line(name, tmp_path, one_by_one):
    """And so are the edits of it: each is read alike, or refused in the same words."""
    network, hardware = DESIGNS[name]
    folder = tmp_path / "net.build"
    write_build(random_spec(31, (4, 3, 2), **network), Hardware(**hardware), folder)
    deck = {path.name: path.read_bytes().decode() for path in folder.glob("*.cir")}
    rng, kinds = np.random.default_rng(5), {dict: 0, str: 0}
    for k in range(60):
        edit = draw(rng, deck) if k else None
        if edit is not None:
            (folder / edit.file).write_bytes(edit.text.encode())
        one_by_one(False)
        many = read(folder)
        one_by_one(True)
        assert many == read(folder), edit and edit.kind
        kinds[type(many)] += 1
        if edit is not None:
            (folder / edit.file).write_bytes(deck[edit.file].encode())
    assert min(kinds.values()) > 5


def test_runs_are_found(tmp_path):
    """Which the tests beside would not notice."""
    write_build(random_spec(31, (6, 5, 2)), Hardware(tile_rows=4, tile_cols=4), tmp_path / "b")
    rows = runs.Rows("layer0.cir", runs.pieces_of(tmp_path / "b/layer0.cir"))
    found = []
    while next(rows, None):
        while run := rows.run():
            found.append(run)
    assert len(found) > 4 and all(len(run) >= runs.FEWEST for run in found)


@pytest.mark.parametrize("most", [1, 50, 333, 4096])
def test_a_file_in_pieces_is_the_same(most, tmp_path, monkeypatch):
    folder = tmp_path / "net.build"
    write_build(random_spec(31, (6, 5, 2)), Hardware(tile_rows=8, tile_cols=8), folder)
    whole = read(folder)
    assert isinstance(whole, dict)
    monkeypatch.setattr(runs, "MOST_AT_ONCE", most)
    assert read(folder) == whole


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("r7 a b 12345678901234567890 cell", 1),
        ("r7 a b 1.00000000000000000001 cell", 1),
        ("r7 a b 4meg cell", 1),
        ("r7 a b 1e-3", 1),
        ("r7 a b 5 cell\n* a comment", 1),
        ("r7 a b 5 cell\n+", "a resistor needs two nets and a value"),
        ("r7 a b 5\n+ cell", 1),
        ("r3 a b 5.0 cell", "a second r3"),
        ("r7 a b -5 cell", "what is negative or infinite is no resistor"),
        ("r7 a b 1e999 cell", "is no finite number"),
        (f"r7 a b {'1' * (MOST_CHARACTERS + 1)} cell", "is no number"),
        ("r7 a b 1_0 cell", "is no number"),
        ("r7 a b nan cell", "is no number"),
        ("r7 a b .5 cell", "is no number"),
        ("r7 a b 5 5", "a resistor needs two nets and a value"),
        ("r7 a  b 5 cell", "a resistor needs two nets and a value"),
        ("r7 a b 5 cell m=2", "a resistor needs two nets and a value"),
        ("r7 a b 5 Cell", "a character that ngspice folds or splits at"),
        ("r7 a b 5 cell ", "a blank at the start or the end"),
        ("r7\ta b 5 cell", "a control character or a hidden command"),
        ("r7 a b 5 cell\r", "a control character or a hidden command"),
    ],
)
def test_a_line_of_another_form_is_read_or_refused_by_itself(line, found, tmp_path, one_by_one):
    lines = "".join(f"{text}\n" for text in (*PLAIN[:20], line, *PLAIN[20:]))
    (tmp_path / "network.cir").write_bytes(
        f"* a tile\n.subckt tile a b\n{lines}.ends tile\nx1 p q tile\nr_q q 0 1\n".encode()
    )
    many = read(tmp_path)
    one_by_one(True)
    one = read(tmp_path)
    if isinstance(found, str):
        assert found in str(one)
        assert many == one
    else:
        assert isinstance(one, dict) and isinstance(many, dict)
        assert {key: sorted(many[key]) for key in ("r_name", "r_ohms")} == {
            key: sorted(one[key]) for key in ("r_name", "r_ohms")
        }
        assert many["r_name"].count("x1.r7") == found


def test_every_number_of_a_run_is_one_that_is_read_by_itself():
    """Digits at the ends of what a run takes, and in between."""
    rng = np.random.default_rng(3)
    for _ in range(500):
        whole, after, power = rng.integers(1, 12), rng.integers(0, 17), rng.integers(-99, 100)
        digits = "".join(map(str, rng.integers(0, 10, whole + after)))
        text = f"{digits[:whole]}.{digits[whole:]}e{power}"
        lines = "".join(f"r{k} a b {text} cell\n" for k in range(runs.FEWEST))
        rows = runs.Rows("", [f"* x\n{lines}"])
        next(rows)
        run = rows.run()
        if run is None:
            assert len(text) > MOST_CHARACTERS
            continue
        assert run.ohms.tolist() == [number(text)] * runs.FEWEST
