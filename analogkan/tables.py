# pyright: strict
"""Tables: columns as arrays, shown by their first rows."""

from __future__ import annotations

import html
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .errors import AnalogKanError
from .objects import MOST_LINES

Column = np.ndarray[Any, np.dtype[Any]]
MOST_SHOWN = MOST_LINES - 2
"""Rows that a table shows of itself: a line is its head, and one says how many there are."""
MOST_COLUMNS = 8


class Table(dict[str, Column]):
    """Columns (n,) by their names, all of one length."""

    @property
    def height(self) -> int:
        """Rows, n."""
        return len(next(iter(self.values()), ()))

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame.

        Raises
        ------
        AnalogKanError
            If pandas cannot be imported.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise AnalogKanError(
                f"pandas cannot be imported ({error}): `pip install pandas`, or take table(), a "
                "dictionary of arrays"
            ) from error
        return pandas.DataFrame(dict(self))

    def _cells(self) -> list[list[str]]:
        """The head and the first rows, of the first columns, as texts."""
        names = list(self)[:MOST_COLUMNS]
        rows = range(min(self.height, MOST_SHOWN))
        return [names, *([_text(self[name][k]) for name in names] for k in rows)]

    def _size(self) -> str:
        left = len(self) - MOST_COLUMNS
        also = f", {left} of them not shown" if left > 0 else ""
        return f"{self.height:,} rows, {len(self)} columns{also}"

    def __repr__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(str.rjust, row, widths)) for row in cells]
        return "\n".join([*lines, self._size()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
            for row in self._cells()
        )
        return f"<table>{rows}</table>{html.escape(self._size())}"


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table_of(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The table of ``rows``, in the order in which their columns come; what a row lacks is NaN."""
    names = dict.fromkeys(name for row in rows for name in row)
    return Table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: Sequence[Any]) -> Column:
    numbers = all(value is None or isinstance(value, (int, float)) for value in values)
    if not numbers:
        return np.array(["" if value is None else str(value) for value in values])
    if None in values:
        return np.array([np.nan if value is None else float(value) for value in values])
    return np.array(values)
