"""Loops that numba compiles: the extra ``fast``. No command imports it at its start."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib import util
from typing import Any

INSTALL = "pip install 'analogkan[fast]'"


def available() -> bool:
    """Whether numba is installed, and can be loaded: one that is too old for its NumPy cannot."""
    if util.find_spec("numba") is None:
        return False
    try:
        importlib.import_module("numba")
    except ImportError:
        return False
    return True


def loaded() -> bool:
    """Whether it serves already: it takes longer to be loaded than many a loop."""
    return "numba" in sys.modules


def load() -> None:
    """Load it, where it is installed, for work that takes minutes."""
    available()


def compiled(*fastmath: str) -> Callable[[Any], Any]:
    """A decorator of loops, which are compiled when they are first called, and kept where there is
    a folder for that; ``fastmath`` are LLVM's words for what it may do to sums, nothing without."""
    from numba import njit

    how: dict[str, Any] = {"nogil": True} | ({"fastmath": {*fastmath}} if fastmath else {})

    def decorated(loop: Any) -> Any:
        try:
            return njit(**how, cache=True)(loop)
        except RuntimeError:  # neither the package's folder nor the user's may be written to
            return njit(**how)(loop)

    return decorated
