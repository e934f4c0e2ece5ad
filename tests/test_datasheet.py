"""What a datasheet is computed from: its assumptions, and the capacitors that damp amplifiers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogkan.errors import SettingsError
from analogkan.physics import Assumptions
from analogkan.physics.capacitors import damping_c_f

GBW = 10e6


def damping(c, g, r, c_f) -> float:
    """Of the loop's two poles, by its polynomial's coefficients."""
    w = 2 * math.pi * GBW
    return (g + 1 / r + w * c_f) / (2 * math.sqrt((c + c_f) * w / r))


@given(
    c=st.floats(1e-15, 1e-10),
    g=st.floats(-1e-4, 1e-2),
    r=st.floats(1e2, 1e7),
    zeta=st.floats(0.1, 2.0),
)
def test_a_capacitor_for_damping_damps_just_so(c, g, r, zeta):
    c_f = float(damping_c_f(np.array(c), np.array(g), np.array(r), GBW, zeta))
    reached = damping(c, g, r, c_f)
    assert reached == pytest.approx(zeta, rel=1e-6) if c_f else reached >= zeta * (1 - 1e-9)


def test_a_row_of_a21_needs_more_than_stability_does():
    """0.5 V over 3.11 uA, 1 pF at the input: about 0.5 pF, where stability asks for 0.1."""
    r = 0.5 / 3.11e-6
    assert float(damping_c_f(np.array(1e-12), np.array(0.0), np.array(r), GBW, 0.7)) == (
        pytest.approx(0.45e-12, rel=0.15)
    )


@pytest.mark.parametrize("wrong", [{"c_in": -1e-12}, {"zeta": 3.0}, {"f_low": 0.0}, {"bits": 0}])
def test_what_no_circuit_has_is_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Assumptions(**wrong)
