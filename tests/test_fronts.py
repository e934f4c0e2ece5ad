"""What stands before the diodes, as it is made: squash cells and LayerNorm's parts of chips."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analogkan import cells
from analogkan.cells.squash import NGSPICE_VOLTS, NPN_IS
from analogkan.compiler.build import write_build
from analogkan.compiler.chip import SquashErrors
from analogkan.compiler.design import build_design
from analogkan.compiler.front import build_front, real_squash
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.spice import write_layer
from analogkan.compiler.spice_cells import write_cells
from analogkan.dialects import DIALECTS
from analogkan.engines.calibrate import calibrate
from analogkan.engines.chip_engines import TwinEngine
from analogkan.engines.twin import Twin
from analogkan.errors import SettingsError, SimulationError
from analogkan.imperfections import Conditions, Variation
from analogkan.imperfections.make import perturb, perturb_chain
from analogkan.network.squash import Squash
from analogkan.physics.noise_point import points_of
from analogkan.physics.power_stage import DeckPower

from .benches import bench, solve
from .chips import EVERYTHING, FRONTS, chip, errors_of
from .networks import random_spec
from .outside.algebraic import KIND
from .test_cells import NPN
from .test_chain import of_one
from .test_twin import EXACT, images, worst
from .test_variation import normal

TEMPS = (-40.0, 26.85, 125.0)
SQUASH = [name for name in FRONTS if not name.startswith("norm")]
NORM = [name for name in FRONTS if name.startswith("norm")]
BOTH = random_spec(1, (5, 4, 3), squash="sigmoid", norm="layer")


def made(variation: Variation, spec=BOTH, **hardware: Any):
    return chip(spec, variation, Conditions(), sample=1, **hardware)


def deck(design, temp_c: float = 26.85, **say: Any) -> str:
    layers = [write_layer(design, k, temp_c, **say) for k in range(len(design.stages))]
    return "\n".join([write_cells(design, temp_c=temp_c, **say), *layers])


@pytest.mark.parametrize("temp_c", TEMPS)
@pytest.mark.parametrize(
    ("squash", "norm"), [("sigmoid", "layer"), ("tanh", "batch"), ("clamp", "layer")]
)
def test_with_everything_on_the_twin_is_the_circuit(squash, norm, temp_c, ngspice, tmp_path):
    variation = replace(EVERYTHING, **FRONTS)
    spec = random_spec(2, (6, 5, 4, 3), squash=squash, norm=norm)
    design = chip(spec, variation, sample=2, levels=32, r_wire=5.0)
    assert worst(design, images(12, 6), temp_c, ngspice, tmp_path) < EXACT


@pytest.mark.parametrize("name", FRONTS)
def test_each_by_itself_changes_the_deck_and_the_twin_follows(name, ngspice, tmp_path):
    alone, none = made(Variation(**{name: FRONTS[name]})), made(Variation())
    temp_c, volts, index = 60.0, images(6, 5), np.arange(6)
    assert deck(alone, temp_c) != deck(none, temp_c)
    moved = TwinEngine().logits(alone, volts, index, temp_c)
    before = TwinEngine().logits(none, volts, index, temp_c)
    assert np.abs(moved - before).max() > 1e-5 * np.abs(before).max()
    assert worst(alone, volts, temp_c, ngspice, tmp_path) < EXACT


@pytest.mark.parametrize("name", FRONTS)
def test_zero_changes_no_byte(name):
    off = replace(EVERYTHING, **{name: 0.0})
    assert deck(made(off)) == deck(made(EVERYTHING))
    assert off.document() == EVERYTHING.document()
    assert "norm" not in str(off.document()) and "squash" not in str(off.document())


@pytest.mark.parametrize("squash", ["none", "clamp"])
def test_what_a_network_has_not_is_not_drawn(squash):
    spec = random_spec(1, (5, 4, 3), squash=squash)
    pairs = {name: FRONTS[name] for name in ("pair_sigma", "load_sigma", "tail_sigma", *NORM)}
    assert deck(made(Variation(**pairs), spec)).count("_real") == 0
    volts, index = images(4, 5), np.arange(4)
    found = TwinEngine().logits(made(Variation(**pairs), spec), volts, index, 26.85)
    np.testing.assert_array_equal(
        found, TwinEngine().logits(made(Variation(), spec), volts, index, 26.85)
    )


def test_what_is_drawn_is_normal_with_the_sigma_asked_for():
    spec = random_spec(4, (5, 400, 3), squash="tanh", norm="layer")
    design = build_design(spec, Hardware())
    of, drawn = [], {}
    for m in range(3):
        chip_m, _ = perturb(design, Variation(**FRONTS), Conditions(), spec=spec, seed=0, sample=m)
        of.append(errors_of(chip_m.stages[1]).front)
        assert errors_of(chip_m.stages[0]).front is None  # the first stage's is before the DACs
    for part, sigma in (("pair", 2e-3), ("offset", 2e-3), ("drift", 1e-5)):
        drawn[part] = np.stack([getattr(e.squash, part) for e in of])
        normal(drawn[part], sigma)
    for part, sigma in (("loads", 0.01), ("tail", 0.01)):
        drawn[part] = np.stack([getattr(e.squash, part) - 1 for e in of])
        normal(drawn[part], sigma)
    assert drawn["loads"].shape == (3, 400, 3)
    for part in ("r_mean", "r_square"):
        normal(np.stack([getattr(e.norm, part) - 1 for e in of]), 0.01)
    for part in ("squares", "outputs"):
        groups = [getattr(e.norm, part) for e in of]
        normal(np.stack([e.gain - 1 for e in groups]), 0.01)
        normal(np.stack([e.offset for e in groups]), 2e-3)
        normal(np.stack([e.drift for e in groups]), 1e-5)
    flat = [a.ravel()[:1200] for a in drawn.values()]
    apart = np.abs(np.corrcoef(flat) - np.eye(len(flat))).max()
    assert apart < 4 / np.sqrt(1200)


# ---- what it stands for


def squash_errors(n_loads: int, **given: Any) -> SquashErrors:
    exact: dict[str, Any] = {
        "pair": np.zeros(1), "loads": np.ones((1, n_loads)), "tail": np.ones(1),
        "offset": np.zeros(1), "drift": np.zeros(1), "load_tc1": 0.0, "tail_tc1": 0.0,
    }  # fmt: skip
    return SquashErrors(**exact | given)


def closed(kind: str, v: float, temp_c: float, **given: Any) -> float:
    """Output of a cell of these errors, as the twin has it."""
    hw = Hardware(opamp="ideal")
    front = build_front(Squash(kind=kind, v_lo=0.1, v_hi=0.9, slope=3.0), None, np.ones(1), hw)
    real = real_squash(front, squash_errors(front.squash.cell.n_loads, **given), hw, temp_c)
    params = front.params(front.attenuation, hw) | real.params
    form = front.squash.cell.closed_form
    assert form is not None
    inside = form(np.array([v]) + real.before, params, hw, temp_c, cells.NUMPY)
    return float((inside + real.after)[0])


@pytest.mark.parametrize("temp_c", TEMPS)
def test_a_pair_of_unequal_transistors_is_a_pair_with_volts_between_its_bases(session, temp_c):
    """Of saturation currents in a ratio of 1.1, at any temperature; but for the Early effect of
    these volts, a thousandth of what they do."""
    hw = Hardware(opamp="ideal")
    front = build_front(Squash(kind="sigmoid", v_lo=0.1, v_hi=0.9, slope=3.0), None, np.ones(1), hw)
    p = front.params(float(front.attenuation[0]), hw)
    circuit = bench(
        opamp="opamp_ideal",
        options=f"{NPN.format(bf=100, vaf=50)} temp={temp_c}\n"
        f".model more npn(is={1.1 * NPN_IS} bf=100 vaf=50)",
    )
    circuit.raw_spice += "\n" + "\n".join([
        "v1 base 0 dc -1", f"v2 drive base dc {p['k'] * 0.2:.17g}", "q1 c1 drive tail more",
        "q2 0 base tail npn", f"i1 tail 0 dc {p['itail']:.17g}",
        f"i2 c1 0 dc {p['lo'] / p['rl']:.17g}", f"r1 c1 out {p['rl']:.17g}", "x1 0 c1 out opamp",
    ])  # fmt: skip
    (out,) = solve(session, circuit, "out")
    volts = 300.0 * NGSPICE_VOLTS * np.log(1.1)
    moved = closed("sigmoid", 0.2, temp_c, pair=np.array([volts]))
    assert moved - closed("sigmoid", 0.2, temp_c) > 0.015
    assert out == pytest.approx(moved, abs=2e-5)


def test_three_unequal_loads_of_a_tanh_cell_are_its_load_and_its_middle(session):
    """But for what the pair's bases take: 1 % of what is drawn."""
    hw, loads = Hardware(opamp="ideal"), np.array([1.03, 0.98, 1.005])
    front = build_front(Squash(kind="tanh", v_lo=0.1, v_hi=0.9, slope=3.0), None, np.ones(1), hw)
    p = front.params(float(front.attenuation[0]), hw)
    second, between, first = p["rl"] * loads
    moved = []
    for v in (-0.3, 0.0, 0.2):
        circuit = bench(opamp="opamp_ideal", options=NPN.format(bf=100, vaf=50))
        circuit.raw_spice += "\n" + "\n".join([
            "v1 base 0 dc -1", f"v2 drive base dc {p['k'] * v:.17g}", "q1 c1 drive tail npn",
            "q2 c2 base tail npn", f"i1 tail 0 dc {p['itail']:.17g}", f"r1 c2 second {second:.17g}",
            "x1 0 c2 second opamp", f"r2 second c1 {between:.17g}",
            f"i2 c1 0 dc {p['mid'] / p['rl']:.17g}", f"r3 c1 out {first:.17g}", "x2 0 c1 out opamp",
        ])  # fmt: skip
        (out,) = solve(session, circuit, "out")
        whole = closed("tanh", v, 26.85, loads=loads[None])
        moved.append(abs(whole - closed("tanh", v, 26.85)))
        assert out == pytest.approx(whole, abs=2e-6)
    assert max(moved) > 5e-3


@pytest.mark.parametrize("kind", ["sigmoid", "tanh"])
def test_the_offset_of_a_cells_op_amp_is_that_of_its_output(session, kind):
    """But for the Early effect of the millivolts at the collector; of a tanh cell's last op-amp,
    which has two loads on its node, it is twice that."""
    hw = Hardware(opamp="ideal")
    front = build_front(Squash(kind=kind, v_lo=0.1, v_hi=0.9, slope=3.0), None, np.ones(1), hw)
    params = front.params(float(front.attenuation[0]), hw)
    found = []
    for offset in (0.0, 1e-3):
        circuit = bench(
            opamp=f"opamp_linear gain=1e9 vos={offset:.17g}", options=NPN.format(bf=100, vaf=50)
        )
        circuit.V("1", "in", 0, 0.1)
        circuit.X("1", kind, "in", "out", **params)
        found += solve(session, circuit, "out")
    # Both op-amps of a tanh cell have it here: the first one's takes one of the second's two away.
    assert found[1] - found[0] == pytest.approx(1e-3, rel=0.02)


def test_a_layernorm_of_parts_with_errors_is_what_its_cells_say(session):
    rng = np.random.default_rng(0)
    x, n = rng.normal(0.3, 0.8, 7), 7
    r, rs = 1e4 * rng.normal(1, 0.05, (2, n))
    gains, offsets = rng.normal(1, 0.05, (2, n)), rng.normal(0, 0.02, (2, n))
    circuit = bench()
    for k in range(n):
        circuit.V(k, f"x{k}", 0, float(x[k]))
        own = {"gain": gains[0, k], "vos": offsets[0, k]}
        circuit.X(f"in{k}", "layernorm_input_real", f"x{k}", "mean", "square", r=r[k], rs=rs[k],
                  **own)  # fmt: skip
        own = {"gain": gains[1, k], "vos": offsets[1, k]}
        circuit.X(f"out{k}", "layernorm_output_real", f"x{k}", "mean", "rms", f"y{k}", scale=1.5,
                  shift=0.2, **own)  # fmt: skip
    circuit.X("core", "layernorm_core_real", "square", "rms", eps=1e-3, gain=0.97, vos=-0.01)
    mean, square, *y = solve(session, circuit, "mean", "square", *(f"y{k}" for k in range(n)))
    assert mean == pytest.approx(np.average(x, weights=1 / r), abs=1e-11)
    squares = gains[0] * (x - mean + offsets[0]) ** 2
    assert square == pytest.approx(np.average(squares, weights=1 / rs), rel=1e-10)
    rms = 0.97 / np.sqrt(square - 0.01 + 1e-3)
    wanted = gains[1] * 1.5 * (x - mean + offsets[1]) * rms + 0.2
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-10)


# ---- what goes with it


def test_a_circuit_that_begins_with_cells_has_their_errors_too(ngspice, tmp_path):
    """Held values before a LayerNorm and a sigmoid: the first stage of its circuit has a front."""
    spec = random_spec(3, (5, 6, 4, 3), squash="sigmoid", norm="layer")
    build = write_build(spec, Hardware(), tmp_path / "held.build", most=60)
    link = next(link for link in build.circuit().links if link.section.first)
    design, _ = perturb(
        link.design, Variation(**FRONTS), Conditions(), spec=link.spec, seed=0, sample=0,
        first=link.section.first,
    )  # fmt: skip
    assert errors_of(design.stages[0]).front is not None
    volts = np.random.default_rng(0).normal(0, 0.3, (8, design.stages[0].shape[0]))
    assert worst(design, volts, 60.0, ngspice, tmp_path) < EXACT


def test_chips_together_are_chips_one_by_one_and_can_be_differentiated():
    chips = [chip(BOTH, Variation(**FRONTS), Conditions(), sample=m) for m in range(3)]
    volts = torch.from_numpy(images(4, 5).T[None].copy()).requires_grad_()
    together = Twin(chips, 50.0).logits(volts)
    for design, found in zip(chips, together, strict=True):
        alone = Twin([design], 50.0).logits(volts)[0]
        np.testing.assert_allclose(found.detach(), alone.detach(), rtol=0, atol=1e-12)
    together.square().sum().backward()
    assert volts.grad is not None and torch.isfinite(volts.grad).all() and volts.grad.any()


def test_calibration_takes_out_what_it_can():
    design = chip(BOTH, Variation(**FRONTS), Conditions(), sample=1)
    volts, index = images(100, 5), np.arange(100)
    wanted = BOTH.forward_volts(volts)
    errors = [
        np.abs(TwinEngine().logits(one, volts, index, 26.85) - wanted).mean()
        for one in (design, calibrate(design, BOTH, volts, index, 26.85)[0])
    ]
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("name", [name for name in DIALECTS.kinds if name != "ngspice"])
def test_every_dialect_says_it(name):
    spec = random_spec(1, (5, 4, 3), squash="clamp", norm="layer")
    on, say = made(Variation(**FRONTS), spec), DIALECTS.kinds[name]
    text = deck(on, say=say)
    assert text.count("layernorm_input_real") >= 4
    assert "l1_v0_in" in text and "l1_v0_out" in text


# ---- what is refused


def test_a_cell_from_outside_takes_offsets_and_refuses_loads_it_does_not_tell_of(
    own_plugins, ngspice, tmp_path
):
    cells.register(KIND)
    spec = random_spec(3, (6, 5, 3), squash="algebraic")
    design = chip(spec, Variation(**FRONTS), Conditions())  # it has no transistors and no load
    assert worst(design, images(6, 6), 60.0, ngspice, tmp_path) < EXACT
    cells.unregister("algebraic")
    cells.register(replace(KIND, models=("npn",)))
    for name in ("load_sigma", "tail_tc1"):
        with pytest.raises(SettingsError, match=(
            rf"^{name} = {FRONTS[name]:g} is of the loads and tails of squash cells, and the cell "
            rf"algebraic declares no varied to say what they do to it: set {name} to 0$"
        )):  # fmt: skip
            chip(spec, Variation(**{name: FRONTS[name]}), Conditions())
    made = chip(spec, Variation(pair_sigma=2e-3, squash_offset_sigma=1e-3), Conditions())
    assert worst(made, images(6, 6), 60.0, ngspice, tmp_path) < EXACT


def test_a_coefficient_that_leaves_no_load_is_refused():
    with pytest.raises(SimulationError, match=(
        r"^at 526.85 degC load_tc1 makes the sigmoid cells' loads -1.5 times as large, which must "
        r"stay above 0: choose a smaller one, or another temperature$"
    )):  # fmt: skip
        Twin([made(Variation(load_tc1=-5e-3))], 526.85)


def test_what_does_not_know_of_it_refuses_it():
    design = made(Variation(pair_sigma=1e-3))
    words = "is not worked out of chips with squash or LayerNorm cells of errors of their own"
    with pytest.raises(SimulationError, match=f"^power {words}: leave that out$"):
        DeckPower(design, 26.85)
    with pytest.raises(SimulationError, match=f"^noise {words}: leave that out$"):
        points_of(design, images(2, 5))


def test_paths_are_those_of_the_library():
    """Cells with errors stand beside the shipped ones, which nominal decks keep."""
    assert "_real" not in deck(build_design(BOTH, Hardware()))
    for part in ("input", "core", "output"):
        kind = cells.find(f"layernorm_{part}_real")
        assert kind is not None and Path(kind.path).is_file()


@pytest.mark.parametrize(
    ("squash", "norm", "settings", "sentence"),
    [
        ("clamp", "layer", {"pair_sigma": 1e-3}, "pair_sigma = 0.001 is of a squash cell with a "
         "transistor pair, and the network has none: leave pair_sigma out"),
        ("clamp", "batch", {"load_tc1": -1e-3}, "load_tc1 = -0.001 is of a squash cell with a tr"),
        ("none", "none", {"squash_offset_sigma": 0.01}, "squash_offset_sigma = 0.01 is of a squash "
         "cell, and the network has none: leave squash_offset_sigma out"),
        ("sigmoid", "batch", {"norm_r_sigma": 0.01}, "norm_r_sigma = 0.01 is of a LayerNorm, and"),
    ],
)  # fmt: skip
def test_a_study_refuses_errors_of_parts_that_its_network_has_not(squash, norm, settings, sentence):
    spec = random_spec(1, (5, 4, 3), squash=squash, norm=norm)
    chain = of_one(spec, build_design(spec, Hardware()))
    given = {"seed": 0, "sample": 1}
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}"):
        perturb_chain(chain, Variation(**settings), Conditions(), **given)
    perturb_chain(of_one(BOTH, build_design(BOTH, Hardware())), Variation(**FRONTS), Conditions(),
                  **given)  # fmt: skip
