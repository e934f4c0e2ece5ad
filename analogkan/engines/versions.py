# pyright: strict
"""Which versions compute: of this package, Python, what it computes with, and ngspice.

Packages are asked for their metadata alone: importing torch takes ten times as long.
"""

from __future__ import annotations

import importlib.metadata
import platform

from .. import __version__
from ..errors import SimulationError
from .ngspice import find_ngspice

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
