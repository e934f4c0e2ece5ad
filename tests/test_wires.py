"""Wires: the reduction against scipy's sparse LU, the reduced deck against every segment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from analogkan.compiler import halves, kron
from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.counts import element_counts
from analogkan.compiler.design import build_design
from analogkan.compiler.forecast import expected_cost
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.kron import reduce_tile
from analogkan.compiler.verify import verify_build
from analogkan.compiler.wire_currents import WiredCells
from analogkan.compiler.wires import forecast, kept, wire_layer
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.errors import SettingsError
from analogkan.imperfections import Variation

from .chips import EVERYTHING, OLD, chip
from .networks import random_spec


def by_elimination(g: np.ndarray, g_wire: float) -> np.ndarray:
    """The (R + C, R + C) port admittance of a tile ``g`` (R, C): every node, then splu."""
    rows, cols = g.shape
    inner = 2 * rows * cols
    w = np.arange(rows * cols).reshape(rows, cols)
    b, entry, foot = w + rows * cols, inner + np.arange(rows), inner + rows + np.arange(cols)
    parts = [
        (entry, w[:, 0], g_wire),
        (w[:, :-1], w[:, 1:], g_wire),
        (b[:-1], b[1:], g_wire),
        (b[-1], foot, g_wire),
        (w, b, g),
    ]
    a = np.concatenate([np.ravel(p[0]) for p in parts])
    c = np.concatenate([np.ravel(p[1]) for p in parts])
    x = np.concatenate([np.broadcast_to(p[2], np.shape(p[0])).ravel() for p in parts])
    n = inner + rows + cols
    at = (np.concatenate([a, c, a, c]), np.concatenate([a, c, c, a]))
    matrix = sp.coo_matrix((np.concatenate([x, x, -x, -x]), at), shape=(n, n)).tocsc()
    to_ports = matrix[:inner, inner:]
    found = splu(matrix[:inner, :inner]).solve(to_ports.toarray())
    return matrix[inner:, inner:].toarray() - to_ports.T @ found


@pytest.mark.parametrize(
    ("rows", "cols", "g_max", "r"),
    [(1, 1, 1e-4, 1.0), (2, 3, 1e-4, 1.0), (64, 64, 1e-4, 1.0), (64, 64, 25e-6, 0.1),
     (20, 30, 1e-4, 100.0), (200, 10, 1e-3, 10.0), (3, 50, 1e-3, 1e3)],
)  # fmt: skip
def test_a_reduced_tile_is_what_sparse_elimination_leaves(rows, cols, g_max, r):
    g = np.random.default_rng(0).uniform(1e-6, g_max, (rows, cols))
    wanted = by_elimination(g, 1 / r)
    ports = reduce_tile(g, 1 / r, entries=True)
    assert ports.entries is not None
    np.testing.assert_allclose(ports.g, -wanted[:rows, rows:], rtol=1e-12)
    # The reference takes small differences of the segments' conductance.
    cancelled = 1e-14 * rows / r
    np.testing.assert_allclose(ports.feet, wanted[rows:, rows:], rtol=1e-12, atol=cancelled)
    np.testing.assert_allclose(ports.entries, wanted[:rows, :rows], rtol=1e-12, atol=cancelled)


def test_tiles_are_reduced_together_as_one_by_one():
    g = np.random.default_rng(1).uniform(1e-6, 1e-4, (3, 9, 7))
    together = reduce_tile(g, 1.0)
    for k in range(3):
        alone = reduce_tile(g[k], 1.0)
        np.testing.assert_array_equal(together.g[k], alone.g)
        np.testing.assert_array_equal(together.feet[k], alone.feet)


def test_a_tile_is_the_same_beside_stronger_ones():
    rng = np.random.default_rng(2)
    g = rng.uniform(1e-6, 1e-4, (4, 40, 64)) * np.array([1.0, 1e3, 0.1, 1e-6])[:, None, None]
    together = reduce_tile(g, 0.1, entries=True)
    for k in range(4):
        alone = reduce_tile(g[k], 0.1, entries=True)
        np.testing.assert_array_equal(together.g[k], alone.g)
        np.testing.assert_array_equal(together.feet[k], alone.feet)
        assert together.entries is not None
        np.testing.assert_array_equal(together.entries[k], alone.entries)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 37), (2, 50), (33, 57), (40, 64), (64, 20), (129, 9)]
)
@pytest.mark.parametrize("strength", [1e-6, 1e-2, 1.0, 29.0])
def test_by_halves_a_tile_is_what_it_is_row_by_row(shape, strength, monkeypatch):
    rng = np.random.default_rng(3)
    g = rng.uniform(0.01, 1.0, shape) * (rng.random(shape) > 0.2)
    g *= strength / max(1, max(shape) // 2) ** 2 / 4
    found = reduce_tile(g, 1.0, entries=True)
    monkeypatch.setattr(kron, "STRONG", -1.0)
    wanted = reduce_tile(g, 1.0, entries=True)
    assert found.g.tobytes() != wanted.g.tobytes() or g.size == 1  # two ways
    most = g.sum()
    for name in ("g", "feet", "entries"):
        one, other = getattr(found, name), getattr(wanted, name)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-17 * most)


@pytest.mark.parametrize("strength", [1e-3, 1.0, 1e3])
def test_no_loop_between_blocks_is_above_its_bound(strength, monkeypatch):
    seen = []

    def inverse(m, most):
        seen.append(np.linalg.norm(m, 2, axis=(-2, -1)).max() / most)
        return np.linalg.inv(np.eye(m.shape[-1]) - m)

    monkeypatch.setattr(halves, "_inverse", inverse)
    y = np.random.default_rng(6).uniform(0.9, 1.0, (1, 24, 40)) * strength
    halves.by_halves(y, strength)
    assert 0.05 < max(seen) <= 1 or strength > 1  # near it where wires take little
    assert max(seen) <= 1


def test_where_wires_keep_most_a_tile_is_reduced_row_by_row(monkeypatch):
    monkeypatch.setattr(kron, "by_halves", None)
    g = np.random.default_rng(4).uniform(1e-6, 1e-3, (33, 57))
    assert (reduce_tile(g, 0.01).g > 0).all()
    with pytest.raises(TypeError):
        reduce_tile(g, 1.0)


@pytest.mark.parametrize(
    "more",
    [{}, {"r_driver": 30.0}, {"tile_rows": 7, "tile_cols": 4}, {"tile_rows": 9, "r_driver": 5.0},
     {"r_wire": 60.0}],
)  # fmt: skip
def test_what_wired_cells_carry_is_what_their_reduction_says(more):
    hardware = Hardware(**{"r_wire": 2.0, "g_max": 1e-4, "g_min": 1e-6, **more})
    rng = np.random.default_rng(5)
    g = rng.uniform(1e-6, 1e-4, (25, 10))
    cells, layer = WiredCells(g, hardware), wire_layer(g, hardware)
    for _ in range(3):  # from what was found last on
        rows, nodes = rng.normal(size=25), 1e-3 * rng.normal(size=10)
        wanted = rows @ layer.g - layer.feet @ nodes
        np.testing.assert_allclose(cells.into(rows, nodes), wanted, rtol=1e-12, atol=1e-18)
    g[5:] *= 0.5  # as programming changes them
    layer = wire_layer(g, hardware)
    wanted = rows @ layer.g - layer.feet @ nodes
    np.testing.assert_allclose(cells.into(rows, nodes), wanted, rtol=1e-12, atol=1e-18)


def test_what_wires_leave_is_what_was_published_of_this_size():
    """Shares of the current, cells uniform from 1 uS, 1 ohm a segment, seed 0 (circuit notes)."""
    rng = np.random.default_rng(0)
    for rows, cols, g_max, share in ((64, 64, 100e-6, 0.88), (588, 128, 100e-6, 0.21)):
        g = rng.uniform(1e-6, g_max, (rows, cols))
        assert reduce_tile(g, 1.0).g.sum() / g.sum() == pytest.approx(share, abs=0.005)


def test_conductances_between_ports_are_none_of_them_negative():
    g = np.random.default_rng(2).uniform(1e-6, 1e-4, (40, 24))
    ports = reduce_tile(g, 1.0, entries=True)
    assert ports.entries is not None
    assert (ports.g > 0).all()
    for matrix in (ports.feet, ports.entries):
        assert (matrix[~np.eye(len(matrix), dtype=bool)] < 0).all()
    np.testing.assert_allclose(ports.feet.sum(axis=1), ports.g.sum(axis=0), rtol=1e-9)


def test_a_layer_of_tiles_with_drivers_is_one_circuit():
    rng = np.random.default_rng(3)
    hardware = Hardware(r_wire=5.0, tile_rows=4, tile_cols=6, r_driver=70.0, g_max=1e-4)
    g = rng.uniform(1e-6, 1e-4, (10, 8))
    found = wire_layer(g, hardware, 26.85)
    # All of it by nodal analysis: entries of a row joined, a driver before them.
    matrix = np.zeros((18, 18))
    for r in range(0, 10, 4):
        for c in range(0, 8, 6):
            tile = g[r : r + 4, c : c + 6]
            at = np.concatenate([np.arange(r, r + len(tile)), 10 + np.arange(c, c + len(tile[0]))])
            matrix[np.ix_(at, at)] += by_elimination(tile, 1 / 5.0)
    entries, feet = slice(0, 10), slice(10, 18)
    solved = np.linalg.inv(matrix[entries, entries] + np.eye(10) / 70.0)
    np.testing.assert_allclose(found.g, -solved / 70.0 @ matrix[entries, feet], rtol=1e-10)
    wanted = matrix[feet, feet] - matrix[feet, entries] @ solved @ matrix[entries, feet]
    np.testing.assert_allclose(found.feet, wanted, rtol=1e-10, atol=1e-14)


LOGITS = 1e-8
"""Of full scale: what ngspice's own tolerances leave between two decks of one circuit."""


@pytest.mark.parametrize("temp_c", [26.85, 85.0])
@pytest.mark.parametrize(
    "wires",
    [
        {"r_wire": 1.0},
        {"r_wire": 10.0, "tile_rows": 8, "tile_cols": 8},
        {"r_wire": 10.0, "tile_rows": 8, "tile_cols": 8, "r_driver": 50.0},
        {"r_wire": 10.0, "tile_rows": 8, "tile_cols": 8, "wire_tc1": 1e-3},
        {"r_wire": 10.0, "tile_rows": 16, "tile_cols": 4, "opamp": "rails"},
        {"r_wire": 0.0, "tile_rows": 8, "tile_cols": 8, "r_driver": 500.0},
    ],
)
def test_reduced_explicit_and_the_twin_are_one_circuit(wires, temp_c, ngspice, tmp_path):
    """With everything else on too: offsets among it, which see the resistors between feet."""
    spec = random_spec(1, (20, 15, 5))
    volts = np.random.default_rng(0).integers(0, 256, (6, 20)) / 255 * 0.7
    index, engine = np.arange(6), NgspiceEngine(ngspice, tmp_path)
    given = {"levels": 32, "g_max": 1e-4, "g_min": 1e-6, **wires}
    found = [
        engine.logits(chip(spec, EVERYTHING, OLD, **given, wires=how), volts, index, temp_c)
        for how in ("reduced", "explicit")
    ]
    twin = TwinEngine().logits(chip(spec, EVERYTHING, OLD, **given), volts, index, temp_c)
    scale = np.abs(twin).max()
    assert np.abs(found[0] - found[1]).max() < LOGITS * scale
    assert np.abs(twin - found[1]).max() < LOGITS * scale
    without = chip(spec, EVERYTHING, OLD, levels=32, g_max=1e-4, g_min=1e-6)
    ideal = TwinEngine().logits(without, volts, index, temp_c)
    assert np.abs(ideal - twin).max() > 1e-3 * scale


def test_explicit_wires_of_no_resistance_are_no_wires(tmp_path):
    spec = random_spec(1, (20, 15, 5))
    write_build(spec, Hardware(), tmp_path / "a")
    write_build(spec, Hardware(wires="explicit"), tmp_path / "b")
    for name in ("layer0.cir", "layer1.cir"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("wires", ["reduced", "explicit"])
def test_drivers_without_wires_are_verified(wires, tmp_path):
    hardware = Hardware(r_driver=300.0, wires=wires, tile_rows=8, tile_cols=4)
    build = write_build(random_spec(1, (20, 15, 5)), hardware, tmp_path / "d.build")
    found = verify_build(build)
    assert found.ok, found.sentence()
    deck = tmp_path / "d.build" / "layer0.cir"
    text = deck.read_text(encoding="utf-8")
    line = next(x for x in text.splitlines() if x.startswith("r_") and len(x.split()) in (4, 5))
    words = line.split()
    words[3] = repr(float(words[3]) * 1.001)
    deck.write_text(text.replace(line, " ".join(words)), encoding="utf-8")
    assert not verify_build(load_build(tmp_path / "d.build")).ok


def test_a_dark_trim_sees_the_wires():
    spec = random_spec(3, (30, 20, 5))
    variation = Variation(sigma_g=0.05, offset_sigma=1e-3, trim="dark")
    given = {"r_wire": 20.0, "g_max": 1e-4, "g_min": 1e-6, "tile_rows": 16, "tile_cols": 8}
    design = chip(spec, variation, **given, max_bias_rows=16)
    import torch

    from analogkan.engines.twin import Twin, interpolate

    twin = Twin([design])
    stage, layer = twin.stages[0], spec.folded().layers[0]
    dark = interpolate(stage.x, stage.r, torch.zeros(*stage.x.shape[:3], 1, dtype=torch.float64))
    out = twin.outputs(stage, dark.flatten(1, 2), None)[0, :, 0].numpy()
    wanted = layer.respond(np.zeros((1, 30)))[0] * design.stages[0].unit
    np.testing.assert_allclose(out, wanted, atol=1e-7)


def test_compile_says_what_wires_take_and_what_would_take_less():
    spec = random_spec(3, (60, 40, 30))
    design = build_design(spec, Hardware(r_wire=50.0))
    lost = [note for note in design.notes if "wires leave" in note]
    assert len(lost) == 2
    assert " x " in lost[0] and "half the g_max" in lost[0]
    here = kept(design.stages[0].g, design.hardware)
    assert f"wires leave {100 * here:.1f} % of the crossbar's current" in lost[0]
    fine = forecast(0, design.stages[0].g, replace(design.hardware, r_wire=1e-3))
    assert fine.endswith("% of the crossbar's current")
    assert not any("wires" in note for note in build_design(spec, Hardware()).notes)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"r_wire": -1.0}, "r_wire = -1.0 is out of range: 0 (none), or 1e-09 to 10000 ohm a"),
        ({"r_wire": 1e-10}, "r_wire = 1e-10 is out of range: 0 (none), or 1e-09 to 10000 ohm a"),
        ({"r_driver": -1.0}, "r_driver = -1.0 is out of range: 0 (none), or 1e-09 to 100000"),
        ({"tile_rows": 1}, "tile_rows = 1 is out of range: 2 to 65536"),
        ({"wires": "some"}, "wires = 'some' is out of range: reduced or explicit"),
    ],
)
def test_wires_that_are_none_are_refused(given, sentence):
    with pytest.raises(SettingsError) as caught:
        Hardware(**given)
    assert str(caught.value).startswith(sentence)


def test_an_explicit_deck_is_forecast_as_it_was_measured():
    spec = random_spec(2, (64, 32, 4))

    def seconds(**settings) -> float:
        design = build_design(spec, Hardware(r_wire=1.0, wires="explicit", **settings))
        cost = expected_cost(design)
        cells = element_counts(design)["crossbar_resistors"]
        assert cost["memory_megabytes"] == round(20 + 6600 * cells / 1e6)
        return cost["seconds_per_image"] / cells

    small, large = {"tile_rows": 16, "tile_cols": 16}, {"tile_rows": 128, "tile_cols": 32}
    assert seconds(**small) < seconds(**large)
    assert seconds(**large) < seconds(**large, r_driver=20.0)
    plain = expected_cost(build_design(spec, Hardware(r_wire=1.0)))
    cells = element_counts(build_design(spec, Hardware()))["crossbar_resistors"]
    assert plain["seconds_per_image"] == pytest.approx(2.2e-7 * cells, rel=0.05)
