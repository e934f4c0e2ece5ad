# pyright: strict
"""Small signals at a diode node: the poles of driver, leads, diodes and row amplifiers.

Axes: S slopes, D diodes of the node, n states, F frequencies.

Every net has a capacitance, so the linear circuit is E x' = (A + sum of g_d B_d) x with an E that
has an inverse, and its poles are the eigenvalues: the circuit stays put just if none lies in the
right half-plane. Seen from diode d the same is Nyquist's criterion: Z(jw), what the rest of the
circuit and C_j are to its junction, must not go round -1/g_d.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..devices import IVCurve
from ..errors import CompileError
from .amplifiers import BoardOpAmp
from .parasitics import Parasitics

Values = npt.NDArray[Any]
Complex = npt.NDArray[np.complex128]
GROUND = "0"


@dataclass(frozen=True, eq=False, kw_only=True)
class Row:
    """A diode and its row amplifier: feedback of ``r_f`` ohms and ``c_f`` farads."""

    curve: IVCurve
    r_f: float
    c_f: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """What drives diodes, and the D rows behind them.

    Attributes
    ----------
    opamp
        Of the driver and of the rows.
    parasitics
        Of every diode, each on a lead of its own; an ideal driver needs no snubber.
    rows
        One a diode.
    noise_gain
        Of the driver's feedback: 1 of a follower, 1 + gain of a difference amplifier.
    """

    opamp: BoardOpAmp
    parasitics: Parasitics
    rows: tuple[Row, ...]
    noise_gain: float = 1.0

    def poles(self, slopes: Values) -> Complex:
        """(S, n) rad/s, of diodes whose tables' slopes dI/dV are ``slopes`` (S, D), siemens.

        Raises
        ------
        CompileError
            As ``junction_slopes``.
        """
        e, a, b = _Equations(self).matrices()
        inverse = np.linalg.inv(e)
        fixed, moved = inverse @ a, inverse @ b
        moved = np.einsum("sd,dij->sij", self.junction_slopes(slopes), moved)
        return np.asarray(np.linalg.eigvals(fixed + moved), dtype=np.complex128)

    def junction_slopes(self, slopes: Values) -> Values:
        """Slopes of junctions, any shape, siemens: of tables that were measured with ``r_s``.

        Raises
        ------
        CompileError
            If a table rises more steeply than ``r_s`` alone would let it.
        """
        r_s, steepest = self.parasitics.r_s, float(np.max(slopes))
        if steepest * r_s >= 1:
            raise CompileError(
                f"r_s = {r_s:g} ohm is not below the {1 / steepest:.3g} ohm that a diode of a "
                f"slope of {1e3 * steepest:.3g} mS has in all: its table is measured with r_s in "
                "it, so lower r_s"
            )
        return slopes / (1 - r_s * slopes)

    def impedance(self, d: int, frequencies: Values, slopes: Values) -> Complex:
        """(F,) ohms between the ends of junction ``d``, C_j included, at ``frequencies`` (F,) Hz.

        ``slopes`` (D,) are those of the diodes' tables; that of ``d`` itself is left out.
        """
        e, a, b = _Equations(self).matrices()
        others = np.where(np.arange(len(self.rows)) == d, 0.0, self.junction_slopes(slopes))
        a = a + np.einsum("d,dij->ij", others, b)
        # B_d is -u u' of the junction's two nets: u is its column, but for the sign.
        k = int(np.flatnonzero(np.diag(b[d]))[0])
        across = -b[d][:, k]
        s = 2j * math.pi * np.asarray(frequencies)[:, None, None]
        at = np.asarray(np.linalg.solve(s * e - a, across[:, None]), dtype=np.complex128)
        return at[..., 0] @ across


class _Equations:
    """E, A and the D matrices B of a node's linear circuit, in the order of its states."""

    def __init__(self, node: Node) -> None:
        self._at: dict[str, int] = {}
        self._e: dict[tuple[int, int], float] = {}
        self._a: dict[tuple[int, int], float] = {}
        p, self._opamp = node.parasitics, node.opamp
        source = GROUND
        if not p.ideal_driver:
            source = "drive"
            self._amplifier("driver", source, source, 1 / node.noise_gain)
            self._capacitor(source, GROUND, p.c_stray + node.opamp.c_in)
            if p.snubber_c:
                self._resistor(source, "snubber", p.snubber_r)
                self._capacitor("snubber", GROUND, p.snubber_c)
        for d, row in enumerate(node.rows):
            anode, junction, total, out = (
                f"{net}{d}" for net in ("anode", "junction", "sum", "out")
            )
            self._inductor(f"lead{d}", source, anode, p.lead)
            self._capacitor(anode, GROUND, p.c_stray)
            if p.shunt:
                self._resistor(anode, total, p.shunt)
            self._resistor(anode, junction, p.r_s)
            self._capacitor(junction, total, p.c_j)
            self._capacitor(total, GROUND, p.c_stray + node.opamp.c_in)
            self._resistor(total, out, row.r_f)
            self._capacitor(total, out, row.c_f)
            self._capacitor(out, GROUND, p.c_stray)
            self._amplifier(f"row{d}", out, total, 1.0)
        self._diodes = [
            (self._state(f"junction{d}"), self._state(f"sum{d}")) for d in range(len(node.rows))
        ]

    def matrices(self) -> tuple[Values, Values, Values]:
        """E (n, n), A (n, n) and B (D, n, n)."""
        n = len(self._at)
        e, a, b = np.zeros((n, n)), np.zeros((n, n)), np.zeros((len(self._diodes), n, n))
        for matrix, entries in ((e, self._e), (a, self._a)):
            for at, value in entries.items():
                matrix[at] = value
        for d, (j, s) in enumerate(self._diodes):
            b[d, [j, s], [j, s]] = -1.0
            b[d, [j, s], [s, j]] = 1.0
        return e, a, b

    def _state(self, name: str) -> int:
        return self._at.setdefault(name, len(self._at))

    def _add(self, entries: dict[tuple[int, int], float], to: str, of: str, value: float) -> None:
        if GROUND not in (to, of):
            at = self._state(to), self._state(of)
            entries[at] = entries.get(at, 0.0) + value

    def _stamp(self, entries: dict[tuple[int, int], float], p: str, q: str, value: float) -> None:
        for to, of, sign in ((p, p, 1), (q, q, 1), (p, q, -1), (q, p, -1)):
            self._add(entries, to, of, sign * value)

    def _capacitor(self, p: str, q: str, farads: float) -> None:
        self._stamp(self._e, p, q, farads)

    def _resistor(self, p: str, q: str, ohms: float) -> None:
        self._stamp(self._a, p, q, -1 / ohms)

    def _inductor(self, name: str, p: str, q: str, henries: float) -> None:
        self._add(self._e, name, name, henries)
        for net, sign in ((p, 1.0), (q, -1.0)):
            self._add(self._a, name, net, sign)
            self._add(self._a, net, name, -sign)

    def _amplifier(self, name: str, out: str, inverting: str, share: float) -> None:
        """Two poles behind ``share`` of the voltage at ``inverting``, then R_o to ``out``."""
        of, first, second = self._opamp, f"{name}_p1", f"{name}_p2"
        self._add(self._e, first, first, of.gain / (2 * math.pi * of.gbw))
        self._add(self._a, first, first, -1.0)
        self._add(self._a, first, inverting, -of.gain * share)
        self._add(self._e, second, second, 1 / (2 * math.pi * of.p2))
        self._add(self._a, second, second, -1.0)
        self._add(self._a, second, first, 1.0)
        self._add(self._a, out, out, -1 / of.r_o)
        self._add(self._a, out, second, 1 / of.r_o)
