# pyright: strict
"""Op-amps for boards, by macro-models of classes of parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import resources
from ..settings import build, check_fields, find_named, read_toml, require, within

FOLDER = "board/opamps"
SIGMAS = 3.0
"""Standard deviations of the offset that its largest value is; assumed."""


def _given(unit: str, limit: str, fits: Callable[[Any], bool]) -> Any:
    """A field as ``settings.setting`` makes, without a default."""
    return dataclasses.field(metadata={"unit": unit, "limit": limit, "fits": fits})


def _range(unit: str, low: float, high: float) -> Any:
    return _given(unit, f"{low:g} to {high:g} {unit}".rstrip(), within(low, high))


@dataclass(frozen=True, kw_only=True)
class BoardOpAmp:
    """An op-amp as its datasheet gives it, or as typical of a class, then assumed.

    Attributes
    ----------
    name
        Of the class or part.
    about
        What the figures rest on, and examples of parts.
    gain
        Open-loop gain at DC, V/V ("large-signal voltage gain").
    gbw
        Gain-bandwidth product, hertz.
    p2
        Second pole of the open loop, hertz (from the phase margin at unity gain).
    r_o
        Open-loop output resistance, ohms ("open-loop output impedance", above the GBW).
    vos
        Largest input offset, volts, taken as three standard deviations.
    drift
        Of the offset, V/K.
    c_in
        At each input, farads (differential and common-mode together).
    i_out
        Current that its output delivers within its figures, amperes.
    supply_min, supply_max
        Volts between its supplies.
    """

    name: str = _given("", "a text", bool)
    about: str = _given("", "a text", bool)
    gain: float = _range("", 100, 1e9)
    gbw: float = _range("Hz", 1e3, 1e11)
    p2: float = _range("Hz", 1e3, 1e12)
    r_o: float = _range("ohm", 0.1, 1e5)
    vos: float = _range("V", 0, 0.1)
    drift: float = _range("V/K", 0, 1e-2)
    c_in: float = _range("F", 1e-14, 1e-9)
    i_out: float = _range("A", 1e-6, 10)
    supply_min: float = _range("V", 0.5, 1000)
    supply_max: float = _range("V", 0.5, 1000)

    def __post_init__(self) -> None:
        check_fields(self)
        above = f"at least supply_min ({self.supply_min:g} V)"
        require(self.supply_max >= self.supply_min, "supply_max", self.supply_max, above)

    @property
    def vos_sigma(self) -> float:
        """Standard deviation of the offset, volts."""
        return self.vos / SIGMAS


def opamp_classes() -> list[str]:
    """Names of the shipped classes."""
    return sorted(path.stem for path in resources.path(FOLDER).glob("*.toml"))


def load_opamp(name: str) -> BoardOpAmp:
    """A shipped class by its name, or the op-amp of a TOML file by its path.

    Raises
    ------
    SettingsError
        If there is none, or an entry is missing, unknown or out of its range.
    """
    path = find_named(name, FOLDER, "op-amp class")
    values = {"name": path.stem} | read_toml(path, "op-amp class")
    return build(BoardOpAmp, values, f"op-amp class {path.stem}")
