"""The elements of a deck that dissipate and deliver, read back out of its files.

Reads whatever cells are made of, each line by itself: where an element stands, not what for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..compiler.expressions import value
from ..compiler.lines import GROUNDS, Deck, Line, Subcircuit, read_lines, settings
from ..compiler.spice_cells import TEMPERATURE_C
from ..errors import NetlistError

Values = npt.NDArray[Any]
BLOCKS = (
    (r"x_l(\d+)_i\d+_d\d+_diode\.", "diodes", ""),
    (r"x_l(\d+)_i\d+_d\d+_amp\.", "row_feedback", "rows"),
    (r"x_l(\d+)_o\d+_[pn]_tia\.", "line_feedback", "lines"),
    (r"x_l(\d+)_y\d+_(?:diff|add)\.", "differences", "differences"),
    (r"x_l(\d+)_(?:\w+_)?ln\.", "layernorm", "layernorm"),
    (r"x_l(\d+)_v\d+\.", "squash", "squash"),
    (r"x_l(\d+)_tile_\d+_\d+\.", "cells", ""),
    (r"r_l(\d+)_(?:feet|rows)_", "wires", ""),
    (r"r_l(\d+)_\w+_driver$", "drivers", ""),
    (r"v_l(\d+)_b\d+$", "", "bias_rows"),
)
"""By an element's path: what it is in if it dissipates, and if it delivers."""
_BLOCKS = tuple((re.compile(pattern), *blocks) for pattern, *blocks in BLOCKS)
_DRIFT = re.compile(r"\b(tc[12])=([^ )]+)")
SKIPPED = "c"
"""Carries nothing at DC."""
MEASURING = re.compile(r"x_l\d+_i\d+_d\d+_diode\.[er]1")
"""What stands for a division in a diode's law, and is no part of it."""
COUNTED = "r, v, e, b, i and q"


@dataclass(frozen=True)
class Place:
    """The layer and the block of an element."""

    layer: int
    block: str


@dataclass(frozen=True)
class Branch:
    """Something through which a current flows, from its first net to its second.

    ``amperes`` is the vector in which the simulator tells it, or the number that it is;
    ``amplifier`` names the cell, or the source, whose output it is, empty where it is none's.
    """

    nets: tuple[int, int]
    amperes: str | float
    amplifier: str = ""


@dataclass
class Resistors:
    """Resistors of one place: nets, and siemens at the temperature that was asked for."""

    a: list[int] = field(default_factory=list[int])
    b: list[int] = field(default_factory=list[int])
    siemens: list[float] = field(default_factory=list[float])


class Elements:
    """The elements of the deck whose top file is ``top``, at ``temp_c``.

    Attributes
    ----------
    nets
        As the simulator calls them; the first is ground.
    resistors
        By place.
    burning
        Other branches that dissipate, by place: diodes, transistors.
    giving
        Sources, by place.
    emitters
        Nets of transistors' emitters.

    Raises
    ------
    NetlistError
        If an element is in no block of a circuit, or of a kind whose power is not counted.
    """

    def __init__(self, top: Path, temp_c: float) -> None:
        self.nets: list[str] = ["0"]
        self._number = {"0": 0}
        self.resistors: dict[Place, Resistors] = {}
        self.burning: dict[Place, list[Branch]] = {}
        self.giving: dict[Place, list[Branch]] = {}
        self.emitters: set[int] = set()
        self._deck: Deck = read_lines(top)
        self._dt = temp_c - TEMPERATURE_C
        self._expand(self._deck.top, {}, "", {})

    def net(self, name: str) -> int:
        """The number of a net, new if it has none yet."""
        if name not in self._number:
            self._number[name] = len(self.nets)
            self.nets.append(name)
        return self._number[name]

    def _expand(
        self, sub: Subcircuit, ports: Mapping[str, int], path: str, params: Mapping[str, float]
    ) -> None:
        for line in _logical([*sub.each()]):
            words = line.text.split()

            def net(k: int, words: list[str] = words) -> int:
                text = words[k]
                if text in GROUNDS:
                    return 0
                if text in self._deck.reaching:
                    return self.net(text)
                return ports[text] if text in ports else self.net(path + text)

            try:
                if words[0][0] == "x":
                    plain = next((k for k, w in enumerate(words) if "=" in w), len(words))
                    inner = self._deck.subcircuits[words[plain - 1]]
                    given = {**inner.params, **settings(words[plain:])}
                    told = {key: value(text, params) for key, text in given.items()}
                    ends = {port: net(k + 1) for k, port in enumerate(inner.ports)}
                    self._expand(inner, ends, f"{path}{words[0]}.", told)
                else:
                    self._element(words, net, path, params)
            except (IndexError, KeyError, ValueError, ZeroDivisionError) as error:
                raise line.refuse(str(error)) from error

    def _element(self, words: list[str], net: Any, path: str, params: Mapping[str, float]) -> None:
        name, kind = words[0], words[0][0]
        if kind in SKIPPED:
            return
        full = path + name
        if MEASURING.fullmatch(full):
            return
        own = f"{kind}.{full}" if path else name
        burning, giving = self._places(full)
        if kind == "r":
            model = words[3] if words[-1].startswith("r=") else "".join(words[4:])
            text = words[-1].removeprefix("r=") if words[-1].startswith("r=") else words[3]
            if model == "wire":
                burning = Place(burning.layer, "wires")
            found = self.resistors.setdefault(burning, Resistors())
            found.a.append(net(1))
            found.b.append(net(2))
            found.siemens.append(1.0 / (value(text, params) * self._drift(model)))
        elif kind == "b" and words[3].startswith("i="):
            branch = Branch((net(1), net(2)), f"i(@{own}[i])")
            self.burning.setdefault(burning, []).append(branch)
        elif kind in "veb":
            amplifier = ""
            if net(2) == 0 and (kind != "v" or not path):  # the others stand inside a cell
                # A squash cell may have two op-amps; rails are part of their amplifier.
                amplifier = ".".join(full.split(".")[: 2 if giving.block == "squash" else 1])
            branch = Branch((net(1), net(2)), f"i({own})", amplifier)
            self.giving.setdefault(giving, []).append(branch)
        elif kind == "i":
            branch = Branch((net(1), net(2)), value(words[4], params))
            self.giving.setdefault(giving, []).append(branch)
        elif kind == "q":
            self.emitters.add(net(3))
            for end, told in ((1, "ic"), (2, "ib")):  # what enters there leaves at the emitter
                branch = Branch((net(end), net(3)), f"i(@{own}[{told}])")
                self.burning.setdefault(burning, []).append(branch)
        else:
            raise ValueError(f"the power of {full} is not counted: only that of {COUNTED} is")

    def _places(self, full: str) -> tuple[Place, Place]:
        for pattern, burning, giving in _BLOCKS:
            match = pattern.match(full)
            if match:
                layer = int(match[1])
                return Place(layer, burning), Place(layer, giving)
        raise ValueError(f"{full} is in no block of a circuit, so that its power has no place")

    def _drift(self, model: str) -> float:
        if not model or not self._dt:
            return 1.0
        tc = {key: float(text) for key, text in _DRIFT.findall(self._deck.models[model])}
        return 1 + tc.get("tc1", 0.0) * self._dt + tc.get("tc2", 0.0) * self._dt**2


def _logical(lines: list[Line]) -> Iterator[Line]:
    """Lines without comments; those of a cell that is compared as text are as they are."""
    kept = [line for line in lines if line.text.strip() and not line.text.startswith("*")]
    for line, after in pairwise([*kept, Line("", "")]):
        if line.text.startswith("+") or after.text.startswith("+"):
            raise NetlistError(f"{line.where}: a continued line in a cell, whose power is counted")
        yield line
