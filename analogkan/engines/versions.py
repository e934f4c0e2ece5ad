# pyright: strict
"""Which versions compute: of this package, Python, what it computes with, and ngspice.

Packages are asked for their metadata alone: importing torch takes ten times as long.
"""

from __future__ import annotations

import importlib.metadata
import platform

from .. import __version__
from ..errors import SimulationError
from .ngspice import Ngspice, find_ngspice

WITHOUT = {
    "torch": "not installed (python -m pip install torch)",
    "numba": "not installed (python -m pip install 'analogkan[fast]')",
    "PySpice": "not installed (python -m pip install PySpice)",
}
"""Packages, and what is said where one is missing; without numba loops are NumPy's and torch's."""


def versions() -> dict[str, str]:
    """By name, ours first; of what is missing what brings it."""
    return {
        "analogkan": __version__,
        "Python": platform.python_version(),
        **{name: _package(name) for name in WITHOUT},
        "ngspice": _ngspice(),
    }


def said(program: Ngspice | None) -> str:
    """All on one line; of simulators the one that is used, if any."""
    found = {"analogkan": __version__, "Python": platform.python_version()}
    found |= {name: _package(name).partition(" (")[0] for name in WITHOUT}
    if program is not None:
        found[program.name] = f"{program.version}{' with KLU' if program.klu else ''}"
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return WITHOUT[name]


def _ngspice() -> str:
    try:
        found = find_ngspice()
    except SimulationError as error:
        return f"not usable ({error})"
    return f"{found.version}, {'with' if found.klu else 'without'} KLU, {found.path}"
