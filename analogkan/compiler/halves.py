"""A wired tile seen from its ports, by halves of halves: products of matrices, and little else.

Rows and columns are lines alike: a row begins at its entry, a column at its foot, and goes on node
by node. In units of a segment's resistance, node k of a line, from 0, would be at s + (k + 1) e if
there were no cells: s is the potential where the line begins, e the current that is pushed into its
far end; of columns both with their signs turned, so that what drives a cell is the sum of what its
two lines have. Let p be the s and e of all lines, and N^T p what drives the cells. They carry
S N^T p with S = (Y^-1 + Z)^-1, where Y are the cells' conductances and Z the segments that two
cells share; lines get H p of it back, H = N S N^T. All of H is of the order of the cells: it is no
difference of what wires conduct.

Two blocks side by side have the lines in common that run through both. What the far one takes moves
the e of the near one, and what that takes the s of the far one: a loop of one small matrix, and the
whole is a sum of products. Halves are of one shape, so that all of a level are worked out together.

Axes: R rows, C columns; leading axes ... are blocks of one shape, the first of them tiles.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

FEW = 24
"""Cells of a block that is not halved; measured."""
WEAK = 0.1
"""Up to which a loop is worked out as a series of products; a stronger one by LU."""
NOTHING = 2.0**-56
"""What a series may leave."""


def _turned(matrix: np.ndarray) -> np.ndarray:
    return matrix.swapaxes(-1, -2)


class Seen(NamedTuple):
    """H (..., n + m, n + m) of a block: between ports of rows, of rows and columns, of columns.

    Of R rows there are R or 2 R ports: all s, then all e where the block's far end is asked for.
    """

    rows: np.ndarray
    between: np.ndarray
    cols: np.ndarray


def loop_of(length: int, most: float) -> float:
    """What no loop between two blocks of ``length`` columns has a norm above: what far answers is
    at most what its cells, ``most`` each, carry side by side; near's end drops at most what its
    segments do."""
    return length * length * most


def by_halves(y: np.ndarray, most: float, ends: tuple[bool, bool] = (False, False)) -> Seen:
    """H of blocks.

    Parameters
    ----------
    y
        (..., R, C) conductances in units of a segment's, from the feet up.
    most
        What none is above: how long series are follows from it, and from nothing else.
    ends
        Whether something is pushed into the far ends of rows, and of columns.
    """
    n_rows, n_cols = y.shape[-2:]
    if n_rows * n_cols <= FEW:
        return _solved(y, most, ends)
    if n_cols < n_rows:
        cols, between, rows = by_halves(_turned(y), most, (ends[1], ends[0]))
        return Seen(rows, _turned(between), cols)
    half, odd = (n_cols + 1) // 2, n_cols % 2
    if odd:  # a column without cells makes the halves alike
        y = np.concatenate([y, np.zeros_like(y[..., :1])], axis=-1)
    parts = by_halves(np.stack([y[..., :half], y[..., half:]], axis=-3), most, (True, ends[1]))
    found = _joined(parts, half, most, ends[0])
    if not odd:
        return found
    is_there = np.arange(found.cols.shape[-1]) % (2 * half) < n_cols
    cols = found.cols[..., is_there, :][..., is_there]
    return Seen(found.rows, found.between[..., is_there], cols)


def _joined(parts: Seen, length: int, most: float, ends: bool) -> Seen:
    """Two blocks of ``length`` columns in axis -3, the second behind the first; ``ends``: of rows,
    of which the blocks have them."""
    near, far = (Seen(*(part[..., at, :, :] for part in parts)) for at in (0, 1))
    r, kept = near.between.shape[-2] // 2, slice(None)
    # What far answers to its s, near to its e; near's segments carry far's current, too.
    q, p = far.rows[..., :r, :r], near.rows[..., r:, r:] - length * np.eye(r)
    k = _inverse(p @ q, loop_of(length, most))
    k_turned, qk, kp = np.ascontiguousarray(_turned(k)), q @ k, k @ p
    of_far, more = far.rows, far.between
    if ends:  # what is pushed into the far end of both moves far's s by near's segments
        of_far, more = of_far.copy(), more.copy()
        of_far[..., r:, :] += length * of_far[..., :r, :]
        of_far[..., r:] += length * of_far[..., :r]
        more[..., r:, :] += length * more[..., :r, :]
    else:
        kept = slice(r)
    # From what is kept of rows into the loop, by near's e and by far's s; and through it.
    u, v = near.rows[..., kept, r:], of_far[..., kept, :r]
    in_near, in_far = v @ k - u @ qk, u @ k_turned - v @ kp
    rows = near.rows[..., kept, kept] + of_far[..., kept, kept]
    rows -= in_near @ near.rows[..., r:, kept] + in_far @ of_far[..., :r, kept]
    # The columns of near, and of far. Products run twice as fast with copies that are not turned.
    a, b = near.between[..., r:, :], far.between[..., :r, :]
    a_turned, b_turned = (np.ascontiguousarray(_turned(x)) for x in (a, b))
    across = a_turned @ (-k_turned @ b)
    between = near.between[..., kept, :] - in_near @ a, more[..., kept, :] - in_far @ b
    cols = (
        (near.cols + a_turned @ (qk @ a), across),
        (_turned(across), far.cols + b_turned @ (kp @ b)),
    )
    *lead, n, m = between[0].shape
    kinds = m // length  # of ports: s, or s and e
    beside = np.empty((*lead, n, kinds, 2, length))
    square = np.empty((*lead, kinds, 2, length, kinds, 2, length))
    for at in (0, 1):
        beside[..., at, :] = between[at].reshape(*lead, n, kinds, length)
        for to in (0, 1):
            part = cols[at][to].reshape(*lead, kinds, length, kinds, length)
            square[..., at, :, :, to, :] = part
    return Seen(rows, beside.reshape(*lead, n, 2 * m), square.reshape(*lead, 2 * m, 2 * m))


def _inverse(m: np.ndarray, most: float) -> np.ndarray:
    """(1 - m)^-1 of matrices of norms up to ``most``."""
    eye = np.eye(m.shape[-1])
    if most > WEAK:
        return np.linalg.inv(eye - m)
    found = eye + m
    while (most := most * most) > NOTHING:
        m = m @ m
        found = found + found @ m
    return found


def _solved(y: np.ndarray, most: float, ends: tuple[bool, bool]) -> Seen:
    """Small blocks by their cells, whose currents for each port, N S, are N Y - (N S) Z Y."""
    *lead, n_rows, n_cols = y.shape
    shared, driven = _lines(n_rows, n_cols, *ends)
    cells = np.repeat(y.reshape(*lead, 1, -1), len(driven), axis=-2)
    most, left = most * float(shared.sum(axis=0).max()), 1.0
    carried = alone = driven * cells
    if most > WEAK:
        matrix = np.eye(len(shared)) + _turned(cells[..., :1, :]) * shared
        carried = _turned(np.linalg.solve(matrix, _turned(alone)))
    else:
        taken = -cells
        while (left := left * most) > NOTHING:
            carried = carried @ shared
            carried *= taken
            carried += alone
    found, n = carried @ np.ascontiguousarray(driven.T), n_rows * (1 + ends[0])
    return Seen(found[..., :n, :n], found[..., :n, n:], found[..., n:, n:])


@lru_cache(maxsize=64)
def _lines(n_rows: int, n_cols: int, *ends: bool) -> tuple[np.ndarray, np.ndarray]:
    """Z (R C, R C), segments that cells of a block share; N (n + m, R C), what drives them."""
    row, col = (at.ravel() for at in np.indices((n_rows, n_cols)))
    shared, driven = np.zeros((row.size, row.size)), list[np.ndarray]()
    for line, node, lines, end in ((row, col, n_rows, ends[0]), (col, row, n_cols, ends[1])):
        on = np.arange(lines)[:, None] == line
        shared += (line[:, None] == line) * (1.0 + np.minimum(node[:, None], node))
        driven += [1.0 * on, on * (1.0 + node)][: 1 + end]
    return shared, np.concatenate(driven)
