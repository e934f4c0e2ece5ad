"""Imperfections: what chance, temperature and age do to a circuit, each declared once.

A declaration says its settings, streams, counts and how it acts; ``Variation``, help, limits,
counts and grids of faults follow from the list of them.
"""

from .base import Draw, Imperfection, Setting, upto
from .cell_files import CellTable, import_cells
from .conditions import Conditions
from .presets import load_settings
from .registry import register, unregister
from .variation import Variation

__all__ = [
    "CellTable", "Conditions", "Draw", "Imperfection", "Setting", "Variation", "import_cells",
    "load_settings", "register", "unregister", "upto",
]  # fmt: skip
