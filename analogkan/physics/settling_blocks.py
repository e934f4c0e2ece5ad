"""What moves in time: rows, which are nonlinear and do not see each other, and linear blocks.

Every op-amp has one pole, out' = w (inp - inn) - (w / A) out with w = 2 pi GBW, behind its offset;
its inverting input has the second state of its loop. Axes: n blocks, m states, B images.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.closed_form import shifted

Values = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """Row amplifiers behind diodes of one type.

    Attributes
    ----------
    u, i
        (K,) volts and amperes of the diode type's table.
    k_i, k_v, d_v
        (I,) factors of each diode, see ``StageErrors``; None where all are the type's.
    x, r
        (I or 1, K') volts: outputs at rest over the voltage at the diode.
    r_f, c_in, c_f, gain, offset
        (I or 1,) ohms, farads at the summing node and beside the feedback, open-loop gain, volts.
    w
        Radians a second: gain-bandwidth product of the op-amps.
    """

    u: Values
    i: Values
    errors: tuple[Values, Values, Values] | None
    x: Values
    r: Values
    r_f: Values
    c_in: Values
    c_f: Values
    gain: Values
    offset: Values
    w: float

    @property
    def alike(self) -> bool:
        """Whether every row is the same, so that equal inputs make equal outputs."""
        return len(self.x) == 1

    def rest(self, v: Values) -> Values:
        """States (2, I, B), summing node and output, at rest for ``v`` (I, B) volts."""
        if self.alike:
            out = np.interp(v, self.x[0], self.r[0])
        else:
            out = np.stack([np.interp(*a) for a in zip(v, self.x, self.r, strict=True)])
        return np.stack([_column(self.offset) - out / _column(self.gain), out])

    def current(self, volts: Values) -> Values:
        """Amperes (I, B) of the diodes at ``volts`` across them."""
        if self.errors is None:
            return np.interp(volts, self.u, self.i)
        k_i, k_v, d_v = map(_column, self.errors)
        return k_i * np.interp(shifted(volts, k_v, d_v), self.u, self.i)

    def slopes(self, state: Values, v: Values) -> Values:
        """Volts a second (2, I, B) of a state at ``v`` (I, B)."""
        s, out = state
        c_f = _column(self.c_f)
        d_out = self.w * (_column(self.offset) - s) - self.w / _column(self.gain) * out
        amperes = self.current(v - s) - (s - out) / _column(self.r_f) + c_f * d_out
        return np.stack([amperes / (_column(self.c_in) + c_f), d_out])

    def step(self, state: Values, v0: Values, v1: Values, h: float) -> Values:
        """The state ``h`` seconds later while the diodes' voltage goes straight from v0 to v1.

        By the classical Runge-Kutta method.
        """
        mid = (v0 + v1) / 2
        a = self.slopes(state, v0)
        b = self.slopes(state + h / 2 * a, mid)
        c = self.slopes(state + h / 2 * b, mid)
        d = self.slopes(state + h * c, v1)
        return state + h / 6 * (a + 2 * (b + c) + d)

    def segments(self, v: Values) -> Values:
        """Numbers of the segments on which any row rests for ``v`` (I, B) volts."""
        volts = v - self.rest(v)[0]
        if self.errors is not None:
            volts = shifted(volts, *map(_column, self.errors[1:]))
        return np.unique(np.searchsorted(self.u, volts, side="right"))

    def poles(self) -> Values:
        """(I or 1, K + 1, 2) radians a second, of each row on each segment of its diode's table,
        the flat ones at its ends among them."""
        g = np.concatenate([[0.0], np.diff(self.i) / np.diff(self.u), [0.0]])
        if self.errors is not None:
            g = g * _column(self.errors[0] * self.errors[1])
        r_f, c_in, c_f, gain = map(_column, (self.r_f, self.c_in, self.c_f, self.gain))
        a = c_in + c_f
        b = g + 1 / r_f + self.w * c_f + self.w / gain * a
        c = self.w / r_f + self.w / gain * (g + 1 / r_f)
        root = np.sqrt((b * b - 4 * a * c).astype(complex))
        return np.stack([(-b + root) / (2 * a), (-b - root) / (2 * a)], axis=-1)


def _column(x: Values) -> Values:
    return x[:, None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear:
    """n linear blocks of m states: x' = a x + b u + e, u being p inputs.

    Attributes
    ----------
    a, b, e
        (n, m, m), (n, m, p), (n, m).
    """

    a: Values
    b: Values
    e: Values
    _steps: dict[float, tuple[Values, ...]] = field(
        default_factory=dict[float, tuple[Values, ...]], init=False
    )

    def rest(self, u: Values) -> Values:
        """States (n, m, B) at rest for ``u`` (n, p, B)."""
        return -np.linalg.solve(self.a, self.b @ u + self.e[..., None])

    def step(self, x: Values, u0: Values, u1: Values, h: float) -> Values:
        """States ``h`` seconds later while inputs go straight from u0 to u1 (n, p, B): exact."""
        if h not in self._steps:
            self._steps[h] = self._propagators(h)
        over, first, last, rest = self._steps[h]
        return over @ x + first @ u0 + last @ u1 + rest

    def _propagators(self, h: float) -> tuple[Values, ...]:
        from scipy.linalg import expm  # TAB need not wait for scipy

        n, m, p = self.b.shape
        p += 1  # the constant is an input of 1
        whole = np.zeros((n, m + 2 * p, m + 2 * p))
        whole[:, :m, :m] = self.a * h
        whole[:, :m, m : m + p] = np.concatenate([self.b, self.e[..., None]], axis=2) * h
        whole[:, m : m + p, m + p :] = np.eye(p)
        done = expm(whole)[:, :m]
        constant, ramp = done[..., m : m + p], done[..., m + p :]
        return done[..., :m], (constant - ramp)[..., :-1], ramp[..., :-1], constant[..., -1:]

    def poles(self) -> Values:
        """(n, m) radians a second."""
        return np.linalg.eigvals(self.a)


def line_blocks(
    c_in: Values, c_f: Values, r_c: Values, feet: Values, gain: Values, offset: Values, w: Values
) -> Linear:
    """Line amplifiers as blocks of (summing nodes, outputs), their input the rows' currents.

    Parameters
    ----------
    feet
        (L,) siemens that hang on each summing node, or their admittance matrix (L, L): then one
        block of 2 L states.
    w
        (L,) radians a second: gain-bandwidth products.
    """
    n = len(r_c)
    alone = feet.ndim == 1
    y = np.diag(feet) if alone else feet
    eye = np.eye(n)
    c = (c_in + c_f)[:, None]
    d_t, d_out = -np.diag(w), -np.diag(w / gain)
    a = np.zeros((2, 2, n, n))
    a[1, 0], a[1, 1] = d_t, d_out
    a[0, 0] = (-y - np.diag(1 / r_c) + c_f[:, None] * d_t) / c
    a[0, 1] = (np.diag(1 / r_c) + c_f[:, None] * d_out) / c
    b = np.stack([eye / c, 0 * eye])
    e = np.stack([c_f * w * offset / c[:, 0], w * offset])
    if not alone:
        return Linear(
            a=a.transpose(0, 2, 1, 3).reshape(1, 2 * n, 2 * n),
            b=b.reshape(1, 2 * n, n),
            e=e.reshape(1, 2 * n),
        )
    at = np.arange(n)
    own = a[:, :, at, at].transpose(2, 0, 1), b[:, at, at].T[..., None], e.T
    return Linear(a=own[0], b=own[1], e=own[2])


def difference_blocks(
    c_in: Values, c_f: Values, r: float, ratio: Values, gain: Values, offset: Values, w: float
) -> Linear:
    """Difference amplifiers as blocks of (inp, inn, out); their inputs are p and n.

    ``c_in`` farads stand at both inputs, ``c_f`` beside the feedback and from inp to ground.
    """
    c, zero, one = c_in + c_f, np.zeros_like(ratio), np.ones_like(ratio)
    back = 1 / (r * ratio)
    d_out = np.stack([w * one, -w * one, -w / gain], axis=1)
    d_inp = np.stack([-(1 / r + back) / c, zero, zero], axis=1)
    d_inn = np.stack([zero, -(1 / r + back) / c, back / c], axis=1) + (c_f / c)[:, None] * d_out
    b = np.zeros((len(ratio), 3, 2))
    b[:, 0, 0] = b[:, 1, 1] = 1 / (r * c)
    e = np.stack([zero, c_f / c * w * offset, w * offset], axis=1)
    return Linear(a=np.stack([d_inp, d_inn, d_out], axis=1), b=b, e=e)
