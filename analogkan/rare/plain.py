# pyright: strict
"""Plain draws: a share of chips, and the exact interval of one."""

from __future__ import annotations

import numpy as np

from .base import Asking, Numbers, check_samples, of_counts

TOGETHER = 1000
"""Chips that are asked about at once."""


def plain(samples: int, first: int = 0, *, frozen: bool = False) -> Asking:
    """Chips by their numbers, from ``first`` on.

    Raises
    ------
    StudyError
        Fewer than one chip.
    """
    check_samples("plain", samples, 1)
    numbers = Numbers(first, frozen)
    scores, reached = np.empty(samples), np.empty(samples)
    for start in range(0, samples, TOGETHER):
        here = slice(start, min(start + TOGETHER, samples))
        answer = yield numbers.chips(here.stop - here.start)
        scores[here], reached[here] = answer
    return of_counts("plain", int((scores < 0).sum()), samples, reached)
