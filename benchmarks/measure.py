"""How two ways are timed beside each other, and the rows that a benchmark hands over.

A benchmark of speed has ``measured(quick=False) -> list[Row]``, which ``python -m benchmarks``
collects. A round times both ways one straight after the other, and the next round in the other
order, so that what else the machine does falls on both; a figure is the median of the rounds'
ratios. ``quick`` takes one round of as little as shows that the code runs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np

ROUNDS = 5


class Row(TypedDict):
    """One comparison. A way that was not run has no ratio, and the note says why."""

    what: str
    """What is measured, with its size."""
    against: str
    """What stands beside it, on the same work."""
    ratio: float | None
    """Median of time of ``what`` over time of ``against``: below 1, ``what`` is the faster one.
    Where ``exponent`` is set, of slopes of log time over log size."""
    n: int
    """Rounds."""
    note: str
    """What a reader needs beside it: sizes, versions, how far apart the answers are."""
    low: NotRequired[float]
    high: NotRequired[float]
    """Smallest and largest of the rounds."""
    seconds: NotRequired[float]
    """Median seconds of ``what``, of this machine alone."""
    exponent: NotRequired[bool]
    of: NotRequired[str]
    """What the ratio is of where it is not of time: ``memory``, or a part, ``share of time``."""


def rounds(quick: bool) -> int:
    """Rounds of a measurement: five, or one that shows that the code runs."""
    return 1 if quick else ROUNDS


def seconds(call: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def beside(
    what: str,
    against: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    quick: bool = False,
    note: str = "",
    per: tuple[float, float] = (1, 1),
    warm: bool = True,
) -> Row:
    """Times both calls alternately, five rounds.

    Parameters
    ----------
    what, against, note
        As in `Row`.
    ours, theirs
        The two ways, each with all that it needs made before.
    quick
        One round.
    per
        Units of work of a call of each, such as images: ratios are of seconds a unit.
    warm
        Call each once before, untimed.
    """
    other = Way(against, theirs, per[1], note)
    return among(Way(what, ours, per[0]), [other], quick=quick, warm=warm)[0]


class Way(NamedTuple):
    """One way of several: its name, the call, units of work of one call, and a note for its row."""

    name: str
    call: Callable[[], object]
    per: float = 1
    note: str = ""


def among(ours: Way, others: Sequence[Way], *, quick: bool = False, warm: bool = True) -> list[Row]:
    """A row for each of ``others`` beside ``ours``; a round times all of them."""
    ways = [ours, *others]
    if warm:
        for way in ways:
            way.call()
    taken: list[list[float]] = []
    for k in range(rounds(quick)):
        order = list(enumerate(ways))[:: -1 if k % 2 else 1]
        found = {at: seconds(way.call) / way.per for at, way in order}
        taken.append([found[at] for at in range(len(ways))])
    return [
        row(ours.name, way.name, [(each[0], each[k]) for each in taken], way.note)
        for k, way in enumerate(others, start=1)
    ]


def row(what: str, against: str, pairs: Sequence[tuple[float, float]], note: str = "") -> Row:
    """The row of rounds timed by hand: of each, seconds of ``what`` and of ``against``."""
    found = Row(what=what, against=against, note=note, **_spread([a / b for a, b in pairs]))
    found["seconds"] = statistics.median(a for a, _ in pairs)
    return found


def growth(
    what: str,
    sizes: Sequence[float],
    calls: Sequence[Callable[[], object]],
    *,
    quick: bool = False,
    note: str = "",
) -> Row:
    """How time grows with size: the slope of log seconds over log size, five rounds.

    Each round times one call a size (N of them), smallest first or last by turns.
    """
    logs, slopes = np.log(sizes), []
    for call in calls:
        call()
    for k in range(rounds(quick)):
        order = range(len(calls)) if k % 2 == 0 else reversed(range(len(calls)))
        took = {at: seconds(calls[at]) for at in order}
        slopes.append(float(np.polyfit(logs, np.log([took[at] for at in range(len(calls))]), 1)[0]))
    against = f"{min(sizes):,g} to {max(sizes):,g}"
    return Row(what=what, against=against, note=note, exponent=True, **_spread(slopes))


def not_run(what: str, against: str, why: str) -> Row:
    """A row without a figure, such as ``not run: pip install badcrossbar``."""
    return Row(what=what, against=against, ratio=None, n=0, note=f"not run: {why}")


def _spread(values: list[float]) -> dict:
    return {
        "ratio": statistics.median(values),
        "n": len(values),
        "low": min(values),
        "high": max(values),
    }


def show(rows: Sequence[Row]) -> None:
    """Print rows, one a line."""
    for row in rows:
        told = [f"{row['what']} : {row['against']}", told_ratio(row), told_range(row), faster(row)]
        told += [f"{row['seconds']:.3g} s"] if "seconds" in row else []
        print(*filter(None, [*told, row["note"]]), sep="; ")


def told_ratio(row: Row) -> str:
    """The ratio as text; nothing of what was not run."""
    if row["ratio"] is None:
        return ""
    return f"{row['ratio']:.2f}" if row.get("exponent") else figure(row["ratio"])


def told_range(row: Row) -> str:
    """The rounds' smallest and largest; nothing of a row that has none."""
    if "low" not in row or "high" not in row:
        return ""
    form = "{:.2f}".format if row.get("exponent") else figure
    return f"{form(row['low'])} to {form(row['high'])}"


def faster(row: Row) -> str:
    """In words, what a ratio well below 1 says."""
    ratio = row["ratio"]
    word = {"time": "fast", "memory": "small"}.get(row.get("of", "time"))
    if ratio is None or ratio > 0.8 or row.get("exponent") or word is None:
        return ""
    return f"{figure(1 / ratio)} times as {word}"


def figure(x: float) -> str:
    """Three significant digits, without powers of ten where it is large."""
    return f"{float(f'{x:.3g}'):,.0f}" if abs(x) >= 100 else f"{x:.3g}"
