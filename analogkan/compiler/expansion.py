"""A crossbar of cells that bend: the currents into its summing nodes, as sums of products.

Without access devices a law's own sums, with them polynomials of rows' volts. The same lines serve
numpy arrays and torch tensors. Axes: R rows, L lines, B images; N degrees of a row's polynomials, J
of a node's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import SimulationError
from .cell_law import CellLaw

TAIL = 1e-11
"""Share of the largest coefficient of an expansion that its last ones may have."""
KEPT, OF_NOISE = 1e-11, 1e-6
"""Share of the largest coefficient below which a degree is left out; of noise, whose currents both
engines have from here."""
FIRST_DEGREE, MOST_DEGREE, OF_NODE = 8, 40, 2
"""Of polynomials in a row's volts, and in what a summing node is off its op-amp's offset."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Expansion:
    """Currents of cells behind access devices as polynomials in volts of rows and nodes.

    Attributes
    ----------
    weights
        For each of the node's polynomials (..., R (N + 1), L) amperes, N + 1 of each row's, degree
        by degree, as many as count.
    squares
        (..., R (N' + 1), L) those of the squared currents at a node of 0 V.
    low, high
        Volts that rows have.
    node, most
        (..., L, 1) volts that each node is near, its op-amp's offset, and the most that it differs.
    """

    weights: tuple[Any, ...]
    squares: Any
    low: float
    high: float
    node: Any
    most: float


def expand(
    law: CellLaw,
    g: np.ndarray,
    temp_c: Any,
    span: tuple[float, float],
    node: np.ndarray,
    most: float,
) -> Expansion:
    """The expansion of cells ``g`` (R, L), siemens at ``temp_c``, a number or (R, L).

    Nodes are within ``most`` volts of ``node`` (L,).

    Raises
    ------
    SimulationError
        If no polynomial is close enough.
    """
    low, high = span
    nodes = node + most * _points(OF_NODE)[:, None]  # (J, L)

    def at_rest(rows: np.ndarray) -> np.ndarray:
        return law.through(g, rows[:, None, None], 0.0, np.asarray(temp_c))

    for degree in range(FIRST_DEGREE, MOST_DEGREE + 1, 4):
        rows = 0.5 * (high + low) + 0.5 * (high - low) * _points(degree)
        at = law.through(
            g, rows[:, None, None, None], nodes[:, None], np.asarray(temp_c)
        )  # (N + 1, J, R, L)
        found = np.tensordot(_to_expansion(degree), at, 1)
        if np.abs(found[-2:]).max() <= TAIL * max(np.abs(found).max(), 1e-30):
            by_node = np.tensordot(_to_expansion(OF_NODE), found.swapaxes(0, 1), 1)
            squares = np.tensordot(_to_expansion(degree), at_rest(rows) ** 2, 1)
            largest = float(np.abs(by_node).max())
            return Expansion(
                weights=tuple(_cut(part, KEPT * largest) for part in by_node),
                squares=_cut(squares, OF_NOISE * float(squares.max())),
                low=low,
                high=high,
                node=node[:, None],
                most=most,
            )
    raise SimulationError(
        f"cells of {law.words} bend too much between {low:.3g} and {high:.3g} V for a polynomial "
        f"of degree {MOST_DEGREE}: raise cell_v0, or lower cell_b3 or v_fs"
    )


def _cut(expansion: np.ndarray, least: float) -> np.ndarray:
    """(R (K + 1), L) of coefficients (N + 1, R, L), without the last degrees that are below."""
    large = np.flatnonzero(np.abs(expansion).max(axis=(1, 2)) > least)
    kept = expansion[: large[-1] + 1] if large.size else expansion[:1]
    return kept.reshape(-1, expansion.shape[-1])


def currents_into(
    law: CellLaw, g: Any, expansion: Expansion | None, rows: Any, xp: Any
) -> Callable[[Any], Any]:
    """Amperes (..., L, B) into summing nodes at volts (..., L, B), as a function of these.

    Parameters
    ----------
    g
        (..., R, L) siemens.
    expansion
        If there are access devices.
    rows
        (..., R, B) volts.
    """
    if expansion is None:
        sums = [g.swapaxes(-1, -2) @ part for part in law.of_rows(rows, xp)]
        return lambda s: sum(a * b for a, b in zip(sums, law.of_node(s, xp), strict=True))
    terms = _terms(expansion, rows, max(part.shape[-2] for part in expansion.weights), xp)
    of_node = [
        part.swapaxes(-1, -2) @ terms[..., : part.shape[-2], :] for part in expansion.weights
    ]

    def at(s: Any) -> Any:
        off = s - expansion.node
        _require_near(off, expansion.most, xp)
        by = polynomials(off / expansion.most, len(of_node) - 1)
        return sum(a * b for a, b in zip(of_node, by, strict=True))

    return at


def squares_into(
    law: CellLaw, squared: Any, expansion: Expansion | None, rows: Any, xp: Any
) -> Any:
    """Sums (..., L, B) of squared currents of cells into nodes of 0 V; arguments as before, but
    ``squared`` are (..., R, L) squares of siemens."""
    if expansion is None:
        return squared.swapaxes(-1, -2) @ law.current(rows, xp) ** 2
    terms = _terms(expansion, rows, expansion.squares.shape[-2], xp)
    return expansion.squares.swapaxes(-1, -2) @ terms


def _terms(expansion: Expansion, rows: Any, length: int, xp: Any) -> Any:
    """(..., length, B) polynomials of ``rows`` (..., R, B), degree by degree."""
    x = (rows - 0.5 * (expansion.high + expansion.low)) / (0.5 * (expansion.high - expansion.low))
    return xp.concatenate(polynomials(x, length // rows.shape[-2] - 1), -2)


def _require_near(s: Any, most: float, xp: Any) -> None:
    far = xp.abs(s).max()
    if far > most:
        raise SimulationError(
            f"a summing node is {far:.3g} V off its op-amp's offset, and cells with access devices "
            f"are worked out to {most:.3g} V: raise opamp_gain"
        )


def _points(degree: int) -> np.ndarray:
    """Chebyshev's points of the first kind, -1 to 1."""
    return np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))


def _to_expansion(degree: int) -> np.ndarray:
    """(N + 1, N + 1) that makes coefficients of Chebyshev's polynomials of values at the points."""
    k, n = np.arange(degree + 1)[:, None], degree + 1
    made = 2 / n * np.cos(np.pi * k * (np.arange(n) + 0.5) / n)
    made[0] /= 2
    return np.asarray(made)


def polynomials(x: Any, degree: int) -> list[Any]:
    """Chebyshev's polynomials of ``x``, from degree 0 to ``degree``."""
    found = [0 * x + 1, x]
    while len(found) <= degree:
        found.append(2 * x * found[-1] - found[-2])
    return found[: degree + 1]
