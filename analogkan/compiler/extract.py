"""Reading a deck back: text to a flat netlist of arrays. Shares no code with the emitter.

Understands the subset of SPICE that a compiled deck uses, and refuses the rest by file and line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import NetlistError
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
)

SUFFIXES = {"t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "m": 1e-3}
SUFFIXES |= {"u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)(meg|[tgkmunpf])?")
PWL = re.compile(r"([iv])=pwl\(v\((\w+)(?:,(\w+))?\),(.*)\)")
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
    resistors: tuple[list[str], np.ndarray, np.ndarray, np.ndarray, list[str]] | None = None


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
    for number, raw in enumerate(text.split("\n"), 1):
        stripped = raw.strip()
        if not raw.isprintable() or stripped.startswith("*#"):
            raise NetlistError(f"{path.name}:{number}: a control character or a hidden command")
        if not stripped or stripped.startswith("*"):
            continue
        if stripped.startswith("+"):
            if pending is None:
                raise NetlistError(f"{path.name}:{number}: a continuation of nothing")
            pending.text += " " + stripped[1:].strip()
            continue
        if pending is not None:
            yield pending
        # File names keep their case: only what ngspice folds is folded.
        folded = stripped if stripped.lower().startswith(".include") else stripped.lower()
        pending = Line(folded, f"{path.name}:{number}")
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
    names, a, b, ohms, local = sub.resistors
    if names:
        numbers = np.array([net(name) for name in local])
        netlist.add_resistors([prefix + n for n in names], numbers[a], numbers[b], ohms)
    for line in sub.lines:
        words = line.text.split()
        kind = words[0][0]
        try:
            if kind == "r":
                if "{" in words[3]:
                    netlist.add_resistors(
                        [prefix + words[0]],
                        [net(words[1])],
                        [net(words[2])],
                        [_value(words[3], params)],
                    )
            elif kind == "c":
                _require(len(words) == 4, "needs two nets and a value")
                ends = (net(words[1]), net(words[2]))
                farads = _value(words[3], params)
                netlist.capacitors.append(Capacitor(prefix + words[0], ends, farads))
            elif kind == "x":
                _instance(line, words, net, prefix, params, subcircuits, netlist, depth)
            elif kind == "e":
                _require(len(words) == 6, "needs four nets and a gain")
                out, control = (net(words[1]), net(words[2])), (net(words[3]), net(words[4]))
                gain = _value(words[5], params)
                netlist.controlled.append(Controlled(prefix + words[0], out, control, gain))
            elif kind in "vi":
                _require(len(words) == 5 and words[3] == "dc", "needs two nets, dc and a value")
                value = _value(words[4], params)
                source = Source(prefix + words[0], (net(words[1]), net(words[2])), value)
                (netlist.volts if kind == "v" else netlist.amps).append(source)
            elif kind == "b":
                _behavioural(sub, words, net, prefix, params, netlist)
            else:
                raise ValueError(f"element {words[0]!r} does not belong in a compiled deck")
        except (IndexError, ValueError, KeyError, ZeroDivisionError) as error:
            raise NetlistError(f"{line.where}: cannot read {line.text[:60]!r}: {error}") from error


def _resistors(sub: Subcircuit):
    """The plain resistors of a subcircuit, once for all its instances."""
    names: list[str] = []
    local: dict[str, int] = {}
    a, b, ohms = [], [], []
    for line in sub.lines:
        if line.text[0] != "r":
            continue
        words = line.text.split()
        if len(words) != 4:
            raise NetlistError(f"{line.where}: {line.text[:60]!r} needs two nets and a value")
        if "{" in words[3]:
            continue
        names.append(words[0])
        a.append(local.setdefault(words[1], len(local)))
        b.append(local.setdefault(words[2], len(local)))
        try:
            ohms.append(_number(words[3]))
        except ValueError as error:
            raise NetlistError(f"{line.where}: {error}") from error
    return names, np.array(a, np.int64), np.array(b, np.int64), np.array(ohms), list(local)


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
    inner = {key: _value(text, params) for key, text in {**sub.params, **given}.items()}
    numbers = {port: net(name) for port, name in zip(sub.ports, nets, strict=True)}
    if not prefix:
        netlist.instances.append(Instance(words[0], tuple(nets), kind))
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
    if match := PWL.fullmatch(text):
        numbers = [_number(part) for part in match[4].split(",")]
        if len(numbers) % 2 or len(numbers) < 4:
            raise ValueError("pwl needs pairs of numbers, two at least")
        control = (net(match[2]), net(match[3]) if match[3] else GROUND)
        x, y = np.array(numbers[0::2]), np.array(numbers[1::2])
        name = prefix + words[0]
        netlist.tables.append(Table(name, match[1], sub.name, nets, control, x, y))
    elif match := LIMITER.fullmatch(text):
        lo, hi = (_value(match[k], params) for k in (2, 3))
        netlist.limiters.append(Limiter(prefix + words[0], nets, net(match[1]), lo, hi))
    else:
        raise ValueError("neither a table nor a limiter")


def _number(text: str) -> float:
    match = NUMBER.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no number")
    return float(match[1]) * SUFFIXES.get(match[2], 1.0)


def _value(text: str, params: dict[str, float]) -> float:
    """A number, or an arithmetic expression of parameters in braces."""
    if not text.startswith("{"):
        return _number(text)
    if not text.endswith("}"):
        raise ValueError(f"{text!r} is no expression in braces")
    try:
        return _evaluate(ast.parse(text[1:-1], mode="eval").body, params)
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no expression") from error


def _evaluate(node: ast.expr, params: dict[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.Name):
        return params[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand, params)
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, params), _evaluate(node.right, params)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
    raise ValueError(f"expression {ast.unparse(node)!r}")
