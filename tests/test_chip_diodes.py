"""A chip's diodes: each has the table that its type's law comes to, at the deck's temperature."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analogkan.compiler.chip import RAMP_VOLTS
from analogkan.compiler.circuit_files import write_circuit
from analogkan.compiler.closed_form import shifted
from analogkan.compiler.spice_diodes import SAME_VOLTS, shifted_table

from .chips import chip
from .networks import random_spec

V = np.array([-0.2, 0.0, 0.05, 0.1, 0.25, 0.4, 0.9])
AMPS = np.array([-1e-7, 0.0, 1e-6, 3e-6, 2e-6, 5e-7, 4e-6])
FACTOR = st.floats(-0.5, 2.0).filter(lambda k: abs(k) > 1e-3)


@given(k_i=FACTOR, k_v=FACTOR, d_v=st.floats(-0.3, 0.3), v=st.floats(-3, 3))
def test_a_chips_table_is_the_law_at_every_voltage(k_i, k_v, d_v, v):
    volts, amperes = shifted_table(V, AMPS, k_i, k_v, d_v)
    assert (np.diff(volts) > SAME_VOLTS).all() and len(volts) <= 3 * len(V) + 2
    for at in (v, *volts):
        wanted = k_i * np.interp(shifted(np.float64(at), k_v, d_v), V, AMPS)
        assert abs(np.interp(at, volts, amperes) - wanted) <= 1e-12 * abs(k_i) * AMPS.max()


@pytest.mark.parametrize("d_v", [0.0, 1e-17, -1e-17])
def test_points_that_meet_are_one(d_v):
    assert RAMP_VOLTS in V
    volts, amperes = shifted_table(V, AMPS, 1.0, 1.0, d_v)
    np.testing.assert_allclose(volts, V, rtol=0, atol=1e-16)
    np.testing.assert_allclose(amperes, AMPS, rtol=0, atol=1e-20)


def test_the_deck_says_at_which_temperature_and_of_which_factors():
    design = chip(random_spec(3, (3, 2)))
    files = write_circuit(design, 85.0)
    text = files["cells.cir"]
    told = " ".join(text.replace("\n* ", " ").split())
    assert "DIODES ARE AS THEY ARE AT 85.0 DEGREES CELSIUS: `temp` must be that." in told
    e = design.stages[0].errors
    assert e is not None
    heads = re.findall(r"^\* (l0_i\d_d\d)_diode: \w+, ki=(\S+) kv=(\S+) dv=(\S+)$", text, re.M)
    for at, (row, *factors) in zip(np.ndindex(e.k_i.shape), heads, strict=True):
        assert row == f"l0_i{at[0]}_d{at[1]}"
        assert [float(x) for x in factors] == [e.k_i[at], e.k_v[at], e.d_v[at]]
        assert f"\nx_{row}_diode l0_v{at[0]} {row}_sum {row}_diode\n" in files["layer0.cir"]
