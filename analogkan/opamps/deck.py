# pyright: strict
"""The decks by which ngspice characterises an op-amp: direct current, frequency, time, noise,
mismatch.

Every bench has its own op-amp and supplies, so that one deck holds the benches of all loads.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..dialects.words import format_number as say
from ..errors import SettingsError
from .libraries import Include
from .source import SAFE, OpAmpFile

VNTOL = "1e-8"
RESOLVED = float(VNTOL)
"""Volts that ngspice leaves open, its tolerance: offsets are right to it."""
OPTIONS = f".option reltol=1e-5 vntol={VNTOL} abstol=1e-13"
OVER_TIME = ".option reltol=1e-4 method=gear"
BLOCK = ("1e12", "1e9")
"""Henries and farads that close a loop for direct current alone: at 10 mHz they are 6e10 and 2e-8
ohms."""
STEPS = 800
"""Of a direct sweep."""
BEYOND = 1.1
"""Inputs are swept to so many times the supplies."""
DECADES = (-7.0, 0.0)
"""Of the conductance to a supply, siemens, by which output currents are drawn."""
START, STOP, PER_DECADE = 1e-2, 1e11, 20
"""Hertz of the sweep in frequency."""
NOISE_START = 1.0
SMALL = 10e-3
"""Volts of the small step."""
FEWEST_STEPS = 250
"""Time steps in a run, at least."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What an output drives to ground: ``ohms`` and ``farads``."""

    ohms: float
    farads: float

    @property
    def said(self) -> str:
        """In words."""
        from ..text import engineering

        return f"{engineering(self.ohms, 'ohm')}, {engineering(self.farads, 'F')}"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Where an op-amp is measured.

    Attributes
    ----------
    opamp
        Its file.
    includes
        Its models.
    vdd, vss
        Volts of its supplies.
    loads
        What it drives; the first is the one of the preset.
    temp_c
        Degrees Celsius.
    corner
        Section of its models that stands in the place of the one given; empty: that one.
    """

    opamp: OpAmpFile
    includes: tuple[Include, ...]
    vdd: float
    vss: float
    loads: tuple[Load, ...]
    temp_c: float
    corner: str = ""

    @property
    def reach(self) -> float:
        """Volts up to which inputs are swept, either way."""
        return BEYOND * max(self.vdd, -self.vss)

    @property
    def said(self) -> str:
        """In words."""
        return f"{self.corner + ', ' if self.corner else ''}{self.temp_c:g} degC"

    def at(self, temp_c: float, corner: str) -> Setup:
        """The same at another temperature and corner."""
        return replace(self, temp_c=temp_c, corner=corner)


PARAMETER = re.compile(r"([A-Za-z_]\w*)=([-+.\w]+)")
"""``NAME=VALUE`` of a mismatch switch."""


def _head(setup: Setup, title: str, options: str = OPTIONS) -> list[str]:
    lines = [f"* {title}"]
    for one in setup.includes:
        section = setup.corner if one.corner and setup.corner else one.section
        lines.append(include_line(str(one.path), section))
    return [
        *lines,
        include_line(str(setup.opamp.path), ""),
        f".option temp={say(setup.temp_c)}",
        options,
    ]


def include_line(path: str, section: str) -> str:
    """The line of a deck that includes a file, or a section of it.

    Raises
    ------
    SettingsError
        If either cannot stand in a deck.
    """
    if not SAFE.fullmatch(path) or not re.fullmatch(r"\w*", section):
        raise SettingsError(f"include {path}:{section} cannot stand in a deck: rename it")
    return f'.lib "{path}" {section}' if section else f'.include "{path}"'


def _opamp(setup: Setup, k: str, inp: str, inn: str, out: str) -> list[str]:
    """The op-amp of bench ``k``, and its supplies."""
    nets = {"inp": inp, "inn": inn, "out": out, "vdd": f"vdd_{k}", "vss": f"vss_{k}"}
    return [
        f"v_dd_{k} vdd_{k} 0 dc {say(setup.vdd)}",
        f"v_ss_{k} vss_{k} 0 dc {say(setup.vss)}",
        f"x_{k} {' '.join(nets[pin] for pin in setup.opamp.pins)} {setup.opamp.name}",
    ]


def _load(k: str, out: str, load: Load) -> list[str]:
    return [f"r_load_{k} {out} 0 {say(load.ohms)}", f"c_load_{k} {out} 0 {say(load.farads)}"]


def _deck(lines: Sequence[str], saved: Sequence[str], run: str) -> str:
    return "\n".join([*lines, *(f".save {one}" for one in saved), run, ".end\n"])


def write_direct(setup: Setup) -> str:
    """Input and output over all inputs, by load; a follower; output currents, sink and source.

    ``x`` is swept from -1 to 1. With a load: the gain is -1, the inputs stay at ground and nothing
    but the load is driven. ``follow``: the input is x times the reach. ``sink``, ``source``: a
    follower of 0 V whose output a growing conductance pulls to a supply.
    """
    lines = [*_head(setup, "direct current"), "v_x x 0 dc 0"]
    saved: list[str] = []
    for k, load in enumerate(setup.loads):
        lines += [
            *_opamp(setup, f"l{k}", "0", f"inn_{k}", f"out_{k}"),
            *_load(f"l{k}", f"out_{k}", load),
            f"b_feedback_{k} inn_{k} 0 v=(v(out_{k})+{say(setup.reach)}*v(x))/2",
        ]
        saved += [f"v(inn_{k})", f"v(out_{k})"]
    lines += [
        f"e_follow inp_follow 0 x 0 {say(setup.reach)}",
        *_opamp(setup, "follow", "inp_follow", "follow", "follow"),
    ]
    saved += ["v(inp_follow)", "v(follow)", "i(v_dd_follow)", "i(v_ss_follow)"]
    middle, half = sum(DECADES) / 2, (DECADES[1] - DECADES[0]) / 2
    grown = f"exp({say(2.302585092994046)}*({say(middle)}+{say(half)}*v(x)))"
    for k, supply in (("sink", setup.vdd), ("source", setup.vss)):
        lines += [
            *_opamp(setup, k, "0", k, k),
            f"v_{k} pull_{k} 0 dc {say(supply)}",
            f"b_{k} pull_{k} {k} i=v(pull_{k},{k})*{grown}",
        ]
        saved += [f"v({k})", f"i(v_{k})"]
    return _deck(lines, saved, f".dc v_x -1 1 {say(2 / STEPS)}")


def write_frequency(setup: Setup) -> str:
    """The open loop by load, closed for direct current alone; its input current; the output driven
    by 1 A without a load."""
    lines, saved = _head(setup, "open loop"), list[str]()
    for k, load in enumerate(setup.loads):
        lines += [
            f"v_in_{k} inp_{k} 0 dc 0 ac 1",
            *_opamp(setup, f"l{k}", f"inp_{k}", f"inn_{k}", f"out_{k}"),
            *_blocked(f"{k}", f"out_{k}", f"inn_{k}"),
            *_load(f"l{k}", f"out_{k}", load),
        ]
        saved += [f"v(out_{k})"]
    lines += [
        *_opamp(setup, "bare", "0", "inn_bare", "bare"),
        *_blocked("bare", "bare", "inn_bare"),
        "i_bare 0 bare dc 0 ac 1",
    ]
    saved += ["i(v_in_0)", "v(bare)"]
    return _deck(lines, saved, f".ac dec {PER_DECADE} {say(START)} {say(STOP)}")


def _blocked(k: str, out: str, inn: str) -> list[str]:
    henries, farads = BLOCK
    return [f"l_loop_{k} {out} {inn} {henries}", f"c_loop_{k} {inn} 0 {farads}"]


def write_noise(setup: Setup, stop: float) -> str:
    """Noise of the open loop at the first load, up to ``stop`` hertz."""
    lines = [
        *_head(setup, "noise"),
        "v_in inp 0 dc 0 ac 1",
        *_opamp(setup, "l0", "inp", "inn", "out"),
        *_blocked("0", "out", "inn"),
        *_load("l0", "out", setup.loads[0]),
    ]
    run = f".noise v(out) v_in dec {PER_DECADE} {say(NOISE_START)} {say(stop)}"
    return _deck(lines, ["inoise_spectrum", "inoise_total"], run)


def write_steps(setup: Setup, spans: Sequence[tuple[float, float]], seconds: float) -> str:
    """Followers by load: ``large`` steps over ``spans`` (volts, low and high), ``small`` ones, up
    after 2 % and down after 51 % of ``seconds``."""
    lines, saved = _head(setup, "steps", f"{OPTIONS}\n{OVER_TIME}"), list[str]()
    up, down, rise = 0.02 * seconds, 0.51 * seconds, 1e-5 * seconds
    for k, (load, span) in enumerate(zip(setup.loads, spans, strict=True)):
        for size, (low, high) in (("large", span), ("small", (-SMALL / 2, SMALL / 2))):
            name = f"{size}_{k}"
            wave = [(0, low), (up, low), (up + rise, high), (down, high), (down + rise, low)]
            points = " ".join(f"{say(t)} {say(v)}" for t, v in wave)
            lines += [
                f"v_{name} inp_{name} 0 pwl({points})",
                *_opamp(setup, name, f"inp_{name}", name, name),
                *_load(name, name, load),
            ]
            saved.append(f"v({name})")
    step = say(seconds / FEWEST_STEPS)
    return _deck(lines, saved, f".tran {step} {say(seconds)} 0 {step}")


def write_draws(setup: Setup, switches: Sequence[str], n: int, seed: int) -> str:
    """Followers of ``n`` op-amps with the mismatch that ``switches`` (``NAME=VALUE``) turn on."""
    lines = [*_head(setup, "mismatch"), f".option seed={seed}"]
    for switch in switches:
        if not PARAMETER.fullmatch(switch):
            raise SettingsError(
                f"mismatch {switch!r} is not NAME=VALUE, such as sw_stat_mismatch=1: it is a "
                ".param of the library's"
            )
        lines.append(f".param {switch}")
    for k in range(n):
        lines += _opamp(setup, f"{k}", "0", f"out_{k}", f"out_{k}")
    return _deck(lines, [f"v(out_{k})" for k in range(n)], ".op")
