"""What is drawn: distributions, independence, limits, the dark trim; and the settings of it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import SettingsError
from analogkan.imperfections import Conditions, Variation, load_settings
from analogkan.imperfections.diodes import MOST_SHIFT
from analogkan.imperfections.faults import OPEN_SIEMENS
from analogkan.imperfections.make import perturb

from .chips import EVERYTHING, OLD, chip, errors_of
from .networks import random_spec

SPEC = random_spec(3, (60, 40, 30))
DESIGN = build_design(SPEC, Hardware())


def one(sample: int = 0, seed: int = 0, conditions: Conditions = Conditions(), **variation):
    return perturb(DESIGN, Variation(**variation), conditions, spec=SPEC, seed=seed, sample=sample)


def normal(drawn: np.ndarray, sigma: float) -> None:
    """``drawn`` is normal with mean 0 and ``sigma``: moments within 4 standard errors, and K-S."""
    drawn = drawn.ravel()
    n = drawn.size
    assert abs(drawn.mean()) < 4 * sigma / np.sqrt(n)
    assert abs(drawn.std() / sigma - 1) < 4 / np.sqrt(2 * n)
    assert stats.kstest(drawn / sigma, "norm").pvalue > 1e-3


def gather(get, samples: int = 20, **variation) -> np.ndarray:
    return np.concatenate(
        [
            np.ravel(get(after, before))
            for m in range(samples)
            for after, before in zip(one(m, **variation)[0].stages, DESIGN.stages, strict=True)
        ]
    )


DRAWN = {
    "sigma_g": (0.05, lambda a, b: a.g / b.g - 1),
    "sigma_g_abs": (0.0005, lambda a, b: (a.g - b.g)[b.g > 1e-6] / 25e-6),
    "diode_sigma_current": (0.05, lambda a, b: errors_of(a).k_i - 1),
    "diode_sigma_voltage": (0.01, lambda a, b: a.errors.k_v - 1),
    "diode_sigma_shift": (0.002, lambda a, b: a.errors.d_v),
    "opamp_gain_sigma": (0.3, lambda a, b: np.log(errors_of(a).rows.gain)),
    "r_f_sigma": (0.002, lambda a, b: a.r_f / b.r_f - 1),
    "r_c_sigma": (0.002, lambda a, b: (a.r_c / b.r_c - 1)[0::2]),
    "line_sigma": (0.002, lambda a, b: (a.r_c / b.r_c)[0::2] - (a.r_c / b.r_c)[1::2]),
    "diff_gain_sigma": (0.002, lambda a, b: a.gain / b.gain - 1),
}


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_is_normal_with_the_sigma_asked_for(name):
    sigma, get = DRAWN[name]
    normal(gather(get, **{name: sigma}), sigma)


@pytest.mark.parametrize("kind", ["rows", "lines", "diffs"])
def test_offsets_and_their_drift_are_normal(kind):
    given: dict[str, Any] = {"offset_sigma": 1e-3, "offset_drift_sigma": 5e-6}
    offsets = gather(lambda a, b: getattr(a.errors, kind).offset, **given)
    drifts = gather(lambda a, b: getattr(a.errors, kind).drift, **given)
    normal(offsets, 1e-3)
    normal(drifts, 5e-6)
    assert abs(np.corrcoef(offsets, drifts)[0, 1]) < 4 / np.sqrt(offsets.size)


def test_a_die_shares_its_factors_and_dies_differ():
    found = []
    for m in range(400):
        stages = one(m, die_sigma_current=0.02)[0].stages
        for d in range(2):
            shared = np.concatenate([errors_of(s).k_i[:, d] for s in stages])
            assert np.ptp(shared) == 0
            found.append(shared[0] - 1)
    normal(np.array(found), 0.02)


def test_the_two_lines_of_a_pair_err_by_opposite_halves():
    ratio = one(line_sigma=0.01)[0].stages[0].r_c / DESIGN.stages[0].r_c
    np.testing.assert_allclose(ratio[0::2] + ratio[1::2], 2.0, rtol=1e-12)


def test_stuck_cells_have_their_shares_and_values():
    made, counts = one(stuck_min=0.02, stuck_max=0.01)
    g = np.concatenate([s.g.ravel() for s in made.stages])
    before = np.concatenate([s.g.ravel() for s in DESIGN.stages])
    changed = g != before
    assert set(np.unique(g[changed])) == {DESIGN.hardware.g_min, DESIGN.hardware.g_max}
    for share, value in ((0.02, DESIGN.hardware.g_min), (0.01, DESIGN.hardware.g_max)):
        fresh = before != value
        p = (changed & (g == value))[fresh].mean()
        assert abs(p - share) < 4 * np.sqrt(share / fresh.sum())
    assert abs(counts["stuck_cells"] / g.size - 0.03) < 4 * np.sqrt(0.03 / g.size)


def test_faults_have_their_shares():
    faults: dict[str, Any] = {"dead_diodes": 0.1, "open_lines": 0.1, "dead_amplifiers": 0.1}
    found = {name: [] for name in faults}
    for m in range(30):
        made, counts = one(m, **faults)
        for name in faults:
            found[name].append(counts[name])
        broken = [(s.g == OPEN_SIEMENS).all(axis=0) for s in made.stages]
        assert counts["open_lines"] == sum(int(b.sum()) for b in broken)
        silent = sum(int((errors_of(s).k_i == 0).sum()) for s in made.stages)
        assert counts["dead_diodes"] <= silent <= counts["dead_diodes"] + counts["dead_amplifiers"]
    diodes = sum(s.r_f.size for s in DESIGN.stages)
    lines = sum(s.r_c.size for s in DESIGN.stages)
    of = {"dead_diodes": diodes, "open_lines": lines, "dead_amplifiers": diodes + lines * 3 // 2}
    for name, counted in found.items():
        share, n = np.mean(counted) / of[name], of[name] * 30
        assert abs(share - 0.1) < 4 * np.sqrt(0.1 * 0.9 / n)


def test_draws_below_a_tenth_of_g_min_are_set_to_it_and_counted():
    made, counts = one(sigma_g_abs=0.1)
    g = np.concatenate([s.g.ravel() for s in made.stages])
    least = DESIGN.hardware.g_min / 10
    assert g.min() == least
    assert counts["clipped_cells"] == (g == least).sum() > 0


def test_cells_drift_by_a_power_of_time():
    aged = one(conditions=Conditions(age_s=1e4, t0_s=10.0), drift_nu=0.02)[0]
    np.testing.assert_allclose(aged.stages[0].g / DESIGN.stages[0].g, 1e3**-0.02, rtol=1e-12)
    young = one(conditions=Conditions(age_s=10.0, t0_s=10.0), drift_nu=0.02)[0]
    np.testing.assert_array_equal(young.stages[0].g, DESIGN.stages[0].g)
    with pytest.raises(SettingsError, match=r"^age_s = 5 s is before t0_s = 10 s, from which"):
        one(conditions=Conditions(age_s=5.0, t0_s=10.0), drift_nu=0.02)
    spread = [
        -np.log(one(m, conditions=OLD, drift_nu=0.02, drift_nu_sigma=0.005)[0].stages[0].g
        / DESIGN.stages[0].g) / np.log(1e5) - 0.02 for m in range(3)
    ]  # fmt: skip
    normal(np.array(spread), 0.005)


def test_a_draw_depends_on_seed_chip_and_quantity_alone():
    alone = one(7, sigma_g=0.05)[0]
    among = one(7, sigma_g=0.05, diode_sigma_current=0.05, offset_sigma=1e-3, stuck_min=0.0)[0]
    for a, b in zip(alone.stages, among.stages, strict=True):
        np.testing.assert_array_equal(a.g, b.g)
    doubled = one(7, sigma_g=0.1)[0].stages[0].g / DESIGN.stages[0].g - 1
    np.testing.assert_allclose(
        doubled, 2 * (alone.stages[0].g / DESIGN.stages[0].g - 1), atol=1e-15
    )
    for other in (one(8, sigma_g=0.05)[0], one(7, seed=1, sigma_g=0.05)[0]):
        drawn = [s.g / b.g - 1 for s, b in zip(other.stages, DESIGN.stages, strict=True)]
        here = [s.g / b.g - 1 for s, b in zip(alone.stages, DESIGN.stages, strict=True)]
        for x, y in zip(drawn, here, strict=True):
            assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < 4 / np.sqrt(x.size)


def test_known_draws_stay_what_they_are():
    """A stored study must stay reproducible: these are the first draws of chip 7 of seed 0."""
    made = one(7, sigma_g=0.05, offset_sigma=1e-3)[0].stages[0]
    found = [made.g[0, 0] / DESIGN.stages[0].g[0, 0] - 1, errors_of(made).lines.offset[0]]
    np.testing.assert_allclose(found, [-0.0509270351664356, 0.0018207943523015774], rtol=1e-9)


def test_with_everything_off_a_chip_is_its_design():
    made, counts = one()
    for a, b in zip(made.stages, DESIGN.stages, strict=True):
        for name in ("g", "r_f", "r_c", "gain"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert (errors_of(a).k_i == 1).all() and (errors_of(a).rows.offset == 0).all()
    assert not made.noisy
    assert set(counts.values()) == {0}


@pytest.mark.parametrize("opamp", ["linear", "ideal"])
def test_after_a_dark_trim_every_output_is_the_softwares_in_the_dark(opamp):
    variation = replace(EVERYTHING, stuck_max=0.0, stuck_min=0.0, read_noise=0.0)
    design = chip(SPEC, variation, Conditions(), opamp=opamp, levels=16, max_bias_rows=16)
    twin = Twin([design])
    for stage, before, layer in zip(twin.stages, design.stages, SPEC.folded().layers, strict=True):
        n_in, _, n_dev = before.shape
        import torch

        from analogkan.engines.twin import interpolate

        dark = interpolate(stage.x, stage.r, torch.zeros(1, n_in, n_dev, 1, dtype=torch.float64))
        out = twin.outputs(stage, dark.flatten(1, 2), None)[0, :, 0].numpy()
        wanted = layer.respond(np.zeros((1, n_in)))[0] * before.unit
        np.testing.assert_allclose(out, wanted, atol=1e-9)


def test_a_trim_that_runs_out_of_range_is_counted():
    _, counts = perturb(
        build_design(SPEC, Hardware(levels=2)),
        Variation(trim="dark", offset_sigma=0.1),
        Conditions(),
        spec=SPEC,
        seed=0,
        sample=0,
    )
    assert counts["trim_saturated"] > 0


def test_a_trim_lowers_errors_in_the_light_too():
    images = np.random.default_rng(0).uniform(0, 0.7, (50, 60))
    wanted = SPEC.forward_volts(images)
    errors = []
    for trim in ("none", "dark"):
        v = Variation(offset_sigma=1e-3, sigma_g=0.05, diode_sigma_current=0.05, trim=trim)
        found = Twin([chip(SPEC, v, Conditions(), sample=m) for m in range(4)]).logits(
            Inputs.of(images)
        )
        errors.append(float(np.sqrt(np.mean((found.numpy().transpose(0, 2, 1) - wanted) ** 2))))
    assert errors[1] < errors[0]


# ---- settings


@pytest.mark.parametrize("field", [f.name for f in fields(Variation)
                                   if f.type == "float" and f.name[-3:] != "tc1"])  # fmt: skip
@pytest.mark.parametrize("value", [-0.01, float("nan"), float("inf"), 1e9])
def test_sigmas_that_are_none_are_refused(field, value):
    with pytest.raises(SettingsError, match=rf"^{field} = {value!r} is out of range: 0 to"):
        Variation(**{field: value})


def test_unknown_settings_are_refused_with_the_nearest_name():
    with pytest.raises(
        SettingsError, match=r"^--set: unknown setting 'sigmag', did you mean sigma_g"
    ):
        load_settings("rram", ["sigmag=0.1"])
    with pytest.raises(
        SettingsError, match=r"^trim = 'light' is out of range: none, dark or dark-real$"
    ):
        load_settings("rram", ["trim=light"])
    with pytest.raises(SettingsError, match=r"^temp_c = -300.0 is out of range"):
        Conditions(temp_c=-300)


def test_no_setting_is_in_two_tables():
    names = [f.name for kind in (Hardware, Variation, Conditions) for f in fields(kind)]
    assert len(names) == len(set(names))


def test_presets_say_what_they_are(tmp_path):
    hardware, variation, conditions = load_settings("rram")
    assert hardware == Hardware(levels=32)
    assert variation == Variation(
        sigma_g=0.05,
        diode_sigma_current=0.05,
        diode_sigma_voltage=0.01,
        offset_sigma=1e-3,
        line_sigma=0.002,
        trim="dark-real",
    )
    assert conditions == Conditions()
    for name in ("ideal", "nominal"):
        assert load_settings(name)[1] == Variation()
    absolute = load_settings("rram-absolute")[1]
    assert absolute.sigma_g == 0 and absolute.sigma_g_abs > 0
    base = Hardware(g_max=1e-5)
    assert load_settings("rram", ["tile_rows=32"], base)[0] == replace(
        base, levels=32, tile_rows=32
    )


def test_a_shift_beyond_the_ramp_is_clipped_and_counted():
    spec, wide = random_spec(3, (200, 4)), Variation(diode_sigma_shift=0.02)
    design = build_design(spec, Hardware())
    made, counts = perturb(design, wide, Conditions(), spec=spec, seed=0, sample=0)
    errors = made.stages[0].errors
    assert errors is not None
    assert np.abs(errors.d_v).max() == MOST_SHIFT
    assert counts["clipped_diodes"] == int((np.abs(errors.d_v) == MOST_SHIFT).sum()) > 0
