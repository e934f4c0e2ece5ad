"""The table in an export: its separator, its header, its units, and the lines that are none of it.

A row of the table is a line with at least two numbers. The header is the last line above the
rows that has no number, or above that one that says more; a line of units may lie between.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..errors import DeviceError
from ..text import brief, with_unit
from .columns import I_UNITS, MAX_NAME, STRANGE_UNIT, V_UNITS, parts, plain_unit, telling
from .reading import ENCODINGS, decoded, read_text

NUMBER = re.compile(
    r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE | re.ASCII
)
"""A number with a decimal point or comma, finite or not."""
EMPTY = re.compile(r'[\s,;"]*')
COMMENT = "#!%"
SEPARATORS = {";": "semicolons", "\t": "tabs", ",": "commas", " ": "blanks"}
NEEDS = {
    "sweep": "a column of volts and one of amperes",
    "table": "columns of inputs and targets, a line a point",
}
"""By what the table is read for."""
SAMPLE = 1_000
"""Lines by which the separator is chosen."""
MAX_LINES = 200_000
SEGMENTS = ["v0", "v1", "i0", "i1"]
PLAIN = ("UTF-8", "commas")
"""What is worth no word on the screen."""

Row = tuple[int, list[str]]
"""Number of a line, and its cells."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells, their header (empty if there is none), and what was found out on the way."""

    rows: list[Row]
    header: list[str]
    found: tuple[str, ...]


def read_table(path: Path, skip: int = 0, what: str = "sweep") -> Table:
    """The table of a text file, but for its first ``skip`` lines; ``what`` messages call it.

    Raises
    ------
    DeviceError
        If the file cannot be read, has no table, or has a line that does not fit into it.
    """
    text, encoding = read_text(path, what)
    lines, comments = _lines(text, skip)
    if len(lines) > MAX_LINES:
        raise DeviceError(
            f"{path} has {len(lines):,} lines of data, more than {MAX_LINES:,}: thin its points out"
        )
    separator = _separator([line for _, line in lines[:: len(lines) // SAMPLE + 1]])
    cells = [(number, _split(path, number, line, separator)) for number, line in lines]
    first = _first_row(path, cells, what)
    above, rows = cells[:first], cells[first:]
    heads = _heads(above)
    if not heads:
        split = [(n, _cells(comment, separator)) for n, comment in comments if n < rows[0][0]]
        heads = [head for head in _heads(split) if len(head[1]) == len(rows[0][1])]
    (head_line, header), units = _header_and_units(heads)
    _check_rows(path, rows, header)
    odd = any(not decoded(parts(name)[0], encoding) for name in header)
    header = [_named(name, k, encoding) for k, name in enumerate(header)]
    if odd:
        encoding = f"{ENCODINGS['latin-1']}, names in it left out"
    if units:
        header = [
            _with_unit(path, name, unit, f"line {units[0]}")
            for name, unit in zip(header, units[1] + [""] * len(header), strict=False)
        ]
    header, places = _with_unit_columns(path, header, rows)
    found = [encoding, SEPARATORS[separator]]
    skipped = [number for number, _ in above if number not in (head_line, units and units[0])]
    if skip:
        found.append(f"first {skip} line(s) skipped as told")
    if skipped:
        found.append(f"line(s) {_ranges(skipped)} skipped, being above the table")
    if units:
        found.append(f"units from line {units[0]}")
    if places:
        found.append(f"units from column(s) {_ranges(places)}")
    if [parts(name)[0].lower() for name in header] == SEGMENTS:
        rows, header = _joined(path, rows), [header[0], header[2]]
        found.append("segments v0, v1, i0, i1 joined")
    return Table(rows=rows, header=header, found=tuple(found))


def _lines(text: str, skip: int) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Lines with data and comments without their mark, each with its number."""
    lines, comments = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip(" ")
        if number <= skip or EMPTY.fullmatch(bare):
            continue
        if bare.lstrip()[0] in COMMENT:
            comments.append((number, bare.lstrip(COMMENT + " \t")))
        else:
            lines.append((number, bare))
    return lines, comments


def _separator(lines: list[str]) -> str:
    """The separator that makes the most rows, and of equals the one with the most numbers."""

    def worth(separator: str) -> tuple[int, float]:
        split = [_cells(line, separator) for line in lines]
        rows = [row for row in split if _numbers(row) > 1]
        cells = sum(bool(cell) for row in rows for cell in row)
        return len(rows), sum(map(_numbers, rows)) / max(cells, 1)

    return max(SEPARATORS, key=worth)


def _cells(text: str, separator: str) -> list[str]:
    """A line's cells, without those at its end that are empty; none if they cannot be told."""
    if separator == " ":  # a blank before a bracket belongs to the name: "V (mV)"
        cells = [cell.strip(",;\"'") for cell in re.split(r"\s+(?![(\[])", text.strip())]
    else:
        try:
            (cells,) = csv.reader([text], delimiter=separator, skipinitialspace=True)
        except (csv.Error, ValueError):
            return []
    cells = [cell.strip() for cell in cells]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _split(path: Path, number: int, text: str, separator: str) -> list[str]:
    cells = _cells(text, separator)
    if not cells and text:
        raise DeviceError(f"{path}, line {number}: its quotes or its length make it no row")
    return cells


def is_number(cell: str) -> bool:
    """Whether a cell is a number, NaN and infinity included."""
    return NUMBER.fullmatch(cell) is not None


def _numbers(row: Sequence[str]) -> int:
    return sum(map(is_number, row))


def _first_row(path: Path, cells: list[Row], what: str) -> int:
    """Place of the table's first row: the table is the longest run of lines with numbers.

    What is above it and its header is a preamble, if its lines begin with another word.
    """
    best, first, run = 0, -1, 0
    for k, (_, row) in enumerate(cells):
        run = run + (_numbers(row) > 1) if _numbers(row) else 0
        if run > best:
            best, first = run, k
    if not best:
        raise DeviceError(
            f"{path} has no line with two numbers: a {what} needs {NEEDS[what]}, separated by "
            "commas, semicolons, tabs or blanks"
        )
    while first and _numbers(cells[first - 1][1]):
        first -= 1
    mark = cells[first][1][0]
    for number, row in cells[:first]:
        if is_number(row[0]) or (_numbers(row) > 1 and row[0] == mark):
            raise DeviceError(
                f"{path}, line {number}: numbers above line {cells[first - 1][0]}, which has none: "
                f"mend or remove that line if it is a point; if the table begins below it, "
                f"leave out what is above with --skip {cells[first - 1][0] - 1}"
            )
    return first


def _heads(above: list[Row]) -> list[Row]:
    """The lines at the end of ``above`` that may be names, units and remarks: without a number."""
    heads: list[Row] = []
    for number, row in reversed(above):
        if _numbers(row) or len(row) < 2:
            break
        heads.insert(0, (number, row))
    return heads[-3:]


def _header_and_units(heads: list[Row]) -> tuple[Row, Row | None]:
    """The line of names, (0, []) if there is none, and the line of units below it."""
    for k in range(len(heads) - 1, 0, -1):
        units = [_bare_unit(cell) for cell in heads[k][1]]
        if any(u in V_UNITS for u in units) and any(u in I_UNITS for u in units):
            return heads[k - 1], (heads[k][0], units)
    lowest_first = heads[::-1]
    return max(lowest_first, key=lambda head: telling(head[1]), default=(0, [])), None


def _bare_unit(cell: str) -> str:
    return plain_unit(cell.strip("()[] "))


def _check_rows(path: Path, rows: list[Row], header: list[str]) -> None:
    width, what = (len(header), "header") if header else (len(rows[0][1]), "first line")
    for number, cells in rows:
        if header and cells == header:
            raise DeviceError(
                f"{path}, line {number}: the header again, so the file holds several sweeps: "
                "split it there, a file for each"
            )
        if len(cells) > width:
            raise DeviceError(
                f"{path}, line {number}: {len(cells)} columns, but the {what} has {width}: remove "
                "the line, start it with # to make it a comment, or, above the table, leave it "
                "out with --skip"
            )
        cells.extend([""] * (width - len(cells)))


def _named(name: str, place: int, encoding: str) -> str:
    """A header's cell; one too long, or in a code page not known, is named by its place."""
    own, unit = parts(name)
    if decoded(own, encoding) and len(name) <= MAX_NAME:
        return name
    return with_unit(f"column {place + 1}", unit)


def _with_unit(path: Path, name: str, unit: str, where: str) -> str:
    """A header's cell with the unit that stands elsewhere, if that is one of volts or amperes."""
    own, said = parts(name)
    known = unit in V_UNITS | I_UNITS or STRANGE_UNIT.search(f"({unit})")
    if not known or said == unit:
        return name
    if said:
        raise DeviceError(
            f"{path}: column {name!r} is in {said}, but {where} says {unit}: correct one of them"
        )
    return with_unit(own, unit)


def _with_unit_columns(
    path: Path, header: list[str], rows: list[Row]
) -> tuple[list[str], list[int]]:
    """The header with the units that columns called "Unit" give to those on their left.

    And the numbers of such columns, from 1.
    """
    made, places = list(header), []
    for k in range(1, len(header)):
        if header[k].lower() not in ("unit", "units"):
            continue
        unit = _bare_unit(rows[0][1][k])
        for number, cells in rows:
            if _bare_unit(cells[k]) != unit:
                raise DeviceError(
                    f"{path}, line {number}: column {k + 1} says {brief(cells[k])}, but line "
                    f"{rows[0][0]} {brief(rows[0][1][k])}: write all points in one unit"
                )
        made[k - 1] = _with_unit(path, header[k - 1], unit, f"column {k + 1}")
        places.append(k + 1)
    return made, places


def _joined(path: Path, rows: list[Row]) -> list[Row]:
    """Points of rows v0, v1, i0, i1 that each begin where the one before ends."""
    for (_, before), (number, cells) in pairwise(rows):
        if (cells[0], cells[2]) != (before[1], before[3]):
            raise DeviceError(
                f"{path}, line {number}: the segment from {brief(cells[0])} V does not begin where "
                f"the one before ends, at {brief(before[1])} V: write points, two columns v and i"
            )
    number, last = rows[-1]
    return [(n, [c[0], c[2]]) for n, c in rows] + [(number, [last[1], last[3]])]


def _ranges(numbers: list[int]) -> str:
    """``1 to 5, 7`` for the lines 1, 2, 3, 4, 5 and 7."""
    ranges: list[list[int]] = []
    for n in numbers:
        if ranges and ranges[-1][1] == n - 1:
            ranges[-1][1] = n
        else:
            ranges.append([n, n])
    return ", ".join(f"{a} to {b}" if b > a else f"{a}" for a, b in ranges)
