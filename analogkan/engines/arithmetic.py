"""In which precision, and on what, the twin computes: chosen before a study begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import loops
from ..errors import SettingsError

FLOAT64, MIXED, AUTO = "float64", "mixed", "auto"
PRECISIONS = (AUTO, FLOAT64, MIXED)
CPU = "cpu"
BLOCK = 1000
"""Images that the twin evaluates at once on a processor."""
MEMORY_GB, LEAST_GB, MOST_GB = 4.0, 0.1, 1000.0
MANY = 2000
"""Images from which on ``auto`` is mixed: of fewer, drawing a chip is most of its work."""
USUAL = {"precision": FLOAT64, "device": CPU}
"""What a RUN has that does not say."""


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """How the twin computes.

    Attributes
    ----------
    precision
        ``float64``; or ``mixed``: float32 where a bound proves an image's class, see ``mixed``.
    device
        ``cpu``, or what torch calls a GPU.
    memory_gb
        GB of a GPU that the values of one chip's images may take at once.
    """

    precision: str = FLOAT64
    device: str = CPU
    memory_gb: float = MEMORY_GB

    @property
    def packages(self) -> tuple[str, ...]:
        """What a chip's rows depend on, beside what every chip's do."""
        return ("numba",) if self.precision == MIXED else ()

    def block(self, image_bytes: int) -> int:
        """Images to evaluate at once, of so many bytes each."""
        if self.device == CPU:
            return BLOCK
        return max(1, int(self.memory_gb * 1e9 / image_bytes))

    @property
    def unusual(self) -> dict[str, Any]:
        """What is not as it was before there was a choice: RUNs of then go on."""
        now = {"precision": self.precision, "device": self.device}
        told: dict[str, Any] = {name: of for name, of in now.items() if of != USUAL[name]}
        return told if self.device == CPU else told | {"memory_gb": self.memory_gb}


def choose(
    precision: str, device: str, images: int, why_not: str, memory_gb: float = MEMORY_GB
) -> Arithmetic:
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
    wanted = precision == MIXED or (precision == AUTO and images >= MANY)
    if wanted and not why_not and not loops.available():  # which takes a moment
        why_not = (
            "its loops are compiled by numba, which is not installed or cannot be loaded: "
            f"{loops.INSTALL}"
        )
    if precision == MIXED and why_not:
        raise SettingsError(f"precision = mixed: {why_not}; or leave it at auto")
    mixed = wanted and not why_not
    return Arithmetic(precision=MIXED if mixed else FLOAT64, device=device, memory_gb=memory_gb)
