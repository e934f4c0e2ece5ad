"""Figures of a diode node on a board: Nyquist's curve, and what a kick does.

Axes: F frequencies, T times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from .figures import CIRCUIT, SOFTWARE, tidy


def nyquist_figure(impedance: np.ndarray, falls: Sequence[float]) -> Figure:
    """Z(jw) (F,), ohms, and the points 1 / |g_d| of ``falls``, siemens, it must not go round."""
    fig = Figure(figsize=(6.4, 4.4), layout="constrained")
    ax = fig.subplots()
    real, imaginary = np.real(impedance), np.imag(impedance)
    ax.plot(real, imaginary, color=SOFTWARE, lw=1.4, label="Z(jω)")
    ax.plot(real, -imaginary, "--", color=SOFTWARE, lw=1, label="Z(−jω)")
    points = 1 / np.array(falls)
    told = "1/|g_d| of " + ", ".join(f"{1e3 * fall:.3g}" for fall in falls) + " mS"
    ax.plot(points, np.zeros_like(points), "x", color=CIRCUIT, ms=8, mew=2, label=told)
    ax.set_xlabel("real part (ohm)")
    ax.set_ylabel("imaginary part (ohm)")
    ax.legend(frameon=False)
    tidy([ax])
    return fig


def kick_figure(time: np.ndarray, diode: np.ndarray, output: np.ndarray) -> Figure:
    """Volts (T,) across a junction and at its row's output over ``time`` (T,), seconds."""
    fig = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = fig.subplots(2, 1, sharex=True)
    for ax, volts, color, what in zip(
        axes, (diode, output), (CIRCUIT, SOFTWARE), ("diode", "output"), strict=True
    ):
        ax.plot(1e6 * time, 1e3 * volts, color=color, lw=1)
        ax.set_ylabel(f"{what} (mV)")
    axes[1].set_xlabel("time (µs)")
    tidy(axes)
    return fig
