"""Declared entries: what a dictionary from a file may hold, checked by one table.

Every rule has ``check(value, where)``, which raises ValueError with a sentence that names the
entry, what it is and what it must be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .limits import describe, first_unphysical

MOST_NUMBER = 1e30
"""Assumed: no quantity of a circuit, in whatever unit, is larger; codes of instruments are."""
MOST_SHOWN = 40
"""Characters of a value in a sentence."""


class Rule(Protocol):
    """What an entry must be."""

    def check(self, value: Any, where: str) -> None:
        """Raise ValueError unless ``value``, called ``where`` in the sentence, is it."""
        ...


def shown(value: Any) -> str:
    """``value`` in a sentence: itself if it is short and plain, otherwise its type."""
    if value is None or isinstance(value, (str, bool, float)):
        text = repr(value)
    elif type(value) is int:
        text = str(value) if abs(value) < 10**MOST_SHOWN else "a huge number"
    else:
        return f"a {type(value).__name__}"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def refuse(value: Any, where: str, wanted: str) -> None:
    """Raise the ValueError that ``value`` is not what is ``wanted``."""
    raise ValueError(f"{where} is {shown(value)}; it must be {wanted}")


@dataclass(frozen=True)
class Text:
    """A text of at most ``most`` characters; one of ``choices`` if there are some."""

    choices: tuple[str, ...] = ()
    most: int = 100_000

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, str) or len(value) > self.most:
            refuse(value, where, f"a text of at most {self.most:,} characters")
        if self.choices and value not in self.choices:
            refuse(value, where, f"one of {', '.join(self.choices)}")


@dataclass(frozen=True)
class Truth:
    """True or false."""

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, bool):
            refuse(value, where, "true or false")


@dataclass(frozen=True)
class Whole:
    """A whole number from ``low`` to ``high``."""

    low: int
    high: int

    def check(self, value: Any, where: str) -> None:
        if type(value) is not int or not self.low <= value <= self.high:
            refuse(value, where, f"a whole number from {self.low:,} to {self.high:,}")


@dataclass(frozen=True)
class Number:
    """A finite number from ``low`` to ``high``; one that its ``quantity`` of ``limits`` can have,
    if named."""

    quantity: str = ""
    low: float = -MOST_NUMBER
    high: float = MOST_NUMBER

    def check(self, value: Any, where: str) -> None:
        if type(value) not in (int, float) or not -math.inf < value < math.inf:
            refuse(value, where, "a finite number")
        if not self.low <= value <= self.high:
            refuse(value, where, f"from {self.low:g} to {self.high:g}")
        if self.quantity and first_unphysical(value, self.quantity) is not None:
            raise ValueError(f"{where}: {describe(float(value), self.quantity)}")


@dataclass(frozen=True)
class Several:
    """A list, each entry by the rule ``of``; at least ``least``, at most ``most``."""

    of: Rule
    least: int = 0
    most: int = 1_000_000

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, (list, tuple)):
            refuse(value, where, "a list")
        if not self.least <= len(value) <= self.most:
            raise ValueError(
                f"{where} has {len(value):,} entries; it must have {self.least:,} to {self.most:,}"
            )
        for k, entry in enumerate(value):
            self.of.check(entry, f"{where}[{k}]")


@dataclass(frozen=True)
class Fixed:
    """A list of as many entries as there are rules, each by its own."""

    of: tuple[Rule, ...]

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, (list, tuple)) or len(value) != len(self.of):
            refuse(value, where, f"a list of {len(self.of)}")
        for k, (rule, entry) in enumerate(zip(self.of, value, strict=True)):
            rule.check(entry, f"{where}[{k}]")


@dataclass(frozen=True)
class Maybe:
    """None, or what the rule ``of`` says."""

    of: Rule

    def check(self, value: Any, where: str) -> None:
        if value is not None:
            self.of.check(value, where)


@dataclass(frozen=True)
class Either:
    """What one of the rules ``of`` says: for a text the last, else the first."""

    of: tuple[Rule, Rule]

    def check(self, value: Any, where: str) -> None:
        self.of[isinstance(value, str)].check(value, where)


@dataclass(frozen=True)
class Record:
    """A dictionary of named entries: all that are ``required``, any that are ``optional``.

    ``missing`` is what a sentence on a missing entry ends with, ``more`` the rule of entries that
    are neither (by default there may be none).
    """

    required: Mapping[str, Rule] = field(default_factory=dict)
    optional: Mapping[str, Rule] = field(default_factory=dict)
    more: Rule | None = None
    missing: str = "train, convert or compile it again"

    def check(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            refuse(value, where or "it", "a dictionary")
        for key in self.required:
            if key not in value:
                within = f" of {where}" if where else ""
                raise ValueError(f"it lacks the entry {key!r}{within}: {self.missing}")
        known = {**self.required, **self.optional}
        for key, entry in value.items():
            at = f"{where}.{key}" if where else str(key)
            rule = known.get(key, self.more) if isinstance(key, str) else None
            if rule is None:
                raise ValueError(
                    f"{where or 'it'} has the unknown entry {shown(key)}: it may have "
                    f"{', '.join(known) or 'none'}"
                )
            rule.check(entry, at)


@dataclass(frozen=True)
class Plain:
    """Numbers, texts, None, and lists and dictionaries of them, ten deep, ten thousand at most."""

    most: int = 10_000
    depth: int = 10

    def check(self, value: Any, where: str) -> None:
        waiting, seen = [(value, 0)], 0
        while waiting:
            entry, depth = waiting.pop()
            seen += 1
            if seen > self.most or depth > self.depth:
                raise ValueError(
                    f"{where} has more than {self.most:,} entries, or is nested more than "
                    f"{self.depth} deep"
                )
            if isinstance(entry, dict):
                waiting += [(inner, depth + 1) for pair in entry.items() for inner in pair]
            elif isinstance(entry, (list, tuple)):
                waiting += [(inner, depth + 1) for inner in entry]
            elif not (entry is None or isinstance(entry, (str, bool, int, float))):
                raise ValueError(
                    f"{where} holds a {type(entry).__name__}; it may hold numbers, texts, lists "
                    "and dictionaries"
                )


VOLTS = Number("voltage")
