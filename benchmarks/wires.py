"""Wired crossbars: the reduction beside badcrossbar and scipy's sparse LU, on the same arrays.

Cells uniform in 1 to 100 uS, 1 ohm a segment, seed 0; one thread. badcrossbar needs no cairo to
compute, but says that it cannot plot:

    pip install --no-deps badcrossbar pathvalidate
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from analogkan.compiler.kron import reduce_tile
from analogkan.threads import one_blas_thread

from .measure import Row, Way, among, not_run

ARRAYS = ((64, 64), (588, 128))
SMALL = ((16, 8),)
VECTORS, MANY = (1, 100), 10_000
"""That all are asked; and that the reduction is asked alone: the others would need some GB at
once."""


def measured(quick: bool = False) -> list[Row]:
    """The reduction and its use, over nodes solved one and all."""
    rows: list[Row] = []
    with one_blas_thread:
        for shape in SMALL if quick else ARRAYS:
            for n in VECTORS:
                rows += _array(shape, n, quick)
    return rows


def _array(shape: tuple[int, int], n: int, quick: bool) -> list[Row]:
    rng = np.random.default_rng(0)
    g = rng.uniform(1e-6, 1e-4, shape)
    few, many = (rng.uniform(0, 0.5, (shape[0], count)) for count in (n, MANY))

    def reduced(v: np.ndarray) -> np.ndarray:
        return reduce_tile(g, 1.0).g.T @ v

    wanted = reduced(few)

    def way(name: str, call: Callable[[], np.ndarray]) -> Way:
        error = np.abs(call() - wanted).max() / np.abs(wanted).max()
        return Way(name, call, note=f"{error:.0e} apart")

    size = f"{shape[0]} x {shape[1]}"
    ours = Way(f"{size}: reduced, {n} vector{'s' if n > 1 else ''}", lambda: reduced(few))
    others = [
        way("scipy's splu, factor and solve", lambda: by_lu(g, few)),
        Way(f"the same reduction, {MANY:,} vectors", lambda: reduced(many)),
    ]
    compute = _badcrossbar()
    if compute is None:
        why = "pip install --no-deps badcrossbar pathvalidate"
        return [
            *among(ours, others, quick=quick, warm=False),
            not_run(ours.name, "badcrossbar", why),
        ]
    others.append(way("badcrossbar", lambda: compute(few, 1 / g, 1.0).currents.output.T))
    return among(ours, others, quick=quick, warm=False)


def _badcrossbar() -> Callable[..., Any] | None:
    """Its solver, silent; None where it is not installed."""
    with warnings.catch_warnings(record=True):
        try:
            from badcrossbar.compute import compute  # pyright: ignore[reportMissingImports]
        except ImportError:
            return None
    logging.getLogger("badcrossbar").setLevel(logging.WARNING)
    return compute


def by_lu(g: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Foot currents (C, n) for entries at ``v`` (R, n), all nodes solved."""
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
    return splu(matrix).solve(right)[b[-1]]
