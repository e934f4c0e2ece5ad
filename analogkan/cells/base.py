"""What a cell is, declared once: its pins, its parameters, what it does. Emission, reading back,
the order of blocks, counts, verification and the twin read the declaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import resources
from ..errors import CompileError

INPUT, OUTPUT = "input", "output"
"""Roles of a pin: what only reads a net, and what drives it."""
EXACT = 1e-12
"""Relative: what writing and reading a number may cost."""
HEAD = re.compile(r"^\.subckt (\S+) (.*?)(?: params: (.*))?$", re.MULTILINE)
NAME = "[a-z0-9_]+"
OPAMP = "opamp"
"""The subcircuit of a deck that is its op-amp, and the place that a user's stands in."""
OPAMPS = {
    "row amplifier": "opamp_rows",
    "line amplifier": "opamp_lines",
    "difference": "opamp_outputs",
    "summing amplifier": "opamp_outputs",
}
"""By block, those of amplifiers that have a user's op-amp of their own."""
INSIDE = (".model", ".param", ".subckt", ".ends")
"""Lines with a dot that stay inside a subcircuit; ngspice takes others for the whole deck."""


@dataclass(frozen=True)
class Pin:
    """A pin of a cell: its name, its role, and the pin to which a resistor joins it, if one does.

    An output without such a resistor holds its net against ground.
    """

    name: str
    role: str
    joined: str = ""


@dataclass(frozen=True)
class Param:
    """A parameter of a cell: name, unit, and the nominal value as the cell's file has it."""

    name: str
    unit: str
    nominal: str


@dataclass(frozen=True, kw_only=True)
class CellKind:
    """A kind of cell, a ``.subckt`` whose inside is compared with its file as text.

    Attributes
    ----------
    name
        Of the subcircuit.
    lib
        The file that holds it; None for ``netlists/cells/NAME.lib``.
    pins, params
        As the file has them, in its order.
    block
        What it is in the order of blocks, see ``compiler.graph``.
    models
        Names of the ``.model`` lines it needs.
    """

    name: str
    lib: Path | None = None
    pins: tuple[Pin, ...]
    params: tuple[Param, ...] = ()
    block: str
    models: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Its file."""
        return self.lib or resources.path("netlists/cells") / f"{self.name}.lib"

    @property
    def text(self) -> str:
        """Of its file."""
        return self.path.read_bytes().decode("utf-8")

    @property
    def values(self) -> tuple[str, ...]:
        """Values of ``opamp`` that choose it: an op-amp's alone."""
        return ()

    @property
    def inputs(self) -> tuple[int, ...]:
        """Places of the pins that only read."""
        return tuple(k for k, pin in enumerate(self.pins) if pin.role == INPUT)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Places of the pins that drive."""
        return tuple(k for k, pin in enumerate(self.pins) if pin.role == OUTPUT)

    @property
    def driven(self) -> tuple[int, ...]:
        """Places of the pins that it holds at a voltage against ground."""
        return tuple(k for k in self.outputs if not self.pins[k].joined)

    @property
    def conducting(self) -> tuple[tuple[int, int], ...]:
        """Pairs of pins that a resistor joins."""
        at = {pin.name: k for k, pin in enumerate(self.pins)}
        return tuple((at[pin.joined], k) for k, pin in enumerate(self.pins) if pin.joined)

    def check(self) -> None:
        """Hold the declaration to its file.

        Raises
        ------
        CompileError
            If a part is missing, or the file has other pins or parameters.
        """
        for part in ("name", "pins", "block"):
            if not getattr(self, part):
                raise CompileError(f"cell {self.name or '(no name)'} declares no {part}")
        if not re.fullmatch(NAME, self.name):
            raise CompileError(f"cell {self.name!r}: a name is of a-z, 0-9 and _")
        if not self.path.is_file():
            raise CompileError(f"cell {self.name}: there is no file {self.path}")
        text = self.text
        heads = {found[1]: found for found in HEAD.finditer(text)}
        if self.name not in heads:
            raise CompileError(f"cell {self.name}: {self.path.name} has no .subckt {self.name}")
        head = heads[self.name]
        params = [f"{param.name}={param.nominal}" for param in self.params]
        for what, declared, have in (
            ("pins", [pin.name for pin in self.pins], head[2].split()),
            ("parameters", params, (head[3] or "").split()),
        ):
            if declared != have:
                raise CompileError(
                    f"cell {self.name}: {self.path.name} has the {what} {' '.join(have) or 'none'}"
                    f", its declaration {' '.join(declared) or 'none'}"
                )
        self._check_lines(text)

    def _check_lines(self, text: str) -> None:
        """That what its file says is said of it alone, whatever deck it stands in."""
        depth = 0
        for at, line in enumerate(text.split("\n"), 1):
            words, said = line.lower().split(), ""
            if line.endswith("\r"):
                said = "ends as Windows ends lines"
            elif line.startswith("*#"):
                said = "is a hidden command"
            elif not depth and (line != line.strip() or not line.isprintable()):
                said = f"has a blank at an end, or a tab, outside .subckt {self.name}"
            elif not words or words[0].startswith("*"):
                continue
            elif words[0].startswith(".") and words[0] not in INSIDE:
                said = f"is {words[0]}, which may act on a whole deck"
            elif not depth and words[:2] != [".subckt", self.name]:
                said = f"stands outside .subckt {self.name}"
            elif depth == 1 and words[0] == ".ends" and line != f".ends {self.name}":
                said = f"is not just .ends {self.name}"
            if said:
                raise CompileError(f"cell {self.name}: line {at} of {self.path.name} {said}")
            depth += {".subckt": 1, ".ends": -1}.get(words[0], 0)


@dataclass(frozen=True)
class CellPower:
    """Of cells: watts that their elements dissipate and their sources deliver, amperes out of each
    of their amplifiers, and amperes that they take from supply to supply beside these."""

    dissipated: Any
    delivered: Any
    outs: tuple[Any, ...]
    through: Any


@dataclass(frozen=True, kw_only=True)
class SquashKind(CellKind):
    """A kind of squash: software's curve, and the cell that is its circuit.

    ``xp`` is numpy's or torch's functions (with ``sigmoid`` and ``clip``), ``squash`` a
    ``network.squash.Squash`` and ``hardware`` a ``compiler.hardware.Hardware``.

    Attributes
    ----------
    pins
        The first reads, the last drives.
    curve
        ``(u, squash, xp)``: volts for ``u``, which is ``steepness`` times the slope times x.
    settings
        ``(squash, scale, load, hardware)``: the parameters of an instance. ``scale`` is
        ``attenuation`` of a ``Front``, a number or an array, ``load`` its ``r_load``.
    closed_form
        ``(v, params, hardware, temp_c, xp)``: the circuit's volts for ``v`` volts at its input;
        None: the twin refuses.
    power
        ``(v, load, params, hardware, temp_c)``: its ``CellPower`` for numpy arrays of ``v`` volts
        at its input and ``load`` amperes out of its output; None: no power is told.
    transfer
        ``(params, squash, unit, hardware)``: what is wrong with a cell of these parameters, in
        words that follow "the cell", ``unit`` being volts at its input per unit of x. It knows
        nothing of ``settings``. None: instances must be as ``settings`` says.
    default
        The range in volts where none is given; None: it must be.
    sloped
        Whether it has a slope, and so takes any scale at its input.
    steepness
        Factor on the slope.
    drive_volts
        Volts that ``u`` = 1 is behind the cell's attenuator.
    load
        ``(squash, hardware)``: ohms of its load; None where it has none.
    n_loads
        How many load resistors a cell has.
    varied
        ``(params, loads, tail, hardware)``: those of ``params`` that differ in a cell whose
        ``n_loads`` loads and whose tail current are so many times the design's (numbers, or arrays
        of one shape); None: it cannot be told.
    flat
        Whether a deck's cells are found by their elements (a limiter).
    in_time
        How its output follows ``closed_form`` x where op-amps have one pole, w = 2 pi GBW: rows a
        and column b of its states' y' = w (a y + b x), the last of them the output. Empty: it has
        no op-amp, and follows at once.
    """

    block: str = "squash"
    curve: Callable[[Any, Any, Any], Any]
    settings: Callable[[Any, Any, float, Any], dict[str, Any]]
    closed_form: Callable[[Any, Mapping[str, Any], Any, float, Any], Any] | None = None
    power: Callable[[Any, Any, Mapping[str, Any], Any, float], CellPower] | None = None
    transfer: Callable[[Mapping[str, float], Any, float, Any], Iterable[str]] | None = None
    default: tuple[float, float] | None = None
    sloped: bool = True
    steepness: float = 1.0
    drive_volts: float = 1.0
    load: Callable[[Any, Any], float] | None = None
    n_loads: int = 0
    varied: Callable[[Mapping[str, Any], Sequence[Any], Any, Any], dict[str, Any]] | None = None
    flat: bool = False
    in_time: tuple[Sequence[Sequence[float]], Sequence[float]] | tuple[()] = ()

    @property
    def label(self) -> str:
        """What a sentence calls a cell of this kind."""
        return self.name if self.flat else f"{self.name} cell"

    @property
    def form(self) -> str:
        """How it is written."""
        if self.default is None:
            return f"{self.name}:LO:HI" + (":SLOPE" if self.sloped else "")
        return f"{self.name}[:LO:HI{'[:SLOPE]' if self.sloped else ''}]"

    @property
    def counts(self) -> tuple[int, ...]:
        """How many numbers it may be written with."""
        least = (0, 2) if self.default is not None else (2,) if not self.sloped else ()
        return (*least, 3) if self.sloped else least


@dataclass
class Registry:
    """The kinds that there are, by name."""

    kinds: dict[str, CellKind] = field(default_factory=dict)

    def require_new(self, kind: CellKind) -> None:
        """Raise CompileError if the name of ``kind`` is taken."""
        if kind.name in self.kinds or kind.name in ("none", OPAMP, *OPAMPS.values()):
            raise CompileError(f"there is a cell {kind.name} already: give yours another name")
        taken = {value for one in self.kinds.values() for value in one.values}
        for value in taken.intersection(kind.values):
            raise CompileError(f"there is an op-amp {value} already: give yours another value")

    def add(self, kind: CellKind) -> None:
        """Add ``kind``; CompileError if its name is taken."""
        self.require_new(kind)
        self.kinds[kind.name] = kind


class _Numpy:
    """numpy's functions under the names that torch's have too."""

    @staticmethod
    def sigmoid(x: Any) -> Any:
        from scipy.special import expit  # TAB need not wait for scipy

        return expit(x)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


NUMPY = _Numpy()
"""``xp`` for numpy arrays."""


def same(have: float, wanted: float) -> bool:
    """Whether two numbers are the same but for writing and reading them."""
    return abs(have - wanted) <= EXACT * abs(wanted)
