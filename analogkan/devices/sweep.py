"""Reading measured I-V sweeps: CSV files as instruments write them, up, down or both."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from ..errors import DeviceError
from .columns import ColumnChoice, Columns

BRANCHES = ("up", "down", "mean")
HYSTERESIS_LIMIT = 0.01
"""Share of the peak above which the branches of a loop are not averaged unasked; assumed."""
NUMBER = re.compile(
    r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE | re.ASCII
)
"""A number with a decimal point or comma, finite or not."""
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
"""A number whose commas could separate thousands."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweep:
    """One measured sweep of one device.

    Attributes
    ----------
    file
        Where it was read.
    v
        Voltages, strictly increasing; shape (P,), volts.
    i
        Currents; shape (P,), amperes.
    branch
        ``up``, ``down``, or ``mean`` of both.
    hysteresis
        Largest difference of the way up and the way down, as a share of the peak; None if only
        one was measured.
    columns
        What was read as volts and amperes, such as ``Vd (mV) and Id (nA)``.
    """

    file: str
    v: np.ndarray
    i: np.ndarray
    branch: str
    hysteresis: float | None
    columns: str


def read_sweep(
    path: Path, *, choice: ColumnChoice = ColumnChoice(), branch: str | None = None
) -> Sweep:
    """Read a sweep from a text file of columns.

    Columns are separated by semicolons, tabs, commas or blanks, whichever most lines have. A first
    line without a number is the header. Lines that start with ``#`` are comments; the last one
    before the numbers counts as the header if there is none and it has as many columns. Numbers
    have decimal points, or, unless commas separate the columns, decimal commas.

    Parameters
    ----------
    path
        The file.
    choice
        Columns and units, where the header does not say.
    branch
        Of a loop: ``up``, ``down`` or ``mean``. None takes what there is, and of a loop the mean
        if both ways agree to 1 % of the peak.

    Raises
    ------
    DeviceError
        If the file cannot be read, is no table of numbers, has no unit, or its voltages are no
        sweep. The message names the line.
    """
    if branch not in (None, *BRANCHES):
        raise DeviceError(f"sweep branch {branch!r} is unknown: one of {', '.join(BRANCHES)}")
    rows, header = _rows(path)
    first = header or (rows[0][1] if rows else [])
    columns = choice.columns(path, header, len(first))
    numbers = [[_number(path, line, cells[k], k) for k in columns.places] for line, cells in rows]
    used = "".join(cells[k] for _, cells in rows for k in columns.places)
    if "," in used and "." in used:
        raise DeviceError(f"{path} has decimal commas and decimal points: use one of them")
    for k in columns.places:
        _check_thousands(path, [(line, cells[k]) for line, cells in rows])
    if len(numbers) < 2:
        raise DeviceError(f"{path} has {len(numbers)} point(s): a sweep needs at least 2")
    v, i = (np.array(numbers) * columns.scales).T
    lines = [line for line, _ in rows]
    return _sweep(path, _ways(path, lines, v, i), branch, columns)


def _rows(path: Path) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """(line number, cells) of every line with data, and the header's cells if there is one."""
    lines, comment = [], ""
    for number, line in enumerate(_text(path).splitlines(), start=1):
        text = line.strip(" ")
        if text.lstrip().startswith("#"):
            comment = comment if lines else text.lstrip("# \t")
        elif text.strip():
            lines.append((number, text))
    split = _splitter([text for _, text in lines])
    rows = [(number, split(path, number, text)) for number, text in lines]
    if not rows:
        return [], []
    header = split(path, 0, comment)
    if not any(map(_is_number, rows[0][1])):
        header, rows = rows[0][1], rows[1:]
    elif len(header) != len(rows[0][1]) or any(map(_is_number, header)):
        header = []
    width = len(header or rows[0][1])
    for number, cells in rows:
        while len(cells) > width and not cells[-1]:
            cells.pop()
        if len(cells) != width:
            raise DeviceError(
                f"{path}, line {number}: {len(cells)} columns, but the first line has {width}: "
                "remove the line, or start it with # to make it a comment"
            )
    return rows, header


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DeviceError(f"cannot read sweep {path}: {error.strerror}") from error
    encodings = ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise DeviceError(f"{path} is not a text file: export the sweep as CSV")


def _splitter(lines: list[str]):
    """A function that splits a line into cells at the separator that most ``lines`` have."""
    separator = next((s for s in ";\t," if 2 * sum(s in x for x in lines) > len(lines)), None)

    def split(path: Path, number: int, text: str) -> list[str]:
        if separator is None:  # blanks; one before a bracket belongs to the name: "V (mV)"
            return [cell.strip(",;") for cell in re.split(r"\s+(?![(\[])", text.strip())]
        try:
            (cells,) = csv.reader([text], delimiter=separator, skipinitialspace=True)
        except csv.Error as error:
            raise DeviceError(f"{path}, line {number}: {error}") from error
        return [cell.strip() for cell in cells]

    return split


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None


def _number(path: Path, line: int, cell: str, place: int) -> float:
    if not _is_number(cell):
        raise DeviceError(
            f"{path}, line {line}: {cell!r} in column {place + 1} is not a number: "
            "remove the line, or start it with # to make it a comment"
        )
    number = float(cell.replace(",", "."))
    if not np.isfinite(number):
        raise DeviceError(
            f"{path}, line {line}: {cell!r} in column {place + 1} is not finite: remove the point"
        )
    return number


def _check_thousands(path: Path, cells: list[tuple[int, str]]) -> None:
    """Refuse a column whose commas may separate thousands: 989, then 1,004."""
    commas = [(line, cell) for line, cell in cells if "," in cell]
    whole = len(commas) < len(cells) and all(THOUSANDS.fullmatch(cell) for _, cell in commas)
    if commas and whole:
        line, cell = commas[0]
        raise DeviceError(
            f"{path}, line {line}: {cell!r} may be a decimal comma or a thousand, since other "
            "numbers of its column have no comma: write it without"
        )


Way = tuple[np.ndarray, np.ndarray]
"""Voltages (P,), increasing, and currents (P,): volts and amperes."""


def _sweep(path: Path, ways: dict[str, Way], branch: str | None, columns: Columns) -> Sweep:
    """The branch asked for, of those that were measured."""
    hysteresis = None
    if len(ways) == 2:
        hysteresis = _hysteresis(ways)
        if branch in (None, "mean"):
            _check_loop(path, ways)
        if branch is None and hysteresis > HYSTERESIS_LIMIT:
            raise DeviceError(
                f"{path} has hysteresis: up and down differ by up to {100 * hysteresis:.1f} % of "
                "the peak. Choose with --sweep up, --sweep down or --sweep mean"
            )
        branch = branch or "mean"
    else:
        (only,) = ways
        if branch not in (None, only):
            raise DeviceError(
                f"{path} sweeps {only} only, so it has no --sweep {branch}: leave it out"
            )
        branch = only
    v, i = ways["up"] if branch == "mean" else ways[branch]
    if branch == "mean":
        i = (i + np.interp(v, *ways["down"])) / 2
    return Sweep(
        file=path.name, v=v, i=i, branch=branch, hysteresis=hysteresis, columns=columns.text
    )


def _ways(path: Path, lines: list[int], v: np.ndarray, i: np.ndarray) -> dict[str, Way]:
    """``up`` and ``down``, as far as measured, from points (P,) in the order of measurement.

    The turning point belongs to both; if it was measured twice, each has its own.
    """
    sign = np.sign(np.diff(v))
    if not sign[0]:
        _refuse_repeat(path, lines, v, 0)
    turn = next((k for k in range(sign.size) if sign[k] != sign[0]), sign.size)
    own = turn + 1 < sign.size and sign[turn] == 0 and sign[turn + 1] == -sign[0]
    again = turn + 1 if own else turn
    for k in range(again, sign.size):
        if not sign[k]:
            _refuse_repeat(path, lines, v, k)
        if sign[k] == sign[0]:
            raise DeviceError(
                f"{path}, line {lines[k + 1]}: {v[k + 1]:g} V after {v[k]:g} V turns the sweep a "
                "second time. It may go up, down, or there and back once: split the file, or use "
                "the set voltage in place of the measured one"
            )
    there, back = (v[: turn + 1], i[: turn + 1]), (v[again:], i[again:])
    names = ("up", "down") if sign[0] > 0 else ("down", "up")
    ways = {names[0]: there} | ({names[1]: back} if turn < sign.size else {})
    if "down" in ways:
        v, i = ways["down"]
        ways["down"] = v[::-1], i[::-1]
    return ways


def _refuse_repeat(path: Path, lines: list[int], v: np.ndarray, k: int) -> NoReturn:
    raise DeviceError(
        f"{path}, line {lines[k + 1]}: {v[k + 1]:g} V again, as in line {lines[k]}: "
        "average the repeated readings, or keep one"
    )


def _hysteresis(ways: dict[str, Way]) -> float:
    """Largest difference of both ways over the voltages they share, as a share of the peak."""
    (v_up, i_up), (v_down, i_down) = ways["up"], ways["down"]
    grid = np.union1d(v_up, v_down)
    grid = grid[(grid >= max(v_up[0], v_down[0])) & (grid <= min(v_up[-1], v_down[-1]))]
    difference = np.interp(grid, v_up, i_up) - np.interp(grid, v_down, i_down)
    peak = max(np.abs(i_up).max(), np.abs(i_down).max())
    return float(np.abs(difference).max() / peak) if peak else 0.0


def _check_loop(path: Path, ways: dict[str, Way]) -> None:
    """Raise DeviceError unless both ways span the same voltages, to one step."""
    (v_up, _), (v_down, _) = ways["up"], ways["down"]
    step = max(np.diff(v_up).max(), np.diff(v_down).max())
    if max(abs(v_up[0] - v_down[0]), abs(v_up[-1] - v_down[-1])) > 1.001 * step:
        raise DeviceError(
            f"{path} goes up from {v_up[0]:g} to {v_up[-1]:g} V but down from {v_down[-1]:g} to "
            f"{v_down[0]:g} V: choose with --sweep up or --sweep down, or remove the stray points"
        )
