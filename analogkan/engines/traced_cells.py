"""Expansions of cells behind access devices whose arrays have derivatives.

Axes: R rows, L lines; N degrees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..compiler.cell_law import CellLaw
from ..compiler.expansion import Expansion, expand
from .traced import Traced, values

STEP = 1e-4
"""Of a cell's conductance, or its device's resistance, either way: what is neglected is its
square."""


def expanded(law: CellLaw, g: Any, *given: Any) -> Expansion:
    """``expand``, with derivatives where the cells or their devices have them.

    It is around volts that have none: what comes of it does not depend on where it is.
    """
    devices: Any = values(law.access)
    plain = replace(law, access=devices)
    at = tuple(values(part) for part in given)
    found = expand(plain, values(g), *at)
    if not isinstance(g, Traced) and not isinstance(law.access, Traced):
        return found

    def of_cells(times: float) -> Expansion:
        return expand(plain, values(g) * times, *at)

    def of_devices(times: float) -> Expansion:
        return expand(replace(plain, access=devices * times), values(g), *at)

    by_part = [
        ((part - values(part)) / np.where(values(part) > 0, values(part), 1.0), of(1 + STEP),
         of(1 - STEP))
        for part, of in ((g, of_cells), (law.access, of_devices))
        if isinstance(part, Traced)
    ]  # fmt: skip

    def followed(part_of: Callable[[Expansion], np.ndarray]) -> Any:
        here: Any = part_of(found)
        degrees = len(here) // len(g)
        for more, up, down in by_part:
            slope = (_as_long(part_of(up), here) - _as_long(part_of(down), here)) / (2 * STEP)
            here = here + (slope.reshape(degrees, *g.shape) * more).reshape(-1, g.shape[1])
        return here

    weights = tuple(followed(lambda of, k=k: of.weights[k]) for k in range(len(found.weights)))
    return replace(found, weights=weights, squares=followed(lambda of: of.squares))


def _as_long(part: np.ndarray, as_: np.ndarray) -> np.ndarray:
    """Coefficients with as many degrees as others have."""
    short = max(0, len(as_) - len(part))
    return np.pad(part, ((0, short), (0, 0)))[: len(as_)]
