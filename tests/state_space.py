"""A circuit's linear network, element by element, as E x' + F x = n: nothing is shared with how
the twin finds its noise but the operating point and the capacitors.

Each state is a node: a summing node, an op-amp's input, or an op-amp's output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.linalg import expm, solve_continuous_lyapunov

from analogkan.compiler.design import Design
from analogkan.physics import Assumptions
from analogkan.physics.capacitors import capacitors_of
from analogkan.physics.noise_point import Point

K_B, Q = 1.380649e-23, 1.602176634e-19
GROUND = -1
DOUBLED = 12


class StateSpace:
    """Of a plain design, no wires and no front, at the first image of ``points``."""

    def __init__(
        self, design: Design, points: Sequence[Point], assumed: Assumptions, temp_c: float = 26.85
    ) -> None:
        columns = (p.columns for p in points)
        size = sum(2 * c.r_c.size + 3 * c.diff_gain.size for c in columns)
        size += sum(2 * p.r_f.size for p in points)
        self.e, self.f = np.zeros((size, size)), np.zeros((size, size))
        self.sources: list[tuple[int, int, float]] = []
        """From, to, and A^2/Hz, or V^2/Hz at an output alone."""
        self.kt4, self.e_n = 4 * K_B * (temp_c + 273.15), assumed.e_n**2
        self.w = 2 * math.pi * design.hardware.gbw
        self.summing: set[int] = set()
        self._next = 0
        before = [GROUND] * points[0].r_f.shape[0]
        for stage, point in zip(design.stages, points, strict=True):
            c = capacitors_of(stage, design.hardware, assumed)
            rows = self._rows(point, c, before, temp_c)
            lines = []
            for k, r_c in enumerate(point.columns.r_c):
                total, out = self._amplifier(point.columns.line_gain[k])
                self._resistor(total, out, 1 / r_c)
                self._capacitor(total, out, c.lines[k])
                self._capacitor(total, GROUND, c.lines_in[k])
                for row, g in zip(rows, point.g[: len(rows), k], strict=True):
                    self._resistor(total, row, g)
                self._resistor(total, GROUND, point.g[len(rows) :, k].sum())
                lines.append(out)
            before = self._differences(point, stage.gain, c, lines)
        self.outputs = before
        assert self._next == size

    def _rows(self, point, c, before, temp_c) -> list[int]:
        rows = []
        for (i, d), r_f in np.ndenumerate(point.r_f):
            total, out = self._amplifier(point.row_gain[i, d])
            self._resistor(total, out, 1 / r_f)
            self._capacitor(total, out, c.rows[i, d])
            self._capacitor(total, GROUND, c.rows_in[i, d])
            slope, v, amperes = (x[0, i, d] for x in (point.slopes, point.volts, point.currents))
            self._conductance(total, before[i], slope)
            shot = self.kt4 * abs(slope)
            if v:
                shot = 2 * Q * abs(amperes) / math.tanh(abs(v) * 2 * Q / self.kt4)
            self.sources.append((total, GROUND, shot))
            rows.append(out)
        return rows

    def _differences(self, point, gain, c, lines) -> list[int]:
        outputs = []
        for o, ratio in enumerate(gain):
            inn, out = self._amplifier(point.columns.diff_gain[o])
            inp = self._new(summing=True)
            self.f[out, inp] -= 1
            for net, line, end in ((inn, lines[2 * o + 1], out), (inp, lines[2 * o], GROUND)):
                self._resistor(net, line, 1 / 10e3)
                self._resistor(net, end, 1 / (10e3 * ratio))
                self._capacitor(net, end, c.diffs[o])
                self._capacitor(net, GROUND, c.diffs_in[o])
            outputs.append(out)
        return outputs

    def _new(self, *, summing: bool) -> int:
        self._next += 1
        if summing:
            self.summing.add(self._next - 1)
        return self._next - 1

    def _amplifier(self, gain: float) -> tuple[int, int]:
        total, out = self._new(summing=True), self._new(summing=False)
        self.e[out, out], self.f[out, out], self.f[out, total] = 1 / self.w, 1 / gain, 1.0
        self.sources.append((out, GROUND, self.e_n))
        return total, out

    def _between(self, matrix: np.ndarray, a: int, b: int, value: float) -> None:
        for here, there in ((a, b), (b, a)):
            if here in self.summing:
                matrix[here, here] += value
                if there != GROUND:
                    matrix[here, there] -= value

    def _capacitor(self, a: int, b: int, farads: float) -> None:
        self._between(self.e, a, b, farads)

    def _conductance(self, a: int, b: int, siemens: float) -> None:
        self._between(self.f, a, b, siemens)

    def _resistor(self, a: int, b: int, siemens: float) -> None:
        self._conductance(a, b, siemens)
        self.sources.append((a, b, self.kt4 * siemens))

    def _system(self) -> tuple[np.ndarray, np.ndarray]:
        """A and the intensity Q of x' = A x + n: two-sided densities are half of the one-sided."""
        power = np.zeros_like(self.f)
        for a, b, density in self.sources:
            power[a, a] += density / 2
            if b in self.summing:
                power[b, b] += density / 2
                power[a, b] -= density / 2
                power[b, a] -= density / 2
        inverse = np.linalg.inv(self.e)
        return -inverse @ self.f, inverse @ power @ inverse.T

    def covariance(self) -> np.ndarray:
        """Of the outputs, V^2, by Lyapunov's equation."""
        a, q = self._system()
        return solve_continuous_lyapunov(a, -q)[np.ix_(self.outputs, self.outputs)]

    def draws(self, count: int, seed: int) -> np.ndarray:
        """Outputs (count, O) after 14 of the slowest time constants from rest, step by step."""
        a, q = self._system()
        slowest = -1 / np.linalg.eigvals(a).real.max()
        steps, size = 56, len(a)
        h = 14 * slowest / steps / 2**DOUBLED
        # Van Loan 1978: a short step's noise, exactly; then of twice as long ones.
        both = expm(h * np.block([[-a, q], [np.zeros_like(a), a.T]]))
        forward = both[size:, size:].T
        noise = forward @ both[:size, size:]
        for _ in range(DOUBLED):
            noise = noise + forward @ noise @ forward.T
            forward = forward @ forward
        values, vectors = np.linalg.eigh((noise + noise.T) / 2)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        rng = np.random.default_rng(seed)
        x = np.zeros((size, count))
        for _ in range(steps):
            x = forward @ x + root @ rng.standard_normal((size, count))
        return x[self.outputs].T
