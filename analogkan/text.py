"""Shares of 1 as a reader wants them: in per cent."""

from __future__ import annotations

from collections.abc import Sequence


def percent(share: float, digits: int = 2) -> str:
    """``0.9871`` as ``98.71 %``."""
    return f"{100 * share:.{digits}f} %"


def interval(pair: Sequence[float] | None) -> str:
    """``98.56 to 98.99``; empty where there is none."""
    return "" if pair is None else f"{100 * pair[0]:.2f} to {100 * pair[1]:.2f}"
