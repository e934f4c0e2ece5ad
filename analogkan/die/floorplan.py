# pyright: strict
"""Where the parts of a circuit are on its die: tiles of cells, with arrays of amplifiers beside.

Axes: I inputs, D diodes, O outputs; R rows, 2 O lines, b bias rows. Micrometres: x from the left
edge, y from the top.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..errors import SettingsError

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.circuit import Circuit
    from ..compiler.design import CrossbarStage
    from ..compiler.hardware import Hardware

Floats = npt.NDArray[np.float64]
AREA_CELL, AREA_OPAMP = 0.5, 2000.0
"""um^2 of a cell with its share of wires, and of an op-amp without its feedback; assumed."""
TILE_GAP = 10.0
"""Micrometres between tiles, for what drives and joins them; assumed."""
BLOCK_GAP = 40.0
"""Micrometres around every block, for wires; assumed."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What floorplans assume of parts.

    Attributes
    ----------
    cell
        um^2 of a cell with its share of wires: cells are squares.
    opamp
        um^2 of an op-amp with what is around it, a row's diode too: squares.
    """

    cell: float
    opamp: float


@dataclass(frozen=True, eq=False)
class Sites:
    """Places of parts.

    Attributes
    ----------
    x, y
        Micrometres: of each part, arrays of one shape; or of a ``grid`` x (k,) of its columns and
        y (n,) of its rows.
    grid
        Whether parts (n, k) stand at every crossing.
    known
        What was worked out of them last, by name: chips of a study ask for the same.
    """

    x: Floats
    y: Floats
    grid: bool = False
    known: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an array with a number for each part."""
        return (self.y.size, self.x.size) if self.grid else self.x.shape

    @property
    def each(self) -> tuple[Floats, Floats]:
        """x and y of every part, arrays of ``shape``."""
        if not self.grid:
            return self.x, self.y
        return np.broadcast_to(self.x, self.shape), np.broadcast_to(self.y[:, None], self.shape)


@dataclass(frozen=True)
class Block:
    """A rectangle of the floorplan: what is in it, its upper left corner and its size, um."""

    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerPlan:
    """Where the parts of one circuit's layer are.

    Attributes
    ----------
    layer, share
        Of the network; which of the circuits that share its outputs.
    cells
        (R, 2 O).
    rows
        (I, D) diodes, each with its amplifier and feedback. One that is left out takes no room and
        has the place of its layer's first.
    lines, diffs
        (2 O,) and (O,) amplifiers with their resistors; of a summing read-out (0,) differences.
    bias
        (b,) what drives the bias rows.
    blocks
        ``rows``, ``cells``, ``lines`` and ``differences``; one that has no parts is left out.
    """

    layer: int
    share: int
    cells: Sites
    rows: Sites
    lines: Sites
    diffs: Sites
    bias: Sites
    blocks: tuple[Block, ...]


@dataclass(frozen=True, eq=False)
class Floorplan:
    """The die of a network's circuits, layer below layer.

    Attributes
    ----------
    layers
        In the order of the signal.
    """

    layers: tuple[LayerPlan, ...]

    @cached_property
    def width(self) -> float:
        """Micrometres."""
        return BLOCK_GAP + max(b.x + b.width for layer in self.layers for b in layer.blocks)

    @cached_property
    def height(self) -> float:
        """Micrometres."""
        return BLOCK_GAP + max(b.y + b.height for layer in self.layers for b in layer.blocks)

    def of(self, layer: int, share: int = 0) -> LayerPlan:
        """The part of ``layer`` of the circuit ``share``."""
        return next(p for p in self.layers if (p.layer, p.share) == (layer, share))


def floorplan_of(circuit: Circuit, sizes: Sizes) -> Floorplan:
    """The floorplan of all circuits of a network.

    Of each layer from left to right: its rows' amplifiers with their diodes as an array that is
    about square, filled row by row; its tiles; its lines' amplifiers; its difference amplifiers.
    A convolution's circuit is there once. Front cells, converters and holds have no place, and
    neither have wires beyond the gaps.

    Raises
    ------
    SettingsError
        If it is a board: its parts are on no die.
    """
    known = _PLANS.setdefault(circuit, {})
    if sizes not in known:
        stages = (
            (link.section.first + k, link.share, stage)
            for link in circuit.links
            for k, stage in enumerate(link.design.stages)
        )
        known[sizes] = lay_out(stages, circuit.hardware, sizes)
    return known[sizes]


_PLANS: WeakKeyDictionary[Circuit, dict[Sizes, Floorplan]] = WeakKeyDictionary()


def lay_out(
    stages: Iterable[tuple[int, int, CrossbarStage]], hardware: Hardware, sizes: Sizes
) -> Floorplan:
    """``floorplan_of`` stages, each with its layer and share."""
    if hardware.series:
        raise SettingsError(
            f"levels = {hardware.series} makes a board, whose parts stand on no die: its circuit "
            "has no floorplan; set lengths, slopes and heat of the die to 0, or levels to a number"
        )
    found: list[LayerPlan] = []
    top = 0.0
    for layer, share, stage in stages:
        found.append(_layer(layer, share, stage, hardware, sizes, top))
        top = max(b.y + b.height for b in found[-1].blocks)
    return Floorplan(tuple(found))


def _layer(
    layer: int, share: int, stage: CrossbarStage, hardware: Hardware, sizes: Sizes, top: float
) -> LayerPlan:
    strip = _Strip(top + BLOCK_GAP, math.sqrt(sizes.opamp))
    kept = stage.kept
    x, y = strip.array("rows", int(kept.sum()))
    slot = np.where(kept, np.cumsum(kept).reshape(kept.shape) - 1, 0)
    rows = Sites(x[slot], y[slot]) if x.size else Sites(0.0 * slot, 0.0 * slot)
    pitch = math.sqrt(sizes.cell)
    columns = _positions(stage.g.shape[1], pitch, hardware.tile_cols)
    down = _positions(stage.g.shape[0], pitch, hardware.tile_rows)
    left = strip.block("cells", columns[-1] + pitch / 2, down[-1] + pitch / 2)
    cells = Sites(left + columns, strip.top + down, grid=True)
    lines = strip.array("lines", stage.r_c.size)
    diffs = strip.array("differences", stage.n_diffs)
    bias = cells.y[cells.y.size - stage.n_bias :]
    return LayerPlan(
        layer=layer,
        share=share,
        cells=cells,
        rows=rows,
        lines=Sites(*lines),
        diffs=Sites(*diffs),
        bias=Sites(np.full(bias.shape, left), bias),
        blocks=tuple(strip.blocks),
    )


def _positions(n: int, pitch: float, tile: int) -> Floats:
    """Middles (n,) of cells of ``pitch``, with a gap behind every ``tile`` of them."""
    k = np.arange(n)
    return pitch * (k + 0.5) + TILE_GAP * (k // tile)


class _Strip:
    """Blocks from left to right at ``top``, of parts of ``side`` micrometres."""

    def __init__(self, top: float, side: float) -> None:
        self.top, self.side = top, side
        self.blocks: list[Block] = []

    def block(self, name: str, width: float, height: float) -> float:
        """Put a block to the right of those that there are: its left edge."""
        last = self.blocks[-1] if self.blocks else None
        left = BLOCK_GAP + (last.x + last.width if last else 0.0)
        self.blocks.append(Block(name, left, self.top, width, height))
        return left

    def array(self, name: str, n: int) -> tuple[Floats, Floats]:
        """Middles (n,) of ``n`` parts in a block of them, row by row."""
        if not n:
            return np.zeros(0), np.zeros(0)
        across = math.ceil(math.sqrt(n))
        left = self.block(name, across * self.side, -(-n // across) * self.side)
        k = np.arange(n, dtype=np.float64)
        return left + self.side * (k % across + 0.5), self.top + self.side * (k // across + 0.5)
