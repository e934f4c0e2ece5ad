# pyright: strict
"""Tables of columns, a point a row, as data sets: CSV files as spreadsheets write them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..devices.sweep import check_thousands, read_cell
from ..devices.table import Table, read_table
from ..errors import DataError, DeviceError
from .images import REGRESSION, ImageSet, Names, checked
from .sources import halved

UNIT = re.compile(r"(.*?)\s*[\[(]\s*([^\[\]()]*?)\s*[\])]\s*")
"""A column's name with its unit in brackets."""


def load_table(
    path: Path, split: str, task: str = "", targets: str | tuple[str, ...] = ""
) -> ImageSet:
    """The training or test part of a table; its first line may name columns and units.

    Parameters
    ----------
    path
        Separator, encoding, comments and decimal commas are found as for a measured sweep.
    split
        ``train`` or ``test``: a fifth, spread over the values, is for test.
    task
        One of ``TASKS``; by default a regression.
    targets
        How many columns, from the last one, are targets, or their names; by default the last. Names
        as a tuple are those of a network: if not all of them are there, as many of the last.

    Raises
    ------
    DataError
        If the file cannot be read, or is no table of numbers.
    """
    values, names = read_columns(path)
    width = len(names)
    chosen = _chosen(path, names, targets)
    rest = [k for k in range(width) if k not in chosen]
    if not rest:
        raise DataError(f"{path}: all of its {width} columns are targets, none is an input")
    y = values[:, chosen]
    found = checked(
        path.stem,
        values[:, rest],
        y if task in ("", REGRESSION) else y[:, 0],
        str(path),
        task=task or REGRESSION,
        inputs=tuple(names[k] for k in rest),
        targets=tuple(names[k] for k in chosen),
    )
    return replace(halved(found, split, path), name=path.stem)


def read_columns(path: Path) -> tuple[npt.NDArray[Any], Names]:
    """The numbers (n, W) of a table, and the name and unit of each of its columns.

    Raises
    ------
    DataError
        If the file cannot be read, or is no table of numbers.
    """
    try:
        table = read_table(path, what="table")
        width = len(table.header or table.rows[0][1])
        for k in range(width):
            check_thousands(path, [(line, cells[k]) for line, cells in table.rows])
        values = np.array(
            [
                [read_cell(path, line, cell, k) for k, cell in enumerate(cells[:width])]
                for line, cells in table.rows
            ]
        )
    except DeviceError as error:
        raise DataError(str(error)) from error
    return values, _names(table, width)


def _names(table: Table, width: int) -> Names:
    """Name and unit of every column."""
    if not table.header:
        return tuple((f"column {k + 1}", "") for k in range(width))
    found = [(UNIT.fullmatch(cell), cell) for cell in table.header]
    return tuple((match[1], match[2]) if match else (cell, "") for match, cell in found)


def _chosen(path: Path, names: Names, targets: str | tuple[str, ...]) -> list[int]:
    """Places of the columns that are targets."""
    width = len(names)
    known = {name: k for k, (name, _) in enumerate(names)}
    if isinstance(targets, tuple):
        if set(targets) <= set(known):
            return [known[name] for name in targets]
        targets = str(len(targets))
    if not targets or (targets.isdecimal() and 1 <= int(targets) < width):
        return list(range(width - int(targets or 1), width))
    wanted = [word.strip() for word in targets.split(",")]
    missing = [word for word in wanted if word not in known]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]!r} for --targets: it has {', '.join(known)}; or say "
            f"how many of the last are targets, 1 to {width - 1}"
        )
    return [known[word] for word in wanted]
