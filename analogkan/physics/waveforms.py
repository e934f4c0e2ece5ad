# pyright: strict
"""Waveforms: what nets do over time, as arrays and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..dialects.words import format_number
from ..files import write_text

Values = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Waveforms:
    """What nets do over time.

    Attributes
    ----------
    time
        (T,) seconds.
    nets
        What is observed, v of them.
    values
        (T, n, v) of n images.
    """

    time: Values
    nets: Sequence[str]
    values: Values

    def write(self, path: Path, image: int = 0) -> None:
        """Write one image's as CSV: a line a time, ``time`` in seconds and the nets."""
        rows = np.column_stack([self.time, self.values[:, image]])
        lines = [",".join(["time", *self.nets])]
        lines += [",".join(map(format_number, row)) for row in rows]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "\n".join(lines) + "\n")

    def near(self, rest: Values, amount: float | Values) -> Values:
        """Seconds (n,) from when on all of an image are within ``amount`` of ``rest`` (n, v)."""
        return last_crossing(self.time, np.abs(self.values - rest).max(axis=2) - amount)

    def at(self, times: Values) -> Values:
        """Values (len(times), n, v) at other ``times``, straight between those there are."""
        n, v = self.values.shape[1:]
        flat = self.values.reshape(len(self.time), -1)
        columns = [np.interp(times, self.time, column) for column in flat.T]
        return np.stack(columns, axis=1).reshape(len(times), n, v)


def last_crossing(time: Values, excess: Values) -> Values:
    """Seconds (n,) from when on ``excess`` (T, n) is no more above 0; between two times it goes
    straight. Infinite where it ends above."""
    found = np.zeros(excess.shape[1])
    for k, column in enumerate(excess.T):
        above = np.flatnonzero(column > 0)
        if above.size and above[-1] == len(time) - 1:
            found[k] = np.inf
        elif above.size:
            j = above[-1]
            share = column[j] / (column[j] - column[j + 1])
            found[k] = time[j] + share * (time[j + 1] - time[j])
    return found
