"""Whether the network as one subcircuit is the deck: every element, name by name and value by
value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from copy import copy
from dataclasses import fields, replace
from typing import Any

from ..cells import OpAmpKind, find
from .deck import Deck
from .extract import read_deck
from .hardware import Hardware
from .lines import deck_bytes
from .names import SYMBOL_FOLDER, SYMBOL_TOP, symbol_name, symbol_pins
from .netlist import GROUND, Instance, Netlist, Source, Term

NETS = ("out", "control", "nets")
"""Fields of elements that are numbers of nets."""


def symbol_differences(build: Deck, deck: Netlist) -> list[str]:
    """``symbol/top.cir``, read and flattened, against the deck's netlist; nothing of a BUILD
    without one.

    Raises
    ------
    NetlistError
        If a file of it is missing or cannot be read.
    """
    folder = build.folder / SYMBOL_FOLDER
    if "symbol" not in build.summary and not folder.exists():
        return []
    name, pins = symbol_name(build.design), symbol_pins(build.design)
    own = build.hardware.own_files
    have = read_deck(folder / SYMBOL_TOP, shell=name, boxes=own)
    said = []
    if have.includes != [*own, f"{name}.cir"]:
        said.append(f"it includes {', '.join(have.includes)}, not {', '.join([*own, name])}.cir")
    said += [
        f"{file} is not the deck's"
        for file in (*own, *build.hardware.loaded)
        if deck_bytes(folder / file) != deck_bytes(build.folder / file)
    ]
    if have.definitions.pop(name, [""])[0] != " ".join(pins):
        said.append(f"the pins of {name} are not {_span(pins)} in order")
    whole = Instance(f"x_{name}", tuple(pins.values()), name, {})
    if whole not in have.instances:
        said.append(f"{whole.name} does not join each pin to the deck's net")
    nets = [net.removeprefix(f"{whole.name}.") for net in have.nets]
    twice = [net for net, n in Counter(nets).items() if n > 1]
    said += [f"net {net} inside {name} is not the one around it" for net in twice]
    have.instances = [
        replace(x, nets=tuple(pins.get(net, net) for net in x.nets))
        for x in have.instances
        if x != whole
    ]
    prefix = f"{whole.name}."
    supplied = _supplied(deck, build.hardware)
    told, wanted = Counter(_elements(have, nets, prefix)), Counter(_elements(supplied, deck.nets))
    said += [f"{what} is not as in the deck" for what, _ in (wanted - told)]
    said += [f"{what} is not in the deck" for what, _ in (told - wanted)]
    return [f"{SYMBOL_FOLDER}: {text}" for text in dict.fromkeys(said)]


def _supplied(deck: Netlist, hardware: Hardware) -> Netlist:
    """``deck`` without nets that reach into every cell: what has an op-amp in it has pins for them,
    after its others and of their names, at which their nets are."""
    fed, supplies = set[str](), hardware.supplies
    more = {*hardware.opamps} if supplies else fed
    while more - fed:
        fed |= more
        more = {
            kind
            for kind, (_, *lines) in deck.definitions.items()
            if not isinstance(find(kind), OpAmpKind) and any(_kind(line) in fed for line in lines)
        }
    made = copy(deck)
    made.supplies = {}
    rails = [
        Source(f"v_{deck.nets[at]}", (at, GROUND), volts)
        for at, volts in deck.supplies.items()
        if volts is not None
    ]
    made.volts = [*deck.volts, *rails]
    made.instances = [
        replace(x, nets=x.nets + supplies) if x.kind in fed else x for x in deck.instances
    ]
    made.definitions = {
        kind: [
            _with(head, supplies, 0) if kind in fed else head,
            *(_with(line, supplies, 1) if _kind(line) in fed else line for line in lines),
        ]
        for kind, (head, *lines) in deck.definitions.items()
    }
    return made


def _kind(line: str) -> str:
    """What a line is an instance of; empty for another element."""
    words = [word for word in line.split() if "=" not in word]
    return words[-1] if words and words[0][0] == "x" else ""


def _with(line: str, supplies: tuple[str, ...], last: int) -> str:
    """``line`` with ``supplies`` before its settings, and before so many words."""
    found = re.fullmatch(rf"(.*?)((?: \S+){{{last}}}(?: \S+=\S+)*)", line)
    return " ".join([found[1], *supplies]) + found[2] if found else line


def _span(pins: dict[str, str]) -> str:
    first, *_, last = pins
    return f"{first} to {last}"


def _elements(netlist: Netlist, nets: list[str], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each element, model, option, line and definition: what it is called, and all it says."""
    lists: tuple[list[Any], ...] = (
        *(netlist.controlled, netlist.volts, netlist.amps, netlist.tables, netlist.limiters),
        *(netlist.capacitors, netlist.cells, netlist.instances),
    )
    for element in (one for listed in lists for one in listed):
        told = [_told(one.name, getattr(element, one.name), nets) for one in fields(element)]
        yield element.name.removeprefix(prefix), repr(told[1:])
    columns = (netlist.r_model, netlist.r_a, netlist.r_b, netlist.r_ohms, netlist.r_place)
    rows = zip(netlist.r_name, *(x.tolist() for x in columns), strict=True)
    for name, model, a, b, ohms, place in rows:
        told = nets[a], nets[b], ohms, netlist.r_models[model], place
        yield name.removeprefix(prefix), repr(told)
    for what, listed in (
        ("supply", {nets[at]: volts for at, volts in netlist.supplies.items()}),
        ("model", netlist.models),
        ("option", netlist.options),
        ("subcircuit", netlist.definitions),
    ):
        yield from ((f"{what} {key}", repr(value)) for key, value in listed.items())
    yield "control section", repr(netlist.controls)


def _told(field: str, value: Any, nets: list[str]) -> Any:
    """A field of an element, nets by their names."""
    if field in NETS and isinstance(value, int):
        return nets[value]
    if field in NETS:  # those of instances have their names
        return [nets[at] if isinstance(at, int) else at for at in value]
    if field == "terms":
        return [_term(term) for term in value]
    return value


def _term(term: Term) -> tuple[Any, ...]:
    return term.weight, term.stretch, term.x.tolist(), term.y.tolist()
