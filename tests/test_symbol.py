"""The network as one symbol: the same circuit, alone and beside another; editors' files."""

from __future__ import annotations

import contextlib
import json
import re
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from re import escape
from typing import Any

import numpy as np
import pytest

from analogkan import cells
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.extract import read_deck
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.names import symbol_name, symbol_pins
from analogkan.compiler.symbol_files import place_pins
from analogkan.compiler.verify import verify_build, write_verified
from analogkan.compiler.verify_symbol import symbol_differences
from analogkan.dialects.rawfile import read_raw
from analogkan.engines.ngspice import Runner
from analogkan.errors import CompileError, NetlistError
from analogkan.files import sha256

from .edits import draw
from .networks import random_spec
from .outside import miller
from .test_spice import NETS, golden_spec

ROOT = Path(__file__).parents[1]
TOKEN = re.compile(r'"[^"\\]*"|[()]|[^\s()"]+')

XSCHEM = re.compile(
    r"(?:(?:[vGKVSE]|[LB] \d+(?: -?[\d.]+){4}|T \{[^{}]*\}(?: -?[\d.]+){6}) \{[^{}]*\}\n)+"
)
"""A file of xschem: blocks, lines and squares of a layer, texts, each with its attributes."""


@pytest.fixture(autouse=True)
def declared(own_plugins) -> None:
    cells.register(miller.KIND)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("symbol") / "plain.build"
    return write_verified(golden_spec("plain"), Hardware(), folder, symbol=True).folder


@pytest.fixture
def build(plain, tmp_path) -> Path:
    return shutil.copytree(plain, tmp_path / "plain.build")


def circuit(name: str) -> tuple[Any, Hardware]:
    if name == "miller":
        return random_spec(3, (4, 3, 3), squash="sigmoid"), Hardware(opamp="miller")
    return golden_spec(name), NETS[name][2]


def solved(ngspice, deck: Path) -> dict[str, np.ndarray]:
    """The operating point, by the raw file that ``ngspice -b -r`` writes of a plain deck."""
    raw = deck.with_suffix(".raw")
    Runner(ngspice).run(deck, raw, timeout=60)
    found = read_raw(raw, points=1)
    raw.unlink()
    deck.with_suffix(".log").unlink()
    return found


# ---- the same circuit


@pytest.mark.parametrize("name", [*NETS, "miller"])
def test_as_one_subcircuit_it_is_the_deck(ngspice, tmp_path, name):
    spec, hardware = circuit(name)
    build = write_verified(spec, hardware, tmp_path / "net.build", symbol=True)
    assert verify_build(load_build(build.folder)).findings == []
    deck = solved(ngspice, build.folder / "network.cir")
    whole = solved(ngspice, build.folder / "symbol" / "top.cir")
    nets = [*symbol_pins(build.design).values(), *(f"logit_{k}" for k in range(spec.sizes[-1]))]
    have, wanted = ([float(found[f"v({net})"][0]) for net in nets] for found in (whole, deck))
    np.testing.assert_allclose(have, wanted, rtol=0, atol=1e-12)


def test_without_the_option_the_deck_is_the_same(plain, tmp_path):
    bare = write_build(golden_spec("plain"), Hardware(), tmp_path / "bare.build")
    assert not (bare.folder / "symbol").exists() and "symbol" not in bare.summary
    for name in bare.one_deck().deck_files():
        assert (bare.folder / name).read_bytes() == (plain / name).read_bytes()


def test_two_networks_on_a_sheet_each_keep_their_own_cells(ngspice, tmp_path):
    """Both have a tile l0_tile_0_0, an opamp and a model cell, each of other values."""
    lines, wanted = ["* a sheet"], {}
    for name, hardware in (("plain", Hardware()), ("summing", Hardware(cell_tc1=0.0))):
        deck = write_build(golden_spec(name), hardware, tmp_path / name, symbol=True).folder
        shutil.copy(deck / "symbol" / f"{name}.cir", tmp_path)
        top = (deck / "symbol" / "top.cir").read_text(encoding="utf-8").replace("\n+ ", " ")
        own = re.sub(r"\b(l\d_[vy]\d|logit_\d)\b", rf"{name}_\1", top)
        own = re.sub(r"^([ve]_\S+)", rf"\1_{name}", own, flags=re.M)
        lines += [x for x in own.splitlines() if x.startswith((".include", "v_", "x_", "e_"))]
        found = solved(ngspice, deck / "network.cir")
        wanted |= {f"v({name}_logit_{k})": found[f"v(logit_{k})"][0] for k in range(2)}
        rest = top[top.index(".option") :]
    told = [f"print {net}" for net in wanted]
    lines += re.sub(r"print v\(logit_0\)\nprint .*", "\n".join(told), rest).splitlines()
    (tmp_path / "sheet.cir").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = solved(ngspice, tmp_path / "sheet.cir")
    for net, volts in wanted.items():
        assert found[net][0] == pytest.approx(volts, abs=1e-12)


@pytest.fixture
def supplied(tmp_path) -> Path:
    """The network of op-amps of transistors."""
    return write_verified(*circuit("miller"), tmp_path / "net.build", symbol=True).folder


def test_one_network_twice_on_a_sheet_has_two_supplies(ngspice, supplied, tmp_path):
    """At 2.5 and at 2.2 V, which moves logits by up to 0.3 mV."""
    shutil.copy(supplied / "symbol" / "net3.cir", tmp_path)
    assert ".global" not in (tmp_path / "net3.cir").read_text(encoding="utf-8")
    top = (supplied / "symbol" / "top.cir").read_text(encoding="utf-8").replace("\n+ ", " ")
    lines, wanted = ["* a sheet", ".include net3.cir"], {}
    for letter, volts in (("a", 2.5), ("b", 2.2)):
        deck = shutil.copytree(supplied, tmp_path / f"{letter}.build")
        told = (deck / "cells.cir").read_text(encoding="utf-8")
        assert told.count("2.5\n") == 2
        (deck / "cells.cir").write_text(told.replace("2.5\n", f"{volts}\n"), encoding="utf-8")
        found = solved(ngspice, deck / "network.cir")
        wanted |= {f"v({letter}_logit_{k})": found[f"v(logit_{k})"][0] for k in range(3)}
        own = re.sub(r"\b(l\d_[vy]\d|logit_\d|vdd|vss)\b", rf"{letter}_\1", top)
        own = re.sub(r"^([vex]_\S+)", rf"\1_{letter}", own, flags=re.M)
        own = own.replace("2.5\n", f"{volts}\n")
        lines += [x for x in own.splitlines() if x.startswith(("v_", "x_", "e_"))]
    rest = re.sub(r"print .*\n", "", top[top.index(".option") :]).splitlines()
    at = rest.index("op") + 1
    sheet = [*lines, *rest[:at], *(f"print {net}" for net in wanted), *rest[at:]]
    (tmp_path / "sheet.cir").write_text("\n".join(sheet) + "\n", encoding="utf-8")
    found = solved(ngspice, tmp_path / "sheet.cir")
    have = [found[net][0] for net in wanted]
    np.testing.assert_allclose(have, list(wanted.values()), rtol=0, atol=1e-9)
    moved = max(abs(wanted[f"v(a_logit_{k})"] - wanted[f"v(b_logit_{k})"]) for k in range(3))
    assert moved > 1e-4


# ---- what differs is found

CELL = "x_l0_tile_0_0.r_i0_d0_o0_p"
JOINED = "x_plain does not join each pin to the deck's net"
EDITS = {
    "value": (r"(r_i0_d0_o0_p i0_d0 o0_p) \S+", r"\1 50000.0", f"{CELL} is not as in the deck"),
    "order": (r"\+ v0 v1", "+ v1 v0", "the pins of plain are not v0 to y1 in order"),
    "pin": (r"diode v0 l0", "diode l0_v0 l0", "net l0_v0 inside plain is not the one around it"),
    "more": (r"(?m)^v_l0_b0", "r9 l0_b0 0 1000.0\nv_l0_b0", "r9 is not in the deck"),
    "less": (r"(?m)^v_l1_b0 .*\n", "", "v_l1_b0 is not as in the deck"),
    "table": (r"i=\(1-0.001", "i=(1-0.002", "x_l0_i0_d0_diode.b1 is not as in the deck"),
    "cell": (r"gain=100000.0", "gain=1000.0", "x_l0_i0_d0_amp.x1.x1.e1 is not as in the deck"),
    "model": (r"cell r\(tc1=0.001", "cell r(tc1=0.002", "model cell is not as in the deck"),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_another_circuit_in_the_symbol_is_found(build, edit):
    pattern, text, sentence = EDITS[edit]
    path = build / "symbol" / "plain.cir"
    told, n = re.subn(pattern, text, path.read_text(encoding="utf-8"), count=1)
    path.write_text(told, encoding="utf-8")
    findings = verify_build(load_build(build)).findings
    assert n == 1 and f"symbol: {sentence}" in findings
    assert findings[0] == "symbol/plain.cir was edited after it was compiled"


SUPPLY_EDITS = [
    ("net3", r"(x_l0_i0_d0_amp .*)vdd vss", r"\1vss vdd", "x_l0_i0_d0_amp is not as in the deck"),
    ("net3", r"(x1 0 in out) vdd vss", r"\1 vss vdd", "subcircuit row_amp is not as in the deck"),
    ("net3", r"(subckt opamp .*) vdd vss", r"\1 vss vdd", "subcircuit opamp is not as in the deck"),
    ("net3", r"(x1 0 c1 out) vdd", r"\1 0", "subcircuit sigmoid is not as in the deck"),
    ("net3", r"(subckt sigmoid .*)vdd vss", r"\1vss vdd", "subcircuit sigmoid is not as in the"),
    ("net3", r"vdd\n\+ vss", "vss\n+ vdd", "the pins of net3 are not v0 to vss in order"),
    ("net3", r"\n(\* The cells)", r"\n.global vdd vss\n\1", ".global inside subcircuit net3"),
    ("top", r"vdd\n\+ vss", "vss\n+ vdd", "x_net3 does not join each pin to the deck's net"),
    ("top", r"dc 2.5", "dc 2.6", "v_vdd is not as in the deck"),
]  # fmt: skip


def test_other_supplies_in_the_symbol_are_found(supplied):
    assert verify_build(load_build(supplied)).findings == []
    for file, pattern, text, sentence in SUPPLY_EDITS:
        path = supplied / "symbol" / f"{file}.cir"
        before = path.read_text(encoding="utf-8")
        told, n = re.subn(pattern, text, before, count=1)
        path.write_text(told, encoding="utf-8")
        try:
            said = verify_build(load_build(supplied)).findings
        except NetlistError as error:
            said = [str(error)]
        assert n == 1 and any(sentence in line for line in said), (pattern, said)
        path.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("pattern", "text", "sentence"),
    [
        (r"l0_v0 l0_v1 (l0_v2)", r"l0_v1 l0_v0 \1", JOINED),
        (r"dc 0.428\S+", "dc 0.4", "v_l0_v0 is not as in the deck"),
        (r"klu", "klu gmin=1e-9", "option gmin is not in the deck"),
        (r"print v\(logit_1\)\n", "", "control section is not as in the deck"),
    ],
)  # fmt: skip
def test_another_deck_around_it_is_found(build, pattern, text, sentence):
    path = build / "symbol" / "top.cir"
    told, n = re.subn(pattern, text, path.read_text(encoding="utf-8"), count=1)
    path.write_text(told, encoding="utf-8")
    assert n == 1 and f"symbol: {sentence}" in verify_build(load_build(build)).findings


def test_what_the_subcircuit_may_not_hold_is_refused(build):
    path = build / "symbol" / "plain.cir"
    told = path.read_text(encoding="utf-8").replace(".model cell", ".option gmin=1e-9\n.model cell")
    path.write_text(told, encoding="utf-8")
    with pytest.raises(NetlistError, match=r"plain.cir:\d+: .option inside subcircuit plain$"):
        verify_build(load_build(build))
    shutil.rmtree(build / "symbol")
    with pytest.raises(NetlistError, match=r"cannot read .*top\.cir"):
        verify_build(load_build(build))


@pytest.mark.campaign
@pytest.mark.parametrize("name", ["plain", "sigmoid", "layernorm"])
def test_no_edit_that_changes_an_answer_passes(ngspice, tmp_path, name):
    spec, hardware = circuit(name)
    build = write_verified(spec, hardware, tmp_path / "net.build", symbol=True).one_deck()
    folder, deck = build.folder / "symbol", read_deck(build.folder / "network.cir")
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.cir")}
    wanted = solved(ngspice, folder / "top.cir")
    rng = np.random.default_rng(5)
    for _ in range(2000):
        edit = draw(rng, texts)
        (folder / edit.file).write_text(edit.text, encoding="utf-8")
        with contextlib.suppress(NetlistError):
            if not symbol_differences(build, deck):
                found = solved(ngspice, folder / "top.cir")
                for k in range(spec.sizes[-1]):
                    assert found[f"v(logit_{k})"] == pytest.approx(
                        wanted[f"v(logit_{k})"], abs=1e-12
                    )
        (folder / edit.file).write_text(texts[edit.file], encoding="utf-8")


# ---- symbols


def s_expression(text: str) -> list[Any]:
    """Lists of words of a text of s-expressions; a quoted word keeps its quotes."""
    stack: list[list[Any]] = [[]]
    assert not TOKEN.sub("", text).strip()
    for token in TOKEN.findall(text):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    (whole,) = stack
    (found,) = whole
    return found


def named(tree: list[Any], word: str) -> Iterator[list[Any]]:
    """The lists in ``tree``, however deep, that begin with ``word``."""
    for part in tree:
        if isinstance(part, list):
            if part[0] == word:
                yield part
            yield from named(part, word)


def ports(build: Path, name: str) -> list[str]:
    text = (build / "symbol" / f"{name}.cir").read_text(encoding="utf-8").replace("\n+", "")
    found = re.search(rf"^\.subckt {name} (.*)$", text, re.M)
    assert found
    return found[1].split()


def test_the_kicad_symbol_has_every_pin_once_and_names_the_subcircuit(build):
    tree = s_expression((build / "symbol" / "plain.kicad_sym").read_text(encoding="utf-8"))
    assert tree[:2] == ["kicad_symbol_lib", ["version", "20231120"]]
    fields = {key.strip('"'): value.strip('"') for _, key, value, *_ in named(tree, "property")}
    assert fields["Sim.Device"] == "SUBCKT" and fields["Sim.Name"] == "plain"
    assert (build / "symbol" / fields["Sim.Library"]).is_file()
    wanted = ports(build, "plain")
    by_number = dict(pair.split("=") for pair in fields["Sim.Pins"].split())
    assert by_number == {str(k): pin for k, pin in enumerate(wanted, 1)}
    pins, at = {}, {}
    for pin in named(tree, "pin"):
        (name,), (number,) = (next(named(pin, key))[1:2] for key in ("name", "number"))
        pins[number.strip('"')] = name.strip('"')
        at[name.strip('"')] = (pin[1], *map(float, next(named(pin, "at"))[1:]))
    assert pins == by_number and len(set(at.values())) == len(wanted)
    for name, (kind, x, y, turned) in at.items():
        assert (kind, x < 0, turned) == (
            ("input", True, 0) if name[0] == "v" else ("output", False, 180)
        )
        assert [x / 1.27, y / 1.27] == pytest.approx([round(x / 1.27), round(y / 1.27)], abs=1e-9)


def test_the_xschem_symbol_has_the_pins_in_the_subcircuits_order(build):
    text = (build / "symbol" / "plain.sym").read_text(encoding="utf-8")
    assert text.startswith("v {xschem version=") and XSCHEM.fullmatch(text)
    objects = re.findall(r"^([vGKVSELTB]) (.*?)\{(.*?)\}$", text, re.M | re.S)
    assert [kind for kind, *_ in objects[:6]] == list("vGKVSE")
    kept = objects[2][2]
    assert kept.startswith("type=subcircuit\n") and "[abs_sym_path plain.cir]" in kept
    assert 'format="@name @pinlist @symname"\ntemplate="name=x1"' in kept
    squares = [(at.split(), told) for kind, at, told in objects if kind == "B"]
    names = [re.fullmatch(r"name=(\w+) dir=(in|out)", told) for _, told in squares]
    assert [match[1] for match in names if match] == ports(build, "plain")
    places = [(float(a) + float(c), float(b) + float(d)) for (_, a, b, c, d), _ in squares]
    assert len(set(places)) == len(places)
    assert all(
        match and (x < 0) == (match[2] == "in") for match, (x, _) in zip(names, places, strict=True)
    )


def test_supplies_are_pins_of_both_symbols_above_and_below(supplied):
    assert ports(supplied, "net3")[-3:] == ["y2", "vdd", "vss"]
    kicad = s_expression((supplied / "symbol" / "net3.kicad_sym").read_text(encoding="utf-8"))
    fields = {key.strip('"'): value.strip('"') for _, key, value, *_ in named(kicad, "property")}
    assert fields["Sim.Pins"].endswith("7=y2 8=vdd 9=vss")
    at = [(pin[1], *map(float, next(named(pin, "at"))[1:])) for pin in named(kicad, "pin")]
    (box,) = named(kicad, "rectangle")
    top, bottom = (float(box[k][2]) for k in (1, 2))
    assert at[-2:] == [
        ("power_in", -7.62, pytest.approx(top + 2.54), 270),
        ("power_in", -7.62, pytest.approx(bottom - 2.54), 90),
    ]
    xschem = (supplied / "symbol" / "net3.sym").read_text(encoding="utf-8")
    assert XSCHEM.fullmatch(xschem)
    pins = re.findall(r"^B 5 (\S+) (\S+) .*name=(\w+) dir=(\w+)", xschem, re.M)
    assert [name for _, _, name, _ in pins] == ports(supplied, "net3")
    assert [kind for *_, kind in pins[-2:]] == ["inout"] * 2
    rows = [float(y) for _, y, _, _ in pins]
    assert rows[-2] < min(rows[:-2]) and rows[-1] > max(rows[:-2])


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 2), (196, 10), (2, 30)])
def test_pins_stand_apart_on_both_sides_around_the_middle(inputs, outputs):
    names = [f"v{k}" for k in range(inputs)] + [f"y{k}" for k in range(outputs)]
    pins = place_pins(names)
    assert [pin.name for pin in pins] == names
    assert [pin.number for pin in pins] == list(range(1, len(names) + 1))
    for n, side in ((inputs, pins[:inputs]), (outputs, pins[inputs:])):
        assert len({pin.x for pin in side}) == 1
        assert [pin.y for pin in side] == list(range(-(n // 2), n - n // 2))


def test_the_picture_is_of_the_pins():
    drawn = runpy.run_path(str(ROOT / "scripts" / "draw_symbol.py"))
    assert drawn["PICTURE"].read_text(encoding="utf-8") == drawn["draw"]()


# ---- names, refusals, files


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("mnist-d2", "mnist_d2"), ("Über.Net", "net__ber_net"), ("2nd", "net_2nd"),
        ("tanh", "net_tanh"), ("opamp", "net_opamp"), ("diode_a21", "net_diode_a21"),
        ("l0_tile_0_0", "net_l0_tile_0_0"), ("*\n.end", "net____end"),
    ],
)  # fmt: skip
def test_a_subcircuit_has_a_legal_name_that_no_cell_has(plain, name, wanted):
    design = load_build(plain).design
    object.__setattr__(design, "name", name)
    assert symbol_name(design) == wanted and re.fullmatch(r"[a-z][a-z0-9_]*", wanted)


def test_an_input_that_leads_nowhere_keeps_its_pin(ngspice, tmp_path):
    spec = golden_spec("plain")
    spec.layers[0].theta[1] = 0
    build = write_verified(spec, Hardware(), tmp_path / "net.build", symbol=True)
    text = (build.folder / "symbol" / "plain.cir").read_text(encoding="utf-8")
    assert "* plain: plain as one subcircuit." in text
    assert "\n* Led to nothing inside: v1.\n" in text
    assert ports(build.folder, "plain") == ["v0", "v1", "v2", "y0", "y1"]
    deck, top = (solved(ngspice, build.folder / f) for f in ("network.cir", "symbol/top.cir"))
    assert top["v(logit_0)"] == pytest.approx(deck["v(logit_0)"], abs=1e-12)


def test_several_decks_are_no_symbol(tmp_path):
    sentence = (
        "clamp is compiled as circuits that are held between, and a symbol is of one: leave "
        "--symbol out, or without convolutions --held"
    )
    with pytest.raises(CompileError, match=f"^{escape(sentence)}$"):
        write_build(golden_spec("clamp"), Hardware(), tmp_path / "x", most=40, symbol=True)
    assert not (tmp_path / "x").exists()


def test_a_build_with_a_symbol_is_replaced_but_no_stranger_in_it(build):
    write_build(golden_spec("plain"), Hardware(), build, symbol=True)
    write_build(golden_spec("plain"), Hardware(), build)
    assert not (build / "symbol").exists()
    write_build(golden_spec("plain"), Hardware(), build, symbol=True)
    (build / "symbol" / "sheet.sch").write_text("mine", encoding="utf-8")
    with pytest.raises(CompileError, match=r"plain.build holds symbol/sheet.sch, which no compile"):
        write_build(golden_spec("plain"), Hardware(), build)


def test_a_deck_from_before_raw_files_is_verified(build):
    path = build / "network.cir"
    text = path.read_text(encoding="utf-8")
    assert "if $?rawfile\nwrite\nend\n" in text
    path.write_text(text.replace("if $?rawfile\nwrite\nend\n", ""), encoding="utf-8")
    summary = json.loads((build / "design.json").read_text(encoding="utf-8"))
    summary["files"]["network.cir"] = sha256(path)
    del summary["symbol"]
    (build / "design.json").write_text(json.dumps(summary), encoding="utf-8")
    shutil.rmtree(build / "symbol")
    for name in [name for name in summary["files"] if name.startswith("symbol/")]:
        del summary["files"][name]
    (build / "design.json").write_text(json.dumps(summary), encoding="utf-8")
    assert verify_build(load_build(build)).findings == []
