# pyright: strict
"""Cells of a user's netlists in the place of the library's: read, measured, and known by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import cells
from ..compiler.hardware import Hardware
from ..errors import SettingsError
from ..network.spec import NetworkSpec
from ..opamps.flatten import library_of
from ..opamps.libraries import Include, resolve
from ..opamps.preset import write_preset
from ..opamps.source import OpAmpFile, check_models, read_opamp
from ..text import nearest

OPAMP = "opamp"
PLACES = (OPAMP,)
"""What a user's cell may stand in the place of."""


@dataclass(frozen=True, kw_only=True)
class OwnCells:
    """What is asked for.

    Attributes
    ----------
    files
        ``FILE`` or ``FILE:SUBCKT`` by place.
    include
        Models beside them, as for ``characterise``.
    refer
        Name models where they are, instead of copying them.
    osdi
        What models of a diode's netlist are of: Verilog-A, or compiled.
    """

    files: Mapping[str, str] = field(default_factory=dict[str, str])
    include: Sequence[str] = ()
    refer: bool = False
    osdi: Path | None = None

    @property
    def diodes(self) -> dict[str, str]:
        """Those in the place of devices."""
        return {place: file for place, file in self.files.items() if place.startswith(cells.DIODE)}

    def __post_init__(self) -> None:
        if self.osdi is not None and not self.diodes:
            raise SettingsError(
                f"osdi {self.osdi} is what a diode's netlist is of: give one with --cell "
                f"{cells.DIODE}NAME=FILE"
            )
        for place in self.files:
            if place not in (*PLACES, *self.diodes):
                raise SettingsError(
                    f"there is no cell {place!r} to be replaced{nearest(place, PLACES)} "
                    f"Known: {', '.join(PLACES)}, and {cells.DIODE}NAME of each device"
                )
        if self.include and not self.files:
            raise SettingsError("include names models of a cell of yours: give one with --cell")


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What came of it: the hardware that names them, files for the BUILD beside the deck's, and
    what its summary says."""

    hardware: Hardware
    beside: Mapping[str, str]
    told: Mapping[str, Any]


def parse_cells(texts: Iterable[str]) -> dict[str, str]:
    """Files by place, of ``PLACE=FILE`` texts; SettingsError of what is none, or is there twice."""
    found: dict[str, str] = {}
    for text in texts:
        place, equals, file = text.partition("=")
        if not (place and equals and file):
            raise SettingsError(f"cell {text!r} is not PLACE=FILE, such as opamp=mine.lib")
        if place in found:
            raise SettingsError(f"cell {place} is given twice: {found[place]} and {file}")
        found[place] = file
    return found


def fitted(own: OwnCells, spec: NetworkSpec, hardware: Hardware, chosen: Collection[str]) -> Fitted:
    """Measure the op-amp in ngspice, and choose hardware for it; ``chosen`` are settings that stay
    as they are.

    Raises
    ------
    SettingsError
        If another op-amp is chosen too, or what is given is out of its range.
    NetlistError
        If a file is no such cell's.
    SimulationError
        As for ``characterise``.
    CompileError
        If the op-amp cannot do what the network asks.
    """
    if OPAMP in chosen:
        raise SettingsError(
            f"opamp = {hardware.opamp} and a cell {OPAMP} of your own are two op-amps: leave one "
            "out"
        )
    file, includes = _read(own)
    library = library_of(file, includes, refer=own.refer)
    kind = cells.own(cells.own_opamp(library))
    figures = _measured(own, file, hardware, chosen)
    tables: dict[str, dict[str, float]] = figures.summary["preset"]
    free = {key: x for key, x in tables["hardware"].items() if key not in chosen}
    fits = replace(hardware, opamp=kind.name, **free)
    told = {"opamp": figures.to_document()}
    return Fitted(hardware=fits, beside={"opamp.toml": write_preset(figures.summary)}, told=told)


def split(text: str) -> tuple[Path, str | None]:
    """File and subcircuit of ``FILE`` or ``FILE:SUBCKT``."""
    name, colon, subckt = text.rpartition(":")
    if colon and not Path(text).exists() and not any(sign in subckt for sign in "/\\"):
        return Path(name), subckt
    return Path(text), None


def _read(own: OwnCells) -> tuple[OpAmpFile, tuple[Include, ...]]:
    from .characterising import shipped_or

    path, subckt = split(own.files[OPAMP])
    given = [one for text in own.include for one in resolve(text, Path.cwd())]
    file = read_opamp(shipped_or(path), subckt, [one.path.parent for one in given])
    includes = given or [
        one for text in file.values("include") for one in resolve(text, file.path.parent)
    ]
    check_models(includes)
    return file, tuple(includes)


def _measured(own: OwnCells, file: OpAmpFile, hardware: Hardware, chosen: Collection[str]) -> Any:
    from .characterising import characterise

    rail = hardware.v_rail if "v_rail" in chosen else None
    return characterise(
        file.path,
        subckt=file.name,
        vdd=rail,
        vss=None if rail is None else -rail,
        include=own.include,
        progress=False,
    )
