"""What a reading can be: bounds of each physical quantity, and the codes that are no reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import AnalogKanError, DeviceError


@dataclass(frozen=True)
class Quantity:
    """A physical quantity: its unit, the bounds (both possible) of what can be, and why."""

    unit: str
    low: float
    high: float
    why: str


QUANTITIES = {
    "voltage": Quantity("V", -1e3, 1e3, "source meters end at 1.1 kV"),
    "current": Quantity("A", -1e3, 1e3, "curve tracers end at 1.5 kA"),
    "peak current": Quantity("A", 1e-15, 1e3, "electrometers resolve about 1 fA"),
    "temperature": Quantity("degC", -273.15, 1e3, "from absolute zero to where diodes melt"),
    "relative sigma": Quantity("", 0.0, 1.0, "a wider spread has devices without current"),
    "voltage sigma": Quantity("V", 0.0, 10.0, "a wider spread has devices without a common curve"),
}
"""Assumed, wide: what lies outside is a code, a wrong unit or damage, not a device."""

USUAL_PEAK = (1e-12, 0.3)
"""Amperes between which a diode's largest current lies; beyond, the unit is doubted. Assumed."""
USUAL_VOLTS = 100.0
"""The same for the largest voltage of a table; assumed."""
CODES = {
    9.9e37: "SCPI's code for infinity or overload",
    9.91e37: "SCPI's code for 'not a number'",
    1.99999e101: "the code of parameter analysers after an abort or at compliance",
}
"""Magnitudes that instruments write where they have no reading (SCPI 1999, vol. 1, 7.2.1)."""


def code_of(value: float) -> str:
    """What ``value`` says in place of a reading, or nothing if it is no known code."""
    for code, meaning in CODES.items():
        if abs(abs(value) - code) <= 1e-6 * code:
            return meaning
    return ""


def first_unphysical(values: np.ndarray | Sequence[float] | float, quantity: str) -> int | None:
    """Place, in C order, of the first value that is NaN or out of bounds; None if all can be."""
    known, flat = QUANTITIES[quantity], np.asarray(values, dtype=np.float64).ravel()
    wrong = ~((flat >= known.low) & (flat <= known.high))
    return int(wrong.argmax()) if wrong.any() else None


def require_physical(
    values: np.ndarray | Sequence[float] | float,
    quantity: str,
    where: str,
    *,
    error: type[AnalogKanError] = DeviceError,
) -> None:
    """Raise ``error`` if a value (any shape, in the quantity's unit) cannot be one.

    Parameters
    ----------
    values
        Numbers.
    quantity
        A key of ``QUANTITIES``.
    where
        What they are of, such as ``device A21``: how the sentence begins.
    error
        Class of what is raised.

    Raises
    ------
    AnalogKanError
        Of class ``error``, with the first such value, its place and the bounds.
    """
    place = first_unphysical(values, quantity)
    if place is None:
        return
    flat = np.asarray(values, dtype=np.float64).ravel()
    at = f" (value {place + 1} of {flat.size:,})" if flat.size > 1 else ""
    raise error(f"{where}: {describe(float(flat[place]), quantity)}{at}")


def describe(value: float, quantity: str) -> str:
    """Why ``value``, in the quantity's unit, cannot be one: part of a sentence."""
    known = QUANTITIES[quantity]
    unit = f" {known.unit}" if known.unit else ""
    code = f": it is {code_of(value)}" if code_of(value) else ""
    return (
        f"a {quantity} of {value:g}{unit} cannot be{code}; possible are {known.low:g} to "
        f"{known.high:g}{unit} ({known.why})"
    )


def doubt_of_current(i_peak: float) -> str:
    """What is odd about a device's largest current, amperes, as part of a sentence; may be empty.

    Such a current is possible, but is more often a column in another unit.
    """
    low, high = USUAL_PEAK
    if low <= i_peak <= high:
        return ""
    where = "above" if i_peak > high else "below"
    return f"largest current {i_peak:.3g} A, {where} what diodes carry ({low:g} to {high:g} A)"
