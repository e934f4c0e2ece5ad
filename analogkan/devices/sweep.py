"""Reading measured I-V sweeps: CSV files as instruments write them, up, down or both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from ..errors import DeviceError
from ..limits import code_of, describe, first_unphysical
from ..text import brief
from .columns import MAX_NAME, ColumnChoice, Columns
from .table import PLAIN, Row, is_number, read_table

BRANCHES = ("up", "down", "mean")
HYSTERESIS_LIMIT = 0.01
"""Share of the peak above which the branches of a loop are not averaged unasked; assumed."""
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
"""A number whose commas could separate thousands."""
GROUPED = re.compile(r"[+-]?\d{1,3}([,.' \xa0\u202f]\d{3})+([.,]\d*)?(e[+-]?\d+)?", re.IGNORECASE)
"""A number that is none to us, but would be with its thousands written together."""
NO_READING = re.compile(
    r"o\.?l\.?|ovl?d?|over[ -]?(load|flow|range)?|compl(iance)?|abort|n/?a|none|null|error|"
    r"[-*?.]+|[+-]?1\.#\w+|#\w+[!?/]?\w*",
    re.IGNORECASE,
)
"""What instruments and spreadsheets write where there is no reading."""


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
    found
        What was found out about the file: encoding, separator, lines skipped, place of the units.
    static
        (P,) booleans: which points were measured, the others being reconstructed; None if all.
    """

    file: str
    v: np.ndarray
    i: np.ndarray
    branch: str
    hysteresis: float | None
    columns: str
    found: tuple[str, ...] = ()
    static: np.ndarray | None = None

    @property
    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        """Volts and amperes of the points that are not reconstructed."""
        kept = slice(None) if self.static is None else self.static
        return self.v[kept], self.i[kept]

    @property
    def remarks(self) -> str:
        """What was found out about the file that does not go without saying; may be empty."""
        return ", ".join(part for part in self.found if part not in PLAIN)


def read_sweep(
    path: Path, *, choice: ColumnChoice = ColumnChoice(), branch: str | None = None
) -> Sweep:
    """Read a sweep from a text file of columns.

    Encoding, separator, header and units are found as ``docs/own-devices.md`` says; what is above
    the header is skipped, and said in ``found``. Lines that start with ``#``, ``!`` or ``%`` are
    comments. Numbers have decimal points, or, unless commas separate the columns, decimal commas.

    Parameters
    ----------
    path
        The file.
    choice
        Columns and units, where the header does not say; lines to skip; signs to turn.
    branch
        Of a loop: ``up``, ``down`` or ``mean``. None takes what there is, and of a loop the mean
        if both ways agree to 1 % of the peak.

    Raises
    ------
    DeviceError
        If the file cannot be read, is no table of numbers, has no unit, a number that cannot be
        a reading, or voltages that are no sweep. The message names the line.
    """
    if branch not in (None, *BRANCHES):
        raise DeviceError(f"sweep branch {branch!r} is unknown: one of {', '.join(BRANCHES)}")
    table = read_table(path, choice.skip)
    rows = table.rows
    columns = choice.columns(path, table.header, len(table.header or rows[0][1]))
    numbers = [[read_cell(path, line, cells[k], k) for k in columns.places] for line, cells in rows]
    used = "".join(cells[k] for _, cells in rows for k in columns.places)
    if "," in used and "." in used:
        raise DeviceError(f"{path} has decimal commas and decimal points: use one of them")
    for k in columns.places:
        check_thousands(path, [(line, cells[k]) for line, cells in rows])
    if len(numbers) < 2:
        raise DeviceError(f"{path} has {len(numbers)} point(s): a sweep needs at least 2")
    v, i = (np.array(numbers) * columns.scales).T
    _check_possible(path, rows, columns, v, i)
    lines, found = [line for line, _ in rows], table.found
    if "," in used:
        found = (*found, "decimal commas")
    if choice.negate:
        v, i, found = -v, -i, (*found, "both signs turned")
    return _sweep(path, _ways(path, lines, v, i), branch, columns, found)


def read_cell(path: Path, line: int, cell: str, place: int) -> float:
    """The number in a cell; DeviceError, which names line and column, if it is no reading."""
    where = f"{path}, line {line}: {brief(cell)} in column {place + 1}"
    if not is_number(cell):
        known = len(cell) <= MAX_NAME
        if known and GROUPED.fullmatch(cell):
            raise DeviceError(f"{where} separates thousands: write it without")
        if known and NO_READING.fullmatch(cell):
            raise DeviceError(f"{where} says that there is no reading: remove the point")
        raise DeviceError(
            f"{where} is not a number: remove the line, or start it with # to make it a comment"
        )
    number = float(cell.replace(",", "."))
    if not np.isfinite(number):
        raise DeviceError(f"{where} is not finite: remove the point")
    if code_of(number):
        raise DeviceError(f"{where} is no reading, but {code_of(number)}: remove the point")
    return number


def _check_possible(
    path: Path, rows: list[Row], columns: Columns, v: np.ndarray, i: np.ndarray
) -> None:
    """Refuse volts and amperes (P,) that no device has, by the line of the first."""
    kinds = (("voltage", "v"), ("current", "i"))
    for (quantity, option), values, place in zip(kinds, (v, i), columns.places, strict=True):
        at = first_unphysical(values, quantity)
        if at is not None:
            line, cells = rows[at]
            raise DeviceError(
                f"{path}, line {line}: {brief(cells[place])} in column {place + 1} is no reading: "
                f"{describe(float(values[at]), quantity)}. Remove the point, or say the unit with "
                f"--{option}-unit"
            )


def check_thousands(path: Path, cells: list[tuple[int, str]]) -> None:
    """Refuse a column whose commas may separate thousands: 989, then 1,004."""
    commas = [(line, cell) for line, cell in cells if "," in cell]
    whole = len(commas) < len(cells) and all(THOUSANDS.fullmatch(cell) for _, cell in commas)
    if commas and whole:
        line, cell = commas[0]
        raise DeviceError(
            f"{path}, line {line}: {brief(cell)} may be a decimal comma or a thousand, since other "
            "numbers of its column have no comma: write it without"
        )


Way = tuple[np.ndarray, np.ndarray]
"""Voltages (P,), increasing, and currents (P,): volts and amperes."""


def _sweep(
    path: Path,
    ways: dict[str, Way],
    branch: str | None,
    columns: Columns,
    found: tuple[str, ...],
) -> Sweep:
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
        file=path.name,
        v=v,
        i=i,
        branch=branch,
        hysteresis=hysteresis,
        columns=columns.text,
        found=found,
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
