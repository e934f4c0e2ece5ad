"""scaled"""

from __future__ import annotations

from collections.abc import Mapping

from ..coordinates import Key, Linear
from .base import Asking


def scaled(samples: int, first: int = 0, *, seed: int, frozen: bool = False) -> Asking:
    """In work."""
    raise NotImplementedError
