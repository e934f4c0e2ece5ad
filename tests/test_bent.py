"""Cells that are no resistors, and access devices in series with them: deck, twin, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import analogkan as ak
from analogkan.compiler.build import write_build
from analogkan.compiler.cell_law import CellLaw
from analogkan.compiler.circuit_files import write_circuit
from analogkan.compiler.hardware import Hardware
from analogkan.dialects import VACASK
from analogkan.engines.chip_engines import TwinEngine
from analogkan.engines.twin import Twin
from analogkan.errors import CompileError, SettingsError, SimulationError
from analogkan.imperfections import Variation
from analogkan.physics.power_stage import DeckPower

from .chips import EVERYTHING, chip, errors_of
from .networks import random_images, random_spec
from .test_heat import TEMPERATURES, heated
from .test_twin import EXACT, images, worst

LAWS = {
    "sinh": {"cell_v0": 0.25},
    "sinh read at 0.2 V": {"cell_v0": 0.25, "cell_v_read": 0.2},
    "cubic": {"cell_b3": 0.6},
    "resistor": {"r_access": 2e3, "access_sigma": 0.1},
    "transistor": {"r_access": 2e3, "access_sigma": 0.1, "access_v_ov": 1.0},
    "sinh and transistor": {"cell_v0": 0.3, "r_access": 1e3, "access_v_ov": 0.8},
    "sinh and cubic": {"cell_v0": 0.3, "cell_b3": 0.5, "cell_v_read": 0.1},
    "cubic and resistor": {"cell_b3": 0.4, "r_access": 1e3},
}


def everything(**more: float) -> Variation:
    """Every imperfection that cells which bend go with, and the dark trim."""
    return Variation(**EVERYTHING.document() | more)


@pytest.mark.parametrize("temp_c", TEMPERATURES)
@pytest.mark.parametrize("law", list(LAWS))
def test_the_twin_is_the_circuit(law, temp_c, ngspice, tmp_path):
    spec = random_spec(3, (6, 5, 4))
    design = chip(spec, everything(**LAWS[law]), levels=32)
    assert worst(design, images(8, 6), temp_c, ngspice, tmp_path) < EXACT


@pytest.mark.parametrize(
    ("squash", "norm", "hardware"),
    [
        ("sigmoid", "layer", {}),
        ("none", "batch", {"opamp": "rails"}),
        ("none", "none", {"readout": "summing"}),
        ("none", "none", {"opamp_gain": 300.0}),
    ],
)
def test_so_it_is_in_every_circuit_warm_or_not(squash, norm, hardware, ngspice, tmp_path):
    spec = random_spec(3, (6, 5, 4), squash=squash, norm=norm)
    for law in ("sinh", "transistor"):
        design = chip(spec, everything(**LAWS[law]), **hardware)
        assert worst(design, images(6, 6), 85.0, ngspice, tmp_path) < EXACT
        assert worst(heated(design), images(6, 6), 85.0, ngspice, tmp_path) < EXACT


@pytest.mark.parametrize("law", list(LAWS))
def test_a_dark_trim_measures_what_they_give(law):
    spec = random_spec(3, (4, 3))
    design = chip(spec, Variation(sigma_g=0.05, trim="dark", **LAWS[law]), opamp_gain=1e5)
    dark = np.zeros((1, 4))
    found = TwinEngine().logits(design, dark, np.arange(1), 26.85)
    np.testing.assert_allclose(found, spec.forward_volts(dark), atol=1e-7)


def test_each_law_changes_the_deck_and_the_answers():
    spec = random_spec(3, (4, 3))
    volts, index = images(5, 4), np.arange(5)
    plain = chip(spec, Variation(sigma_g=0.05))
    before = TwinEngine().logits(plain, volts, index, 26.85)
    for law, settings in LAWS.items():
        design = chip(spec, Variation(sigma_g=0.05, **settings))
        assert write_circuit(design)["layer0.cir"] != write_circuit(plain)["layer0.cir"], law
        after = TwinEngine().logits(design, volts, index, 26.85)
        assert np.abs(after - before).max() > 1e-3 * np.abs(before).max(), law


def test_of_all_at_zero_nothing_is_said():
    spec = random_spec(3, (4, 3))
    plain = chip(spec, Variation(sigma_g=0.05))
    off = chip(spec, Variation(sigma_g=0.05, **dict.fromkeys(LAWS["transistor"], 0.0)))
    assert write_circuit(off) == write_circuit(plain)
    assert errors_of(off.stages[0]).law is None


@pytest.mark.parametrize("v_0", [0.0, 0.25])
@pytest.mark.parametrize("b_3", [0.0, 0.7])
@pytest.mark.parametrize("v_read", [0.0, 0.2])
def test_the_sum_of_products_is_the_law(v_0, b_3, v_read):
    made = CellLaw(v_0=v_0, b_3=b_3, v_read=v_read)
    v, s = np.linspace(-0.6, 0.1, 50)[:, None], np.linspace(-0.02, 0.02, 9)
    parts = zip(made.of_rows(v, np), made.of_node(s, np), strict=True)
    np.testing.assert_allclose(sum(a * b for a, b in parts), made.current(v - s, np), atol=1e-14)
    assert made.current(made.v_read or 1e-9, np) == pytest.approx(made.v_read or 1e-9)


def test_a_cell_and_its_resistor_are_one_resistor():
    g, r = np.array(25e-6), 4e3
    law = CellLaw(access=np.array(r))
    found = law.through(g, np.linspace(-0.5, 0.1, 7), 0.001, 26.85)
    np.testing.assert_allclose(found, (np.linspace(-0.5, 0.1, 7) - 0.001) / (1 / g + r), rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"cell_v0": 0.01},
            r"0 to 100 V, not below 0\.05 unless 0",
        ),
        (
            {"r_access": 1e3, "dead_amplifiers": 0.01},
            "set dead_amplifiers to 0, or cell_v0, cell_b3 and r_access$",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, said):
    with pytest.raises(SettingsError, match=said):
        Variation(**settings)


def test_what_has_no_closed_form_is_refused():
    spec, bent = random_spec(3, (4, 3)), Variation(cell_v0=0.25)
    wired = chip(spec, bent, r_wire=1.0)
    said = r"cells that bend with wires have no closed form \(r_wire = 1 ohm, r_driver = 0 ohm\)"
    with pytest.raises(SimulationError, match=said):
        TwinEngine().logits(wired, images(2, 4), np.arange(2), 26.85)
    with pytest.raises(SimulationError, match=said):
        write_circuit(wired)
    design = chip(spec, bent)
    with pytest.raises(CompileError, match="cells that bend are written for ngspice alone"):
        write_circuit(design, say=VACASK)
    with pytest.raises(SimulationError, match="power is not worked out of chips with cells that"):
        DeckPower(design, 26.85)
    weak = CellLaw(access=np.array(1e6), v_ov=0.1)
    with pytest.raises(SimulationError, match=r"leaves its triode region: access_v_ov = 0\.1 V"):
        weak.through(np.array(25e-6), 0.5, 0.0, 26.85)
    with pytest.raises(SimulationError, match="are written up to 1 V, 2 v_fs: set opamp=rails"):
        CellLaw(v_0=0.25).require_reach(-1.2, 0.0, 1.0)


@pytest.mark.parametrize("name", ["cell_v0", "cell_b3", "r_access"])
def test_a_study_with_wires_refuses_them_before_it_begins(name, tmp_path):
    build = write_build(random_spec(3, (4, 3)), Hardware(r_driver=10.0), tmp_path / "b.build")
    sentence = (
        rf"^{name} = 1 and wires \(r_wire = 0 ohm, r_driver = 10 ohm\) have no closed form "
        rf"together: set r_wire and r_driver to 0, or {name}$"
    )
    with pytest.raises(SettingsError, match=sentence):
        ak.montecarlo(
            build, random_images(2, 4, 4), samples=1, preset="nominal", variation={name: 1.0},
            out=tmp_path / "run",
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_answers_of_cells_that_bend_can_be_differentiated():
    design = chip(random_spec(3, (5, 4, 3)), Variation(cell_v0=0.25))
    volts = torch.from_numpy(images(4, 5).T[None].copy()).requires_grad_()
    Twin([design], 50.0).logits(volts).square().sum().backward()
    assert volts.grad is not None and torch.isfinite(volts.grad).all() and volts.grad.any()
