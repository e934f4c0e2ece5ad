# pyright: strict
"""Standard values of resistors: the series of IEC 60063, three digits or two a decade."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import CompileError
from ..settings import require

if TYPE_CHECKING:
    from .hardware import Hardware

Values = npt.NDArray[Any]
_E24 = (
    10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30,
    33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91,
)  # fmt: skip
E12 = _E24[::2]
"""Mantissas of capacitors."""
SERIES = {"e24": _E24, "e96": tuple(round(100 * 10 ** (k / 96)) for k in range(96))}
"""Mantissas of a decade. Those of E96 are 10^(k/96) rounded; E24 is a list."""
R_LEAST, R_MOST = 1.0, 10e6
"""Ohms between which such resistors are sold; assumed."""
TOUCH = 1e-9
"""Relative: a limit that is a standard value may be written as a conductance."""


@lru_cache(maxsize=64)
def standard_values(series: str, low: float = R_LEAST, high: float = R_MOST) -> Values:
    """Every value (N,) of ``series`` from ``low`` to ``high``, ohms, rising."""
    mantissas = SERIES[series]
    digits = len(str(mantissas[0])) - 1
    found = np.array([float(f"{m}e{d - digits}") for d in range(8) for m in mantissas])
    found = found[(found >= low * (1 - TOUCH)) & (found <= high * (1 + TOUCH))]
    found.setflags(write=False)
    return found


def coarseness(series: str) -> float:
    """The most that the nearest value can be off, as a share of it."""
    values = standard_values(series, 1.0, 10.0)
    return float(np.sqrt((values[1:] / values[:-1]).max())) - 1


def nearest_of(values: Values, ohms: Values) -> Values:
    """For each of ``ohms`` (any shape) the one of ``values`` (N,) whose ratio to it is least."""
    at = np.searchsorted(np.sqrt(values[:-1] * values[1:]), ohms)
    return values[at]


def standard_of(ohms: Values, series: str, what: str, hint: str, side: int = 0) -> Values:
    """Standard values for the resistors ``what``, ``ohms`` (any shape).

    Parameters
    ----------
    what, hint
        For the message: what they are, and what to change where they are none.
    side
        1: the least that is no less; -1: the greatest that is no more; 0: the nearest.

    Raises
    ------
    CompileError
        If one is not sold.
    """
    values = standard_values(series)
    off = (ohms < values[0] * (1 - TOUCH)) | (ohms > values[-1] * (1 + TOUCH))
    if off.any():
        raise CompileError(
            f"{what} would have {float(ohms[off][0]):.4g} ohm, and resistors of "
            f"{series.upper()} are from {R_LEAST:g} to {R_MOST:g} ohm: {hint}"
        )
    if not side:
        return nearest_of(values, ohms)
    if side > 0:
        at = np.searchsorted(values, ohms * (1 - TOUCH))
    else:
        at = np.searchsorted(values, ohms * (1 + TOUCH), side="right") - 1
    return values[np.clip(at, 0, len(values) - 1)]


def check_series(hardware: Hardware) -> None:
    """SettingsError unless a cell of ``hardware`` can be at least two standard values."""
    low, high, name = 1 / hardware.g_max, 1 / hardware.g_min, hardware.series
    for key, ohms in (("g_max", low), ("g_min", high)):
        require(
            R_LEAST * (1 - TOUCH) <= ohms <= R_MOST * (1 + TOUCH),
            key,
            getattr(hardware, key),
            f"{1 / R_MOST:g} to {1 / R_LEAST:g} S with levels = {name}, whose resistors are from "
            f"{R_LEAST:g} to {R_MOST:g} ohm",
        )
    require(
        len(hardware.cell_values) > 1,
        "levels",
        name,
        f"no two values of {name.upper()} lie between {low:.6g} and {high:.6g} ohm, 1/g_max and "
        "1/g_min: lower g_min or raise g_max",
    )
