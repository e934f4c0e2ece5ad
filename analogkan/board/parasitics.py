# pyright: strict
"""What a layout and a diode's package add to a board's circuit."""

from __future__ import annotations

from dataclasses import dataclass

from ..settings import check_fields, require, setting, within


def _amount(default: float, unit: str, low: float, high: float) -> float:
    return setting(default, unit, f"{low:g} to {high:g} {unit}", within(low, high))


def _none_or(default: float, unit: str, low: float, high: float) -> float:
    limit = f"0 (none), or {low:g} to {high:g} {unit}"
    return setting(default, unit, limit, lambda x: x == 0 or low <= x <= high)


@dataclass(frozen=True, kw_only=True)
class Parasitics:
    """Of the diodes, their leads, and what damps them; all defaults are assumed.

    Attributes
    ----------
    c_j
        Across a diode's junction, farads: of milliampere tunnel diodes datasheets give 5 to 30 pF.
    r_s
        In series with it, ohms; the drop across it is in the table that was measured.
    lead
        Inductance between diode node and junction, the package's included, henries: 10 nH is 1 cm
        of wire.
    c_stray
        Of every net to ground, farads: pads and tracks.
    snubber_r, snubber_c
        Ohms and farads in series to ground, one a node: at the driver's output, where the leads of
        all of its diodes begin; 0 and 0: none.
    shunt
        Ohms across each diode, behind its lead; 0: none. The current through it is the row's too:
        the device of a design is diode and shunt together, as they were measured.
    ideal_driver
        The anode's lead begins at an ideal source, instead of an op-amp of the same class.
    """

    c_j: float = _amount(20e-12, "F", 1e-14, 1e-8)
    r_s: float = _amount(1.0, "ohm", 0.01, 1e3)
    lead: float = _amount(10e-9, "H", 1e-11, 1e-5)
    c_stray: float = _amount(1e-12, "F", 1e-14, 1e-9)
    snubber_r: float = _none_or(2.0, "ohm", 0.1, 1e4)
    snubber_c: float = _none_or(2e-9, "F", 1e-12, 1e-6)
    shunt: float = _none_or(0.0, "ohm", 1.0, 1e6)
    ideal_driver: bool = setting(False, "", "true or false", lambda x: isinstance(x, bool))

    def __post_init__(self) -> None:
        check_fields(self)
        both = f"{'above 0' if self.snubber_r else '0'}, as snubber_r ({self.snubber_r:g} ohm) is"
        require((self.snubber_r > 0) == (self.snubber_c > 0), "snubber_c", self.snubber_c, both)
