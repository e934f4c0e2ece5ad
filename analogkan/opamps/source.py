# pyright: strict
"""An op-amp's file: its subcircuit, what it says of itself, and what it may not have.

A netlist is a program: ngspice's control lines can start others, and includes read any file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..cells.opamp import SUPPLIES
from ..errors import NetlistError
from ..files import read_text
from ..text import nearest
from .libraries import Include

PINS = ("inp", "inn", "out", *SUPPLIES)
ALLOWED = (
    *(".subckt", ".ends", ".model", ".param", ".func", ".global", ".option", ".options"),
    *(".if", ".elseif", ".else", ".endif"),
)
"""Lines with a point that a cell and its models may have, beside those that include."""
INCLUDES = (".include", ".inc", ".lib")
KEYS = ("include", "mismatch", "vdd", "vss")
SAID = re.compile(r"\*\s*characterise:\s*(\S+)\s+(\S.*?)\s*$")
"""What a file says of how it is to be characterised."""
SAFE = re.compile(r"[^\"'`\n\r;${}]+")
"""Paths that can stand in a deck."""
PARAMETERS = re.compile(r"\bparams:|\S+\s*=")
"""Where those of a subcircuit begin."""
WORD = re.compile(r"\"[^\"]*\"|'[^']*'|\S+")
"""A file's name in quotes may have blanks."""


@dataclass(frozen=True, kw_only=True)
class OpAmpFile:
    """An op-amp of transistors.

    Attributes
    ----------
    path
        Its file.
    name
        Of its subcircuit.
    pins
        In its order, lower case, each of ``PINS`` once.
    said
        ``(key, value)``, from its lines ``* characterise: KEY VALUE``.
    """

    path: Path
    name: str
    pins: tuple[str, ...]
    said: tuple[tuple[str, str], ...] = ()

    def values(self, key: str) -> list[str]:
        """What it says of ``key``."""
        return [value for name, value in self.said if name == key]


def read_opamp(path: Path, subckt: str | None = None, allowed: Iterable[Path] = ()) -> OpAmpFile:
    """The op-amp of a file, see ``read_cell``, with what it says of itself.

    Raises
    ------
    NetlistError
        As ``read_cell``, or if it says what nothing is known of.
    """
    found = read_cell(path, subckt, allowed)
    return replace(found, said=tuple(_said(found.path)))


def read_cell(
    path: Path,
    subckt: str | None = None,
    allowed: Iterable[Path] = (),
    *,
    wanted: Sequence[str] = PINS,
    what: str = "an op-amp",
) -> OpAmpFile:
    """The cell of a file with the pins ``wanted``, of its subcircuit ``subckt`` where it has
    several; ``what`` it is called.

    It may include what is in its own folder and in those ``allowed``, or below.

    Raises
    ------
    NetlistError
        If it cannot be read, has a line that a cell may not have, no subcircuit, several and none
        was chosen, or one that lacks a pin.
    """
    path, lines, found = _read(path, allowed)
    own = f"{what}'s are {', '.join(wanted)}, in any order"
    name = _chosen(path, list(found), subckt, f"{what} is one, with the pins {', '.join(wanted)}")
    pins = _pins(found[name])
    for pin in wanted:
        if pin not in pins:
            raise NetlistError(
                f"{path}: .subckt {name} has no pin {pin}; its pins are {' '.join(pins)}, and "
                f"{own}: rename it in the .subckt line"
            )
    if len(pins) > len(wanted):
        extra = next(pin for k, pin in enumerate(pins) if pin not in wanted or pin in pins[:k])
        raise NetlistError(
            f"{path}: .subckt {name} has a pin {extra} too many; {what}'s are "
            f"{', '.join(wanted)}: feed bias and the like from inside"
        )
    for number, words in lines:
        for pin in pins if words[0] == ".global" else ():
            if pin in map(str.lower, words[1:]):
                raise NetlistError(
                    f"{path}, line {number}: .global {pin} is a pin of {name} too, and the net "
                    "wins over it: take it out"
                )
    return OpAmpFile(path=path, name=name, pins=pins)


def _read(
    path: Path, allowed: Iterable[Path]
) -> tuple[Path, list[tuple[int, list[str]]], dict[str, list[str]]]:
    """The path, resolved, the lines, which are those of a cell, and by name in lower case what
    stands behind those of its subcircuits."""
    path = path.resolve()
    lines = list(_lines(path))
    check_lines(path, lines, [path.parent, *allowed])
    return path, lines, {words[1].lower(): words[2:] for words in _heads(lines)}


def _heads(lines: Iterable[tuple[int, list[str]]]) -> Iterator[list[str]]:
    """The words of every subcircuit that is in no other."""
    depth = 0
    for _, words in lines:
        if words[0] == ".subckt" and depth == 0:
            yield words
        depth += (words[0] == ".subckt") - (words[0] == ".ends")


def _pins(words: Sequence[str]) -> tuple[str, ...]:
    """Those of a subcircuit, of what stands behind its name: all before its parameters."""
    return tuple(PARAMETERS.split(" ".join(words).lower(), maxsplit=1)[0].split())


def _chosen(path: Path, names: list[str], subckt: str | None, told: str) -> str:
    if not names:
        raise NetlistError(f"{path} has no .subckt: {told}")
    if subckt is None and len(names) > 1:
        what = told.partition(" is ")[0].removeprefix("an ").removeprefix("a ")
        raise NetlistError(
            f"{path} has {len(names)} subcircuits ({', '.join(names)}): say which is the {what} "
            "with --subckt NAME, or FILE:NAME in a --cell"
        )
    wanted = names[0] if subckt is None else subckt.lower()
    if wanted not in names:
        raise NetlistError(
            f"{path} has no .subckt {subckt}{nearest(wanted, names)} It has {', '.join(names)}"
        )
    return wanted


def _said(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        found = SAID.match(line)
        if found is not None:
            if found[1] not in KEYS:
                raise NetlistError(
                    f"{path}, line {number}: 'characterise: {found[1]}' is unknown"
                    f"{nearest(found[1], KEYS)} Known: {', '.join(KEYS)}"
                )
            yield found[1], found[2]


def check_models(includes: Iterable[Include]) -> None:
    """Refuse files of models that have, or include from other folders, what a cell may not, and
    those of sections of which none is named."""
    whole = {one.path for one in includes if not one.section}
    for path in {one.path for one in includes}:
        lines = list(_lines(path))
        check_lines(path, lines, [path.parent])
        sections, outside = _sections(lines)
        if path in whole and sections and not outside:
            raise NetlistError(
                f"{path} has sections ({', '.join(sections[:8])}{', ...' * (len(sections) > 8)}): "
                "say which one, FILE:SECTION"
            )


def _sections(lines: Iterable[tuple[int, list[str]]]) -> tuple[list[str], bool]:
    """Names of a file's sections, and whether it has anything outside of them."""
    names, inside, outside = list[str](), False, False
    for _, words in lines:
        if words[0] == ".lib" and len(words) == 2:
            names.append(words[1].strip("\"'"))
            inside = True
        elif words[0] == ".endl":
            inside = False
        else:
            outside |= not inside
    return names, outside


def check_lines(
    path: Path,
    lines: Iterable[tuple[int, list[str]]],
    folders: list[Path],
    seen: set[Path] | None = None,
) -> None:
    """Refuse ``lines`` of ``path`` that a cell may not have, and those of what they include.

    Raises
    ------
    NetlistError
        Naming file, line, and what is allowed.
    """
    seen = {path} if seen is None else seen
    depth = 0
    for number, words in lines:
        first, where = words[0], f"{path}, line {number}"
        depth += (first == ".subckt") - (first == ".ends")
        if first == ".subckt" and len(words) == 1:
            raise NetlistError(f"{where}: .subckt has no name: give it one, and its pins")
        if first in INCLUDES and not (first == ".lib" and len(words) == 2):
            target = _target(path, where, words, folders)
            if target not in seen and target.is_file():  # else ngspice says so, if it is wanted
                seen.add(target)
                check_lines(target, _lines(target), folders, seen)
        elif first.startswith("*"):
            raise NetlistError(
                f"{where}: {first} is a comment that ngspice runs as a command: take it out"
            )
        elif first.startswith(".") and first not in (*ALLOWED, *INCLUDES, ".endl"):
            why = " begins a program of ngspice's, which has `shell`" if first == ".control" else ""
            raise NetlistError(
                f"{where}: {first}{why or ' is not of a cell'}: a cell and its models may have "
                f"{', '.join((*ALLOWED, *INCLUDES))}: take it out"
            )
        elif not first.startswith(".") and depth == 0:
            raise NetlistError(
                f"{where}: {first} is outside every .subckt, in which all of a cell is: move it "
                "in, or take it out"
            )


def _target(path: Path, where: str, words: list[str], folders: list[Path]) -> Path:
    """The file that a line includes; NetlistError if it may not."""
    if len(words) < 2:
        raise NetlistError(f"{where}: {words[0]} names no file")
    name = words[1].strip("\"'")
    target = (path.parent / name).resolve()
    if not any(target.is_relative_to(folder.resolve()) for folder in folders):
        raise NetlistError(
            f"{where}: {words[0]} {name} leads outside {path.parent}: copy that file beside it, "
            "or take the line out and name the file with --include"
        )
    return target


def words_of(line: str) -> list[str]:
    """The words of a line of a netlist; what stands in quotes from its first sign on is one."""
    return WORD.findall(line)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and words of the lines of a netlist, continued ones as one; the first in lower case.

    Of comments there are only those that ngspice takes for commands.
    """
    try:
        text = read_text(path)
    except (ValueError, OSError) as error:
        raise NetlistError(f"cannot read {path}: {error}") from error
    if not SAFE.fullmatch(str(path)):
        raise NetlistError(
            f"{path}: a path with quotes, braces, ; or $ cannot stand in a deck: rename it"
        )
    held: tuple[int, list[str]] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = words_of(line)
        if not words or (words[0][0] == "*" and not words[0].startswith(("*#", "*ng_script"))):
            continue
        if words[0][0] == "+" and held is not None:
            if held[1][0] in INCLUDES:
                raise NetlistError(
                    f"{path}, line {number}: a line continues {held[1][0]}: write it as one line"
                )
            held[1].extend(filter(None, [words[0][1:], *words[1:]]))
            continue
        if held is not None:
            yield held
        held = number, [words[0].lower(), *words[1:]]
    if held is not None:
        yield held


def read_subcircuits(path: Path, allowed: Iterable[Path] = ()) -> list[OpAmpFile]:
    """The subcircuits of a file, whatever their pins, with what it says of itself.

    Raises
    ------
    NetlistError
        If it cannot be read, has a line that a cell may not have, or no subcircuit.
    """
    path, _, found = _read(path, allowed)
    if not found:
        raise NetlistError(f"{path} has no .subckt: a cell is one")
    said = tuple(_said(path))
    return [
        OpAmpFile(path=path, name=name, pins=_pins(words), said=said)
        for name, words in found.items()
    ]
