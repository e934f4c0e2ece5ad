"""Reading a deck back, second half: lines to a flat netlist of arrays. Shares no code with the
emitter.

Understands the subset of SPICE that a compiled deck uses, and refuses the rest by file and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..cells import SUPPLIES, OpAmpKind
from ..errors import NetlistError
from .expressions import number, value
from .lines import GROUNDS, Deck, Line, Subcircuit, definition, name, read_lines, require, settings
from .netlist import (
    CELL,
    GROUND,
    TILE,
    TOP,
    Capacitor,
    Cell,
    Controlled,
    Instance,
    Limiter,
    Netlist,
    Source,
    Table,
    Term,
    closed,
)
from .runs import Run, run_of

TERM = re.compile(
    r"(?:(?P<weight>[^=]+?)\*)?pwl\(v\((?P<plus>[a-z0-9_]+)(?:,(?P<minus>[a-z0-9_]+))?\)"
    r"(?:/(?P<stretch>[^,]+))?,(?P<points>[-+.,0-9a-z]+)\)"
)
"""One table of a behavioural source: a weight, and a voltage that may be stretched."""
LIMITER = re.compile(r"v=min\(max\(v\(([a-z0-9_]+)\),(\{-?[a-z0-9_]+\})\),(\{[a-z0-9_]+\})\)")
RESISTOR = re.compile(r"(r[a-z0-9_]*) ([a-z0-9_]+) ([a-z0-9_]+) ([^ =]+)(?: ([a-z][a-z0-9_]*))?")
"""Two nets, a value, perhaps a model: ngspice takes a second number for the resistance."""
FEEDBACK = re.compile(r"(r[a-z0-9_]*) ([a-z0-9_]+) ([a-z0-9_]+) ([a-z][a-z0-9_]*) r=([^ ]+)")
"""The same with the model first, as cells of the library have it."""
COPIED = "e1 drop 0 c a 1"
DROP = re.compile(r"r1 drop 0 1 ([a-z]+)")
DRIFT = re.compile(r"r\(tc1=(-?[0-9][-+.0-9e]*) tc2=0\.0\)")
"""How a diode's voltage is divided by what follows temperature."""
LEAST_OHMS = 1e-12
"""ngspice changes a smaller resistance to its own idea of one."""
MAX_DEPTH = 8


def read_deck(top: Path, shell: str | None = None, boxes: Collection[str] = ()) -> Netlist:
    """The flat netlist of the deck whose top file is ``top``, but for its files ``boxes``.

    Of the subcircuit ``shell``, in an instance called ``x_<shell>``, what it holds counts as the
    top level; cells in it may have pins for supplies.

    Raises
    ------
    NetlistError
        If a file is missing, or a line is not of the subset of SPICE that ``compile`` writes.
    """
    deck = read_lines(top, shell, boxes)
    for sub in deck.subcircuits.values():
        _read_stretch(sub, deck.models)
    netlist = Netlist()
    netlist.models, netlist.options = deck.models, deck.options
    netlist.controls, netlist.includes = deck.controls, deck.includes
    netlist.definitions = {
        sub.name: definition(sub) for sub in deck.subcircuits.values() if not sub.is_tile
    }
    netlist.supplies = {netlist.net(name): None for name in deck.reaching}
    reader = _Reader(deck, netlist, shell)
    reader.expand(deck.top, {}, "", {}, 0)
    netlist.close()
    _require_resistances(netlist)
    return netlist


def _require_resistances(netlist: Netlist) -> None:
    """Refuse what is no resistance, or is another one to ngspice."""
    wrong = ~((netlist.r_ohms >= LEAST_OHMS) & np.isfinite(netlist.r_ohms))
    for k in np.flatnonzero(wrong)[:1]:
        raise NetlistError(
            f"resistor {netlist.r_name[k]} has {netlist.r_ohms[k]:g} ohm: the least is "
            f"{LEAST_OHMS:g}, and what is negative or infinite is no resistor"
        )


# ---- lines to elements


class _Reader:
    """Flattens subcircuits into a netlist; what is in ``shell`` is of its top."""

    def __init__(self, deck: Deck, netlist: Netlist, shell: str | None) -> None:
        self.top = ("", f"x_{shell}.")
        self.handed = SUPPLIES if shell else ()
        self.subcircuits = deck.subcircuits
        self.reaching = frozenset(deck.reaching)
        self.netlist = netlist
        self._known: dict[str, tuple[list[Run], list[tuple[Line, list[str]]]]] = {}
        self._tables: dict[str, _Tables] = {}

    def expand(
        self,
        sub: Subcircuit,
        ports: dict[str, int],
        prefix: str,
        params: dict[str, float],
        depth: int,
    ) -> None:
        """Add the elements of one instance of ``sub``, whose ports are the nets ``ports``."""
        if depth > MAX_DEPTH:
            raise NetlistError(f"{sub.name}: nested too deeply, perhaps in itself")

        def net(text: str) -> int:
            if text in GROUNDS:
                return GROUND
            if text in self.reaching:  # whatever a port is called, as ngspice has it
                return self.netlist.net(text)
            return ports[text] if text in ports else self.netlist.net(prefix + name(text))

        if sub.name not in self._known:
            self._known[sub.name] = _resistors(sub)
        runs, rest = self._known[sub.name]
        place = TOP if prefix in self.top else CELL if rest else TILE
        for run in runs:
            self.netlist.add_resistors(prefix, run, [net(text) for text in run.nets], place)
        for line, words in rest:
            try:
                if line.text[0] == "x":
                    self._instance(words, net, prefix, params, depth)
                else:
                    self._element(sub, line, words, net, prefix, params)
            except (IndexError, ValueError, KeyError, ZeroDivisionError) as error:
                raise line.refuse(str(error)) from error

    def _element(
        self,
        sub: Subcircuit,
        line: Line,
        words: list[str],
        net: Callable[[str], int],
        prefix: str,
        params: dict[str, float],
    ) -> None:
        kind, full, netlist = line.text[0], prefix + name(words[0]), self.netlist
        if kind == "r":
            _, a, b, ohms, model = _resistor(line.text)
            netlist.add_resistor(full, net(a), net(b), value(ohms, params), model, CELL)
        elif kind == "c":
            require(len(words) == 4, "needs two nets and a value")
            ends = (net(words[1]), net(words[2]))
            netlist.capacitors.append(Capacitor(full, ends, value(words[3], params)))
        elif kind == "e":
            require(len(words) == 6, "needs four nets and a gain")
            out, control = (net(words[1]), net(words[2])), (net(words[3]), net(words[4]))
            netlist.controlled.append(Controlled(full, out, control, value(words[5], params)))
        elif kind in "vi":
            require(len(words) == 5 and words[3] == "dc", "needs two nets, dc and a value")
            ends = net(words[1]), net(words[2])
            source = Source(full, ends, value(words[4], params))
            if kind == "v" and words[1] in self.reaching and ends[1] == GROUND:
                require(netlist.supplies[ends[0]] is None, f"a second source at {words[1]}")
                netlist.supplies[ends[0]] = source.value
                return
            (netlist.volts if kind == "v" else netlist.amps).append(source)
        elif kind == "b":
            self._behavioural(sub, line, words, net, full, params)
        else:
            raise ValueError(f"element {words[0]!r} does not belong in a compiled deck")

    def _instance(
        self,
        words: list[str],
        net: Callable[[str], int],
        prefix: str,
        params: dict[str, float],
        depth: int,
    ) -> None:
        plain = next((k for k, word in enumerate(words) if "=" in word), len(words))
        given = settings(words[plain:])
        require(plain > 1, "an instance needs nets and a subcircuit")
        own, *nets, kind = (name(word) for word in words[:plain])
        require(kind in self.subcircuits, f"no subcircuit {kind!r}")
        sub = self.subcircuits[kind]
        require(
            len(nets) == len(sub.ports) and set(given) <= set(sub.params),
            f"{own} has {len(nets)} nets and parameters {sorted(given)}; "
            f"{kind} has {len(sub.ports)} ports and {sorted(sub.params)}",
        )
        inner = {key: value(text, params) for key, text in {**sub.params, **given}.items()}
        numbers = {port: net(text) for port, text in zip(sub.ports, nets, strict=True)}
        if prefix in self.top:
            self.netlist.instances.append(Instance(own, tuple(nets), kind, inner))
        if _is_own_diode(sub):
            a, c = (numbers[port] for port in sub.ports)
            self.netlist.tables.append(Table(prefix + own, "i", kind, (a, c), (a, c), []))
            return
        if pins := closed(kind):
            declared = {pin.name for pin in pins.pins}
            ports = [port for port in sub.ports if port in declared or port not in self.handed]
            at = tuple(numbers[port] for port in ports)
            require(len(at) == len(pins.pins), f"{kind} has {len(at)} ports, not the library's")
            if isinstance(pins, OpAmpKind):
                to = {pin.name: number for pin, number in zip(pins.pins, at, strict=True)}
                ends = (to["out"], GROUND), (to["inp"], to["inn"])
                told = inner.get("gain", np.nan), inner.get("gbw", np.nan)
                self.netlist.controlled.append(Controlled(prefix + own, *ends, *told, kind))
                return
            self.netlist.cells.append(Cell(prefix + own, kind, at, inner, pins))
            return
        self.expand(sub, numbers, f"{prefix}{own}.", inner, depth + 1)

    def _behavioural(
        self,
        sub: Subcircuit,
        line: Line,
        words: list[str],
        net: Callable[[str], int],
        full: str,
        params: dict[str, float],
    ) -> None:
        nets = (net(words[1]), net(words[2]))
        if line.text not in self._tables:
            text = _formula(words[3:])
            if match := LIMITER.fullmatch(text):
                lo, hi = (value(match[k], params) for k in (2, 3))
                self.netlist.limiters.append(Limiter(full, nets, net(match[1]), lo, hi))
                return
            self._tables[line.text] = _tables(text)
        kind, terms, seen = self._tables[line.text]
        controls = {(net(plus), net(minus) if minus else GROUND) for plus, minus in seen}
        require(len(controls) == 1, "its tables see different voltages")
        self.netlist.tables.append(Table(full, kind, sub.name, nets, controls.pop(), terms))


_Tables = tuple[str, list[Term], list[tuple[str, str | None]]]
"""Of a behavioural source: i or v, its terms, and the nets whose voltages these see."""


def _tables(text: str) -> _Tables:
    """What a sum of tables says, whichever instance it is in."""
    kind, equals, formula = text.partition("=")
    require(kind in ("i", "v") and bool(equals), "neither a table nor a limiter")
    terms, seen, at = [], [], 0
    while at < len(formula):
        match = TERM.match(formula, at)
        if not match:
            raise ValueError("neither a table nor a limiter")
        terms.append(_term(match))
        seen.append((match["plus"], match["minus"]))
        at = match.end() + 1
        require(formula[match.end() : at] in ("", "+"), "tables are added, nothing else")
    return kind, terms, seen


def _read_stretch(sub: Subcircuit, models: Mapping[str, str]) -> None:
    """Put into one source what a diode's first three elements are: a copy of its voltage drives a
    resistor of 1 ohm that drifts, and its table sees the current, which is volts over that drift.
    """
    if not sub.name.startswith("diode_") or sub.ports != ["a", "c"] or len(sub.lines) < 3:
        return
    copied, resistor, table, *more = sub.lines
    match = DROP.fullmatch(resistor.text)
    drift = match and DRIFT.fullmatch(models.get(match[1], ""))
    if copied.text == COPIED and drift and table.text.count("pwl(i(e1),") == 1:
        sign = "" if drift[1].startswith("-") else "+"
        told = table.text.replace("i(e1)", f"v(a,c)/(1{sign}{drift[1]}*(temper-26.85))")
        sub.lines = [replace(table, text=told), *more]


def _is_own_diode(sub: Subcircuit) -> bool:
    """Whether a diode is nothing but an instance, which is of a user's model."""
    return (
        sub.name.startswith("diode_")
        and len(sub.ports) == 2
        and [line.text[0] for line in sub.lines] == ["x"]
    )


def _formula(words: list[str]) -> str:
    """A source's words as one; a blank stands where ngspice cannot take two numbers for one."""
    for left, right in pairwise(words):
        apart = left[-1] in ",(" or (left[-1] == ")" and right[0] == "+")
        require(apart, f"a blank between {left[-12:]!r} and {right[:12]!r}")
    return "".join(words)


def _resistors(sub: Subcircuit) -> tuple[list[Run], list[tuple[Line, list[str]]]]:
    """The plain resistors of a subcircuit, once for all its instances, and its other lines with
    their words."""
    if not _distinct(sub):
        known: set[str] = set()
        for line in sub.each():
            first = line.text.split(" ", 1)[0]
            if first in known:
                raise line.refuse(f"a second {first}")
            known.add(first)
    names, a, b, ohms, models, rest = [], [], [], [], [], []
    for line in sub.lines:
        if line.text[0] != "r" or "{" in line.text:
            rest.append((line, line.text.split()))
            continue
        try:
            own, one, other, text, model = _resistor(line.text)
            ohms.append(number(text))
        except ValueError as error:
            raise line.refuse(str(error)) from error
        names.append(own)
        a.append(one)
        b.append(other)
        models.append(model)
    more = [run_of(names, a, b, np.array(ohms), models)] if names else []
    return sub.runs + more, rest


def _distinct(sub: Subcircuit) -> bool:
    """Whether every line has a name of its own."""
    if not sub.lines and len(sub.runs) == 1:
        return sub.runs[0].distinct
    firsts = [line.text.split(" ", 1)[0] for line in sub.lines]
    for run in sub.runs:
        firsts += run.names.split("\n")
    return len(set(firsts)) == len(firsts)


def _resistor(text: str) -> tuple[str, str, str, str, str]:
    """Name, two nets, value and model of ``r a b value [model]`` or ``r a b model r={value}``."""
    if match := RESISTOR.fullmatch(text):
        own, a, b, ohms, model = match.groups(default="")
        return own, a, b, ohms, model
    if match := FEEDBACK.fullmatch(text):
        own, a, b, model, ohms = match.groups()
        return own, a, b, ohms, model
    raise ValueError("a resistor needs two nets and a value, and may have a model")


def _term(match: re.Match[str]) -> Term:
    numbers = [number(part) for part in match["points"].split(",")]
    if len(numbers) % 2 or len(numbers) < 4:
        raise ValueError("pwl needs pairs of numbers, two at least")
    x, y = np.array(numbers[0::2]), np.array(numbers[1::2])
    return Term(match["weight"] or "1", match["stretch"] or "1", x, y)
