"""Pictures of a datasheet: where the power goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .figures import CYCLE


def power_figure(dissipated: Mapping[str, float], supply: Mapping[str, float]) -> Figure:
    """Watts by block, largest first: what elements dissipate, and what supplies give.

    Parameters
    ----------
    dissipated, supply
        Watts by the name of a block; those of none are left out.
    """
    fig = Figure(figsize=(9, 3.4), layout="constrained")
    axes = fig.subplots(1, 2)
    told = (("dissipated", dissipated, CYCLE[1]), ("from the supplies", supply, CYCLE[0]))
    for ax, (title, watts, colour) in zip(axes, told, strict=True):
        some = sorted(((w, name) for name, w in watts.items() if w), reverse=False)
        values = [1e3 * w for w, _ in some]
        bars = ax.barh([name for _, name in some], values, color=colour)
        ax.bar_label(bars, labels=[f"{value:.3g}" for value in values], padding=3, fontsize=9)
        ax.set_title(f"{title}: {sum(values):.3g} mW", fontsize=10)
        ax.set_xlabel("mW")
        ax.margins(x=0.15)
        ax.spines[["top", "right"]].set_visible(False)
    return fig


def map_figure(layers: Sequence[Mapping[str, Sequence[Sequence[float]]]]) -> Figure:
    """Watts along the rows and the lines of each layer: the mean, and the range over images.

    Parameters
    ----------
    layers
        Of each ``rows`` and ``lines``: least, mean and largest watts.
    """
    fig = Figure(figsize=(9, 0.6 + 2.1 * len(layers)), layout="constrained")
    grid = fig.subplots(len(layers), 2, squeeze=False)
    for k, (axes, layer) in enumerate(zip(grid, layers, strict=True)):
        for ax, what in zip(axes, ("rows", "lines"), strict=True):
            low, mean, high = (1e6 * np.array(watts) for watts in layer[what])
            at = np.arange(mean.size + 1)
            ax.stairs(high, at, baseline=low, fill=True, color=CYCLE[0], alpha=0.25)
            ax.stairs(mean, at, color=CYCLE[0], linewidth=1)
            ax.set_xlim(0, mean.size)
            ax.set_ylim(bottom=0)
            ax.set_title(f"layer {k}: {mean.size} {what}", fontsize=10)
            ax.spines[["top", "right"]].set_visible(False)
        axes[0].set_ylabel("µW")
    return fig
