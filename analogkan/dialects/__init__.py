"""Dialects: how simulators spell a circuit and are run, each declared once, in its own file."""

from __future__ import annotations

from ..declared import Declared
from .dialect import Dialect, Unsaid
from .neospice import NEOSPICE
from .ngspice import NGSPICE
from .vacask import VACASK
from .xyce import XYCE

DIALECTS = Declared("a dialect", (NGSPICE, VACASK, NEOSPICE, XYCE))
"""Those that there are, by name."""

__all__ = ["DIALECTS", "NEOSPICE", "NGSPICE", "VACASK", "XYCE", "Dialect", "Unsaid"]
