"""The files that a deck includes, whatever drives it: users' netlists, cells, layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..dialects import NGSPICE, Dialect
from ..errors import CompileError
from ..files import write_parts
from . import spice, spice_cells
from .design import Design


def format_circuit(
    design: Design, temp_c: float = spice_cells.TEMPERATURE_C, say: Dialect = NGSPICE
) -> Iterator[tuple[str, Iterable[str]]]:
    """The files that a deck is made of: each one's name, and its text in parts.

    Raises
    ------
    CompileError
        If the dialect cannot say something that the circuit needs.
    """
    texts = design.hardware.own_files
    if texts and say is not NGSPICE:
        raise CompileError(
            f"{design.name} has cells of netlists of its own, which are in ngspice's words: "
            f"{say.name} cannot be given them; leave --dialect, or --engine, out"
        )
    for name, text in texts.items():
        yield name, [text]
    yield spice.CELLS, [spice_cells.write_cells(design, say, temp_c=temp_c)]
    for k in range(len(design.stages)):
        yield spice.layer_file(k), spice.format_layer(design, k, temp_c, say)


def write_circuit(
    design: Design, temp_c: float = spice_cells.TEMPERATURE_C, say: Dialect = NGSPICE
) -> dict[str, str]:
    """``format_circuit``, with whole texts."""
    return {name: "".join(parts) for name, parts in format_circuit(design, temp_c, say)}


def write_deck(
    design: Design,
    folder: Path,
    temp_c: float = spice_cells.TEMPERATURE_C,
    say: Dialect = NGSPICE,
) -> None:
    """Write what every deck of a design at ``temp_c`` includes or loads."""
    for name, parts in format_circuit(design, temp_c, say):
        write_parts(folder / name, parts)
    for name, osdi in design.hardware.loaded.items():
        (folder / name).write_bytes(osdi)
