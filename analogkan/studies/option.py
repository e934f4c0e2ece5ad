# pyright: strict
"""What a study can be told, declared once: for its command, for Python, for TAB."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..objects import require_type
from ..settings import require

KINDS = ("whole", "number", "share", "limit", "text", "truth")
"""Of options: a whole number, a number, a share of 1, such a share or a number with its unit, a
text, yes or no."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """What a study can be told.

    Attributes
    ----------
    name
        Keyword of its plan.
    kind
        One of ``KINDS``.
    default
        As it is given, where it is not.
    about
        What it is, for help.
    least, most
        Of a whole number; None: no limit.
    choices
        What a text may be, if not anything.
    given
        How the command line and Python call it, if not by its name.
    metavar
        What help shows in its place.
    words
        What TAB offers: a function of ``analogkan.cli.complete``.
    read
        Makes of a text what the plan takes.
    """

    name: str
    kind: str
    default: Any = None
    about: str = ""
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    given: str = ""
    metavar: str = ""
    words: str = ""
    read: Callable[[str], Any] | None = None

    @property
    def public(self) -> str:
        """How people call it."""
        return self.given or self.name

    def check(self, given: Any) -> None:
        """Refuse what the command line does: nothing, another word, a number out of range.

        Raises
        ------
        SettingsError
            With the option, what was given, and what it may be.
        """
        if given is None and self.default is not None and self.kind != "text":
            require(False, self.public, given, f"leave it out, which is {self.default!r}")
        if self.choices and (given is not None or self.default is not None):
            require_type(given, str, self.public, "a text")
            require(given in self.choices, self.public, given, " or ".join(self.choices))
        if given is not None and self.kind == "limit":
            require_type(given, (str, numbers.Real), self.public, "a number, or a text with a unit")
        if given is None or self.kind != "whole":
            return
        least, most = self.least, self.most
        above = least is None or given >= least
        limit = f"{least} or more" if most is None else f"{least} to {most}"
        require(above and (most is None or given <= most), self.public, given, limit)

    def value(self, given: Any) -> Any:
        """What the plan takes of what was ``given``."""
        if self.read is not None and isinstance(given, str):
            return self.read(given)
        if isinstance(given, numbers.Integral) and not isinstance(given, int):
            return int(given)  # of numpy, which JSON does not take
        if isinstance(given, numbers.Real) and type(given) not in (int, float, bool):
            return float(given)
        return given
