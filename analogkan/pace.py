# pyright: strict
"""What there is to say of long work, a line a minute: what, how many of how many, time left."""

from __future__ import annotations

import time

from .text import duration

MINUTE = 60.0
"""Seconds between two lines."""


class Pace:
    """Turns reports of progress, however many, into a line a minute.

    Parameters
    ----------
    ends
        Whether each thing's first and last report are lines too; else there is none before a
        minute has passed.
    """

    def __init__(self, *, ends: bool) -> None:
        self._ends = ends
        self._last = time.monotonic()
        self._began: dict[object, tuple[float, float]] = {}
        self._told: dict[object, tuple[float, float | None]] = {}

    def line(self, what: str, done: float, total: float | None, key: object = None) -> str | None:
        """A line that ``done`` of ``total`` are, or None if none is due; ``key`` tells things apart
        whose ``what`` changes."""
        key, now = what if key is None else key, time.monotonic()
        end = self._ends and (key not in self._began or done == total)
        began, before = self._began.setdefault(key, (now, done))
        if (not end and now - self._last < MINUTE) or self._told.get(key) == (done, total):
            return None
        self._last, self._told[key] = now, (done, total)
        if total is None:
            return f"{what}: {done:,.0f}"
        said = f"{what}: {done:,.0f} of {total:,.0f}"
        if before < done < total:
            left = (total - done) * (now - began) / (done - before)
            said += f", about {duration(left)} left"
        return said
