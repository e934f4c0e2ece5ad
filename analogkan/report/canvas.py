"""Where a picture of one axes is drawn: in a figure of its own, or in axes that somebody gives."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..objects import require_type


def canvas(ax: Axes | None, width: float, height: float) -> tuple[Any, Axes]:
    """The figure and the axes to draw in: a new figure of so many inches, or that of ``ax``.

    Raises
    ------
    SettingsError
        If ``ax`` is no Axes.
    """
    if ax is not None:
        require_type(ax, Axes, "ax", "a matplotlib Axes, as plt.subplots() gives")
        return ax.figure, ax
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def legend_below(ax: Axes, *, own: bool, **how: Any) -> None:
    """A legend below the axes, where the figure is its ``own``; else within the axes, since a
    figure of somebody's has others."""
    if own:
        ax.figure.legend(loc="outside lower center", frameon=False, **how)
    else:
        ax.legend(frameon=False, fontsize=how.get("fontsize"))
