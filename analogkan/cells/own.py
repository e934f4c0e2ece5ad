# pyright: strict
"""Cells that a user's netlists bring: what a deck has of their files, and how it names them.

The files with all that they need, flattened, are one more file of the deck, which ngspice reads and
nothing else looks into: it is known by its hash, which is in the cell's name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import NetlistError
from ..files import read_bytes
from ..files import sha256 as sha256_of
from ..schema import Number, Plain, Record, Several, Text
from .base import INPUT, CellKind
from .opamp import NETS, OpAmpKind, Pin

LIBRARY_ENTRY = Record(
    {"subckt": Text(), "pins": Several(Text()), "file": Text(), "sha256": Text()},
    {"refers": Record(more=Text()), "osdi": Text()},
)
"""``Library.told``, in a file."""
_ANYTHING = Plain(most=1_000_000)
_ASSUMED = Record({"c_in": Number(low=0, high=1e-6)}, more=_ANYTHING)
FIGURES_ENTRY = Record(
    {"preset": Record({"assumptions": _ASSUMED}, more=_ANYTHING)}, more=_ANYTHING
)
"""What is read of an op-amp's figures, in a file."""
DIGITS = 8
"""Of a hash, in a name."""
STEPS = 16
"""`python -m benchmarks steps`: with fewer, some circuits fall back to stepping gmin."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """What a deck has of a user's subcircuit.

    Attributes
    ----------
    subckt, pins
        Its name and pins, in its order.
    file
        The name of the user's file.
    text
        All that it needs, and itself: models, sections of libraries, what it includes.
    refers
        Files that ``text`` refers to where they are, and their sha256, where they were not copied.
    osdi
        Compiled models that ``text`` loads; empty: none.
    """

    subckt: str
    pins: tuple[str, ...]
    file: str
    text: str
    refers: tuple[tuple[str, str], ...] = ()
    osdi: bytes = b""

    @cached_property
    def sha256(self) -> str:
        """Of the text, and of what it refers to."""
        told = [self.subckt, self.pins, self.text, [sha256 for _, sha256 in self.refers]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def name(self) -> str:
        """Of the cell in a deck: that of the subcircuit, and a hash."""
        return _name(self.subckt, self.sha256)

    @property
    def deck_file(self) -> str:
        """The file of a deck that holds ``text``."""
        return _deck_file(self.name)

    @property
    def loaded(self) -> dict[str, bytes]:
        """The file that ``text`` loads, by name; none, if it does not."""
        return {osdi_file(self.osdi): self.osdi} if self.osdi else {}

    @property
    def wrapper(self) -> str:
        """The cell as ``cells.cir`` defines it: an instance of the subcircuit."""
        pins = " ".join(self.pins)
        return (
            f"* {self.name}: {self.subckt} of {self.file}, in {self.deck_file}.\n"
            f".subckt {self.name} {pins}\n"
            f"x1 {pins} {self.subckt}\n"
            f".ends {self.name}\n"
        )

    def told(self) -> dict[str, Any]:
        """What a BUILD says of it, beside the file."""
        entry: dict[str, Any] = {
            "subckt": self.subckt, "pins": list(self.pins), "file": self.file,
            "sha256": self.sha256,
        }  # fmt: skip
        entry |= {"osdi": hashlib.sha256(self.osdi).hexdigest()} if self.osdi else {}
        return entry | ({"refers": dict(self.refers)} if self.refers else {})


def osdi_file(osdi: bytes) -> str:
    """The file of a deck that holds compiled models."""
    return _osdi_file(hashlib.sha256(osdi).hexdigest())


def _osdi_file(sha256: str) -> str:
    return f"own_{sha256[:DIGITS]}.osdi"


def loading(osdi: bytes) -> str:
    """The lines by which ngspice loads compiled models from beside the file that they stand in,
    before it reads a circuit; they name them by their whole hash.

    Without a word it spreads them over as many threads as it can have, which wait for each other
    longer than they compute.
    """
    if not osdi:
        return ""
    control = [".control", "pre_set num_threads=1", f"pre_osdi {osdi_file(osdi)}", ".endc"]
    return "\n".join([f"* {hashlib.sha256(osdi).hexdigest()}", *control, ""])


def read_library(entry: Mapping[str, Any], folder: Path) -> Library:
    """The library of which the summary of a deck's ``folder`` says ``entry``.

    Raises
    ------
    NetlistError
        If it, or what it refers to, is gone or is not what was compiled.
    """
    refers = tuple(entry.get("refers", {}).items())
    for name, sha256 in refers:
        if not Path(name).is_file() or sha256_of(Path(name)) != sha256:
            raise NetlistError(
                f"{folder} refers to {name}, which is gone or no more what it was compiled with: "
                "compile the model again; without --refer models are copied into the BUILD"
            )
    path = folder / _deck_file(_name(entry["subckt"], entry["sha256"]))
    compiled = folder / _osdi_file(entry.get("osdi", ""))
    try:
        text = read_bytes(path).decode("utf-8")
        osdi = read_bytes(compiled) if "osdi" in entry else b""
    except (ValueError, OSError) as error:
        raise NetlistError(f"cannot read {path}: {error}: compile the model again") from error
    found = Library(
        subckt=entry["subckt"],
        pins=tuple(entry["pins"]),
        file=entry["file"],
        text=text,
        refers=refers,
        osdi=osdi,
    )
    if found.told().get("osdi") != entry.get("osdi"):
        raise NetlistError(
            f"{compiled} is not what was compiled of {found.file}: compile the model again"
        )
    if found.sha256 != entry["sha256"]:
        raise NetlistError(
            f"{path} is not what was compiled of {found.file}: compile the model again, with that "
            "file as it is to be"
        )
    return found


def _deck_file(name: str) -> str:
    return f"own_{name}.cir"


def _name(subckt: str, sha256: str) -> str:
    return f"{re.sub('[^a-z0-9_]', '_', subckt.lower())}_{sha256[:DIGITS]}"


@dataclass(frozen=True, kw_only=True)
class OfLibrary:
    """What kinds of cells of users' netlists have in place of a file of their own.

    Attributes
    ----------
    library
        What a deck has of it.
    """

    library: Library

    @property
    def text(self) -> str:
        """The cell as it is defined."""
        return self.library.wrapper

    def check(self) -> None:
        """Nothing: its file was checked where it was read."""


@dataclass(frozen=True, kw_only=True)
class OwnOpAmp(OfLibrary, OpAmpKind):
    """An op-amp of a user's netlist, for which its macro-model stands in closed form."""

    @property
    def boxed(self) -> bool:
        return True


def own_opamp(library: Library) -> OwnOpAmp:
    """The op-amp that is a ``library``'s subcircuit."""
    return OwnOpAmp(
        name=library.name,
        pins=tuple(Pin(name, NETS[name]) for name in library.pins),
        gain=lambda hardware: hardware.opamp_gain,
        macro=True,
        steps=STEPS,
        library=library,
    )


@dataclass(frozen=True, kw_only=True)
class OwnTransistor(OfLibrary, CellKind):
    """An NPN transistor of a user's netlist, for which the closed form of the pairs has a current
    gain and an Early voltage; its pins are ``c``, ``b``, ``e`` and perhaps ``s``, the substrate.
    """

    block: str = "transistor"


def own_transistor(library: Library) -> OwnTransistor:
    """The transistor that is a ``library``'s subcircuit."""
    pins = tuple(Pin(name, INPUT) for name in library.pins)
    return OwnTransistor(name=library.name, pins=pins, library=library)
