# pyright: strict
"""Figures of an op-amp, out of what ngspice delivered.

Axes: L loads, X points of a direct sweep, F frequencies, T times. What is not there is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..dialects.dialect import Vectors
from . import deck
from .deck import Setup

Values = npt.NDArray[Any]
STRAYED = 10e-3
"""Volts by which an input may move before the output is said to be at its limit."""
INSIDE = 0.9
"""Share of what inputs and output reach that the large step takes."""
CORNERS = (0.2, 0.8)
"""Shares of a step between which the slope is taken."""
RESTING = 0.05
"""Share of a step to which its last tenth must be at rest."""
AT_GAIN = 10.0
"""Gain at which the gain-bandwidth product is read: above the second pole's reach."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Direct:
    """Direct current.

    Attributes
    ----------
    inputs, outputs
        (L, X) volts.
    offset
        (L,) volts between the inputs at an output of 0 V; 0 below ``deck.RESOLVED``.
    swing
        (L, 2) volts of the output, where the input has moved by ``STRAYED``.
    common
        (2,) volts of a follower's input, without a load, where its error has moved by as much.
    sink, source
        Amperes into and out of the output of a follower of 0 V, there.
    i_vdd, i_vss
        Amperes out of and into the supplies, without a load.
    """

    inputs: Values
    outputs: Values
    offset: Values
    swing: Values
    common: Values
    sink: float
    source: float
    i_vdd: float
    i_vss: float

    @property
    def spans(self) -> list[tuple[float, float]]:
        """For each load the low and high end of a large step."""
        low = np.maximum(self.swing[:, 0], self.common[0])
        high = np.minimum(self.swing[:, 1], self.common[1])
        return [(float(INSIDE * a), float(INSIDE * b)) for a, b in zip(low, high, strict=True)]


def direct_of(found: Vectors, setup: Setup) -> Direct:
    """Of the vectors of ``deck.write_direct``."""
    loads = range(len(setup.loads))
    inputs = np.array([np.real(found[f"v(inn_{k})"]) for k in loads])
    outputs = np.array([np.real(found[f"v(out_{k})"]) for k in loads])
    offset = np.array([_at(y, x, 0.0) for x, y in zip(inputs, outputs, strict=True)])
    offset[np.abs(offset) < deck.RESOLVED] = 0.0
    swing = [_reach(y, x - o) for x, y, o in zip(inputs, outputs, offset, strict=True)]
    driven, followed = np.real(found["v(inp_follow)"]), np.real(found["v(follow)"])
    middle = int(np.abs(driven).argmin())
    error = followed - driven
    return Direct(
        inputs=inputs,
        outputs=outputs,
        offset=offset,
        swing=np.array(swing),
        common=np.array(_reach(driven, error - error[middle])),
        sink=_limit(np.real(found["i(v_sink)"]), np.real(found["v(sink)"])),
        source=_limit(np.real(found["i(v_source)"]), np.real(found["v(source)"])),
        i_vdd=float(-np.real(found["i(v_dd_follow)"])[middle]),
        i_vss=float(np.real(found["i(v_ss_follow)"])[middle]),
    )


def _at(x: Values, y: Values, where: float) -> float:
    """``y`` at ``x`` = ``where``, where ``x`` first passes it; NaN if it does not."""
    passed = np.flatnonzero(np.diff(np.sign(x - where)))
    if not passed.size:
        return float("nan")
    k = int(passed[0])
    share = (where - x[k]) / (x[k + 1] - x[k])
    return float(y[k] + share * (y[k + 1] - y[k]))


def _reach(volts: Values, strayed: Values) -> tuple[float, float]:
    """Lowest and highest of ``volts`` around 0 between which ``strayed`` stays small."""
    order = np.argsort(volts, kind="stable")
    volts, far = volts[order], np.abs(strayed[order]) - STRAYED
    middle = int(np.abs(volts).argmin())
    if far[middle] > 0:
        return float("nan"), float("nan")
    high = _at(far[middle:], volts[middle:], 0.0)
    low = _at(far[middle::-1], volts[middle::-1], 0.0)
    return (
        float(volts[0]) if np.isnan(low) else low,
        float(volts[-1]) if np.isnan(high) else high,
    )


def _limit(current: Values, output: Values) -> float:
    """Current at which ``output`` has moved by ``STRAYED`` from where it began."""
    return _at(np.abs(output - output[0]) - STRAYED, np.abs(current), 0.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Loop:
    """The open loop.

    Attributes
    ----------
    frequency
        (F,) hertz.
    response
        (L, F) complex: output over input.
    gbw, unity
        (L,) hertz: frequency times gain where that is ``AT_GAIN``, and where it is 1.
    phase_margin
        (L,) degrees.
    second
        (L,) hertz: the one pole beside the first that gives this phase margin; NaN if none is
        needed.
    impedance
        (F,) complex ohms of the output without load.
    capacitance
        Farads of the non-inverting input at the unity-gain frequency, the other at rest.
    """

    frequency: Values
    response: Values
    gbw: Values
    unity: Values
    phase_margin: Values
    second: Values
    impedance: Values
    capacitance: float

    @property
    def gain(self) -> Values:
        """(L,) open-loop gain at direct current."""
        return np.abs(self.response[:, 0])

    @property
    def resistance(self) -> tuple[float, float]:
        """Ohms of the output at direct current, and at the unity-gain frequency."""
        size = np.abs(self.impedance)
        log = _between(self.frequency, np.log(size), float(self.unity[0]))
        return float(size[0]), float(np.exp(log))


def loop_of(found: Vectors, setup: Setup) -> Loop:
    """Of the vectors of ``deck.write_frequency``."""
    f = np.real(found["frequency"])
    response = np.array([found[f"v(out_{k})"] for k in range(len(setup.loads))])
    gain = np.abs(response)
    phase = np.degrees(np.unwrap(np.angle(response), axis=1))
    unity = np.array([_crossing(f, row, 1.0) for row in gain])
    gbw = np.array([AT_GAIN * _crossing(f, row, AT_GAIN) for row in gain])
    pairs = zip(unity, phase, strict=True)
    margin = np.array([180 + _between(f, row, u) for u, row in pairs])
    lag = 90 - margin
    with np.errstate(invalid="ignore", divide="ignore"):
        second = np.where((lag > 0) & (lag < 90), unity / np.tan(np.radians(lag)), np.nan)
    current = -found["i(v_in_0)"] / (2j * np.pi * f)
    return Loop(
        frequency=f,
        response=response,
        gbw=gbw,
        unity=unity,
        phase_margin=margin,
        second=second,
        impedance=found["v(bare)"],
        capacitance=_between(f, np.real(current), float(unity[0])),
    )


def _crossing(f: Values, gain: Values, least: float) -> float:
    """Hertz at which ``gain`` first falls to ``least``, both on logarithmic scales."""
    return float(np.exp(_at(np.log(gain / least), np.log(f), 0.0)))


def _between(f: Values, y: Values, where: float) -> float:
    """``y`` (F,) at ``where`` hertz, on a logarithmic scale of frequency."""
    return np.interp(np.log([where]), np.log(f), y).item()


@dataclass(frozen=True, eq=False, kw_only=True)
class Steps:
    """Steps of followers.

    Attributes
    ----------
    time
        (T,) seconds.
    large, small
        (L, T) volts.
    slew
        (L, 2) V/s upwards and downwards, between 20 and 80 % of the large step.
    overshoot
        (L,) share of the small step upwards.
    settled
        (L,) whether all four came to rest.
    """

    time: Values
    large: Values
    small: Values
    slew: Values
    overshoot: Values
    settled: Values


def steps_of(found: Vectors, setup: Setup, spans: list[tuple[float, float]]) -> Steps:
    """Of the vectors of ``deck.write_steps``."""
    t = np.real(found["time"])
    loads = range(len(setup.loads))
    large, small = (
        np.array([np.real(found[f"v({size}_{k})"]) for k in loads]) for size in ("large", "small")
    )
    up = (t > 0.02 * t[-1]) & (t <= 0.51 * t[-1])
    down = t > 0.51 * t[-1]
    parts, sizes = (up, down), [high - low for low, high in spans]
    slew = [[_slope(t[part], row[part]) for part in parts] for row in large]
    rest = [
        all(_rests(t[part], row[part], size) for part in parts for row, size in pair)
        for pair in zip(
            zip(large, sizes, strict=True), ((row, deck.SMALL) for row in small), strict=True
        )
    ]
    over = [float((row[up].max() - row[up][-1]) / (row[up][-1] - row[0])) for row in small]
    return Steps(
        time=t,
        large=large,
        small=small,
        slew=np.array(slew),
        overshoot=np.array(over),
        settled=np.array(rest),
    )


def _slope(t: Values, volts: Values) -> float:
    """Size of the slope, V/s, between the corners of a step."""
    first, last = volts[0], volts[-1]
    low, high = (_at(volts, t, float(first + share * (last - first))) for share in CORNERS)
    return abs(float((CORNERS[1] - CORNERS[0]) * (last - first) / (high - low)))


def _rests(t: Values, volts: Values, size: float) -> bool:
    late = t > t[0] + 0.9 * (t[-1] - t[0])
    return bool(np.ptp(volts[late]) < RESTING * size)


def noise_of(spectrum: Values) -> tuple[float, float]:
    """White noise, V/sqrt(Hz), and the hertz of its 1/f corner, of a ``spectrum`` (F, 2).

    White is the least there is; at the corner, which is below it, its power is doubled. What rises
    with the frequency is none of it. 0 Hz: it is not in sight.
    """
    f, noise = spectrum[: int(spectrum[:, 1].argmin()) + 1].T
    white = float(noise[-1])
    if white <= 0:
        return 0.0, 0.0
    corner = _at(np.log(noise / white) - np.log(2) / 2, np.log(f), 0.0)
    return white, 0.0 if np.isnan(corner) else float(np.exp(corner))
