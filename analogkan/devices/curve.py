"""An I-V curve: the one type every device becomes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..errors import DeviceError
from ..limits import require_physical
from ..objects import Described, Facts
from ..text import brief

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
NOMINAL_TEMP_C = 26.85
"""Degrees Celsius: 300 K, the temperature of every table that names none."""
ABSOLUTE_ZERO_C = -273.15
MAX_POINTS = 100_000
"""Of a table: it is a line of a netlist."""
MIN_STEP = 1e-12
"""Volts between two points; thermal voltage is 86 nV at 1 mK."""


@dataclass(frozen=True, eq=False, repr=False)
class IVCurve(Described):
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
    temperatures
        (degrees Celsius, currents (N,) amperes on the same voltages) for every temperature the
        device was measured at, in rising order; empty if nothing is known of it. ``i`` is the
        one nearest to 26.85. ``current`` and ``phi`` do not read the others.
    reconstructed
        (volts, volts) between which a measured device's table is not measured but reconstructed;
        None if nothing is known to be.

    Examples
    --------
    >>> curve = ak.IVCurve("D1", np.array([0, 0.3, 0.9]), np.array([0, 2e-6, 1e-7]))
    >>> curve.v_peak
    0.3
    """

    name: str
    v: np.ndarray
    i: np.ndarray
    source: str = ""
    notes: str = ""
    temperatures: tuple[tuple[float, np.ndarray], ...] = ()
    reconstructed: tuple[float, float] | None = None

    def _described(self) -> tuple[str, Facts]:
        table = f"{self.v.size} points from {self.v[0]:g} to {self.v[-1]:g} V"
        peak = f"{self.i_peak:.4g} A at {self.v_peak:.3f} V"
        facts = [("table", table), ("peak", peak), ("source", self.source)]
        return self.name, facts + ([("assumed", self.assumed)] if self.assumed else [])

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise DeviceError(
                f"device name {brief(self.name)} is not usable in a netlist: "
                "letters, digits and underscores, a letter first, at most 32"
            )
        v, i = (np.array(a, dtype=np.float64) for a in (self.v, self.i))
        if v.ndim != 1 or v.shape != i.shape or v.size < 2:
            raise DeviceError(
                f"device {self.name}: v has shape {v.shape} and i {i.shape}; "
                "both must be (N,) with N at least 2"
            )
        if v.size > MAX_POINTS:
            raise DeviceError(
                f"device {self.name} has {v.size:,} points, more than {MAX_POINTS:,}: thin them out"
            )
        if not (np.isfinite(v).all() and np.isfinite(i).all()):
            raise DeviceError(f"device {self.name}: its table holds NaN or infinity")
        require_physical(v, "voltage", f"device {self.name}")
        require_physical(i, "current", f"device {self.name}")
        steps = np.diff(v)
        if (steps < MIN_STEP).any():
            at = int(np.argmax(steps < MIN_STEP))
            raise DeviceError(
                f"device {self.name}: voltages must increase, but point {at + 1} "
                f"({v[at + 1]:g} V) follows {v[at]:g} V"
            )
        if i.max() <= 0:
            raise DeviceError(
                f"device {self.name}: no positive current, so it has no peak: check the signs"
            )
        require_physical(i.max(), "peak current", f"device {self.name}")
        v.setflags(write=False)
        i.setflags(write=False)
        object.__setattr__(self, "v", v)
        object.__setattr__(self, "i", i)
        object.__setattr__(self, "temperatures", self._checked_temperatures())
        if self.reconstructed is not None:
            lo, hi = map(float, self.reconstructed)
            object.__setattr__(self, "reconstructed", (lo, hi))
            if not v[0] <= lo < hi <= v[-1]:
                raise DeviceError(
                    f"device {self.name}: reconstructed from {lo:g} to {hi:g} V, but its table "
                    f"goes from {v[0]:g} to {v[-1]:g} V, the lower first"
                )

    def _checked_temperatures(self) -> tuple[tuple[float, np.ndarray], ...]:
        """``temperatures`` sorted and read-only; DeviceError if one is no table of this device."""
        tables = []
        for temp_c, currents in self.temperatures:
            at, i = f"device {self.name} at {temp_c:g} degC", np.array(currents, dtype=np.float64)
            if not ABSOLUTE_ZERO_C < temp_c < np.inf:
                raise DeviceError(f"{at}: temperatures lie above {ABSOLUTE_ZERO_C:g} degC")
            require_physical(temp_c, "temperature", f"device {self.name}")
            if i.shape != self.v.shape:
                raise DeviceError(
                    f"{at}: its currents have shape {i.shape}; the voltages {self.v.shape}"
                )
            if not np.isfinite(i).all():
                raise DeviceError(f"{at}: its table holds NaN or infinity")
            require_physical(i, "current", at)
            if i.max() <= 0:
                raise DeviceError(f"{at}: no positive current, so it has no peak: check the signs")
            require_physical(i.max(), "peak current", at)
            i.setflags(write=False)
            tables.append((float(temp_c), i))
        tables.sort(key=lambda entry: entry[0])
        for (temp_c, _), (above, _) in pairwise(tables):
            if temp_c == above:
                raise DeviceError(f"device {self.name} has two tables at {temp_c:g} degC")
        if tables:
            temp_c = nearest_to_nominal([t for t, _ in tables])
            if not np.array_equal(dict(tables)[temp_c], self.i):
                raise DeviceError(
                    f"device {self.name}: i is not its table at {temp_c:g} degC, the temperature "
                    f"measured that is nearest to {NOMINAL_TEMP_C:g}"
                )
        return tuple(tables)

    def __eq__(self, other: object) -> bool:
        """Equal if name and tables are; where the figures came from does not matter."""
        return (
            isinstance(other, IVCurve)
            and self.name == other.name
            and np.array_equal(self.v, other.v)
            and np.array_equal(self.i, other.i)
            and self.temps_c == other.temps_c
            and np.array_equal(self.i_at, other.i_at)
        )

    def __hash__(self) -> int:
        return hash((self.name, *(a.tobytes() for a in (self.v, self.i, self.i_at)), self.temps_c))

    @property
    def assumed(self) -> str:
        """What of the table is reconstructed, in words; empty if nothing is known to be."""
        if self.reconstructed is None:
            return ""
        return "{:.3f} to {:.3f} V reconstructed".format(*self.reconstructed)

    @property
    def temps_c(self) -> tuple[float, ...]:
        """The temperatures it was measured at, degrees Celsius, rising; empty if none is known."""
        return tuple(temp_c for temp_c, _ in self.temperatures)

    @property
    def i_at(self) -> np.ndarray:
        """Its currents at ``temps_c``: (T, N), amperes."""
        return np.array([i for _, i in self.temperatures]).reshape(-1, self.v.size)

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

    def odd(self) -> IVCurve:
        """The same, and below 0 V the same reversed, as a passive diode of two like ends conducts.

        Raises
        ------
        DeviceError
            If its table does not begin at 0 V with no current.
        """
        if self.v[0] != 0 or self.i_at[:, 0].any() or self.i[0]:
            raise DeviceError(
                f"device {self.name} begins at {self.v[0]:g} V with {self.i[0]:g} A: only a table "
                "that begins at 0 V with 0 A can be continued below"
            )

        def continued(y: np.ndarray) -> np.ndarray:
            return np.concatenate([-y[:0:-1], y])

        temperatures = tuple((t, continued(i)) for t, i in self.temperatures)
        return replace(self, v=continued(self.v), i=continued(self.i), temperatures=temperatures)

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


def nearest_to_nominal(temps_c: Iterable[float]) -> float:
    """The temperature nearest to 26.85 degrees Celsius; of two, the lower."""
    return min(temps_c, key=lambda temp_c: (abs(temp_c - NOMINAL_TEMP_C), temp_c))
