"""control"""

from __future__ import annotations

from collections.abc import Mapping

from ..coordinates import Key, Linear
from .base import Asking


def control(samples: int, first: int = 0, *, seed: int, linear: Linear, k: int, frozen: bool = False) -> Asking:
    """In work."""
    raise NotImplementedError
