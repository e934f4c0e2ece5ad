"""The closed form without torch: the twin's numbers, for circuits as they are designed."""

from __future__ import annotations

import numpy as np
import pytest

from analogkan.compiler.design import build_design
from analogkan.compiler.hardware import Hardware
from analogkan.engines import designed
from analogkan.engines.designed import designed_volts, is_designed
from analogkan.engines.twin import Twin
from analogkan.engines.twin_inputs import prepared
from analogkan.errors import SimulationError

from .chips import chip
from .networks import random_spec

CASES = [
    *[(squash, norm, {}, 26.85) for squash in ("none", "clamp", "sigmoid", "tanh")
      for norm in ("none", "layer")],
    ("clamp", "batch", {"opamp": "ideal"}, 85.0),
    ("none", "batch", {"opamp": "rails", "v_rail": 1.0}, -40.0),
    ("sigmoid", "layer", {"opamp": "rails"}, 125.0),
    ("none", "batch", {"readout": "summing"}, 85.0),
    ("none", "batch", {"r_wire": 20.0}, 85.0),
    ("none", "batch", {"r_wire": 20.0, "readout": "summing", "opamp": "rails"}, 85.0),
    ("clamp", "layer", {"diode_law": "smear", "levels": 16}, 60.0),
]  # fmt: skip


def volts(n: int, width: int) -> np.ndarray:
    """(n, width) of 8-bit inputs, and of none."""
    coded = np.random.default_rng(0).integers(0, 256, (n, width)) / 255 * 0.7
    return np.where(np.arange(n)[:, None] % 2, coded, np.random.default_rng(1).random((n, width)))


@pytest.mark.parametrize(("squash", "norm", "settings", "temp_c"), CASES)
def test_it_is_the_twin(squash, norm, settings, temp_c, monkeypatch):
    monkeypatch.setattr(designed, "BLOCK", 7)
    spec = random_spec(3, (6, 5, 4, 3), squash=squash, norm=norm)
    design = build_design(spec, Hardware(**settings))
    v = volts(40, 6)
    wanted = Twin([design], temp_c).stage_volts(prepared(v), np.arange(len(v)), 1000)
    found = designed_volts(design, v, temp_c)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12 * np.abs(other).max())


def test_a_chip_is_not_what_was_designed():
    spec = random_spec(0, (6, 5, 3))
    assert is_designed(build_design(spec, Hardware()))
    assert not is_designed(chip(spec))


def test_a_diode_with_several_operating_points_is_refused():
    design = build_design(random_spec(1, (3, 2)), Hardware(opamp_gain=10.0, v_fs=10.0))
    with pytest.raises(SimulationError, match="has several operating points: opamp_gain = 10 is"):
        designed_volts(design, volts(2, 3), 26.85)
