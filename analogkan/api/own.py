# pyright: strict
"""Cells of a user's netlists in the place of the library's: read, measured, and known by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .. import cells
from ..compiler.deck import OPAMP_PRESET
from ..compiler.hardware import Hardware
from ..engines.ngspice import Runner, find_ngspice
from ..errors import SettingsError
from ..network.spec import NetworkSpec
from ..opamps.demand import amplifiers_at, check_demand, loads_wanted, nominal_figures
from ..opamps.flatten import library_of
from ..opamps.libraries import Include, resolve
from ..opamps.preset import write_preset
from ..opamps.result import OpAmpFigures
from ..opamps.sizing import Deck, decks_of, size_hardware
from ..opamps.source import OpAmpFile, check_models, read_opamp
from ..opamps.transistor import measure_transistor, read_transistor
from .characterising import characterise, shipped_or, supplies_of
from .replacing import NPN, OPAMP, OPAMPS, OwnCells


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What came of it: the hardware that names them, files for the BUILD beside the deck's, and
    what its summary says."""

    hardware: Hardware
    beside: Mapping[str, str]
    told: Mapping[str, Any]


def with_opamp(
    own: OwnCells,
    spec: NetworkSpec,
    hardware: Hardware,
    chosen: Collection[str],
    most: int | None,
) -> Fitted:
    """The op-amps, measured, and hardware that is sized for them."""
    if OPAMP in chosen:
        raise SettingsError(
            f"opamp = {hardware.opamp} and a cell {OPAMP} of your own are two op-amps: leave one "
            "out"
        )
    given = {place: _read(own, text) for place, text in own.opamps.items()}
    libraries = _libraries(given, refer=own.refer)
    names = {place: cells.own(cells.own_opamp(one)).name for place, one in libraries.items()}
    least = min(min(supplies_of(file)) for file, _ in given.values())
    rail = hardware.v_rail if "v_rail" in chosen else least
    others = [place for place in names if place != OPAMP]
    asked = replace(
        hardware,
        opamp=names[OPAMP],
        own_opamps=",".join(f"{one.removeprefix(f'{OPAMP}_')}={names[one]}" for one in others),
        v_rail=rail,
    )
    decks = decks_of(spec, replace(asked, c_f=0.0), most)
    measured = _measured(own, given, names, decks, rail)
    summaries = {place: one.summary for place, one in measured.items()}
    figures = nominal_figures(summaries)
    nominal = figures.pop(OPAMP)
    fits, notes = size_hardware(nominal, spec, asked, chosen, most, figures)
    decks = decks_of(spec, fits, most)
    demands = [asdict(one) for deck in decks for one in check_demand(nominal, *deck, figures)]
    told = {place: one.to_document() for place, one in measured.items()}
    told |= {"opamp_notes": notes, "opamp_asked": demands}
    preset = write_preset(summaries.pop(OPAMP), fits, summaries, amplifiers_at(decks))
    return Fitted(hardware=fits, beside={OPAMP_PRESET: preset}, told=told)


def _measured(
    own: OwnCells,
    given: Mapping[str, tuple[OpAmpFile, tuple[Include, ...]]],
    names: Mapping[str, str],
    decks: Sequence[Deck],
    rail: float,
) -> dict[str, OpAmpFigures]:
    """Figures by place, at loads of the amplifiers there, and supplies of plus and minus ``rail``
    volts."""
    found: dict[str, OpAmpFigures] = {}
    for name in dict.fromkeys(names.values()):
        at = [place for place in OPAMPS if names.get(place, names[OPAMP]) == name]
        file, _ = next(given[place] for place in at if place in given)
        figures = characterise(
            file.path,
            subckt=file.name,
            vdd=rail,
            vss=-rail,
            include=own.include,
            load=loads_wanted(decks, places=at),
            draws=own.draws,
            progress=False,
        )
        found |= {place: figures for place in at if place in given}
    return {place: found[place] for place in given}


def _libraries(
    given: Mapping[str, tuple[OpAmpFile, tuple[Include, ...]]], *, refer: bool
) -> dict[str, cells.Library]:
    """What a deck has of op-amps' files by place; a file, and models, that several have once."""
    found: dict[str, cells.Library] = {}
    files: dict[Path, cells.Library] = {}
    known: list[tuple[Include, ...]] = []
    for place, (file, includes) in given.items():
        library = library_of(file, () if includes in known else includes, refer=refer)
        first = files.setdefault(file.path, library)
        if first.subckt != library.subckt:
            text = f"* {library.subckt} of {library.file}: in {first.deck_file}.\n"
            library = replace(library, text=text)
        found[place] = library if first.subckt != library.subckt else first
        known.append(includes)
    return found


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
    file = read_transistor(
        shipped_or(path, "netlists/pairs"), subckt, [one.path.parent for one in given]
    )
    includes = _models(file, given)
    there = own.opamps and given  # models that the op-amps' file has in the deck already
    library = library_of(file, () if there else includes, refer=own.refer)
    kind = cells.own(cells.own_transistor(library))
    low = -hw.v_rail if "vss" in hw.supplies else 0.0
    gains = measure_transistor(
        file, includes, Runner(find_ngspice()), i_tail=hw.i_tail, v_substrate=low
    )
    free = {"npn_bf": gains.bf, "npn_vaf": gains.v_early}
    fits = replace(hw, npn=kind.name, **{k: x for k, x in free.items() if k not in chosen})
    return replace(found, hardware=fits, told={**found.told, NPN: asdict(gains)})


def split(text: str) -> tuple[Path, str | None]:
    """File and subcircuit of ``FILE`` or ``FILE:SUBCKT``."""
    name, colon, subckt = text.rpartition(":")
    if colon and not Path(text).exists() and not any(sign in subckt for sign in "/\\"):
        return Path(name), subckt
    return Path(text), None


def _read(own: OwnCells, text: str) -> tuple[OpAmpFile, tuple[Include, ...]]:
    (path, subckt), given = split(text), _given(own)
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
