"""What a wired tile seen from its ports grows by with each of its cells.

Of a network of resistors seen from ports a and b, dY_ab / dg = u_a u_b: u_a is what a cell has
across it with 1 V at port a and 0 V at all others (Tellegen).

Axes: R rows, C columns.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

MOST_KNOWN = 32
"""Tiles of which it is kept: 4 MB each where they are 64 by 64."""


def drops(g: np.ndarray, g_wire: float) -> np.ndarray:
    """(R + C, R C) volts across each cell of a tile ``g`` (R, C), siemens, for 1 V at each port,
    entries first; segments of ``g_wire`` as ``wires`` has them."""
    return _drops(np.ascontiguousarray(g).tobytes(), g.shape, g_wire)


@lru_cache(maxsize=MOST_KNOWN)
def _drops(cells: bytes, shape: tuple[int, int], g_wire: float) -> np.ndarray:
    n_rows, n_cols = shape
    g = np.frombuffer(cells).reshape(shape)
    above = np.arange(g.size).reshape(shape)  # nodes of rows' wires, then those of columns'
    below = above + g.size
    ends = [
        (above.ravel(), below.ravel(), g.ravel()),
        (above[:, :-1].ravel(), above[:, 1:].ravel(), np.full(n_rows * (n_cols - 1), g_wire)),
        (below[:-1].ravel(), below[1:].ravel(), np.full((n_rows - 1) * n_cols, g_wire)),
    ]
    first, second, siemens = (np.concatenate(part) for part in zip(*ends, strict=True))
    ports = np.concatenate([above[:, 0], below[-1]])
    at = np.concatenate([first, second, first, second, ports])
    to = np.concatenate([first, second, second, first, ports])
    value = np.concatenate([siemens, siemens, -siemens, -siemens, np.full(ports.size, g_wire)])
    matrix: Any = sparse.csc_matrix((value, (at, to)))
    driven = np.zeros((2 * g.size, ports.size))
    driven[ports, np.arange(ports.size)] = g_wire
    volts = splu(matrix).solve(driven)
    return np.ascontiguousarray((volts[: g.size] - volts[g.size :]).T)
