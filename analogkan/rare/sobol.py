"""sobol"""

from __future__ import annotations

from collections.abc import Mapping

from ..coordinates import Key, Linear
from .base import Asking


def sobol(samples: int, first: int = 0, *, seed: int, listed: Mapping[Key, tuple[int, ...]], frozen: bool = False) -> Asking:
    """In work."""
    raise NotImplementedError
