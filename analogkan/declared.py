# pyright: strict
"""Things that are declared once, known by their names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from .errors import SettingsError


class Named(Protocol):
    """What can be declared."""

    @property
    def name(self) -> str:
        """By which it is asked for."""
        ...

    def lacks(self) -> list[str]:
        """The parts that it must have, and has not."""
        ...


T = TypeVar("T", bound=Named)


class Declared(Generic[T]):
    """What there is of a kind, by name: what comes with the package, and what was added.

    Parameters
    ----------
    what
        The kind in a sentence, with its article.
    built_in
        In this order.
    """

    def __init__(self, what: str, built_in: Iterable[T]) -> None:
        self.what, self.noun = what, what.partition(" ")[2]
        self.kinds: dict[str, T] = {}
        for one in built_in:
            self.add(one)

    def add(self, one: T) -> T:
        """Make ``one`` known; SettingsError if it lacks a part, or its name is taken."""
        lacks = one.lacks()
        if lacks:
            raise SettingsError(f"{self.noun} {one.name!r} lacks {', '.join(lacks)}")
        if one.name in self.kinds:
            raise SettingsError(
                f"there is {self.what} {one.name!r} already: give yours another name"
            )
        self.kinds[one.name] = one
        return one

    def find(self, name: str) -> T:
        """The one of that name; SettingsError if there is none."""
        if name not in self.kinds:
            raise SettingsError(f"there is no {self.noun} {name!r}: known are {', '.join(self)}")
        return self.kinds[name]

    def remove(self, one: T) -> None:
        """Take back what was added."""
        del self.kinds[one.name]

    def __iter__(self):
        return iter(self.kinds)

    def __contains__(self, name: object) -> bool:
        return name in self.kinds
