"""What ngspice prints and what steers it from outside: every warning is known, or a failure."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from analogkan import resources
from analogkan.compiler.build import write_build
from analogkan.compiler.hardware import Hardware
from analogkan.dialects.printed import MOST_PRINTED, find_trouble, judge
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.chunked import BatchOptions
from analogkan.engines.ngspice import (
    Ngspice,
    Runner,
    own_environment,
)
from analogkan.errors import CompileError, SimulationError
from analogkan.studies.simulate import simulate

from .networks import circuit, random_images, random_spec

DECK = """t
v1 in 0 dc 1
r1 in out 1k
r2 out 0 1k
{lines}
.save v(out)
.dc v1 0 1 0.5
.end
"""
SMALL = "Warning: Value of resistor {} is too small, set to 1.000000e-12"
REFUSED = {
    "a resistor too small": ("r3 out 0 9.99e-13", SMALL.format("r3")),
    "a resistor of nothing": ("r3 out a 0\nr4 a 0 1k", SMALL.format("r3")),
    "a resistance after a resistance": ("r3 out 0 50.0 0", SMALL.format("r3")),
    "one too small in a cell": (
        ".subckt s a params: rf=1\nr1 a 0 {rf}\n.ends\nx1 out s rf=1e-13",
        SMALL.format("r.x1.r1"),
    ),
    "an unknown parameter of a model": (
        ".model rm r(tc1=1e-3 foo=3)\nr3 out 0 1k rm",
        "Warning: Model issue on line 5 : .model rm r(tc1=1e-3 foo=3) ... unrecognized parameter "
        "(foo) - ignored",
    ),
    "a cell twice": (
        ".subckt s a\nr1 a 0 1\n.ends\n.subckt s a\nr1 a 0 2\n.ends\nx1 out s",
        "Warning: redefinition of .subckt s, ignored",
    ),
    "a resistor without a value": (
        "r3 out 0",
        "Warning: 'r3 out 0' is not a valid resistor instance line, ignored!",
    ),
    "a model that is missing": ("d1 out 0 gone", "warning, can't find model 'gone' from line"),
    "a parameter nobody knows": ("r3 out 0 1k foo=3", "Error on line 5 or its substitute:"),
    "an element twice": ("r1 out 0 1k", "Error on line 5 or its substitute: r1 out 0 1k device"),
    "a cell that is missing": ("x1 out 0 gone", "Error: unknown subckt: x1 out 0 gone"),
    "a file that is missing": (".include gone.cir", "Error: Could not find include file gone.cir"),
    "a net that floats": ("c1 out x 1p\nc2 x y 1p", "Warning: singular matrix:  check node y"),
    "a current into nowhere": ("i1 0 x 1\nc1 x 0 1p", "Warning: singular matrix:  check node x"),
    "a loop of sources": ("v2 in 0 dc 2", "Warning: singular matrix:  check node v1#branch"),
    "a command nobody knows": (".foo bar", "Error on line 5 or its substitute: .foo bar"),
}
FINE = {
    "the smallest resistor": "r3 out a 1e-12\nr4 a 0 1k",
    "a negative resistor": "r3 out 0 -5",
    "options again and again": ".option klu\n.option klu\n.option reltol=1e-6\n.option reltol=1e-7",
    "a net that ends": "r3 out nowhere 1k",
    "a model nobody uses": ".model rm r(tc1=1)",
    "a network's name": "* Error: warning, singular matrix, ignored",
}


def sweep(ngspice, folder: Path, lines: str) -> str:
    deck = folder / "t.cir"
    deck.write_text(DECK.replace("{lines}", lines))
    printed = Runner(ngspice).run(deck, deck.with_suffix(".raw"), timeout=20)
    read_raw(deck.with_suffix(".raw"), points=3)
    return printed


@pytest.mark.parametrize(("lines", "said"), REFUSED.values(), ids=REFUSED)
def test_a_deck_that_ngspice_changes_or_refuses_fails(ngspice, tmp_path, lines, said):
    with pytest.raises(SimulationError) as refused:
        sweep(ngspice, tmp_path, lines)
    kind, sentence = str(refused.value).split(": ", 1)
    assert kind in ("ngspice printed", "ngspice found no solution")
    assert sentence.startswith(said)


@pytest.mark.parametrize("lines", FINE.values(), ids=FINE)
def test_a_deck_that_ngspice_takes_as_it_is_does_not(ngspice, tmp_path, lines):
    sweep(ngspice, tmp_path, lines)


@pytest.mark.parametrize("name", ["Error: warning", "set to, ignored"])
def test_a_title_may_say_anything(name):
    assert find_trouble(f"Circuit: * {name}: 5 images as one sweep\n\nNote: fine\n") == ""
    assert find_trouble(f"* {name}") == f"* {name}"


@pytest.mark.parametrize(
    "line",
    [
        "Warning: Dynamic gmin stepping failed",
        "Warning: True gmin stepping failed",
        "Warning: KLU ReFactor failed. Factoring again...",
        "Warning: can't find the initialization file spinit.",
        'binary raw file "error.raw"',
        "Note: No compatibility mode selected!",
        "Maximum ngspice program size =   23.352 MB.",
    ],
)
def test_what_is_known_to_be_harmless_is_no_failure(line):
    judge(f"\n{line}\n", 0, None, 1.0)


@pytest.mark.parametrize(
    "line",
    [
        "Warning: source stepping failed",
        "Note: Transient op finished successfully",
        "Warning: option SCALM is not supported.",
        "WARNING: something that nobody has seen before",
        "resistance to low, set to 1 mOhm",
    ],
)
def test_what_is_not_known_is_a_failure(line):
    with pytest.raises(SimulationError, match=r"^ngspice (printed|found no solution): "):
        judge(f"Note: fine\n{line}\n", 0, None, 1.0)


def test_a_run_that_prints_too_much_is_stopped_at_once(tmp_path):
    program = tmp_path / "loud"
    program.write_text("#!/bin/sh\nhead -c 9000000 /dev/zero\nexec sleep 60\n")
    program.chmod(0o755)
    with pytest.raises(SimulationError, match=r"^ngspice printed more than 4 MB: no run of ours"):
        Runner(Ngspice(program, "46", True)).run(tmp_path / "t.cir", tmp_path / "t.raw", timeout=60)
    started = time.monotonic()
    judge("x" * MOST_PRINTED, 0, None, 1.0)
    assert time.monotonic() - started < 2


# ---- what steers it from outside


STEERED = {
    "ascii files": {"SPICE_ASCIIRAWFILE": "1"},
    "a start-up file that sets ascii": {"spinit": "set filetype=ascii\n"},
    "a start-up file that sets a compatibility": {"spinit": "set ngbehavior=hsa\n"},
    "no start-up file": {"spinit": ""},
    "another folder for inputs": {"NGSPICE_INPUT_DIR": "/nowhere"},
}


@pytest.mark.parametrize("session", [False, True], ids=["program", "session"])
def test_nothing_around_it_changes_a_number(ngspice, tmp_path, monkeypatch, session):
    """Transistor pairs: of all cells the compatibility modes move theirs."""
    spec = random_spec(3, squash="sigmoid", norm="layer")
    build, images = write_build(spec, Hardware(), tmp_path / "net.build"), random_images(3, 4, 5)
    found = {}
    for name, given in {"as it is": {}, **STEERED}.items():
        with monkeypatch.context() as around:
            for key, value in given.items():
                if key != "spinit":
                    around.setenv(key, value)
                    continue
                folder = tmp_path / name.replace(" ", "-")
                (folder / "scripts").mkdir(parents=True)
                if value:
                    (folder / "scripts" / "spinit").write_text(value)
                around.setenv("SPICE_LIB_DIR", str(folder))
                around.setenv("SPICE_SCRIPTS", str(folder / "scripts"))
            options = BatchOptions(session=session)
            run = tmp_path / "runs" / name.replace(" ", "-")
            found[name] = circuit(simulate(build, images, options=options, run=run)).tobytes()
    assert len(set(found.values())) == 1


def test_the_start_up_file_that_is_shipped_sets_nothing():
    text = (resources.path("netlists/start") / "spinit").read_text(encoding="utf-8")
    assert all(line.startswith("*") for line in text.splitlines())


# ---- what is refused before


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"v_rail": 1e-12}, "the feedback of its lines need a resistor of"),
        ({"headroom": 1e-12}, "the feedback of its lines need a resistor of"),
    ],
)
def test_a_resistor_that_ngspice_would_change_is_refused_by_the_compiler(tmp_path, settings, what):
    with pytest.raises(CompileError, match=rf"layer \d: {what} .*, and ngspice makes 1e-12 ohm"):
        write_build(random_spec(1), Hardware(**settings, g_max=1.0), tmp_path / "net.build")
    assert not (tmp_path / "net.build").exists()


def test_the_smallest_resistor_of_a_cell_is_what_ngspice_simulates(ngspice, tmp_path):
    build = write_build(random_spec(1), Hardware(g_max=1.0), tmp_path / "net.build")
    assert simulate(build, random_images(2, 4, 5)).summary["judge"]["passed"]


def test_the_environment_of_a_run_keeps_what_is_not_ngspices(monkeypatch):
    monkeypatch.setenv("SPICE_PATH", "x")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    found = own_environment()
    assert "SPICE_PATH" not in found
    assert (found["LD_LIBRARY_PATH"], found["PATH"]) == ("/opt/lib", os.environ["PATH"])


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (None, "glibc.malloc.hugetlb=1"),
        ("glibc.malloc.check=0", "glibc.malloc.check=0:glibc.malloc.hugetlb=1"),
        ("glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0"),
    ],
)
def test_a_run_has_large_pages_unless_something_else_is_said(monkeypatch, before, wanted):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if before is not None:
        monkeypatch.setenv("GLIBC_TUNABLES", before)
    assert own_environment()["GLIBC_TUNABLES"] == wanted
