"""Figures over frequency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .figures import CYCLE, tidy


def noise_figure(
    spectra: Mapping[str, np.ndarray], shares: Sequence[tuple[str, float]], title: str
) -> Figure:
    """Noise of outputs by frequency, each (F, 2) in hertz and V/sqrt(Hz); ``shares`` of its power
    by what makes it."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for k, (net, spectrum) in enumerate(spectra.items()):
        left.loglog(*spectrum.T, color=CYCLE[k % len(CYCLE)], lw=1.2, label=net)
    left.set_xlabel("frequency (Hz)")
    left.set_ylabel("noise (V/$\\sqrt{\\mathrm{Hz}}$)")
    left.legend(frameon=False, fontsize=8, ncols=2)
    names = [name for name, _ in shares][::-1]
    right.barh(names, [100 * share for _, share in shares][::-1], color=CYCLE[0])
    right.set_xlabel("share of the noise power (%)")
    right.tick_params(labelsize=8)
    tidy((left, right))
    figure.suptitle(title, fontsize=11)
    return figure
