"""Coefficients and conductances: there and back, and what the range does to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analogkan.compiler.counts import element_counts
from analogkan.compiler.design import ARRAYS, build_design, load_design, save_design
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.mapping import map_layer, unmap_layer
from analogkan.errors import SettingsError

from .networks import random_spec


def layer(seed, shape=(6, 5, 2), bias_scale=3.0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.3, shape), rng.normal(0, bias_scale, shape[1])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(1, 7), st.integers(1, 6), st.integers(1, 4)),
    st.floats(0, 20),
)
def test_coefficients_survive_the_round_trip(seed, shape, bias_scale):
    theta, bias = layer(seed, shape, bias_scale)
    mapped = map_layer(theta, bias, Hardware())
    back, bias_back = unmap_layer(mapped.g, mapped.alpha, shape[0], shape[2])
    np.testing.assert_allclose(back, theta, rtol=0, atol=1e-12 * np.abs(theta).max())
    np.testing.assert_allclose(bias_back, bias, rtol=0, atol=1e-12 * max(np.abs(bias).max(), 1))


def test_one_cell_of_each_pair_stays_at_g_min_and_none_leaves_the_range():
    hw = Hardware()
    g = map_layer(*layer(1), hw).g
    assert g.min() == hw.g_min
    assert g.max() <= hw.g_max * (1 + 1e-12)
    assert (np.minimum(g[:, 0::2], g[:, 1::2]) == hw.g_min).all()


def test_the_bias_fills_rows_one_after_another_and_does_not_set_alpha():
    hw = Hardware()
    theta = np.full((3, 1, 1), 0.1)
    mapped = map_layer(theta, np.array([0.25]), hw)
    assert mapped.n_bias == 3
    span = hw.g_max - hw.g_min
    np.testing.assert_allclose(mapped.alpha, [0.1 / span])
    np.testing.assert_allclose(
        mapped.g[3:, 0] - hw.g_min, [span, span, 0.5 * span], rtol=1e-9, atol=1e-18
    )


def test_a_bias_too_large_for_the_rows_raises_alpha_and_is_noted():
    spec = random_spec(3)
    spec.layers[0].bias[:] = 1000.0
    design = build_design(spec, Hardware(max_bias_rows=4))
    assert design.stages[0].n_bias == 4
    assert "would need more than 4 bias rows" in design.notes[0]


@pytest.mark.parametrize("levels", [2, 8, 32])
def test_levels_round_each_cell_to_its_nearest_state(levels):
    hw = Hardware(levels=levels)
    theta, bias = layer(2)
    mapped = map_layer(theta, bias, hw)
    step = (hw.g_max - hw.g_min) / (levels - 1)
    states = (mapped.g - hw.g_min) / step
    np.testing.assert_allclose(states, np.round(states), atol=1e-9)
    back, _ = unmap_layer(mapped.g, mapped.alpha, 6, 2)
    error = np.abs(back - theta) / mapped.alpha[None, :, None]
    assert error.max() <= step / 2 * (1 + 1e-9)


def test_an_output_without_coefficients_still_maps():
    theta, bias = layer(4)
    theta[:, 2], bias[2] = 0.0, 0.0
    mapped = map_layer(theta, bias, Hardware())
    assert np.isfinite(mapped.alpha).all() and (mapped.alpha > 0).all()


@pytest.mark.parametrize("n_calibration", [0, 32])
def test_no_line_passes_its_headroom_on_the_calibration_images(n_calibration):
    """Nor, without any, on the worst input there can be."""
    spec = random_spec(5, (8, 6, 4), norm="batch", n_calibration=n_calibration)
    hw = Hardware()
    design = build_design(spec, hw)
    x = spec.calibration if n_calibration else np.full((1, 8), 255)
    assert x is not None
    volts, worst = spec.dac_volts(x), []
    for stage, layer_spec in zip(design.stages, spec.folded().layers, strict=True):
        phi = layer_spec.phi(volts).reshape(len(volts), -1)
        rows = np.concatenate([phi, np.ones((len(phi), stage.n_bias))], axis=1) * hw.v_fs
        worst.append((np.abs(rows @ stage.g) * stage.r_c).max())
        volts = layer_spec.respond(volts)  # no squash: the next diodes see it as it is
    limit = hw.headroom * hw.v_rail
    if n_calibration:
        np.testing.assert_allclose(worst, limit, rtol=1e-9)
    else:
        assert max(worst) <= limit * (1 + 1e-9)
        assert "worst case" in design.notes[0]


def test_element_counts_are_those_of_the_arrays():
    spec = random_spec(6, (5, 4, 3), squash="tanh", norm="layer")
    design = build_design(spec, Hardware(tile_rows=4, opamp="rails"))
    counts = element_counts(design)
    assert counts["crossbar_resistors"] == sum(stage.g.size for stage in design.stages)
    assert counts["diodes"] == 2 * (5 + 4)
    assert counts["op_amps"] == 2 * (5 + 4) + 3 * (4 + 3)
    assert (counts["squash_cells"], counts["layernorm_cells"]) == (4, 9)
    assert (counts["capacitors"], counts["limiters"]) == (counts["diodes"], counts["op_amps"])


@pytest.mark.parametrize(("squash", "norm"), [("clamp", "batch"), ("sigmoid", "layer")])
def test_a_design_survives_the_round_trip(tmp_path, squash, norm):
    design = build_design(random_spec(7, squash=squash, norm=norm), Hardware(levels=16))
    save_design(design, tmp_path / "d.npz")
    back = load_design(tmp_path / "d.npz")
    assert back.hardware == design.hardware and back.v_per_logit == design.v_per_logit
    for a, b in zip(back.stages, design.stages, strict=True):
        assert a.curves == b.curves and a.n_bias == b.n_bias and a.stability == b.stability
        for name in ARRAYS:
            assert np.array_equal(getattr(a, name), getattr(b, name))
        assert a.front.squash == b.front.squash and a.front.r_load == b.front.r_load
        assert np.array_equal(a.front.attenuation, b.front.attenuation)
        x = np.random.default_rng(0).normal(size=(3, a.shape[0]))
        assert np.array_equal(a.front.normed(x), b.front.normed(x))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"g_min": 3e-5}, r"g_max = 2.5e-05 is out of range: above g_min \(3e-05\), at most 1 S"),
        ({"levels": 1}, "levels = 1 is out of range: 0 .continuous., 2 to 65536, e24 or e96"),
        ({"tile_cols": 63}, "tile_cols = 63 is out of range: even: a pair stays together"),
        (
            {"opamp": "magic"},
            "opamp = 'magic' is out of range: linear or ideal or pole or ",
        ),
        ({"v_fs": float("nan")}, "v_fs = nan is out of range"),
    ],
)
def test_hardware_outside_its_limits_is_refused(values, sentence):
    with pytest.raises(SettingsError, match=sentence):
        Hardware(**values)
