"""The definitions of a deck: its subcircuits against the cell library, its models."""

from __future__ import annotations

import re
from pathlib import Path

from .. import cells, resources
from .deck import Deck
from .lines import definition, read_library
from .netlist import Netlist

OPAMP = re.compile(r"x1 inp inn out opamp_(ideal|gain gain=[0-9.e+-]+)")
OPAMP_PORTS = "inp inn out a=1 drift=0 vos=0"


def definition_differences(netlist: Netlist) -> list[str]:
    """Subcircuits that are neither a cell of the library to the letter, nor a diode or a tile.

    What the cells do is found from their elements too (``blocks``); to the letter, since ngspice
    could read a line otherwise than we do.
    """
    said = []
    for kind, lines in netlist.definitions.items():
        library = _library(kind)
        if kind == "opamp":
            if lines[0] != OPAMP_PORTS or len(lines) != 2 or not OPAMP.fullmatch(lines[1]):
                said.append(f"opamp is not one of the library's op-amps but {lines[1:]}")
        elif kind.startswith("diode_"):
            if lines[0] != "a c" or len(lines) != 2 or not lines[1].startswith("b"):
                said.append(f"{kind} is not one source between a and c")
        elif not library.is_file():
            said.append(f"{kind} is no cell of the library")
        else:
            said += _library_differences(kind, lines, definition(read_library(library)[kind]))
    return said


def _library(kind: str) -> Path:
    """The file of a cell, or of an op-amp."""
    declared = cells.find(kind)
    return declared.path if declared else resources.path("netlists/cells") / f"{kind}.lib"


def _library_differences(kind: str, lines: list[str], wanted: list[str]) -> list[str]:
    if lines == wanted:
        return []
    at = next((k for k, (a, b) in enumerate(zip(lines, wanted, strict=False)) if a != b), -1)
    what = f"{lines[at]!r} instead of {wanted[at]!r}" if at >= 0 else "more or fewer lines"
    return [f"cell {kind} is not the library's: {what}"]


def model_differences(build: Deck, netlist: Netlist) -> list[str]:
    """The ``.model`` lines: resistors' drift, transistors."""
    hw = build.design.hardware
    wanted = {
        "cell": f"r(tc1={hw.cell_tc1!r} tc2={hw.cell_tc2!r})",
        "feedback": f"r(tc1={hw.feedback_tc1!r} tc2={hw.feedback_tc2!r})",
    }
    if hw.segments:
        wanted["wire"] = f"r(tc1={hw.wire_tc1!r} tc2=0.0)"
    if any("npn" in layer.squash.models for layer in build.spec.fronted):
        wanted["npn"] = f"npn(is=1e-16 bf={hw.npn_bf!r} vaf={hw.npn_vaf!r})"
    return [
        f"model {name} is {netlist.models.get(name, 'missing')}, not {wanted.get(name, 'known')}"
        for name in sorted({*netlist.models, *wanted})
        if netlist.models.get(name) != wanted.get(name)
    ]
