"""Diodes on a board: poles, Nyquist's criterion and .tran agree, what cannot hold is refused."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from re import escape

import numpy as np
import pytest

from analogkan import resources
from analogkan.board import bench, shunts
from analogkan.board.amplifiers import BoardOpAmp, load_opamp, opamp_classes
from analogkan.board.bench import KICK, kick, steeper
from analogkan.board.feedback import SERIES, choose_c_f, judge_c_f, with_c_f
from analogkan.board.loop import Node, Row
from analogkan.board.parasitics import Parasitics
from analogkan.board.stability import check_rows
from analogkan.compiler.design import Design, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.stability import RATIO, smallest_c_f, steepest_fall
from analogkan.devices import IVCurve, get, resolve
from analogkan.errors import CompileError, SettingsError

from .networks import random_spec

FALL, R_F = 16e-3, 560.0
MEASURED = get("AI301A")
CURVE = steeper(MEASURED, FALL / steepest_fall(MEASURED, -math.inf, math.inf))
"""The measured diode, its steepest part at the 16 mS that it was given."""
MIDDLE = float(CURVE.v[8:10].mean())
"""Of that part, volts."""
BARE = Parasitics(snubber_r=0, snubber_c=0)
BEHIND_A_SOURCE = replace(BARE, ideal_driver=True)
SNUBBED = Parasitics(snubber_r=2, snubber_c=2e-9)
BOARD = Hardware(v_rail=5.0, v_fs=1.0, g_min=10e-6, g_max=1e-3)


def one_pole(opamp: BoardOpAmp) -> float:
    return RATIO * smallest_c_f(FALL, R_F, opamp.gbw)


def node(opamp: str | BoardOpAmp, parasitics: Parasitics, c_f: float = 0.0) -> Node:
    """A node of one diode; without a ``c_f`` it has that of the one-pole rule."""
    of = load_opamp(opamp) if isinstance(opamp, str) else opamp
    row = Row(curve=CURVE, r_f=R_F, c_f=c_f or one_pole(of))
    return Node(opamp=of, parasitics=parasitics, rows=(row,))


def growth(of: Node, slope: float = -FALL) -> float:
    """Largest real part of its poles, 1/s."""
    return float(of.poles(np.array([[slope]])).real.max())


def shunt_said(ohms: int, milliamperes: float) -> str:
    """What a sentence says of the shunt that would hold the diode of ``design``."""
    return (
        f"a shunt of {ohms} ohm across each diode, the largest E12 value that holds: measure, "
        f"import and train with it, then give --shunt {ohms}; it adds {milliamperes:g} mA at 0.693 "
        "V, where the table ends"
    )


@pytest.fixture(scope="module")
def design() -> Design:
    """Of two layers, each with one device type."""
    return build_design(random_spec(3, (1, 2, 1), curves=resolve("AI301A")), BOARD)


def test_the_one_pole_rule_at_milliamperes():
    falls = [RATIO * smallest_c_f(FALL, R_F, gbw) for gbw in (4e6, 10e6, 50e6)]
    np.testing.assert_allclose(falls, [1.7e-9, 680e-12, 136e-12], rtol=0.01)


@pytest.mark.parametrize(
    ("opamp", "parasitics", "still"),
    [
        ("tl07x", BEHIND_A_SOURCE, False),
        ("tl07x", replace(SNUBBED, shunt=47), True),
        ("10mhz-100ohm", BEHIND_A_SOURCE, False),
        ("10mhz-30ohm", BEHIND_A_SOURCE, True),
        ("50mhz-30ohm", BEHIND_A_SOURCE, True),
        ("50mhz-30ohm", BARE, False),
        ("50mhz-30ohm", replace(SNUBBED, snubber_r=22, snubber_c=1e-9), True),
        ("50mhz-30ohm", SNUBBED, True),
    ],
)
def test_circuits_that_pass_the_one_pole_rule_are_still_or_not_in_tran_as_their_poles_say(
    opamp, parasitics, still
):
    of = node(opamp, parasitics)
    (swing,) = kick(of, MIDDLE)
    assert (growth(of) < 0) == swing.settled == still
    if still:
        assert swing.mean == pytest.approx(swing.wanted, rel=1e-3)
    else:
        assert swing.diode > 40e-3


def test_the_output_hides_what_the_diode_does():
    """A lead of 15 nH is too long for a stiff op-amp: a few hundred MHz that a C_f shorts."""
    stiff = replace(load_opamp("10mhz-30ohm"), r_o=0.1)
    (swing,) = kick(node(stiff, replace(BEHIND_A_SOURCE, lead=15e-9)), MIDDLE)
    assert swing.diode > 0.15
    assert swing.output < 2e-3
    assert abs(swing.mean / swing.wanted - 1) > 0.14


def random_node(rng: np.random.Generator) -> Node:
    """Something between what holds and what does not, of one or two diodes."""
    gbw = float(10 ** rng.uniform(6.8, 8.3))
    opamp = replace(
        load_opamp("50mhz-30ohm"),
        gbw=gbw,
        p2=gbw * float(rng.uniform(1.5, 4)),
        r_o=float(10 ** rng.uniform(0, 2)),
    )
    snubbed = bool(rng.integers(2))
    parasitics = Parasitics(
        c_j=float(10 ** rng.uniform(-11.3, -10.3)),
        r_s=float(rng.uniform(0.5, 5)),
        lead=float(10 ** rng.uniform(-8.7, -7.5)),
        snubber_r=float(rng.uniform(1, 30)) if snubbed else 0.0,
        snubber_c=float(10 ** rng.uniform(-9.5, -8.5)) if snubbed else 0.0,
        ideal_driver=bool(rng.integers(2)),
    )
    c_f = one_pole(opamp) * float(10 ** rng.uniform(-0.5, 0.3))
    curves = [CURVE, IVCurve("LESS", CURVE.v, 0.4 * CURVE.i)][: int(rng.integers(1, 3))]
    rows = [Row(curve=c, r_f=R_F * CURVE.i_peak / c.i_peak, c_f=c_f) for c in curves]
    return Node(
        opamp=opamp,
        parasitics=parasitics,
        rows=tuple(rows),
        noise_gain=float(rng.uniform(1, 3)),
    )


STEEP = np.flatnonzero(np.diff(CURVE.i) / np.diff(CURVE.v) < -4e-3)
"""Segments on which nodes like these may go either way."""


def verdicts(seed: int, count: int) -> np.ndarray:
    """Of random nodes on a steep fall the growth of their fastest pole over the time watched, and
    whether ``.tran`` says that they settle: (count, 2)."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        of, k, scale = random_node(rng), int(rng.choice(STEEP)), float(10 ** rng.uniform(-0.2, 0.4))
        swings = kick(of, float(CURVE.v[k : k + 2].mean()) / scale, scale)
        slopes = np.array([[swing.slope for swing in swings]])
        growth = float(of.poles(slopes).real.max()) * swings[0].seconds
        found.append((growth, all(swing.settled for swing in swings)))
    return np.array(found)


def check_verdicts(found: np.ndarray) -> None:
    """Verdicts agree but where a pole hardly moves in the time watched, which are few."""
    growth, settled = found[:, 0], found[:, 1] == 1
    sure = np.abs(growth) > 5
    np.testing.assert_array_equal(settled[sure], growth[sure] < 0)
    assert sure.mean() > 0.9
    assert 0.2 < settled.mean() < 0.8


def test_poles_and_tran_agree_on_random_nodes():
    check_verdicts(verdicts(0, 4))


@pytest.mark.campaign
def test_poles_and_tran_agree_on_150_random_nodes():
    check_verdicts(verdicts(1, 150))


def encirclements(z: np.ndarray, point: float) -> int:
    """How often Z(jw), w from -inf to inf, goes round a point of the real axis, clockwise."""
    turned = np.unwrap(np.angle(z - point))
    return -round((turned[-1] - turned[0]) / math.pi)


def test_nyquists_criterion_counts_the_poles_that_grow():
    """1 - |g| Z has as many zeros on the right as Z(jw) goes round 1 / |g|."""
    rng, seen = np.random.default_rng(4), set()
    frequencies = np.geomspace(1e2, 1e11, 4001)
    for _ in range(20):
        of = random_node(rng)
        flat = np.zeros((1, len(of.rows)))
        if of.poles(flat).real.max() > 0:
            continue
        slopes = flat.copy()
        slopes[0, 0] = -FALL * rng.uniform(0.3, 3)
        growing = int((of.poles(slopes).real > 0).sum())
        seen.add(growing)
        z = of.impedance(0, frequencies, flat[0])
        assert encirclements(z, -1 / float(of.junction_slopes(slopes)[0, 0])) == growing
    assert seen >= {0, 2, 4}


def test_the_chosen_capacitor_is_the_one_that_stands_the_steepest_slopes():
    of = node("50mhz-30ohm", SNUBBED)
    chosen = choose_c_f([of], 0)
    assert chosen.c_f in SERIES
    assert chosen.slope_margin >= 1.3
    for c_f in SERIES:
        assert judge_c_f(with_c_f(of, 0, c_f), 0).slope_margin <= chosen.slope_margin
    held = with_c_f(of, 0, chosen.c_f)
    assert growth(held, -FALL * chosen.slope_margin) < 0
    assert chosen.slope_margin == 4 or growth(held, -FALL * (chosen.slope_margin + 0.05)) > 0


def test_the_slope_margin_is_sharp():
    """A tenth below it ``.tran`` settles, a tenth above it swings."""
    of = node("50mhz-30ohm", SNUBBED)
    chosen = choose_c_f([of], 0)
    of = with_c_f(of, 0, chosen.c_f)
    for part, still in ((0.9, True), (1.1, False)):
        scale = part * chosen.slope_margin
        (swing,) = kick(of, MIDDLE / scale, scale)
        assert swing.settled == still


def test_a_design_holds_with_a_class_that_is_fast_and_stiff_enough(design):
    found = check_rows(replace(design, stages=design.stages[:1]), load_opamp("200mhz-10ohm"))
    (row,) = found.rows
    assert (row.layer, row.device, row.fall) == (0, "AI301A", pytest.approx(14.775e-3, rel=1e-4))
    assert row.r_f == pytest.approx(1 / MEASURED.i_peak)
    assert row.slope_margin >= 1.3
    assert row.damping > 0.1
    assert row.swing < 0.2 * KICK
    assert {swing.scale for swing in row.swings} == {0.7, 1.0, 1.3}
    assert len(row.swings) == 5
    assert all(swing.slope < 0 for swing in row.swings)
    document = found.to_document()
    assert document["opamp"] == asdict(found.opamp)
    assert document["rows"][0]["swings"][0]["device"] == "AI301A"
    assert len(found.facts().rows) == 1
    assert found.sentences()[0].startswith("Op-amps 200mhz-10ohm: assumed, of the class of")
    pictures = {figure.name: figure.draw() for figure in found.figures()}
    assert list(pictures) == ["nyquist-l0-ai301a", "kick-l0-ai301a"]


def test_a_shunt_is_part_of_what_was_measured():
    """The diode is judged without it, as if it were none of the table's."""
    used = CURVE.v < 0.3  # volts, where an op-amp of 10 mA carries both
    v, i = CURVE.v[used], CURVE.i[used]
    both = IVCurve("AI301A", v, i + v / 47)
    within = build_design(random_spec(3, (1, 2, 1), curves=[both]), BOARD)
    found = check_rows(within, load_opamp("tl07x"), Parasitics(shunt=47.0), judge=False)
    assert found.sentences()[-1] == (
        "Across each diode are 47 ohm, a shunt that is in the tables as they were measured: what "
        "must stay put is the table less v / R."
    )
    assert found.rows[0].swings == ()
    assert found.rows[0].fall == pytest.approx(FALL)
    assert found.rows[0].r_f == pytest.approx(1 / both.i_peak, rel=0.02)


@pytest.mark.parametrize(
    ("judge", "holds", "too_large", "adds"),
    [
        (False, 270, 330, "1.25 mA at 0.337 V"),
        pytest.param(True, 220, 270, "1.53 mA at 0.337 V", marks=pytest.mark.slow),
    ],
)
def test_the_shunt_that_a_refusal_names_is_the_largest_that_holds(judge, holds, too_large, adds):
    """A diode of 1 mA and 6 mS: with the value named a circuit passes."""
    used = MEASURED.v < 0.45  # volts
    v, i = MEASURED.v[used], MEASURED.i[used]
    scale = 6.05e-3 / steepest_fall(MEASURED, 0.0, 0.45)
    alone, opamp = IVCurve("ONE", v, scale * i), load_opamp("tl07x")
    with pytest.raises(CompileError, match=rf"or a shunt of {holds} ohm across each diode"):
        check_rows(_one_row(alone), opamp, judge=judge)
    both = {ohms: _one_row(IVCurve("ONE", v, alone.i + v / ohms)) for ohms in (holds, too_large)}
    assert check_rows(both[holds], opamp, Parasitics(shunt=holds), judge=judge).rows
    sentence = f"then give --shunt {holds}; it adds {adds}, where the table ends"
    with pytest.raises(CompileError, match=f"{escape(sentence)}$"):
        check_rows(both[too_large], opamp, Parasitics(shunt=too_large), judge=judge)


def _one_row(curve: IVCurve) -> Design:
    return build_design(random_spec(3, (1, 1), curves=[curve]), BOARD)


def test_a_table_without_the_shunt_that_is_said_to_be_in_it_is_refused(design):
    sentence = (
        r"^shunt = 47 ohm takes \S+ mA at \S+ V, and the table of AI301A has \S+ mA there: import "
        "the diode with the shunt across it, and train with that$"
    )
    with pytest.raises(CompileError, match=sentence):
        check_rows(design, load_opamp("tl07x"), Parasitics(shunt=47.0), judge=False)


@pytest.mark.parametrize(
    ("opamp", "parasitics", "sentence"),
    [
        (
            "tl07x",
            Parasitics(),
            "layer 0: op-amp tl07x cannot hold AI301A (|g_d| 14.8 mS +- 30 %, r_f 566.3 ohm): "
            "above its GBW of 3 MHz the loop is 152 ohm, its open-loop r_o of 150 ohm in it, and "
            "times the largest |g_d| that is 2.92, which must be below 1: take an op-amp of less "
            "than 50.1 ohm (--opamp), or " + shunt_said(68, 10.2) + ", 10.3 mA in all, and the "
            "op-amp delivers 10: end the sweeps at the volts in use",
        ),
        (
            "50mhz-30ohm",
            BARE,
            "layer 0: op-amp 50mhz-30ohm cannot hold AI301A (|g_d| 14.8 mS +- 30 %, r_f 566.3 "
            "ohm): above its GBW of 50 MHz the loop is 60 ohm, its open-loop r_o of 30 ohm in it, "
            "and times the largest |g_d| that is 1.15, which must be below 1: take an op-amp of "
            "less than 26 ohm (--opamp), or " + shunt_said(180, 3.85),
        ),
        (
            "200mhz-10ohm",
            Parasitics(lead=50e-9),
            "layer 0: op-amp 200mhz-10ohm cannot hold AI301A (|g_d| 14.8 mS +- 30 %, r_f 566.3 "
            "ohm): lead = 50 nH is above r c_j / |g_d| = 12.1 nH for the loop's 11.7 ohm: shorten "
            "the lead, or " + shunt_said(560, 1.24),
        ),
        (
            "50mhz-30ohm",
            Parasitics(snubber_r=30, snubber_c=100e-12),
            "layer 0: op-amp 50mhz-30ohm cannot hold AI301A (|g_d| 14.8 mS +- 30 %, r_f 566.3 "
            "ohm): no c_f of the E12 series holds it to 1.3 |g_d|, of values up to 30 times the "
            "one-pole rule's; the best, 180 pF, holds it to 1.1: take an op-amp of more bandwidth "
            "or less r_o (--opamp), or " + shunt_said(330, 2.1),
        ),
        (
            "200mhz-10ohm",
            Parasitics(r_s=40),
            "r_s = 40 ohm is not below the 32.3 ohm that a diode of a slope of 30.9 mS has in all: "
            "its table is measured with r_s in it, so lower r_s",
        ),
    ],
)
def test_what_cannot_hold_is_refused(design, opamp, parasitics, sentence):
    with pytest.raises(CompileError, match=f"^{escape(sentence)}$"):
        check_rows(design, load_opamp(opamp), parasitics, judge=False)


def test_a_node_of_two_devices_is_judged_with_both(design):
    spec = random_spec(3, (1, 1), curves=resolve("AI301A,A21"))
    found = check_rows(build_design(spec, BOARD), load_opamp("200mhz-10ohm"), judge=False)
    assert [row.device for row in found.rows] == ["AI301A", "A21"]
    assert [row.d for row in found.rows] == [0, 1]
    assert {len(row.node.rows) for row in found.rows} == {2}


def test_an_uncertainty_out_of_range_is_refused(design):
    sentence = "g_d_sigma = 1.0 is out of range: 0 to 0.5"
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        check_rows(design, load_opamp("200mhz-10ohm"), g_d_sigma=1.0)


def test_diodes_that_hold_alone_may_not_hold_together():
    curves = (MEASURED, IVCurve("TWIN", MEASURED.v, MEASURED.i))
    of = build_design(random_spec(3, (1, 1), curves=curves), replace(BOARD, r_out=10.0))
    sentence = (
        "layer 0: op-amp 50mhz-30ohm cannot hold a node of AI301A, TWIN at 0.181 V with 1.3 times "
        "the tables' slopes: a pole grows at 35.4 MHz: drive fewer diodes, take an op-amp of less "
        "r_o (--opamp), or " + shunt_said(270, 2.57)
    )
    with pytest.raises(CompileError, match=f"^{escape(sentence)}$"):
        check_rows(of, load_opamp("50mhz-30ohm"), replace(SNUBBED, snubber_r=20), judge=False)


def test_ngspice_has_the_last_word(design, monkeypatch):
    """Where it saw more than it may, poles do not count."""
    monkeypatch.setattr(bench, "ALLOWED", 0.0)
    monkeypatch.setattr(shunts, "SERIES", (10.0,))
    first = replace(design, stages=design.stages[:1])
    sentence = (
        r"layer 0: op-amp 10mhz-30ohm cannot hold AI301A: in \.tran it swings \S+ mV peak to peak "
        r"at \S+ V, 1 times its table's slopes, where 0 mV after a kick of 1 mV are allowed, "
        r"although its poles decay: take an op-amp of more bandwidth or less r_o \(--opamp\), or "
        r"diodes of less \|g_d\|: no shunt down to 10 ohm holds these"
    )
    with pytest.raises(CompileError, match=f"^{sentence}$"):
        check_rows(first, load_opamp("10mhz-30ohm"), g_d_sigma=0.0)


def test_a_difference_amplifier_drives_the_nodes_of_the_next_layer(design):
    found = check_rows(design, load_opamp("200mhz-10ohm"), judge=False)
    gains = [row.node.noise_gain for row in found.rows]
    assert gains == [1.0, 1 + design.stages[0].gain.max()]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"supply_min": 12.0},
            "op-amp 200mhz-10ohm takes 12 to 12 V between its supplies, and v_rail = 5 V makes 10 "
            "V: change v_rail, or take another op-amp",
        ),
        (
            {"i_out": 3e-3},
            "layer 0: a row amplifier carries up to 3.79 mA, and op-amp 200mhz-10ohm delivers 3 "
            "mA: lower v_fs or g_max, or take one that delivers more",
        ),
    ],
)
def test_an_opamp_that_is_not_for_the_board_is_refused(design, change, sentence):
    with pytest.raises(CompileError, match=f"^{escape(sentence)}$"):
        check_rows(design, replace(load_opamp("200mhz-10ohm"), **change), judge=False)


def test_a_driver_must_carry_all_diodes_of_its_node():
    curves = (MEASURED, IVCurve("TWIN", MEASURED.v, MEASURED.i))
    board = replace(BOARD, g_min=1e-6, g_max=1e-5, r_out=10.0)
    of = build_design(random_spec(3, (1, 1), curves=curves), board)
    sentence = (
        "layer 0: the driver of a diode node carries up to 3.53 mA, and op-amp 200mhz-10ohm "
        "delivers 3 mA; diode AI301A alone 1.77 mA at 0.102 V, its peak: choose diodes of less "
        "current, or take one that delivers more"
    )
    with pytest.raises(CompileError, match=f"^{escape(sentence)}$"):
        check_rows(of, replace(load_opamp("200mhz-10ohm"), i_out=3e-3), judge=False)


def test_a_diode_that_conducts_most_where_its_table_ends_is_to_be_cut():
    """Neither v_fs nor g_max changes what a diode itself carries."""
    v = np.append(MEASURED.v, 1.2)
    far = IVCurve("FAR", v, np.append(MEASURED.i, 14e-3))
    of = build_design(random_spec(3, (1, 1), curves=(far,)), replace(BOARD, r_out=1.0))
    sentence = (
        "mA, and op-amp 200mhz-10ohm delivers 10 mA; diode FAR alone 14 mA at 1.2 V, where its "
        "table ends: end its sweeps (or devices tabulate --range) at the volts in use and train "
        "anew, or take one that delivers more"
    )
    with pytest.raises(CompileError, match=f"{escape(sentence)}$"):
        check_rows(of, replace(load_opamp("200mhz-10ohm"), i_out=10e-3), judge=False)


@pytest.mark.parametrize("name", opamp_classes())
def test_a_shipped_class_says_that_it_is_assumed(name):
    opamp = load_opamp(name)
    assert opamp.name == name
    assert opamp.about.startswith("assumed")
    assert opamp.p2 >= opamp.gbw
    assert opamp.vos_sigma == opamp.vos / 3


def test_an_opamp_of_ones_own_file(tmp_path):
    path = tmp_path / "mine.toml"
    text = (resources.path("board/opamps") / "tl07x.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("r_o = 150.0", "r_o = 15.0"), encoding="utf-8")
    mine = load_opamp(str(path))
    assert (mine.name, mine.r_o, mine.gbw) == ("mine", 15.0, 3e6)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("r_o = 150.0", "", "op-amp class mine lacks r_o"),
        ("r_o = 150.0", "r_o = 0", "r_o = 0.0 is out of range: 0.1 to 100000 ohm"),
        ("r_o = 150.0", "ro = 15", "op-amp class mine: unknown setting 'ro', did you mean r_o?"),
        (
            "supply_max = 36.0",
            "supply_max = 5.0",
            "supply_max = 5.0 is out of range: at least supply_min (7 V)",
        ),
    ],
)
def test_a_file_that_is_no_opamp_is_refused(old, new, sentence, tmp_path):
    text = (resources.path("board/opamps") / "tl07x.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        load_opamp(str(path))


def test_an_unknown_class_is_refused():
    sentence = "unknown op-amp class 'tl07', did you mean tl07x? Known: 10mhz-100ohm, "
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}"):
        load_opamp("tl07")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"snubber_r": 0}, "snubber_c = 2e-09 is out of range: 0, as snubber_r (0 ohm) is"),
        ({"snubber_c": 0}, "snubber_c = 0.0 is out of range: above 0, as snubber_r (2 ohm) is"),
        ({"lead": 0}, "lead = 0.0 is out of range: 1e-11 to 1e-05 H"),
    ],
)
def test_parasitics_out_of_range_are_refused(settings, sentence):
    with pytest.raises(SettingsError, match=f"^{escape(sentence)}$"):
        Parasitics(**settings)
