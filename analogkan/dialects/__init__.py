"""Dialects: how simulators spell a circuit and are run, each declared once, in its own file."""

from __future__ import annotations

from ..declared import Declared
from .dialect import Dialect, Unsaid
from .ngspice import NGSPICE

DIALECTS = Declared("a dialect", (NGSPICE,))
"""Those that there are, by name."""

__all__ = ["DIALECTS", "NGSPICE", "Dialect", "Unsaid"]
