"""Eliminating nets that only resistors touch, by sparse LU: how verification sees wires.

Shares nothing with ``wires``, which reduces tiles by their structure.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from ..errors import NetlistError
from .hardware import Hardware


def eliminate(
    a: np.ndarray, b: np.ndarray, g: np.ndarray, inner: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Resistors between the remaining nets when those marked ``inner`` are gone.

    Parameters
    ----------
    a, b
        (n,) nets of each resistor.
    g
        (n,) siemens.
    inner
        (nets,) bool.

    Returns
    -------
    tuple
        Nets a and b, and siemens, of what takes the place of all resistors that touched an inner
        net; each pair once, a < b.
    """
    count, size = len(inner), len(a)
    within = inner[a] & inner[b]
    graph = sp.coo_matrix((np.ones(within.sum()), (a[within], b[within])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    group = np.where(inner[a], label[a], label[b])
    made: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    order = np.argsort(group, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if size else []:
        made.append(_island(a[part], b[part], g[part], inner))
    if not made:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0)
    one, other, siemens = (np.concatenate(column) for column in zip(*made, strict=True))
    return one, other, siemens


def _island(
    a: np.ndarray, b: np.ndarray, g: np.ndarray, inner: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``eliminate`` for inner nets that hang together."""
    nets, at = np.unique(np.concatenate([a, b]), return_inverse=True)
    i, j = at[: len(a)], at[len(a) :]
    where = (np.concatenate([i, j, i, j]), np.concatenate([i, j, j, i]))
    shape = (len(nets), len(nets))
    matrix = sp.coo_matrix((np.concatenate([g, g, -g, -g]), where), shape=shape).tocsc()
    gone = inner[nets]
    if gone.all():  # what leads nowhere carries nothing
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0)
    to_ports = matrix[gone][:, ~gone]
    try:
        solved = splu(matrix[gone][:, gone].tocsc()).solve(to_ports.toarray())
    except RuntimeError as error:
        raise NetlistError(
            f"wires from {g.min():g} to {g.max():g} S cannot be told apart: {error}"
        ) from error
    left = matrix[~gone][:, ~gone].toarray() - to_ports.T @ solved
    ports = nets[~gone]
    one, other = np.triu_indices(len(ports), 1)
    return ports[one], ports[other], -left[one, other]


def wired(g: np.ndarray, hardware: Hardware) -> tuple[np.ndarray, np.ndarray]:
    """What a crossbar of cells ``g`` (R, 2 O), siemens, is with its wires at 26.85 degC.

    Returns (R, 2 O) siemens between rows and summing nodes, and (2 O, 2 O) between summing nodes.
    """
    rows, lines = g.shape
    ends = _segments(g, hardware)
    a, b = (np.concatenate([part[k] for part in ends]) for k in (0, 1))
    siemens = np.concatenate([part[2] for part in ends])
    inner = np.arange(max(a.max(), b.max()) + 1) >= rows + lines
    one, other, left = eliminate(a, b, siemens, inner)
    made, between = np.zeros(g.shape), np.zeros((lines, lines))
    crossing = (one < rows) & (other >= rows)
    np.add.at(made, (one[crossing], other[crossing] - rows), left[crossing])
    feet = one >= rows
    np.add.at(between, (one[feet] - rows, other[feet] - rows), left[feet])
    return made, between + between.T


def _segments(g: np.ndarray, hardware: Hardware) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Every resistor of a wired layer: rows are nets 0 on, summing nodes follow, then the rest."""
    rows, lines = g.shape
    free = rows + lines
    entry = np.arange(rows)
    found = []
    if hardware.r_driver:
        entry = free + np.arange(rows)
        free += rows
        found.append((np.arange(rows), entry, np.full(rows, 1 / hardware.r_driver)))
    if not hardware.r_wire:
        feet = np.broadcast_to(rows + np.arange(lines), g.shape).ravel()
        return [*found, (np.repeat(entry, lines), feet, g.ravel())]
    wire = 1 / hardware.r_wire
    for r in range(0, rows, hardware.tile_rows):
        for c in range(0, lines, hardware.tile_cols):
            cells = g[r : r + hardware.tile_rows, c : c + hardware.tile_cols]
            along = free + np.arange(cells.size).reshape(cells.shape)
            down = along + cells.size
            free += 2 * cells.size
            feet = rows + c + np.arange(cells.shape[1])
            parts = [
                (entry[r : r + len(cells)], along[:, 0], wire),
                (along[:, :-1], along[:, 1:], wire),
                (along, down, cells),
                (down[:-1], down[1:], wire),
                (down[-1], feet, wire),
            ]
            found += [
                (a.ravel(), b.ravel(), np.broadcast_to(x, a.shape).ravel()) for a, b, x in parts
            ]
    return found
