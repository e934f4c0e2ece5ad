"""Which columns of a measured table are volts and amperes, and in what units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DeviceError

V_UNITS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6}
I_UNITS = {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12}
SPELLED = {"volt": "V", "volts": "V", "amp": "A", "amps": "A", "ampere": "A", "amperes": "A"}
KINDS = {"v": ("voltage", V_UNITS), "i": ("current", I_UNITS)}
NAMED = {
    "v": re.compile(r"v[a-z]{0,2}\d{0,2}|v_\w+|\w*(volt|bias)\w*", re.IGNORECASE),
    "i": re.compile(r"i[a-z]{0,2}\d{0,2}|i_\w+|\w*current\w*", re.IGNORECASE),
}
"""What a voltage's or a current's column is called, its unit apart."""
STRANGE_UNIT = re.compile(r"[(\[]\s*(\S{1,3}[AV])\s*[)\]]$")
"""Volts or amperes with a prefix, in brackets."""
MAX_LISTED = 20
"""Names of columns in a message."""
MAX_NAME = 80
"""Letters of a column's name; what is longer has no unit."""
WITH_UNIT = re.compile(r"(.*?)\s*(?:\(\s*(\S+?)\s*\)|\[\s*(\S+?)\s*\]|[_/,]\s*([^\s_/,]+))")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Voltage and current: column numbers from 0, factors (2,) to SI units, and a description."""

    places: tuple[int, int]
    scales: np.ndarray
    text: str


@dataclass(frozen=True, kw_only=True)
class ColumnChoice:
    """What a user says about a file.

    Attributes
    ----------
    v_col, i_col
        A column's name in the header, or its number from 1.
    v_unit, i_unit
        Of ``V``, ``mV``, ``uV``; of ``A``, ``mA``, ``uA`` (or ``µA``), ``nA``, ``pA``.
    skip
        Lines at the top that are none of the table; what is no table there is found without it.
    negate
        Both signs are turned: the sweep was measured the other way round.
    """

    v_col: str | None = None
    i_col: str | None = None
    v_unit: str | None = None
    i_unit: str | None = None
    skip: int = 0
    negate: bool = False

    def columns(self, path: Path, header: list[str], width: int) -> Columns:
        """The two columns of a file with ``width`` columns and these names (none if unnamed).

        Raises
        ------
        DeviceError
            If they cannot be told, a unit is missing, or the header contradicts what was said.
        """
        if width < 2:
            raise DeviceError(
                f"{path} has {width} column(s): a sweep needs one of volts and one of amperes, "
                "separated by commas, semicolons, tabs or blanks"
            )
        places, units = [], []
        for kind, col in (("v", self.v_col), ("i", self.i_col)):
            place = (
                _asked(path, header, width, col, kind) if col else _found(path, header, width, kind)
            )
            places.append(place)
            said = self.v_unit if kind == "v" else self.i_unit
            units.append(_unit(path, header[place] if header else "", said, kind))
        if places[0] == places[1]:
            raise DeviceError(
                f"{path}: column {places[0] + 1} would be both voltage and current: "
                "choose with --v-col and --i-col"
            )
        names = [_name(header[p]) if header else f"column {p + 1}" for p in places]
        return Columns(
            places=(places[0], places[1]),
            scales=np.array([V_UNITS[units[0]], I_UNITS[units[1]]]),
            text=f"{names[0]} ({units[0]}) and {names[1]} ({units[1]})",
        )


def plain_unit(text: str) -> str:
    """A unit with u for micro, and in short where it is spelled out."""
    return SPELLED.get(text.lower(), text.replace("\u00b5", "u").replace("\u03bc", "u"))


def parts(cell: str) -> tuple[str, str]:
    """Name and unit of a header's cell; the unit is empty if it is none this package knows.

    A lone ``V`` is a name: next to ``I`` it says nothing of the unit.
    """
    lone = plain_unit(cell)
    if lone in I_UNITS or (lone in V_UNITS and cell != "V"):
        return "", lone
    found = WITH_UNIT.fullmatch(cell) if len(cell) <= MAX_NAME else None
    unit = plain_unit(next(filter(None, found.groups()[1:]), "")) if found else ""
    return (found.group(1), unit) if found and unit in V_UNITS | I_UNITS else (cell, "")


def telling(cells: list[str]) -> int:
    """How many of a line's cells have a unit or are called as a voltage or a current is."""
    names = [parts(cell) for cell in cells if len(cell) <= MAX_NAME]
    return sum(bool(unit) or any(k.fullmatch(n) for k in NAMED.values()) for n, unit in names)


def _name(cell: str) -> str:
    return parts(cell)[0] or cell


def _listed(header: list[str]) -> str:
    more = ", ..." if len(header) > MAX_LISTED else ""
    return f": {', '.join(header[:MAX_LISTED])}{more}" if header else " without names"


def _asked(path: Path, header: list[str], width: int, col: str, kind: str) -> int:
    """Place of the column a user named or numbered."""
    for names in (header, [_name(cell) for cell in header]):
        if names.count(col) == 1:
            return names.index(col)
    if col.isdecimal() and 1 <= int(col) <= width:
        return int(col) - 1
    named = _listed(header)
    raise DeviceError(f"{path} has no column {col!r} (--{kind}-col). It has {width}{named}")


def _found(path: Path, header: list[str], width: int, kind: str) -> int:
    """Place of the only column that can be the voltage or the current."""
    what, units = KINDS[kind]
    by_unit = [k for k, cell in enumerate(header) if parts(cell)[1] in units]
    names = [STRANGE_UNIT.sub("", parts(cell)[0]).strip() for cell in header]
    by_name = [k for k, name in enumerate(names) if NAMED[kind].fullmatch(name)]
    for found in ([k for k in by_unit if k in by_name], by_name, by_unit):
        if len(found) == 1:
            return found[0]
    if width == 2 and not by_unit and not by_name:
        return 0 if kind == "v" else 1
    named = _listed(header)
    raise DeviceError(
        f"{path}: which of its {width} columns is the {what} cannot be told{named}. "
        f"Say it with --{kind}-col NAME or NUMBER"
    )


def _unit(path: Path, cell: str, said: str | None, kind: str) -> str:
    """The column's unit, by the header or the user; DeviceError if they differ or neither says."""
    what, units = KINDS[kind]
    _, unit = parts(cell)
    said = plain_unit(said) if said else None
    if said is not None and said not in units:
        raise DeviceError(f"--{kind}-unit {said} is no unit of {what}: one of {', '.join(units)}")
    if unit and unit not in units:
        raise DeviceError(
            f"{path}: column {cell!r} is in {unit}, which is no unit of {what}: correct the "
            f"header, or choose another column with --{kind}-col"
        )
    strange = STRANGE_UNIT.search(cell) if not unit else None
    if strange:
        raise DeviceError(
            f"{path}: column {cell!r} is in {strange.group(1)}, which is no unit known here: "
            f"correct the header to one of {', '.join(units)}"
        )
    if unit and said not in (None, unit):
        raise DeviceError(
            f"{path}: column {cell!r} is in {unit}, --{kind}-unit says {said}: leave the option "
            "out, or correct the header"
        )
    if not unit and said is None:
        where = f"column {cell!r}" if cell else f"its {what}s"
        raise DeviceError(
            f"{path} does not say the unit of {where}: give --{kind}-unit, one of "
            f"{', '.join(units)}"
        )
    return unit or said or ""
