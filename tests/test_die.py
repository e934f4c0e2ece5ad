"""What lies where on a die, and what follows: mismatch by area and distance, heat, pictures."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

import analogkan as ak
from analogkan.compiler.build import write_build
from analogkan.compiler.circuit_files import write_circuit
from analogkan.compiler.hardware import Hardware
from analogkan.die.fields import WHOLE_DIE, lattice_of
from analogkan.die.floorplan import Floorplan, Sizes, floorplan_of
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine, chain_logits
from analogkan.errors import SettingsError, SimulationError
from analogkan.imperfections import Conditions, Variation, load_settings
from analogkan.imperfections.make import perturb, perturb_chain
from analogkan.physics import Assumptions
from analogkan.physics.heat import IMAGES, heat_of
from analogkan.physics.power import power_of
from analogkan.physics.supply import supply_of
from analogkan.report.network import build_sections
from analogkan.report.runs import read_runs
from analogkan.studies.bench import Bench
from analogkan.studies.dies import die_of
from analogkan.studies.grid import budget_cells
from analogkan.studies.points import montecarlo_points
from analogkan.studies.store import TIMES

from .chips import errors_of
from .convolutions import convolutional_images, convolutional_spec
from .networks import random_images, random_spec
from .test_twin import EXACT

SIZES = Sizes(cell=0.5, opamp=2000.0)
SPREAD: dict[str, Any] = {
    "sigma_g": 0.05, "diode_sigma_current": 0.05, "diode_sigma_voltage": 0.01,
    "diode_sigma_shift": 0.002, "offset_sigma": 1e-3,
}  # fmt: skip
PLACED = Variation(
    **SPREAD, diode_length=60.0, offset_length=90.0, cell_length=20.0, diode_slope_current=0.05,
    diode_slope_voltage=0.01, diode_slope_shift=2e-3, offset_slope=1e-3, cell_slope=0.2,
    diode_pelgrom_current=0.02, diode_area=4.0, offset_pelgrom=5e-3, offset_area=100.0,
    cell_pelgrom=0.01, cell_area=0.25, offset_drift_sigma=5e-6, trim="dark",
    heat_ambient=800.0, heat_sheet=22.5,
)  # fmt: skip
"""Everything that has a place; a small circuit takes little, so it is held badly cool."""


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A layer of 144 diodes and one behind it."""
    return write_build(
        random_spec(3, (72, 8, 4)), Hardware(), tmp_path_factory.mktemp("wide") / "w.build"
    )


@pytest.fixture(scope="module", params=["plain", "paper", "convolutions"])
def build(request, tmp_path_factory):
    """A network of each kind."""
    spec = {
        "plain": lambda: random_spec(3, (6, 5, 4)),
        "paper": lambda: random_spec(3, (6, 5, 4), squash="sigmoid", norm="layer"),
        "convolutions": convolutional_spec,
    }[request.param]()
    return write_build(spec, Hardware(), tmp_path_factory.mktemp("die") / "d.build", most=10_000)


def plan_of(build) -> Floorplan:
    return floorplan_of(build.circuit(), SIZES)


def drawn(build, variation: Variation, sample: int = 0, **more: Any):
    """The circuits of a chip."""
    chip, _ = perturb_chain(build.circuit(), variation, Conditions(), seed=0, sample=sample, **more)
    return chip


# ---- the floorplan


def test_no_two_parts_are_in_one_place_and_all_are_on_the_die(build):
    plan = plan_of(build)
    side = np.sqrt(SIZES.opamp)
    amplifiers, blocks = [], [b for p in plan.layers for b in p.blocks]
    for p, stage in zip(plan.layers, build.circuit().stages, strict=True):
        assert p.cells.shape == stage.g.shape
        assert (p.rows.shape, p.lines.shape) == (stage.r_f.shape, stage.r_c.shape)
        rows = np.stack([p.rows.x, p.rows.y], axis=-1)[stage.kept]
        amplifiers += [*rows, *np.stack([p.lines.x, p.lines.y], 1), *np.stack(p.diffs.each, 1)]
        for at in (p.cells.x, p.cells.y):
            assert np.diff(at).min() > np.sqrt(SIZES.cell) * (1 - 1e-9)
    apart = np.abs(np.array(amplifiers)[:, None] - np.array(amplifiers)).max(axis=2)
    assert (apart + np.eye(len(apart)) * side).min() > side * (1 - 1e-9)
    for one in blocks:
        assert 0 < one.x < one.x + one.width < plan.width
        assert 0 < one.y < one.y + one.height < plan.height
        assert not any(
            one is not b and one.x < b.x + b.width and b.x < one.x + one.width
            and one.y < b.y + b.height and b.y < one.y + one.height
            for b in blocks
        )  # fmt: skip


def test_tiles_stand_apart(wide):
    cells = plan_of(wide).layers[0].cells
    assert np.flatnonzero(np.diff(cells.y) > 5).tolist() == [63, 127]


def test_a_cut_between_layers_changes_no_place(tmp_path):
    spec = random_spec(5, (5, 6, 4, 3))
    whole = write_build(spec, Hardware(), tmp_path / "whole.build")
    cut = write_build(spec, Hardware(), tmp_path / "cut.build", most=130)
    assert len(cut.circuit().links) > 1
    for a, b in zip(plan_of(whole).layers, plan_of(cut).layers, strict=True):
        assert (a.layer, a.share, a.blocks) == (b.layer, b.share, b.blocks)
    field = Variation(diode_sigma_current=0.05, diode_length=100.0)
    pairs = zip(drawn(whole, field).stages, drawn(cut, field).stages, strict=True)
    assert all((errors_of(a).k_i == errors_of(b).k_i).all() for a, b in pairs)


def test_a_design_that_is_all_there_is_is_drawn_as_its_circuit_is(wide):
    field = Variation(sigma_g=0.05, cell_length=30.0, offset_slope=1e-3)
    (link,) = wide.circuit().links
    alone, _ = perturb(link.design, field, Conditions(), spec=link.spec, seed=0, sample=2)
    for a, b in zip(alone.stages, drawn(wide, field, 2).stages, strict=True):
        assert (a.g == b.g).all()
        assert (errors_of(a).lines.offset == errors_of(b).lines.offset).all()


# ---- fields and gradients


@pytest.mark.parametrize("length", [7.0, 60.0, 1e3, 1e5])
def test_the_covariance_of_a_field_is_exact(wide, length):
    at = plan_of(wide).layers[0].rows.x.ravel()
    weights = lattice_of(plan_of(wide), length, "diode_length").weights(at, 1)
    wanted = np.exp(-((at[:, None] - at) ** 2) / (2 * length**2))
    np.testing.assert_allclose(weights @ weights.T, wanted, rtol=0, atol=1e-14)


def correlation(values: np.ndarray, p: Any, length: float) -> None:
    """``values`` (chips, parts) of standard deviation 1 correlate by exp(-d^2 / 2 l^2)."""
    x, y = (part.ravel() for part in p.each)
    d2 = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2
    found = values.T @ values / len(values)
    np.testing.assert_allclose(found, np.exp(-d2 / (2 * length**2)), atol=6 / len(values) ** 0.5)


def test_chips_have_the_fields_asked_for(wide):
    given = {"diode_sigma_current": 0.05, "offset_sigma": 1e-3, "sigma_g": 0.01}
    v = Variation(**given, diode_length=150.0, offset_length=300.0, cell_length=40.0)
    chips, p = [drawn(wide, v, m).stages[0] for m in range(400)], plan_of(wide).layers[0]
    k_i = np.array([errors_of(s).k_i - 1 for s in chips]) / 0.05
    for d in range(2):
        one = replace(p.rows, x=p.rows.x[:, d], y=p.rows.y[:, d])
        correlation(k_i[:, :, d], one, 150.0)
    assert abs((k_i[:, :, 0] * k_i[:, :, 1]).mean()) < 6 / (400 * 5) ** 0.5  # types share nothing
    assert stats.kstest(k_i[:, 0, 0], "norm").pvalue > 1e-3
    offsets = np.array([errors_of(s).rows.offset.ravel() for s in chips]) / 1e-3
    correlation(offsets, p.rows, 300.0)
    lines = np.array([errors_of(s).lines.offset for s in chips]) / 1e-3
    d2 = (p.rows.x[0, 0] - p.lines.x) ** 2 + (p.rows.y[0, 0] - p.lines.y) ** 2
    np.testing.assert_allclose(
        (offsets[:, :1] * lines).mean(axis=0), np.exp(-d2 / (2 * 300.0**2)), atol=6 / 400**0.5
    )
    was = wide.circuit().stages[0].g
    cells = np.array([(s.g / was - 1)[::29, ::5] for s in chips]) / 0.01
    some = replace(p.cells, x=p.cells.x[::5], y=p.cells.y[::29])
    correlation(cells.reshape(400, -1), some, 40.0)


@pytest.mark.parametrize("more", [{"sigma_g": 0.05}, {"sigma_g_abs": 0.01}, {"cells": "pcm"}])
def test_every_error_of_programming_has_the_length(wide, more):
    more |= {"cell_range": "extrapolated"} if "cells" in more else {}
    whole = drawn(wide, Variation(**more, cell_length=WHOLE_DIE)).stages
    targets, found = (
        np.concatenate([stage.g.ravel() for stage in stages])
        for stages in (wide.circuit().stages, whole)
    )
    _, first, same = np.unique(targets, return_index=True, return_inverse=True)
    assert len(first) < len(targets)
    np.testing.assert_array_equal(found, found[first][same])  # equal targets err alike
    near = drawn(wide, Variation(**more, cell_length=3.0)).stages[0].g[:, 0]
    assert len({*near[wide.circuit().stages[0].g[:, 0] == targets.min()]}) > 10


def test_two_parts_differ_as_pelgrom_has_it(wide):
    law = {"diode_pelgrom_voltage": 0.01, "diode_area": 4.0, "diode_slope_voltage": 0.02}
    k_v = np.array([errors_of(drawn(wide, Variation(**law), m).stages[0]).k_v for m in range(1200)])
    p = plan_of(wide).layers[0].rows
    for a, b in ((0, 1), (0, 60), (3, 35)):
        mm = np.hypot(p.x[a, 0] - p.x[b, 0], p.y[a, 0] - p.y[b, 0]) / 1e3
        wanted = np.sqrt(0.01**2 / 4.0 + (0.02 * mm) ** 2)
        assert abs(np.std(k_v[:, a, 0] - k_v[:, b, 0]) / wanted - 1) < 4 / np.sqrt(2 * 1200)


def test_an_offset_is_a_pairs_already(wide):
    by_area = drawn(wide, Variation(offset_pelgrom=5e-3, offset_area=25.0))
    told = drawn(wide, Variation(offset_sigma=1e-3))
    for a, b in zip(by_area.stages, told.stages, strict=True):
        assert (errors_of(a).rows.offset == errors_of(b).rows.offset).all()


# ---- limits


def rows(build, variation: Variation) -> list[dict[str, Any]]:
    """Of three chips, without what says which study it is."""
    images = random_images(1, 40, 6, 4)
    bench = Bench(build, images, TwinEngine(), seed=0)
    points = montecarlo_points(Hardware(), variation, Conditions(), 3)
    return [
        {k: v for k, v in bench.evaluate(point).items() if k not in ("key", *TIMES)}
        for point in points
    ]


@pytest.mark.parametrize("part", ["current", "voltage", "shift"])
def test_lengths_of_nothing_and_without_end_are_rows_of_before(part, tmp_path):
    build = write_build(random_spec(3, (6, 5, 4)), Hardware(), tmp_path / "d.build")
    own, die = f"diode_sigma_{part}", f"die_sigma_{part}"
    without = rows(build, Variation(**{own: 0.01}))
    assert rows(build, Variation(**{own: 0.01}, diode_length=0.0)) == without
    whole = rows(build, Variation(**{die: 0.01}))
    assert rows(build, Variation(**{own: 0.01}, diode_length=WHOLE_DIE)) == whole
    near = rows(build, Variation(**{own: 0.01}, diode_length=100.0))
    assert len({str(found) for found in (without, whole, near)}) == 3


def test_what_is_off_changes_no_byte_of_a_deck(tmp_path):
    build = write_build(random_spec(3, (6, 5, 4)), Hardware(), tmp_path / "d.build")

    def deck(**more: float) -> dict[str, str]:
        (link,) = drawn(build, Variation(**SPREAD, **more)).links
        return write_circuit(link.design)

    plain = deck()
    off = {"diode_area": 4.0, "offset_area": 9.0, "cell_area": 1.0, "die_cell": 2.0}
    assert deck(**off, die_opamp=500.0) == plain
    for on in (
        {"diode_length": 50.0}, {"offset_length": 50.0}, {"cell_length": 50.0},
        {"diode_slope_current": 0.1}, {"diode_slope_voltage": 0.1}, {"diode_slope_shift": 1e-3},
        {"offset_slope": 1e-3}, {"cell_slope": 0.1}, {"offset_pelgrom": 1e-3, "offset_area": 1.0},
        {"cell_pelgrom": 0.1, "cell_area": 1.0}, {"diode_pelgrom_shift": 1e-3, "diode_area": 1.0},
    ):  # fmt: skip
        assert deck(**on) != plain, on


def test_settings_that_are_off_are_in_no_name_of_a_study():
    names = {name for name in PLACED.document() if name not in Variation().document()}
    assert names == {n for n in vars(PLACED) if any(w in n for w in (
        "length", "slope", "pelgrom", "area", "heat"
    ))}  # fmt: skip


def test_a_budget_takes_lengths_and_areas_along():
    texts = [f"{name}={value}" for name, value in vars(PLACED).items()]
    cells = budget_cells(texts, "nominal", Hardware())
    by_name = {(c.labels["imperfection"], c.labels["cell"]): c.variation for c in cells}
    alone = by_name["diode_sigma_current", "alone"]
    shaping = {n for n in vars(PLACED) if n.endswith(("_length", "_area", "_sheet"))}
    assert set(vars(alone)) == {"diode_sigma_current", "trim", *shaping}
    without = by_name["heat_ambient", "all but"]
    assert set(vars(PLACED)) - set(vars(without)) == {"heat_ambient"}
    assert not shaping & {name for name, _ in by_name}
    lone = budget_cells(["sigma_g=0.1", "cell_length=9"], "nominal", Hardware())
    assert [c.variation.off for c in lone] == [True, False, True, False]


# ---- deck and twin


@pytest.mark.parametrize("temp_c", [-40.0, 26.85, 125.0])
def test_the_twin_is_the_circuit_with_all_that_has_a_place(build, temp_c, ngspice, tmp_path):
    circuit = build.circuit()
    die = die_of(circuit, build.spec, PLACED, Conditions(temp_c=temp_c), seed=0, sample=1)
    assert die.heat is not None and np.ptp(die.heat.kelvins) > 1e-3
    width = build.spec.encoding.width
    volts = np.random.default_rng(0).integers(0, 256, (6, width)) / 255 * 0.7
    of_twin, of_ngspice = (
        chain_logits(engine, die.chip, volts, np.arange(6), temp_c, [])
        for engine in (TwinEngine(), NgspiceEngine(ngspice, tmp_path))
    )
    assert np.abs(of_twin - of_ngspice).max() < EXACT * np.abs(of_ngspice).max()
    cold, _ = perturb_chain(
        circuit, Variation(**{n: v for n, v in vars(PLACED).items() if "heat" not in n}),
        Conditions(), seed=0, sample=1,
    )  # fmt: skip
    unheated = chain_logits(TwinEngine(), cold, volts, np.arange(6), temp_c, [])
    assert np.abs(unheated - of_twin).max() > 1e-6 * np.abs(of_twin).max()


@pytest.mark.campaign
@pytest.mark.parametrize("temp_c", [-40.0, 26.85, 125.0])
@pytest.mark.parametrize(("model", "images"), [("mnist-d2", 5), ("mnist-conv", 1)])
def test_the_twin_of_a_whole_network_is_its_circuit(model, images, temp_c, ngspice, tmp_path):
    build = ak.compile(model, tmp_path / "m.build", verify=False)
    hardware, _, _ = load_settings("rram", (), build.hardware)
    v = Variation(
        **SPREAD, diode_length=200.0, offset_length=300.0, cell_length=50.0, trim="dark",
        diode_slope_current=0.02, offset_slope=5e-4, cell_slope=0.02, diode_pelgrom_current=0.05,
        diode_area=1.0, read_noise=0.02, heat_ambient=40.0, heat_sheet=22.5,
    )  # fmt: skip
    circuit = build.circuit().mapped(hardware)
    die = die_of(circuit, build.spec, v, Conditions(temp_c=temp_c), seed=0, sample=1)
    calibration = build.spec.calibration
    assert calibration is not None
    volts, index = build.spec.dac_volts(calibration[:images]), np.arange(images)
    of_twin, of_ngspice = (
        chain_logits(engine, die.chip, volts, index, temp_c, [])
        for engine in (TwinEngine(), NgspiceEngine(ngspice, tmp_path))
    )
    share = np.abs(of_twin - of_ngspice).max() / np.abs(of_ngspice).max()
    print(f"{model} at {temp_c:g} degC: {share:.1e} of full scale")
    assert share < EXACT


# ---- heat


@pytest.mark.parametrize("readout", ["differences", "summing"])
def test_what_heats_the_die_is_the_power_of_the_datasheet(build, readout, tmp_path):
    if readout == "summing":
        hardware = Hardware(readout=readout)
        build = write_build(build.spec, hardware, tmp_path / "s.build", most=10_000)
    heat = heat_of(build.circuit(), build.spec, Variation(heat_ambient=50.0), 26.85)
    calibration = build.spec.calibration
    assert calibration is not None
    power = power_of(build, build.spec.dac_volts(calibration[:IMAGES]))
    by_layer = supply_of(power, build.hardware, Assumptions()).by_layer.mean(axis=(0, 2))
    sheet = float((by_layer / power.positions).sum())
    np.testing.assert_allclose(heat.before, sheet, rtol=1e-12)
    assert abs(heat.total / heat.before - 1) < 0.05  # warmer parts take a little less or more
    np.testing.assert_allclose(heat.kelvins, 50.0 * heat.total, rtol=1e-12)
    for warmth in heat.warmth.values():
        for part in vars(warmth).values():
            np.testing.assert_allclose(part, heat.kelvins[0, 0], rtol=1e-12)


def test_the_sheet_is_in_balance_and_loses_what_it_is_given(wide):
    v = Variation(heat_ambient=50.0, heat_sheet=2000.0)
    heat = heat_of(wide.circuit(), wide.spec, v, 26.85)
    k, plan = heat.kelvins, heat.plan
    assert k.mean() == pytest.approx(50.0 * heat.total, rel=1e-12)
    tall, wide_ = plan.height / k.shape[0], plan.width / k.shape[1]
    flow = k / (50.0 * k.size)  # what each square loses to the ambient, and to its neighbours
    for axis, share in ((0, wide_ / tall), (1, tall / wide_)):
        across = np.diff(k, axis=axis) * share / 2000.0
        ends = [(1, 0) if a == axis else (0, 0) for a in range(2)]
        flow += np.pad(across, ends) - np.pad(across, [e[::-1] for e in ends])
    given = np.zeros(k.shape)
    for p in plan.layers:
        for name in ("cells", "rows", "lines", "diffs", "bias"):
            x, y = getattr(p, name).each
            at = (y / tall).astype(int), (x / wide_).astype(int)
            np.add.at(given, at, getattr(heat.watts[p.layer, p.share], name))
    np.testing.assert_allclose(flow, given, rtol=0, atol=1e-12 * given.max())
    assert k.max() > 1.2 * k.min()


def test_a_study_heats_its_chips_at_each_temperature(tmp_path):
    build = write_build(random_spec(3, (6, 5, 4)), Hardware(), tmp_path / "d.build")
    found = ak.thermal(
        build, random_images(1, 20, 6, 4), temps=[-40, 125], samples=2, judge="2x10",
        variation={"heat_ambient": 2e3, "heat_sheet": 22.5, "diode_length": 100.0},
        out=tmp_path / "run", progress=False,
    )  # fmt: skip
    assert found.summary["judge"]["passed"]
    assert all(row["status"] == "ok" for row in found.rows)


# ---- what is refused


def test_what_has_no_floorplan_is_refused(tmp_path):
    hardware, variation, _ = load_settings("board", ["diode_length=100"])
    build = write_build(random_spec(3, (4, 3)), hardware, tmp_path / "b.build")
    sentence = (
        "^levels = .+ makes a board, whose parts stand on no die: its circuit has no floorplan; "
        "set lengths, slopes and heat of the die to 0, or levels to a number$"
    )
    with pytest.raises(SettingsError, match=sentence):
        drawn(build, variation)


def test_a_part_of_a_network_has_no_die_of_its_own(tmp_path):
    build = write_build(random_spec(5, (5, 6, 4, 3)), Hardware(), tmp_path / "h.build", most=60)
    link = build.circuit().links[-1]
    with pytest.raises(
        SettingsError,
        match=r"begins at layer 2 of a network whose other circuits stand on the same die: draw "
        r"them together, with plan=, or without lengths and slopes$",
    ):
        perturb(
            link.design, Variation(sigma_g=0.1, cell_length=9.0), Conditions(), spec=link.spec,
            seed=0, sample=0, first=link.section.first,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"diode_pelgrom_shift": 0.1},
            "diode_pelgrom_shift = 0.1 is divided by the square root of an area, and diode_area "
            "is 0: set that to W L, um^2",
        ),
        (
            {"diode_sigma_voltage": 0.1, "die_sigma_voltage": 0.05, "diode_length": WHOLE_DIE},
            "diode_length = 1e+06 makes diode_sigma_voltage = 0.1 what die_sigma_voltage = 0.05 "
            "is, common to all diodes of a type: set one of them to 0",
        ),
        ({"cell_length": 2e6}, "cell_length = 2000000.0 is out of range: 0 to 1e+06 um"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, sentence):
    with pytest.raises(SettingsError) as refused:
        Variation(**settings)
    assert str(refused.value) == sentence


def test_a_lattice_that_is_too_large_says_what_would_do(wide):
    with pytest.raises(SettingsError, match=r"^offset_length = 0.1 um on a die of") as refused:
        drawn(wide, Variation(offset_sigma=1e-3, offset_length=0.1))
    least = float(str(refused.value).split("set it to ")[1].split(" um or more")[0])
    lattice_of(plan_of(wide), least, "offset_length")
    with pytest.raises(SettingsError):
        lattice_of(plan_of(wide), 0.4 * least, "offset_length")


def test_heat_is_refused_where_power_is_not_known(tmp_path, wide):
    warm = Variation(heat_ambient=50.0)
    with pytest.raises(
        SettingsError, match=r"^heat_ambient = 50 K/W warms parts by what the whole circuit takes"
    ):
        drawn(wide, warm)
    blind = replace(random_spec(3, (4, 3)), calibration=None)
    build = write_build(blind, Hardware(), tmp_path / "b.build")
    with pytest.raises(SettingsError, match=r"takes on calibration images, and it has none"):
        heat_of(build.circuit(), blind, warm, 26.85)
    die = die_of(wide.circuit(), wide.spec, warm, Conditions(), seed=0, sample=0)
    with pytest.raises(SimulationError, match=r"^power is not worked out of chips with"):
        power_of(wide, wide.spec.dac_volts(wide.spec.calibration[:2]), chips=[die.chip])


def test_a_die_too_warm_for_its_diodes_law_is_refused(tmp_path, wide):
    sentence = (
        r"^heated by its own power: temp_c = \d+\.\d+ is out of range: diode_law = linear holds "
        r"from -55 to 150 degC: choose temperatures in there, or lower heat_ambient$"
    )
    hot = {"heat_ambient": 1e4}
    with pytest.raises(SettingsError, match=sentence):
        ak.map_die(wide, 1, variation=hot)
    with pytest.raises(SettingsError, match=sentence):
        ak.montecarlo(wide, random_images(1, 4, 72, 4), samples=1, variation=hot, judge="none",
                      out=tmp_path / "run", progress=False)  # fmt: skip
    with pytest.raises(SettingsError, match=r"^temp_c = 200\.0 is out of range: diode_law"):
        ak.map_die(wide, 1, conditions={"temp_c": 200.0})


# ---- pictures


def test_a_report_has_the_die_of_the_worst_chip(build, tmp_path):
    images = random_images(1, 12, build.spec.encoding.width, 4)
    if build.circuit().convolutional:
        images = convolutional_images(1, 12)
    ak.montecarlo(
        build, images, samples=2, variation=PLACED, judge="none", out=tmp_path / "run",
        progress=False,
    )  # fmt: skip
    runs = read_runs([tmp_path / "run"])
    (section,) = [s for s in build_sections(build, runs) if s.name == "die"]
    (exhibit,) = section.exhibits
    titles = [ax.get_title() for ax in exhibit.figure.axes]
    assert "above the ambient (K)" in titles and "diodes: kI (%)" in titles
    assert sum(title.startswith("cells of layer") for title in titles) == len(build.spec.layers)
    assert "K above the ambient" in section.words[0]


def test_without_places_there_is_no_picture_of_them(tmp_path, wide):
    ak.montecarlo(
        wide, random_images(1, 12, 72, 4), samples=2, variation={"sigma_g": 0.1}, judge="none",
        out=tmp_path / "run", progress=False,
    )  # fmt: skip
    assert not any(s.name == "die" for s in build_sections(wide, read_runs([tmp_path / "run"])))


def test_python_maps_a_chip(wide):
    die = ak.map_die(wide, 3, variation={"diode_length": 100.0}, seed=5)
    chip, _ = perturb_chain(
        wide.circuit().mapped(ak.load_preset("rram").hardware),
        ak.load_preset("rram", variation={"diode_length": 100.0}).variation,
        Conditions(), seed=5, sample=3,
    )  # fmt: skip
    for of, stage in zip(die.diodes, chip.stages, strict=True):
        np.testing.assert_array_equal(of, errors_of(stage).k_i - 1)
    assert repr(die).startswith("Die chip 3\n  die  a die of ")
    assert len(die.plot().axes) >= 4
    assert all(b.y > a.y for a, b in pairwise([p.blocks[0] for p in die.plan.layers]))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"chip": -1}, "chip = -1 is out of range: 0 or more"),
        ({"chip": 1, "seed": -1}, "seed = -1 is out of range: 0 or more"),
        ({"chip": None}, "chip = None is of type NoneType: give a whole number"),
    ],
)
def test_a_chip_that_is_none_is_not_mapped(wide, given, sentence):
    with pytest.raises(SettingsError, match=f"^{sentence}$"):
        ak.map_die(wide, **given)
