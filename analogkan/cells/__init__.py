"""Cells, each declared once: what stands between the diodes, as pins, parameters and curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from .. import outside
from ..errors import NetlistError
from ..objects import require_type
from .amplifiers import AMPLIFIERS
from .base import (
    EXACT,
    INPUT,
    NUMPY,
    OPAMP,
    OPAMPS,
    OUTPUT,
    CellKind,
    CellPower,
    Param,
    Pin,
    Registry,
    SquashKind,
    same,
)
from .layernorm import LAYERNORM
from .noise import NOISE
from .opamp import OPAMPS as KINDS
from .opamp import SUPPLIES, SUPPLY, OpAmpKind
from .own import (
    FIGURES_ENTRY,
    LIBRARY_ENTRY,
    Library,
    OfLibrary,
    OwnOpAmp,
    OwnTransistor,
    own_opamp,
    own_transistor,
    read_library,
)
from .squash import CLAMP, SIGMOID, TANH

Own = TypeVar("Own", OwnOpAmp, OwnTransistor)
_registry = Registry()
_diodes: dict[str, Library] = {}
_OWN_OPAMPS = (OPAMP, *OPAMPS.values())
DIODE = "diode_"
"""What the place of a diode begins with, before the device's name."""
for _kind in (*KINDS, *AMPLIFIERS, *LAYERNORM, *NOISE, CLAMP, SIGMOID, TANH):
    _registry.add(_kind)

__all__ = [
    "DIODE",
    "EXACT",
    "FIGURES_ENTRY",
    "INPUT",
    "LIBRARY_ENTRY",
    "NUMPY",
    "OPAMP",
    "OPAMPS",
    "OUTPUT",
    "SUPPLIES",
    "SUPPLY",
    "CellKind",
    "CellPower",
    "Library",
    "OfLibrary",
    "OpAmpKind",
    "OwnOpAmp",
    "OwnTransistor",
    "Param",
    "Pin",
    "SquashKind",
    "add_library",
    "are_own_opamps",
    "diodes",
    "find",
    "known",
    "opamps",
    "own",
    "own_diode",
    "own_opamp",
    "own_transistor",
    "read_own",
    "register",
    "same",
    "squash_kind",
    "squashes",
    "transistors",
    "unregister",
]


def register(kind: CellKind) -> None:
    """Add a kind of cell from outside; it is then as good as the built-in ones.

    Raises
    ------
    CompileError
        If its name is taken, or its file has other pins or parameters than declared.
    SettingsError
        If it is no cell, or its file is not in the folder of the one that registers it.
    """
    require_type(kind, CellKind, "kind", "a CellKind, such as a SquashKind")
    kind.check()
    _registry.require_new(kind)
    outside.note((outside.CELL, kind.name), kind.lib)
    _registry.add(kind)


def own(kind: Own) -> Own:
    """Add a kind of a user's netlist, if it is not there yet; names tell what they are of."""
    _registry.kinds.setdefault(kind.name, kind)
    return kind


def own_diode(library: Library) -> str:
    """Add a diode of a user's model, if it is not there yet; its name."""
    return _diodes.setdefault(library.name, library).name


def diodes() -> dict[str, Library]:
    """Diodes of users' models by name."""
    return dict(_diodes)


def are_own_opamps(names: Mapping[str, str]) -> bool:
    """Whether these, of ``rows``, ``lines`` or ``outputs``, are op-amps of users' netlists."""
    return all(
        f"{OPAMP}_{of}" in OPAMPS.values() and isinstance(find(name), OwnOpAmp)
        for of, name in names.items()
    )


def read_own(place: str, entry: Mapping[str, Any], folder: Path) -> None:
    """Add the kind that a deck in ``folder`` has in the ``place`` of a cell, as its summary tells.

    Raises
    ------
    NetlistError
        As ``own.read_library``, or if there is no such place.
    """
    if place not in (*_OWN_OPAMPS, "npn") and not place.startswith(DIODE):
        raise NetlistError(f"{folder} has a cell {place} of its own, of which nothing is known")
    add_library(place, read_library(entry, folder))


def add_library(place: str, library: Library) -> None:
    """Add the kind that a ``library`` is in the ``place`` of a cell."""
    if place.startswith(DIODE):
        own_diode(library)
    elif place in _OWN_OPAMPS:
        own(own_opamp(library))
    else:
        own(own_transistor(library))


def unregister(name: str) -> None:
    """Take back the kind of that name, which was registered."""
    del _registry.kinds[name]
    outside.drop((outside.CELL, name))


def find(name: str) -> CellKind | None:
    """The kind of that name, if there is one."""
    return _registry.kinds.get(name)


def known() -> tuple[CellKind, ...]:
    """Every kind, in the order in which they were declared."""
    return tuple(_registry.kinds.values())


def squashes() -> dict[str, SquashKind]:
    """The squash kinds by name; ``none``, a wire, is not among them."""
    return {kind.name: kind for kind in known() if isinstance(kind, SquashKind)}


def squash_kind(name: str) -> SquashKind:
    """The squash kind of that name, which must be one."""
    return squashes()[name]


def transistors() -> dict[str, OwnTransistor | None]:
    """Transistors of the pairs by the values of ``npn`` that choose them; None is the model of
    ``npn_bf`` and ``npn_vaf``."""
    return {"model": None} | {
        kind.name: kind for kind in known() if isinstance(kind, OwnTransistor)
    }


def opamps() -> dict[str, OpAmpKind]:
    """The kinds of op-amp by the values of ``opamp`` that choose them; those with rails last."""
    kinds = [kind for kind in known() if isinstance(kind, OpAmpKind)]
    found = {kind.value: kind for kind in kinds} | {kind.railed: kind for kind in kinds}
    return {value: kind for value, kind in found.items() if value}
