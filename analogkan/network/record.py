"""What a model was measured to reach, as its checkpoint and its BUILD keep it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..errors import CheckpointError


@dataclass(frozen=True, kw_only=True)
class Reached:
    """An accuracy of the software network.

    Attributes
    ----------
    accuracy
        Share of ``n`` images.
    n
        How many.
    images
        Which they were, as ``ImageSet.said`` says.
    dataset
        Name of the set they are of.
    """

    accuracy: float
    n: int
    images: str
    dataset: str

    def document(self) -> dict[str, Any]:
        """As JSON and a checkpoint hold it."""
        return asdict(self)

    @property
    def right(self) -> int:
        """Of the ``n`` images."""
        return round(self.accuracy * self.n)


def read_reached(entry: object, where: str) -> Reached | None:
    """What ``entry`` of ``where`` says; None if it is None, as of models that say nothing.

    Raises
    ------
    CheckpointError
        If it is no such entry.
    """
    if entry is None:
        return None
    try:
        found = Reached(**entry)  # type: ignore[arg-type]
        fine = 0 <= found.accuracy <= 1 and found.n >= 1 and isinstance(found.n, int)
    except (TypeError, ValueError):
        fine = False
    if not fine or not all(isinstance(text, str) for text in (found.images, found.dataset)):
        raise CheckpointError(
            f"{where} is damaged: {entry!r} is no accuracy (a share of 1) on n images"
        )
    return found
