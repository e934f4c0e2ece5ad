"""Reading a deck back, many resistors at a time: a crossbar's lines to columns. Shares no code with
the emitter.

A run holds lines of one form alone, the one in which ``lines`` and ``extract`` would read each of
them by itself; a line that is any different ends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import NetlistError
from ..files import open_regular, require_size

MOST_AT_ONCE = 2**23
"""Bytes of a file that are in memory as text together."""
FEWEST = 16
"""Lines that are worth an array."""
_LINE = (
    r"r[a-z0-9_]*+ [a-z0-9_]++ [a-z0-9_]++ "
    r"[0-9]{1,11}+(?:\.[0-9]{0,16}+)?+(?:e[-+]?[0-9]{1,2}+)?+"
)
"""``name net net ohms``; a number of these digits is finite, and of no more than
``expressions.MOST_CHARACTERS``."""
_RUN = re.compile(
    rf"(?:{_LINE} [a-z][a-z0-9_]*+\n(?!\+)){{{FEWEST},}}+|(?:{_LINE}\n(?!\+)){{{FEWEST},}}+"
)
"""All with a model or all without; none goes on in the next line."""


@dataclass(frozen=True, eq=False)
class Run:
    """Resistors that follow each other.

    Attributes
    ----------
    names, distinct
        Theirs, a line each, which takes a third of a list; and whether each is there once.
    nets, a, b
        Nets, as they first come, and the places (n,) in it of each resistor's two.
    ohms
        (n,).
    models, model
        Models, "" for none, and the place (n,) in it of each resistor's.
    file, first
        Where they are read: a file's name, and the number of the first's line.
    """

    names: str
    distinct: bool
    nets: list[str]
    a: np.ndarray
    b: np.ndarray
    ohms: np.ndarray
    models: list[str]
    model: np.ndarray
    file: str = ""
    first: int = 0

    def __len__(self) -> int:
        return len(self.ohms)

    def texts(self) -> Iterator[str]:
        """Its lines, of numbers as they would be written here."""
        names, ohms = self.names.split("\n"), self.ohms.tolist()
        columns = zip(names, self.a, self.b, ohms, self.model, strict=True)
        for name, a, b, value, model in columns:
            words = name, self.nets[a], self.nets[b], repr(value), self.models[model]
            yield " ".join(words).rstrip()


def run_of(
    names: Sequence[str],
    a: list[str],
    b: list[str],
    ohms: np.ndarray,
    models: list[str],
    file: str = "",
    first: int = 0,
) -> Run:
    """Resistors of these ``names``, nets ``a`` and ``b``, ``ohms`` and ``models`` (n)."""
    distinct = len(set(names)) == len(names)
    nets, at_a, at_b = _of_crossbar(a, b) or _of_any(a, b)
    kinds, model = models[:1], np.zeros(len(models), np.int32)
    if models.count(models[0]) < len(models):
        kinds, model = _numbered(models)
    return Run("\n".join(names), distinct, nets, at_a, at_b, ohms, kinds, model, file, first)


def _of_crossbar(a: list[str], b: list[str]) -> tuple[list[str], np.ndarray, np.ndarray] | None:
    """As ``_of_any`` where each row ``a`` meets all columns ``b``, one row after the other; None
    elsewhere."""
    across = len(a) - a.index(a[-1])
    rows, columns = a[::across], b[:across]
    nets = [rows[0], *columns, *rows[1:]]
    again = [row for row in rows for _ in columns]
    if len({*nets}) < len(nets) or a != again or b != columns * len(rows):
        return None
    down = np.arange(across, across + len(rows), dtype=np.int32)
    down[0] = 0  # its columns come before the next row
    return (
        nets,
        np.repeat(down, across),
        np.tile(np.arange(1, across + 1, dtype=np.int32), len(rows)),
    )


def _of_any(a: list[str], b: list[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Different nets, as they first come, and the places (n,) in it of ``a`` and ``b``."""
    nets, at = _numbered([net for ends in zip(a, b, strict=True) for net in ends])
    return nets, at[0::2], at[1::2]


def _numbered(words: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The different ``words`` (n), as they first come, and the place (n,) of each in it."""
    number = {word: k for k, word in enumerate(dict.fromkeys(words))}
    return list(number), np.fromiter(map(number.__getitem__, words), np.int32, len(words))


def pieces_of(path: Path) -> Iterator[str]:
    """The text of a file in pieces, each of whole lines that do not go on in the next.

    Raises
    ------
    NetlistError
        If it is gone, is no regular file, is too large, or is not in UTF-8.
    """
    try:
        with open_regular(path) as stream:
            require_size(stream)
            left = b""
            while read := stream.read(MOST_AT_ONCE):
                left += read
                cut = left.rfind(b"\n", 0, -1)
                while cut >= 0 and left[cut + 1] == ord("+"):
                    cut = left.rfind(b"\n", 0, cut)
                if cut >= 0:
                    yield left[: cut + 1].decode()  # as bytes: \r ends no line for ngspice
                    left = left[cut + 1 :]
            yield left.decode()
    except ValueError as error:
        raise NetlistError(f"cannot read {path}: {error}") from error


class Rows:
    """The rows of a file, with their numbers: one after the other, or of resistors many at once."""

    def __init__(self, file: str, pieces: Iterable[str]) -> None:
        self.file, self._pieces = file, iter(pieces)
        self._text, self._at, self.number = "", 0, 0

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return self

    def __next__(self) -> tuple[int, str]:
        """The next row and its number."""
        if self._at >= len(self._text):
            self._text, self._at = next(self._pieces), 0
        start, end = self._at, self._text.find("\n", self._at)
        end = end if end >= 0 else len(self._text)
        self._at, self.number = end + 1, self.number + 1
        return self.number, self._text[start:end]

    def run(self) -> Run | None:
        """The resistors that come next; None if others do, or few."""
        match = _RUN.match(self._text, self._at) if self._text.startswith("r", self._at) else None
        if match is None:
            return None
        first, self._at = self.number + 1, match.end()
        words = match[0].split()
        n = self._text.count("\n", *match.span())
        self.number += n
        width = len(words) // n
        names, a, b, values = (words[k::width] for k in range(4))
        ohms = np.fromiter(map(float, values), float, n)
        models = words[4::5] if width == 5 else [""] * n
        return run_of(names, a, b, ohms, models, self.file, first)
