"""Cells whose current is not proportional to the voltage, and what stands in series with them.

A cell of conductance g carries g f(v); f is v or a hyperbolic sine, and a cube, and g what it
conducts at the voltage that it is read at. In series may be an access device: a resistor, or a
transistor in its triode region. Currents are into the summing node.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..devices.curve import NOMINAL_TEMP_C
from ..errors import SimulationError

if TYPE_CHECKING:
    from .hardware import Hardware

ZERO_C = 273.15
SPICE_KELVIN = 300.15
"""Of SPICE's own constants; the transistor's nominal temperature is the deck's."""
GAP_VOLTS = 1.1150877
"""Silicon's gap at that temperature, as SPICE2's MOSFET has it."""
SPICE_VOLTS = 1.38064852e-23 / 1.6021766208e-19
"""k_B / q as ngspice has it (CODATA 2014)."""
PHI = 0.6
"""Surface potential of a level-1 transistor, volts, SPICE's default."""
REACH = 2.0
"""Of full scale, what a cell may have across it."""
STEPS = 60
"""Most of Newton's."""
TAIL = 1e-11
"""Share of the largest coefficient of an expansion that its last ones may have."""
KEPT, OF_NOISE = 1e-11, 1e-6
"""Share of the largest coefficient below which a degree is left out; of noise, whose currents both
engines have from here."""
FIRST_DEGREE, MOST_DEGREE, OF_NODE = 8, 40, 2
"""Of polynomials in a row's volts, and in what a summing node is off its op-amp's offset."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CellLaw:
    """How the current of a stage's cells follows voltage.

    Attributes
    ----------
    v_0
        Volts of f(v) = v_0 sinh(v / v_0), instead of v; 0: it is no hyperbolic sine.
    b_3
        1/V^2 of b_3 v^3, which comes to it.
    v_read
        Volts at which a cell conducts g: f is divided by f(v_read) / v_read.
    access
        (R, 2 O) ohms of the access devices while nothing drops across them; None: there are none.
    v_ov
        Volts between a transistor's gate and its threshold; 0: a resistor.
    """

    v_0: float = 0.0
    b_3: float = 0.0
    v_read: float = 0.0
    access: np.ndarray | None = None
    v_ov: float = 0.0

    @property
    def words(self) -> str:
        """What there is, for sentences."""
        bent = ["cells that bend"] if self.bent else []
        return " and ".join(bent + ["access devices"] * (self.access is not None))

    @property
    def bent(self) -> bool:
        """Whether cells are not resistors."""
        return bool(self.v_0 or self.b_3)

    @property
    def scale(self) -> float:
        """What f is divided by."""
        return self._volts(self.v_read, math) / self.v_read if self.v_read else 1.0

    def _volts(self, v: Any, xp: Any) -> Any:
        straight = self.v_0 * xp.sinh(v / self.v_0) if self.v_0 else v
        return straight + self.b_3 * v**3 if self.b_3 else straight

    def current(self, v: Any, xp: Any) -> Any:
        """f(v) in volts."""
        return self._volts(v, xp) / self.scale

    def slope(self, v: Any, xp: Any) -> Any:
        """df / dv."""
        straight = xp.cosh(v / self.v_0) if self.v_0 else 1.0
        return (straight + 3 * self.b_3 * v**2) / self.scale

    def expression(self, siemens: str, volts: str, reach: float) -> str:
        """The current of a cell, for a source of an expression; a hyperbolic sine goes on straight
        from ``reach`` volts on."""
        found = volts
        if self.v_0:  # a simulator looks for its solution much farther away than it is
            most = reach / self.v_0
            u = f"{volts}/{self.v_0!r}"
            near = f"min(max({u},{-most!r}),{most!r})"
            found = f"{self.v_0!r}*(sinh({near})+{math.cosh(most)!r}*({u}-{near}))"
        cube = f"+{self.b_3!r}*{volts}*{volts}*{volts}" if self.b_3 else ""
        return f"{siemens}*{1 / self.scale!r}*({found}{cube})"

    def require_reach(self, low: float, high: float, reach: float) -> None:
        """SimulationError if rows at ``low`` to ``high`` volts are beyond ``reach``."""
        if self.v_0 and max(-low, high) > reach:
            raise SimulationError(
                f"a row is at {max(-low, high):.3g} V, and hyperbolic sines (cell_v0 = "
                f"{self.v_0:g} V) are written up to {reach:g} V, {REACH:g} v_fs: set opamp=rails "
                "with a v_rail below that, or raise v_fs"
            )

    def of_rows(self, v: Any, xp: Any) -> list[Any]:
        """What rows at ``v`` give to the sum f(v - s) = sum_k of_rows_k(v) of_node_k(s)."""
        found = [v, 0 * v + 1]
        if self.v_0:
            found = [xp.sinh(v / self.v_0), xp.cosh(v / self.v_0)]
        return found + ([v**3, v**2, v, 0 * v + 1] if self.b_3 else [])

    def of_node(self, s: Any, xp: Any) -> list[Any]:
        """And what a summing node at ``s``."""
        one, b = 1 / self.scale, self.b_3 / self.scale
        found = [one + 0 * s, -one * s]
        if self.v_0:
            times = self.v_0 * one
            found = [times * xp.cosh(s / self.v_0), -times * xp.sinh(s / self.v_0)]
        return found + ([b + 0 * s, -3 * b * s, 3 * b * s**2, -b * s**3] if self.b_3 else [])

    def through(self, g: Any, v: Any, s: Any, temp_c: Any) -> Any:
        """Amperes of cells ``g`` behind their access devices, numpy's arrays that broadcast.

        Raises
        ------
        SimulationError
            If a transistor would leave its triode region.
        """
        r = self.access
        assert r is not None
        v_ov, k = (0.0, 0.0) if not self.v_ov else transistor_at(self.v_ov, r, temp_c)
        w = (v - s) * (g * r / (1 + g * r))  # as a resistor's
        for _ in range(STEPS):
            rest = v - s - w
            if self.v_ov:
                passed, by = k * ((v_ov - s) * w - 0.5 * w**2), k * (v_ov - s - w)
            else:
                passed, by = w / r, 1 / r
            step = (passed - g * self.current(rest, np)) / (by + g * self.slope(rest, np))
            w = w - step
            if np.abs(step).max() < 1e-9:  # what is left is its square
                break
        if self.v_ov and (not np.isfinite(w).all() or (w >= v_ov - s).any()):
            raise SimulationError(
                f"an access transistor leaves its triode region: access_v_ov = {self.v_ov:g} V is "
                f"too little for its r_access of {float(np.max(r)):g} ohm; raise it, or lower that"
            )
        return g * self.current(v - s - w, np)

    def sums(self, g: np.ndarray, rows: np.ndarray, temp_c: float) -> Callable[[Any], np.ndarray]:
        """Amperes (L, 1) of cells ``g`` (R, L) into nodes at volts (L, 1), as a function of these,
        for one ``rows`` (R,)."""

        def at(s: Any) -> np.ndarray:
            v, s = rows[:, None], s[:, 0]
            if self.access is None:
                found = g * self.current(v - s, np)
            else:
                found = self.through(g, v, s, temp_c)
            return found.sum(axis=0)[:, None]

        return at


def transistor_at(v_ov: float, r: Any, temp_c: Any) -> tuple[Any, Any]:
    """Volts above its threshold and A/V^2, at ``temp_c``, of a level-1 transistor that has ``v_ov``
    and ``r`` ohms at 26.85 degC: the temperature laws of SPICE2 (Vladimirescu and Liu, UCB/ERL
    M80/7, 1980)."""
    warm, nominal = temp_c + ZERO_C, NOMINAL_TEMP_C + ZERO_C
    there = (PHI - _built_in(nominal)) / (nominal / SPICE_KELVIN)
    phi = warm / SPICE_KELVIN * there + _built_in(warm)
    threshold = 0.5 * (_gap(nominal) - _gap(warm)) + 0.5 * (phi - PHI)
    return v_ov - threshold, 1 / (r * v_ov) / (warm / nominal) ** 1.5


def _gap(kelvin: Any) -> Any:
    return 1.16 - 7.02e-4 * kelvin**2 / (kelvin + 1108)


def _built_in(kelvin: Any) -> Any:
    v_t = kelvin * SPICE_VOLTS
    gaps = -_gap(kelvin) / (2 * v_t) + GAP_VOLTS / (2 * SPICE_VOLTS * SPICE_KELVIN)
    return -2 * v_t * (1.5 * np.log(kelvin / SPICE_KELVIN) + gaps)


def require_no_wires(law: CellLaw, hardware: Hardware) -> None:
    """SimulationError if wires stand between such cells and their line."""
    if hardware.wired:
        raise SimulationError(
            f"{law.words} with wires have no closed form (r_wire = {hardware.r_wire:g} ohm, "
            f"r_driver = {hardware.r_driver:g} ohm): set both to 0, or leave the others out"
        )


# ---- a crossbar of such cells


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
    """The expansion of cells ``g`` (R, L), siemens at ``temp_c``, a number or (R, L), into nodes that
    are within ``most`` volts of ``node`` (L,).

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
    far = float(xp.abs(s).max())
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
