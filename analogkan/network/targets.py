# pyright: strict
"""What the outputs of a regression stand for: quantities with names, units and a scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..schema import Number, Record, Several, Text
from ..text import with_unit

MOST = 1000
"""Targets of a network."""
TARGETS_ENTRY = Record(
    {key: Several(Number(), least=1, most=MOST) for key in ("low", "high")}
    | {key: Several(Text(most=100), least=1, most=MOST) for key in ("names", "units")},
    {"inputs": Several(Text(most=200), least=1, most=MOST)},
)
"""Targets in a file."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """K quantities y that a network computes; its outputs z are -1 at ``low`` and 1 at ``high``.

    Attributes
    ----------
    low, high
        (K,) the range of the training targets, in their units.
    names, units
        (K,) texts; a unit may be empty.
    inputs
        What the network's inputs are, such as ``ratio (V/V)``; empty: nothing is known of them.

    Examples
    --------
    >>> celsius = ak.Targets(low=(0.0,), high=(100.0,), names=("temperature",), units=("degC",))
    >>> celsius.values(np.array([[0.5]]))
    array([[75.]])
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.low) == len(self.high) == len(self.names) == len(self.units):
            raise CheckpointError(
                f"targets: {len(self.low)} low, {len(self.high)} high, {len(self.names)} names and "
                f"{len(self.units)} units; one each"
            )
        for name, lo, hi in zip(self.names, self.low, self.high, strict=True):
            if not (math.isfinite(lo) and math.isfinite(hi) and lo < hi):
                raise CheckpointError(f"target {name} goes from {lo:g} to {hi:g}: no range")
        if not "".join(self.names + self.units + self.inputs).isprintable():
            raise CheckpointError(f"targets {self.names!r} in {self.units!r} are no text")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def span(self) -> np.ndarray:
        """(K,) high minus low, in the targets' units."""
        return np.array(self.high) - np.array(self.low)

    @property
    def said(self) -> str:
        """Names with their units, such as ``temperature (degC)``."""
        return ", ".join(map(with_unit, self.names, self.units))

    def values(self, z: Any) -> Any:
        """The quantities (..., K), in their units, of outputs ``z`` (..., K)."""
        return np.array(self.low) + (z + 1) * (self.span / 2)

    def outputs(self, y: Any) -> Any:
        """Outputs (..., K) that a network should give for quantities ``y`` (..., K)."""
        return (y - np.array(self.low)) * (2 / self.span) - 1

    def part(self, start: int, stop: int) -> Targets:
        """Targets ``start`` to ``stop`` alone."""
        each = {key: value for key, value in asdict(self).items() if key != "inputs"}
        part = {key: tuple(value[start:stop]) for key, value in each.items()}
        return Targets(**part, inputs=self.inputs)

    def input_labels(self, count: int) -> list[str]:
        """What ``count`` inputs are called; ``input 1`` and on where nothing is known of them."""
        if len(self.inputs) == count:
            return list(self.inputs)
        return ["input"] if count == 1 else [f"input {k + 1}" for k in range(count)]

    def document(self) -> dict[str, list[Any]]:
        """As a file has them; names of inputs only where there are some."""
        found = {key: list(value) for key, value in asdict(self).items()}
        return found if self.inputs else {k: v for k, v in found.items() if k != "inputs"}


def read_targets(entry: Mapping[str, Any] | None) -> Targets | None:
    """What ``Targets.document`` wrote; None for None.

    Raises
    ------
    CheckpointError
        If it is no such entry.
    """
    if entry is None:
        return None
    numbers = {key: tuple(map(float, entry[key])) for key in ("low", "high")}
    texts = {key: tuple(entry.get(key, ())) for key in ("names", "units", "inputs")}
    return Targets(**numbers, **texts)
