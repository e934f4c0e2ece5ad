"""Power from the circuit's own voltages: by block, in closed form and by ngspice."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import analogkan as ak
from analogkan import cells
from analogkan.compiler.build import Build, write_build
from analogkan.compiler.circuit import Circuit, Link
from analogkan.compiler.hardware import Hardware
from analogkan.errors import NetlistError, SimulationError
from analogkan.physics import Assumptions, power, power_judge
from analogkan.physics.blocks import AMPLIFIERS, CROSSBAR, DELIVERED, DISSIPATED
from analogkan.physics.crossbar import crossbar_power
from analogkan.physics.power import PowerResult, compared, power_of
from analogkan.physics.power_elements import Elements
from analogkan.physics.power_judge import ask_power
from analogkan.physics.supply import energy_of, least_quiescent, supply_of, work_of
from tests.chips import chip
from tests.convolutions import convolutional_spec
from tests.networks import random_inputs, random_spec

from .outside.algebraic import KIND as ALGEBRAIC
from .outside.miller import KIND as MILLER
from .pages import ROOT, blocks, run_python

TILES = {"tile_rows": 6, "tile_cols": 4}
WIRES = {"r_wire": 20.0, **TILES}
KINDS = {
    "plain": ({}, {}),
    "clamp": ({"squash": "clamp"}, {}),
    "layernorm": ({"norm": "layer"}, {}),
    "sigmoid": ({"squash": "sigmoid", "norm": "layer"}, {}),
    "tanh": ({"squash": "tanh"}, {}),
    "rails": ({}, {"opamp": "rails", "v_rail": 0.6, "headroom": 1.0}),
    "reduced": ({}, WIRES),
    "driven": ({}, WIRES | {"r_driver": 100.0}),
    "explicit": ({}, WIRES | {"wires": "explicit"}),
    "audited": ({}, WIRES | {"wires": "explicit", "r_driver": 100.0}),
    "drivers": ({}, {"r_driver": 100.0, **TILES}),
    "pole": ({}, {"opamp": "pole_rails"}),
    "summing": ({"squash": "tanh"}, {"readout": "summing"}),
    "summing, rails": (
        {},
        {"readout": "summing", "opamp": "rails", "v_rail": 0.6, "headroom": 1.0, **WIRES},
    ),
}
"""Networks and hardware, of every block that there is."""
HELD = {"shares": 30, "sections": 60}
"""Most resistors of a deck."""


@pytest.fixture(scope="module")
def build_of(tmp_path_factory):
    """A build of a kind, compiled once."""
    made: dict[str, Build] = {}

    def of(kind: str) -> Build:
        if kind not in made:
            folder = tmp_path_factory.mktemp("power") / kind
            if kind == "convolutions":
                made[kind] = write_build(convolutional_spec(), Hardware(), folder, most=10**6)
            elif kind in HELD:
                spec = random_spec(3, (5, 4, 3), squash="sigmoid", norm="layer")
                made[kind] = write_build(spec, Hardware(), folder, most=HELD[kind])
            else:
                network, hardware = KINDS[kind]
                spec = random_spec(3, (5, 4, 3), **network)
                made[kind] = write_build(spec, Hardware(**hardware), folder)
        return made[kind]

    return of


def volts(build: Build, n: int = 7) -> np.ndarray:
    """Of images; of networks with many points an image fewer."""
    n = 3 if build.deck is None else n
    return build.spec.dac_volts(random_inputs(8, n, build.spec.encoding.inputs))


def chip_of(build: Build, hardware: dict) -> Circuit:
    """A chip with everything that can be drawn, as a circuit."""
    design = chip(build.spec, **hardware)
    return Circuit((Link(section=build.sections[0], share=0, spec=build.spec, design=design),))


@pytest.fixture(scope="module")
def asked(build_of, tmp_path_factory):
    """What ngspice says of a kind, asked once."""
    made: dict[str, PowerResult] = {}

    def of(kind: str) -> PowerResult:
        if kind not in made:
            build = build_of(kind)
            made[kind] = ask_power(build, volts(build), keep=tmp_path_factory.mktemp("kept"))
        return made[kind]

    return of


# ---- the two sums, and the two engines


@pytest.mark.parametrize("temp_c", [26.85, 85.0])
@pytest.mark.parametrize("kind", KINDS)
def test_what_sources_deliver_is_what_elements_dissipate(build_of, kind, temp_c):
    build = build_of(kind)
    found = power_of(build, volts(build), temp_c=temp_c)
    assert found.tellegen.max() < 1e-12


@pytest.mark.parametrize("kind", [*KINDS, *HELD, "convolutions"])
def test_ngspice_says_the_same_of_every_block(build_of, asked, kind):
    """And Tellegen's sum holds in its own numbers, image by image."""
    build = build_of(kind)
    assert asked(kind).tellegen.max() < 1e-9
    found = power_of(build, volts(build))
    differences = compared(found, asked(kind))
    assert max(differences.values()) < 1e-6, differences
    for block in (*AMPLIFIERS, "bias_rows", "dacs"):
        for own, other in zip(found.peaks[block], asked(kind).peaks[block], strict=True):
            np.testing.assert_allclose(np.sort(own), np.sort(other), rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(found.through, asked(kind).through)


@pytest.mark.parametrize("kind", ["plain", "sigmoid", "rails", "driven", "summing, rails"])
def test_a_chip_in_the_heat_too(build_of, tmp_path, kind):
    build = build_of(kind)
    own = chip_of(build, KINDS[kind][1])
    told = ask_power(build, volts(build), keep=tmp_path, temp_c=85.0, chip=own)
    found = power_of(build, volts(build), temp_c=85.0, chips=[own])
    assert max(told.tellegen.max(), found.tellegen.max()) < 1e-9
    assert max(compared(found, told).values()) < 1e-6


BLOCKS = [("dissipated", b) for b in (*DISSIPATED, "crossbar")]
BLOCKS += [("delivered", b) for b in DELIVERED]


@pytest.mark.parametrize(("what", "block"), BLOCKS)
def test_a_block_that_is_left_out_is_noticed(build_of, asked, what, block):
    """By Tellegen's sum in both engines, where one leaves it out of one of the sums; by the
    comparison, where one leaves it out of both: the sum is blind to that."""
    kinds = {"crossbar": "driven", "wires": "audited", "drivers": "audited"}
    kind = kinds.get(block, "sigmoid")
    build = build_of(kind)
    own, told = power_of(build, volts(build)), asked(kind)
    seen = []
    for result in (own, told):
        blocks = getattr(result, what)
        if block not in blocks:
            continue
        without = blocks | {block: 0 * blocks[block]}
        less = replace(result, **{what: without})
        assert less.tellegen.max() > 1e-9
        pair = (less, told) if result is own else (own, less)
        seen.append(max(compared(*pair).values()))
    assert min(seen) > 1e-6


def test_the_sum_is_blind_to_what_both_sides_leave_out(build_of):
    """The power of the four resistors of a last layer's difference amplifiers comes from the lines
    and their own outputs: without all of it the sum still closes."""
    build = build_of("plain")
    found = power_of(build, volts(build))
    burnt = found.dissipated["differences"].copy()
    given = found.delivered["lines"].copy()
    given[:, -1] -= burnt[:, -1] - found.delivered["differences"][:, -1]
    less = replace(
        found,
        dissipated=found.dissipated | {"differences": burnt * [[[1], [0]]]},
        delivered=found.delivered
        | {"lines": given, "differences": found.delivered["differences"] * [[[1], [0]]]},
    )
    assert less.tellegen.max() < 1e-12
    assert max(compared(less, found).values()) > 0.1


def test_what_flows_between_rows_is_power(build_of, tmp_path, monkeypatch):
    """No voltage depends on it; a deck without it delivers less than the circuit does."""
    build = build_of("driven")
    monkeypatch.setattr(power_judge, "_between_rows", lambda design, temp_c, say=None: iter(()))
    told = ask_power(build, volts(build), keep=tmp_path)
    assert told.tellegen.max() < 1e-9
    found = compared(power_of(build, volts(build)), told)
    assert found["dissipated crossbar"] > 1e-4 and found["delivered rows"] > 1e-4


# ---- maps, chips, blocks of images


@pytest.mark.parametrize("kind", ["plain", "shares", "convolutions", "summing"])
def test_a_map_of_rows_and_one_of_lines_add_up_to_their_blocks(build_of, kind):
    build = build_of(kind)
    found = power_of(build, volts(build), maps=True)
    watts = found.dissipated
    for k, (rows, lines) in enumerate(zip(found.rows, found.lines, strict=True)):
        by_row = sum(watts[block][:, k] for block in ("diodes", "row_feedback", "cells"))
        np.testing.assert_allclose(rows.sum(axis=2), by_row, rtol=1e-12)
        by_line = watts["cells"][:, k] + watts["line_feedback"][:, k]
        if kind == "summing":  # whose positive lines are its outputs
            by_line = by_line + watts["differences"][:, k]
        np.testing.assert_allclose(lines.sum(axis=2), by_line, rtol=1e-12)
    assert found.positions == ((9, 4, 1, 1) if kind == "convolutions" else (1, 1))


def test_chips_are_stacked_and_blocks_of_images_change_nothing(build_of, monkeypatch):
    build = build_of("plain")
    chips = [chip_of(build, {}), build.circuit()]
    found = power_of(build, volts(build), chips=chips, maps=True)
    assert found.total.shape == (2, 7)
    assert found.rows[0].shape == (
        2,
        7,
        len(build.design.stages[0].g),
    )
    alone = power_of(build, volts(build))
    np.testing.assert_array_equal(found.total[1], alone.total[0])
    monkeypatch.setattr(power, "BLOCK", 3)
    again = power_of(build, volts(build), chips=chips)
    np.testing.assert_allclose(again.total, found.total, rtol=1e-13)
    for field in fields(PowerResult):
        if field.name in ("dissipated", "delivered", "currents"):
            assert getattr(again, field.name).keys() == getattr(found, field.name).keys()


def test_half_the_volts_at_a_resistor_are_a_quarter_of_its_power(build_of):
    """A crossbar's split into cells, wires and drivers holds whatever scales it."""
    build = build_of("audited")
    layer = build.design.stages[0].g
    own = crossbar_power(layer, build.hardware, 26.85)
    rng = np.random.default_rng(0)
    rows, sums = rng.normal(size=(3, layer.shape[0])), rng.normal(size=(3, layer.shape[1]))
    full, half = own.watts(rows, sums), own.watts(rows / 2, sums / 2)
    for block in CROSSBAR:
        assert (full[block] > 0).all()
        np.testing.assert_allclose(half[block], full[block] / 4, rtol=1e-12)


# ---- supplies and energy


def test_where_the_power_of_a_trained_network_goes(tmp_path, monkeypatch):
    """The program of the page prints what the page says."""
    monkeypatch.chdir(tmp_path)
    (_, program), (_, said) = blocks(ROOT / "docs" / "power.md", "python", "text")
    assert run_python(program, tmp_path) == said


def test_quiescent_current_is_derived_or_given_and_what_exceeds_it_is_counted(build_of):
    build = build_of("sigmoid")
    found = power_of(build, volts(build))
    least = least_quiescent(10e6, Assumptions())
    assert least == pytest.approx(4 * 2 * np.pi * 10e6 * 1e-12 / 15)
    peaks = np.concatenate([p[0] for b in AMPLIFIERS for p in found.peaks[b]])
    derived = supply_of(found, build.hardware, Assumptions())
    assert derived.amplifiers == len(peaks) == 2 * 5 + 2 * 4 + 3 * (4 + 3) + 4
    wanted = 2 * 2.5 * np.maximum(peaks / 10, least).sum()
    assert sum(w.sum() for w in derived.quiescent.values()) == pytest.approx(wanted)
    assert derived.i_quiescent == pytest.approx((least, max(least, peaks.max() / 10)))
    assert derived.beyond_class_ab.tolist() == [0]
    vdd, vss = derived.rails
    np.testing.assert_allclose(build.hardware.v_rail * (vdd + vss), derived.by_layer, rtol=1e-12)
    assert vdd.min() > 0 and vss.min() > 0 and (vdd != vss).all()
    given = supply_of(found, build.hardware, Assumptions(i_quiescent=2e-6, class_ab=4.0))
    assert sum(w.sum() for w in given.quiescent.values()) == pytest.approx(5 * 2e-6 * len(peaks))
    assert given.beyond_class_ab.tolist() == [(peaks > 8e-6).sum()]
    np.testing.assert_allclose(given.pairs[0, 1], 5 * 4 * build.hardware.i_tail)


def test_the_supplies_give_what_is_dissipated_and_more(build_of):
    """What an output stage drops is on top of what the circuit's own elements dissipate."""
    for kind in ("plain", "sigmoid", "convolutions"):
        build = build_of(kind)
        found = power_of(build, volts(build))
        supply = supply_of(found, build.hardware, Assumptions())
        assert (supply.total > found.total).all()


def test_energy_is_power_times_time_and_converters_are_terms_of_their_own(build_of):
    build = build_of("convolutions")
    supply = supply_of(power_of(build, volts(build)), build.hardware, Assumptions())
    work = work_of(build)
    macs = 2 * (9 * 18 * 4 + 4 * 16 * 3 + 12 * 4 + 4 * 3)
    assert (work.macs, work.edges, work.dacs, work.outputs) == (macs, macs // 2, 60, 3)
    found = energy_of(supply, 1e-6, work, Assumptions(dac_energy=1e-12, adc_energy=2e-12))
    np.testing.assert_allclose(found.circuit, supply.total * 1e-6)
    np.testing.assert_allclose(found.per_mac * macs, found.circuit)
    assert (found.dacs, found.adcs) == pytest.approx((60e-12, 6e-12))


# ---- what is refused


def test_a_cell_that_tells_no_power_is_counted_by_ngspice_alone(tmp_path, own_plugins):
    cells.register(ALGEBRAIC)
    spec = random_spec(3, (5, 4, 3), squash="algebraic")
    build = write_build(spec, Hardware(), tmp_path / "b")
    sentence = "the cell algebraic tells no power: let ngspice count it, or declare its `power`"
    with pytest.raises(SimulationError, match=sentence):
        power_of(build, volts(build))
    assert ask_power(build, volts(build), keep=tmp_path).tellegen.max() < 1e-9


def test_an_op_amp_that_is_a_black_box_has_no_power(tmp_path, own_plugins):
    cells.register(MILLER)
    build = write_build(random_spec(3), Hardware(opamp="miller"), tmp_path / "b")
    sentence = (
        "the op-amp miller is a black box, whose inside is not counted: compile with opamp = "
        "linear, and set i_quiescent to what yours draws"
    )
    with pytest.raises(SimulationError, match=sentence):
        power_of(build, volts(build))
    with pytest.raises(SimulationError, match=sentence):
        ask_power(build, volts(build), keep=tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("r_more l0_y0 0 1k", "r_more is in no block of a circuit, so that its power has no place"),
        ("x_l0_y0_diff l0_o0_p l0_o0_n l0_y0 own", "the power of x_l0_y0_diff.d1 is not counted"),
        ("x_l0_y0_diff l0_o0_p l0_o0_n l0_y0 held", "a continued line in a cell"),
    ],
)
def test_an_element_whose_power_has_no_place_is_refused(tmp_path, line, said):
    cells = (
        ".subckt own p n out\nd1 p n diode\n.ends own\n"
        ".subckt tanh p n out\nr1 p\n+ n 1k\n.ends tanh\n"
    )
    top = tmp_path / "top.cir"
    top.write_text(f"* top\n{cells}{line.replace('held', 'tanh')}\n", "utf-8")
    with pytest.raises(NetlistError, match=said):
        Elements(top, 26.85)


# ---- whole networks


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("model", "n", "settings"),
    [
        ("mnist-d2", 20, {}),
        ("paper-mnist-d2", 20, {}),
        ("mnist-d2", 20, {"r_wire": 1.0}),
        ("mnist-d2", 2, {"r_wire": 1.0, "r_driver": 20.0, "wires": "explicit"}),
    ],
)
def test_trained_networks_by_both(tmp_path, model, n, settings):
    small = {"tile_rows": 16, "tile_cols": 16} if "wires" in settings else {}
    folder: Path = tmp_path / "build"
    build = ak.compile(model, out=folder, hardware=Hardware(**settings, **small))
    images = ak.load_bundled()[:n]
    told = ask_power(build, images, keep=tmp_path)
    assert told.tellegen.max() < 1e-9
    assert max(compared(power_of(build, images), told).values()) < 1e-6
