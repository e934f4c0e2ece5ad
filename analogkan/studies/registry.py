# pyright: strict
"""The list of studies."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ..errors import StudyError

if TYPE_CHECKING:  # it brings NumPy with it, which TAB need not wait for
    from .study import Study

BUILT_IN = ("montecarlo", "thermal", "sweep", "datasheet", "plan", "sensitivity", "corners")
"""Modules of this package, in which the study has the module's name; in the order of a report."""
REACHED = {"yields": "montecarlo"}
"""Those that have no command of their own, and which one's option leads to them."""
TAKEN = (
    *("board", "compile", "demo", "devices", "doctor", "models", "paper", "report", "simulate"),
    *("train", "verify"),
    *("compare", "convert", "explain", "perturb", "reproduce", "trace"),
)
"""Names of other commands, and of other functions in Python."""
_registered: dict[str, Study] = {}


def names() -> tuple[str, ...]:
    """Of all studies."""
    return (*BUILT_IN, *_registered)


def kinds() -> tuple[str, ...]:
    """Of what a RUN can be of: of all studies, those without a command too, in a report's order."""
    of = {leads: name for name, leads in REACHED.items()}
    return tuple(kind for name in names() for kind in (name, *([of[name]] if name in of else [])))


def study(name: str) -> Study:
    """The study of a name; StudyError if there is none."""
    if name in _registered:
        return _registered[name]
    if name not in (*BUILT_IN, *REACHED):
        raise StudyError(f"there is no study {name!r}: there are {', '.join(names())}")
    return getattr(importlib.import_module(f".{name}", __package__), name)


def register(one: Study) -> Study:
    """Make a study known: its command, its Python, its section of a page.

    Raises
    ------
    StudyError
        If another command or study has its name.
    """
    if one.name in (*kinds(), *TAKEN):
        raise StudyError(f"study {one.name!r}: another has this name: choose another")
    _registered[one.name] = one
    return one


def unregister(one: Study) -> None:
    """Take back what was registered; StudyError if it was not."""
    if _registered.get(one.name) is not one:
        raise StudyError(f"study {one.name!r} was not registered")
    del _registered[one.name]
