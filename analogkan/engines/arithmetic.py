"""In which precision, and on what, the twin computes: chosen before a study begins."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import util
from typing import Any

from ..errors import SettingsError

FLOAT64, MIXED, AUTO = "float64", "mixed", "auto"
PRECISIONS = (AUTO, FLOAT64, MIXED)
CPU = "cpu"
MANY = 2000
"""Images from which on ``auto`` is mixed: of fewer, drawing a chip is most of its work."""
INSTALL = "pip install 'analogkan[fast]'"


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """How the twin computes.

    Attributes
    ----------
    precision
        ``float64``; or ``mixed``: float32 where a bound proves an image's class, see ``mixed``.
    device
        ``cpu``, or what torch calls a GPU.
    """

    precision: str = FLOAT64
    device: str = CPU

    @property
    def unusual(self) -> dict[str, Any]:
        """What is not as it was before there was a choice: RUNs of then go on."""
        found = {"precision": (self.precision, FLOAT64), "device": (self.device, CPU)}
        return {name: is_now for name, (is_now, was) in found.items() if is_now != was}


def choose(precision: str, device: str, images: int, why_not: str) -> Arithmetic:
    """The arithmetic of a study of so many images.

    Parameters
    ----------
    precision
        One of ``PRECISIONS``; by ``auto`` mixed where it is possible and there are many images.
    why_not
        Why the study cannot be in mixed precision; empty: it can.

    Raises
    ------
    SettingsError
        If mixed precision is asked for, and cannot be.
    """
    if device != CPU:
        why_not = why_not or f"device = {device} computes in float64"
    if not why_not and util.find_spec("numba") is None:
        why_not = f"its loops are compiled by numba, which is not installed: {INSTALL}"
    if precision == MIXED and why_not:
        raise SettingsError(f"precision = mixed: {why_not}; or leave it at auto")
    mixed = precision == MIXED or (precision == AUTO and not why_not and images >= MANY)
    return Arithmetic(precision=MIXED if mixed else FLOAT64, device=device)
