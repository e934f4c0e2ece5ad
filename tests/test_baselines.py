"""The paper's other networks: their counts, their curves, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from analogkan.devices import formulas, get
from analogkan.errors import SettingsError
from analogkan.network import baselines
from analogkan.network.baselines import MLP, GottliebKAN, GottliebLayer, SplineKAN, SplineLayer

MNIST, FASHION, CIFAR = (196, 64, 10), (784, 256, 10), (3072, 1024, 256, 10)


@pytest.mark.parametrize(
    ("make", "sizes", "count"),
    [
        (lambda s: MLP(s, "rtd"), MNIST, 13_258),
        (lambda s: MLP(s, "cmtd"), FASHION, 203_530),
        (lambda s: MLP(s, "mosfet"), CIFAR, 3_411_722),
        (lambda s: SplineKAN(s, scaler=True), MNIST, 92_288),
        (SplineKAN, FASHION, 1_219_584),
        (SplineKAN, CIFAR, 20_462_592),
        (GottliebKAN, MNIST, 52_866),
        (GottliebKAN, FASHION, 813_570),
        (GottliebKAN, CIFAR, 13_644_291),
    ],
)
def test_they_have_the_table_s_parameters(make, sizes, count):
    with torch.device("meta"):  # no memory for 20 million numbers
        assert baselines.parameter_count(make(sizes)) == count


def test_the_resonant_diode_is_the_device_s():
    v = np.linspace(-4, 4, 801)
    found = baselines.resonant_tunnel_diode(torch.from_numpy(v)).numpy()
    wanted = formulas.resonant_tunnel_diode(v) / baselines.PEAK_AMPERES
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    assert found.max() == pytest.approx(1.0, abs=2e-3)


def test_the_transistor_is_the_device_s():
    v = np.linspace(-2, 5, 71)
    found = baselines.mosfet_2n7002(torch.from_numpy(v)).numpy()
    np.testing.assert_allclose(found, 1e3 * formulas.mosfet_2n7002(v), rtol=1e-12, atol=1e-15)


def test_the_tunnel_diode_is_the_device_s():
    v = np.linspace(-1, 2, 301)
    found = baselines.ACTIVATIONS["cmtd"]()(torch.from_numpy(v)[None])[0].numpy()
    np.testing.assert_allclose(found, get("A21").phi(v), rtol=0, atol=1e-12)


def test_an_unknown_activation_is_refused():
    with pytest.raises(SettingsError, match=r"^activation 'tunnel' is none of rtd, cmtd, mosfet"):
        MLP(MNIST, "tunnel")


@pytest.mark.parametrize(("grid", "order"), [(3, 2), (5, 3), (1, 1)])
def test_splines_are_scipy_s(grid, order):
    layer = SplineLayer(1, 1, grid, order, False)
    x = torch.linspace(-0.999, 0.999, 97, dtype=torch.float64)
    found = layer.double().splines(x[:, None])[:, 0].detach().numpy()
    knots = layer.knots.double().numpy()
    for k in range(grid + order):
        element = BSpline.basis_element(knots[k : k + order + 2], extrapolate=False)
        np.testing.assert_allclose(found[:, k], np.nan_to_num(element(x.numpy())), atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)


def test_an_edge_of_a_spline_layer_is_its_formula():
    layer = SplineLayer(3, 2, 3, 2, True).double()
    x = torch.rand((4, 3), dtype=torch.float64) * 1.8 - 0.9
    assert layer.scaler is not None
    splines = torch.einsum("bik,oik,oi->bo", layer.splines(x), layer.coefficients, layer.scaler)
    wanted = torch.nn.functional.silu(x) @ layer.base.T + splines
    torch.testing.assert_close(layer(x), wanted, rtol=0, atol=1e-12)


def test_gottlieb_polynomials_are_their_closed_forms():
    layer = GottliebLayer(1, 1, 3).double()
    x = torch.linspace(0, 1, 11, dtype=torch.float64)[:, None]
    a = float(layer.alpha.detach())
    found = layer.polynomials(x)[:, 0].detach()
    g2 = 4 * a * (a + 1) * x**2 - (a + 2)
    g3 = 2 * (a + 2) * x * g2 - 2 * (a + 4) * a * x
    wanted = torch.cat([torch.ones_like(x), 2 * a * x, g2, g3], dim=1)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
