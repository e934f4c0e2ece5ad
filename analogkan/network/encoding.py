"""Encoding: how an input value becomes the voltage of a DAC."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import CheckpointError, DataError

MIN_SPAN = 0.01
"""Share of the input range that data with fractions must use not to be taken for another unit."""
MAX_SATURATED = 0.01
"""Share of input values that may saturate the DAC before the data is taken to be in other units."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How an input value becomes a voltage: linear, ``x_lo`` to ``v_lo`` and ``x_hi`` to ``v_hi``.

    Attributes
    ----------
    x_lo, x_hi
        The range of the data's values (its "input units"): 0 and 255 for 8-bit pixels.
    v_lo, v_hi
        Volts.
    shape
        Shape of one input before it is flattened, such as (14, 14).

    Examples
    --------
    >>> pixels = ak.Encoding(x_lo=0, x_hi=255, v_lo=0, v_hi=1, shape=(3,))
    >>> pixels.volts(np.array([[0, 51, 255]]))
    array([[0. , 0.2, 1. ]])
    """

    x_lo: float
    x_hi: float
    v_lo: float
    v_hi: float
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = (self.x_lo, self.x_hi, self.v_lo, self.v_hi)
        if not all(math.isfinite(n) for n in numbers) or self.x_lo >= self.x_hi:
            raise CheckpointError(
                f"input encoding {numbers} is not a range: x_lo < x_hi, all finite"
            )
        if self.v_lo == self.v_hi:
            raise CheckpointError(
                f"the input encoding gives {self.v_lo:g} V to every value: v_lo and v_hi must "
                "differ"
            )

    @property
    def width(self) -> int:
        """Number of inputs, I."""
        return math.prod(self.shape)

    def saturated(self, x: np.ndarray) -> int:
        """How many values of ``x`` lie outside [x_lo, x_hi], where the DAC saturates."""
        return int(((x < self.x_lo) | (x > self.x_hi)).sum())

    def volts(self, x: np.ndarray) -> np.ndarray:
        """Voltages for ``x`` (B, I) in input units; (B, I), volts. The DAC saturates at its ends.

        Raises
        ------
        DataError
            If the width is not I, a value is not finite, or the data has another unit: more
            than 1 % of the values lie outside [x_lo, x_hi], or fractions use less than 1 % of it.
        """
        if x.ndim != 2 or x.shape[1] != self.width:
            raise DataError(
                f"images have shape {x.shape}; this network takes (n, {self.width}), "
                f"that is {'x'.join(map(str, self.shape))} values each"
            )
        fractions = x.dtype.kind == "f"
        x = x.astype(np.float64)
        if not np.isfinite(x).all():
            bad = int(np.argmax(~np.isfinite(x).all(axis=1)))
            raise DataError(f"image {bad} holds NaN or infinity")
        tiny = fractions and x.size and 0 < np.ptp(x) < MIN_SPAN * (self.x_hi - self.x_lo)
        if tiny or self.saturated(x) > MAX_SATURATED * x.size:
            raise DataError(
                f"input values span {x.min():g} to {x.max():g}; "
                f"this network was trained on {self.x_lo:g} to {self.x_hi:g}: rescale them"
            )
        x = np.clip(x, self.x_lo, self.x_hi)
        return self.v_lo + (x - self.x_lo) * ((self.v_hi - self.v_lo) / (self.x_hi - self.x_lo))
