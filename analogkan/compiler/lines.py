"""Reading a deck back, first half: text to logical lines. Shares no code with the emitter.

A deck is read by ngspice too. What it could read otherwise than ``extract`` does is refused here by
file and line: letters that it folds, characters at which it splits or ends a line, continuations of
comments, names it has of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..cells import CellKind
from ..errors import NetlistError
from ..files import read_bytes
from .expressions import number
from .netlist import closed
from .runs import Rows, Run, pieces_of

NAME = re.compile(r"[a-z0-9_]+")
"""A net, an element, a model, a parameter: ngspice splits or aliases names with anything else."""
GROUNDS = ("0", "gnd")
"""ngspice takes both for ground, everywhere."""
_FILE = re.compile(r"\.include [A-Za-z0-9_]+\.[A-Za-z0-9_.]+")
_CARD = re.compile(r"[-a-z0-9_.,+*/(){}=: ]+")
_CONTROL = re.compile(r"[-a-z0-9_.,+*/(){}=:$? ]+")


@dataclass
class Line:
    """A logical line: continuation lines joined, comments gone.

    ``box`` are the lines, as they are, of a cell that is compared as text and begins here.
    """

    text: str
    where: str
    box: list[str] | None = None

    def refuse(self, what: str) -> NetlistError:
        """The error that says where, and what is wrong with the line."""
        return NetlistError(f"{self.where}: cannot read {self.text[:60]!r}: {what}")


@dataclass
class Subcircuit:
    """A ``.subckt``: its ports, parameter defaults and lines.

    ``runs`` are the first of these where they are a crossbar's resistors.
    """

    name: str
    ports: list[str]
    params: dict[str, str]
    lines: list[Line] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    @property
    def is_tile(self) -> bool:
        """Whether it is made of resistors alone."""
        plain = all(line.text.startswith("r") for line in self.lines)
        return plain and not self.params and not closed(self.name)

    def each(self) -> Iterator[Line]:
        """All its lines, those of runs too."""
        for run in self.runs:
            yield from _lines_of(run)
        yield from self.lines


@dataclass
class Deck:
    """The lines of a deck's files, sorted.

    ``top`` holds the elements of the top level, ``reaching`` names the nets that reach into every
    subcircuit, ``boxes`` files that are not read; the other fields are as in ``Netlist``.
    """

    top: Subcircuit = field(default_factory=lambda: Subcircuit("", [], {}))
    subcircuits: dict[str, Subcircuit] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    controls: list[str] = field(default_factory=list)
    reaching: list[str] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    boxes: Collection[str] = ()


def _lines_of(run: Run) -> Iterator[Line]:
    """A run's lines, as if each had been read by itself."""
    for at, text in enumerate(run.texts(), run.first):
        yield Line(text, f"{run.file}:{at}")


def require(condition: bool, what: str) -> None:
    """Raise ValueError with ``what`` unless ``condition``."""
    if not condition:
        raise ValueError(what)


@lru_cache(maxsize=2**16)
def name(text: str) -> str:
    """``text`` if ngspice reads it as one name, the same one everywhere."""
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name of a-z, 0-9 and _ alone")
    return text


def read_lines(top: Path, shell: str | None = None, boxes: Collection[str] = ()) -> Deck:
    """The lines of the deck whose top file is ``top``, and of what it includes, but for ``boxes``.

    The subcircuit ``shell`` may have subcircuits and models in it, which are its own.

    Raises
    ------
    NetlistError
        If a file is missing, or a line is not of the subset of SPICE that ``compile`` writes.
    """
    # ngspice takes the first line for a title, whatever it is
    if not next(pieces_of(top), "").startswith("* "):
        raise NetlistError(f"{top.name}:1: the first line is the title and must be a comment (* )")
    deck = Deck(boxes=boxes)
    _collect(top, deck, top_file=True, shell=shell)
    return deck


def read_library(kind: CellKind) -> Subcircuit:
    """A cell's subcircuit as its declaration has it."""
    deck = Deck()
    _Sorter(Path(kind.name), deck, top_file=False).take([kind.text])
    return deck.subcircuits[kind.name]


def require_there(folder: Path, name: str) -> None:
    """NetlistError if a file of the BUILD ``folder`` is gone."""
    if not (folder / name).exists():
        raise NetlistError(f"{folder} lacks {name}: compile the model again")


def deck_bytes(path: Path) -> bytes:
    """The bytes of a deck's file; NetlistError if it is gone, or is no regular file."""
    require_there(path.parent, path.name)
    try:
        return read_bytes(path)
    except ValueError as error:
        raise NetlistError(f"cannot read {path}: {error}") from error


def definition(sub: Subcircuit) -> list[str]:
    """A subcircuit's ports, parameters and lines; blanks evened out, unless it is a text."""
    head = [*sub.ports, *(f"{key}={value}" for key, value in sorted(sub.params.items()))]
    lines = [line.text for line in sub.each()]
    if not closed(sub.name):
        lines = [" ".join(text.split()) for text in lines]
    return [" ".join(head), *lines]


# ---- a file to logical lines


def _logical_lines(path: Path, rows: Rows) -> Iterator[Line | Run]:
    pending: Line | None = None
    open_line = False
    while True:
        if (run := rows.run()) is not None:
            if pending is not None:
                yield pending
            pending, open_line = None, False
            yield run
        at, raw = next(rows, (0, ""))
        if not at:
            break
        where = f"{path.name}:{at}"
        if not raw.isprintable() or raw.startswith("*#"):
            raise NetlistError(f"{where}: a control character or a hidden command")
        if not raw or raw.startswith("*"):
            open_line = False
            continue
        if raw != raw.strip():
            raise NetlistError(f"{where}: a blank at the start or the end of {raw.strip()[:60]!r}")
        if raw.startswith("+"):
            if pending is None or not open_line or pending.text.startswith(".include"):
                raise NetlistError(f"{where}: a continuation of nothing, or of an .include")
            pending.text += " " + raw[1:].strip()
            continue
        if pending is not None:
            yield pending
        pending, open_line = Line(raw, where), True
        words = raw.split()
        if words[0] == ".subckt" and len(words) > 1 and closed(words[1]):
            pending.box, open_line = _box(rows, words[1], path), False
    if pending is not None:
        yield pending


def _box(rows: Rows, cell: str, path: Path) -> list[str]:
    """The lines up to the end of ``cell``, each as it is."""
    found = []
    for _, raw in rows:
        if raw == f".ends {cell}":
            return found
        found.append(raw)
    raise NetlistError(f"{path.name}: .subckt {cell} has no end")


# ---- logical lines to subcircuits and the top level


def _collect(path: Path, deck: Deck, *, top_file: bool, shell: str | None = None) -> None:
    """Sort the lines of a file and of what it includes."""
    _Sorter(path, deck, top_file=top_file, shell=shell).take(pieces_of(path))


class _Sorter:
    """Sorts the lines of a file into ``deck``.

    ``target`` is what the next line belongs to, ``base`` what it stands in.
    """

    def __init__(self, path: Path, deck: Deck, *, top_file: bool, shell: str | None = None) -> None:
        self.path, self.deck, self.top_file, self.shell = path, deck, top_file, shell
        self.base = self.target = deck.top
        self.in_control = self.ended = False

    def take(self, pieces: Iterable[str]) -> None:
        """Sort the lines of a text."""
        for item in _logical_lines(self.path, Rows(self.path.name, pieces)):
            if isinstance(item, Line):
                self._line(item)
            elif self.target is not self.deck.top and not self.target.lines:
                self.target.runs.append(item)
            else:
                for line in _lines_of(item):
                    self._line(line)
        if self.in_control or self.target is not self.deck.top:
            what = ".control" if self.in_control else f".subckt {self.target.name}"
            raise NetlistError(f"{self.path.name}: {what} has no end")

    def _line(self, line: Line) -> None:
        word, _, rest = line.text.partition(" ")
        if self.ended:
            raise NetlistError(f"{line.where}: something follows .end")
        if word == ".include" and not self.in_control:
            _include(line, self.path, self.deck, self.target, self.top_file, self.shell)
            return
        allowed = _CONTROL if self.in_control else _CARD
        if not allowed.fullmatch(line.text):
            raise line.refuse("it has a character that ngspice folds or splits at")
        try:
            self._sort(line, word, rest)
        except ValueError as error:
            raise line.refuse(str(error)) from error

    def _sort(self, line: Line, word: str, rest: str) -> None:
        deck = self.deck
        if self.in_control:
            self.in_control = line.text != ".endc"
            if self.in_control:
                deck.controls.append(line.text)
        elif self.target is not self.base:
            self.target = _inside(line, self.target, self.base)
        elif self.base is not deck.top and word not in (".subckt", ".model"):
            self.base = self.target = _inside(line, self.base, deck.top)
        elif word == ".control" and not rest:
            self.in_control = True
        elif word == ".subckt":
            self.target = _subcircuit(rest, deck)
            if line.box is not None:
                self.target.lines = [Line(text, line.where) for text in line.box]
                self.target = self.base
            elif self.target.name == self.shell:
                self.base = self.target
        elif word == ".global":
            deck.reaching += [name(text) for text in rest.split()]
        elif word == ".option":
            _options(rest, deck)
        elif word == ".model":
            _model(rest, deck)
        elif word == ".end" and not rest and self.top_file:
            self.ended = True
        elif word.startswith("."):
            raise NetlistError(f"{line.where}: {word} does not belong in a compiled deck")
        else:
            require("{" not in line.text, "an expression outside a cell")
            self.target.lines.append(line)


def _include(
    line: Line, path: Path, deck: Deck, target: Subcircuit, top_file: bool, shell: str | None
) -> None:
    if target is not deck.top:
        raise NetlistError(f"{line.where}: .include inside subcircuit {target.name}")
    included = line.text.removeprefix(".include").strip()
    if Path(included).name != included:
        raise NetlistError(f"{line.where}: {included!r} lies outside the deck's folder")
    if not top_file or not _FILE.fullmatch(line.text):
        raise line.refuse("only the top file includes, and plain file names")
    deck.includes.append(included)
    if included in deck.boxes:
        return
    _collect(path.parent / included, deck, top_file=False, shell=shell)


def _inside(line: Line, target: Subcircuit, outer: Subcircuit) -> Subcircuit:
    """Take a line of a subcircuit that stands in ``outer``; what the next line belongs to."""
    word, _, rest = line.text.partition(" ")
    if word == ".ends":
        require(rest in ("", target.name), f"ends another subcircuit than {target.name}")
        plain = not target.is_tile or not any("{" in line.text for line in target.lines)
        require(plain, f"{target.name} holds resistors alone, and an expression")
        return outer
    if word.startswith("."):
        raise NetlistError(f"{line.where}: {word} inside subcircuit {target.name}")
    target.lines.append(line)
    return target


def _subcircuit(rest: str, deck: Deck) -> Subcircuit:
    words = rest.split()
    cut = words.index("params:") if "params:" in words else len(words)
    head, params = [name(word) for word in words[:cut]], settings(words[cut + 1 :])
    require(
        bool(head) and head[0] not in deck.subcircuits, "a subcircuit without a name of its own"
    )
    ports = head[1:]
    require(len({*ports, *GROUNDS}) == len(ports) + len(GROUNDS), "a port twice, or ground")
    for text in params.values():
        number(text)
    deck.subcircuits[head[0]] = Subcircuit(head[0], ports, params)
    return deck.subcircuits[head[0]]


def settings(words: list[str]) -> dict[str, str]:
    """``key=value`` words, each key once."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, text = word.partition("=")
        require(bool(equals), f"{word!r} is no key=value, which all that follows must be")
        require(name(key) not in found, f"{key} twice")
        found[key] = text
    return found


def _options(rest: str, deck: Deck) -> None:
    for word in rest.split():
        key, _, text = word.partition("=")
        require(name(key) not in deck.options, f"option {key} a second time")
        deck.options[key] = text


def _model(rest: str, deck: Deck) -> None:
    key, _, text = rest.partition(" ")
    require(name(key) not in deck.models, f"a second model {key}")
    deck.models[key] = text
