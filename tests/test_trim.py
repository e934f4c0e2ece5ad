"""The dark trim as a chip has it: at its levels, with errors of programming, round by round."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from analogkan.compiler import kron, wire_currents, wires
from analogkan.compiler.build import write_build
from analogkan.compiler.design import Design, build_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.wire_currents import WiredCells
from analogkan.engines.twin import Twin, interpolate
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import StudyError
from analogkan.imperfections import Conditions, Variation, real_trim
from analogkan.imperfections.make import perturb
from analogkan.imperfections.real_trim import nearest_state
from analogkan.studies import sweep as studies_sweep
from analogkan.studies.montecarlo import montecarlo
from analogkan.studies.options import StudyOptions
from analogkan.studies.sweep import sweep

from .chips import EVERYTHING, errors_of
from .networks import random_images, random_spec
from .test_variation import SPEC, normal

REAL = Variation(
    sigma_g=0.05, diode_sigma_current=0.05, offset_sigma=1e-3, line_sigma=0.002, trim="dark-real"
)


def made(variation: Variation = REAL, sample: int = 0, **hardware: Any) -> tuple[Design, dict]:
    given: dict[str, Any] = {"levels": 32} | hardware
    design = build_design(SPEC, Hardware(**given))
    return perturb(design, variation, Conditions(), spec=SPEC, seed=0, sample=sample)


def missing(design: Design) -> list[np.ndarray]:
    """Siemens (O,) that each stage's pairs lack in the dark, by the twin."""
    found = []
    layers = SPEC.folded().layers
    for stage, chip, layer in zip(Twin([design]).stages, design.stages, layers, strict=True):
        n_in, _, n_dev = chip.shape
        dark = interpolate(stage.x, stage.r, torch.zeros(1, n_in, n_dev, 1, dtype=torch.float64))
        out = Twin([design]).outputs(stage, dark.flatten(1, 2), None)[0, :, 0].numpy()
        wanted = layer.respond(np.zeros((1, n_in)))[0] * chip.unit
        found.append((wanted - out) / (design.hardware.v_fs * chip.r_c[0::2] * chip.gain))
    return found


def bias_cells(design: Design) -> np.ndarray:
    return np.concatenate([s.g[s.r_f.size :].ravel() for s in design.stages])


def step(hardware: Hardware) -> float:
    assert isinstance(hardware.levels, int)
    return (hardware.g_max - hardware.g_min) / (hardware.levels - 1)


@pytest.mark.parametrize("hardware", [{}, {"r_wire": 5.0}, {"readout": "summing"}, {"levels": 8}])
def test_outputs_end_within_half_a_step_and_mostly_far_within(hardware):
    design, counts = made(**hardware)
    untrimmed, _ = made(replace(REAL, trim="none"), **hardware)
    left = np.abs(np.concatenate(missing(design)))
    before = np.abs(np.concatenate(missing(untrimmed)))
    assert counts["trim_saturated"] == int((left > step(design.hardware) / 2).sum()) <= 1
    assert np.median(left) < (0.3 if "levels" in hardware else 0.1) * np.median(before)
    differ = int((bias_cells(design) != bias_cells(untrimmed)).sum())
    assert 0 < differ <= counts["trim_written"] <= 3 * bias_cells(design).size


def test_what_is_written_is_a_state_of_the_cell():
    exact = replace(REAL, sigma_g=0.0)
    for levels in (4, 32, "e24"):
        design, counts = made(exact, levels=levels)
        cells = bias_cells(design)
        np.testing.assert_allclose(nearest_state(cells, design.hardware), cells, rtol=1e-12)
        assert counts["trim_written"] > 0


def test_what_is_written_errs_as_cells_do():
    """Levels are so far apart that a cell's tells which it was to be."""
    variation = replace(REAL, sigma_g=0.01)
    found = []
    for sample in range(6):
        design, _ = made(variation, sample, levels=8)
        before, _ = made(replace(variation, trim="none"), sample, levels=8)
        g = bias_cells(design)
        g = g[g != bias_cells(before)]
        found.append(g / nearest_state(g, design.hardware) - 1)
    normal(np.concatenate(found), 0.01)


def test_a_write_draws_anew_every_time_and_verification_holds_it():
    one, two = (bias_cells(made(sample=m)[0]) for m in (0, 1))
    again = bias_cells(made()[0])
    np.testing.assert_array_equal(one, again)
    assert (one != two).any()
    held = replace(REAL, sigma_g=0.01, verify_window=0.005, verify_tries=100)
    design, counts = made(held, levels=8)
    g = bias_cells(design)
    assert np.abs(g / nearest_state(g, design.hardware) - 1).max() <= 0.005
    assert counts["unverified_cells"] == 0


def test_without_levels_and_errors_it_is_the_exact_one():
    design, counts = made(replace(REAL, sigma_g=0.0), levels=0)
    assert np.abs(np.concatenate(missing(design))).max() < 1e-6 * design.hardware.g_max
    assert counts["trim_saturated"] == 0


def test_stuck_cells_stay_and_what_cannot_be_reached_is_counted():
    stuck = replace(EVERYTHING, stuck_max=0.2, open_lines=0.05, trim="dark-real", drift_nu=0.0,
                    drift_nu_sigma=0.0)  # fmt: skip
    design, counts = made(stuck)
    before, _ = made(replace(stuck, trim="none"))
    for a, b in zip(design.stages, before.stages, strict=True):
        still = errors_of(a).stuck
        np.testing.assert_array_equal(a.g[still], b.g[still])
        assert (a.g[~still] != b.g[~still]).any()
    left = np.abs(np.concatenate(missing(design)))
    assert counts["trim_saturated"] == int((left > step(design.hardware) / 2).sum()) > 0


def test_it_lowers_errors_in_the_light_nearly_as_the_exact_one_does():
    images = np.random.default_rng(0).uniform(0, 0.7, (50, 60))
    wanted = SPEC.forward_volts(images)[None]
    rms = {}
    for trim in ("none", "dark", "dark-real"):
        chips = [made(replace(REAL, trim=trim), sample=m)[0] for m in range(6)]
        found = Twin(chips).logits(Inputs.of(images)).numpy().transpose(0, 2, 1)
        rms[trim] = float(np.sqrt(np.mean((found - wanted) ** 2)))
    assert rms["dark-real"] < 0.5 * (rms["none"] + rms["dark"])


def test_a_layer_without_bias_rows_is_left_as_it_is():
    spec = random_spec(3, (5, 4, 3))
    layers = tuple(replace(layer, bias=np.zeros_like(layer.bias)) for layer in spec.layers)
    bare = replace(spec, layers=layers)
    design = build_design(bare, Hardware(levels=32))
    assert [stage.n_bias for stage in design.stages] == [0, 0]
    chip, counts = perturb(design, REAL, Conditions(), spec=bare, seed=0, sample=0)
    assert counts["trim_written"] == 0 and np.isfinite(chip.stages[0].g).all()


@pytest.mark.parametrize("trim", ["none", "dark"])
def test_only_such_chips_count_what_was_written(trim):
    assert "trim_written" not in made(replace(REAL, trim=trim))[1]


def test_runs_of_before_presets_had_it_are_refused_and_not_mixed(tmp_path, monkeypatch):
    build = write_build(random_spec(3, (5, 4, 3)), Hardware(), tmp_path / "net.build")
    images = random_images(2, 10, 5)
    dark: dict[str, Any] = {"samples": 2, "settings": ["trim=dark"]}
    montecarlo(build, images, **dark, options=StudyOptions(run=tmp_path / "a", judge="none"))
    given = StudyOptions(run=tmp_path / "a", judge="none")
    with pytest.raises(StudyError, match=(
        r"a was started with another trim \('dark' there, 'dark-real' here\): give "
    )):  # fmt: skip
        montecarlo(build, images, samples=2, options=given)
    given = StudyOptions(run=tmp_path / "b", judge="none")
    with monkeypatch.context() as before:
        before.setattr(studies_sweep, "_trim_of", lambda cells, axes: {})
        sweep(build, images, grid="budget", samples=1, options=given)
    with pytest.raises(StudyError, match=(
        r"b was started with another trim \(none there, 'dark-real' here\): give another --out"
    )):  # fmt: skip
        sweep(build, images, grid="budget", samples=1, options=given)


def test_aging_follows_from_what_cells_were_written_to_be():
    variation = replace(REAL, sigma_g=0.0, cells="rram-milo", cell_range="scaled")
    hardware: dict[str, Any] = {"g_min": 6e-6, "levels": 16}
    design, _ = made(variation, **hardware)
    before, _ = made(replace(variation, trim="none"), **hardware)
    for a, b in zip(design.stages, before.stages, strict=True):
        written, first = errors_of(a).written, errors_of(b).written
        assert written is not None and first is not None
        again = a.g != b.g
        assert again.any() and not again[: a.r_f.size].any()
        np.testing.assert_array_equal(written.g, a.g)
        np.testing.assert_array_equal(written.target[~again], first.target[~again])
        states = written.target[again]
        np.testing.assert_allclose(nearest_state(states, design.hardware), states, rtol=1e-12)


WIRED = {"r_wire": 5.0, "r_driver": 10.0, "tile_rows": 8, "tile_cols": 4}


@pytest.mark.parametrize("trim", ["dark", "dark-real"])
@pytest.mark.parametrize("readout", ["differences", "summing"])
def test_a_trim_asks_cells_what_a_reduction_would_say(trim, readout, monkeypatch):
    given = {**WIRED, "readout": readout}
    chip, counts = made(replaced(trim), **given)
    size = len(chip.stages[0].g), chip.stages[0].g.shape[1]
    assert WiredCells.suits(chip.hardware, *size)
    monkeypatch.setattr(wire_currents, "STEEP", 0.0)
    assert not WiredCells.suits(chip.hardware, *size)
    wanted, same = made(replaced(trim), **given)
    assert counts == same
    for one, other in zip(chip.stages, wanted.stages, strict=True):
        np.testing.assert_allclose(one.g, other.g, rtol=1e-9)


@pytest.mark.parametrize("trim", ["dark", "dark-real"])
def test_a_trimmed_chips_tiles_are_reduced_once_for_its_twin(trim, monkeypatch):
    design = build_design(SPEC, Hardware(levels=32, **WIRED))
    reduced = counted(monkeypatch)
    chip, _ = perturb(design, replaced(trim), Conditions(), spec=SPEC, seed=0, sample=0)
    assert 0 < sum(reduced) < tiles_of(chip)
    Twin([chip])
    assert sum(reduced) == tiles_of(chip)


def replaced(trim: str) -> Variation:
    return Variation(**{**dict(REAL._told()), "trim": trim})


def tiles_of(design: Design) -> int:
    return sum(math.ceil(len(s.g) / 8) * math.ceil(s.g.shape[1] / 4) for s in design.stages)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tiles are reduced at once, from now on, when none is known."""
    found: list[int] = []

    def reduced(g: np.ndarray, *how: Any, **more: Any) -> kron.Ports:
        found.append(len(g))
        return kron.reduce_tile(g, *how, **more)

    monkeypatch.setattr(wires, "reduce_tile", reduced)
    monkeypatch.setattr(wires, "_KNOWN", OrderedDict())
    return found


@pytest.mark.parametrize("levels", [2, 32, 256])
def test_compiled_cells_are_chosen_as_without(levels):
    pytest.importorskip("numba", reason="the extra fast")
    hardware, rng = Hardware(levels=levels), np.random.default_rng(levels)
    least, most = hardware.cell_range
    for _ in range(20):
        here = rng.uniform(least, most, (9, 12))
        free, missing = rng.random(here.shape) > 0.1, 2 * most * rng.normal(size=9)
        sigma = rng.uniform(0, 0.2)
        given = here, free, missing, hardware, lambda g, sigma=sigma: sigma * g
        wanted = real_trim.choose(*given)
        assert wanted.any()
        np.testing.assert_array_equal(real_trim._compiled(*given), wanted)
