"""What a model was measured to reach, as its checkpoint and its BUILD keep it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import CheckpointError
from ..text import percent
from .measures import format_value


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What the software network reaches.

    Attributes
    ----------
    accuracy
        Share of ``n`` images; None of a regression.
    rmse, line, unit
        Of a regression: on ``n`` points, its own and that of a straight line through the training
        points, in that unit.
    n
        How many.
    images
        Which they were, as ``ImageSet.said`` says.
    dataset
        Name of the set they are of.
    """

    accuracy: float | None = None
    rmse: float | None = None
    line: float | None = None
    unit: str = ""
    n: int
    images: str
    dataset: str

    def document(self) -> dict[str, Any]:
        """As JSON and a checkpoint hold it."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}

    @property
    def right(self) -> int:
        """Of the ``n`` images."""
        assert self.accuracy is not None
        return round(self.accuracy * self.n)

    @property
    def said(self) -> str:
        """The figure, as a sentence has it."""
        if self.accuracy is not None:
            return percent(self.accuracy)
        assert self.rmse is not None
        return f"RMSE {format_value(self.rmse, self.unit)}"


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
        fine = (found.accuracy is None) != (found.rmse is None)
        fine &= 0 <= (found.accuracy or 0) <= 1 and 0 <= (found.rmse or 0) < math.inf
        fine &= 0 <= (found.line or 0) < math.inf
        fine &= found.n >= 1 and isinstance(found.n, int)
    except (TypeError, ValueError):
        fine = False
    if not fine or not all(
        isinstance(text, str) for text in (found.images, found.dataset, found.unit)
    ):
        raise CheckpointError(
            f"{where} is damaged: {entry!r} is no accuracy (a share of 1) or RMSE on n images"
        )
    return found


def worse_than_before(told: Mapping[str, Any]) -> bool:
    """Whether a training's figures in ``told`` are below those of the model that it went on from,
    on the same images."""
    before = told.get("before")
    if before is None:
        return False
    if "accuracy" in before:
        return told["accuracy"] < before["accuracy"]
    return told["rmse"] > before["rmse"]
