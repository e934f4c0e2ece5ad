# pyright: strict
"""ngspice's dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .dialect import Dialect
from .printed import judge
from .rawfile import read_raw
from .words import format_wrapped

SOLVER_OPTIONS = "reltol=1e-6 vntol=1e-9 abstol=1e-15"
"""Newton must not stop across a kink of a PWL curve: at the default tolerances it does, to 4e-6 of
full scale; at these the worst is 3e-8, for no more iterations."""
TIGHT_OPTIONS = "reltol=1e-9 vntol=1e-12 abstol=1e-18"
"""Where currents of devices are asked for: they are those of the step before the last."""
TRANSISTOR_OPTION = "gmin=1e-18"
"""Where there are transistors: ngspice's own gmin across their junctions moves logits by 4e-6. An
op-amp of transistors, which errs by more, has no solution without it."""
OVER_TIME = ".option method=gear trtol=2 abstol="
"""The trapezoidal rule rings on nets that hold no charge, and its steps become femtoseconds. With
`reltol` above and this `trtol` waveforms are within 1e-4 of full scale."""
FUNCTIONS = ("min", "max", "sqrt", "exp", "ln", "log10", "tanh", "abs", "pwr")
"""Of an expression: each is called what it is called in cells."""


def _settings(settings: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in settings.items()]


def _resistor(name: str, a: str, b: str, ohms: str, model: str) -> str:
    if model and ohms.startswith("{"):
        return f"{name} {a} {b} {model} r={ohms}"
    return f"{name} {a} {b} {ohms}" + (f" {model}" if model else "")


def _wave(name: str, p: str, n: str, points: Sequence[tuple[str, str]]) -> str:
    return format_wrapped(f"{name} {p} {n} pwl(", [f"{t} {x}" for t, x in points], ")")


def _source(name: str, p: str, n: str, kind: str, words: Sequence[str]) -> list[str]:
    return [f"{name} {p} {n}", f"{kind}={words[0]}", *words[1:]]


def _subcircuit(name: str, pins: Sequence[str], params: Mapping[str, str]) -> tuple[list[str], str]:
    told = ["params:", *_settings(params)] if params else []
    return [".subckt", name, *pins, *told], f".ends {name}"


def _table(name: str, x: str, points: Sequence[tuple[str, str]]) -> list[str]:
    words = [f"{a}, {b}," for a, b in points]
    return [f"pwl({x},", *words[:-1], words[-1][:-1] + ")"]


def _analysis(kind: str, arguments: Sequence[str], vectors: Sequence[str]) -> list[str]:
    # i(@b.x1.b1[i]) is what it calls the current that it is asked for as @b.x1.b1[i]
    first, *more = [v[2:-1] if v.startswith("i(@") else v for v in vectors]
    return [format_wrapped(f".save {first}", more), " ".join([f".{kind}", *arguments]), ".end"]


def _ending(nets: Sequence[str]) -> list[str]:
    printed = [f"print v({net})" for net in nets]
    raw = ["if $?rawfile", "write", "end"]  # -r alone is of analyses outside .control
    closing = ["if $?batchmode", "quit", "end"]  # without it ngspice 39 exits with 1
    return [".control", "op", *printed, *raw, *closing, ".endc", ".end"]


NGSPICE = Dialect(
    name="ngspice",
    about="ngspice 39 and later",
    verbatim=True,
    resistor=_resistor,
    capacitor=lambda name, a, b, farads: f"{name} {a} {b} {farads}",
    fixed=lambda name, p, n, value: f"{name} {p} {n} dc {value}",
    wave=_wave,
    gain=lambda name, p, n, plus, minus, factor: f"{name} {p} {n} {plus} {minus} {factor}",
    source=_source,
    transistor=lambda name, c, b, e, model: f"{name} {c} {b} {e} {model}",
    instance=lambda name, nets, cell, settings: [name, *nets, cell, *_settings(settings)],
    subcircuit=_subcircuit,
    shared=lambda name, nets: f".global {' '.join(nets)}",
    table=_table,
    functions={name: name for name in FUNCTIONS},
    temperature="temper",
    branches=True,
    parameter=lambda text: f"{{{text}}}",
    model=lambda name, kind, params: f".model {name} {kind}({' '.join(_settings(params))})",
    include=lambda file: f".include {file}",
    solver=lambda exact: SOLVER_OPTIONS + (f" {TRANSISTOR_OPTION}" if exact else ""),
    # klu is ignored by an ngspice that does not have it
    options=lambda temp, nominal, solver: [
        f".option temp={temp} tnom={nominal}", f".option {solver}", ".option klu"
    ],
    direct=(".option klu",),
    # of op-amps behind transistors a run asked for less finds no step, however short
    over_time=lambda transistors: [OVER_TIME + ("1e-10" if transistors else "1e-12")],
    analysis=_analysis,
    ending=_ending,
    by_hand="ngspice -b network.cir",
    command=lambda program, deck, raw: [program, "-n", "-b", "-r", raw, deck],
    judge=judge,
    read=read_raw,
)  # fmt: skip
