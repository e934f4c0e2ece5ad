"""plain"""

from __future__ import annotations

from collections.abc import Mapping

from ..coordinates import Key, Linear
from .base import Asking


def plain(samples: int, first: int = 0, *, frozen: bool = False) -> Asking:
    """In work."""
    raise NotImplementedError
