# pyright: strict
"""VACASK's dialect: its own language at the top, SPICE as it reads it in what that includes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from .dialect import Dialect, Vectors
from .ngspice import NGSPICE
from .printed import judge
from .rawfile import read_raw
from .words import format_number

RESULT = "result"
"""What the analysis is called, after which VACASK names its result file."""
FUNCTIONS = ("min", "max", "sqrt", "exp", "ln", "log10", "tanh", "abs")
"""Of an expression: each is called what it is called in cells."""
SOURCES = ("vcvs", "vsource", "isource")
"""Devices of the top, each of which needs a model before it is one."""
IN_LINE = 8
"""Values in a line of a vector."""


def _settings(settings: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in settings.items()]


def _resistor(name: str, a: str, b: str, ohms: str, model: str) -> str:
    return f"{name} {a} {b} {model} r={ohms}" if model else f"{name} {a} {b} {ohms}"


def _source(name: str, p: str, n: str, kind: str, words: Sequence[str]) -> list[str]:
    """An expression in parentheses: some that begin with them are not read whole without."""
    *before, last = [f"({words[0]}", *words[1:]]
    return NGSPICE.source(name, p, n, kind, [*before, f"{last})"])


def _subcircuit(name: str, pins: Sequence[str], params: Mapping[str, str]) -> tuple[list[str], str]:
    return [".subckt", name, *pins, *_settings(params)], f".ends {name}"


def _table(name: str, x: str, points: Sequence[tuple[str, str]]) -> list[str]:
    """A sum of ramps, each from a point where the slope changes: it has no tables.

    The ends are flat. Sums of slopes cost the last digit or two of a value.
    """
    at = [(float(a), float(b)) for a, b in points]
    slopes = [0.0, *((d - b) / (c - a) for (a, b), (c, d) in pairwise(at)), 0.0]
    words = [f"({points[0][1]}"]
    for (here, _), (before, after) in zip(at, pairwise(slopes), strict=True):
        if before != after:
            change = after - before
            sign = "-" if change < 0 else "+"
            words.append(f"{sign}{format_number(abs(change))}*max(0,{x}-({format_number(here)}))")
    words[-1] += ")"
    return words


def _swept(name: str, p: str, n: str, kind: str, values: Sequence[str]) -> str:
    """The values as a vector, of which the sweep's variable takes one."""
    rows = [", ".join(values[k : k + IN_LINE]) for k in range(0, len(values), IN_LINE)]
    device = {"v": "vsource", "i": "isource"}[kind]
    return f"{name} ({p} {n}) {device} dc=[\n" + ",\n".join(rows) + "][index]"


def _options(temp: str, nominal: str, solver: str) -> list[str]:
    return [
        *(f"model {device} {device}" for device in SOURCES),
        "control",
        "abort always",
        "var index=0",
        f"options temp={temp} tnom={nominal} {solver}",
    ]


def _analysis(kind: str, arguments: Sequence[str], vectors: Sequence[str]) -> list[str]:
    if kind != "dc":
        TOP.refuse("analysis", kind)
    _, start, stop, step = arguments
    saved = " ".join(vector for vector in vectors if vector != "v(index)")
    values = f"range({start}, {int(stop) + int(step)}, {step})"
    sweep = f'sweep index variable="index" values={values}'
    return [f"save {saved}", sweep, f"analysis {RESULT} op", "endc"]


def _ending(nets: Sequence[str]) -> list[str]:
    saved = " ".join(f"v({net})" for net in nets)
    return [f"save {saved}", f"analysis {RESULT} op", "endc"]


def _command(program: str, deck: str, raw: str) -> list[str]:
    return [program, "--quiet-progress", deck]


def _read(path: Path, *, points: int | None) -> Vectors:
    """Its vectors, called as ngspice calls them."""
    found = read_raw(path, points=points, by="vacask")
    return {_vector(name): values for name, values in found.items()}


def _vector(name: str) -> str:
    device, flow, _ = name.partition(":flow(br)")
    return f"i({device})" if flow else f"v({name})"


TOP = Dialect(
    name="vacask",
    about="VACASK's own language",
    cannot=("wave", "shared", "resistor", "capacitor", "transistor", "instance", "subcircuit",
            "source", "table", "model", "temperature", "functions"),
    fixed=lambda name, p, n, value: (
        f"{name} ({p} {n}) {'vsource' if name.startswith('v') else 'isource'} dc={value}"
    ),
    gain=lambda name, p, n, plus, minus, factor: (
        f"{name} ({p} {n} {plus} {minus}) vcvs gain={factor}"
    ),
    swept=_swept,
    parameter=lambda text: f"({text})",
    include=lambda file: f'include "{file}" lang=ngspice',
    solver=NGSPICE.solver,
    options=_options,
    analysis=_analysis,
    ending=_ending,
    comment="//",
)  # fmt: skip
VACASK = replace(
    TOP,
    about="VACASK 0.3.4, which takes SPICE in files that its own language includes",
    cannot=("wave", "shared"),
    resistor=_resistor,
    capacitor=NGSPICE.capacitor,
    fixed=NGSPICE.fixed,
    gain=NGSPICE.gain,
    source=_source,
    transistor=NGSPICE.transistor,
    instance=NGSPICE.instance,
    subcircuit=_subcircuit,
    table=_table,
    in_line=2,
    functions={name: name for name in FUNCTIONS},
    temperature="temper",
    model=NGSPICE.model,
    by_hand="vacask network.cir",
    gives=f"writes the logits of image 0 into {RESULT}.raw",
    top=TOP,
    comment="*",
    command=_command,
    judge=partial(judge, by="vacask"),
    read=_read,
    result=f"{RESULT}.raw",
)
