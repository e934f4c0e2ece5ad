"""The twin against ngspice with everything on, and against itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.devices import IVCurve
from analogkan.dialects import NGSPICE
from analogkan.engines.chip_engines import NgspiceEngine, TwinEngine, chip_tag
from analogkan.engines.ideal import stage_volts
from analogkan.engines.ngspice import Runner
from analogkan.engines.twin import Twin, interpolate, noise_draws, one_torch_thread
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import SimulationError
from analogkan.imperfections import Variation
from analogkan.threads import one_blas_thread

from .chips import EVERYTHING, chip, errors_of
from .networks import random_spec

EXACT = 1e-6
"""Of full scale: what twin and ngspice may differ by. Transistor pairs reach 1e-7, others 1e-12."""


def images(n: int, width: int, seed: int = 0) -> np.ndarray:
    """(n, width) DAC volts of 8-bit inputs."""
    return np.random.default_rng(seed).integers(0, 256, (n, width)) / 255 * 0.7


def worst(design, volts: np.ndarray, temp_c: float, ngspice, keep: Path) -> float:
    """Largest difference of the two engines' logits, of full scale."""
    index = np.arange(300, 300 + len(volts))
    twin = TwinEngine().logits(design, volts, index, temp_c)
    circuit = NgspiceEngine(ngspice, keep).logits(design, volts, index, temp_c)
    return float(np.abs(twin - circuit).max() / np.abs(circuit).max())


CASES = [
    ("none", "none", "linear", -40.0),
    ("none", "batch", "rails", 125.0),
    ("clamp", "batch", "linear", 85.0),
    ("clamp", "layer", "ideal", 85.0),
    ("none", "layer", "rails", 26.85),
    ("sigmoid", "layer", "linear", 85.0),
    ("sigmoid", "none", "linear", -40.0),
    ("tanh", "batch", "linear", 125.0),
    ("tanh", "layer", "ideal", 26.85),
]


@pytest.mark.parametrize(("squash", "norm", "opamp", "temp_c"), CASES)
def test_the_twin_is_the_circuit_with_everything_on(squash, norm, opamp, temp_c, ngspice, tmp_path):
    for seed in (1, 2):
        spec = random_spec(seed, (6, 5, 4, 3), squash=squash, norm=norm)
        design = chip(spec, sample=seed, opamp=opamp, levels=32)
        assert worst(design, images(12, 6), temp_c, ngspice, tmp_path) < EXACT


@pytest.mark.parametrize("law", ["tables", "smear"])
@pytest.mark.parametrize("temp_c", [10.0, 26.85, 61.3, 85.0])
def test_the_twin_follows_every_diode_law(law, temp_c, ngspice, tmp_path):
    rng = np.random.default_rng(4)
    v = np.array([0.0, 0.1, 0.25, 0.4, 0.6, 0.9])
    tables = [np.concatenate([[0.0], rng.uniform(0.2e-6, 3e-6, 5)]) for _ in range(3)]
    temps = (0.0, 27.5, 90.0)
    curve = IVCurve("T0", v, tables[1], temperatures=tuple(zip(temps, tables, strict=True)))
    design = chip(random_spec(5, (4, 3, 2), curves=(curve,)), diode_law=law)
    assert worst(design, images(8, 4), temp_c, ngspice, tmp_path) < 1e-9


@pytest.mark.parametrize("field", [
    "sigma_g", "read_noise", "diode_sigma_shift", "diode_sigma_voltage", "offset_sigma",
    "offset_drift_sigma", "opamp_gain_sigma", "line_sigma", "diff_gain_sigma",
])  # fmt: skip
def test_each_imperfection_by_itself_is_the_same_in_both(field, ngspice, tmp_path):
    variation = Variation(**{field: getattr(EVERYTHING, field)})
    design = chip(random_spec(8, (5, 4, 3)), variation, opamp_gain=1e3)
    assert worst(design, images(6, 5), 60.0, ngspice, tmp_path) < 1e-9


@pytest.mark.parametrize("opamp", ["linear", "rails"])
@pytest.mark.parametrize("wires", [0.0, 20.0])
@pytest.mark.parametrize("fault", ["dead_diodes", "open_lines", "dead_amplifiers", "stuck_max"])
def test_faults_are_the_same_in_both(fault, wires, opamp, ngspice, tmp_path):
    variation = replace(EVERYTHING, **{fault: 0.15})
    spec = random_spec(8, (6, 5, 4, 3), squash="clamp")
    design = chip(spec, variation, opamp=opamp, r_wire=wires)
    assert worst(design, images(6, 6), 60.0, ngspice, tmp_path) < EXACT


def test_with_everything_off_the_twin_is_the_software():
    spec = random_spec(6, (7, 5, 3), squash="clamp", norm="batch")
    volts = images(20, 7)
    design = chip(spec, Variation(), opamp="ideal")
    found = Twin([design]).logits(Inputs.of(volts))[0].T.numpy()
    wanted = spec.forward_volts(volts)
    assert np.abs(found - wanted).max() < 1e-7 * np.abs(wanted).max()
    *_, last = stage_volts(design, volts)
    np.testing.assert_allclose(found, last.outputs / design.v_per_logit, rtol=0, atol=1e-6)


def test_chips_together_are_chips_one_by_one():
    spec = random_spec(9, (6, 5, 4), squash="sigmoid", norm="layer")
    chips = [chip(spec, sample=m) for m in range(3)]
    inputs, index = Inputs.of(images(30, 6)), np.arange(30)
    together = Twin(chips, 50.0).logits(inputs, index)
    for m, design in enumerate(chips):
        alone = Twin([design], 50.0).logits(inputs, index)[0]
        torch.testing.assert_close(together[m], alone, rtol=0, atol=1e-12)


def test_blocks_change_no_more_than_the_last_bits():
    design, volts, index = chip(random_spec(9, (6, 5, 4))), images(2100, 6), np.arange(2100)
    engine = TwinEngine()
    whole = engine.logits(design, volts, index, 85.0)
    part = engine.logits(design, volts[1000:1700].copy(), index[1000:1700], 85.0)
    assert np.abs(whole[1000:1700] - part).max() < 1e-12 * np.abs(whole).max()
    np.testing.assert_array_equal(whole, engine.logits(design, volts, index, 85.0))


def test_the_twin_can_be_differentiated():
    spec = random_spec(2, (3, 3, 2), squash="tanh", norm="layer")
    design = chip(spec, Variation(sigma_g=0.05, offset_sigma=1e-3))
    twin = Twin([design], 40.0)
    inputs = Inputs.of(images(4, 3))
    given = [part for stage in twin.stages for part in (stage.g, stage.r, stage.r_c)]
    for part in given:
        part.requires_grad_(True)
    logits = twin.logits(inputs)
    logits.square().sum().backward()
    for part in given:
        assert part.grad is not None
        k = int(part.grad.abs().argmax())
        flat, step = part.data.view(-1), 1e-6 * abs(float(part.data.view(-1)[k]))
        values = []
        for sign in (1, -1):
            flat[k] += sign * step
            values.append(float(twin.logits(inputs).detach().square().sum()))
            flat[k] -= sign * step
        slope = (values[0] - values[1]) / (2 * step)
        assert float(part.grad.view(-1)[k]) == pytest.approx(slope, rel=1e-4)


def test_interpolation_is_numpys_and_survives_repeated_points():
    x = np.array([0.0, 0.1, 0.1, 0.3, 0.7, 0.7])
    y = np.array([1.0, 2.0, 2.0, -1.0, 5.0, 5.0])
    at = np.linspace(-0.5, 1.2, 101)
    found = interpolate(*(torch.from_numpy(a) for a in (x, y, at))).numpy()
    np.testing.assert_allclose(found, np.interp(at, x, y), atol=1e-14)


def test_read_noise_has_the_variance_of_its_rows():
    spec = random_spec(11, (8, 2, 2))
    design = chip(spec, Variation(read_noise=0.03), sample=4)
    volts = np.repeat(images(1, 8), 4000, axis=0)
    currents = Twin([design]).run(Inputs.of(volts), np.arange(4000)).noise
    (stage_volts_0, *_) = stage_volts(design, volts[:1])
    sigma = 0.03 * np.sqrt((stage_volts_0.rows**2) @ (design.stages[0].g ** 2))[0]
    found = currents[0][0].numpy()
    np.testing.assert_allclose(found.std(axis=1) / sigma, 1.0, atol=4 / np.sqrt(2 * 4000))
    assert np.abs(found.mean(axis=1) / sigma).max() < 4 / np.sqrt(4000)
    assert np.abs(np.corrcoef(found) - np.eye(4)).max() < 4 / np.sqrt(4000)


def test_an_images_noise_depends_on_its_place_in_its_data_set_alone():
    made = chip(random_spec(11, (8, 2, 2)), Variation(read_noise=0.03), sample=4)
    noise = errors_of(made.stages[1]).noise
    whole = noise_draws(noise, np.arange(2500), 6)
    picked = np.array([2400, 3, 1999, 1000])
    np.testing.assert_array_equal(noise_draws(noise, picked, 6), whole[:, picked])


def test_several_operating_points_are_refused():
    design = chip(random_spec(1, (3, 2)), Variation(), opamp_gain=10.0, v_fs=10.0)
    with pytest.raises(
        SimulationError,
        match=r"has several operating points: opamp_gain = .* is too small, raise it",
    ):
        Twin([design])


@pytest.mark.parametrize("name", ["cell", "feedback"])
def test_a_temperature_at_which_a_resistance_would_be_negative_is_refused(name):
    steep: dict[str, Any] = {f"{name}_tc1": -5e-3}
    design = chip(random_spec(1, (3, 2)), Variation(), **steep)
    sentence = (
        f"^at 426.85 degC {name}_tc1 and {name}_tc2 make resistances -1 times as large, which must "
        "stay above 0: choose smaller ones, or another temperature$"
    )
    with pytest.raises(SimulationError, match=sentence):
        Twin([design], temp_c=426.85)


def test_a_chip_that_fails_keeps_its_deck(ngspice, tmp_path, monkeypatch):
    design = chip(random_spec(1, (3, 2)))
    engine = NgspiceEngine(ngspice, tmp_path)
    monkeypatch.setattr(Runner, "dialect", replace(NGSPICE, read=_no_result))
    with pytest.raises(SimulationError, match=r"^nothing came \(its deck is kept: ") as caught:
        engine.logits(design, images(3, 3), np.arange(3), 26.85)
    assert caught.value.deck is not None and caught.value.deck.is_file()
    engine.stop()
    with pytest.raises(SimulationError, match=r"^stopped$"):
        engine.logits(design, images(3, 3), np.arange(3), 26.85)


def _no_result(*args, **kwargs):
    raise SimulationError("nothing came")


def test_a_kept_deck_gives_the_logits(ngspice, tmp_path):
    from analogkan.dialects.rawfile import read_raw

    design, volts, index = chip(random_spec(3, (4, 3))), images(5, 4), np.arange(5)
    engine = NgspiceEngine(ngspice, tmp_path)
    deck = engine.keep_deck(design, volts, index, 70.0)
    raw = deck.with_suffix(".raw")
    Runner(ngspice).run(deck, raw, timeout=30)
    vectors = read_raw(raw, points=5)
    found = np.stack([vectors[f"v(logit_{o})"] for o in range(3)], axis=1)
    np.testing.assert_array_equal(found, engine.logits(design, volts, index, 70.0))


def test_logits_spread_in_proportion_to_the_programming_error():
    spec, volts = random_spec(12, (20, 12, 4)), images(40, 20)
    spread = []
    for sigma in (0.005, 0.01, 0.02):
        chips = [chip(spec, Variation(sigma_g=sigma), sample=m) for m in range(20)]
        found = Twin(chips).logits(Inputs.of(volts)).numpy()
        spread.append(float(found.std(axis=0).mean()))
    np.testing.assert_allclose(np.array(spread) / spread[0], [1, 2, 4], rtol=0.1)


# ---- names of chips, threads


def changed(part: Any, path: str) -> Any:
    """``part`` with the last value of the field at ``path`` changed by its last bit."""
    name, _, rest = path.partition(".")
    before = getattr(part, name)
    if rest:
        after = changed(before, rest)
    elif isinstance(before, np.ndarray):
        after = before.copy()
        last = after.reshape(-1)[-1:]
        last[:] = ~last if after.dtype == bool else np.nextafter(last, np.inf)
    else:
        after = before + 1
    return replace(part, **{name: after})


def test_every_quantity_of_a_chip_is_in_its_name():
    spec = random_spec(1, (6, 5, 3), squash="sigmoid", norm="layer")
    design = chip(spec)
    found = {chip_tag(design, 26.85), chip_tag(design, 26.850000000000001)}
    assert len(found) == 1 and chip_tag(chip(spec), 26.85) in found
    of_stage = ["g", "r_f", "c_f", "r_c", "gain", "unit", "alpha", "n_bias", "front.r_load"]
    of_stage += ["front.attenuation", "front.norm.scale", "front.norm.shift", "front.norm.eps"]
    of_stage += [f"errors.{name}" for name in ("k_i", "k_v", "d_v", "stuck")]
    groups = [f"errors.{name}" for name in ("rows", "lines", "diffs")]
    of_stage += [f"{group}.{name}" for group in groups for name in ("gain", "offset", "drift")]
    places = [f"place.{name}" for name in ("seed", "sample", "layer", "share")]
    of_stage += [f"errors.noise.{name}" for name in ("sigma", "stream", *places)]
    for path in of_stage:
        stages = (design.stages[0], changed(design.stages[1], path))
        found.add(chip_tag(replace(design, stages=stages), 26.85))
    curve = design.stages[0].curves[0]
    for field in ("v", "i"):
        curves = (changed(curve, field), *design.stages[0].curves[1:])
        stages = (replace(design.stages[0], curves=curves), design.stages[1])
        found.add(chip_tag(replace(design, stages=stages), 26.85))
    found.add(chip_tag(design, 85.0))
    assert len(found) == 1 + len(of_stage) + 2 + 1


def test_the_twin_leaves_the_threads_of_a_process_as_they_are():
    design, volts, index = chip(random_spec(1, (6, 5, 3))), images(9, 6), np.arange(9)
    before, found = torch.get_num_threads(), []
    torch.set_num_threads(3)
    try:
        wanted = TwinEngine().logits(design, volts, index, 26.85)
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(2) as pool, one_torch_thread:
            assert torch.get_num_threads() == 1
            engine = TwinEngine()
            for result in pool.map(
                lambda _: (engine.logits(design, volts, index, 26.85), torch.get_num_threads()),
                range(6),
            ):
                found.append(result)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    for logits, threads in found:
        assert threads == 1  # of one that somebody else still needs
        np.testing.assert_array_equal(logits, wanted)


def test_blas_has_its_threads_again_when_the_last_one_leaves():
    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        with one_blas_thread:
            with one_blas_thread:
                assert set(threads()) == {1}
            assert set(threads()) == {1}
        assert set(threads()) == {2}


def test_blas_has_one_thread_whichever_thread_asks():
    found, entered, leave = list[int](), threading.Event(), threading.Event()

    def threads() -> int:
        return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")

    def other() -> None:
        with one_blas_thread:
            found.append(threads())
            entered.set()
            leave.wait(10)

    with one_blas_thread:
        pass  # this thread was the first to set anything
    with threadpool_limits(2, user_api="blas"):
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(10)
        with one_blas_thread:  # that leaves last, and was not the first
            leave.set()
            thread.join()
            found.append(threads())
        found.append(threads())
    assert found == [1, 1, 2]


def test_a_design_is_the_same_on_however_many_cores():
    spec = random_spec(3, (196, 64, 10), n_calibration=256)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append([stage.r_c.tobytes() for stage in build_design(spec, Hardware()).stages])
    assert found[0] == found[1]
