"""Pictures of a datasheet: where the power goes."""

from __future__ import annotations

from collections.abc import Mapping

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
