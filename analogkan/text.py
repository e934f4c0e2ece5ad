"""Numbers as a reader wants them: shares of 1 in per cent, counts with what they count; the word
that somebody may have meant."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

PREFIXES = {-6: "a", -5: "f", -4: "p", -3: "n", -2: "u", -1: "m", 0: "", 1: "k", 2: "M", 3: "G"}
"""By powers of 1,000."""


def many(n: int, what: str) -> str:
    """``1 chip``, ``2,000 chips``."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def brief(value: object, limit: int = 80) -> str:
    """``repr(value)``, its middle left out where it is longer than ``limit``: for messages."""
    text = repr(value)
    half = limit // 2 - 2
    return text if len(text) <= limit else f"{text[:half]}...{text[-half:]}"


def with_unit(name: str, unit: str) -> str:
    """``temperature (degC)``; the name alone where there is no unit."""
    return f"{name} ({unit})" if unit else name


def percent(share: float, digits: int = 2) -> str:
    """``0.9871`` as ``98.71 %``."""
    return f"{100 * share:.{digits}f} %"


def engineering(value: float, unit: str, digits: int = 3) -> str:
    """``0.00143`` of seconds as ``1.43 ms``."""
    if not unit or not math.isfinite(value) or value == 0:
        return f"{value:.{digits}g} {unit}".strip()
    power = min(max(math.floor(math.log10(abs(value)) / 3 + 1e-12), -6), 3)
    scaled = value / 1000.0**power
    if float(f"{abs(scaled):.{digits}g}") >= 1000 and power < 3:
        power, scaled = power + 1, scaled / 1000
    return f"{scaled:.{digits}g} {PREFIXES[power]}{unit}"


def duration(seconds: float) -> str:
    """``8040`` as ``2.2 hours``; below two hours minutes, below two minutes seconds."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def interval(pair: Sequence[float] | None) -> str:
    """``98.56 to 98.99``; empty where there is none."""
    return "" if pair is None else f"{100 * pair[0]:.2f} to {100 * pair[1]:.2f}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of ``head`` and ``rows``, cells as they are, in Markdown."""
    lines = [head, *rows]
    found = [f"| {' | '.join(cells)} |" for cells in lines]
    return "\n".join([found[0], f"|{'---|' * len(head)}", *found[1:]]) + "\n"


def nearest(word: str, known: Iterable[str], ending: str = "") -> str:
    """``", did you mean ...?"`` for the known word closest to ``word``, or a full stop.

    A file here that is called so but for its ``ending`` is closest.
    """
    if ending and Path(f"{word}{ending}").is_file():
        return f", did you mean {word}{ending}?"
    found = closest(word, known)
    return f", did you mean {found}?" if found else "."


def closest(word: str, known: Iterable[str], *, least: float = 0.6) -> str:
    """The known word closest to ``word``, in whatever case; empty if none is ``least`` alike."""
    lowered = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower().strip(), lowered, n=1, cutoff=least)
    return lowered[found[0]] if found else ""
