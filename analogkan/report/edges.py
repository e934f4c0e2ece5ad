"""Edges of a network as a picture: what each gives over what its source shows."""

from __future__ import annotations

from matplotlib.figure import Figure

from ..network.measures import format_value
from ..studies.explain import Explained, edge_curve
from .figures import CYCLE, plain, tidy

MOST = 12
"""Edges in one picture."""
ACROSS = 4


def edges_figure(found: Explained, most: int = MOST) -> Figure:
    """The most important edges: the whole line is the edge about its mean, broken lines are its
    diode types, grey is how often the source is there."""
    shown = found.order[:most]
    down = max(1, -(-len(shown) // ACROSS))
    fig = Figure(figsize=(3.0 * ACROSS, 2.5 * down), layout="constrained")
    every = fig.subplots(down, ACROSS, squeeze=False).ravel()
    names = list(dict.fromkeys(c.name for layer in found.spec.layers for c in layer.curves))
    for ax, at, edge in zip(every, shown, found.summary["top"], strict=False):
        over, parts, used, mean = edge_curve(found, at)
        behind = ax.twinx()
        behind.hist(used, bins=30, color="#999999", alpha=0.25)
        behind.set_yticks([])
        behind.spines[["top", "right"]].set_visible(False)
        for curve, part in zip(found.spec.layers[at[0]].curves, parts, strict=True):
            colour = CYCLE[1 + names.index(curve.name) % 5]
            ax.plot(over, part - part.mean(), "--", lw=1, color=colour, label=curve.name)
        ax.plot(over, parts.sum(axis=0) - mean, "-", lw=2, color=CYCLE[0])
        ax.set_title(
            f"{plain(edge['from'], 14)} to {plain(edge['to'], 14)}\n"
            f"{format_value(edge['importance'], found.summary['unit'])}",
            fontsize=9,
        )
        ax.set_xlabel("input" if not at[0] else "diode voltage (V)", fontsize=8)
        ax.tick_params(labelsize=8)
    for ax in every[len(shown) :]:
        ax.set_visible(False)
    if len(shown):
        lines = {line.get_label(): line for ax in every[: len(shown)] for line in ax.lines[:-1]}
        fig.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=6)
    tidy(every[: len(shown)])
    return fig
