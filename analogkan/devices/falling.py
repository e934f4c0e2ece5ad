"""The falling part of a tunnel diode that a tester's load line hides: reconstructed, not measured.

Between the peak (V_p, I_p) and the first point V_2 behind the last jump the current is taken as

    I(V) = A x exp((1 - x^m) / m) + X(V),   x = V / V_p,   X(V) = X_2 exp(a (V - V_2)).

With m = 1 the first term is Esaki's (Sze and Ng, Physics of Semiconductor Devices, ch. 8), whose
steepest slope is -A / (e V_p); with another m it is -m A / (e V_p), at x^m = 1 + m. So m says how
steep the part falls, which nobody measured. X is the excess current, its growth a that of the
static part behind the last jump. A and X_2 make the sum meet the peak and that part's beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import DeviceError, SettingsError
from .load_line import LoadLine
from .sweep import Sweep

SIGMA = 0.3
"""Relative standard uncertainty of ``|g_d|`` where none is given; assumed."""
MAX_SIGMA = 0.5
"""Largest that may be given: two of them leave a falling part. Assumed."""
MAX_VOLTAGE_SIGMA = 0.1
"""Largest ``die_sigma_voltage`` of a chip."""
MIN_SHAPE, MAX_SHAPE = 0.5, 10.0
"""Of |g_d|, as shares of a plain Esaki term's; assumed."""
MIN_BEHIND = 4
"""Static points behind the last jump, for the excess current; assumed."""
NEAR = 0.01
"""Relative change of |g_d| by which it is found what one of it changes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Falling:
    """What the falling part was reconstructed by.

    Attributes
    ----------
    g_d
        Its steepest slope ``|g_d|`` at the sweeps' mean peak, siemens.
    g_d_sigma
        Relative standard uncertainty of ``g_d``.
    given
        Whether ``g_d`` was given; else it is I_p / V_p, assumed.
    shape
        The exponent m, of all sweeps.
    g_plain
        ``|g_d|`` of a plain Esaki term, m = 1, siemens.
    span
        Volts between which at least one sweep is reconstructed.
    voltage_sigma
        Relative voltage scale, common to all diodes of a type, that comes nearest to what one
        ``g_d_sigma`` changes.
    static
        Of each sweep, (P,) booleans: which of its points are static.
    peaks
        Of each sweep, the place of its peak.
    """

    g_d: float
    g_d_sigma: float
    given: bool
    shape: float
    g_plain: float
    span: tuple[float, float]
    voltage_sigma: float
    static: tuple[np.ndarray, ...]
    peaks: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """What is reconstructed and by what."""
        lo, hi = self.span
        why = "given" if self.given else "I_p / V_p, assumed"
        return (
            f"{lo:.3f} to {hi:.3f} V reconstructed, not measured: an Esaki term of exponent "
            f"{self.shape:.2f} and excess current, |g_d| {1e3 * self.g_d:.3g} mS ({why}; a plain "
            f"Esaki term has {1e3 * self.g_plain:.3g} mS) +- {100 * self.g_d_sigma:g} %"
        )


NUMBERS = ("v_peak", "i_peak", "v_behind", "i_behind", "grow")


@dataclass(frozen=True, eq=False, kw_only=True)
class Ends:
    """What one sweep's static parts say of the part between: volts and amperes, ``grow`` per volt.

    ``static`` (P,) marks the sweep's static points: up to the peak, the point of place ``peak``,
    and behind the last jump, where ``i_behind`` is that of a straight line through the first four.
    """

    static: np.ndarray
    peak: int
    v_peak: float
    i_peak: float
    v_behind: float
    i_behind: float
    grow: float


def static_ends(sweep: Sweep, line: LoadLine | None) -> Ends:
    """The static parts of a sweep with a load line.

    Raises
    ------
    DeviceError
        If there is no load line, the sweep is not the way up, or too little is left of it.
    """
    if line is None:
        raise DeviceError(
            f"{sweep.file} has no load line, no jump along one slope -1/R, so all of it is taken "
            "as static: leave --static out, or import it apart"
        )
    if sweep.branch != "up":
        raise DeviceError(
            f"{sweep.file}: --static takes the way up, which reaches the peak, and this is "
            f"{sweep.branch}: choose --sweep up, or measure upwards"
        )
    before, behind = line.jumps
    peak = int(sweep.i[: before + 1].argmax())
    v, i = sweep.v[behind:], sweep.i[behind:]
    if v.size < MIN_BEHIND or i.min() <= 0 or sweep.v[peak] <= 0:
        raise DeviceError(
            f"{sweep.file} has {v.size} static points behind its last jump, at {v[0]:.3f} V, their "
            f"lowest current {i.min():.3g} A, and its peak at {sweep.v[peak]:.3g} V: what lies "
            f"between takes {MIN_BEHIND} points of positive current and a peak above 0 V: measure "
            "further, or leave --static out"
        )
    near = np.polyfit(v[:MIN_BEHIND] - v[0], i[:MIN_BEHIND], 1)[1]
    grow = np.polyfit(v, np.log(i), 1)[0]
    static = np.ones(sweep.v.size, dtype=bool)
    static[peak + 1 : behind] = False
    return Ends(
        static=static,
        peak=peak,
        v_peak=float(sweep.v[peak]),
        i_peak=float(sweep.i[peak]),
        v_behind=float(v[0]),
        i_behind=float(near),
        grow=max(float(grow), 0.0),
    )


def esaki(x: np.ndarray, shape: float) -> np.ndarray:
    """The Esaki term at voltages ``x`` (any shape, shares of V_p), as a share of its peak."""
    return x * np.exp((1 - x**shape) / shape)


def amplitudes(ends: Ends, shape: float) -> tuple[float, float]:
    """A and X_2, amperes, that meet the peak and the static part behind the last jump."""
    tail = float(esaki(np.array(ends.v_behind / ends.v_peak), shape))
    carried = float(np.exp(ends.grow * (ends.v_peak - ends.v_behind)))
    a, x = np.linalg.solve([[1.0, carried], [tail, 1.0]], [ends.i_peak, ends.i_behind])
    return float(a), float(x)


def complete(sweep: Sweep, ends: Ends, shape: float) -> Sweep:
    """``sweep`` with its falling part reconstructed, in steps as its median one.

    Raises
    ------
    DeviceError
        If the Esaki term alone is above the current behind the last jump.
    """
    a, x = amplitudes(ends, shape)
    if x < 0:
        raise DeviceError(
            f"{sweep.file}: an Esaki term of exponent {shape:.2f} has more current at "
            f"{ends.v_behind:.3f} V than the {ends.i_behind:.3g} A measured there: give a larger "
            "--g-d"
        )
    count = int((ends.v_behind - ends.v_peak) / np.median(np.diff(sweep.v)))
    v = np.linspace(ends.v_peak, ends.v_behind, count + 2)[1:-1]
    i = a * esaki(v / ends.v_peak, shape) + x * np.exp(ends.grow * (v - ends.v_behind))
    first = ends.peak + 1
    kept = [part[ends.static] for part in (sweep.v, sweep.i)]
    volts, amperes = (np.insert(old, first, new) for old, new in zip(kept, (v, i), strict=True))
    static = np.insert(np.ones(kept[0].size, dtype=bool), first, np.zeros(v.size, dtype=bool))
    return replace(sweep, v=volts, i=amperes, static=static)


def reconstruct(
    sweeps: Sequence[Sweep],
    lines: Sequence[LoadLine | None],
    g_d: float | None = None,
    g_d_sigma: float = SIGMA,
) -> tuple[list[Sweep], Falling]:
    """The sweeps with what their load lines hide reconstructed, and by what.

    Parameters
    ----------
    sweeps, lines
        Sweeps and what ``find_load_line`` found in each.
    g_d
        ``|g_d|`` at the sweeps' mean peak, siemens; None takes I_p / V_p.
    g_d_sigma
        Its relative standard uncertainty.

    Raises
    ------
    SettingsError
        If ``g_d`` or ``g_d_sigma`` is out of range.
    DeviceError
        As ``static_ends`` and ``complete``.
    """
    ends = [static_ends(s, line) for s, line in zip(sweeps, lines, strict=True)]
    mean = {key: float(np.mean([getattr(e, key) for e in ends])) for key in NUMBERS}
    middle = Ends(static=np.array([]), peak=0, **mean)
    plain = middle.i_peak / (np.e * middle.v_peak)
    steep = np.e * plain if g_d is None else g_d
    if not MIN_SHAPE * plain <= steep <= MAX_SHAPE * plain:
        raise SettingsError(
            f"--g-d {steep:g} S is out of range: {MIN_SHAPE * plain:.3g} to "
            f"{MAX_SHAPE * plain:.3g} S, {MIN_SHAPE:g} to {MAX_SHAPE:g} times what a plain Esaki "
            "term through the sweeps' peaks has"
        )
    if not 0 <= g_d_sigma <= MAX_SIGMA:
        raise SettingsError(f"--g-d-sigma {g_d_sigma:g} is out of range: 0 to {MAX_SIGMA:g}")
    carried = middle.i_behind * np.exp(middle.grow * (middle.v_peak - middle.v_behind))
    shape = np.e * steep * middle.v_peak / (middle.i_peak - carried)
    made, steeper, flatter = (
        [complete(s, e, k * shape) for s, e in zip(sweeps, ends, strict=True)]
        for k in (1.0, 1 + NEAR, 1 - NEAR)
    )
    falling = Falling(
        g_d=float(steep),
        g_d_sigma=g_d_sigma,
        given=g_d is not None,
        shape=float(shape),
        g_plain=float(plain),
        span=(min(e.v_peak for e in ends), max(e.v_behind for e in ends)),
        voltage_sigma=g_d_sigma / NEAR * _voltage_scale(made, steeper, flatter),
        static=tuple(e.static for e in ends),
        peaks=tuple(e.peak for e in ends),
    )
    if falling.voltage_sigma > MAX_VOLTAGE_SIGMA:
        raise SettingsError(
            f"--g-d-sigma {g_d_sigma:g} moves the falling part as {falling.voltage_sigma:.3g} of "
            f"voltage does, and a chip's die_sigma_voltage is at most {MAX_VOLTAGE_SIGMA:g}: give "
            "a smaller --g-d-sigma"
        )
    return made, falling


def _voltage_scale(
    made: Sequence[Sweep], steeper: Sequence[Sweep], flatter: Sequence[Sweep]
) -> float:
    """The change of voltage scale nearest to half the difference of two shapes (least squares)."""
    moved = np.concatenate([(a.i - b.i) / 2 for a, b in zip(steeper, flatter, strict=True)])
    scaled = np.concatenate([s.v * np.gradient(s.i, s.v) for s in made])
    return float(abs(moved @ scaled) / (scaled @ scaled))
