# pyright: strict
"""What a datasheet assumes of parts whose values a DC circuit does not need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..die.floorplan import AREA_CELL, AREA_OPAMP
from ..settings import check_fields, setting, within
from ..text import engineering
from .blocks import AMPLIFIERS

LATER = (
    *(f"{name}_{kind}" for name in ("c_load", "class_ab") for kind in AMPLIFIERS[:3]),
    *("gating", "t_wake", "area_opamp", "area_cell", "area_farad", "area_ohm"),
    *("dac_fom", "adc_fom"),
)
"""Assumptions that there has been a choice of only since there were RUNs, or that no row of theirs
depends on."""


def _amount(default: float, unit: str, most: float) -> float:
    return setting(default, unit, f"0 to {most:g} {unit}", within(0, most))


def _own_load() -> float:
    return setting(0.0, "F", "0 (c_load), to 0.001 F", within(0, 1e-3))


def _own_class() -> float:
    limit = "0 (class_ab), or 1 to 1e6"
    return setting(0.0, "", limit, lambda ratio: ratio == 0 or 1 <= ratio <= 1e6)


def _positive(default: float, unit: str, most: float) -> float:
    return setting(default, unit, f"above 0, to {most:g} {unit}", lambda x: 0 < x <= most)


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Capacitances, noise and supply currents. Every figure of a datasheet names its own.

    Attributes
    ----------
    c_in
        Farads at every input of an op-amp; assumed.
    c_cell
        Farads that a cell and its piece of wire add to the summing node of their line; assumed.
    c_diode
        Farads across a diode, at its row amplifier's summing node; 0 where not known. eps A / d
        holds below the peak; near it about five times that was measured (Jo, APL 64, 2276, 1994).
    zeta
        Least damping of each amplifier's loop: its feedback capacitor is what reaches that, if it
        is larger than the design's. 0.7 is the least without a peak in frequency.
    slew
        Volts a second that an op-amp's output can change by; 0 does not limit it.
    e_n, i_n
        White noise of an op-amp's inputs, V/sqrt(Hz) and A/sqrt(Hz); assumed.
    f_corner
        Hz below which the voltage noise grows as 1/f; 0: there is none.
    f_low
        Hz from where on noise counts: 1 / (time since the last trim).
    fano_rising, fano_falling
        Shot noise of a diode as a share of 2 q I coth(q V / 2 k T) (Tiemann 1960,
        doi:10.1109/JRPROC.1960.287568), by the sign of its slope; 0.35 to 1.5 were published for
        falling slopes (Brown 1992, doi:10.1109/16.168748; Song et al., cond-mat/0209097).
    gm_id
        Transconductance over current of an amplifier's input pair, 1/V; assumed.
    branches
        Branches of such a current in an amplifier; assumed.
    c_load
        Farads that an amplifier drives; assumed.
    c_load_rows, c_load_lines, c_load_differences
        The same of row, line and difference amplifiers; 0 is ``c_load``.
    class_ab
        Peak current of an output stage over its quiescent current; 1 is class A; assumed.
    class_ab_rows, class_ab_lines, class_ab_differences
        The same of row, line and difference amplifiers; 0 is ``class_ab``.
    i_quiescent
        Amperes of each amplifier; 0 derives them from the settings above, from ``gm_id`` on.
    dac_energy, adc_energy
        Joules of a conversion, one an input and one an output; 0 leaves them out.
    dac_fom, adc_fom
        Joules that each of the 2^bits steps of a conversion adds (Walden 1999,
        doi:10.1109/49.761034, of ADCs); 0 leaves them out.
    gating
        1: the circuits of a section draw from the supplies only while it works, and ``t_wake``
        before; 0: all of them all the time. A network that is one section has nothing to switch.
    t_wake
        Seconds that a section draws before it begins; assumed.
    area_opamp, area_cell
        um^2 of an op-amp without its feedback, and of a cell with its share of wires; assumed.
    area_farad
        F/um^2; 2 fF/um^2 have the MIM capacitors of SKY130 and GF180MCU.
    area_ohm
        ohm/um^2: 1 kohm a square of poly (``ppolyf_u_1k`` of GF180MCU), 1 um wide, without what
        parts them; assumed.
    bits
        To within half a step of so many bits of full scale an output is settled; a run ends 1e-6 of
        it from rest, an eighth of half a step of 16.
    """

    c_in: float = _amount(1e-12, "F", 1e-6)
    c_cell: float = _amount(5e-15, "F", 1e-9)
    c_diode: float = _amount(0.0, "F", 1e-6)
    zeta: float = setting(0.7, "", "0 to 2", within(0, 2))
    slew: float = _amount(0.0, "V/s", 1e15)
    e_n: float = _amount(10e-9, "V/sqrt(Hz)", 1e-3)
    i_n: float = _amount(0.0, "A/sqrt(Hz)", 1e-3)
    f_corner: float = _amount(0.0, "Hz", 1e12)
    f_low: float = _positive(1.0, "Hz", 1e12)
    fano_rising: float = setting(1.0, "share", "0 to 10", within(0, 10))
    fano_falling: float = setting(1.0, "share", "0 to 10", within(0, 10))
    gm_id: float = _positive(15.0, "1/V", 40.0)
    branches: float = _positive(4.0, "", 100.0)
    c_load: float = _amount(1e-12, "F", 1e-3)
    c_load_rows: float = _own_load()
    c_load_lines: float = _own_load()
    c_load_differences: float = _own_load()
    class_ab: float = setting(10.0, "", "1 to 1e6", within(1, 1e6))
    class_ab_rows: float = _own_class()
    class_ab_lines: float = _own_class()
    class_ab_differences: float = _own_class()
    i_quiescent: float = _amount(0.0, "A", 10.0)
    dac_energy: float = _amount(0.0, "J", 1.0)
    adc_energy: float = _amount(0.0, "J", 1.0)
    dac_fom: float = _amount(0.0, "J", 1e-3)
    adc_fom: float = _amount(0.0, "J", 1e-3)
    gating: int = setting(0, "", "0 or 1", within(0, 1))
    t_wake: float = _amount(0.0, "s", 1.0)
    area_opamp: float = _amount(AREA_OPAMP, "um^2", 1e9)
    area_cell: float = _amount(AREA_CELL, "um^2", 1e9)
    area_farad: float = _positive(2e-15, "F/um^2", 1.0)
    area_ohm: float = _positive(1e3, "ohm/um^2", 1e12)
    bits: int = setting(8, "", "1 to 16", within(1, 16))

    def __post_init__(self) -> None:
        check_fields(self)

    def document(self) -> dict[str, Any]:
        """What names a RUN, for JSON: without what RUNs of before had no choice of, unless it is
        otherwise."""
        chosen, first = asdict(self), asdict(Assumptions())
        return {k: v for k, v in chosen.items() if k not in LATER or v != first[k]}

    def load_of(self, block: str) -> float:
        """Farads that an op-amp of ``block``, one of ``blocks.AMPLIFIERS``, drives."""
        return getattr(self, f"c_load_{block}", 0.0) or self.c_load

    def class_of(self, block: str) -> float:
        """Peak over quiescent current of an op-amp of ``block``."""
        return getattr(self, f"class_ab_{block}", 0.0) or self.class_ab


def said(values: Mapping[str, float]) -> str:
    """Assumptions by their names, with units, those that are 0 last: ``c_in = 1 pF; 0: slew``."""
    units = {field.name: field.metadata["unit"] for field in fields(Assumptions)}
    given = [f"{name} = {_said(value, units[name])}" for name, value in values.items() if value]
    absent = ", ".join(name for name, value in values.items() if not value)
    return "; ".join([", ".join(given)] * bool(given) + [f"0: {absent}"] * bool(absent))


def _said(value: float, unit: str) -> str:
    if unit == "share":
        return f"{value:g}"
    return f"{value:g} {unit}" if unit.startswith("um") else engineering(value, unit)
