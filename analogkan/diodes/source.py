# pyright: strict
"""A diode's model: a netlist, Verilog-A or what is compiled of it, as files of a deck."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..engines.others import compile_verilog
from ..errors import NetlistError
from ..files import read_bytes, read_text
from ..opamps.source import read_cell

PINS = ("a", "c")
"""Anode and cathode."""
VERILOG, OSDI = ".va", ".osdi"
MODULE = re.compile(r"\bmodule\s+(\w+)\s*\(([^)]*)\)\s*;")
COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
NAME = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True, kw_only=True)
class DiodeModel:
    """A diode's subcircuit, and what is compiled for it.

    Attributes
    ----------
    subckt, pins
        Its name and pins, in its order.
    file
        The name of the user's file.
    netlist
        Its text.
    osdi
        What ngspice loads before it reads the netlist; empty: nothing.
    """

    subckt: str
    pins: tuple[str, ...]
    file: str
    netlist: str
    osdi: bytes = b""

    @property
    def text(self) -> str:
        """What a deck includes."""
        return f"{_loading(self.osdi)}{self.netlist}"

    @property
    def deck_file(self) -> str:
        """The file of a deck that holds ``text``."""
        return f"own_{self.subckt}_{_digits(self.text.encode())}.cir"

    @property
    def files(self) -> dict[str, bytes]:
        """Files of a deck by name."""
        found = {self.deck_file: self.text.encode()}
        return found | ({osdi_file(self.osdi): self.osdi} if self.osdi else {})


def _digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def osdi_file(osdi: bytes) -> str:
    """The file of a deck that holds ``osdi``."""
    return f"own_{_digits(osdi)}{OSDI}"


def _loading(osdi: bytes) -> str:
    """Lines that load ``osdi`` before the circuit is read, from beside it."""
    return f".control\npre_osdi {osdi_file(osdi)}\n.endc\n" if osdi else ""


def read_diode(path: Path, *, osdi: Path | None = None, subckt: str | None = None) -> DiodeModel:
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

    Raises
    ------
    NetlistError
        If a file cannot be read, or is no diode's.
    SimulationError
        If Verilog-A cannot be compiled.
    """
    if path.suffix.lower() in (VERILOG, OSDI):
        for option, given in (("--osdi", osdi), ("--subckt", subckt)):
            if given is not None:
                raise NetlistError(
                    f"{option} {given} is of a netlist, and {path.name} is none: leave it out"
                )
        module, pins = _module(path)
        netlist = (
            f"* {path.name}\n.subckt {module}_model {pins[0]} {pins[1]}\n"
            f"n1 {pins[0]} {pins[1]} {module}_card\n.model {module}_card {module}\n"
            f".ends {module}_model\n"
        )
        return DiodeModel(
            subckt=f"{module}_model", pins=pins, file=path.name, netlist=netlist,
            osdi=_compiled(path),
        )  # fmt: skip
    found = read_cell(path, subckt, wanted=PINS, what="a diode")
    return DiodeModel(
        subckt=found.name.lower(),
        pins=found.pins,
        file=path.name,
        netlist=read_text(found.path),
        osdi=b"" if osdi is None else _compiled(osdi),
    )


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
