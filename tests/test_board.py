"""A function as a board: its parts are the deck's, its files whole, its refusals said."""

from __future__ import annotations

import csv
import json
import re
import runpy
import shutil
from collections import Counter
from dataclasses import asdict, fields, replace
from pathlib import Path
from re import escape
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

import analogkan as ak
from analogkan import resources
from analogkan.board import nodes
from analogkan.board.amplifiers import load_opamp
from analogkan.board.band import boards_of_preset, grid_of, predict
from analogkan.board.comparison import read_measured
from analogkan.board.instructions import expected_rows
from analogkan.board.kicad import format_netlist
from analogkan.board.nodes import node_comments, node_volts
from analogkan.board.parasitics import Parasitics
from analogkan.board.parts import board_parts, format_part
from analogkan.board.stability import check_rows
from analogkan.board.tolerances import bought, sigmas_of, tolerance_sentences
from analogkan.board.write import Board, make_board
from analogkan.cli import main
from analogkan.compiler.extract import read_deck
from analogkan.compiler.names import StageNames
from analogkan.compiler.series import nearest_of, standard_values
from analogkan.compiler.verify import write_verified
from analogkan.devices import IVCurve
from analogkan.devices.library import get
from analogkan.engines import ideal
from analogkan.errors import CompileError, DataError, DisagreementError, SettingsError, StudyError
from analogkan.network.targets import Targets, read_targets
from analogkan.report.functions import board_figure
from analogkan.report.network import build_sections
from analogkan.report.page import write_report, write_summary

from .networks import random_spec
from .pages import blocks, commands, run, run_python, skeleton

CELSIUS = Targets(low=(0.0,), high=(100.0,), names=("temperature",), units=("degC",))
FEW = {"samples": 6, "temps": [25.0, 50.0], "progress": False}
SCALES = {"": 1.0, "k": 1e3, "M": 1e6, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}


def function_spec(sizes=(2, 3, 1), curves=(get("AI301A"),), **given):
    """A function of AI301A diodes, driven up to 0.2 V."""
    spec = random_spec(3, sizes, curves=curves, **given)
    encoding = replace(spec.encoding, v_lo=0.0, v_hi=0.2)
    first, *rest = spec.layers  # hidden voltages from 0.05 to 0.15 V or so
    first = replace(first, theta=0.05 * first.theta, bias=np.full(first.bias.shape, 0.1))
    return replace(spec, layers=(first, *rest), encoding=encoding, targets=CELSIUS)


@pytest.fixture(scope="module")
def home(ngspice, tmp_path_factory) -> Path:
    """A BUILD, and the board of it."""
    folder = tmp_path_factory.mktemp("board")
    spec = function_spec()
    build = write_verified(spec, ak.load_preset("board").hardware, folder / "f.build")
    opamp, extra = load_opamp("50mhz-30ohm"), Parasitics()
    stability = check_rows(build.deck.design, opamp, extra, judge=False)
    boards = boards_of_preset("board", opamp, FEW["samples"], 0)
    seen = predict(build, grid_of(spec), boards, FEW["temps"])
    make_board(build, folder / "f.board", opamp, stability, seen, parasitics=extra)
    return folder


@pytest.fixture(scope="module")
def build(home):
    return ak.load_build(home / "f.build")


def board_of(home: Path, build, card=None) -> Board:
    """The board of ``home`` as its file has it, of a network that reached ``card``."""
    summary = json.loads((home / "f.board" / "board.json").read_text(encoding="utf-8"))
    opamp = load_opamp("50mhz-30ohm")
    stability = check_rows(build.deck.design, opamp, judge=False)
    boards = boards_of_preset("board", opamp, 2, 0)
    return Board(
        summary=summary | {"software": card},
        parts=[],
        stability=stability,
        prediction=SimpleNamespace(boards=boards),
        build=build,
    )


def value_of(text: str) -> float:
    number, scale = re.fullmatch(r"([\d.]+)([kMmunp]?)", text).groups()
    return float(number) * SCALES[scale]


def parse(text: str):
    """An s-expression as lists of texts."""
    stack: list[list] = [[]]
    for word in re.findall(r'\(|\)|"[^"]*"|[^\s()"]+', text):
        if word == "(":
            stack.append([])
        elif word == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(word.strip('"'))
    return stack[0][0]


def entries(node, name):
    return [one for one in node if isinstance(one, list) and one and one[0] == name]


def read_board(path: Path):
    return read_text(path.read_text(encoding="utf-8"))


def read_text(text: str):
    """Value of each part, and the net at each of its pins, of a KiCad netlist."""
    top = parse(text)
    values = {
        entries(comp, "ref")[0][1]: entries(comp, "value")[0][1]
        for comp in entries(entries(top, "components")[0], "comp")
    }
    pins = {
        (entries(node, "ref")[0][1], entries(node, "pin")[0][1]): entries(net, "name")[0][1]
        for net in entries(entries(top, "nets")[0], "net")
        for node in entries(net, "node")
    }
    return values, pins


def on_board(net: str) -> str:
    """What a board calls a net of a deck."""
    if net == "0":
        return "GND"
    if re.fullmatch(r"l\d_b\d+", net):
        return "v_bias"
    return re.sub(r"x_(\w+)_diff\.(inp|inn)", r"\1_\2", net)


def two(a: str, b: str) -> tuple[str, ...]:
    return tuple(sorted((a, b)))


SECOND = IVCurve("second", get("AI301A").v, 0.5 * get("AI301A").i)


@pytest.mark.parametrize("curves", [(get("AI301A"),), (get("AI301A"), SECOND)], ids=len)
def test_the_netlist_of_the_board_is_the_deck(tmp_path, curves):
    """Every resistor with its value, diode and op-amp of the flattened deck joins the same nets on
    the board; beside them a board has drivers, snubbers and capacitors alone."""
    hardware, opamp = ak.load_preset("board").hardware, load_opamp("200mhz-10ohm")
    build = write_verified(function_spec(curves=curves), hardware, tmp_path / "f.build")
    stability = check_rows(build.deck.design, opamp, judge=False)
    parts = board_parts(build, opamp, stability, Parasitics())
    deck = read_deck(build.folder / "network.cir")
    net = [on_board(name) for name in deck.nets]
    values, pins = read_text(format_netlist(parts, "f"))
    of = lambda kind: [ref for ref in values if re.fullmatch(rf"{kind}\d+", ref)]  # noqa: E731

    cells = zip(deck.r_a, deck.r_b, deck.r_ohms, strict=True)
    wanted = Counter((*two(net[a], net[b]), f"{ohms:.6g}") for a, b, ohms in cells)
    have = Counter(
        (*two(pins[r, "1"], pins[r, "2"]), f"{value_of(values[r]):.6g}") for r in of("R")
    )
    extra = have - wanted
    assert not wanted - have
    assert sum(extra.values()) == 5  # a snubber a node
    assert all(any(name.endswith("_snub") for name in key[:2]) for key in extra)

    diodes = Counter((net[t.nets[0]], net[t.nets[1]]) for t in deck.tables)
    assert Counter((pins[d, "2"], pins[d, "1"]) for d in of("D")) == diodes
    amplifiers = Counter(
        (net[c.control[0]], net[c.control[1]], net[c.out[0]])
        for c in deck.controlled
        if not c.name.startswith("e_logit")
    )
    made = Counter((pins[u, "3"], pins[u, "2"], pins[u, "6"]) for u in of("U"))
    drivers = made - amplifiers
    assert not amplifiers - made
    sources = {net[s.nets[0]] for s in deck.volts if net[s.nets[0]].startswith(("l0_v", "v_bias"))}
    assert {(f"in_{name}", name, name) for name in sources} == set(drivers)
    feedback = Counter(two(net[c.nets[0]], net[c.nets[1]]) for c in deck.capacitors)
    assert not feedback - Counter(two(pins[c, "1"], pins[c, "2"]) for c in of("C"))


@pytest.mark.filterwarnings("ignore")  # of what it is made of
def test_a_package_that_reads_kicad_reads_the_same_back(home):
    kinparse = pytest.importorskip("kinparse", reason="kinparse, which reads netlists, is missing")
    path = home / "f.board" / "board.net"
    found = kinparse.parse_netlist(path.read_text(encoding="utf-8"))
    values, pins = read_board(path)
    assert found.version == "E"
    assert {part.ref: part.value for part in found.parts} == values
    assert {(p.ref, p.num): net.name for net in found.nets for p in net.pins} == pins


def test_the_bill_counts_every_part_and_resistors_are_standard(home):
    values, _ = read_board(home / "f.board" / "board.net")
    text = (home / "f.board" / "bom.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(text.splitlines()))
    listed = [ref for line in lines for ref in line["references"].split()]
    assert sorted(listed) == sorted(values)
    assert all(int(line["count"]) == len(line["references"].split()) for line in lines)
    ohms = np.array(
        [value_of(x["value"]) for x in lines if (x["kind"], x["tolerance"]) == ("resistor", "1 %")]
    )
    np.testing.assert_allclose(nearest_of(standard_values("e96"), ohms), ohms, rtol=1e-12)


def test_the_expected_curve_is_the_circuit_and_its_band(home, build):
    """What is in the file is what the twin says of these boards, and where it is assumed."""
    text = (home / "f.board" / "expected.csv").read_text(encoding="utf-8")
    assert "low and high are the ends of 95 % of them" in text.splitlines()[0]
    lines = list(csv.DictReader(x for x in text.splitlines() if not x.startswith("#")))
    x = np.array([[float(line["input 1"]), float(line["input 2"])] for line in lines])
    assert len(x) == 81
    software = CELSIUS.values(build.spec.logits(x))[:, 0]
    given = [float(line["software temperature (degC)"]) for line in lines]
    np.testing.assert_allclose(given, software, rtol=1e-4, atol=1e-3)
    for temp in (25, 50):
        low, circuit, high = (
            np.array([float(line[f"{what} temperature at {temp} degC (degC)"]) for line in lines])
            for what in ("low", "circuit", "high")
        )
        assert (low < high).all()
        assert np.median(np.abs(circuit - (low + high) / 2)) < np.median(high - low)
    volts = build.spec.dac_volts(x)
    reaches = (volts > get("AI301A").reconstructed[0]).any(axis=1)
    assert reaches.any()
    assert all(line["assumed"] for line, one in zip(lines, reaches, strict=True) if one)


def test_the_volts_of_nodes_are_those_of_the_circuit(home, build):
    """At every op-amp's output: what the closed form gives, the last as the expected curve has."""
    text = (home / "f.board" / "nodes.csv").read_text(encoding="utf-8")
    above = [line for line in text.splitlines() if line.startswith("#")]
    assert [line.split(":")[0] for line in above[2:]] == ["# point 21", "# point 41", "# point 61"]
    lines = list(csv.DictReader(x for x in text.splitlines() if not x.startswith("#")))
    values, pins = read_board(home / "f.board" / "board.net")
    outputs = {pins[ref, "6"]: ref for ref in values if ref.startswith("U")}
    assert {line["net"]: line["place"] for line in lines} == outputs
    found = {x["net"]: [float(x[f"V at point {n}"]) for n in (21, 41, 61)] for x in lines}
    expected = (home / "f.board" / "expected.csv").read_text(encoding="utf-8").splitlines()
    curve = list(csv.DictReader(x for x in expected if not x.startswith("#")))
    at = [curve[n - 1] for n in (21, 41, 61)]
    for column, net in (("in_l0_v0 (V)", "l0_v0"), ("l1_y0 at 25 degC (V)", "l1_y0")):
        np.testing.assert_allclose([float(x[column]) for x in at], found[net], atol=2e-6)
    design = build.deck.design
    volts = np.array([[float(x["in_l0_v0 (V)"]), float(x["in_l0_v1 (V)"])] for x in at])
    for layer, stage in enumerate(ideal.stage_volts(design, volts)):
        names = StageNames(design, layer)
        for nets, wanted in ((names.lines(), stage.lines), (names.outputs(), stage.outputs)):
            np.testing.assert_allclose(np.array([found[n] for n in nets]).T, wanted, atol=0.05)
    assert found["v_bias"] == [-1.0] * 3
    bench = (home / "f.board" / "bench.md").read_text(encoding="utf-8")
    assert "for points\n21, 41, 61 of `expected.csv`" in bench and "--trace" not in bench


def test_node_volts_that_are_not_the_twins_are_refused(home, build, monkeypatch):
    monkeypatch.setattr(nodes, "allowed", lambda hardware, klu: -1.0)
    opamp = load_opamp("50mhz-30ohm")
    seen = predict(build, grid_of(build.spec)[:5], boards_of_preset("board", opamp, 1, 0), [25.0])
    sentence = (
        r"^node voltages: ngspice is \S+ of a stage's largest output from the twin, and -1 is "
        "allowed: please report it$"
    )
    with pytest.raises(DisagreementError, match=sentence):
        node_volts(build, seen)


def test_op_amps_that_the_deck_has_not_are_said(home, build):
    """Two inputs and the bias rows' reference have drivers; the deck's are counted apart."""
    parts = board_parts(
        build,
        load_opamp("lm324"),
        check_rows(build.deck.design, load_opamp("50mhz-30ohm"), judge=False),
        Parasitics(),
    )
    deck = build.summary["elements"]["op_amps"]
    said = replace(board_of(home, build), parts=parts).sentences()
    assert (
        f"{deck + 3} op-amps: the {deck} of the deck, and 3 that drive what a deck has as sources, "
        "the DACs' voltages and the bias rows'"
    ) in said
    bench = (home / "f.board" / "bench.md").read_text(encoding="utf-8")
    assert (
        "- of 50mhz-30ohm are c_f, what holds the diodes, currents, supplies and offsets; volts "
        "in expected.csv and nodes.csv are of op-amps of gain 1e+06, as the network was compiled, "
        "and a line of gain 1e+06 is at most "
    ) in bench


def test_the_instructions_begin_with_the_diodes(home):
    text = (home / "f.board" / "bench.md").read_text(encoding="utf-8")
    assert "analogkan board BUILD --preset board,mine.variation.toml" in text
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert titles[0] == "1. Each diode, before it is soldered"
    assert "22 ohm and 1 nF in series across each" in text.replace("\n", " ")
    assert (  # 1.3 times the table's 14.8 mS
        "drive it from a source of less than 52.1 ohm (1 / |g_d|, 30 % for what is not known of it)"
    ) in text.replace("\n", " ")
    assert "analogkan devices import diode-*.csv" in text
    assert "not opened in KiCad" in text.replace("\n", " ")
    assert "assumed:" in text


def test_the_error_of_boards_is_not_taken_for_that_of_the_network(home, build):
    """Distance from software, software's own as the BUILD keeps it, and what measures both."""
    kept = {"rmse": 1.12, "unit": "degC", "n": 500, "images": "test, all 500", "dataset": "t"}
    for card, own in (
        (kept, "software's own error, RMSE 1.12 degC (test, all 500), comes on top"),
        (None, "software's own error, which this BUILD does not keep, comes on top"),
    ):
        said = board_of(home, build, card=card).sentences()
        at = next(k for k, told in enumerate(said) if told.startswith("software's own"))
        assert "RMSE against software" in said[at - 1]
        assert said[at] == (
            f"{own}, as the root of the sum of squares where the two are independent: `analogkan "
            f"montecarlo {build.folder} --preset board --dataset FILE` measures boards against the "
            "data"
        )


def test_a_tolerance_that_boards_were_not_drawn_with_is_said(home, build, tmp_path):
    assert not tolerance_sentences("e96", ak.load_preset("board").variation)
    assert not [told for told in board_of(home, build).sentences() if "bom.csv" in told]
    drawn = ak.load_preset("board").variation
    (said,) = tolerance_sentences("e24", drawn)
    assert said == (
        "bom.csv says 5 % for resistors of E24, and these boards were drawn with sigma_g = 0.0058, "
        "r_f_sigma = 0.0058, r_c_sigma = 0.0041, line_sigma = 0.01, diff_gain_sigma = 0.0065: give "
        "a preset with sigma_g = 0.0289, r_f_sigma = 0.0289, r_c_sigma = 0.0204, line_sigma = "
        "0.05, diff_gain_sigma = 0.0323, or buy what was drawn (1 % in cells)"
    )
    assert bought("5 %", "e24", drawn) == "5 %, drawn as 1 %"
    assert bought("1 %", "e96", drawn) == "1 %"
    even = ak.Variation(**(drawn.document() | sigmas_of(0.05)))
    assert not tolerance_sentences("e24", even)
    assert bought("5 %", "e24", even) == "5 %"


def test_the_page_prints_the_recipe_and_the_op_amp_as_they_are():
    page = Path(__file__).parents[1] / "docs" / "board.md"
    example = runpy.run_path(str(page.parents[1] / "examples" / "17_a_board.py"))
    shown = [text for _, text in blocks(page, "toml")]
    opamp = resources.path("board/opamps") / "tl07x.toml"
    assert shown == [
        example["RECIPE"].format(device="mine.toml"), opamp.read_text(encoding="utf-8")
    ]  # fmt: skip
    said = page.read_text(encoding="utf-8")
    assert said.count("board,mine.variation.toml") == 3
    for field in fields(load_opamp("tl07x")):
        assert f"`{field.name}`" in said, field.name


@pytest.mark.campaign
def test_an_op_amp_from_the_drawer_as_the_page_says(ngspice, one_thread, tmp_path, monkeypatch):
    """Its commands work, lines are those printed, and a network of bare diodes is refused so."""
    page = Path(__file__).parents[1] / "docs" / "board.md"
    monkeypatch.chdir(tmp_path)
    (recipe, *_) = [text for _, text in blocks(page, "toml")]
    Path("board-recipe.toml").write_text(recipe, encoding="utf-8")
    ((_, made), (_, typed), (_, printed)) = blocks(page, "python", "sh", "text")
    run_python(made, tmp_path)
    *_, found = [run(command, tmp_path) for command in commands(typed)]
    assert set(skeleton(printed)) <= set(skeleton(found))
    ak.devices.measure(["bare-1.csv", "bare-2.csv"], "bare.toml")
    Path("bare.recipe.toml").write_text(recipe.replace("mine.toml", "bare.toml"), encoding="utf-8")
    made = ak.train(
        "thermistor", "bare.pt", recipe="bare.recipe.toml", preset="board", noise="twin"
    )
    bare = ak.compile(made.model, "bare.build", preset="board")
    said = re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
    for opamp in ("lm324", "tl07x"):
        with pytest.raises(CompileError) as refused:
            ak.write_board(bare, opamp=opamp, samples=1)
        assert str(refused.value).partition("below 1: ")[2] in said
    run("analogkan compile curve.pt --preset board --set opamp_gain=1e5 -o slow.build", tmp_path)
    curves = []
    for one in map(ak.load_build, ("slow.build", "curve.build")):
        volts = one.spec.dac_volts(grid_of(one.spec))
        index = np.arange(len(volts))
        logits = ak.TwinEngine().logits(one.deck.design, volts, index, temp_c=26.85)
        curves.append(one.spec.targets.values(logits))
    assert np.abs(curves[0] - curves[1]).max() == pytest.approx(0.004, abs=1e-3)


def test_inputs_have_their_names_where_the_network_has_them(home, build):
    """In the expected curve, the node volts and the pictures; and the temperature there."""
    boards, opamp = boards_of_preset("board", None, 2, 0), load_opamp("50mhz-30ohm")
    prediction = predict(build, grid_of(build.spec)[:5], boards, [25])
    stability = check_rows(build.deck.design, opamp, judge=False)
    parts = board_parts(build, opamp, stability, Parasitics())
    named = replace(CELSIUS, inputs=("ratio (V/V)", "supply (V)"))
    known = replace(build, spec=replace(build.spec, targets=named))
    assert known.spec.fingerprint() != build.spec.fingerprint()
    assert expected_rows(prediction, parts, known)[0][:2] == ["ratio (V/V)", "supply (V)"]
    assert expected_rows(prediction, parts, build)[0][:2] == ["input 1", "input 2"]
    assert (
        "ratio (V/V) = 0, supply (V) = 31.875"
        in node_comments(node_volts(known, prediction), prediction, known)[1]
    )
    one = replace(CELSIUS, inputs=("ratio (V/V)",))
    x, y = np.arange(3.0)[:, None], np.zeros((3, 1))
    ax = board_figure(x, y, np.stack([y] * 3), one, temp_c=25.0).axes[0]
    assert ax.get_xlabel() == "ratio (V/V)"
    assert ax.get_legend_handles_labels()[1] == ["boards", "circuit at 25 degC"]
    assert read_targets(named.document()) == named
    assert "inputs" not in CELSIUS.document() and named.part(0, 1) == named


def test_the_report_says_of_which_images_hidden_voltages_are(build):
    """The card's are of the test part, the report's of what the network was trained on."""
    (section,) = [one for one in build_sections(build, []) if one.name == "devices"]
    count = len(build.spec.calibration)
    share = build.spec.out_of_range(build.spec.dac_volts(build.spec.calibration))
    assert section.words == [
        f"{100 * share:.2f} % of the hidden voltages leave a diode's range on the {count} training "
        "images that the network keeps to be calibrated with; a model card has the share on test "
        "images."
    ]


def test_nothing_but_an_earlier_board_is_replaced(build, tmp_path):
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    sentence = f"{tmp_path} holds mine.txt, which no board command wrote, so it is not replaced"
    with pytest.raises(CompileError, match=f"^{escape(sentence)}"):
        ak.write_board(build, tmp_path, **FEW)
    with pytest.raises(
        CompileError, match=escape(f"{tmp_path / 'mine.txt'} is a file: give another")
    ):
        ak.write_board(build, tmp_path / "mine.txt", **FEW)


@pytest.mark.parametrize(
    ("spec", "hardware", "sentence"),
    [
        (
            {},
            {"levels": 16},
            "was compiled with levels = 16, and a board's resistors have standard",
        ),
        (
            {},
            {"readout": "summing"},
            "was compiled with readout = summing, and a board's outputs are difference amplifiers: "
            "compile it with readout = differences",
        ),
        ({}, {"r_wire": 1.0}, "was compiled with r_wire = 1 and r_driver = 0 ohm, and a board's"),
        (
            {"squash": "clamp"},
            {},
            "has clamp cells, and a board is of resistors, diodes and op-amps",
        ),
        ({"norm": "layer"}, {}, "has layernorm cells, and a board is of resistors, diodes and"),
        ({"sizes": (12, 24, 1)}, {}, "crossbar resistors, and a board at most 500: train fewer"),
    ],
)
def test_what_cannot_be_a_board_is_refused(tmp_path, spec, hardware, sentence):
    chosen = replace(ak.load_preset("board").hardware, **hardware)
    build = write_verified(function_spec(**spec), chosen, tmp_path / "f.build")
    with pytest.raises(CompileError, match=escape(sentence)):
        ak.write_board(build, tmp_path / "f.board", **FEW)
    assert not (tmp_path / "f.board").exists()


def test_circuits_with_held_stages_and_classes_are_refused(tmp_path):
    hardware = ak.load_preset("board").hardware
    spec = replace(function_spec(), targets=None)
    held = write_verified(spec, hardware, tmp_path / "h.build", most=8)
    with pytest.raises(CompileError, match=r"circuits whose values are held between them: a board"):
        ak.write_board(held, tmp_path / "b", **FEW)
    classes = write_verified(spec, hardware, tmp_path / "c.build")
    with pytest.raises(CompileError, match=r"tells classes: boards are of regressions, whose"):
        ak.write_board(classes, tmp_path / "b", **FEW)
    with pytest.raises(SettingsError, match=r"tells classes: what is compared are values of a re"):
        ak.compare(classes, tmp_path / "m.csv")


def test_a_shunt_with_which_diodes_were_measured_is_a_part_of_the_board(home, build, tmp_path):
    alone = get("AI301A")
    both = replace(alone, i=alone.i + alone.v / 100, reconstructed=None)
    spec = function_spec(curves=(both,))
    shunted = write_verified(spec, ak.load_preset("board").hardware, tmp_path / "f.build")
    board = ak.write_board(shunted, tmp_path / "f.board", shunt=100, **FEW)
    found = [part for part in board.parts if part.about.startswith("shunt of row")]
    diodes = [part for part in board.parts if part.kind == "diode"]
    assert [part.nets for part in found] == [part.nets for part in diodes]
    assert {part.value for part in found} == {"100"}
    assert board.summary["stability"]["parasitics"]["shunt"] == 100
    fall = check_rows(build.deck.design, load_opamp("50mhz-30ohm"), judge=False).rows[0].fall
    assert board.summary["stability"]["rows"][0]["fall"] == pytest.approx(fall)
    bench = (tmp_path / "f.board" / "bench.md").read_text(encoding="utf-8")
    assert "Solder its shunt of 100 ohm across it first: the network's device is both." in bench
    assert "drive it from a source of less than 109 ohm" in bench
    assert "Solder its shunt" not in (home / "f.board" / "bench.md").read_text(encoding="utf-8")
    words = ["board", str(home / "f.build"), "--shunt", "100", "-o", str(tmp_path / "b")]
    refused = CliRunner().invoke(main, words)
    assert "and the table of AI301A has" in refused.output and refused.exit_code == 1


def test_an_opamp_that_cannot_hold_the_diodes_is_refused(build, tmp_path):
    with pytest.raises(CompileError, match=r"^layer 0: op-amp tl07x cannot hold AI301A"):
        ak.write_board(build, tmp_path / "b", opamp="tl07x", **FEW)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.2e3, "10.2k"),
        (1e6, "1M"),
        (562.0, "562"),
        (1.8e-10, "180p"),
        (2e-9, "2n"),
        (1e-7, "100n"),
    ],
)
def test_values_are_said_as_shops_say_them(value, text):
    assert format_part(value) == text


# ---- compare


def measured(path: Path, build, y, head="a (V/V),b (V/V),temperature (degC)", n=9) -> Path:
    """A CSV of ``n`` points of which a board gave ``y(x, circuit)``."""
    x = np.random.default_rng(0).uniform(0, 255, (n, 2)).round()
    lines = [",".join(f"{v:.9g}" for v in row) for row in np.column_stack([x, y(x)])]
    path.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
    return path


def software_of(build):
    return lambda x: CELSIUS.values(build.spec.logits(x))[:, 0]


GIVEN = {"samples": 8, "progress": False}


def test_a_measured_board_is_told_from_its_band(build, tmp_path):
    """Points of the circuit are within, one that is far off is named with its prediction."""

    def one_off(x):
        y = software_of(build)(x)
        y[4] += 500
        return y

    found = ak.compare(build, measured(tmp_path / "m.csv", build, one_off), **GIVEN)
    outside = [p["point"] for p in found.summary["points"] if p["outside"]]
    assert 4 in outside and len(outside) < 5
    worst = found.summary["points"][4]
    assert worst["high"] < worst["measured"] and worst["low"] < worst["circuit"]
    assert found.summary["max_abs_circuit"] == pytest.approx(500, rel=0.1)
    assert 0 <= found.summary["boards_worse"] <= 1
    assert list(found.table()["point"]) == list(range(9))
    given = found.plot().add_subplot()
    assert found.plot(ax=given) is given.figure and given.get_ylabel().startswith(
        "less the circuit"
    )
    two = Targets(low=(0.0, 0.0), high=(1.0, 1.0), names=("a", "b"), units=("", ""))
    with pytest.raises(StudyError, match=r"^picture 'board' has several axes, and ax is one: plot"):
        board_figure(np.zeros((2, 1)), np.zeros((2, 2)), np.zeros((3, 2, 2)), two, ax=given)


def test_inputs_as_the_expected_curve_prints_them_are_in_range(build, tmp_path):
    """Six figures of an end may lie beyond it."""
    spec = build.spec
    ranges = ((0.0, 0.770749), (0.0652039, 0.7707507))
    each = replace(spec.encoding, ranges=ranges, x_lo=0.0, x_hi=ranges[1][1])
    within = replace(build, spec=replace(spec, encoding=each, calibration=None))
    path = tmp_path / "m.csv"
    path.write_text("a,b,t (degC)\n0,0.0652038,1\n0.770749,0.770751,2\n", encoding="utf-8")
    x, _ = read_measured(path, within)
    np.testing.assert_array_equal(x[1], [0.770749, 0.770751])
    path.write_text("a,b,t (degC)\n0,0.0652,1\n0.770749,0.77077,2\n", encoding="utf-8")
    sentence = "input 2 of point 2 is 0.77077, and the network was trained from 0.0652039 to"
    with pytest.raises(DataError, match=sentence):
        read_measured(path, within)


def test_a_single_point_that_is_assumed_is_shaded():
    """As far as half way to its neighbours, with one entry in the legend."""
    x, y = np.arange(6.0)[:, None], np.zeros((6, 1))
    assumed = np.array([True, False, False, True, False, True])
    ax = board_figure(x, y, np.stack([y] * 3), CELSIUS, assumed=assumed).axes[0]
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in ax.patches]
    assert spans == [(0.0, 0.5), (2.5, 3.5), (4.5, 5.0)]
    _, texts = ax.get_legend_handles_labels()
    assert texts == ["boards", "circuit", "assumed: a diode in its reconstructed part"]


def test_gain_and_offset_of_a_board_are_found(build, tmp_path):
    circuit = ak.compare(
        build, measured(tmp_path / "c.csv", build, software_of(build)), **GIVEN
    ).prediction.circuit[0, :, 0]
    path = measured(tmp_path / "m.csv", build, lambda _: 50 + 1.1 * (circuit - 50) + 2)
    found = ak.compare(build, path, **GIVEN).summary
    assert found["gain"] == [pytest.approx(1.1, abs=1e-6)]
    assert found["offset"] == [pytest.approx(2.0, abs=1e-6)]


def test_a_band_that_is_too_wide_says_nothing(build, tmp_path):
    """Points at which the circuit hardly moves tell no board from one that stands still."""
    path = measured(tmp_path / "m.csv", build, software_of(build))
    found = ak.compare(build, path, **GIVEN)
    (still,) = found.summary["still"]
    points = found.summary["points"]
    beyond = [p for p in points if not p["low"] <= still["value"] <= p["high"]]
    assert len(beyond) == still["outside"]
    rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([rows[0], rows[1], rows[1]]) + "\n", encoding="utf-8")
    (note,) = ak.compare(build, path, **GIVEN).notes()
    assert re.fullmatch(
        r"the band says nothing of temperature: an output that stood still at \S+ degC would have "
        r"0 of 2 values outside it; measure where the circuit moves more, or give boards that are "
        r"more alike \(--preset\)",
        note,
    )
    assert bool(found.notes()) == (still["outside"] == 0)


def test_volts_at_the_output_are_the_targets_quantity(build, tmp_path):
    unit = build.deck.design.stages[-1].unit[0]
    volts = lambda x: build.spec.logits(x)[:, 0] * unit * 1e3  # noqa: E731
    path = measured(tmp_path / "m.csv", build, volts, "a,b,y (mV)")
    quantity = measured(tmp_path / "q.csv", build, software_of(build))
    one, two = (ak.compare(build, p, **GIVEN).measured for p in (path, quantity))
    np.testing.assert_allclose(one, two, rtol=1e-7)


def draw_boards(build, out: Path, **given) -> None:
    """A RUN of five boards."""
    x = build.spec.calibration[:20]
    images = ak.ImageSet(
        name="f", x=x, y=CELSIUS.values(build.spec.logits(x)), index=np.arange(len(x)),
        targets=(("temperature", "degC"),),
    )  # fmt: skip
    given = {"preset": "board", "judge": "none", "progress": False, "seed": 3} | given
    ak.montecarlo(build, images, samples=5, out=out, **given)


def test_boards_have_a_page_without_a_die(build, tmp_path):
    draw_boards(build, tmp_path / "run")
    made = write_report([tmp_path / "run"], tmp_path / "r.html")
    assert "Conductances, tile by tile" in made["sections"]
    assert "The die" not in made["sections"]
    assert "floorplan" not in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_board_has_its_section_on_a_page(home, build, tmp_path, monkeypatch):
    def drawn(x, circuit, band, *given, **named):
        shapes.append((x.shape, circuit.shape, band.shape, named["temp_c"]))
        return board_figure(x, circuit, band, *given, **named)

    shapes: list = []
    monkeypatch.setattr("analogkan.report.boards.board_figure", drawn)
    draw_boards(build, tmp_path / "run")
    board, page = home / "f.board", tmp_path / "r.html"
    made = write_report([tmp_path / "run", board], page)
    text = page.read_text(encoding="utf-8")
    assert made["sections"][-1] == "Board" and "figure-board-1-band" in text
    assert shapes == [((81, 2), (81, 1), (3, 81, 1), 25.0)]
    summary = json.loads((board / "board.json").read_text(encoding="utf-8"))
    for said in (f"{summary['count']}", "50mhz-30ohm", "6 boards, preset board"):
        assert said in text, said
    kept, where = tmp_path / "kept", f"{tmp_path / 'kept'} is a board"
    shutil.copytree(board, kept)
    for change, sentence in (
        ({"design": "other"}, f"{where} of another circuit ("),
        ({"design": None, "format": "x"}, f"{where} that is damaged, or of an earlier version ("),
        ({"temps_c": []}, f"{where} that is damaged, or of an earlier version ("),
    ):
        (kept / "board.json").write_text(json.dumps(summary | change), encoding="utf-8")
        with pytest.raises(StudyError, match=f"^{escape(sentence)}"):
            write_report([tmp_path / "run", kept], page)
    with pytest.raises(StudyError, match=r"^a report needs at least one RUN"):
        write_report([board], page)
    sentence = f"{board} holds no result.json: it is a board, which a page shows beside RUNs, and "
    with pytest.raises(StudyError, match=f"^{escape(sentence)}"):
        write_summary([tmp_path / "run", board])


def test_a_section_that_cannot_be_had_refuses_no_page(build, tmp_path, monkeypatch):
    def refused(*args, **given):
        raise SettingsError("there is no such chip")

    draw_boards(build, tmp_path / "run")
    monkeypatch.setattr("analogkan.report.network.perturb_chain", refused)
    made = write_report([tmp_path / "run"], tmp_path / "r.html")
    assert "Conductances, tile by tile" in made["sections"]
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Not worked out: there is no such chip." in page


def test_the_boards_of_a_run_are_those_that_it_drew(build, tmp_path):
    draw_boards(build, tmp_path / "run")
    path = measured(tmp_path / "m.csv", build, software_of(build))
    run = ak.compare(build, path, band=tmp_path / "run", progress=False)
    same = ak.compare(build, path, preset="board", samples=5, seed=3, progress=False)
    assert (run.summary["samples"], run.summary["seed"]) == (5, 3)
    np.testing.assert_array_equal(run.prediction.each, same.prediction.each)
    with pytest.raises(
        SettingsError, match=r"^a RUN of boards \(band\) has its preset, samples an"
    ):
        ak.compare(build, path, band=tmp_path / "run", seed=1)
    with pytest.raises(StudyError, match=escape(f"{tmp_path} is no RUN of montecarlo")):
        ak.compare(build, path, band=tmp_path)


def test_a_measured_board_has_the_op_amp_that_it_was_written_with(
    home, build, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    opamp = replace(load_opamp("50mhz-30ohm"), name="coarse", vos=0.03)
    document = json.loads((home / "f.board" / "board.json").read_text(encoding="utf-8"))
    document["stability"]["opamp"] = asdict(opamp)
    Path("f.board").mkdir()
    path = Path("f.board/board.json")
    path.write_text(json.dumps(document), encoding="utf-8")
    measured(Path("m.csv"), build, software_of(build))
    x, _ = read_measured(Path("m.csv"), build)
    written = predict(build, x, boards_of_preset("board", opamp, GIVEN["samples"], 0), [26.85])
    found = ak.compare(build, "m.csv", **GIVEN)
    assert found.summary["boards"] == "preset board, offsets of coarse"
    np.testing.assert_array_equal(found.prediction.each, written.each)
    words = ["board", str(build.folder), "--measured", "m.csv", "--samples", "2"]
    for more, of in (([], "coarse"), (["--opamp", "lm324"], "lm324")):
        assert f"offsets of {of})" in CliRunner().invoke(main, [*words, *more]).output
    with pytest.raises(SettingsError, match=r"^a RUN of boards \(band\) has offsets of its own: "):
        ak.compare(build, "m.csv", opamp=opamp, band="run")
    path.write_text(json.dumps(document | {"build": "g.build"}), encoding="utf-8")
    assert ak.compare(build, "m.csv", **GIVEN).summary["boards"] == "preset board"
    path.write_text(json.dumps(document | {"stability": {}}), encoding="utf-8")
    sentence = "f.board/board.json, which has the board's op-amp, is damaged ("
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}"):
        ak.compare(build, "m.csv", **GIVEN)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b,temperature (K)\n1,2,3\n", "column 'temperature' is in K, and temperature is in "
         "degC: write its unit into the first line, (degC) or (V) or (mV); volts are those at"),
        ("1,2,3\n4,5,6\n", "column 'column 3' has no unit, and temperature is in degC"),
        ("a,t (degC)\n1,2\n3,4\n", "has 2 columns, and"),
        ("a,b,t (degC)\n1,300,3\n4,5,6\n", "input 2 of point 1 is 300, and the network was trained "
         "from 0 to 255, where its DACs end: leave out 1 of 2 points (1)"),
        ("a,b,t (degC)\n1,2,NaN\n4,5,6\n", "line 2: 'NaN' in column 3 is not finite: remove the"),
    ],
)  # fmt: skip
def test_bad_measurements_are_refused(build, tmp_path, text, sentence):
    path = tmp_path / "m.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=escape(sentence)):
        ak.compare(build, path, **GIVEN)


def test_the_commands_say_what_python_does(home, build, tmp_path):
    """With ``.tran`` the files are those that were written without it, over an earlier board's."""
    words = ["board", str(home / "f.build"), "-o", str(home / "f.board"), "--samples", "6"]
    before = {p.name: p.read_bytes() for p in (home / "f.board").iterdir()}
    done = CliRunner().invoke(main, [*words, "--temps", "25,50", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["format"], told["samples"], told["temps_c"]) == ("analogkan-board-1", 6, [25, 50])
    assert set(told) == {
        *(
            "format",
            "build",
            "design",
            "folder",
            "files",
            "count",
            "parts",
            "bom",
            "stability",
            "unit",
        ),
        *("samples", "seed", "boards", "variation", "temps_c", "rmse_boards", "points", "assumed"),
        *("judge", "command", "software"),
    }
    assert told["judge"] < 1e-6
    assert set(told["files"]) == set(before)
    for name in ("bom.csv", "board.net", "expected.csv", "nodes.csv", "bench.md"):
        assert (home / "f.board" / name).read_bytes() == before[name]
    path = measured(tmp_path / "m.csv", build, lambda x: software_of(build)(x) + 1000)
    words = ["board", str(home / "f.build"), "--measured", str(path), "--samples", "6"]
    for more, why in (
        (["--temps", "25"], "--temps is of a board that is made, and says nothing with --measured"),
        (["--shunt", "9"], "--shunt is of a board that is made, and says nothing with --measured"),
        (["--out", "b"], "--out is of a board that is made, and says nothing with --measured: lea"),
    ):
        assert why in CliRunner().invoke(main, [*words, *more]).output
    for more in (["--temp", "25"], ["--fail-outside", "2"], ["--plot", "a.png"]):
        said = CliRunner().invoke(main, [*words[:2], *more])
        assert said.exit_code == 2
        assert f"{more[0]} says nothing without --measured: leave it out" in said.output
    failed = CliRunner().invoke(main, [*words, "--fail-outside", "2"])
    assert failed.exit_code == 3
    assert "9 of 9 values are outside the band of 95 % of 6 boards (preset board)" in failed.output
    assert "9 values outside the band are more than --fail-outside 2" in failed.output
