"""Power by ngspice: its own currents of sources, its own voltages at the elements of its deck.

Delivered and dissipated come from different vectors: neither is the other's rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler import spice
from ..compiler.build import Build
from ..compiler.circuit import Circuit
from ..compiler.deck import Deck
from ..compiler.design import Design
from ..compiler.names import StageNames, logits
from ..compiler.spice_cells import TEMPERATURE_C
from ..compiler.spice_tiles import format_between_rows
from ..data import ImageSet
from ..dialects import NGSPICE, Dialect
from ..dialects.ngspice import SOLVER_OPTIONS, TIGHT_OPTIONS
from ..engines.analysis import Analysis, Asked, at_least_two
from ..engines.batch import (
    BatchEngine,
    Chunk,
    Exposure,
    copy_deck,
    distinct,
    write_deck,
)
from ..engines.ngspice import Runner, find_ngspice
from ..engines.scratch import room_in, scratch
from ..files import write_text
from .elements import Branch, Elements, Place, Resistors
from .power import BlockPower, volts_of
from .stage_power import CROSSBAR, DELIVERED, DISSIPATED

Values = npt.NDArray[Any]
MOST = 10_000_000
"""Values in one of ngspice's result files, and products of elements and images at once."""
CHUNK = 50
"""Images in one run, at most."""


def _between_rows(design: Design, temp_c: float, say: Dialect = NGSPICE) -> Iterator[str]:
    for k, stage in enumerate(design.stages):
        yield from format_between_rows(stage, StageNames(design, k), design.hardware, temp_c, say)


def _write(asked: Asked) -> str:
    """The sweep, keeping all that is kept unasked: by name, a wired deck's would take minutes."""
    say = asked.dialect
    tight = replace(
        say, solver=lambda exact: say.solver(exact).replace(SOLVER_OPTIONS, TIGHT_OPTIONS)
    )
    return spice.write_batch(
        asked.design,
        at_least_two(asked.volts),
        ["all", *(probe for probe in asked.probes if "@" in probe)],
        descending=asked.descending,
        temp_c=asked.temp_c,
        more=list(_between_rows(asked.design, asked.temp_c, say)),
        say=tight,
    )


POWER = Analysis(name="power", about="every voltage, and the currents of sources", write=_write)
"""A sweep over images, which saves what power is computed from."""


def ask_power(
    build: Build,
    images: ImageSet | Values,
    *,
    keep: Path,
    temp_c: float = TEMPERATURE_C,
    chip: Circuit | None = None,
) -> BlockPower:
    """Power of a build's circuit, or of a ``chip`` of it, by ngspice; M is 1.

    Where wires are reduced ``dissipated`` has ``crossbar`` in place of cells, wires and drivers.

    Parameters
    ----------
    build, images, temp_c
        As for ``power_of``. What is held between decks flows as ngspice gives it.
    keep
        Where a deck is kept if ngspice fails.

    Raises
    ------
    SimulationError
        If it does.
    NetlistError
        If a deck has an element that is in no block, or whose power is not counted.
    """
    volts = volts_of(build, images)
    layers = sum(section.last - section.first + 1 for section in build.sections)
    reduced = build.hardware.wired and not build.hardware.segments
    found = _Blocks(layers, len(volts), reduced)
    held = volts
    for section, circuits in _circuits(build, chip, temp_c):
        points, outputs = section.points(held), []
        first, of = distinct(points)
        for circuit in circuits:
            asked = _Asked(circuit, temp_c, keep)
            given, power = asked.run(points[first])
            outputs.append(given[of])
            for (what, place), watts in power.items():
                by_image = watts[of].reshape(len(volts), -1).sum(axis=1)
                found.add(what, section.first + place.layer, place.block, by_image)
        held = np.concatenate(outputs, axis=1).reshape(len(volts), -1)
    return found.power()


def _circuits(build: Build, chip: Circuit | None, temp_c: float) -> Iterator[tuple[Any, Iterable]]:
    """Sections, each with its decks as they are on disk, or designs where those do not hold."""
    if chip is not None:
        for section, links in chip.sections():
            yield section, [link.design for link in links]
        return
    for section in build.sections:
        decks = build.decks(section)
        yield section, decks if temp_c == TEMPERATURE_C else (deck.design for deck in decks)


class _Blocks:
    """Watts (K, n) by block, as they come; of a reduced crossbar together."""

    def __init__(self, layers: int, n: int, reduced: bool) -> None:
        self._shape = layers, n
        burning = [b for b in DISSIPATED if not (reduced and b in CROSSBAR)]
        self._reduced = reduced
        self._found = {
            "dissipated": self._empty([*burning, "crossbar"] if reduced else burning),
            "delivered": self._empty(DELIVERED),
        }

    def _empty(self, blocks: Iterable[str]) -> dict[str, Values]:
        return {block: np.zeros((1, *self._shape)) for block in blocks}

    def add(self, what: str, layer: int, block: str, watts: Values) -> None:
        """Add watts (n,)."""
        block = "crossbar" if self._reduced and block in CROSSBAR else block
        self._found[what][block][0, layer] += watts

    def power(self) -> BlockPower:
        """What it comes to, M being 1."""
        return BlockPower(**self._found)


class _Asked:
    """One deck's elements, and ngspice's answers about them."""

    def __init__(self, circuit: Deck | Design, temp_c: float, keep: Path) -> None:
        self.circuit, self.temp_c, self.keep = circuit, temp_c, keep
        self.design = circuit.design if isinstance(circuit, Deck) else circuit
        with scratch() as folder, room_in(folder):
            if isinstance(circuit, Deck):
                copy_deck(circuit, folder)
            else:
                write_deck(circuit, folder, temp_c)
            top = folder / "elements.cir"
            lines = ["* elements", *spice.format_includes(self.design)]
            write_text(top, "\n".join([*lines, *_between_rows(self.design, temp_c)]) + "\n")
            self.elements = Elements(top, temp_c)

    def run(self, points: Values) -> tuple[Values, dict[tuple[str, Place], Values]]:
        """What is held of its outputs (B, O) for ``points`` (B, I), and watts (B,) by place."""
        runner, parts, outputs = Runner(find_ngspice()), [], []
        vectors = len(self.elements.nets) + len(self._told())
        size = max(1, min(CHUNK, MOST // vectors))
        exposure = Exposure(temp_c=self.temp_c)
        with BatchEngine(self.circuit, runner, self.keep, exposure, POWER) as engine:
            for number, start in enumerate(range(0, len(points), size)):
                stop = min(start + size, len(points))
                dacs = self._dacs(points[start:stop])
                probes = [*logits(self.design), *self.elements.nets[1:], *self._told()]
                probes = list(dict.fromkeys([*probes, *_vectors(dacs)]))
                (result,) = engine.run(points, [Chunk(number, start, stop)], probes)
                if result.error is not None:
                    raise result.error
                assert result.values is not None
                outputs.append(result.values[:, : self.design.stages[-1].shape[1]])
                place = {probe: k for k, probe in enumerate(probes)}
                parts.append(self._watts(result.values, place, dacs))
        power = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        return np.concatenate(outputs), power

    def _told(self) -> list[str]:
        """The vectors of currents, the DACs' left out."""
        groups = [*self.elements.burning.values(), *self.elements.giving.values()]
        return [name for group in groups for name in _vectors(group)]

    def _dacs(self, points: Values) -> list[Branch]:
        """The sources at the inputs: a table where they differ, as the sweep is written."""
        found = []
        for net, column in zip(StageNames(self.design, 0).sources(), points.T, strict=True):
            letter = "v" if (column == column[0]).all() else "b"
            found.append(Branch((self.elements.net(net), 0), f"i({letter}_{net})"))
        return found

    def _watts(
        self, values: Values, place: dict[str, int], dacs: list[Branch]
    ) -> dict[tuple[str, Place], Values]:
        """Watts (B,) by place, of vectors (B, v) that stand in ``values`` at their ``place``."""
        nets, n = self.elements.nets, len(values)
        volts = np.zeros((n, len(nets)))
        volts[:, 1:] = values[:, [place[net] for net in nets[1:]]]

        def power(branches: list[Branch]) -> Values:
            watts = np.zeros(n)
            for branch in branches:
                told = branch.amperes
                amperes = values[:, place[told]] if isinstance(told, str) else told
                watts += (volts[:, branch.nets[0]] - volts[:, branch.nets[1]]) * amperes
            return watts

        found = {
            ("dissipated", where): _resistor_watts(volts, resistors)
            for where, resistors in self.elements.resistors.items()
        }
        for where, branches in self.elements.burning.items():
            before = found.get(("dissipated", where), np.zeros(n))
            found["dissipated", where] = before + power(branches)
        giving = {**self.elements.giving, Place(0, "dacs"): dacs}
        return found | {("delivered", at): -power(branches) for at, branches in giving.items()}


def _vectors(branches: Sequence[Branch]) -> list[str]:
    """In which their currents are told."""
    return [b.amperes for b in branches if isinstance(b.amperes, str)]


def _resistor_watts(volts: Values, resistors: Resistors) -> Values:
    """Watts (B,) of resistors at ``volts`` (B, nets)."""
    a, b, g = (np.array(part) for part in (resistors.a, resistors.b, resistors.siemens))
    watts, size = np.zeros(len(volts)), max(1, MOST // len(volts))
    for k in range(0, len(g), size):
        some = slice(k, k + size)
        watts += (volts[:, a[some]] - volts[:, b[some]]) ** 2 @ g[some]
    return watts
