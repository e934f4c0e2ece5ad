"""What a reading can be: bounds, codes, and the sentence."""

from __future__ import annotations

from re import escape

import numpy as np
import pytest

from analogkan.errors import CheckpointError, DeviceError
from analogkan.limits import QUANTITIES, code_of, doubt_of_current, require_physical


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_bounds_are_possible_and_what_is_beyond_or_no_number_is_not(quantity):
    known = QUANTITIES[quantity]
    require_physical([known.low, known.high], quantity, "it")
    for value in (np.nextafter(known.low, -np.inf), np.nextafter(known.high, np.inf), np.nan):
        with pytest.raises(DeviceError, match=f"^it: a {quantity} of "):
            require_physical(value, quantity, "it")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (9.9e37, "SCPI's code for infinity or overload"),
        (-9.9e37, "SCPI's code for infinity or overload"),
        (np.float32(9.9e37), "SCPI's code for infinity or overload"),
        (9.91e37, "SCPI's code for 'not a number'"),
        (1.99999e101, "the code of parameter analysers after an abort or at compliance"),
        (9.9e36, ""),
        (0.0, ""),
        (np.inf, ""),
    ],
)
def test_codes_are_known_by_name(value, code):
    assert code_of(float(value)) == code


def test_the_sentence_names_the_first_value_its_place_and_the_class_is_the_callers():
    table = np.array([[0.0, 1e-6], [2e3, 9.9e37]])
    sentence = (
        "net.pt, layer 0: a current of 2000 A cannot be; possible are -1000 to 1000 A (curve "
        "tracers end at 1.5 kA) (value 3 of 4)"
    )
    with pytest.raises(CheckpointError, match=f"^{escape(sentence)}$"):
        require_physical(table, "current", "net.pt, layer 0", error=CheckpointError)


def test_a_current_that_is_possible_but_odd_is_doubted():
    assert doubt_of_current(3.1) == (
        "largest current 3.1 A, above what diodes carry (1e-12 to 0.3 A)"
    )
    assert doubt_of_current(2e-13).startswith("largest current 2e-13 A, below ")
    assert doubt_of_current(0.07) == doubt_of_current(1e-9) == ""
