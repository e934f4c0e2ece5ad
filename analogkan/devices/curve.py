"""An I-V curve: the one type every device becomes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from ..errors import DeviceError

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")


@dataclass(frozen=True, eq=False)
class IVCurve:
    """A two-terminal device's current against its voltage: piecewise linear, flat outside.

    The table is exactly what the SPICE model holds, so there is no second interpolant to disagree
    with. Values beyond the table are those of its ends (the rule of arXiv 2510.23638, Sec. 3.2).

    Attributes
    ----------
    name
        Letters, digits and underscores, a letter first; at most 32.
    v
        Table voltages, strictly increasing; shape (N,), volts.
    i
        Table currents; shape (N,), amperes.
    source
        Where the figures come from.
    notes
        Anything else worth keeping: how the table was fitted and its residuals.
    """

    name: str
    v: np.ndarray
    i: np.ndarray
    source: str = ""
    notes: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise DeviceError(
                f"device name {self.name!r} is not usable in a netlist: "
                "letters, digits and underscores, a letter first, at most 32"
            )
        v, i = (np.array(a, dtype=np.float64) for a in (self.v, self.i))
        if v.ndim != 1 or v.shape != i.shape or v.size < 2:
            raise DeviceError(
                f"device {self.name}: v has shape {v.shape} and i {i.shape}; "
                "both must be (N,) with N at least 2"
            )
        if not (np.isfinite(v).all() and np.isfinite(i).all()):
            raise DeviceError(f"device {self.name}: its table holds NaN or infinity")
        steps = np.diff(v)
        if (steps <= 0).any():
            at = int(np.argmax(steps <= 0))
            raise DeviceError(
                f"device {self.name}: voltages must increase, but point {at + 1} "
                f"({v[at + 1]:g} V) follows {v[at]:g} V"
            )
        if i.max() <= 0:
            raise DeviceError(f"device {self.name}: no positive current, so it has no peak")
        v.setflags(write=False)
        i.setflags(write=False)
        object.__setattr__(self, "v", v)
        object.__setattr__(self, "i", i)

    def __eq__(self, other: object) -> bool:
        """Equal if name and table are; where the figures came from does not matter."""
        return (
            isinstance(other, IVCurve)
            and self.name == other.name
            and np.array_equal(self.v, other.v)
            and np.array_equal(self.i, other.i)
        )

    def __hash__(self) -> int:
        return hash((self.name, self.v.tobytes(), self.i.tobytes()))

    @property
    def i_peak(self) -> float:
        """The table's largest current, amperes: the unit of phi."""
        return float(self.i.max())

    @property
    def v_peak(self) -> float:
        """Voltage of the largest current, volts."""
        return float(self.v[np.argmax(self.i)])

    def current(self, v: np.ndarray) -> np.ndarray:
        """Current at voltages ``v`` (any shape, volts), amperes."""
        return np.interp(v, self.v, self.i)

    def phi(self, v: np.ndarray) -> np.ndarray:
        """The basis function: current as a share of the peak's, at voltages ``v`` (any shape)."""
        return np.interp(v, self.v, self.i / self.i_peak)

    def negative_slopes(self) -> np.ndarray:
        """Differential conductance of each falling segment, siemens; shape (segments,)."""
        slopes = np.diff(self.i) / np.diff(self.v)
        return slopes[slopes < 0]

    def extrema(self) -> list[tuple[str, float, float]]:
        """The curve's inner peaks and valleys in order: ("peak" | "valley", volts, amperes)."""
        sign = np.sign(np.diff(self.i))
        found = []
        for k in range(1, sign.size):
            if sign[k - 1] > 0 > sign[k]:
                found.append(("peak", float(self.v[k]), float(self.i[k])))
            elif sign[k - 1] < 0 < sign[k]:
                found.append(("valley", float(self.v[k]), float(self.i[k])))
        return found
