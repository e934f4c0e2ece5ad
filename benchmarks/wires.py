"""Wired crossbars: the reduction beside badcrossbar and scipy's sparse LU, on the same arrays.

Cells uniform in 1 to 100 uS, 1 ohm a segment, seed 0. badcrossbar (PyPI; it wants the cairo
library) is left out where it is not installed.
"""

from __future__ import annotations

import logging
import time

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from analogkan.compiler.wires import reduce_tile

ARRAYS = ((64, 64), (588, 128))
VECTORS = (1, 100, 10_000)
MOST_UNKNOWNS = 4e8
"""Nodes times vectors that the others keep at once: 3 GB. Above it they are not run."""


def main() -> None:
    try:
        import badcrossbar  # pyright: ignore[reportMissingImports]
    except ImportError:
        badcrossbar = None
    for rows, cols in ARRAYS:
        rng = np.random.default_rng(0)
        g = rng.uniform(1e-6, 1e-4, (rows, cols))
        print(f"{rows} x {cols}:")
        for n in VECTORS:
            v = rng.uniform(0, 0.5, (rows, n))
            started = time.perf_counter()
            ports = reduce_tile(g, 1.0)
            reduced = time.perf_counter()
            found = ports.g.T @ v
            ours = time.perf_counter() - started
            said = f"  {n:6,} vectors: reduction {ours:.3f} s ({reduced - started:.3f} of it once)"
            if 2 * rows * cols * n > MOST_UNKNOWNS:
                print(said + "; the others would need more than 3 GB at once")
                continue
            wanted, theirs = by_lu(g, v)
            error = np.abs(found - wanted).max() / np.abs(wanted).max()
            said += f"; splu {theirs:.3f} s ({theirs / ours:.1f} times), {error:.0e} apart"
            if badcrossbar is not None:
                logging.disable(logging.INFO)
                started = time.perf_counter()
                solution = badcrossbar.compute(v, 1 / g, 1.0)
                theirs = time.perf_counter() - started
                error = np.abs(found.T - solution.currents.output).max() / np.abs(found).max()
                said += f"; badcrossbar {theirs:.3f} s ({theirs / ours:.1f}), {error:.0e} apart"
            print(said)


def by_lu(g: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, float]:
    """Foot currents (C, n) for entries at ``v`` (R, n), all nodes solved; and seconds."""
    started = time.perf_counter()
    rows, cols = g.shape
    inner = 2 * rows * cols
    w = np.arange(rows * cols).reshape(rows, cols)
    b = w + rows * cols
    one = np.ones((rows, cols))
    parts = [(w[:, :-1], w[:, 1:], one[:, 1:]), (b[:-1], b[1:], one[1:]), (w, b, g)]
    i, j, x = (np.concatenate([part[k].ravel() for part in parts]) for k in range(3))
    ends = np.concatenate([w[:, 0], b[-1]])
    at = (np.concatenate([i, j, i, j, ends]), np.concatenate([i, j, j, i, ends]))
    values = np.concatenate([x, x, -x, -x, np.ones(ends.size)])
    matrix = sp.coo_matrix((values, at), shape=(inner, inner)).tocsc()
    right = np.zeros((inner, v.shape[1]))
    right[w[:, 0]] = v
    volts = splu(matrix).solve(right)
    return volts[b[-1]], time.perf_counter() - started
