# pyright: strict
"""Where on the die the causes are: shares of tiles, lines and arrays of amplifiers.

Axes: I inputs, D diodes, O outputs; R rows, 2 O lines; T bands of ``tile_rows`` rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..coordinates import Key
from ..die.floorplan import Floorplan, LayerPlan
from ..imperfections.amplifiers import FEEDBACK, OP_AMPS

if TYPE_CHECKING:
    from ..compiler.circuit import Circuit
    from ..compiler.design import CrossbarStage
    from ..compiler.hardware import Hardware

Floats = npt.NDArray[np.float64]
OF_LINES = {*OP_AMPS.numbers.values(), *FEEDBACK.numbers.values()}
"""Streams whose arrays (O,) or (2 O,) are of a layer's pairs of lines."""
DIGITS = 6
"""Of shares that are kept."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Placed:
    """Shares of one circuit's layer, of all that is drawn for a network.

    Attributes
    ----------
    layer, share
        Of the network; which of the circuits that share its outputs.
    cells
        (R, 2 O).
    rows
        (I, D) diodes with their amplifiers and feedback.
    lines
        (O,) amplifiers and resistors of the pairs of lines.
    """

    layer: int
    share: int
    cells: Floats
    rows: Floats
    lines: Floats

    def bands(self, tile_rows: int) -> Floats:
        """(T, O) of the cells, by band of rows and pair of lines."""
        starts = np.arange(0, len(self.cells), tile_rows)
        by_band = np.add.reduceat(self.cells, starts, axis=0)
        return by_band[:, 0::2] + by_band[:, 1::2]

    def tiles(self, hardware: Hardware) -> Floats:
        """Of the cells, by tile, down and across."""
        down = range(0, self.cells.shape[0], hardware.tile_rows)
        across = range(0, self.cells.shape[1], hardware.tile_cols)
        return np.add.reduceat(np.add.reduceat(self.cells, down, axis=0), across, axis=1)


def place(circuit: Circuit, shares: Mapping[Key, Floats]) -> tuple[list[Placed], float]:
    """What stands where, and what share of all that is; ``shares`` are those of every coordinate.

    What is drawn for a whole die, for fields, for a trim, or in front of diodes has no place.
    """
    found: list[Placed] = []
    for link in circuit.links:
        for k, stage in enumerate(link.design.stages):
            layer = link.section.first + k
            own = {q: of for q, of in shares.items() if (q.layer, q.share) == (layer, link.share)}
            found.append(_placed(layer, link.share, stage, own))
    seen = sum(float(one.cells.sum() + one.rows.sum() + one.lines.sum()) for one in found)
    return found, seen


def _placed(layer: int, share: int, stage: CrossbarStage, own: Mapping[Key, Floats]) -> Placed:
    cells, rows = np.zeros(stage.g.shape), np.zeros(stage.r_f.shape)
    lines, n = np.zeros(stage.shape[1]), stage.shape[1]
    for key, of in own.items():
        if of.shape == cells.shape:
            cells += of
        elif of.shape == rows.shape:
            rows += of
        elif key.stream in OF_LINES and of.shape in ((n,), (2 * n,)):
            lines += of.reshape(n, -1).sum(axis=1)
    return Placed(layer=layer, share=share, cells=cells, rows=rows, lines=lines)


def tiles_of(placed: list[Placed], hardware: Hardware) -> list[dict[str, Any]]:
    """Every tile with its share, the largest first."""
    found = [
        {"layer": p.layer, "part": p.share, "down": i, "across": j, "share": round(value, DIGITS)}
        for p in placed
        for (i, j), value in np.ndenumerate(p.tiles(hardware))
    ]
    return sorted(found, key=lambda one: -one["share"])


def lines_of(placed: list[Placed]) -> list[dict[str, Any]]:
    """Every output's pair of lines with the shares of its cells and of its amplifiers and
    resistors, the largest first."""
    found = [
        {"layer": p.layer, "part": p.share, "output": o, "share": round(cells + own, DIGITS),
         "cells": round(cells, DIGITS), "amplifiers": round(own, DIGITS)}
        for p in placed
        for o, (cells, own) in enumerate(
            zip(p.cells.sum(axis=0).reshape(-1, 2).sum(axis=1).tolist(), p.lines.tolist(),
                strict=True)
        )
    ]  # fmt: skip
    return sorted(found, key=lambda one: -one["share"])


def map_of(placed: list[Placed], plan: Floorplan, hardware: Hardware) -> dict[str, Any]:
    """Rectangles of the die with their shares: tiles, and arrays of amplifiers; micrometres."""
    boxes: list[dict[str, Any]] = []
    for p in placed:
        there = plan.of(p.layer, p.share)
        boxes += _tiles(p, there, hardware)
        whole = {"rows": float(p.rows.sum()), "lines": float(p.lines.sum())}
        boxes += [
            {"name": b.name, "layer": p.layer, "x": b.x, "y": b.y, "width": b.width,
             "height": b.height, "share": round(whole[b.name], DIGITS)}
            for b in there.blocks
            if b.name in whole
        ]  # fmt: skip
    return {"width": plan.width, "height": plan.height, "boxes": boxes}


def _tiles(p: Placed, there: LayerPlan, hardware: Hardware) -> list[dict[str, Any]]:
    x, y = there.cells.x, there.cells.y
    block = next(b for b in there.blocks if b.name == "cells")
    half = x[0] - block.x  # of a cell: they are squares
    found: list[dict[str, Any]] = []
    for (i, j), value in np.ndenumerate(p.tiles(hardware)):
        rows = y[i * hardware.tile_rows : (i + 1) * hardware.tile_rows]
        columns = x[j * hardware.tile_cols : (j + 1) * hardware.tile_cols]
        found.append(
            {"name": "tile", "layer": p.layer, "x": float(columns[0] - half),
             "y": float(rows[0] - half), "width": float(np.ptp(columns) + 2 * half),
             "height": float(np.ptp(rows) + 2 * half), "share": round(value, DIGITS)}
        )  # fmt: skip
    return found


def bands_of(placed: list[Placed], hardware: Hardware) -> list[dict[str, Any]]:
    """Of each layer the shares of its cells (T, O) by band of rows and pair of lines."""
    found = ((p, p.bands(hardware.tile_rows)) for p in placed)
    return [
        {"layer": p.layer, "part": p.share, "rows": len(p.cells),
         "shares": np.round(of, DIGITS + 2).tolist()}
        for p, of in found
    ]  # fmt: skip
