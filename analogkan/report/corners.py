"""Corners as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .canvas import canvas
from .figures import CYCLE, tidy


def corners_figure(
    corners: Sequence[Mapping[str, Any]], title: str, ax: Axes | None = None
) -> Figure:
    """Scores of ``corners``, classical ones above, worst-case ones below."""
    figure, axes = canvas(ax, 7.4, 1.2 + 0.22 * max(4, len(corners)))
    colours = [CYCLE[1] if one["kind"] == "worst" else CYCLE[0] for one in corners]
    axes.barh([one["name"] for one in corners], [one["score"] for one in corners], color=colours)
    axes.axvline(0, color="0.3", lw=1)
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
    axes.set_xlabel("score")
    axes.set_title(title, fontsize=10, wrap=True)
    tidy([axes])
    return figure
