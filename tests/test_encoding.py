"""Encoding: from input units to volts, and which inputs are refused."""

from __future__ import annotations

from re import escape

import numpy as np
import pytest

from analogkan.errors import CheckpointError, DataError
from analogkan.network.encoding import Encoding

ENCODING = Encoding(x_lo=0, x_hi=255, v_lo=0.0, v_hi=0.7, shape=(2, 3))


def test_encoding_is_linear_from_input_units_to_volts():
    x = np.array([[0, 51, 102, 153, 204, 255]], dtype=np.uint8)
    np.testing.assert_allclose(ENCODING.volts(x), [[0, 0.14, 0.28, 0.42, 0.56, 0.7]], atol=1e-15)


def test_the_input_that_is_far_outside_is_named_not_one_a_little_outside():
    each = Encoding(x_lo=0, x_hi=8, v_lo=0.0, v_hi=0.7, shape=(2,), ranges=((0.0, 1.0), (5.0, 8.0)))
    x = np.array([[1.05, 6.0], [1.05, 6.0], [1.05, 6.0], [0.5, 80.0]])
    sentence = "values of input 1 span 6 to 80; this network was trained on 5 to 8: rescale them"
    with pytest.raises(DataError, match=f"^{escape(sentence)}$"):
        each.volts(x)


def test_an_end_point_a_little_outside_is_told_of_each_range():
    """A test part of a few points with an end of the sweep; farther out it is another unit."""
    one = Encoding(x_lo=0.20618, x_hi=0.77075, v_lo=0.0, v_hi=0.7, shape=(1,))
    x = np.linspace(0.19911, 0.72268, 30)[:, None]
    sentence = (
        "input values span 0.19911 to 0.72268; this network was trained on 0.20618 to 0.77075: "
        "rescale them; each_range = true in the recipe lets them end 10 % of it outside"
    )
    with pytest.raises(DataError, match=f"^{escape(sentence)}$"):
        one.volts(x)
    each = Encoding(**(vars(one) | {"ranges": ((one.x_lo, one.x_hi),)}))
    assert each.volts(x).min() == 0.0
    with pytest.raises(DataError, match=r"rescale them$"):
        one.volts(x - 0.1)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (
            np.zeros((2, 5)),
            "images have shape (2, 5); this network takes (n, 6), that is 2x3 values each",
        ),
        (np.zeros(6), "images have shape (6,); this network takes (n, 6)"),
        (np.array([[0.0] * 6, [0, 0, np.nan, 0, 0, 0]]), "image 1 holds NaN or infinity"),
        (np.array([[np.inf] * 6]), "image 0 holds NaN or infinity"),
        (
            np.array([[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]]),
            "input values span 0 to 1; this network was trained on 0 to 255: rescale them",
        ),
        (
            np.array([[-1.0, 0, 1, 2, 3, 4]]),
            "input values span -1 to 4; this network was trained on 0 to 255: rescale them",
        ),
    ],
)
def test_inputs_of_another_kind_are_refused(x, sentence):
    with pytest.raises(DataError, match=escape(sentence)):
        ENCODING.volts(x)


def test_up_to_one_percent_of_the_values_may_saturate_and_they_are_counted_and_clipped():
    x = np.full((100, 6), 100.0)
    x[:3, 0], x[3:6, 1] = 300.0, -1.0
    assert ENCODING.saturated(x) == 6
    volts = ENCODING.volts(x)
    assert (volts[:3, 0] == 0.7).all()
    assert (volts[3:6, 1] == 0.0).all()
    x[6, 0] = 256.0
    with pytest.raises(DataError, match="input values span -1 to 300; this network was trained on"):
        ENCODING.volts(x)


def test_an_encoding_without_a_range_is_refused():
    sentence = r"input encoding \(1, 1, 0, 1\) is not a range: x_lo < x_hi, all finite"
    with pytest.raises(CheckpointError, match=sentence):
        Encoding(x_lo=1, x_hi=1, v_lo=0, v_hi=1, shape=(1,))
