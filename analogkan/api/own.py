# pyright: strict
"""Cells of a user's netlists in the place of the library's: read, measured, and known by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import cells, resources
from ..compiler.hardware import Hardware
from ..engines.ngspice import Runner, find_ngspice
from ..errors import SettingsError
from ..network.spec import NetworkSpec
from ..opamps.demand import check_demand, loads_wanted
from ..opamps.flatten import library_of
from ..opamps.libraries import Include, resolve
from ..opamps.preset import write_preset
from ..opamps.sizing import decks_of, size_hardware
from ..opamps.source import OpAmpFile, check_models, read_opamp
from ..opamps.transistor import measure_transistor, read_transistor
from ..text import nearest
from .characterising import characterise, shipped_or, supplies_of

OPAMP, NPN = "opamp", "npn"
PLACES = (OPAMP, NPN)
"""What a user's cell may stand in the place of."""
PRESET = "opamp.toml"
"""The file of a BUILD with the macro-model of its op-amp, for studies."""


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
    draws
        Op-amps drawn by the library's mismatch, for the offsets of chips.
    osdi
        What models of a diode's netlist are of: Verilog-A, or compiled.
    """

    files: Mapping[str, str] = field(default_factory=dict[str, str])
    include: Sequence[str] = ()
    refer: bool = False
    draws: int = 0
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
        if self.draws and OPAMP not in self.files:
            raise SettingsError("draws are of an op-amp of yours: give one with --cell opamp=FILE")
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


def with_opamp(
    own: OwnCells,
    spec: NetworkSpec,
    hardware: Hardware,
    chosen: Collection[str],
    most: int | None,
) -> Fitted:
    """The op-amp, measured, and hardware that is sized for it."""
    if OPAMP in chosen:
        raise SettingsError(
            f"opamp = {hardware.opamp} and a cell {OPAMP} of your own are two op-amps: leave one "
            "out"
        )
    file, includes = _read(own)
    library = library_of(file, includes, refer=own.refer)
    kind = cells.own(cells.own_opamp(library))
    rail = hardware.v_rail if "v_rail" in chosen else min(supplies_of(file))
    asked = replace(hardware, opamp=kind.name, v_rail=rail)
    figures = characterise(
        file.path,
        subckt=file.name,
        vdd=rail if "v_rail" in chosen else None,
        vss=-rail if "v_rail" in chosen else None,
        include=own.include,
        load=loads_wanted(decks_of(spec, asked, most)),
        draws=own.draws,
        progress=False,
    )
    nominal = figures.summary["conditions"][figures.summary["nominal"]]
    fits, notes = size_hardware(nominal, spec, asked, chosen, most)
    demands = [
        asdict(one)
        for design, part in decks_of(spec, fits, most)
        for one in check_demand(nominal, design, part)
    ]
    told = {"opamp": figures.to_document(), "opamp_notes": notes, "opamp_asked": demands}
    preset = write_preset(figures.summary, fits)
    return Fitted(hardware=fits, beside={PRESET: preset}, told=told)


def with_npn(own: OwnCells, spec: NetworkSpec, found: Fitted, chosen: Collection[str]) -> Fitted:
    """``found`` with the transistor too, measured at what the pairs ask of it."""
    hw = found.hardware
    if NPN in chosen:
        raise SettingsError(
            f"npn = {hw.npn} and a cell {NPN} of your own are two transistors: leave one out"
        )
    if not any("npn" in layer.squash.models for layer in spec.fronted):
        raise SettingsError(
            f"cell {NPN} stands in transistor pairs, those of sigmoid and tanh cells, and "
            f"{spec.name} has none: leave it out"
        )
    (path, subckt), given = split(own.files[NPN]), _given(own)
    file = read_transistor(_shipped(path), subckt, [one.path.parent for one in given])
    includes = _models(file, given)
    kind = cells.own(cells.own_transistor(library_of(file, includes, refer=own.refer)))
    low = -hw.v_rail if "vss" in hw.amplifier.supplies else 0.0
    gains = measure_transistor(
        file, includes, Runner(find_ngspice()), i_tail=hw.i_tail, v_substrate=low
    )
    free = {"npn_bf": gains.bf, "npn_vaf": gains.v_early}
    fits = replace(hw, npn=kind.name, **{k: x for k, x in free.items() if k not in chosen})
    return replace(found, hardware=fits, told={**found.told, NPN: asdict(gains)})


def _shipped(path: Path) -> Path:
    """The file of a shipped transistor of that name, or the file itself."""
    shipped = {file.stem: file for file in resources.path("netlists/pairs").glob("*.lib")}
    return path if path.exists() else shipped.get(str(path), path)


def split(text: str) -> tuple[Path, str | None]:
    """File and subcircuit of ``FILE`` or ``FILE:SUBCKT``."""
    name, colon, subckt = text.rpartition(":")
    if colon and not Path(text).exists() and not any(sign in subckt for sign in "/\\"):
        return Path(name), subckt
    return Path(text), None


def _read(own: OwnCells) -> tuple[OpAmpFile, tuple[Include, ...]]:
    (path, subckt), given = split(own.files[OPAMP]), _given(own)
    file = read_opamp(shipped_or(path), subckt, [one.path.parent for one in given])
    return file, _models(file, given)


def _given(own: OwnCells) -> list[Include]:
    """The models that are asked for."""
    return [one for text in own.include for one in resolve(text, Path.cwd())]


def _models(file: OpAmpFile, given: list[Include]) -> tuple[Include, ...]:
    """Those that are ``given``, or that a file says itself."""
    includes = given or [
        one for text in file.values("include") for one in resolve(text, file.path.parent)
    ]
    check_models(includes)
    return tuple(includes)
