"""Power by ngspice: its own currents of sources, its own voltages at the elements of its deck.

Delivered and dissipated come from different vectors: neither is the other's rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler import spice
from ..compiler.build import Build
from ..compiler.circuit import Circuit
from ..compiler.circuit_files import write_deck
from ..compiler.deck import Deck
from ..compiler.design import Design
from ..compiler.names import StageNames, dacs_of, logits
from ..compiler.spice_cells import TEMPERATURE_C
from ..compiler.spice_tiles import format_between_rows
from ..data import ImageSet
from ..dialects import NGSPICE, Dialect
from ..dialects.ngspice import SOLVER_OPTIONS, TIGHT_OPTIONS
from ..engines.analysis import Analysis, Asked, at_least_two
from ..engines.batch import BatchEngine, copy_deck, distinct
from ..engines.chunked import Chunk, Exposure
from ..engines.ngspice import Runner, find_ngspice
from ..engines.scratch import room_in, scratch
from ..files import write_text
from .blocks import CROSSBAR
from .deck import still_design
from .power import PowerResult, Sums, by_image, joined, volts_of
from .power_elements import Branch, Elements, Place, Resistors
from .power_stage import StagePower, require_counted

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
) -> PowerResult:
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
        If it does, or op-amps are a black box.
    NetlistError
        If a deck has an element that is in no block, or whose power is not counted.
    """
    hardware = (chip or build).hardware
    volts = volts_of(build, images)
    found, held = Sums(build, len(volts)), volts
    for section, circuits in _circuits(build, chip, temp_c):
        points, outputs = section.points(held), []
        first, of = distinct(points)
        for circuit in circuits:
            one = _Asked(circuit, temp_c, keep)
            given, blocks = one.run(points[first])
            outputs.append(given[of])
            stages = [_at(of, stage) for stage in zip(*blocks, strict=True)]
            parts = [[by_image(stage, section.positions) for stage in stages]]
            found.add(section, parts, one.design)
        held = np.concatenate(outputs, axis=1).reshape(len(volts), -1)
    power = joined([found])
    if hardware.wired and not hardware.segments:
        parts = [power.dissipated.pop(block) for block in CROSSBAR]
        power.dissipated["crossbar"] = np.sum(parts, axis=0)
    return power


def _circuits(build: Build, chip: Circuit | None, temp_c: float) -> Iterator[tuple[Any, Iterable]]:
    """Sections, each with its decks as they are on disk, or designs where those do not hold."""
    if chip is not None:
        for section, links in chip.sections():
            yield section, [still_design(link.design) for link in links]
        return
    for section in build.sections:
        decks = build.decks(section)
        flat = build.hardware.amplifier.flat and not build.hardware.own_diodes
        as_it_is = temp_c == TEMPERATURE_C and flat
        yield section, decks if as_it_is else (still_design(deck.design) for deck in decks)


class _Asked:
    """One deck's elements, and ngspice's answers about them."""

    def __init__(self, circuit: Deck | Design, temp_c: float, keep: Path) -> None:
        self.circuit, self.temp_c, self.keep = circuit, temp_c, keep
        self.design = circuit.design if isinstance(circuit, Deck) else circuit
        require_counted(self.design)
        with scratch() as folder, room_in(folder):
            if isinstance(circuit, Deck):
                copy_deck(circuit, folder)
            else:
                write_deck(circuit, folder, temp_c)
            top = folder / "elements.cir"
            lines = ["* elements", *spice.format_includes(self.design)]
            write_text(top, "\n".join([*lines, *_between_rows(self.design, temp_c)]) + "\n")
            self.elements = Elements(top, temp_c)

    def run(self, points: Values) -> tuple[Values, list[list[StagePower]]]:
        """What is held of its outputs (B, O) for ``points`` (B, I), and blocks of points, each with
        every stage's power."""
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
                values = engine.answer(points, probes, Chunk(number, start, stop))
                outputs.append(values[:, : self.design.stages[-1].shape[1]])
                parts.append(self._stages(values, probes, dacs))
        return np.concatenate(outputs), parts

    def _told(self) -> list[str]:
        """The vectors of currents, the DACs' left out."""
        groups = [*self.elements.burning.values(), *self.elements.giving.values()]
        return [name for group in groups for name in _vectors(group)]

    def _dacs(self, points: Values) -> list[Branch]:
        """The sources at the inputs: a table where they differ, as the sweep is written."""
        found = []
        each = zip(StageNames(self.design, 0).sources(), points.T, strict=True)
        for net, column in compress(each, dacs_of(self.design)):
            letter = "v" if (column == column[0]).all() else "b"
            found.append(Branch((self.elements.net(net), 0), f"i({letter}_{net})", net))
        return found

    def _stages(self, values: Values, probes: list[str], dacs: list[Branch]) -> list[StagePower]:
        """Every stage's power, of the vectors of ``probes`` that are in ``values`` (B, v)."""
        nets, n = self.elements.nets, len(values)
        place = {probe: k for k, probe in enumerate(probes)}
        volts = np.zeros((n, len(nets)))
        volts[:, 1:] = values[:, [place[net] for net in nets[1:]]]

        def flow(branches: list[Branch]) -> tuple[Values, Values]:
            """Volts across and amperes, (B, k)."""
            a, b = np.array([branch.nets for branch in branches]).T
            told = [branch.amperes for branch in branches]
            amperes = [values[:, place[i]] if isinstance(i, str) else np.full(n, i) for i in told]
            return volts[:, a] - volts[:, b], np.stack(amperes, axis=1)

        nothing = np.zeros((n, 0))
        stages = [StagePower(np.zeros(n), nothing, nothing) for _ in self.design.stages]
        for where, resistors in self.elements.resistors.items():
            stages[where.layer].dissipated[where.block] = _resistor_watts(volts, resistors)
        for where, branches in self.elements.burning.items():
            across, amperes = flow(branches)
            of_stage = stages[where.layer].dissipated
            before = of_stage.get(where.block, np.zeros(n))
            of_stage[where.block] = before + (across * amperes).sum(axis=1)
        for where, branches in {**self.elements.giving, Place(0, "dacs"): dacs}.items():
            across, amperes = flow(branches)
            stage = stages[where.layer]
            stage.delivered[where.block] = -(across * amperes).sum(axis=1)
            stage.currents[where.block] = _by_amplifier(branches, amperes)
            tails = [b.nets[0] in self.elements.emitters and not b.amplifier for b in branches]
            stage.through = stage.through + amperes[:, tails].sum(axis=1)
        return stages


def _by_amplifier(branches: list[Branch], amperes: Values) -> Values:
    """Current (B, k) out of each amplifier, for ``amperes`` (B, b) into all sources."""
    names = [branch.amplifier for branch in branches]
    order = {name: k for k, name in enumerate(dict.fromkeys(filter(None, names)))}
    found = np.zeros((len(amperes), len(order)))
    for k, name in enumerate(names):
        if name:
            found[:, order[name]] -= amperes[:, k]
    return found


def _at(of: Values, blocks: Sequence[StagePower]) -> StagePower:
    """``blocks`` of one stage, one after the other, at the points that theirs are ``of``."""

    def each(name: str) -> dict[str, Values]:
        parts = [getattr(block, name) for block in blocks]
        return {key: np.concatenate([part[key] for part in parts])[of] for key in parts[0]}

    nothing = np.zeros((len(of), 0))
    return StagePower(
        through=np.concatenate([block.through for block in blocks])[of],
        rows=nothing,
        lines=nothing,
        dissipated=each("dissipated"),
        delivered=each("delivered"),
        currents=each("currents"),
    )


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
