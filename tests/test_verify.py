"""verify: silent on what compile writes, and naming each kind of damage and its place."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analogkan.compiler.build import Build, load_build, write_build
from analogkan.compiler.design import save_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.spice_cells import write_cells
from analogkan.compiler.verify import verify_build
from analogkan.devices import IVCurve
from analogkan.dialects import NGSPICE
from analogkan.errors import CompileError, NetlistError
from analogkan.files import sha256
from analogkan.network.squash import NORMS, squash_names

from .networks import random_spec


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    spec = random_spec(21, (12, 6, 4), squash="clamp", norm="batch")
    folder = tmp_path_factory.mktemp("verify") / "net.build"
    write_build(spec, Hardware(tile_rows=8, tile_cols=8), folder)
    return folder


@pytest.fixture(scope="module", params=["sigmoid", "tanh"])
def bent(request, tmp_path_factory) -> Path:
    """A build with every other kind of cell: transistor pairs, LayerNorm, rails."""
    spec = random_spec(22, (5, 4, 3), squash=request.param, norm="layer")
    folder = tmp_path_factory.mktemp("verify") / "net.build"
    write_build(spec, Hardware(opamp="rails"), folder)
    return folder


@pytest.fixture
def folder(pristine, tmp_path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "net.build"))


def damage(folder: Path, file: str, pattern: str, replacement: str, count: int = 1) -> None:
    """Replace the first match of ``pattern`` in ``file``, which must have one."""
    path = folder / file
    text, done = re.subn(pattern, replacement, path.read_text(), count=count, flags=re.MULTILINE)
    assert done, f"{pattern} is not in {file}"
    path.write_text(text)


def findings_after(folder: Path, file: str, pattern: str, replacement: str, count: int = 1) -> str:
    """All findings after the first match of ``pattern`` in ``file`` was replaced."""
    damage(folder, file, pattern, replacement, count)
    found = verify_build(load_build(folder))
    assert not found.ok
    assert f"{file} was edited after it was compiled" in found.findings
    return "\n".join(found.findings)


@pytest.mark.parametrize("squash", squash_names())
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    "hardware", [{}, {"levels": 8}, {"opamp": "ideal", "tile_rows": 4}, {"opamp": "rails"}]
)
@pytest.mark.parametrize("sizes", [(1, 1), (7, 5, 3), (4, 5, 1, 3)])
def test_what_compile_writes_is_the_network(sizes, hardware, squash, norm, tmp_path):
    spec = random_spec(sum(sizes), sizes, squash=squash, norm=norm)
    build = write_build(spec, Hardware(**hardware), tmp_path / "b")
    found = verify_build(build)
    assert found.findings == []
    assert found.facts["crossbar_resistors"] == build.summary["elements"]["crossbar_resistors"]
    assert found.facts["op_amps"] == build.summary["elements"]["op_amps"]
    if not hardware.get("levels"):
        assert found.facts["max_coefficient_error"] < 1e-12


def sixth_digit(folder: Path) -> str:
    text = (folder / "layer0.cir").read_text()
    match = re.search(r"^r_i03_d1_o2_n i03_d1 o2_n (\d+\.\d+) cell$", text, re.MULTILINE)
    assert match
    return match[1]


def test_a_resistor_changed_in_the_sixth_digit(folder):
    ohms = sixth_digit(folder)
    digits = [k for k, c in enumerate(ohms) if c.isdigit()]
    k = digits[5]
    changed = ohms[:k] + str((int(ohms[k]) + 1) % 10) + ohms[k + 1 :]
    said = findings_after(
        folder,
        "layer0.cir",
        rf"^(r_i03_d1_o2_n i03_d1 o2_n ){re.escape(ohms)} ",
        rf"\g<1>{changed} ",
    )
    assert f"layer 0: resistor i03_d1 to o2_n is {float(changed)!r} ohm" in said


def test_two_lines_swapped_at_their_difference_amplifier(folder):
    said = findings_after(
        folder, "layer0.cir", r"^x_l0_y3_diff l0_o3_p l0_o3_n", "x_l0_y3_diff l0_o3_n l0_o3_p"
    )
    assert "layer 0: lines o3_p and o3_n are exchanged" in said


def test_two_rows_swapped_at_a_tile(folder):
    said = findings_after(
        folder,
        "layer0.cir",
        r"^(x_l0_tile_0_0\n\+ )l0_i00_d0 l0_i00_d1",
        r"\g<1>l0_i00_d1 l0_i00_d0",
    )
    assert "layer 0: resistor i00_d0 to o0_p is" in said
    assert "layer 0: resistor i00_d1 to" in said or "more like the last one" in said


def test_two_diodes_swapped(folder):
    path = folder / "layer0.cir"
    text = path.read_text()
    swap = {"diode_t0": "diode_t1", "diode_t1": "diode_t0"}
    text = re.sub(
        r"^(x_l0_i05_d\d_diode .* )(diode_t\d)$",
        lambda m: m[1] + swap[m[2]],
        text,
        flags=re.MULTILINE,
    )
    path.write_text(text)
    said = "\n".join(verify_build(load_build(folder)).findings)
    assert "layer 0: row amplifier of input 5, diode T0: feedback" in said
    assert "rows i05_d0 and i05_d1 are exchanged" in said


def test_a_diode_removed(folder):
    said = findings_after(folder, "layer0.cir", r"^x_l0_i07_d1_diode .*\n", "")
    assert "layer 0: input 7 (l0_v07): diode T1 is missing" in said


def test_a_diode_removed_behind_a_clamp(folder):
    said = findings_after(folder, "layer1.cir", r"^x_l1_i4_d0_diode .*\n", "")
    assert "layer 1: input 4 (l1_v4): diode T0 is missing" in said


def test_a_table_point_moved(folder, pristine):
    curve = load_build(pristine).spec.layers[0].curves[0]
    old = repr(float(curve.i[1]))
    said = findings_after(folder, "cells.cir", re.escape(old), repr(float(curve.i[1]) * 1.000001))
    assert f"diode_t0: point 2 is ({float(curve.v[1])!r} V, " in said
    assert f"the curve has ({float(curve.v[1])!r} V, {old} A)" in said


def test_a_tile_column_disconnected(folder):
    said = findings_after(
        folder, "layer0.cir", r"(^x_l0_tile_1_0\n(?:\+.*\n)*?\+.*)l0_o2_p_sum", r"\g<1>l0_nowhere"
    )
    assert "resistors" in said and "end on l0_nowhere, which no amplifier reads" in said
    assert "layer 0: line o2_p has no cell at 8 of its rows" in said


def test_a_clamp_bypassed(folder):
    said = findings_after(
        folder, "layer1.cir", r"^x_l1_v2 l0_y2 l1_v2 clamp .*$", "r_short l0_y2 l1_v2 1"
    )
    assert "layer 1: no clamp drives l1_v2" in said


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "sentence"),
    [
        ("layer0.cir", r"^x_l0_o1_n_tia .*\n", "", "no line amplifier drives the input l0_o1_n"),
        ("layer0.cir", r"(x_l0_o1_n_tia .* rf=)(\S+)", r"\g<1>1e3", "line amplifier l0_o1_n"),
        ("layer1.cir", r"(x_l1_i2_d1_amp .* rf=)\S+", r"\g<1>1e3", "row amplifier of input 2"),
        ("layer0.cir", r"(x_l0_y4_diff .* gain=)\S+", r"\g<1>2.5", "difference amplifier l0_y4"),
        ("layer0.cir", r"^(v_l0_b0 .* dc )\S+", r"\g<1>-0.4", "bias row l0_b0 is at -0.4 V"),
        ("layer1.cir", r"(x_l1_v1 .*) hi=\S+", r"\g<1> hi=1.1", "the clamp of l1_v1 limits to"),
        ("cells.cir", r"gain=100000\.0", "gain=5e4", "has gain 50000 or an offset"),
        ("cells.cir", r"e1 out 0 (.*)", r"e1 out off \1\nv1 off 0 dc 1e-3", "or an offset"),
        ("cells.cir", r"(e1 out 0 .*)", r"\1\ni1 inn 0 dc 1e-9", "draws 1e-09 A"),
        ("network.cir", r"^e_logit_2 logit_2 0 l1_y2", "e_logit_2 logit_2 0 l1_y1", "logit_2"),
        ("network.cir", r"temp=26.85 tnom", "temp=85 tnom", ".option temp is 85, not 26.85"),
        ("stimulus.cir", r"^(v_l0_v03 .* dc )\S+", r"\g<1>0.123", "input l0_v03 is at 0.123 V"),
        ("layer0.cir", r"\Z", "r_extra l0_i00_d0 l0_o0_p_sum 1e6\n", "several cells at 1 of"),
        ("layer0.cir", r"\Z", "r_lost a b 1e6\n", "net a has no DC path to ground"),
        ("layer0.cir", r"\Z", "r_bridge l0_o0_p_sum l0_o0_n_sum 1e6\n", "a resistor joins l0_o0_"),
    ],
)  # fmt: skip
def test_other_damage_is_named(folder, file, pattern, replacement, sentence):
    assert sentence in findings_after(folder, file, pattern, replacement)


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "sentence"),
    [
        (
            "layer1.cir",
            r"(x_l1_v2 l1_n2 l1_v2 \w+ k=)\S+",
            r"\g<1>0.03",
            "cell of l1_v2 has slope 1.16",
        ),
        (
            "layer1.cir",
            r"(x_l1_v2 .* (?:lo|mid)=)\S+",
            r"\g<1>0.1",
            "cell of l1_v2 starts from 0.1 V",
        ),
        ("layer1.cir", r"(x_l1_v2 .* rl=)\S+", r"\g<1>1e5", "cell of l1_v2 swings"),
        ("layer1.cir", r"(x_l1_v2 .* itail=)\S+", r"\g<1>2e-5", "cell of l1_v2 swings"),
        (
            "layer1.cir",
            r"x_l1_v2 l1_n2 l1_v2",
            "x_l1_v2 l1_n1 l1_v2",
            "of l1_v2 does not follow l1_n2",
        ),
        ("layer1.cir", r"^x_l1_v2 .*", "v_l1_v2 l1_v2 0 dc 0.5", "cell drives l1_v2"),
        ("layer1.cir", r"^(x_l1_ln .* eps=)\S+", r"\g<1>1e-3", "the LayerNorm's eps is 0.001, not"),
        ("layer1.cir", r"^x_l1_ln .*\n", "", "l1_rms has 0 cells that make it from l1_square"),
        ("layer1.cir", r"^x_l1_l0_y1_ln .*\n", "", "l0_y1 enters the LayerNorm 0 times"),
        ("layer1.cir", r"^(x_l1_l0_y1_ln .*)$", r"\1 r=5k", "averages with [5000.0, 10000.0] ohm"),
        (
            "layer1.cir",
            r"^(x_l1_l0_y1_ln .*)$",
            r"\1\nx_l1_b l1_v0 l1_mean l1_square layernorm_input",
            "l1_v0 enters the",
        ),
        (
            "layer1.cir",
            r"^(x_l1_n3_ln .* scale=)\S+",
            r"\g<1>1.0",
            "output l1_n3 has another scale",
        ),
        (
            "layer1.cir",
            r"^x_l1_n3_ln l0_y3",
            "x_l1_n3_ln l0_y2",
            "no LayerNorm output drives l1_n3",
        ),
        ("layer0.cir", r"(x_l0_i0_d0_amp .* cf=)\S+", r"\g<1>1e-15 ", "capacitors [1e-15] F, not"),
        ("layer0.cir", r"(x_l0_y1_diff .* vr=)\S+", r"\g<1>5", "is limited to (-5.0, 5.0)"),
        ("layer0.cir", r"\Z", "c1 l0_y0 0 1p\n", "capacitor c1 is across no feedback"),
        ("cells.cir", r"bf=100.0", "bf=200.0", "model npn is"),
        (
            "cells.cir",
            r"^(v1 base 0 dc) -1",
            r"\1 -0.9",
            "is not the library's: 'v1 base 0 dc -0.9'",
        ),
        ("cells.cir", r"^(b1 rms 0 v=1/sqrt.*)$", r"\1\nr9 rms 0 1k", "is not the library's: more"),
        ("network.cir", r"gmin=1e-18", "gmin=1e-12", ".option gmin is 1e-12, not 1e-18"),
    ],
)
def test_damage_to_pairs_norms_and_rails_is_named(
    bent, tmp_path, file, pattern, replacement, sentence
):
    folder = Path(shutil.copytree(bent, tmp_path / "net.build"))
    assert sentence in findings_after(folder, file, pattern, replacement)


def test_whole_numbers_in_hardware_are_as_good_as_others(tmp_path):
    hardware = Hardware(npn_bf=100, npn_vaf=50, v_fs=1, g_max=1)
    spec = random_spec(23, (4, 3, 2), squash="tanh")
    assert verify_build(write_build(spec, hardware, tmp_path / "net.build")).findings == []


def test_a_title_that_makes_ngspice_take_the_deck_for_a_script_is_refused(folder):
    damage(folder, "network.cir", r"\A\* .*", "*ng_script")
    with pytest.raises(NetlistError, match=r"network.cir:1: the first line is the title and must"):
        verify_build(load_build(folder))


def test_a_layer_fed_by_itself_is_a_loop_out_of_order(folder):
    said = findings_after(folder, "layer0.cir", r"^(x_l0_i00_d0_diode )l0_v00", r"\g<1>l0_y0")
    assert "of layer 0 drives x_l0_i00_d0_diode of layer 0" in said
    assert "the stages form a loop" in said


@pytest.mark.parametrize(
    ("file", "line", "sentence"),
    [
        ("layer0.cir", "l1 l0_v00 0 1p", "layer0.cir:.*'l1' does not belong in a compiled deck"),
        ("layer0.cir", "r1 l0_v00 0", "needs two nets and a value"),
        ("layer0.cir", "x1 l0_v00 0 nosuch", "no subcircuit 'nosuch'"),
        ("layer0.cir", "x1 l0_v00 tia", "tia has 2 ports"),
        ("network.cir", ".include ../other.cir", "lies outside the deck's folder"),
        ("network.cir", ".tran 1 2", ".tran does not belong in a compiled deck"),
        ("cells.cir", "b1 a 0 i=exp(v(a))", "neither a table nor a limiter"),
    ],
)
def test_a_line_it_cannot_read_is_refused_with_its_place(folder, file, line, sentence):
    path = folder / file
    path.write_text(f"* title\n{line}\n{path.read_text()}")
    with pytest.raises(NetlistError, match=sentence):
        verify_build(load_build(folder))


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"^\.model stretch.*\n", ".model stretch r(tc1=-0.0003 tc2=0.1)\n"),
        (r"^\.model stretch.*\n", ""),
        (r"^e1 drop 0 c a 1$", "e1 drop 0 a c 1"),
        (r"^e1 drop 0 c a 1$", "e1 drop 0 c a 1.1"),
        (r"^r1 drop 0 1 ", "r1 drop 0 2 "),
    ],
)
def test_a_voltage_that_is_divided_otherwise_is_not_read(folder, pattern, replacement):
    damage(folder, "cells.cir", pattern, replacement)
    with pytest.raises(NetlistError, match=r"pwl\(i\(e1\), .*: neither a table nor a limiter$"):
        verify_build(load_build(folder))


def test_a_deck_of_before_divides_in_an_expression_and_is_read(folder):
    path = folder / "cells.cir"
    text = write_cells(load_build(folder).one_deck().design, replace(NGSPICE, branches=False))
    assert "stretch" in path.read_text() and "stretch" not in text
    path.write_text(text)
    unhashed(folder)
    assert verify_build(load_build(folder)).findings == []


def test_a_build_of_another_model_is_refused(folder, tmp_path):
    other = write_build(random_spec(99, (12, 6, 4)), Hardware(), tmp_path / "other")
    shutil.copy(other.folder / "network.npz", folder / "network.npz")
    with pytest.raises(NetlistError, match=r"is another model than the one design.json describes"):
        load_build(folder)


def test_no_build_is_refused(tmp_path):
    with pytest.raises(NetlistError, match=r"is no BUILD folder \(no design.json\)"):
        load_build(tmp_path)


def test_a_build_reads_back_as_it_was_written(pristine):
    build = load_build(pristine)
    assert isinstance(build, Build)
    assert build.edited_files() == []


def unhashed(folder: Path) -> None:
    """Make design.json agree with the files as they are, as somebody hiding an edit would."""
    path = folder / "design.json"
    summary = json.loads(path.read_text())
    summary["files"] = {name: sha256(folder / name) for name in summary["files"]}
    path.write_text(json.dumps(summary))


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "sentence"),
    [
        ("network.cir", r"^\.control", ".option gmin=1\n.control", ".option gmin=1 is not one of"),
        ("cells.cir", r"(model cell r.tc1)=\S+", r"\1=0.002", "model cell is r(tc1=0.002 tc2=0.0)"),
        ("cells.cir", r"^.model feedback.*\n", "", "model feedback is missing, not r(tc1=0.0001"),
        ("cells.cir", r"r1 in out feedback r=", "r1 in out cell r=", "not of the model feedback"),
        ("cells.cir", r"^(r2 inn out \{r.gain\})", r"\1 cell", "the model that has no drift"),
        ("layer0.cir", r"^(r_i00_d0_o0_p .*) cell$", r"\1", "r_i00_d0_o0_p is of the model ''"),
        ("layer0.cir", r"^(x_l0_i00_d0_amp .*)$", r"\1 vos=1e-3", "x_l0_i00_d0_amp has vos=0.001"),
        ("layer0.cir", r"^(x_l0_y1_diff .*)$", r"\1 a=0.5", "x_l0_y1_diff has a=0.5, which a nom"),
        ("cells.cir", r"i=\(1-0.001", "i=(1-0.0011", "diode_t0: its weight is 1.11"),
        ("cells.cir", r"h r\(tc1=-", "h r(tc1=", "diode_t0: the scale of its voltages is 0.9"),
        ("cells.cir", r"h r\(tc1=-", "h r(tc1=", "model stretch is r(tc1=0.0003 tc2=0.0), not"),
        ("cells.cir", r"^r1 drop 0 1 stretch", "r1 drop 0 1 cell", "the scale of its voltages is"),
        ("cells.cir", r"pwl\(i\(e1\)", "pwl(v(drop)", "is not controlled by its own voltage"),
        ("cells.cir", r"^(\.ends diode_t0)", r"r9 drop 0 1\n\1", "which no amplifier reads"),
        ("cells.cir", r"i=\(1-0.001", "i=(1-0.001*v(a)+0.001", "diode_t0: cannot evaluate"),
        ("cells.cir", r"\Z", ".control\nalter v_l0_b0 = -5\n.endc\n", "image 0: alter v_l0_b0"),
        ("cells.cir", r"^(\.ends diff_amp)", r"r9 inn out 5k\n\1", "resistors in all in the deck"),
        ("cells.cir", r"^(\.ends tia)", r"v9 in 0 dc 0\n\1", "is no bias row"),
        ("cells.cir", r"^(\.ends tia)", r"e9 in 0 out 0 0.1\n\1", "op-amps in the deck"),
        ("cells.cir", r"^(b1 out) 0 (v=min)", r"\1 in \2", "is not referred to ground"),
        ("layer0.cir", r"\Z", "r_evil l0_o0_p l0_i02_d0_sum 1e4\n", "crossbar resistors in"),
        ("layer0.cir", r"(x_l0_i02_d0_amp) l0_i02_d0_sum", r"\1 gnd", "theta[2, "),
        ("network.cir", r"^op$", "set temp=85\nop", "run and print image 0: set temp"),
        ("network.cir", r"^(.include stim.*)\n((?s:.*)\nop)", r"\2\n\1", "image 0: .include"),
        ("cells.cir", r"^(\.ends tia)", r"r9 in 0 1e9\n\1", "resistors in all in the deck"),
        ("cells.cir", r"^(\.ends tia)", r"b9 out 0 v=pwl(v(in), 0, 0, 1, 1)\n\1", "voltage table"),
        ("cells.cir", r"^(\.ends diode_t0)", r"r9 a c 1e9\n\1", "which no amplifier reads"),
        ("layer0.cir", r"\Z", "v_extra l0_i00_d0 0 dc 0.1\n", "source at l0_i00_d0 is no bias row"),
        ("layer0.cir", r"\Z", "e_extra l0_y0 0 l0_y1 0 1\n", "l0_y0 is no read-out of the design"),
        ("layer0.cir", r"\Z", "e_extra l0_q 0 0 l0_y1 1e6\n", "e_extra is not referred"),
        ("cells.cir", r"i=(\(1.*\))\*pwl", r"i=min\1*pwl", "cannot evaluate 'min(1-0.001*"),
        ("cells.cir", r"i=\(1(.*)\)\*pwl", r"i=(1\1+max(0,min(temper-50,60-temper)))*pwl", "follo"),
        ("cells.cir", r"i=\(1(.*)\)\*pwl", r"i=(1\1+0*min(1,2,))*pwl", "follows temperature other"),
        ("cells.cir", r"temper-26\.85", "temper-0x1a", "cannot evaluate '(1-0.001*(temper-0x1a))'"),
        ("network.cir", r"^e_logit_0( .*)$", r"e_logit_0\1\ne_extra\1", "two read-outs drive logi"),
        ("cells.cir", r"^(\.ends diode_t0)", r"b2 a c i=pwl(v(a,c), 0, 0, 1, 0)\n\1", "is not one"),
        ("cells.cir", r"^(\.subckt tia .*) a=1", r"\1 a=0.5", "cell tia is not the library's: 'in"),
        ("cells.cir", r"^x1 inp inn out opamp_gain", "x1 inn inp out opamp_gain", "not one of the"),
        ("layer0.cir", r"\Z", ".subckt odd a b\nr1 a b 1\nc1 a b 1\n.ends\n", "odd is no cell of"),
    ],
)  # fmt: skip
def test_damage_is_found_without_the_recorded_hashes(folder, file, pattern, replacement, sentence):
    damage(folder, file, pattern, replacement)
    unhashed(folder)
    found = verify_build(load_build(folder))
    assert sentence in "\n".join(found.findings)


THERMAL = IVCurve(
    "T0",
    np.array([0.0, 0.2, 0.5, 0.9]),
    np.array([0.0, 2e-6, 1e-6, 3e-6]),
    temperatures=(
        (0.0, np.array([0.0, 1e-6, 2e-6, 3e-6])),
        (25.0, np.array([0.0, 2e-6, 1e-6, 3e-6])),
        (90.0, np.array([0.0, 3e-6, 1e-6, 4e-6])),
    ),
)


@pytest.mark.parametrize(
    ("pattern", "replacement", "sentence"),
    [
        (r"2e-06, 0\.5, 1e-06", "2e-06, 0.5, 1.1e-06", "diode_t0 at 26.85 degC: point 3 is (0.5 V"),
        (r"/26\.85", "/26.95", "diode_t0 at 0 degC: its weight is"),
        (r"\(90\.0-temper\)", "(91.0-temper)", "diode_t0 at 26.85 degC: its weight is"),
        (r" \+max\(0,min\((?s:.*?)\n(?=\.ends diode_t0)", "\n", "the sum of 1 tables, not of 3"),
    ],
)
def test_tables_at_other_temperatures_are_verified(tmp_path, pattern, replacement, sentence):
    spec = random_spec(7, (4, 3), curves=(THERMAL,))
    folder = tmp_path / "net.build"
    build = write_build(spec, Hardware(diode_law="tables"), folder)
    assert verify_build(build).findings == []
    damage(folder, "cells.cir", pattern, replacement)
    unhashed(folder)
    assert sentence in "\n".join(verify_build(load_build(folder)).findings)


@pytest.mark.parametrize("opamp", ["linear", "rails"])
@pytest.mark.parametrize(
    "wires",
    [
        {"wires": "reduced"},
        {"wires": "explicit"},
        {"wires": "reduced", "r_driver": 50.0},
        {"wires": "explicit", "r_driver": 50.0},
        {"wires": "reduced", "wire_tc1": 1e-3},
    ],
)
def test_wires_are_verified_by_elimination(tmp_path, wires, opamp):
    spec = random_spec(7, (9, 5, 4), squash="sigmoid", norm="layer")
    hardware = Hardware(r_wire=3.0, tile_rows=8, tile_cols=4, opamp=opamp, **wires)
    build = write_build(spec, hardware, tmp_path / "net.build")
    found = verify_build(build)
    assert found.findings == []
    assert found.facts["max_coefficient_error"] < 1e-12


@pytest.mark.parametrize(
    ("how", "pattern", "replacement", "sentence"),
    [
        ("reduced", r"^(r_i3_d1_o2_n i3_d1 o2_n) \S+$", r"\1 1e6", "i3_d1 to o2_n is 1000000"),
        ("reduced", r"^r_l0_feet_o0_p_o0_n.*\n", "", "the feet of o0_p and o0_n there are 0 S"),
        ("explicit", r"^(r_i3_d1_o2_n .*) \S+ cell$", r"\1 1e6 cell", "resistor i3_d1 to o2_n is"),
        ("explicit", r"^(r_w_i3_d1_o1_p \S+ \S+) 3.0", r"\1 4.0", "resistor i3_d1 to o1_p is"),
        ("explicit", r"^(r_w_i3_d1_o1_p .*) 3.0", r"\1 3.000003", "a segment has 3.0"),
        ("explicit", r"^(r_w_i3_d1_o1_p .*) wire", r"\1 cell", "have wires that lead to no port"),
        ("explicit", r"^(r_w_i3_d1_o1_p .*) wire", r"\1", "is of the model '', not 'cell'"),
        ("explicit", r"^(r_i3_d1_o2_n .*) (\S+) cell", r"\1 1\2 cell", "resistor i3_d1 to o2_n is"),
        ("reduced", r"^(r_l0_feet_o0_p_o0_n .*)$", r"\1 cell", "is of the model 'cell', not ''"),
        ("reduced", r"^(r_i3_d1_o2_n .*)$", r"\1 cell", "is of the model 'cell', not ''"),
        ("driven", r"^(r_l0_i3_d1_driver .*) 50.0", r"\1 50.00005", "a driver has 50.0"),
        ("driven", r"^(r_l0_i3_d1_driver .*)$", r"\1 feedback", "is of the model 'feedback', not "),
        ("driven", r"\Z", "r_join l0_i3_d1 l0_i3_d0_entry 50.0\n", "wires join l0_i3_d"),
        ("explicit", r"^(r_c_i1_d0_o1_n \S+ \S+) 3.0", r"\1 2.0", "between the feet of o"),
        ("explicit", r"^r_c_i3_d1_o1_n .*\n", "", "line o1_n has no cell"),
    ],
)  # fmt: skip
def test_damage_to_wires_is_named(tmp_path, how, pattern, replacement, sentence):
    folder = tmp_path / "net.build"
    wires = {"driven": {"wires": "explicit", "r_driver": 50.0}}.get(how, {"wires": how})
    hardware = Hardware(r_wire=3.0, tile_rows=8, tile_cols=8, **wires)
    write_build(random_spec(7, (4, 3)), hardware, folder)
    damage(folder, "layer0.cir", pattern, replacement)
    unhashed(folder)
    assert sentence in "\n".join(verify_build(load_build(folder)).findings)


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "sentence"),
    [
        ("network.cir", r"\A\*.*\n(?:\*.*\n)*", "r_x a b 1\n", "the first line is the title"),
        ("cells.cir", r"(r1 in out feedback r=\{rf\})", r"\1 tc1=0.1", "needs two nets and a"),
        ("cells.cir", r"(e1 .*\{gain\})", r"\1 tc1=0.1", "needs four nets and a gain"),
        ("layer0.cir", r"(v_l0_b0 .*)dc", r"\1ac", "needs two nets, dc and a value"),
        ("cells.cir", r"^(r1 in out)", r".include x.cir\n\1", ".include inside subcircuit row_amp"),
        ("cells.cir", r"^(\.subckt tia )", r".subckt tia a b\n.ends\n\1", "name of its own"),
        ("layer0.cir", r"^(r_i00_d0_o0_p .*) cell$", r"\1mil cell", "is no number"),
        ("layer0.cir", r"^(r_i00_d0_o0_p .*) \d", r"\1 1_0", "is no number"),
        ("layer0.cir", r"^(r_i00_d0_o0_p .*) cell$", r"\1a cell", "is no number"),
        ("layer0.cir", r"^(v_l0_b0 .*)$", r"\1 dc -0.4", "needs two nets, dc and a value"),
        ("layer0.cir", r"\Z", ".end\nr_evil l0_o0_p_sum l0_y1 1000\n", ".end does not belong"),
        ("network.cir", r"\Z", "r_evil l0_o0_p_sum l0_y1 1000\n", "something follows .end"),
        ("layer0.cir", r"^(r_i00_d0_o0_p )", "* \x0c\\1", "a control character"),
        ("cells.cir", r"\A", "*# alter v_l0_b0 = -5\n", "a hidden command"),
        ("network.cir", r"^\.control", ".option temp=85\n.control", "option temp a second time"),
        ("layer0.cir", r"^(r_i00_d0_o0_p .*) \S+ cell$", r"\1 -5e4 cell", "has -50000 ohm: the le"),
        ("layer0.cir", r"^(r_i00_d0_o0_p .*) \S+ cell$", r"\1 0.0 cell", "has 0 ohm: the least is"),
        ("layer0.cir", r"^(r_i00_d0_o0_p .*) cell$", r"\1 0", "needs two nets and a value, and ma"),
        ("layer0.cir", r"^(r_i00_d0_o0_p .*) cell$", r"\1 1e30", "needs two nets and a value, and"),
        ("layer0.cir", r"^(r_i00_d0_o0_p .*) cell$", r"\1 cell m=2", "needs two nets and a value"),
        ("layer0.cir", r"^(r_i00_d0_o0_p .*)$", r"\1\n\1", "a second r_i00_d0_o0_p"),
        ("layer0.cir", r"^(v_l0_b0 .*)$", r"\1\n\1", "a second v_l0_b0"),
        ("network.cir", r"^(e_logit_0 .*)$", r"\1\n\1", "a second e_logit_0"),
        ("cells.cir", r"^(\.ends tia)$", r"\1\n\1", ".ends does not belong in a compiled deck"),
        ("cells.cir", r"^\.ends tia$", ".ends row_amp", "ends another subcircuit than tia"),
        ("layer0.cir", r"\Z", ".subckt a b c\nr1 b c 1\n", "layer0.cir: .subckt a has no end"),
        ("network.cir", r"^\.endc\n\.end\n", "", "network.cir: .control has no end"),
        ("layer0.cir", r"^(x_l0_i00_d0_amp) ", r"\1 rf=1 ", "is no key=value, which all that foll"),
        ("layer0.cir", r"^(x_l0_i00_d0_amp .*)$", r"\1 rf=1", "rf twice"),
        ("layer0.cir", r"v_l0_b0 l0_b0", "v,_l0_b0 l0_b0", "'v,_l0_b0' is no name of a-z, 0-9 and"),
        ("stimulus.cir", r"v_l0_v00 l0_v00", "v_l0_v00 v_l0_,0", "'v_l0_,0' is no name of a-z"),
        ("layer0.cir", r"l0_i00_d0_sum diode", "x_l0_i00_d0_amp.x1.inn diode", "is no name of a-z"),
        ("layer0.cir", r"^(v_l0_b0 .*)$", r"\1 ; x", "a character that ngspice folds or"),
        ("layer0.cir", r"^v_l0_b0", "V_l0_b0", "a character that ngspice folds or"),
        ("layer0.cir", r"^(r_i00_d0_o0_p \S+ \S+) \S+", r"\1 1e3k", "'1e3k' is no number"),
        ("layer0.cir", r"^(r_i00_d0_o0_p \S+ \S+) \S+", r"\1 1e400", "'1e400' is no finite number"),
        ("layer0.cir", r"^(\* Rows.*)$", "\\1\n+ 1", "a continuation of nothing"),
        ("layer0.cir", r"^(\* Rows.*)$", "\\1\rr_x a b 1", "a control character"),
        ("layer0.cir", r"^(v_l0_b0)", r" \1", "a blank at the start or the end of 'v_l0_b0"),
        ("network.cir", r"^\.include stim", ".include\n+ stim", "a continuation of nothing, or of"),
        ("cells.cir", r"1\.0, 0\.0,", "1.0, 0 .0,", "a blank between '0' and '.0,'"),
        ("layer0.cir", r"^(r_i00_d0_o0_p \S+ \S+) (\S+)", r"\1 {min(\2)}", "resistors alone, and "),
        ("layer0.cir", r"^(r_i00_d0_o0_p \S+ \S+) (\S+)", r"\1 {\2}", "resistors alone, and an ex"),
        ("layer0.cir", r"^(x_l0_i00_d0_amp .*) rf=(\S+)", r"\1 rf={min(\2)}", "an expression outs"),
        ("layer0.cir", r"\Z", "r_x l0_o0_p_sum l0_o0_n_sum {1e9}\n", "an expression outside a cel"),
        ("cells.cir", r"\{rf\}$", "{rf#}", "a character that ngspice folds or splits at"),
        ("cells.cir", r"\{rf\}$", "{rf", "is no expression in braces"),
        ("cells.cir", r"\{rf\}$", "{rf}*2", "is no expression in braces"),
        ("cells.cir", r"\{rf\}$", "{rf*}", "is no expression"),
        ("layer0.cir", r"^(x_l0_i00_d0_amp .*)$", r"\1 m=2", "row_amp has 2 ports"),
    ],
)  # fmt: skip
def test_what_ngspice_would_read_otherwise_is_refused(folder, file, pattern, replacement, sentence):
    damage(folder, file, pattern, replacement)
    with pytest.raises(NetlistError, match=re.escape(sentence)):
        verify_build(load_build(folder))


def test_a_negative_resistor_is_refused_where_levels_and_wires_widen_what_is_allowed(tmp_path):
    wired = Hardware(r_wire=2.0), Hardware(r_wire=2.0, wires="explicit")
    for k, hardware in enumerate((Hardware(levels=4), *wired)):
        folder = tmp_path / f"{k}.build"
        write_build(random_spec(7, (4, 3)), hardware, folder)
        damage(folder, "layer0.cir", r"^(r_i3_d1_o2_n \S+ \S+) (\S+)", r"\1 -\2")
        unhashed(folder)
        with pytest.raises(NetlistError, match=r"r_i3_d1_o2_n has -\d+ ohm: the least"):
            verify_build(load_build(folder))


@pytest.mark.parametrize("line", ["r_w_i3_d0_o1_p", "r_c_i3_d0_o1_p", "r_i3_d0_o1_p"])
def test_a_segment_that_is_gone_is_a_finding(tmp_path, line):
    folder = tmp_path / "net.build"
    write_build(random_spec(7, (4, 3)), Hardware(r_wire=3.0, wires="explicit"), folder)
    damage(folder, "layer0.cir", rf"^{line} .*\n", "")
    unhashed(folder)
    found = verify_build(load_build(folder))
    assert any("i3_d0" in said or "o1_p" in said for said in found.findings)


def test_wires_that_float_are_a_finding(tmp_path):
    """Their matrix has no inverse; that was a traceback."""
    folder = tmp_path / "net.build"
    write_build(random_spec(7, (4, 3)), Hardware(r_wire=3.0, wires="explicit"), folder)
    damage(
        folder, "layer0.cir", r"\Z", "r_f1 aa bb 3.0 wire\nr_f2 bb cc 3.0 wire\nr_f3 aa cc 3.0\n"
    )
    unhashed(folder)
    said = "\n".join(verify_build(load_build(folder)).findings)
    assert "net aa has no DC path to ground" in said
    assert "resistor r_f1 is of the model 'wire', not ''" in said


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sizes", [1, 2]),
        ("hardware", {"g_max": 1.0}),
        ("hardware", {"opamp": "rails"}),
        ("elements", {"diodes": 1}),
        ("volts_per_logit", 2.0),
        ("image0_software_logits", [0.0, 0.0, 0.0, 0.0]),
        ("stages", []),
    ],
)
def test_design_json_says_what_the_circuit_is(folder, key, value):
    path = folder / "design.json"
    summary = json.loads(path.read_text())
    summary[key] = summary[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(summary))
    found = verify_build(load_build(folder))
    assert found.findings == [f"design.json: {key} is not what the circuit says"]


def test_a_design_for_other_hardware_is_named(folder, tmp_path):
    """Deck and design agree, but chips would be drawn for another conductance range."""
    build = load_build(folder)
    hardware = replace(build.hardware, g_max=1.0)
    save_design(replace(build.design, hardware=hardware), folder / "design.npz")
    unhashed(folder)
    said = "\n".join(verify_build(load_build(folder)).findings)
    assert "layer 0: g of design.npz is not what the network makes of its hardware" in said
    assert "design.json: hardware is not what the circuit says" in said


def test_a_file_that_design_json_does_not_list_counts_as_edited(folder):
    path = folder / "design.json"
    summary = json.loads(path.read_text())
    path.write_text(json.dumps(summary | {"files": {}}))
    assert "layer0.cir" in load_build(folder).edited_files()


def test_a_deck_that_includes_another_file_than_simulate_runs_is_named(folder):
    shutil.copy(folder / "layer0.cir", folder / "Good.cir")
    path = folder / "network.cir"
    path.write_text(path.read_text().replace("include layer0.cir", "include Good.cir"))
    unhashed(folder)
    said = "\n".join(verify_build(load_build(folder)).findings)
    assert "the deck includes cells.cir, Good.cir, layer1.cir, stimulus.cir, not just its" in said


def test_a_start_up_file_beside_the_deck_is_named(folder):
    (folder / ".spiceinit").write_text("option rshunt=100\n")
    assert (
        ".spiceinit would change what plain ngspice does"
        in verify_build(load_build(folder)).findings[0]
    )


@pytest.mark.parametrize("settings", [{"headroom": 0.001}, {"opamp_gain": 10}])
def test_odd_but_allowed_hardware_still_verifies(settings, tmp_path):
    """A read-out of large gain is not an op-amp; an op-amp of small gain is one."""
    build = write_build(random_spec(4, (5, 4, 3)), Hardware(**settings), tmp_path / "b")
    assert verify_build(build).findings == []


@pytest.mark.parametrize(
    "damage",
    [{"files": None}, {"files": ["a"]}, {"model": {"fingerprint": None}}],
)
def test_a_damaged_design_json_is_refused(folder, damage):
    path = folder / "design.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(NetlistError, match=r"is damaged|is another model"):
        load_build(folder)


def test_a_folder_with_anything_of_somebody_elses_is_not_replaced(folder):
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(CompileError, match=r"holds notes.txt, which no compile wrote"):
        write_build(random_spec(4), Hardware(), folder)
    assert (folder / "notes.txt").read_text() == "mine"
