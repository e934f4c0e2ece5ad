# pyright: strict
"""Tables of columns, a point a row, as data sets: CSV files as spreadsheets write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..devices.sweep import check_thousands, read_cell
from ..devices.table import Table, read_table
from ..errors import DataError, DeviceError
from .images import CLASSIFICATION, REGRESSION, ImageSet, Names, checked
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
    if task == CLASSIFICATION and len(chosen) > 1:
        raise DataError(
            f"{path}: {len(chosen)} columns are targets, and classes are one: leave --targets out, "
            "or --task classification"
        )
    found = checked(
        path.stem,
        values[:, rest],
        y[:, 0] if task == CLASSIFICATION else y,
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
    heads = [name for name, _ in names]
    if isinstance(targets, tuple):
        if set(targets) <= set(heads):
            return _places(path, heads, targets)
        targets = str(len(targets))
    if not targets or (targets.isdecimal() and 1 <= int(targets) < width):
        return list(range(width - int(targets or 1), width))
    wanted = [word.strip() for word in targets.split(",")]
    missing = [word for word in wanted if word not in heads]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]!r} for --targets: it has {', '.join(heads)}; or say "
            f"how many of the last are targets, 1 to {width - 1}"
        )
    return _places(path, heads, wanted)


def _places(path: Path, heads: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the columns ``wanted`` are, each of which is there once."""
    for word in wanted:
        if wanted.count(word) > 1:
            raise DataError(f"target {word!r} is named twice: a column is one target")
        if heads.count(word) > 1:
            raise DataError(
                f"{path} has {heads.count(word)} columns {word!r}, and a target is one of them: "
                "give each a name of its own in the first line"
            )
    return [heads.index(word) for word in wanted]
