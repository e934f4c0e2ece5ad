"""Wires of a crossbar, exactly: what is left when every node between its ports is eliminated.

A tile has a wire segment of ``r`` ohms from a row's entry to its first cell, between cells along
rows and columns, and from a column's last cell to its foot; rows enter at the left, feet are at the
bottom. It is linear, so seen from its ports (entries and feet) it is a network of resistors between
them: ``kron`` reduces a tile, and here is a layer of them.

Axes: R rows of a layer, O outputs; r rows of a tile.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..devices.curve import NOMINAL_TEMP_C
from .closed_form import drifted
from .hardware import Hardware
from .kron import Ports, reduce_tile


@dataclass(frozen=True, eq=False)
class WiredLayer:
    """A layer's crossbar between its row amplifiers and the lines' summing nodes.

    Attributes
    ----------
    g
        (R, 2 O) siemens between rows and summing nodes.
    feet
        (2 O, 2 O) admittance matrix of the summing nodes with every row at 0 V.
    entries
        That of the rows with every summing node at 0 V, a block (r, r) for the rows of a tile: rows
        of others do not see each other. Empty if it was not asked for.
    """

    g: np.ndarray
    feet: np.ndarray
    entries: tuple[np.ndarray, ...] = ()


_KNOWN: OrderedDict[bytes, Ports] = OrderedDict()
_LOCK = threading.Lock()
MOST_KNOWN = 2**23
"""Cells of tiles whose reduction is kept, 2 to 3 times 8 bytes each: a chip's dark trim, twin and
deck ask for the same ones."""


def _followed(tile: Any, g_wire: float, entries: bool) -> Ports:
    """``reduce_tile`` of a tile that has derivatives, see ``engines.traced``."""
    from .wire_slopes import drops

    (now,) = _remembered([tile.value], g_wire, entries)
    across, more = drops(tile.value, g_wire), (tile - tile.value).reshape(-1)
    rows, feet = across[: len(tile)], across[len(tile) :]
    return Ports(
        now.g - (rows * more) @ feet.T,
        now.feet + (feet * more) @ feet.T,
        now.entries + (rows * more) @ rows.T if entries else None,
    )


def _remembered(tiles: list[np.ndarray], g_wire: float, entries: bool) -> list[Ports]:
    """``reduce_tile`` of each of ``tiles``, those known from the last calls left out."""
    if not isinstance(tiles[0], np.ndarray):
        return [_followed(tile, g_wire, entries) for tile in tiles]
    keys = [_key(tile, g_wire, entries) for tile in tiles]
    with _LOCK:
        found = {key: _KNOWN[key] for key in keys if key in _KNOWN}
    new = [k for k, key in enumerate(keys) if key not in found]
    for shape in dict.fromkeys(tiles[k].shape for k in new):
        alike = [k for k in new if tiles[k].shape == shape]
        made = reduce_tile(np.stack([tiles[k] for k in alike]), g_wire, entries=entries)
        for at, k in enumerate(alike):
            own = None if made.entries is None else made.entries[at]
            found[keys[k]] = Ports(made.g[at], made.feet[at], own)
    with _LOCK:
        _KNOWN.update((keys[k], found[keys[k]]) for k in new)
        kept = sum(ports.g.size for ports in _KNOWN.values())
        while kept > MOST_KNOWN:
            kept -= _KNOWN.popitem(last=False)[1].g.size
    return [found[key] for key in keys]


def _key(tile: np.ndarray, g_wire: float, entries: bool) -> bytes:
    """Equal for equal tiles of equal wires."""
    digest = hashlib.blake2b(np.ascontiguousarray(tile).tobytes(), digest_size=16)
    digest.update(repr((tile.shape, g_wire, entries)).encode())
    return digest.digest()


def stack_layers(above: WiredLayer, below: WiredLayer) -> WiredLayer:
    """The layer of two whose tiles hang on the same summing nodes, one's rows above the other's."""
    return WiredLayer(np.concatenate([above.g, below.g]), above.feet + below.feet)


def wire_layer(
    g: np.ndarray,
    hardware: Hardware,
    temp_c: float = NOMINAL_TEMP_C,
    *,
    entries: bool = False,
    drift: float | np.ndarray | None = None,
) -> WiredLayer:
    """Reduce a layer of cells ``g`` (R, 2 O), siemens at 26.85 degC, at ``temp_c``.

    Tiles share row entries (behind one driver resistance a row) and summing nodes. Power needs
    ``entries``, voltages do not. ``drift`` is the factor of the cells' resistances, if it is not
    that of the hardware's coefficients.
    """
    dt = temp_c - NOMINAL_TEMP_C
    g = g / (drifted(hardware.cell_tc1, hardware.cell_tc2, dt) if drift is None else drift)
    if not hardware.r_wire:  # a row is then one node behind its driver
        seen = hardware.r_driver * g.sum(axis=1, keepdims=True)
        made = g / (1.0 + seen)
        at = range(hardware.tile_rows, len(g), hardware.tile_rows)
        own = tuple(map(np.diag, np.split(made.sum(axis=1), at))) if entries else ()
        return WiredLayer(made, np.diag(g.sum(axis=0)) - hardware.r_driver * (g.T @ made), own)
    g_wire = 1.0 / (hardware.r_wire * drifted(hardware.wire_tc1, 0.0, dt))
    rows, cols = hardware.tile_rows, hardware.tile_cols
    down, across = range(0, len(g), rows), range(0, g.shape[1], cols)
    made, feet = list[np.ndarray](), list[np.ndarray]()
    drivers = hardware.r_driver > 0
    seen_by: list[np.ndarray] = [np.zeros(())] * len(down)
    for c in across:
        at = slice(c, c + cols)
        tiles = [g[r : r + rows, at] for r in down]
        reduced = _remembered(tiles, g_wire, drivers or entries)
        made.append(np.concatenate([ports.g for ports in reduced]))
        own, *others = (ports.feet for ports in reduced)
        after = g.shape[1] - c - len(own)
        feet.append(np.pad(sum(others, own), ((c, after), (0, 0))))
        for k, ports in enumerate(reduced):
            if ports.entries is not None:
                seen_by[k] = seen_by[k] + ports.entries
    joined, of_feet = np.concatenate(made, axis=1), np.concatenate(feet, axis=1)
    if not drivers:
        return WiredLayer(joined, of_feet, tuple(seen_by) if entries else ())
    # A row's entries to its tiles are one node; only then is what drives it eliminated.
    g_driver, behind = 1.0 / hardware.r_driver, list[np.ndarray]()
    for k, (r, block) in enumerate(zip(down, seen_by, strict=True)):
        here, eye = joined[r : r + rows], np.eye(len(block))
        matrix = block + g_driver * eye
        solved = np.linalg.solve(matrix, here)
        of_feet = of_feet - here.T @ solved
        behind.append(g_driver * solved)
        if entries:  # g - g (block + g)^-1 g, without the difference
            seen_by[k] = g_driver * np.linalg.solve(matrix, block)
    return WiredLayer(np.concatenate(behind), of_feet, tuple(seen_by) if entries else ())


def kept(g: np.ndarray, hardware: Hardware) -> float:
    """Share of its current that the crossbar ``g`` (R, 2 O) keeps, all rows at one voltage."""
    return float(wire_layer(g, hardware).g.sum() / g.sum())


def segments(there: np.ndarray, lines: int, hardware: Hardware) -> int:
    """Wire segments of a layer of ``lines`` lines whose rows (R,) are ``there``: those of its rows
    and, in each tile, those of columns from the first of them down."""
    tiles = np.split(there, range(hardware.tile_rows, len(there), hardware.tile_rows))
    down = sum(len(tile) - int(tile.argmax()) for tile in tiles if tile.any())
    return lines * (int(there.sum()) + down)


ENOUGH = 0.98
"""Share of the current below which ``forecast`` suggests something; assumed."""
GAIN = 0.005
"""What a suggestion must bring."""


def forecast(layer: int, g: np.ndarray, hardware: Hardware) -> str:
    """A sentence on what wires take from a layer ``g`` (R, 2 O), and what would take less."""
    here = kept(g, hardware)
    sentence = f"layer {layer}: wires leave {100 * here:.1f} % of the crossbar's current"
    if here >= ENOUGH:
        return sentence
    rows, lines = min(hardware.tile_rows, len(g)), min(hardware.tile_cols, g.shape[1])
    half = {"tile_rows": max(2, rows // 2), "tile_cols": max(2, lines // 4 * 2)}
    others = {
        f"{half['tile_rows']} x {half['tile_cols']} tiles": kept(g, replace(hardware, **half)),
        "half the g_max": kept(g / 2, hardware),
        "drivers of half the resistance": kept(
            g, replace(hardware, r_driver=0.5 * hardware.r_driver)
        ),
    }
    better = [
        f"{100 * share:.1f} % with {what}" for what, share in others.items() if share > here + GAIN
    ]
    return f"{sentence}; it would be {', '.join(better)}" if better else sentence
