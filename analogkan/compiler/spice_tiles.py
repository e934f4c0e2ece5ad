"""SPICE, the crossbar: tiles as subcircuits, with no wires, reduced ones, or every segment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress, pairwise

import numpy as np

from ..dialects import NGSPICE, Dialect
from ..dialects.words import format_comment, format_number, format_wrapped
from ..errors import CompileError
from .cell_law import REACH, CellLaw, require_no_wires
from .design import CrossbarStage
from .hardware import Hardware
from .heat import cell_drift, cell_words
from .names import StageNames, padded
from .spice_cells import TEMPERATURE_C
from .wires import wire_layer


@dataclass
class Crossbar:
    """The text of a layer's crossbar: subcircuits, each made when it is written, and what stands at
    the top level."""

    subcircuits: Iterable[str]
    instances: list[str]


def format_crossbar(
    stage: CrossbarStage,
    names: StageNames,
    hardware: Hardware,
    temp_c: float,
    say: Dialect = NGSPICE,
) -> Crossbar:
    """The crossbar of a stage; reduced wires are what they are at ``temp_c`` degrees Celsius."""
    if stage.errors is not None and stage.errors.law is not None:
        return _of_law(stage, stage.errors.law, names, hardware, temp_c, say)
    if not hardware.wired:
        own = cell_words(stage, say)
        return _tiles(stage.g, names, hardware, names.rows(), _cells, say, own)
    if hardware.segments:
        return _explicit(stage, names, hardware, say)
    return _reduced(stage, names, hardware, temp_c, say)


Body = Callable[[Sequence[str], Sequence[str], np.ndarray, Dialect, np.ndarray | None], str]


def _tiles(
    g: np.ndarray,
    names: StageNames,
    hardware: Hardware,
    rows: Sequence[str],
    body: Body,
    say: Dialect,
    own: np.ndarray | None = None,
) -> Crossbar:
    """Tiles of ``g`` (R, 2 O) between the nets ``rows`` and the summing nodes; cells that are told
    more are told ``own`` (R, 2 O).

    Rows that the circuit has not keep their places in the tiles, where wires pass them.
    """
    there, row_ports, line_ports = names.stage.there, names.row_ports(), names.line_ports()
    sums, places = names.sums(), [*_places(g, names, hardware)]

    def subcircuits() -> Iterator[str]:
        for tile, at, to in places:
            ports = list(compress(row_ports[at], there[at]))
            first, last = say.subcircuit(tile, ports + line_ports[to], {})
            told = None if own is None else own[at, to]
            resistors = body(row_ports[at], line_ports[to], g[at, to], say, told)
            head = format_wrapped(" ".join(first[:2]), first[2:])
            yield f"{head}\n{resistors}{last}\n"

    instances = []
    for tile, at, to in places:
        nets = [*compress(rows[at], there[at]), *sums[to]]
        head, *nets, cell = say.instance(f"x_{tile}", nets, tile, {})
        instances.append(format_wrapped(head, nets, cell))
    return Crossbar(subcircuits(), instances)


def _places(
    g: np.ndarray, names: StageNames, hardware: Hardware
) -> Iterator[tuple[str, slice, slice]]:
    """Tiles that have a cell: what each is called, its rows and its lines."""
    down, across = (
        range(0, n, of)
        for n, of in zip(g.shape, (hardware.tile_rows, hardware.tile_cols), strict=True)
    )
    for row, r in zip(padded(len(down)), down, strict=True):
        for column, c in zip(padded(len(across)), across, strict=True):
            at, to = slice(r, r + down.step), slice(c, c + across.step)
            if g[at, to].any():
                yield f"{names.prefix}tile_{row}_{column}", at, to


def _cells(
    rows: Sequence[str],
    lines: Sequence[str],
    g: np.ndarray,
    say: Dialect,
    own: np.ndarray | None,
    model: str = "cell",
) -> str:
    """A resistor per cell of ``g`` (rows, lines), siemens, named after its row and line; none
    where that is 0."""
    if not g.all() or own is not None:
        text = []
        for r, c in np.argwhere(g).tolist():
            row, line, ohms = rows[r], lines[c], format_number(float(1.0 / g[r, c]))
            told = model if own is None else model + own[r, c]
            text.append(say.resistor(f"r_{row}_{line}", row, line, ohms, told) + "\n")
        return "".join(text)
    template = "".join(say.resistor(f"r_@_{line}", "@", line, "%r", model) + "\n" for line in lines)
    ohms = (1.0 / g).tolist()
    return "".join(
        template.replace("@", row) % tuple(values) for row, values in zip(rows, ohms, strict=True)
    )


def _of_law(
    stage: CrossbarStage,
    law: CellLaw,
    names: StageNames,
    hardware: Hardware,
    temp_c: float,
    say: Dialect,
) -> Crossbar:
    """Cells that bend, as they are at ``temp_c``, and what stands in series with cells."""
    require_no_wires(law, hardware)
    if say is not NGSPICE:
        raise CompileError(
            f"{law.words} are written for ngspice alone, not for {say.name}: leave them out, or "
            "the other simulator"
        )
    own = np.full(stage.g.shape, "", object)
    if law.access is not None:
        own = _access_words(stage, law, f"{names.prefix}access")
    g, reach = stage.g / cell_drift(stage, hardware, temp_c), REACH * hardware.v_fs

    def body(
        rows: Sequence[str],
        lines: Sequence[str],
        g: np.ndarray,
        say: Dialect,
        own: np.ndarray | None,
    ) -> str:
        assert own is not None
        text = []
        if law.access is not None and law.v_ov:
            text.append(say.fixed("v_word", "word", "0", format_number(law.v_ov)))
        for r, c in np.argwhere(g).tolist():
            row, line, siemens = rows[r], lines[c], float(g[r, c])
            cell = f"{row}_{line}"
            node = line if law.access is None else f"m_{cell}"
            if law.bent:
                current = law.expression(format_number(siemens), f"v({row},{node})", reach)
                text.append(" ".join(say.source(f"b_{cell}", row, node, "i", [current])))
            else:
                ohms = format_number(1.0 / siemens)
                text.append(say.resistor(f"r_{cell}", row, node, ohms, ""))
            if law.access is not None:
                text.append(own[r, c].format(cell=cell, line=line, node=node))
        return "".join(line + "\n" for line in text)

    made = _tiles(g, names, hardware, names.rows(), body, say, own)
    at = f"CELLS ARE AS THEY ARE AT {format_number(temp_c)} DEGREES CELSIUS: `temp` must be that."
    before = [format_comment(at) + "\n"]
    if law.access is not None and law.v_ov:
        # Next to no junctions: the bulk is at the source, and what they leak is not modelled.
        told = {"level": "1", "vto": "0", "kp": format_number(1 / law.v_ov), "is": "1e-30"}
        before.insert(0, say.model(f"{names.prefix}access", "nmos", told) + "\n")
    return Crossbar(chain(before, made.subcircuits), made.instances)


def _access_words(stage: CrossbarStage, law: CellLaw, model: str) -> np.ndarray:
    """(R, 2 O) the line of each access device, with places for its cell, line and node."""
    assert law.access is not None
    ohms, e = law.access.ravel().tolist(), stage.errors
    if not law.v_ov:
        found = [f"r_access_{{cell}} {{node}} {{line}} {format_number(r)}" for r in ohms]
    else:
        warm = np.zeros(law.access.shape)
        if e is not None and e.warmth is not None:
            warm = e.warmth.cells
        found = [
            f"m_access_{{cell}} {{line}} word {{node}} {{node}} {model} "
            f"w={format_number(1 / r)} l=1" + (f" dtemp={format_number(dt)}" if dt else "")
            for r, dt in zip(ohms, warm.ravel().tolist(), strict=True)
        ]
    return np.array(found, object).reshape(law.access.shape)


def _reduced(
    stage: CrossbarStage, names: StageNames, hardware: Hardware, temp_c: float, say: Dialect
) -> Crossbar:
    """Between ports: a resistor per row and line, and those between the lines' feet."""
    at, model = _drift(stage, hardware, temp_c)
    wired = wire_layer(stage.g, hardware, at, drift=cell_drift(stage, hardware, at))
    made = _tiles(wired.g, names, hardware, names.rows(), partial(_cells, model=model), say)
    holds = "cells and wires drift alike, so this holds at every temperature."
    if not model:
        holds = f"THIS FILE HOLDS AT {format_number(at)} DEGREES CELSIUS ONLY: `temp` must be that."
    before = format_comment(
        f"Wires of {format_number(hardware.r_wire)} ohm a segment, and drivers of "
        f"{format_number(hardware.r_driver)} ohm, are reduced, exactly, to what they are "
        f"between rows and summing nodes; {holds}"
    )
    made.instances.append("* Wires let the feet of the lines see each other.")
    made.instances += _between_feet(wired.feet, names, model, say)
    return Crossbar(chain([f"{before}\n"], made.subcircuits), made.instances)


def _between_feet(feet: np.ndarray, names: StageNames, model: str, say: Dialect) -> Iterable[str]:
    sums, lines = names.sums(), names.line_ports()
    for a, b in np.argwhere(np.triu(feet < 0, 1)):
        ohms = format_number(float(-1.0 / feet[a, b]))
        name = f"r_{names.prefix}feet_{lines[a]}_{lines[b]}"
        yield say.resistor(name, sums[a], sums[b], ohms, model)


def format_between_rows(
    stage: CrossbarStage,
    names: StageNames,
    hardware: Hardware,
    temp_c: float,
    say: Dialect = NGSPICE,
) -> Iterable[str]:
    """What reduced wires are between rows. Rows are held, so no voltage depends on it, and decks do
    without; it does carry power."""
    if not hardware.wired or hardware.segments:
        return
    at, model = _drift(stage, hardware, temp_c)
    rows, ports, start = names.rows(), names.row_ports(), 0
    drift = cell_drift(stage, hardware, at)
    for block in wire_layer(stage.g, hardware, at, entries=True, drift=drift).entries:
        for a, b in np.argwhere(np.triu(block < 0, 1)) + start:
            ohms = format_number(float(-1.0 / block[a - start, b - start]))
            name = f"r_{names.prefix}rows_{ports[a]}_{ports[b]}"
            yield say.resistor(name, rows[a], rows[b], ohms, model)
        start += len(block)


def _drift(stage: CrossbarStage, hardware: Hardware, temp_c: float) -> tuple[float, str]:
    """The temperature at which wires are reduced, and the model of what they become; empty: it
    holds there only."""
    if hardware.wires_scale_with_cells and not (stage.errors and stage.errors.uneven):
        return TEMPERATURE_C, "cell"
    return temp_c, ""


def _explicit(
    stage: CrossbarStage, names: StageNames, hardware: Hardware, say: Dialect
) -> Crossbar:
    """Every segment: along a row from its entry, down a column to its foot."""
    segment = format_number(hardware.r_wire), "wire"

    def body(
        rows: Sequence[str],
        lines: Sequence[str],
        g: np.ndarray,
        say: Dialect,
        own: np.ndarray | None,
    ) -> str:
        text, there = [], [bool(values.any()) for values in g]
        for k in range(there.index(True), len(rows)):  # columns begin at their first cell
            row, below = rows[k], rows[k + 1] if k + 1 < len(rows) else None
            along = [row, *(f"w_{row}_{line}" for line in lines)]
            told = [""] * len(lines) if own is None else own[k]
            cells = zip(pairwise(along), lines, g[k], told, strict=True)
            for (before, here), line, siemens, more in cells:
                foot = f"c_{below}_{line}" if below is not None else line
                if there[k]:
                    ohms, node = format_number(float(1.0 / siemens)), f"c_{row}_{line}"
                    text.append(say.resistor(f"r_{here}", before, here, *segment))
                    text.append(say.resistor(f"r_{row}_{line}", here, node, ohms, f"cell{more}"))
                text.append(say.resistor(f"r_c_{row}_{line}", f"c_{row}_{line}", foot, *segment))
        return "".join(line + "\n" for line in text)

    own = cell_words(stage, say)
    if not hardware.r_driver:
        return _tiles(stage.g, names, hardware, names.rows(), body, say, own)
    entries = [f"{row}_entry" for row in names.rows()]
    made = _tiles(stage.g, names, hardware, entries, body, say, own)
    ohms = format_number(hardware.r_driver)
    made.instances.append("* What drives a row, outside its amplifier's feedback.")
    made.instances += [
        say.resistor(f"r_{row}_driver", row, entry, ohms, "")
        for row, entry in zip(names.there(names.rows()), names.there(entries), strict=True)
    ]
    return made
