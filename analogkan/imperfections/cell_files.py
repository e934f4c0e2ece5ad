# pyright: strict
"""Measured cells from a CSV file of states to a file that the setting ``cells`` takes."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from os import PathLike
from pathlib import Path

from ..devices.reading import read_text
from ..errors import DeviceError, SettingsError
from ..files import near, write_text
from ..objects import as_path, check_flags, require_type
from ..ours import require_ours
from ..settings import read_toml, require, shown
from .cell_tables import ENTRIES, table_text

UNITS = {"S": "1", "mS": "1e-3", "uS": "1e-6", "nS": "1e-9", "pS": "1e-12"}
"""As texts, so that what a file says in decimals stays what it says."""
COLUMNS = ("state", "sigma", "drift", "drift_sigma")
"""Of a CSV file, in any order: conductances with a unit, and mean and spread of nu without."""
SEPARATORS = ",;\t"
HEADER = re.compile(r"(\w+?)\s*(?:[(\[]\s*(\S+?)\s*[)\]])?")


@dataclass(frozen=True, kw_only=True)
class CellTable:
    """Measured cells.

    Attributes
    ----------
    name, source
        What they are called, and where the figures are from.
    t0_s
        Seconds after programming at which they were first read; None: no drift was measured.
    rows
        A state each, rising: its conductance and the standard deviation of programming, siemens,
        and where there is drift mean and spread of nu in g (t / t0)^-nu.
    """

    name: str
    source: str
    t0_s: float | None
    rows: tuple[tuple[float, ...], ...]

    @property
    def text(self) -> str:
        """What the setting ``cells`` may be: the whole table on a line."""
        return table_text(self.name, self.t0_s, list(self.rows), f"table of cells {self.name}")

    def format(self) -> str:
        """The file, a TOML document."""
        lines = [
            "# Measured cells, for --set cells=THIS FILE: siemens; nu of (t / t0)^-nu by state.",
            f"name = {json.dumps(self.name)}",
            f"source = {json.dumps(self.source)}",
        ]
        if self.t0_s is not None:
            lines.append(f"t0_s = {self.t0_s!r}")
        for name, column in zip(COLUMNS, zip(*self.rows, strict=True), strict=False):
            lines.append(f"{name} = [{', '.join(map(repr, column))}]")
        return "\n".join(lines) + "\n"


def import_cells(
    file: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    name: str | None = None,
    t0_s: float | None = None,
    source: str = "",
    force: bool = False,
) -> CellTable:
    """Measured cells of a CSV file, a state a line.

    Parameters
    ----------
    file
        With a header: ``state (uS)``, ``sigma (uS)`` and, where drift was measured, ``drift`` and
        ``drift_sigma``. Units are S, mS, uS, nS or pS; lines that begin with ``#`` are left out.
        Separated by commas, semicolons or tabs; decimals have a point.
    out
        A file for the setting ``cells`` to write as well, a ``.toml``.
    name
        By default the stem of ``out``, or of the file.
    t0_s
        Seconds after programming at which the states were first read; with drift alone.
    source
        Where the figures come from; by default the file.
    force
        Replace an earlier table.

    Raises
    ------
    SettingsError
        If a line, an option or the name cannot be used; nothing is written then.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("cells.csv").write_text("state (uS),sigma (uS)\\n1,0.2\\n10,0.5\\n40,0.9\\n")
    >>> table = ak.imperfections.import_cells("cells.csv")
    >>> ak.Variation(cells=table.text).cells
    'cells::1e-06 2e-07;1e-05 5e-07;4e-05 9e-07'
    """
    check_flags(force=force)
    require_type(name, (str, type(None)), "name", "a text")
    require_type(source, str, "source", "a text")
    path = as_path(file, "file", "a CSV file")
    target = None if out is None else as_path(out, "out", "the .toml file to write")
    rows, drifts = _read(path)
    require(drifts or t0_s is None, "t0_s", t0_s, f"none, for {path} has no drift")
    if drifts and t0_s is None:
        raise SettingsError(
            f"{path} has drift: say with --first-read, in Python t0_s=, how many seconds after "
            "programming the states were read"
        )
    stem = re.sub(r"[^A-Za-z0-9]+", "_", (target or path).stem).strip("_")
    made = CellTable(
        name=stem if name is None else name, source=source or path.name, t0_s=t0_s, rows=rows
    )
    table_text(made.name, t0_s, list(rows), str(path))
    if target is not None:
        check_target(target, force=force)
        write_text(target, made.format())
    return made


def check_target(path: Path, *, force: bool) -> None:
    """SettingsError unless a table may be written to ``path``: only another is in its way, and only
    with ``force``."""
    if path.suffix != ".toml":
        raise SettingsError(
            f"{path} does not end in .toml: that ending tells a table of cells from a technology"
        )
    require_ours(path, "table of cells", _is_table, give="-o", error=SettingsError)
    if path.exists() and not force:
        raise SettingsError(f"{path} is there already: --force replaces it")


def _is_table(path: Path) -> bool:
    try:
        found = set(read_toml(path, "table of cells"))
    except SettingsError:
        return False
    return {"state", "sigma"} <= found <= set(ENTRIES)


def _read(path: Path) -> tuple[tuple[tuple[float, ...], ...], bool]:
    """The states of a file in SI units, and whether they have drift."""
    try:
        text = read_text(path, "table of cells")[0]
    except DeviceError as error:
        why = f"there is no such file{near(path) or '.'}"
        raise SettingsError(
            str(error) if path.exists() else f"cannot read {path}: {why}"
        ) from error
    text = text.lstrip("\ufeff")
    head = next((line for line in text.splitlines() if line[:1].strip(" #\ufeff")), "")
    separator = max(SEPARATORS, key=head.count)
    lines = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(csv.reader(text.splitlines(), delimiter=separator), 1)
        if any(cell.strip() for cell in row) and not row[0].lstrip().startswith("#")
    ]
    if not lines:
        raise SettingsError(f"{path} is empty: it must have a header and a state a line")
    scales = _header(path, *lines[0])
    wanted = [name for name in COLUMNS if name in scales]
    places = list(scales)
    rows: list[tuple[float, ...]] = []
    for number, cells in lines[1:]:
        where = f"{path}, line {number}"
        if len(cells) != len(places):
            raise SettingsError(f"{where} has {len(cells)} values where {len(places)} are named")
        of = {
            name: float(Decimal(repr(_number(cell, name, where))) * Decimal(scales[name]))
            for name, cell in zip(places, cells, strict=True)
        }
        if rows and of["state"] <= rows[-1][0]:
            raise SettingsError(
                f"{where}: state = {of['state']:g} S must be above that of the line before"
            )
        rows.append(tuple(of[name] for name in wanted))
    return tuple(rows), "drift" in scales


def _header(path: Path, number: int, cells: list[str]) -> dict[str, str]:
    """Factors to SI units by the columns' names, in their order."""
    found: dict[str, str] = {}
    for cell in cells:
        match = HEADER.fullmatch(cell.replace("\u00b5", "u").replace("\u03bc", "u"))
        name, unit = match.groups() if match else (cell, None)
        where = f"{path}, line {number}: column {shown(cell)}"
        if name not in COLUMNS or name in found:
            raise SettingsError(f"{where} must be one of {', '.join(COLUMNS)}, each once")
        needs = name in ("state", "sigma")
        if needs and unit not in UNITS:
            raise SettingsError(
                f"{where} must say its unit, such as {name} (uS): {', '.join(UNITS)}"
            )
        if not needs and unit is not None:
            raise SettingsError(f"{where} has a unit: {name} is a number, of (t / t0)^-nu")
        found[name] = UNITS[unit or "S"]
    absent = [name for name in ("state", "sigma") if name not in found]
    absent += [n for n in ("drift", "drift_sigma") if n not in found and len(found) > 2]
    if absent:
        raise SettingsError(f"{path}, line {number}: the header lacks {', '.join(absent)}")
    return found


def _number(cell: str, name: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    most = 1.0 if name.startswith("drift") else math.inf
    if not 0 <= value <= most or (name == "state" and value == 0) or value == math.inf:
        limit = "0 to 1" if most == 1.0 else "above 0" if name == "state" else "0 or more"
        raise SettingsError(f"{where}: {name} = {shown(cell)} must be a number, {limit}")
    return value
