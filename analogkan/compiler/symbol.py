"""The network as one symbol: a subcircuit that holds the circuit, a deck around it, symbols.

The cells stand inside the subcircuit, where simulators keep definitions to themselves: so two
networks on a sheet each have their own. So have they supplies: to ngspice a global net wins over a
pin of its name, so none is global here, and every cell with an op-amp in it has pins for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..dialects import NGSPICE
from ..dialects.words import format_comment, format_wrapped
from ..files import write_text
from . import spice, spice_cells
from .design import Design
from .names import SYMBOL_TOP, dacs_of, symbol_name, symbol_pins
from .symbol_files import format_kicad, format_xschem, place_pins

NET = re.compile(r"\bl\d+_[vxy]\d+\b")
"""A net of a layer's inputs or outputs, as a word of its own."""
CELL = re.compile(r"^\.subckt (\S+) (.*?)^\.ends", re.MULTILINE | re.DOTALL)


def write_symbol(design: Design, folder: Path, top: str) -> None:
    """Write the folder of ``design`` as one symbol; ``top`` is the text of its deck."""
    name = symbol_name(design)
    pins = place_pins(list(symbol_pins(design)))
    texts = design.hardware.own_files
    texts |= {
        f"{name}.cir": format_symbol_circuit(design),
        SYMBOL_TOP: top,
        f"{name}.kicad_sym": format_kicad(name, pins),
        f"{name}.sym": format_xschem(name, pins),
    }
    folder.mkdir()
    for file, text in texts.items():
        write_text(folder / file, text)
    for file, osdi in design.hardware.loaded.items():
        (folder / file).write_bytes(osdi)


def format_symbol_circuit(design: Design) -> str:
    """The subcircuit, cells and layers as they are in the deck, inputs and outputs as its pins."""
    name, pins = symbol_name(design), symbol_pins(design)
    own = {net: pin for pin, net in pins.items()}
    layers = [spice.write_layer(design, k) for k in range(len(design.stages))]
    inside = [NET.sub(lambda net: own.get(net[0], net[0]), text) for text in layers]
    cells = spice_cells.write_cells(design)
    for line in spice_cells.format_supplies(design):
        cells = cells.replace(f"{line}\n", "", 1)
    first, last = NGSPICE.subcircuit(name, list(pins), {})
    idle = [pin for pin, there in zip(pins, dacs_of(design), strict=False) if not there]
    told = [
        f"{name}: {design.name} as one subcircuit. Inputs v0 and on are volts of the DACs, outputs "
        f"y0 and on volts, of which {design.v_per_logit:.6g} are a logit."
    ]
    needs = design.hardware.own_files
    told += [f"Include before it: {' '.join(needs)}."] if needs else []
    told += [f"Led to nothing inside: {' '.join(idle)}."] if idle else []
    head = [*map(format_comment, told), format_wrapped(" ".join(first[:2]), first[2:])]
    text = "\n".join([*head, cells, *inside, last]) + "\n"
    supplies = design.hardware.supplies
    return _hand_down(text, supplies, design.hardware.opamps) if supplies else text


def _hand_down(text: str, supplies: Sequence[str], opamps: Iterable[str]) -> str:
    """``text`` with pins of the names ``supplies`` for the subcircuits ``opamps``, and for what has
    one inside."""
    holders: set[str] = set()
    more = {*opamps}
    while more - holders:
        holders |= more
        more = {cell for cell, lines in CELL.findall(text) if _instances(holders).search(lines)}
    pins, names = " ".join(supplies), "|".join(holders)
    heads = rf"(?m)^(\.subckt (?:{names})(?: \w+)*)(?= params:|$)"
    return _instances(holders).sub(rf"\1 {pins}\2", re.sub(heads, rf"\1 {pins}", text))


def _instances(cells: Iterable[str]) -> re.Pattern[str]:
    """Of ``cells``: name and nets, then the cell and its settings."""
    return re.compile(rf"(?m)^( *x.*)( (?:{'|'.join(cells)})(?: \S+=\S+)*)$")


def format_around(design: Design, volts: np.ndarray) -> list[str]:
    """What stands around the subcircuit: the DACs at ``volts`` (I,), supplies, its instance."""
    name = symbol_name(design)
    first, *rest = NGSPICE.instance(f"x_{name}", list(symbol_pins(design).values()), name, {})
    own = design.hardware.own_files
    return [
        *map(NGSPICE.include, [*own, f"{name}.cir"]),
        "",
        "* The input DACs, set to image 0, and the network.",
        *spice.format_inputs(design, volts),
        *spice_cells.format_supplies(design)[1:],
        format_wrapped(first, rest),
    ]
