"""Diodes that conduct below 0 V as above it, reversed: table, software, circuit and twin alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import analogkan as ak
from analogkan.devices import IVCurve, get
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import Inputs
from analogkan.errors import DeviceError
from analogkan.imperfections import Variation

from .chips import EVERYTHING, chip
from .networks import random_spec
from .test_twin import images, worst


def test_a_curve_continued_is_odd_and_the_same_above():
    curve = get("A21")
    odd = curve.odd()
    v = np.linspace(0.0, 2.0, 301)
    np.testing.assert_array_equal(odd.current(v), curve.current(v))
    np.testing.assert_allclose(odd.current(-v), -curve.current(v), rtol=1e-12, atol=0)
    assert (odd.i_peak, odd.v_peak) == (curve.i_peak, curve.v_peak)


def test_each_of_its_temperatures_is_continued():
    v, cold, warm = np.array([0.0, 0.2, 0.5]), np.array([0, 2e-6, 1e-6]), np.array([0, 1e-6, 2e-6])
    odd = IVCurve("T0", v, warm, temperatures=((0.0, cold), (27.0, warm))).odd()
    np.testing.assert_array_equal(odd.i_at[0], [-1e-6, -2e-6, 0, 2e-6, 1e-6])


def test_a_curve_that_carries_current_at_0_volts_is_refused():
    with pytest.raises(
        DeviceError, match=r"T0 begins at 0 V with 1e-09 A: only a table that begins"
    ):
        IVCurve("T0", np.array([0.0, 0.5]), np.array([1e-9, 1e-6])).odd()
    with pytest.raises(DeviceError, match=r"AI301A begins at -0.0006"):
        get("AI301A").odd()


def below_zero(seed: int = 3):
    """A network whose hidden nodes go below 0 V on some image, and its images' volts."""
    spec, volts = random_spec(seed, (6, 5, 4, 3)), images(12, 6)
    assert min(y.min() for y in spec.layer_outputs(volts)[:-1]) < -0.1
    return spec, volts


def test_software_and_circuit_have_it_alike():
    spec, volts = below_zero()
    odd = spec.odd()
    wanted = odd.forward_volts(volts)
    found = Twin([chip(odd, Variation(), opamp="ideal")]).logits(Inputs.of(volts))[0].T.numpy()
    assert np.abs(found - wanted).max() < 1e-6 * np.abs(wanted).max()
    assert np.abs(wanted - spec.forward_volts(volts)).max() > 0.01 * np.abs(wanted).max()


@pytest.mark.parametrize("temp_c", [-40.0, 85.0])
def test_a_chip_of_them_is_the_same_in_twin_and_ngspice(temp_c, ngspice, tmp_path):
    spec, volts = below_zero()
    variation = replace(EVERYTHING, diode_sigma_shift=0.01)
    design = chip(spec.odd(), variation, levels=32)
    assert worst(design, volts, temp_c, ngspice, tmp_path) < 1e-6


def test_compile_makes_it_and_says_so_in_the_network(tmp_path):
    spec, _ = below_zero()
    build = ak.compile(spec, tmp_path / "odd.build", odd=True, progress=False)
    assert build.verification is not None and build.verification.ok
    assert all(c.v[0] == -c.v[-1] for c in build.spec.layers[0].curves)
