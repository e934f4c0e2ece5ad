# pyright: strict
"""Xyce's dialect: written by its reference guide, and not run here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .dialect import Dialect, missing
from .ngspice import NGSPICE
from .words import format_wrapped

FUNCTIONS = ("min", "max", "sqrt", "exp", "ln", "log10", "tanh", "abs", "pwr")
"""Of an expression: each is called what it is called in cells."""
CALLED = {"reltol": "reltol", "vntol": "abstol"}
"""Of ngspice's tolerances those that are one of its Newton iteration's, of unknowns."""
INSIDE = str.maketrans("{}", "()")


def _settings(settings: Mapping[str, str]) -> list[str]:
    return ["params:", *(f"{name}={value}" for name, value in settings.items())] if settings else []


def _resistor(name: str, a: str, b: str, ohms: str, model: str) -> str:
    return " ".join(filter(None, [name, a, b, model, ohms]))


def _source(name: str, p: str, n: str, kind: str, words: Sequence[str]) -> list[str]:
    """An expression in braces, which cannot stand in each other."""
    *before, last = [word.translate(INSIDE) for word in words]
    first, *more = [*before, f"{last}}}"]
    return [f"{name} {p} {n}", f"{kind}={{{first}", *more]


def _instance(name: str, nets: Sequence[str], cell: str, settings: Mapping[str, str]) -> list[str]:
    return [name, *nets, cell, *_settings(settings)]


def _subcircuit(name: str, pins: Sequence[str], params: Mapping[str, str]) -> tuple[list[str], str]:
    return [".subckt", name, *pins, *_settings(params)], f".ends {name}"


def _table(name: str, x: str, points: Sequence[tuple[str, str]]) -> list[str]:
    words = [f"{a}, {b}," for a, b in points]
    return [f"table({x},", *words[:-1], words[-1][:-1] + ")"]


def _options(temp: str, nominal: str, solver: str) -> list[str]:
    told = dict(word.split("=") for word in solver.split())
    newton = [f"{CALLED[name]}={value}" for name, value in told.items() if name in CALLED]
    gmin = [f"gmin={told['gmin']}"] if "gmin" in told else []
    return [
        " ".join([f".options device temp={temp} tnom={nominal}", *gmin]),
        f".options nonlin {' '.join(newton)}",
    ]


def _analysis(kind: str, arguments: Sequence[str], vectors: Sequence[str]) -> list[str]:
    printed = format_wrapped(f".print {kind}", vectors)
    return [printed, " ".join([f".{kind}", *arguments]), ".end"]


def _ending(nets: Sequence[str]) -> list[str]:
    """A sweep of one point, since ``.op`` prints nothing."""
    once = ["v_once once 0 dc 0", "r_once once 0 1"]
    return once + _analysis("dc", ["v_once", "0", "0", "1"], [f"v({net})" for net in nets])


XYCE = replace(
    NGSPICE,
    name="xyce",
    about="Xyce 7",
    verbatim=False,
    cannot=("shared",),
    resistor=_resistor,
    source=_source,
    instance=_instance,
    subcircuit=_subcircuit,
    table=_table,
    functions={name: name for name in FUNCTIONS},
    temperature="temp",
    branches=False,
    options=_options,
    direct=(),
    over_time=Dialect.over_time,
    analysis=_analysis,
    ending=_ending,
    by_hand="",
    command=missing,
    judge=missing,
    read=missing,
)
