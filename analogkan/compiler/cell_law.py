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

from ..cells.squash import NGSPICE_VOLTS
from ..devices.curve import ABSOLUTE_ZERO_C, NOMINAL_TEMP_C
from ..errors import SimulationError

if TYPE_CHECKING:
    from .hardware import Hardware

SPICE_KELVIN = 300.15
"""Of SPICE's own constants; the transistor's nominal temperature is the deck's."""
GAP_VOLTS = 1.1150877
"""Silicon's gap at that temperature, as SPICE2's MOSFET has it."""
PHI = 0.6
"""Surface potential of a level-1 transistor, volts, SPICE's default."""
REACH = 2.0
"""Of full scale, what a cell may have across it."""
STEPS = 60
"""Most of Newton's."""


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
    warm, nominal = temp_c - ABSOLUTE_ZERO_C, NOMINAL_TEMP_C - ABSOLUTE_ZERO_C
    there = (PHI - _built_in(nominal)) / (nominal / SPICE_KELVIN)
    phi = warm / SPICE_KELVIN * there + _built_in(warm)
    threshold = 0.5 * (_gap(nominal) - _gap(warm)) + 0.5 * (phi - PHI)
    return v_ov - threshold, 1 / (r * v_ov) / (warm / nominal) ** 1.5


def _gap(kelvin: Any) -> Any:
    return 1.16 - 7.02e-4 * kelvin**2 / (kelvin + 1108)


def _built_in(kelvin: Any) -> Any:
    v_t = kelvin * NGSPICE_VOLTS
    gaps = -_gap(kelvin) / (2 * v_t) + GAP_VOLTS / (2 * NGSPICE_VOLTS * SPICE_KELVIN)
    return -2 * v_t * (1.5 * np.log(kelvin / SPICE_KELVIN) + gaps)


def require_no_wires(law: CellLaw, hardware: Hardware) -> None:
    """SimulationError if wires stand between such cells and their line."""
    if hardware.wired:
        raise SimulationError(
            f"{law.words} with wires have no closed form (r_wire = {hardware.r_wire:g} ohm, "
            f"r_driver = {hardware.r_driver:g} ohm): set both to 0, or leave the others out"
        )
