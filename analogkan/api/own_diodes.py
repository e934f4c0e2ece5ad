# pyright: strict
"""Users' models of diodes in the place of a network's devices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .. import cells
from ..diodes.placed import place
from ..diodes.source import read_diode
from ..engines.ngspice import Runner, find_ngspice
from ..network.spec import NetworkSpec
from ..opamps.libraries import resolve
from .own import Fitted, split
from .replacing import OwnCells
from .tabulating import found_file


def with_diodes(own: OwnCells, spec: NetworkSpec, found: Fitted) -> Fitted:
    """``found`` with models too, held to the devices in whose place they are.

    Raises
    ------
    SettingsError
        If the network has no such device.
    NetlistError
        If a file is no diode's.
    DeviceError, SimulationError, CompileError
        As for ``diodes.placed.place``.
    """
    includes = [one for text in own.include for one in resolve(text, Path.cwd())]
    models: dict[str, cells.Library] = {}
    for where, text in own.diodes.items():
        path, subckt = split(text)
        alone = path.suffix.lower() in (".va", ".osdi") or not path.exists()
        models[where] = read_diode(
            found_file(path),
            osdi=None if alone else own.osdi,
            subckt=subckt,
            includes=[] if alone else includes,
            refer=own.refer,
        )
    told, notes = place(models, spec, found.hardware, Runner(find_ngspice()))
    named = {
        where.removeprefix(cells.DIODE).lower(): cells.own_diode(model)
        for where, model in models.items()
    }
    text = ",".join(f"{device}={name}" for device, name in sorted(named.items()))
    return replace(
        found,
        hardware=replace(found.hardware, own_diodes=text),
        told={**found.told, "diodes": told, "diode_notes": notes},
    )
