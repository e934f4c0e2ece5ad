"""A wired tile seen from its ports: every node between them is eliminated (Kron's reduction).

Where cells take little of what wires conduct, as in any array of use, that is done by halves, which
is several times as fast; where wires take most of the current, row by row, which has no differences
of nearly equal numbers at all.

Axes: R rows, C columns; leading axes ... are tiles of one shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .halves import by_halves, loop_of

TOGETHER = 2 * 64 * 64
"""Cells of tiles that are reduced at once: what they take stays in a cache."""
STRONG = 30.0
"""Loop from which on halves lose digits: at that it is one of 16, of the least conductance."""
LEAST = 1e-30
"""Cell that counts as one, of a segment: there may be none at all."""
Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Ports:
    """A wired crossbar seen from its ports.

    Attributes
    ----------
    g
        (..., R, C) siemens between each row's entry and each column's foot.
    feet
        (..., C, C) admittance matrix of the feet with every entry at 0 V; off its diagonal are the
        negative conductances between feet.
    entries
        (..., R, R) that of the entries with every foot at 0 V; None if it was not asked for.
    """

    g: np.ndarray
    feet: np.ndarray
    entries: np.ndarray | None = None


def reduce_tile(g: np.ndarray, g_wire: float, *, entries: bool = False) -> Ports:
    """Reduce tiles of conductances ``g`` (..., R, C), siemens, with segments of ``g_wire``.

    What a tile becomes does not depend on those that it is reduced with.
    """
    *lead, n_rows, n_cols = g.shape
    tiles = g.reshape(-1, n_rows, n_cols)
    # As strong as the strongest cell, to a power of 4: most tiles of a chip are alike.
    strongest = np.maximum(tiles.max(axis=(1, 2)) / g_wire, LEAST)
    power = np.ceil(0.5 * np.log2(strongest))
    size, half = max(1, TOGETHER // (n_rows * n_cols)), max(n_rows, n_cols) // 2
    order, parts = list[np.ndarray](), list[Parts]()
    for one in np.unique(power):
        alike, most = np.flatnonzero(power == one), 4.0 ** float(one)
        for at in np.split(alike, range(size, alike.size, size)):
            if loop_of(half, most) > STRONG:
                parts.append(_by_rows(tiles[at], g_wire))
            else:
                parts.append(_by_halves(tiles[at], g_wire, most))
            order.append(at)
    back = np.argsort(np.concatenate(order))
    seen, feet, own = (
        np.concatenate(part)[back].reshape(*lead, *part[0].shape[1:])
        for part in zip(*parts, strict=True)
    )
    return Ports(seen, feet, own if entries else None)


def _by_halves(g: np.ndarray, g_wire: float, most: float) -> Parts:
    """The three of ``Ports`` of cells up to ``most`` of ``g_wire``."""
    rows, between, cols = (g_wire * part for part in by_halves(g[:, ::-1] / g_wire, most))
    return between[:, ::-1], _even(cols), _even(rows)[:, ::-1, ::-1]


def _even(matrix: np.ndarray) -> np.ndarray:
    return 0.5 * (matrix + matrix.swapaxes(-1, -2))


def _by_rows(g: np.ndarray, g_wire: float) -> Parts:
    """The same row by row from the top: what lies above a row is, seen from its column nodes, an
    admittance matrix and the currents of the rows' entries; each row adds its ladder and one more
    segment. The ladders' inverses are products of two recurrences, so a row costs one C x C solve.
    """
    *lead, n_rows, n_cols = g.shape
    ladder, feed, ends = _rows(g, g_wire)
    above = np.zeros((*lead, n_cols, n_cols))
    currents = np.zeros((*lead, n_cols, n_rows))
    inner = np.zeros((*lead, n_rows, n_rows))
    eye = np.eye(n_cols)
    for k in range(n_rows):
        here = above + ladder[..., k, :, :]
        currents[..., k] = feed[..., k, :]
        # Through the segment below: the current that passes, and the admittance that is seen.
        fed = currents[..., : k + 1]  # those above have entries, those below not yet
        solved = np.linalg.solve(here + g_wire * eye, np.concatenate([here, fed], axis=-1))
        inner[..., : k + 1, : k + 1] += fed.swapaxes(-1, -2) @ solved[..., n_cols:]
        fed[...] = g_wire * solved[..., n_cols:]
        above = g_wire * solved[..., :n_cols]
        above = _even(above)
    at = np.arange(n_rows)
    inner[..., at, at] -= ends
    return currents.swapaxes(-1, -2), above, -inner


def _rows(g: np.ndarray, g_wire: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each row's ladder seen from its column nodes, and from its entry.

    Returns
    -------
    ladder
        (..., R, C, C) admittance of the column nodes with the entry at 0 V.
    feed
        (..., R, C) siemens: current into the column nodes for 1 V at the entry.
    ends
        (..., R) siemens: current from the entry for 1 V there and 0 V at the column nodes.
    """
    n_cols = g.shape[-1]
    # (T + diag g)^-1, T the ladder's matrix, is u_min v_max: u solves it from the entry, v from
    # the far end. ``up`` and ``down`` are ratios of neighbours, which cannot overflow.
    up = np.empty(g.shape)  # conductance to ground seen to the left of a node, its segment included
    down = np.empty(g.shape)  # and to the right
    up[..., 0] = g_wire
    for j in range(1, n_cols):
        left = up[..., j - 1] + g[..., j - 1]
        up[..., j] = g_wire * left / (g_wire + left)
    down[..., -1] = 0.0
    for j in range(n_cols - 2, -1, -1):
        right = down[..., j + 1] + g[..., j + 1]
        down[..., j] = g_wire * right / (g_wire + right)
    # Volts at node j for 1 A into node k <= j: those at k, passed on by each divider between.
    own = 1.0 / (up + g + down)
    passed = g_wire / (g_wire + down[..., 1:] + g[..., 1:])
    steps = np.concatenate([np.zeros((*g.shape[:-1], 1)), np.cumsum(np.log(passed), -1)], -1)
    decay = np.exp(-np.abs(steps[..., :, None] - steps[..., None, :]))
    first = np.minimum(np.arange(n_cols)[:, None], np.arange(n_cols))
    inverse = own[..., first] * decay
    ladder = -g[..., :, None] * inverse * g[..., None, :]
    at = np.arange(n_cols)
    # On the diagonal g - g K g = g (up + down) K: no difference of nearly equal numbers.
    ladder[..., at, at] = g * (up + down) * own
    volts = g_wire * inverse[..., 0, :]
    ends = g_wire * (g[..., 0] + down[..., 0]) * own[..., 0]
    return ladder, g * volts, ends
