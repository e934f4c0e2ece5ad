"""Coefficients that are exactly zero: their pairs are left out of the circuit, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from analogkan.compiler.build import load_build, write_build
from analogkan.compiler.counts import element_counts
from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.mapping import map_layer
from analogkan.compiler.verify import verify_build
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine
from analogkan.imperfections import Conditions, Variation
from analogkan.imperfections.make import perturb
from analogkan.network.spec import NetworkSpec
from analogkan.studies.simulate import simulate

from .networks import random_images, random_inputs, random_spec

SPEC = random_spec(4, (6, 5, 3))
IDEAL = Hardware(opamp="ideal", tile_rows=4, tile_cols=4)


def with_zeros(spec: NetworkSpec = SPEC, share: float = 0.5) -> NetworkSpec:
    """``spec`` without a share of its edges."""
    rng, layers = np.random.default_rng(0), []
    for layer in spec.layers:
        kept = rng.random(layer.theta.shape[:2]) >= share
        layers.append(replace(layer, theta=layer.theta * kept[:, :, None]))
    return replace(spec, layers=tuple(layers))


PRUNED = with_zeros()


def cells_of(spec: NetworkSpec) -> int:
    return element_counts(build_design(spec, IDEAL))["crossbar_resistors"]


def test_a_zero_coefficient_has_no_cells_and_a_small_one_has():
    theta = np.array([[[0.0, 1e-9], [0.5, 0.0]]])
    g = map_layer(theta, np.array([0.0, 0.1]), IDEAL).g
    assert (g[:2] == 0).tolist() == [[True, True, False, False], [False, False, True, True]]
    assert (g[2:] > 0).all()  # bias rows, which a dark trim programs


def test_the_deck_lacks_two_resistors_a_zero_and_ngspice_gives_what_software_does(
    ngspice, tmp_path
):
    zeros = sum(int((layer.theta == 0).sum()) for layer in PRUNED.layers)
    assert cells_of(SPEC) - cells_of(PRUNED) == 2 * zeros > 40
    build = write_build(PRUNED, IDEAL, tmp_path / "net.build")
    assert verify_build(build).ok
    summary = simulate(build, random_images(2, 8, 6), run=tmp_path / "run").summary
    assert summary["max_abs_logit_error"] <= 1e-5 * summary["logit_full_scale"]


def test_wires_with_a_resistance_keep_every_crossing():
    wired = build_design(PRUNED, Hardware(r_wire=2.0))
    assert all((stage.g > 0).all() for stage in wired.stages)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("less", r"line o\d_[pn] has no cell at 1 of its rows"),
        ("more", r"its coefficient is zero and has none"),
    ],
)
def test_a_cell_too_few_and_one_too_many_are_found(change, told, tmp_path):
    """What may be missing is told by the network's coefficients, not by the design."""
    build = write_build(PRUNED, IDEAL, tmp_path / "net.build")
    path = build.folder / "layer0.cir"
    text = path.read_text(encoding="utf-8")
    found = re.search(r"^r_(i\d_d\d)_(o\d_[pn]) .*\n", text, re.MULTILINE)
    assert found is not None
    if change == "less":
        text = text.replace(found[0], "")
    else:
        row, own = found[1], re.findall(rf"^r_{found[1]}_(o\d_[pn]) ", text, re.MULTILINE)
        tile = re.search(r"\.subckt l0_tile_0_0\n((?:\+.*\n)+)", text)
        assert tile is not None
        lines = [w for w in tile[1].split() if w.startswith("o")]
        absent = next(line for line in lines if line not in own)
        text = text.replace(found[0], f"{found[0]}r_{row}_{absent} {row} {absent} 4e6 cell\n")
    path.write_text(text, encoding="utf-8", newline="\n")
    findings = verify_build(load_build(build.folder)).findings
    assert any(re.search(told, one) for one in findings), findings


def test_a_design_that_lacks_a_cell_of_a_coefficient_is_found(tmp_path):
    """A design of the pruned network beside the whole one: verification knows which is meant."""
    build = write_build(PRUNED, IDEAL, tmp_path / "net.build")
    other = replace(build, deck=replace(build.one_deck(), spec=SPEC))
    findings = verify_build(other).findings
    assert any("has no cell at" in one for one in findings)
    assert any("g of design.npz is not what the network makes" in one for one in findings)


HARD = {"sigma_g": 0.1, "sigma_g_abs": 0.02, "stuck_min": 0.1, "stuck_max": 0.1, "open_lines": 0.1}


def test_no_imperfection_makes_a_cell_where_there_is_none(ngspice, tmp_path):
    design = build_design(PRUNED, Hardware())
    aged = Conditions(age_s=1e6)
    chip, counted = perturb(
        design, Variation(**HARD, drift_nu=0.02, trim="dark"), aged, spec=PRUNED, seed=0, sample=1
    )
    for stage, made in zip(design.stages, chip.stages, strict=True):
        assert ((made.g == 0) == (stage.g == 0)).all()
    assert 0 < counted["stuck_cells"] < 0.3 * cells_of(PRUNED)
    volts = PRUNED.dac_volts(random_inputs(1, 6, 6))
    index = np.arange(6)
    twin = TwinEngine().logits(chip, volts, index, 26.85)
    circuit = NgspiceEngine(ngspice, tmp_path).logits(chip, volts, index, 26.85)
    assert np.abs(twin - circuit).max() <= 1e-6 * np.abs(circuit).max()
