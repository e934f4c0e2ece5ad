"""Reading a deck back: text to a flat netlist of arrays. Shares no code with the emitter.

Understands the subset of SPICE that a compiled deck uses, and refuses the rest by file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import NetlistError
from .expressions import number, value
from .netlist import (
    CELLS,
    GROUND,
    Capacitor,
    Cell,
    Controlled,
    Instance,
    Limiter,
    Netlist,
    Source,
    Table,
    Term,
)

TERM = re.compile(
    r"(?:(?P<weight>[^=]+?)\*)?pwl\(v\((?P<plus>\w+)(?:,(?P<minus>\w+))?\)"
    r"(?:/(?P<stretch>[^,]+))?,(?P<points>[-+.,0-9a-z]+)\)"
)
"""One table of a behavioural source: a weight, and a voltage that may be stretched."""
LIMITER = re.compile(r"v=min\(max\(v\((\w+)\),(\{-?\w+\})\),(\{\w+\})\)")
MAX_DEPTH = 8


@dataclass
class Line:
    """A logical line: continuation lines joined, comments gone."""

    text: str
    where: str


@dataclass
class Subcircuit:
    """A ``.subckt``: its ports, parameter defaults and lines."""

    name: str
    ports: list[str]
    params: dict[str, str]
    lines: list[Line] = field(default_factory=list)
    resistors: Resistors | None = None


@dataclass
class Resistors:
    """The resistors of a subcircuit with plain values: ends as places in ``nets``, ohms, models."""

    names: list[str]
    a: np.ndarray
    b: np.ndarray
    ohms: np.ndarray
    models: list[str]
    nets: list[str]


def read_deck(top: Path) -> Netlist:
    """The flat netlist of the deck whose top file is ``top``.

    Raises
    ------
    NetlistError
        If a file is missing, or a line is not of the subset of SPICE that ``compile`` writes.
    """
    subcircuits: dict[str, Subcircuit] = {}
    main = Subcircuit("", [], {})
    netlist = Netlist()
    _check_title(top)
    _collect(top, main, subcircuits, netlist, 0)
    netlist.definitions = {
        name: definition(sub) for name, sub in subcircuits.items() if name in CELLS
    }
    _expand(main, {}, "", {}, subcircuits, netlist, 0)
    netlist.close()
    return netlist


def read_cell(path: Path) -> list[str]:
    """The definition in a cell's library file, comparable with ``Netlist.definitions``."""
    subcircuits: dict[str, Subcircuit] = {}
    _collect(path, Subcircuit("", [], {}), subcircuits, Netlist(), 0)
    return definition(subcircuits[path.stem])


def definition(sub: Subcircuit) -> list[str]:
    """A subcircuit's ports, parameters and lines, blanks evened out."""
    head = [*sub.ports, *(f"{key}={value}" for key, value in sorted(sub.params.items()))]
    return [" ".join(head), *(" ".join(line.text.split()) for line in sub.lines)]


# ---- text to lines


def _logical_lines(path: Path) -> Iterator[Line]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NetlistError(f"cannot read {path}: {error}") from error
    pending: Line | None = None
    for at, raw in enumerate(text.split("\n"), 1):
        stripped = raw.strip()
        if not raw.isprintable() or stripped.startswith("*#"):
            raise NetlistError(f"{path.name}:{at}: a control character or a hidden command")
        if not stripped or stripped.startswith("*"):
            continue
        if stripped.startswith("+"):
            if pending is None:
                raise NetlistError(f"{path.name}:{at}: a continuation of nothing")
            pending.text += " " + stripped[1:].strip()
            continue
        if pending is not None:
            yield pending
        # File names keep their case: only what ngspice folds is folded.
        folded = stripped if stripped.lower().startswith(".include") else stripped.lower()
        pending = Line(folded, f"{path.name}:{at}")
    if pending is not None:
        yield pending


def _check_title(top: Path) -> None:
    """ngspice takes the first line for a title, whatever stands there."""
    try:
        with top.open(encoding="utf-8") as stream:
            first = stream.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise NetlistError(f"cannot read {top}: {error}") from error
    if not first.startswith("* "):
        raise NetlistError(f"{top.name}:1: the first line is the title and must be a comment (* )")


def _collect(
    path: Path,
    main: Subcircuit,
    subcircuits: dict[str, Subcircuit],
    netlist: Netlist,
    depth: int,
) -> None:
    """Sort the lines of a file and what it includes into subcircuits and the top level."""
    if depth > MAX_DEPTH:
        raise NetlistError(f"{path.name}: included too deeply, perhaps by itself")
    target, in_control = main, False
    ended = False
    for line in _logical_lines(path):
        word, _, rest = line.text.partition(" ")
        if ended:
            raise NetlistError(f"{line.where}: something follows .end")
        if in_control:
            in_control = word != ".endc"
            if in_control:
                netlist.controls.append(line.text)
        elif target is not main and word.startswith(".") and word != ".ends":
            raise NetlistError(f"{line.where}: {word} inside subcircuit {target.name}")
        elif word == ".control":
            in_control = True
        elif word == ".include":
            name = rest.strip().strip('"')
            if Path(name).name != name:
                raise NetlistError(f"{line.where}: {name!r} lies outside the deck's folder")
            netlist.includes.append(name)
            _collect(path.parent / name, main, subcircuits, netlist, depth + 1)
        elif word == ".subckt":
            target = _subcircuit(line, subcircuits)
        elif word == ".ends":
            target = main
        elif word == ".option":
            netlist.options |= {
                key: value for key, _, value in (entry.partition("=") for entry in rest.split())
            }
        elif word == ".model":
            name, _, text = rest.partition(" ")
            if name in netlist.models:
                raise NetlistError(f"{line.where}: a second model {name}")
            netlist.models[name] = text
        elif word == ".end" and not depth:
            ended = True
        elif word.startswith("."):
            raise NetlistError(f"{line.where}: {word} does not belong in a compiled deck")
        else:
            target.lines.append(line)


def _subcircuit(line: Line, subcircuits: dict[str, Subcircuit]) -> Subcircuit:
    words = line.text.split()[1:]
    ports = [w for w in words[1:] if "=" not in w and w != "params:"]
    params = dict(w.split("=", 1) for w in words[1:] if "=" in w)
    if not words or words[0] in subcircuits:
        raise NetlistError(f"{line.where}: a subcircuit without a name of its own")
    subcircuits[words[0]] = Subcircuit(words[0], ports, params)
    return subcircuits[words[0]]


# ---- lines to elements


def _expand(
    sub: Subcircuit,
    ports: dict[str, int],
    prefix: str,
    params: dict[str, float],
    subcircuits: dict[str, Subcircuit],
    netlist: Netlist,
    depth: int,
) -> None:
    """Add the elements of one instance of ``sub``, whose ports are the nets ``ports``."""
    if depth > MAX_DEPTH:
        raise NetlistError(f"{sub.name}: nested too deeply, perhaps in itself")

    def net(name: str) -> int:
        if name in ("0", "gnd"):  # ngspice takes both for ground, everywhere
            return GROUND
        return ports[name] if name in ports else netlist.net(prefix + name)

    if sub.resistors is None:
        sub.resistors = _resistors(sub)
    own = sub.resistors
    if own.names:
        numbers = np.array([net(name) for name in own.nets])
        said = [prefix + n for n in own.names]
        netlist.add_resistors(said, numbers[own.a], numbers[own.b], own.ohms, own.models)
    for line in sub.lines:
        words = line.text.split()
        kind = words[0][0]
        try:
            if kind == "r":
                ohms, model = _resistor_value(words)
                if "{" in ohms:
                    ends = [net(words[1])], [net(words[2])]
                    netlist.add_resistors(
                        [prefix + words[0]], *ends, [value(ohms, params)], [model]
                    )
            elif kind == "c":
                _require(len(words) == 4, "needs two nets and a value")
                ends = (net(words[1]), net(words[2]))
                farads = value(words[3], params)
                netlist.capacitors.append(Capacitor(prefix + words[0], ends, farads))
            elif kind == "x":
                _instance(line, words, net, prefix, params, subcircuits, netlist, depth)
            elif kind == "e":
                _require(len(words) == 6, "needs four nets and a gain")
                out, control = (net(words[1]), net(words[2])), (net(words[3]), net(words[4]))
                gain = value(words[5], params)
                netlist.controlled.append(Controlled(prefix + words[0], out, control, gain))
            elif kind in "vi":
                _require(len(words) == 5 and words[3] == "dc", "needs two nets, dc and a value")
                ends = net(words[1]), net(words[2])
                source = Source(prefix + words[0], ends, value(words[4], params))
                (netlist.volts if kind == "v" else netlist.amps).append(source)
            elif kind == "b":
                _behavioural(sub, words, net, prefix, params, netlist)
            else:
                raise ValueError(f"element {words[0]!r} does not belong in a compiled deck")
        except (IndexError, ValueError, KeyError, ZeroDivisionError) as error:
            raise NetlistError(f"{line.where}: cannot read {line.text[:60]!r}: {error}") from error


def _resistors(sub: Subcircuit) -> Resistors:
    """The plain resistors of a subcircuit, once for all its instances."""
    names: list[str] = []
    local: dict[str, int] = {}
    a, b, ohms, models = [], [], [], []
    for line in sub.lines:
        if line.text[0] != "r":
            continue
        words = line.text.split()
        try:
            text, model = _resistor_value(words)
            if "{" in text:
                continue
            ohms.append(number(text))
        except ValueError as error:
            raise NetlistError(f"{line.where}: {line.text[:60]!r} {error}") from error
        names.append(words[0])
        a.append(local.setdefault(words[1], len(local)))
        b.append(local.setdefault(words[2], len(local)))
        models.append(model)
    ends = np.array(a, np.int64), np.array(b, np.int64)
    return Resistors(names, *ends, np.array(ohms), models, list(local))


def _resistor_value(words: list[str]) -> tuple[str, str]:
    """Value and model of ``r a b value [model]`` or ``r a b model r=value``; no model is ``""``."""
    if len(words) == 5 and words[4].startswith("r="):
        return words[4][2:], words[3]
    if len(words) not in (4, 5) or "=" in words[-1]:
        raise ValueError("needs two nets and a value")
    return words[3], words[4] if len(words) == 5 else ""


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def _instance(line, words, net, prefix, params, subcircuits, netlist, depth) -> None:
    plain = [w for w in words[1:] if "=" not in w]
    given = dict(w.split("=", 1) for w in words[1:] if "=" in w)
    kind, nets = plain[-1], plain[:-1]
    if kind not in subcircuits:
        raise NetlistError(f"{line.where}: no subcircuit {kind!r}")
    sub = subcircuits[kind]
    unknown = set(given) - set(sub.params)
    if len(nets) != len(sub.ports) or unknown:
        raise NetlistError(
            f"{line.where}: {words[0]} has {len(nets)} nets and parameters {sorted(given)}; "
            f"{kind} has {len(sub.ports)} ports and {sorted(sub.params)}"
        )
    inner = {key: value(text, params) for key, text in {**sub.params, **given}.items()}
    numbers = {port: net(name) for port, name in zip(sub.ports, nets, strict=True)}
    if not prefix:
        netlist.instances.append(Instance(words[0], tuple(nets), kind, inner))
    if kind in CELLS:
        at = tuple(numbers[port] for port in sub.ports)
        if len(at) != CELLS[kind].count:
            raise NetlistError(f"{line.where}: {kind} has {len(at)} ports, not the library's")
        netlist.cells.append(Cell(prefix + words[0], kind, at, inner))
        return
    _expand(sub, numbers, f"{prefix}{words[0]}.", inner, subcircuits, netlist, depth + 1)


def _behavioural(sub, words, net, prefix, params, netlist) -> None:
    text = "".join(words[3:])
    nets = (net(words[1]), net(words[2]))
    kind, equals, formula = text.partition("=")
    if match := LIMITER.fullmatch(text):
        lo, hi = (value(match[k], params) for k in (2, 3))
        netlist.limiters.append(Limiter(prefix + words[0], nets, net(match[1]), lo, hi))
        return
    if kind not in ("i", "v") or not equals:
        raise ValueError("neither a table nor a limiter")
    terms, controls, at = [], set(), 0
    while at < len(formula):
        match = TERM.match(formula, at)
        if not match:
            raise ValueError("neither a table nor a limiter")
        terms.append(_term(match))
        controls.add((net(match["plus"]), net(match["minus"]) if match["minus"] else GROUND))
        at = match.end() + 1
        if formula[match.end() : at] not in ("", "+"):
            raise ValueError("tables are added, nothing else")
    if len(controls) != 1:
        raise ValueError("its tables see different voltages")
    table = Table(prefix + words[0], kind, sub.name, nets, controls.pop(), terms)
    netlist.tables.append(table)


def _term(match: re.Match[str]) -> Term:
    numbers = [number(part) for part in match["points"].split(",")]
    if len(numbers) % 2 or len(numbers) < 4:
        raise ValueError("pwl needs pairs of numbers, two at least")
    x, y = np.array(numbers[0::2]), np.array(numbers[1::2])
    return Term(match["weight"] or "1", match["stretch"] or "1", x, y)
