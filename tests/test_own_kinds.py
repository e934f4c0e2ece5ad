"""Rows, lines and outputs with op-amps of their own: `compile --cell opamp_lines=FILE`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import analogkan as ak
from analogkan import cells, resources
from analogkan.compiler.build import load_build
from analogkan.compiler.hardware import load_hardware
from analogkan.compiler.verify import verify_build
from analogkan.errors import NetlistError, SettingsError
from analogkan.opamps.amplifiers import amplifiers_of
from analogkan.opamps.demand import amplifiers_at
from analogkan.settings import read_toml
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions

from .networks import random_images, random_spec
from .test_own_cells import forgotten, split_in_files

__all__ = ["forgotten"]
SPEC = random_spec(3, (4, 3, 3))
SHIPPED = "two_stage_level1"


def weaker(folder: Path, volts: float = 2.2) -> Path:
    """The shipped op-amp with half the output stage, for less supply."""
    text = (resources.path("netlists/opamps") / f"{SHIPPED}.lib").read_text()
    text = text.replace("two_stage_", "weak_").replace("vdd 2.5", f"vdd {volts}")
    text = text.replace("vss -2.5", f"vss -{volts}").replace("w=200u", "w=100u")
    (folder / "weak.lib").write_text(text.replace("w=400u", "w=200u"))
    return folder / "weak.lib"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A BUILD whose lines have another op-amp, with a symbol."""
    home = tmp_path_factory.mktemp("kinds")
    cell = {"opamp": SHIPPED, "opamp_lines": weaker(home)}
    return ak.compile(SPEC, home / "net.build", cell=cell, draws=10, symbol=True, progress=False)


@pytest.fixture
def build(made):
    """The same, known again."""
    return load_build(made.folder)


def test_lines_have_an_op_amp_of_their_own(build):
    strong, weak = build.hardware.opamp, build.hardware.opamps["opamp_lines"]
    assert build.hardware.own_opamps == f"lines={weak}" and weak.startswith("weak_level1_")
    text = (build.folder / "cells.cir").read_text()
    assert (
        f".subckt opamp_lines inp inn out params: a=1 vos=0 drift=0\nx1 inp inn out vdd vss {weak}"
        in text
    )
    symbol = (build.folder / "symbol" / "net3.cir").read_text().replace("\n* ", " ")
    assert f"Include before it: {' '.join(build.hardware.own_files)}." in symbol
    assert text.count(" opamp_lines a={a}") == 1 and text.count(" opamp a={a}") == 2
    assert "* opamp: the amplifier in every cell that has none of its own." in text
    found = verify_build(build)
    assert found.findings == []
    assert [
        f"op-amp {name} is a black box: its gain is not checked" in found.notes
        for name in (strong, weak)
    ] == [True, True]
    told = json.loads((build.folder / "design.json").read_text())
    assert {place: one["file"] for place, one in told["own"].items()} == {
        "opamp": f"{SHIPPED}.lib",
        "opamp_lines": "weak.lib",
    }


def test_supplies_are_the_smallest_and_each_is_measured_there(build):
    assert build.hardware.v_rail == 2.2
    for place in ("opamp", "opamp_lines"):
        (condition,) = build.summary[place]["conditions"]
        assert (condition["vdd"], condition["vss"]) == (2.2, -2.2)
    assert "v_vss vss 0 dc -2.2\n" in (build.folder / "cells.cir").read_text()


EDITS = {
    "the amplifier's": (
        "x1 0 in out opamp_lines a=",
        "x1 0 in out opamp a=",
        "layer 0: line amplifier l0_o0_p: op-amp {strong}, not {weak}",
    ),
    "the op-amp's": (
        "x1 inp inn out vdd vss {weak}\n.ends opamp_lines",
        "x1 inp inn out vdd vss {strong}\n.ends opamp_lines",
        "opamp_lines is not one of the library's op-amps but ['x1 inp inn out vdd vss {strong}']",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_op_amp_in_anothers_place_is_found(build, tmp_path, edit):
    folder = shutil.copytree(build.folder, tmp_path / "net.build")
    names = {"strong": build.hardware.opamp, "weak": build.hardware.opamps["opamp_lines"]}
    old, new, said = (
        text.replace("{strong}", names["strong"]).replace("{weak}", names["weak"])
        for text in EDITS[edit]
    )
    text = (folder / "cells.cir").read_text()
    assert text.count(old) == 1
    (folder / "cells.cir").write_text(text.replace(old, new))
    assert said in verify_build(load_build(folder)).findings


def test_it_moves_and_runs(ngspice, build, tmp_path):
    for name in build.hardware.opamps.values():
        cells.unregister(name)
    moved = load_build(shutil.copytree(build.folder, tmp_path / "far away"))
    result = ak.simulate(moved, random_images(2, 4, 4), out=tmp_path / "x.run", progress=False)
    found = result.summary["macro_model"]
    strong, weak = moved.hardware.opamps.values()
    assert found["of"] == f"the op-amp {strong} and the op-amp {weak}"
    assert 1e-6 < found["layers"][-1]["rms_share"] < 1e-2
    assert result.summary["judge"]["passed"] is None


def test_chips_have_offsets_in_both(ngspice, build, tmp_path):
    options = StudyOptions(engine="ngspice", judge="none", run=tmp_path / "run")
    images, offsets = random_images(2, 4, 4), ["offset_sigma=20e-3"]
    (row,) = montecarlo(build, images, samples=1, settings=offsets, options=options).rows
    assert row["max_abs_logit_error"] > 20 * row["judge_difference"]
    assert 0 < row["judge_share"] < 5e-3


def test_the_preset_is_of_both(build):
    path = build.folder / "opamp.toml"
    said, lines = read_toml(path, "preset"), path.read_text().splitlines()
    each = [build.summary[place]["preset"] for place in ("opamp", "opamp_lines")]
    n = amplifiers_at([(build.design, build.spec)])
    assert n == {"opamp_rows": 14, "opamp_lines": 12, "opamp_outputs": 6}
    drawn = [one["assumptions"]["i_quiescent"] for one in each]
    mean = (20 * drawn[0] + 12 * drawn[1]) / 32
    assert said["assumptions"]["i_quiescent"] == pytest.approx(mean, rel=1e-3)
    for key in ("c_in", "e_n", "f_corner"):
        assert said["assumptions"][key] == max(one["assumptions"][key] for one in each)
    assert said["assumptions"]["class_ab_lines"] == each[1]["assumptions"]["class_ab"]
    sigmas = [one["variation"]["offset_sigma"] for one in each]
    assert said["variation"]["offset_sigma"] == max(sigmas)
    assert sum(line.startswith("# An op-amp by ") for line in lines) == 2
    assert load_hardware(str(path)).opamp_gain == build.hardware.opamp_gain


def test_outputs_that_add_have_that_of_outputs(ngspice, tmp_path):
    cell = {"opamp": SHIPPED, "opamp_outputs": weaker(tmp_path)}
    build = ak.compile(
        SPEC, tmp_path / "net.build", cell=cell, hardware={"readout": "summing"}, progress=False
    )
    assert build.verification is not None and build.verification.ok
    text = (build.folder / "cells.cir").read_text()
    assert "x1 0 in out opamp_outputs a=" in text.partition(".subckt summing_amp")[2]
    groups = amplifiers_of(build.design, build.spec)
    assert {one.kind for one in groups} == {"row", "line", "hidden output", "output"}


def test_models_that_several_need_are_in_the_deck_once(ngspice, tmp_path):
    file = split_in_files(tmp_path / "files")
    text = file.read_text()
    half = text.replace("Mine", "Half").replace("w=400u", "w=200u")
    rest = half.partition(".subckt")[2]
    other = file.parent / "half.lib"
    other.write_text(half)
    file.write_text(text + ".subckt" + rest.replace("Half", "Third"))
    build = ak.compile(
        SPEC,
        tmp_path / "net.build",
        cell={"opamp": f"{file}:Mine", "opamp_rows": f"{file}:Third", "opamp_lines": other},
        include=[f"{file.parent / 'models.lib'}:tt"],
        progress=False,
    )
    assert build.verification is not None and build.verification.ok
    texts = [path.read_text() for path in sorted(build.folder.glob("own_*.cir"))]
    assert len(texts) == 3 and sum(".model n nmos" in text for text in texts) == 1
    assert sum(text.startswith("* third of mine.lib: in own_mine_") for text in texts) == 1
    result = ak.simulate(build, random_images(2, 2, 4), out=tmp_path / "x.run", progress=False)
    assert np.isfinite(result.circuit).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"cell": {"opamp_rows": SHIPPED}},
            "cell opamp_rows is of some amplifiers alone: give the op-amp of all others too, with "
            "--cell opamp=FILE",
        ),
        ({"cell": {"opamp_row": SHIPPED}}, "no cell 'opamp_row' to be replaced, did you mean op"),
        (
            {"hardware": {"own_opamps": "rows=nothing"}},
            "own_opamps = 'rows=nothing' is out of range: what `compile --cell opamp_rows=FILE`",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, given, said):
    with pytest.raises(SettingsError, match=said):
        ak.compile(SPEC, tmp_path / "net.build", progress=False, **given)


def test_two_files_that_define_the_same_are_refused(ngspice, tmp_path):
    mine = weaker(tmp_path)
    text = mine.read_text().replace("weak_n", "two_stage_n").replace("vto=0.7", "vto=0.6")
    mine.write_text(text)
    with pytest.raises(NetlistError, match=r"weak.lib defines two_stage_n, and so does two_"):
        ak.compile(
            SPEC, tmp_path / "x.build", cell={"opamp": SHIPPED, "opamp_rows": mine}, progress=False
        )
