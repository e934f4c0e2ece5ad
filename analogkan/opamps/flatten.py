# pyright: strict
"""A netlist with all that it includes as one text, so that it can be moved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..cells import Library
from ..errors import NetlistError
from ..files import read_text, sha256
from .deck import include_line
from .libraries import Include
from .source import OpAmpFile, words_of

MOST_DEPTH = 20
SCALE = re.compile(r"\.options?\s+scale\s*=\s*\S+", re.IGNORECASE)
"""The one option of a cell's that is not of a whole deck: it sizes transistors alone."""


def library_of(file: OpAmpFile, includes: Iterable[Include], *, refer: bool = False) -> Library:
    """What a deck has of an op-amp's ``file``: its models, copied or, with ``refer``, named where
    they are, and itself.

    Raises
    ------
    NetlistError
        If a file or a section is missing, or has an option that is of a whole deck.
    """
    lines: list[str] = []
    for one in includes:
        if refer:
            lines.append(include_line(str(one.path), one.section))
        else:
            lines += [f"* {one.path.name}{':' * bool(one.section)}{one.section}"]
            lines += _taken(one.path, one.section)
    lines += [f"* {file.path.name}", *_taken(file.path, "")]
    return Library(
        subckt=file.name,
        pins=file.pins,
        file=file.path.name,
        text="\n".join(lines) + "\n",
        refers=tuple((str(one.path), sha256(one.path)) for one in includes) if refer else (),
    )


def _taken(path: Path, section: str, depth: int = 0) -> Iterator[str]:
    """The lines of a file, of its ``section`` or outside of all, with what they include."""
    if depth > MOST_DEPTH:
        raise NetlistError(f"{path} is included too deeply, perhaps by itself")
    try:
        text = read_text(path)
    except (ValueError, OSError) as error:
        raise NetlistError(f"cannot read {path}: {error}") from error
    inside, found = "", False
    for number, line in enumerate(text.splitlines(), 1):
        words = words_of(line)
        first = words[0].lower() if words else ""
        if first == ".lib" and len(words) == 2:
            inside = words[1].strip("\"'").lower()
            found = found or inside == section.lower()
        elif first == ".endl":
            inside = ""
        elif inside != section.lower():
            if not found and first.startswith("*") and depth == 0:
                yield line.rstrip()  # the head of a library: whose it is
        elif first == ".lib":
            yield from _taken(_at(path, words[1]), words[2].strip("\"'"), depth + 1)
        elif first in (".include", ".inc"):
            yield from _taken(_at(path, words[1]), "", depth + 1)
        elif first in (".option", ".options") and not SCALE.fullmatch(line.strip()):
            raise NetlistError(
                f"{path}, line {number}: {line.strip()} is of a whole deck, whose options are the "
                "compiler's: take it out"
            )
        elif first == ".end":
            return
        elif words:
            yield line.rstrip()
    if section and not found:
        raise NetlistError(f"{path} has no section {section}")


def _at(path: Path, name: str) -> Path:
    return (path.parent / name.strip("\"'")).resolve()
