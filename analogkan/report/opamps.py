"""Figures of a characterised op-amp."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from .figures import CYCLE, tidy


def opamp_figure(
    frequency: np.ndarray,
    responses: Sequence[tuple[str, np.ndarray]],
    gains: Sequence[tuple[float, float, float]],
    time: np.ndarray,
    steps: Sequence[tuple[str, np.ndarray]],
    title: str,
) -> Figure:
    """Open-loop gain and phase over frequency, gain over load, and a follower's large step.

    ``responses`` are (label, (F,) complex) over ``frequency`` (F,), hertz; ``gains`` are (ohms,
    farads, gain); ``steps`` are (label, (T,) volts) over ``time`` (T,), seconds.
    """
    figure = Figure(figsize=(9.6, 6.6), layout="constrained")
    (gain, over), (phase, step) = figure.subplots(2, 2)
    last = 0
    for k, (label, response) in enumerate(responses):
        style = {"color": CYCLE[k % len(CYCLE)], "lw": 1.2}
        gain.semilogx(frequency, 20 * np.log10(np.abs(response)), label=label, **style)
        lag = np.degrees(np.unwrap(np.angle(response)))
        phase.semilogx(frequency, lag, **style)
        last = max(last, int(np.flatnonzero(np.abs(response) > 0.1)[-1]))
    for axes in (gain, phase):
        axes.set_xlim(frequency[0], frequency[last])
    gain.set_ylim(bottom=-20)
    gain.axhline(0, color="#999999", lw=1)
    gain.set_ylabel("open-loop gain (dB)")
    gain.legend(frameon=False, fontsize=8)
    phase.axhline(-180, color="#999999", lw=1)
    phase.set_ylim(-270, 10)
    phase.set_ylabel("phase (degrees)")
    phase.set_xlabel("frequency (Hz)")
    ohms, _, found = np.array(sorted(gains)).T
    over.semilogx(ohms, 20 * np.log10(found), "o-", color=CYCLE[0], ms=4)
    over.set_xlabel("load (ohm)")
    over.set_ylabel("gain at direct current (dB)")
    for k, (label, volts) in enumerate(steps):
        step.plot(1e6 * time, volts, color=CYCLE[k % len(CYCLE)], lw=1.2, label=label)
    step.set_xlabel("time (µs)")
    step.set_ylabel("follower (V)")
    tidy((gain, over, phase, step))
    figure.suptitle(title, fontsize=11)
    return figure
