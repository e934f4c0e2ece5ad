# pyright: strict
"""What a crossbar dissipates, as quadratic forms of the voltages at its ports.

Axes: B images, R rows, L lines (2 O).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.closed_form import drifted
from ..compiler.hardware import Hardware
from ..compiler.spice_cells import TEMPERATURE_C
from ..compiler.wires import WiredLayer, wire_layer

Values = npt.NDArray[Any]
STEP = 1e-3
"""Share by which cells are scaled: with four points the rest is below 1e-10 of the crossbar."""


@dataclass(frozen=True, eq=False)
class Ports:
    """Currents into a linear network at its ports, for the voltages there.

    Attributes
    ----------
    g
        (R, L) siemens between rows and summing nodes.
    rows
        What rows draw for their own voltages: (R,) siemens, or an admittance block for each tile's.
    sums
        The same of the summing nodes: (L,) siemens or (L, L).
    """

    g: Values
    rows: Values | Sequence[Values]
    sums: Values

    def drawn(self, rows: Values, sums: Values) -> Values:
        """Amperes (B, R) out of rows at ``rows`` (B, R) volts, summing nodes at ``sums`` (B, L)."""
        return self._own(rows) - sums @ self.g.T

    def arriving(self, rows: Values, sums: Values) -> Values:
        """Amperes (B, L) into the summing nodes."""
        return rows @ self.g - (sums * self.sums if self.sums.ndim == 1 else sums @ self.sums)

    def watts(self, rows: Values, sums: Values) -> Values:
        """Watts (B,): the sum of G (volts across)^2 over its resistors."""
        inner = sums * self.sums if self.sums.ndim == 1 else sums @ self.sums
        own = (rows * self._own(rows)).sum(axis=1) + (sums * inner).sum(axis=1)
        return own - 2 * ((rows @ self.g) * sums).sum(axis=1)

    def _own(self, rows: Values) -> Values:
        if isinstance(self.rows, np.ndarray):
            return rows * self.rows
        ends = np.cumsum([len(block) for block in self.rows])[:-1]
        parts = np.split(rows, ends, axis=1)
        return np.concatenate([v @ y for v, y in zip(parts, self.rows, strict=True)], axis=1)


@dataclass(frozen=True, eq=False)
class CrossbarPower:
    """Where a stage's crossbar dissipates.

    Attributes
    ----------
    ports
        All of it.
    cells
        The part of its form that is the cells'; None where there is nothing else.
    hardware
        What it is built from.
    """

    ports: Ports
    cells: Ports | None
    hardware: Hardware

    def watts(self, rows: Values, sums: Values) -> dict[str, Values]:
        """Watts (B,) by block, for volts (B, R) and (B, L)."""
        total = self.ports.watts(rows, sums)
        if self.cells is None:
            return {"cells": total, "wires": 0 * total, "drivers": 0 * total}
        cells = self.cells.watts(rows, sums)
        drivers = self.hardware.r_driver * (self.ports.drawn(rows, sums) ** 2).sum(axis=1)
        wires = total - cells - drivers if self.hardware.r_wire else 0 * total
        return {"cells": cells, "wires": wires, "drivers": drivers}

    def maps(self, rows: Values, sums: Values) -> tuple[Values, Values]:
        """Watts (B, R) of the resistors from each row, and (B, L) to each summing node.

        With wires these are the reduced ones, each for a cell and its share of the wires; what
        flows between rows, and between summing nodes, is in neither.
        """
        g = self.ports.g
        crossed = sums @ g.T
        by_row = rows * (rows * g.sum(axis=1) - 2 * crossed) + sums**2 @ g.T
        by_line = rows**2 @ g - sums * (2 * (rows @ g) - sums * g.sum(axis=0))
        return by_row, by_line


def crossbar_power(g: Values, hardware: Hardware, temp_c: float) -> CrossbarPower:
    """Of a stage's cells ``g`` (R, L), siemens at 26.85 degC, at ``temp_c``."""
    if not hardware.wired:
        warm = g / drifted(hardware.cell_tc1, hardware.cell_tc2, temp_c - TEMPERATURE_C)
        return CrossbarPower(Ports(warm, warm.sum(axis=1), warm.sum(axis=0)), None, hardware)
    whole = wire_layer(g, hardware, temp_c, entries=True)
    # What a resistor dissipates is its G times the derivative of the whole by its G (Tellegen).
    parts = [
        (weight / (12 * STEP), wire_layer(g * (1 + k * STEP), hardware, temp_c, entries=True))
        for k, weight in ((2, -1), (1, 8), (-1, -8), (-2, 1))
    ]
    return CrossbarPower(_ports([(1.0, whole)]), _ports(parts), hardware)


def _ports(parts: Sequence[tuple[float, WiredLayer]]) -> Ports:
    """The sum of layers, each times a factor."""

    def added(arrays: Iterable[Values]) -> Values:
        scaled = [factor * y for (factor, _), y in zip(parts, arrays, strict=True)]
        return np.sum(scaled, axis=0)

    blocks = zip(*(layer.entries for _, layer in parts), strict=True)
    return Ports(
        added(layer.g for _, layer in parts),
        [added(block) for block in blocks],
        added(layer.feet for _, layer in parts),
    )
