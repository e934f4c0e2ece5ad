"""What wired cells carry for one set of volts, which costs little beside a reduction for all.

Cells of conductances Y, in units of a segment's, carry Q = Y (V - Z Q): V is what is across a cell
and its wires, and Z Q the volts that its segments take, of which each pair of cells in a row or in
a column shares some. With Y = S^2 that is (1 + S Z S) x = S V for Q = S x, symmetric and positive,
and near 1 where wires take little: conjugate gradients then need a few steps.

Axes: R rows from the first of a tile on, L lines.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .hardware import Hardware

LEFT = 1e-15
"""Share of the right side that the steps may leave."""
STEEP = 100.0
"""What wires may take, as many times as cells: beyond, a reduction costs less than the steps."""


class WiredCells:
    """Cells behind wires of some resistance, whose conductances may change.

    Parameters
    ----------
    g
        (R, L) siemens, whole tiles from their first row on; read whenever something is asked.
    hardware
        With the wires, at 26.85 degC.
    """

    def __init__(self, g: np.ndarray, hardware: Hardware) -> None:
        self.g, self.r_wire = g, hardware.r_wire
        n_rows, n_lines = g.shape
        self._down = _shared(n_rows, hardware.tile_rows)[1]
        self._across = _shared(n_lines, hardware.tile_cols)[0]
        if hardware.r_driver:  # a row's tiles have it in common
            self._across = self._across + hardware.r_driver / hardware.r_wire
        self._x = np.zeros_like(g)

    @staticmethod
    def suits(hardware: Hardware, n_rows: int, n_lines: int) -> bool:
        """Whether wires take little enough of what cells up to ``g_max`` carry."""
        down, across = min(n_rows, hardware.tile_rows), min(n_lines, hardware.tile_cols)
        segments = 0.5 * (down**2 + across**2) * hardware.r_wire + n_lines * hardware.r_driver
        return hardware.r_wire > 0 and hardware.g_max * segments < STEEP

    def into(self, rows: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """Amperes (L,) into the lines' summing nodes, which are at volts ``nodes`` (L,), from
        ``rows`` (R,)."""
        root = np.sqrt(self.g * self.r_wire)

        def applied(x: np.ndarray) -> np.ndarray:
            carried = root * x
            return x + root * (self._down @ carried + carried @ self._across)

        # What was found last is near: volts change little from one question to the next.
        wanted, x = root * (rows[:, None] - nodes), self._x
        left = wanted - applied(x)
        step, size = left, np.vdot(left, left)
        enough = LEFT**2 * np.vdot(wanted, wanted)
        while size > enough:
            moved = applied(step)
            along = size / np.vdot(step, moved)
            x, left = x + along * step, left - along * moved
            before, size = size, np.vdot(left, left)
            step = left + size / before * step
        self._x = x
        return (root * x).sum(axis=0) / self.r_wire


@lru_cache(maxsize=32)
def _shared(n: int, tile: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, n) segments that each two of ``n`` nodes of a line share, which is cut into tiles: of one
    that begins before the first node of a tile, and of one that begins behind the last."""
    at = np.arange(n)
    alike = at[:, None] // tile == at // tile
    first = at % tile
    last = np.minimum(tile, n - at // tile * tile) - 1 - first
    before, behind = (alike * (1.0 + np.minimum(k[:, None], k)) for k in (first, last))
    return before, behind
