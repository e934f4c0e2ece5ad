"""Netlist: a flat circuit as arrays and short lists; what reading a deck back gives."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import index
from typing import SupportsIndex

import numpy as np

from .. import cells
from ..cells import CellKind
from .runs import Run

GROUND = 0
TOP, TILE, CELL = range(3)
"""Where a resistor stands: at the top level, in a subcircuit of resistors alone, in another."""
FLATTENED = ("row amplifier", "line amplifier", "difference", "summing amplifier")
"""Blocks that are found by their elements."""


@dataclass(frozen=True)
class Instance:
    """A top-level ``x`` line: its name, the nets at its ports, what it is one of, its settings."""

    name: str
    nets: tuple[str, ...]
    kind: str
    params: dict[str, float]


@dataclass
class Controlled:
    """A voltage-controlled voltage source; ``gbw`` hertz of an op-amp that is told its own, whose
    ``kind`` is "" where it is this source itself."""

    name: str
    out: tuple[int, int]
    control: tuple[int, int]
    gain: float
    gbw: float = np.nan
    kind: str = ""


@dataclass
class Source:
    """An independent source, volts or amperes, from the first net to the second."""

    name: str
    nets: tuple[int, int]
    value: float


@dataclass
class Term:
    """One table of a source: weight(T) pwl(volts / stretch(T)), points ``x`` and ``y``.

    ``weight`` and ``stretch`` are expressions of ``temper``.
    """

    weight: str
    stretch: str
    x: np.ndarray
    y: np.ndarray


@dataclass
class Table:
    """A behavioural PWL source, a sum of terms: current or voltage against a voltage.

    A diode that is a user's model has no terms.
    """

    name: str
    kind: str
    subcircuit: str
    nets: tuple[int, int]
    control: tuple[int, int]
    terms: list[Term]


@dataclass
class Limiter:
    """A behavioural clamp: ``v(out) = min(max(v(in), lo), hi)``."""

    name: str
    nets: tuple[int, int]
    control: int
    lo: float
    hi: float


@dataclass
class Capacitor:
    """A capacitor between two nets, farads."""

    name: str
    nets: tuple[int, int]
    farads: float


@dataclass
class Cell:
    """An instance of a cell whose inside is known from the library and is not flattened.

    ``pins`` is what is declared of its kind.
    """

    name: str
    kind: str
    nets: tuple[int, ...]
    params: dict[str, float]
    pins: CellKind


def closed(name: str) -> CellKind | None:
    """What is declared of a cell whose inside is compared with its file as text, whatever it is;
    None if it is none, or its elements are looked at one by one."""
    kind = cells.find(name)
    if kind is None or kind.block in FLATTENED or getattr(kind, "flat", False):
        return None
    return kind


class Names:
    """Names of resistors, made when they are asked for: a crossbar has millions."""

    def __init__(self) -> None:
        self._runs: list[tuple[str, str]] = []
        self._starts = [0]

    def add(self, prefix: str, names: str, count: int) -> None:
        """So many ``names``, a line each, in the instance ``prefix``."""
        self._runs.append((prefix, names))
        self._starts.append(len(self) + count)

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, k: SupportsIndex) -> str:
        at = bisect_right(self._starts, index(k)) - 1
        prefix, names = self._runs[at]
        return prefix + names.split("\n")[index(k) - self._starts[at]]

    def __iter__(self) -> Iterator[str]:
        for prefix, names in self._runs:
            yield from (prefix + name for name in names.split("\n"))


class Netlist:
    """A deck with its hierarchy flattened. Nets are numbered, ground is 0.

    Attributes
    ----------
    nets
        Name of each net; inner nets of an instance are ``instance.net``.
    r_name, r_a, r_b, r_ohms, r_place
        The resistors: names, their two nets (n,), values (n,) in ohms, and where they stand (n,).
    r_models, r_model
        Names of models, "" for none, and the place (n,) in it of each resistor's.
    controlled, volts, amps, tables, limiters, capacitors, cells
        The other elements.
    models
        What follows each ``.model`` name.
    definitions
        The lines of each subcircuit that holds more than resistors.
    instances
        The top level's, in order.
    supplies
        Volts of the nets that reach into every cell, by their numbers; None without a source.
    options, controls
        What ``.option`` lines set, the last word on each; the lines of the ``.control`` section.
    includes
        Files included, in order, as they are written.
    """

    def __init__(self) -> None:
        self.nets: list[str] = ["0"]
        self.number: dict[str, int] = {"0": GROUND}
        self.controlled: list[Controlled] = []
        self.volts: list[Source] = []
        self.amps: list[Source] = []
        self.tables: list[Table] = []
        self.limiters: list[Limiter] = []
        self.capacitors: list[Capacitor] = []
        self.cells: list[Cell] = []
        self.models: dict[str, str] = {}
        self.definitions: dict[str, list[str]] = {}
        self.instances: list[Instance] = []
        self.supplies: dict[int, float | None] = {}
        self.options: dict[str, str] = {}
        self.controls: list[str] = []
        self.includes: list[str] = []
        self.r_name = Names()
        self.r_models: list[str] = []
        self._single: list[tuple[str, int, int, float, int, int]] = []
        self._blocks: list[tuple[np.ndarray, ...]] = []
        self.r_a = self.r_b = self.r_model = np.zeros(0, np.int32)
        self.r_place = np.zeros(0, np.int8)
        self.r_ohms = np.zeros(0)

    def net(self, name: str) -> int:
        """The number of a net, new if it has none yet."""
        if name not in self.number:
            self.number[name] = len(self.nets)
            self.nets.append(name)
        return self.number[name]

    def add_resistors(self, prefix: str, run: Run, nets: Sequence[int], place: int) -> None:
        """Add the resistors of a run, whose nets are ``nets``, in the instance ``prefix``."""
        self._gather()
        self.r_name.add(prefix, run.names, len(run))
        numbers = np.array(nets, np.int32)
        models = np.array([self._model(name) for name in run.models], np.int32)
        where = np.full(len(run), place, np.int8)
        columns = numbers[run.a], numbers[run.b], run.ohms, models[run.model], where
        self._blocks.append(columns)

    def add_resistor(self, name: str, a: int, b: int, ohms: float, model: str, place: int) -> None:
        """Add one between the nets ``a`` and ``b``."""
        self._single.append((name, a, b, ohms, self._model(model), place))

    def _model(self, name: str) -> int:
        if name not in self.r_models:
            self.r_models.append(name)
        return self.r_models.index(name)

    def _gather(self) -> None:
        """Make columns of single resistors."""
        if self._single:
            names, *columns = zip(*self._single, strict=True)
            self._single = []
            self.r_name.add("", "\n".join(names), len(names))
            kinds = (np.int32, np.int32, float, np.int32, np.int8)
            self._blocks.append(tuple(map(np.array, columns, kinds)))

    def of_model(self, name: str) -> np.ndarray:
        """(n,) which resistors are of the model ``name``."""
        if name not in self.r_models:
            return np.zeros(len(self.r_model), bool)
        return self.r_model == self.r_models.index(name)

    def close(self) -> None:
        """Join the resistor blocks into arrays."""
        self._gather()
        if self._blocks:
            self.r_a, self.r_b, self.r_ohms, self.r_model, self.r_place = (
                np.concatenate(part) for part in zip(*self._blocks, strict=True)
            )
