"""The twin's crossbars of cells that bend, or with devices in series: a fixed point at each node.

Axes: M chips, R rows, L lines, B images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..compiler.cell_law import REACH, CellLaw, require_no_wires
from ..compiler.design import CrossbarStage
from ..compiler.expansion import Expansion, currents_into, squares_into
from ..compiler.hardware import Hardware
from .traced import tensor_of, values
from .traced_cells import expanded

if TYPE_CHECKING:
    from .twin import TwinStage

AMPLIFIED = 4.0
"""Of the supplies, what a line may reach for the node to be where an expansion holds."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Bent:
    """The law of one stage's cells, and of those with access devices their expansion."""

    law: CellLaw
    expansion: Expansion | None

    def lines(
        self,
        stage: TwinStage,
        rows: torch.Tensor,
        noise: torch.Tensor | None,
        limited: Callable[[Any], Any],
    ) -> torch.Tensor:
        """Outputs (M, L, B) of line amplifiers for all rows (M, R, B); see ``Columns.settled``."""
        current = currents_into(self.law, stage.g, self.expansion, rows, torch)
        return stage.columns.settled(current, limited, 0.0 if noise is None else noise)

    def squares(
        self, g: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor | float = 1.0
    ) -> torch.Tensor:
        """Sums (M, L, B) of squared currents of cells, for rows (M, R, B), each times its weight
        (M, R, L)."""
        expansion = self.expansion
        if expansion is not None and isinstance(weights, torch.Tensor):
            degrees = expansion.squares.shape[-2] // g.shape[-2]
            expansion = replace(expansion, squares=expansion.squares * weights.tile(1, degrees, 1))
        return squares_into(self.law, g**2 * weights, expansion, rows, torch)


def bent_of(
    stages: Sequence[CrossbarStage],
    arrays: Mapping[str, np.ndarray],
    hardware: Hardware,
    temp_c: float,
) -> Bent | None:
    """The law of one stage of M chips whose ``arrays`` are known; None: its cells are resistors.

    Raises
    ------
    SimulationError
        If there are wires besides.
    """
    laws = [stage.errors.law for stage in stages if stage.errors and stage.errors.law]
    if not laws:
        return None
    require_no_wires(laws[0], hardware)
    rows, v_fs = values(arrays["r"]), hardware.v_fs
    span = float(min(rows.min(), -v_fs)), float(max(rows.max(), 0.0))
    if hardware.rails:
        span = max(span[0], -hardware.v_rail), min(span[1], hardware.v_rail)
    laws[0].require_reach(*span, REACH * v_fs)
    if laws[0].access is None:
        return Bent(law=laws[0], expansion=None)
    most = AMPLIFIED * hardware.v_rail / float(values(arrays["line_gain"]).min())
    found = []
    for law, stage, g, node in zip(laws, stages, arrays["g"], arrays["line_offset"], strict=True):
        warmth = stage.errors and stage.errors.warmth
        at = temp_c + (warmth.cells if warmth else 0.0)
        found.append(expanded(law, g, at, span, node, most))
    return Bent(law=laws[0], expansion=_joined(found))


def _joined(found: Sequence[Expansion]) -> Expansion:
    """One expansion of M chips, of the largest degrees."""
    weights = zip(*(of.weights for of in found), strict=True)
    return replace(
        found[0],
        weights=tuple(_stacked(parts) for parts in weights),
        squares=_stacked([of.squares for of in found]),
        node=tensor_of(np.stack([of.node for of in found])),
    )


def _stacked(parts: Sequence[np.ndarray]) -> torch.Tensor:
    """(M, K, L) of (K, L) or fewer, zeros below."""
    most = max(len(part) for part in parts)
    return tensor_of(np.stack([np.pad(p, [(0, most - len(p)), (0, 0)]) for p in parts]))
