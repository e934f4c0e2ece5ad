"""One table for each temperature, of the sweeps of several devices of one type."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DeviceError
from ..text import percent
from .curve import MAX_POINTS
from .fit import (
    NOISE,
    PWLFit,
    fit_knots,
    following_knots,
    measured_fit,
    round_significant,
    uniform_knots,
)
from .knots import FEW, followed
from .sweep import Sweep

STEP_FOLLOWS = 0.02
"""Share of the peak that the sweeps' mean may be off a chord before a table of even steps gets
another knot."""
SAME_VOLTS = 1e-9
"""Volts within which two sweeps' points count as the same."""


def pool(
    groups: dict[float, list[Sweep]],
    lo: float,
    hi: float,
    *,
    step: float | None,
    tolerance: float,
) -> tuple[dict[float, PWLFit], str, bool]:
    """The tables of sweeps by temperature, on common knots from ``lo`` to ``hi``, volts.

    Residuals are those of the measured points. ``step`` and ``tolerance`` as for
    ``device_from_sweeps``.

    Returns
    -------
    tuple
        Temperature to table; how they were made; whether they are the points themselves.

    Raises
    ------
    DeviceError
        If a sweep has fewer than two points there, or the knots are too many or unsupported.
    """
    every = [sweep for group in groups.values() for sweep in group]
    for sweep in every:
        volts = _within(sweep.v, sweep.i, lo, hi)[0]
        if volts.size < 2:
            raise DeviceError(
                f"{sweep.file} has {volts.size} point(s) from {lo:g} to {hi:g} V, which all sweeps "
                "cover: a table needs at least 2 of each"
            )
    kept = _kept(every, lo, hi, step)
    if kept is not None:
        return {t: _mean(group, kept) for t, group in groups.items()}, "the measured points", True
    if step is None:
        return *_followed(groups, lo, hi, tolerance), False
    return *_stepped(groups, lo, hi, step), False


def _within(v: np.ndarray, i: np.ndarray, lo: float, hi: float) -> tuple[np.ndarray, np.ndarray]:
    inside = (v >= lo - SAME_VOLTS) & (v <= hi + SAME_VOLTS)
    return v[inside], i[inside]


def _kept(sweeps: Sequence[Sweep], lo: float, hi: float, step: float | None) -> np.ndarray | None:
    """The voltages (N,) of sweeps that keep their points; None if they are fitted."""
    first, *others = [_within(sweep.v, sweep.i, lo, hi)[0] for sweep in sweeps]
    same = all(
        v.size == first.size and np.abs(v - first).max(initial=0) <= SAME_VOLTS for v in others
    )
    coarse = first.size <= FEW if step is None else (hi - lo) / (first.size - 1) > step / 2
    return round_significant(first, 12) if same and coarse else None


def _mean(sweeps: Sequence[Sweep], knots: np.ndarray) -> PWLFit:
    """The mean of sweeps with points at the same voltages ``knots`` (N,)."""
    points = [_within(sweep.v, sweep.i, knots[0], knots[-1]) for sweep in sweeps]
    mean = round_significant(np.mean([i for _, i in points], axis=0), 12)
    return measured_fit(knots, mean, *_points(sweeps, knots[0], knots[-1]))


def _points(sweeps: Sequence[Sweep], lo: float, hi: float) -> tuple[np.ndarray, np.ndarray]:
    """All measured points (P,) of sweeps from ``lo`` to ``hi``, volts and amperes."""
    v, i = zip(*(_within(*sweep.measured, lo, hi) for sweep in sweeps), strict=True)
    return np.concatenate(v), np.concatenate(i)


def _followed(
    groups: dict[float, list[Sweep]], lo: float, hi: float, tolerance: float
) -> tuple[dict[float, PWLFit], str]:
    """The table at each temperature on knots that follow all of them, and how it was made."""
    knots, tables, share, noisy = followed(list(groups.values()), lo, hi, tolerance)
    fits = {
        t: measured_fit(knots, table, *_points(group, lo, hi))
        for (t, group), table in zip(groups.items(), tables, strict=True)
    }
    why = f", {NOISE:g} times its noise" if noisy else ""
    return fits, f"{knots.size} knots that follow the mean to {percent(share)} of the peak{why}"


def _stepped(
    groups: dict[float, list[Sweep]], lo: float, hi: float, step: float
) -> tuple[dict[float, PWLFit], str]:
    """The table at each temperature on even steps, with further knots where points support them."""
    if (hi - lo) / step > MAX_POINTS:
        raise DeviceError(
            f"knots every {step:g} V from {lo:g} to {hi:g} V are more than {MAX_POINTS:,}: give a "
            "larger --step"
        )
    even = finer = uniform_knots(lo, hi, step)
    for group in groups.values():
        points = [_within(sweep.v, sweep.i, lo, hi) for sweep in group]
        finer = following_knots(finer, points, STEP_FOLLOWS)
    try:
        fits = {t: _fit(group, finer, step) for t, group in groups.items()}
    except DeviceError:
        if finer.size == even.size:
            raise
        finer, fits = even, {t: _fit(group, even, step) for t, group in groups.items()}
    more = finer.size - even.size
    bends = f" and {more} more where it bends" if more else ""
    return fits, f"least-squares fit, knots every {step:g} V{bends}"


def _fit(sweeps: Sequence[Sweep], knots: np.ndarray, step: float) -> PWLFit:
    """The table of sweeps of one temperature."""
    points = [_within(sweep.v, sweep.i, knots[0], knots[-1]) for sweep in sweeps]
    v, i = (np.concatenate(part) for part in zip(*points, strict=True))
    try:
        table = fit_knots(knots, v, i, spaced=f"every {step:g} V").i
    except DeviceError as error:
        files = ", ".join(sweep.file for sweep in sweeps)
        raise DeviceError(f"{files}: {error}. Give a larger --step") from error
    return measured_fit(knots, table, *_points(sweeps, knots[0], knots[-1]))
