# pyright: strict
"""A diode's model: a netlist, Verilog-A or what is compiled of it, as files of a deck."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..cells import Library
from ..cells.own import loading
from ..engines.others import compile_verilog
from ..errors import NetlistError
from ..files import read_bytes, read_text
from ..opamps.flatten import library_of
from ..opamps.libraries import Include
from ..opamps.source import check_models, read_cell

PINS = ("a", "c")
"""Anode and cathode."""
VERILOG, OSDI = ".va", ".osdi"
MODULE = re.compile(r"\bmodule\s+(\w+)\s*\(([^)]*)\)\s*;")
COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
NAME = re.compile(r"[A-Za-z]\w*")


def read_diode(
    path: Path,
    *,
    osdi: Path | None = None,
    subckt: str | None = None,
    includes: Sequence[Include] = (),
    refer: bool = False,
) -> Library:
    """The diode of a netlist, of a Verilog-A module, or of what is compiled of one.

    Parameters
    ----------
    path
        A ``.va`` or ``.osdi`` file of a module of two terminals, the anode first unless they are
        called c and a; or a netlist with a ``.subckt`` of the pins a and c.
    osdi
        What such a netlist's models are of: Verilog-A, or compiled.
    subckt
        Which subcircuit, where the netlist has several.
    includes, refer
        Its models, which are copied, or named where they are.

    Raises
    ------
    NetlistError
        If a file cannot be read, or is no diode's.
    SimulationError
        If Verilog-A cannot be compiled.
    """
    if path.suffix.lower() in (VERILOG, OSDI):
        for option, given in (("osdi", osdi), ("subckt", subckt), ("include", includes)):
            if given:
                raise NetlistError(
                    f"{option} is of a netlist, and {path.name} is none: leave it out"
                )
        return _of_module(path)
    check_models(includes)
    file = read_cell(
        path, subckt, [one.path.parent for one in includes], wanted=PINS, what="a diode"
    )
    found = library_of(file, includes, refer=refer)
    return found if osdi is None else _with(found, _compiled(osdi))


def _with(library: Library, osdi: bytes) -> Library:
    return replace(library, text=f"{loading(osdi)}{library.text}", osdi=osdi)


def _of_module(path: Path) -> Library:
    module, pins = _module(path)
    a, c = pins
    text = (
        f"* {path.name}\n.subckt {module}_model {a} {c}\nn1 {a} {c} card\n"
        f".model card {module}\n.ends {module}_model\n"
    )
    found = Library(subckt=f"{module}_model", pins=pins, file=path.name, text=text)
    return _with(found, _compiled(path))


def _module(path: Path) -> tuple[str, tuple[str, ...]]:
    """Name and pins of the module of a file; of what is compiled the file's name tells it."""
    if path.suffix.lower() == OSDI:
        if not NAME.fullmatch(path.stem):
            raise NetlistError(
                f"{path}: the module in an .osdi file is taken to be called as the file is, and "
                f"{path.stem!r} is no name: rename it, or give a netlist, and this with --osdi"
            )
        return path.stem.lower(), PINS
    try:
        text = COMMENTS.sub("", read_text(path))
    except (ValueError, OSError) as error:
        raise NetlistError(f"cannot read {path}: {error}") from error
    found = MODULE.findall(text)
    names = [name for name, _ in found]
    if len(found) != 1:
        raise NetlistError(
            f"{path} has {len(found)} modules{': ' * bool(names)}{', '.join(names)}: a diode is "
            "one; take the others out, or give a netlist that has its .model, and this with --osdi"
        )
    ports = [port.split()[-1].lower() for port in found[0][1].split(",") if port.split()]
    if len(ports) != 2:
        raise NetlistError(
            f"{path}: module {names[0]} has {len(ports)} ports ({', '.join(ports)}), and a diode "
            "has an anode and a cathode: connect the others inside"
        )
    return names[0].lower(), ("c", "a") if ports == ["c", "a"] else PINS


def _compiled(path: Path) -> bytes:
    """The bytes of an OSDI file, or of one that is compiled of Verilog-A."""
    if not path.is_file():
        raise NetlistError(f"there is no file {path}")
    if path.suffix.lower() != VERILOG:
        try:
            return read_bytes(path)
        except ValueError as error:
            raise NetlistError(f"cannot read {path}: {error}") from error
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"{path.stem}{OSDI}"
        compile_verilog(path, target)
        return target.read_bytes()
