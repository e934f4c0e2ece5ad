"""The network: torch against arrays, gradients, folding and files."""

from __future__ import annotations

from dataclasses import replace
from re import escape

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analogkan.devices import IVCurve, resolve
from analogkan.errors import CheckpointError
from analogkan.network.basis import PWLBasis
from analogkan.network.encoding import Encoding
from analogkan.network.model import TDKAN, TDKANConfig
from analogkan.network.spec import LayerSpec, load_spec
from analogkan.network.squash import NORMS, Norm, Squash, squash_names
from analogkan.training.card import parameter_count

from .networks import random_curve, random_inputs, random_spec

CONSTANT = IVCurve("ONE", np.array([0.0, 1.0]), np.array([2e-6, 2e-6]))
ENCODING = Encoding(x_lo=0, x_hi=255, v_lo=0.0, v_hi=0.7, shape=(2, 3))


def random_model(seed: int, sizes: tuple[int, ...], squash: str, norm: str, n_dev: int) -> TDKAN:
    """A double-precision model in evaluation mode whose every tensor is random."""
    rng = np.random.default_rng(seed)
    curves = tuple(random_curve(rng, f"T{d}") for d in range(n_dev))
    config = TDKANConfig(
        sizes=sizes, curves=curves, squash=Squash(kind=squash, v_lo=0.1, v_hi=0.8), norm=norm
    )
    model = TDKAN(config).double().eval()
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.2, 1.0, generator=generator)
    for layer in model.layers:
        layer.weight.detach().normal_(0, 0.5, generator=generator)
    return model


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    hidden=st.lists(st.integers(1, 6), max_size=2),
    squash=st.sampled_from(squash_names()),
    norm=st.sampled_from(NORMS),
    n_dev=st.integers(1, 3),
)
def test_torch_in_double_precision_equals_the_arrays(seed, hidden, squash, norm, n_dev):
    model = random_model(seed, (4, *hidden, 3), squash, norm, n_dev)
    spec = model.to_spec(replace(ENCODING, shape=(4,)), name="net")
    v = np.random.default_rng(seed).uniform(-0.3, 1.5, (7, 4))
    with torch.no_grad():
        logits = model(torch.tensor(v)).numpy()
    np.testing.assert_allclose(
        spec.forward_volts(spec.layers[0].squash(v)), logits, rtol=1e-12, atol=1e-12
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(squash_names()))
def test_folding_the_norms_changes_no_output(seed, squash):
    spec = random_spec(seed, (5, 6, 4, 3), squash=squash, norm="batch")
    folded = spec.folded()
    assert all(layer.norm is None for layer in folded.layers)
    v = np.random.default_rng(seed).uniform(0, 0.7, (9, 5))
    np.testing.assert_allclose(
        folded.forward_volts(v), spec.forward_volts(v), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(
    ("sizes", "devices", "count"),
    [
        ((196, 64, 10), "A21,Z21", 26_570),
        ((196, 64, 10), "A21,Z21,Z15", 39_754),
        ((784, 256, 10), "A21,Z21", 407_306),
        ((784, 256, 10), "A21,Z21,Z15", 610_570),
    ],
)
def test_the_papers_networks_have_the_papers_parameter_counts(sizes, devices, count):
    model = TDKAN(TDKANConfig(sizes=sizes, curves=resolve(devices), norm="batch"))
    assert sum(p.numel() for p in model.parameters()) == count
    assert parameter_count(model.to_spec(replace(ENCODING, shape=sizes[:1]), name="n")) == count


@pytest.mark.parametrize("name", ["A21", "Z15", "ZAZ21", "RTD"])
def test_the_gradient_of_a_basis_function_is_its_segments_slope_and_zero_outside(name):
    (curve,) = resolve(name)
    inside = (curve.v[:-1] + curve.v[1:]) / 2
    v = torch.tensor(np.concatenate([[curve.v[0] - 1.0], inside, [curve.v[-1] + 1.0]]))[:, None]
    v.requires_grad_()
    phi = PWLBasis([curve])(v)
    phi.sum().backward()
    assert v.grad is not None
    slopes = np.diff(curve.i / curve.i_peak) / np.diff(curve.v)
    np.testing.assert_array_equal(v.grad[:, 0].numpy(), np.concatenate([[0.0], slopes, [0.0]]))
    np.testing.assert_allclose(phi.detach(), curve.phi(v.detach().numpy()), rtol=0, atol=1e-14)


def test_basis_functions_come_with_the_devices_fastest():
    curves = resolve("A21,Z21")
    v = np.array([[0.1, 0.6]])
    expected = [curve.phi(x) for x in v[0] for curve in curves]
    np.testing.assert_allclose(PWLBasis(curves)(torch.tensor(v))[0], expected, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("devices", ["A21", "A21,Z21,Z15,ZAZ21", "A21,RTD"])
def test_arithmetic_finds_the_segments_that_a_search_finds(devices, dtype):
    basis = PWLBasis(resolve(devices))
    knots = basis.knots.to(dtype)
    near = torch.nextafter(knots, torch.tensor(9.0, dtype=dtype))
    below = torch.nextafter(knots, torch.tensor(-9.0, dtype=dtype))
    odd = torch.tensor([torch.inf, -torch.inf, 1e30, -1e30, 0.0], dtype=dtype)
    v = torch.cat([knots, near, below, odd, torch.linspace(-1, 3, 1001, dtype=dtype)])
    assert torch.equal(basis._segments(v), torch.bucketize(v, knots).int())
    assert basis.values(torch.tensor([torch.nan], dtype=dtype)).isnan().all()
    each = basis.each(v[:, None].expand(-1, len(basis.curves)))
    torch.testing.assert_close(each, basis.values(v), rtol=0, atol=0, equal_nan=True)


def test_an_initialised_layer_has_the_asked_for_spread():
    model = TDKAN(TDKANConfig(sizes=(100, 100, 10), curves=resolve("A21,Z21")))
    model.initialise((0.05, 0.3), torch.Generator().manual_seed(0), gamma=0.2, beta=0.5)
    spread = [float(layer.weight.detach().std()) for layer in model.layers]
    # 20,000 and 2,000 draws: 4 standard errors.
    assert spread[0] == pytest.approx((100 * 2 * 0.05) ** -0.5, rel=0.02)
    assert spread[1] == pytest.approx((100 * 2 * 0.3) ** -0.5, rel=0.064)


def test_a_network_file_reads_back_equal_and_is_the_same_bytes_every_time(tmp_path):
    spec = random_spec(1, (5, 4, 3), norm="batch", squash="clamp")
    spec.save(tmp_path / "a.npz")
    back = load_spec(tmp_path / "a.npz")
    back.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert back.fingerprint() == spec.fingerprint()
    assert (back.name, back.dataset, back.encoding) == (spec.name, spec.dataset, spec.encoding)
    assert back.calibration is not None
    np.testing.assert_array_equal(back.calibration, spec.calibration)
    x = random_inputs(2, 9, 5)
    np.testing.assert_array_equal(back.logits(x), spec.logits(x))


def changed(spec, **arrays):
    return replace(spec, layers=(replace(spec.layers[0], **arrays), *spec.layers[1:]))


def test_the_fingerprint_changes_with_the_last_bit_of_one_coefficient_or_table_point():
    spec = random_spec(1)
    theta = spec.layers[0].theta.copy()
    theta[2, 1, 0] = np.nextafter(theta[2, 1, 0], np.inf)
    first, *rest = spec.layers[0].curves
    i = first.i.copy()
    i[1] = np.nextafter(i[1], np.inf)
    curves = (IVCurve(first.name, first.v, i, first.source), *rest)
    prints = {s.fingerprint() for s in (spec, changed(spec, theta=theta))}
    prints.add(changed(spec, curves=curves).fingerprint())
    assert len(prints) == 3


def test_the_fingerprint_does_not_depend_on_calibration_images():
    spec = random_spec(1)
    assert replace(spec, calibration=None).fingerprint() == spec.fingerprint()


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_damaged_network_file_is_refused(tmp_path, keep):
    path = tmp_path / "net.npz"
    random_spec(0).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    with pytest.raises(CheckpointError, match=r"net.npz is not a network file: it is damaged or"):
        load_spec(path)


def test_a_missing_network_file_and_one_of_another_kind_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"none.npz is not a network file: No such file or"):
        load_spec(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    with pytest.raises(CheckpointError, match=r"other.npz is not a network file: 'meta'"):
        load_spec(tmp_path / "other.npz")


def norm(scale: np.ndarray, shift: np.ndarray, **changes) -> Norm:
    return Norm(**({"kind": "batch", "scale": scale, "shift": shift} | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "group"}, "norm 'group' is unknown: one of none, batch, layer"),
        ({"eps": -1.0}, "norm eps -1.0 must be finite and not negative"),
        ({"eps": float("inf")}, "norm eps inf must be finite and not negative"),
        ({"kind": "layer"}, "a LayerNorm's eps is 0: equal inputs would divide 0 by 0"),
    ],
)
def test_a_norm_that_is_none_is_refused(changes, sentence):
    with pytest.raises(CheckpointError, match=f"^{escape(sentence)}$"):
        norm(np.ones(3), np.zeros(3), **changes)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"kind": "relu"},
            "squash 'relu' is unknown: one of none, clamp, sigmoid, tanh, or what a --plugin "
            "FILE.py registers",
        ),
        ({"v_lo": 1.0}, "sigmoid range [1.0, 1.0] V is empty: give the lower end first"),
        ({"v_hi": float("inf")}, "squash sigmoid [0.0, inf, 1.0] must have finite numbers"),
        ({"slope": 0.0}, "sigmoid slope 0 per volt is out of range: above 0, at most 1000"),
        ({"slope": 2000.0}, "sigmoid slope 2000 per volt is out of range: above 0, at most 1000"),
    ],
)
def test_a_squash_that_is_none_is_refused(settings, sentence):
    with pytest.raises(CheckpointError, match=f"^{escape(sentence)}$"):
        Squash(**({"kind": "sigmoid", "v_lo": 0.0, "v_hi": 1.0} | settings))


def test_squashes_are_their_formulas():
    x = np.linspace(-40, 40, 801)
    sigmoid = Squash(kind="sigmoid", v_lo=0.1, v_hi=0.9, slope=3.0)(x)
    np.testing.assert_allclose(sigmoid, 0.1 + 0.8 / (1 + np.exp(-3 * x)), rtol=1e-14)
    tanh = Squash(kind="tanh", v_lo=-1.0, v_hi=1.0)(x)
    np.testing.assert_allclose(tanh, np.tanh(x), rtol=0, atol=1e-15)


def test_layer_norm_has_mean_0_and_variance_1_but_for_eps():
    x = np.random.default_rng(0).normal(3.0, 2.0, (5, 7))
    y = norm(np.ones(7), np.zeros(7), kind="layer", eps=1e-5)(x)
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axis=1), x.var(axis=1) / (x.var(axis=1) + 1e-5), rtol=1e-12)


def test_a_device_of_constant_current_folds_into_the_bias():
    rng = np.random.default_rng(3)
    curves = (random_curve(rng, "T0"), CONSTANT)
    spec = random_spec(3, (5, 4, 3), curves=curves, norm="layer", squash="sigmoid")
    folded = spec.folded()
    assert [layer.theta.shape for layer in folded.layers] == [(5, 4, 1), (4, 3, 1)]
    v = rng.uniform(0, 0.7, (6, 5))
    np.testing.assert_allclose(folded.forward_volts(v), spec.forward_volts(v), rtol=1e-13)


def test_a_layer_of_nothing_but_constants_keeps_them():
    curves = (CONSTANT,)
    assert random_spec(3, curves=curves).folded().layers[0].theta.shape == (5, 4, 1)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"theta": np.ones((3, 2))}, "theta has shape (3, 2); it must be (I, O, D)"),
        ({"theta": np.ones((0, 2, 1))}, "theta has shape (0, 2, 1): no axis may be empty"),
        ({"theta": np.ones((3, 2, 2))}, "theta has 2 diodes per input but 1 devices"),
        ({"bias": np.ones(3)}, "bias has shape (3,); it must be (2,)"),
        ({"bias": np.array([0, np.inf])}, "bias holds 1 NaN or inf"),
        ({"norm": norm(np.ones(2), np.ones(3))}, "norm scale has shape (2,); it must be (3,)"),
        ({"norm": norm(np.ones(3), np.full(3, np.nan))}, "norm shift holds 3 NaN or inf"),
    ],
)
def test_a_layer_of_arrays_that_do_not_fit_is_refused(arrays, sentence):
    good = {"theta": np.ones((3, 2, 1)), "bias": np.zeros(2), "curves": resolve("A21")}
    with pytest.raises(CheckpointError, match=escape(sentence)):
        LayerSpec(**(good | arrays))


def test_layers_whose_widths_do_not_meet_are_refused():
    spec = random_spec(0, (5, 4, 3))
    with pytest.raises(CheckpointError, match="layer 1 has 4 inputs, what feeds it has 3"):
        replace(spec, layers=(spec.layers[1],) * 2, encoding=replace(spec.encoding, shape=(4,)))


@pytest.mark.parametrize(("squash", "share"), [("none", 3 / 4), ("clamp", 2 / 4)])
def test_out_of_range_is_the_share_of_hidden_voltages_outside_any_devices_table(squash, share):
    spec = random_spec(0, (6, 4, 2), curves=resolve("A21,Z21"))  # measured to 1.30 and 1.25 V
    first, last = spec.layers
    first = replace(first, theta=0 * first.theta, bias=np.array([-0.1, 0.5, 1.27, 2.0]))
    last = replace(last, squash=Squash(kind=squash, v_lo=0.0, v_hi=1.28))
    assert replace(spec, layers=(first, last)).out_of_range(np.zeros((3, 6))) == share
