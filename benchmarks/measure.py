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
from typing import NotRequired, TypedDict

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
    if warm:
        ours()
        theirs()
    pairs: list[tuple[float, float]] = []
    for k in range(rounds(quick)):
        if k % 2:
            other = seconds(theirs)
            pairs.append((seconds(ours), other))
        else:
            own = seconds(ours)
            pairs.append((own, seconds(theirs)))
    return row(what, against, [(a / per[0], b / per[1]) for a, b in pairs], note)


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
