"""Encoding: how an input value becomes the voltages of its DACs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CheckpointError, DataError
from ..schema import VOLTS, Fixed, Number, Record, Several, Whole

MIN_SPAN = 0.01
"""Share of the input range that data with fractions must use not to be taken for another unit."""
MAX_SATURATED = 0.01
"""Share of input values that may saturate the DAC before the data is taken to be in other units."""
BESIDE = 0.1
"""Of an input's range: values no farther outside it saturate, but are of the same unit. Assumed."""
EACH_RANGE = f"each_range = true in the recipe lets them end {100 * BESIDE:g} % of it outside"
"""What helps where data of the same unit ends a little outside."""
ALIKE = 4
"""Inputs below which all values may lie close together: a sensor read a few times. Assumed."""
MOST_WIDTH = 100_000_000
"""Inputs or outputs of a layer; a wider one could not be compiled."""
MOST_TAPS = 64
ENCODING_ENTRY = Record(
    {"x_lo": Number(), "x_hi": Number(), "v_lo": VOLTS, "v_hi": VOLTS}
    | {"shape": Several(Whole(1, MOST_WIDTH), least=1, most=8)},
    {
        "ranges": Several(Fixed((Number(), Number())), most=MOST_WIDTH),
        "taps": Several(Fixed((VOLTS, VOLTS)), most=MOST_TAPS),
        "used": Several(Whole(0, MOST_WIDTH), most=MOST_WIDTH),
    },
)
"""An encoding in a file."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How input values become voltages: linear, ``x_lo`` to ``v_lo`` and ``x_hi`` to ``v_hi``.

    Attributes
    ----------
    x_lo, x_hi
        The range of the data's values (its "input units"): 0 and 255 for 8-bit pixels.
    v_lo, v_hi
        Volts.
    shape
        Shape of one input before it is flattened, such as (14, 14); I values.
    ranges
        (I, 2) the range of each input, where they differ; ``x_lo`` and ``x_hi`` are then the lowest
        and the highest of them.
    taps
        (C, 2) the DACs of every input: volts at the low and at the high end of its range. One by
        default; several show a diode different parts of its curve, or the input reversed. ``v_lo``
        and ``v_hi`` are then the lowest and the highest of them.
    used
        Numbers of the DACs that the network has, rising, of the I C there could be; by default
        all. Pruning leaves out those that drive nothing.

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
    ranges: tuple[tuple[float, float], ...] = ()
    taps: tuple[tuple[float, float], ...] = ()
    used: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        numbers = (self.x_lo, self.x_hi, self.v_lo, self.v_hi)
        every = (*numbers, *(end for pair in (*self.ranges, *self.taps) for end in pair))
        if not all(math.isfinite(n) for n in every) or self.x_lo >= self.x_hi:
            raise CheckpointError(
                f"input encoding {numbers} is not a range: x_lo < x_hi, all finite"
            )
        if self.v_lo == self.v_hi:
            raise CheckpointError(
                f"the input encoding gives {self.v_lo:g} V to every value: v_lo and v_hi must "
                "differ"
            )
        self._check_each("ranges", self.ranges, (self.x_lo, self.x_hi), self.inputs)
        self._check_each("taps", self.taps, (self.v_lo, self.v_hi), len(self.taps))
        rising = list(self.used) == sorted(set(self.used))
        if self.used and not (rising and self.used[0] >= 0 and self.used[-1] < self._possible):
            raise CheckpointError(
                f"used of the input encoding must be rising numbers of DACs, 0 to "
                f"{self._possible - 1}"
            )

    def _check_each(self, what: str, pairs: Any, ends: tuple[float, float], count: int) -> None:
        if not pairs:
            return
        found = np.array(pairs)
        if len(found) != count:
            raise CheckpointError(f"{what}: {len(found)} for {count} inputs; one each")
        if (found.min(), found.max()) != ends or (found[:, 0] == found[:, 1]).any():
            raise CheckpointError(
                f"{what} of the input encoding go from {found.min():g} to {found.max():g}, not "
                f"from {ends[0]:g} to {ends[1]:g}, or one of them is a single value"
            )
        if what == "ranges" and (found[:, 0] > found[:, 1]).any():
            raise CheckpointError("ranges of the input encoding: the low end of one is above")

    @property
    def inputs(self) -> int:
        """Number of input values, I."""
        return math.prod(self.shape)

    @property
    def width(self) -> int:
        """Number of DACs, which are the inputs of the first layer: I, I C with taps, or those
        that are used."""
        return len(self.used) or self._possible

    @property
    def _possible(self) -> int:
        return self.inputs * max(1, len(self.taps))

    @property
    def input_of_dacs(self) -> np.ndarray:
        """The number of the input that each DAC shows, (width,)."""
        every = np.arange(self.inputs).repeat(max(1, len(self.taps)))
        return every[list(self.used)] if self.used else every

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Low and high end of the inputs, (I,) or (1,) each."""
        lo, hi = np.array(self.ranges or [(self.x_lo, self.x_hi)]).T
        return lo, hi

    def saturated(self, x: np.ndarray) -> int:
        """How many values of ``x`` (B, I) lie outside their range, where the DACs saturate."""
        lo, hi = self.ends
        return int(((x < lo) | (x > hi)).sum())

    def _far_outside(self, x: np.ndarray) -> np.ndarray:
        """Which are ``saturated``; of quantities with their own ranges, which few points need not
        reach the ends of, those that are far outside."""
        lo, hi = self.ends
        beside = BESIDE * (hi - lo) if self.ranges else 0.0
        return (x < lo - beside) | (x > hi + beside)

    def document(self) -> dict[str, Any]:
        """As a checkpoint has it: what is not there is left out."""
        found: dict[str, Any] = {key: getattr(self, key) for key in ("x_lo", "x_hi")}
        found |= {"v_lo": self.v_lo, "v_hi": self.v_hi, "shape": list(self.shape)}
        found |= {"ranges": [list(pair) for pair in self.ranges]} if self.ranges else {}
        found |= {"taps": [list(pair) for pair in self.taps]} if self.taps else {}
        return found | ({"used": list(self.used)} if self.used else {})

    def volts(self, x: np.ndarray) -> np.ndarray:
        """Voltages for ``x`` (B, I) in input units; (B, width), volts, an input's taps together.

        The DACs saturate at their ends.

        Raises
        ------
        DataError
            If the width is not I, a value is not finite, or the data has another unit: more
            than 1 % of the values lie outside the range, where inputs have their own by more than
            a tenth of it, or fractions use less than 1 % of it.
        """
        if x.ndim != 2 or x.shape[1] != self.inputs:
            raise DataError(
                f"images have shape {x.shape}; this network takes (n, {self.inputs}), "
                f"that is {'x'.join(map(str, self.shape))} values each"
            )
        fractions = x.dtype.kind == "f" and self.inputs >= ALIKE
        x = x.astype(np.float64)
        if not np.isfinite(x).all():
            bad = int(np.argmax(~np.isfinite(x).all(axis=1)))
            raise DataError(f"image {bad} holds NaN or infinity")
        tiny = fractions and x.size and 0 < np.ptp(x) < MIN_SPAN * (self.x_hi - self.x_lo)
        if tiny or self._far_outside(x).sum() > MAX_SATURATED * x.size:
            raise DataError(self._another_unit(x, tiny=bool(tiny)))
        return self.applied(np.clip(x, *self.ends))

    def _another_unit(self, x: np.ndarray, *, tiny: bool) -> str:
        what, values, lo, hi = "input values span", x, self.x_lo, self.x_hi
        if self.ranges:
            k = int(self._far_outside(x).sum(axis=0).argmax())
            what, values, (lo, hi) = f"values of input {k} span", x[:, k], self.ranges[k]
        beside = BESIDE * (hi - lo)
        near = not (tiny or self.ranges) and values.min() >= lo - beside
        near = near and values.max() <= hi + beside
        return (
            f"{what} {values.min():g} to {values.max():g}; "
            f"this network was trained on {lo:g} to {hi:g}: rescale them"
            + (f"; {EACH_RANGE}" if near else "")
        )

    def applied(self, x: Any) -> Any:
        """Voltages (B, width) for ``x`` (B, I), an array or a tensor, unchecked."""
        volts = self._shown(x)
        return volts[:, list(self.used)] if self.used else volts

    def _shown(self, x: Any) -> Any:
        """Voltages of all DACs there could be."""
        if not self.ranges and not self.taps:
            return self.v_lo + (x - self.x_lo) * ((self.v_hi - self.v_lo) / (self.x_hi - self.x_lo))
        like = np.asarray if isinstance(x, np.ndarray) else x.new_tensor
        lo, hi = map(like, self.ends)
        from_, to = map(like, np.array(self.taps or [(self.v_lo, self.v_hi)]).T)
        share = ((x - lo) / (hi - lo))[:, :, None]
        return (from_ + share * (to - from_)).reshape(len(x), -1)
