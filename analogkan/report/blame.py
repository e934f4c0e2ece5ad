"""Pictures of what makes chips differ: shares as bars, and where on the die they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from .canvas import canvas
from .figures import CYCLE

MOST_BARS, MOST_LAYERS = 20, 4
"""Quantities, and layers whose cells have a picture of their own: the first ones."""
MAP, DECADES = "inferno", 3
"""Colours, and how far they reach down from the largest share."""


def shares_figure(summary: Mapping[str, Any], ax: Axes | None = None) -> Figure:
    """Shares of quantities in the variance of the score, by draws and by gradients.

    Parameters
    ----------
    summary
        With ``shares``, the largest first.
    ax
        Where it is drawn; by default in a figure of its own.
    """
    shares = summary["shares"][:MOST_BARS]
    fig, ax = canvas(ax, 8, 1.2 + 0.34 * len(shares))
    at = np.arange(len(shares), dtype=float)
    ways: list[tuple[str, str]] = [("total", "by draws, total")]
    if not summary["no_gradients"]:
        ways += [
            ("gradient_total", "score as if linear, total"),
            ("gradient", "by gradients, all margins"),
        ]
    height = 0.8 / len(ways)
    for k, (entry, label) in enumerate(ways):
        values = [np.nan if one.get(entry) is None else 100 * one[entry] for one in shares]
        place = at + (k - (len(ways) - 1) / 2) * height
        ax.barh(place, values, height=0.9 * height, color=CYCLE[k], label=label)
        pairs = [one["total_ci95"] if entry == "total" else None for one in shares]
        for y, pair in zip(place, pairs, strict=True):
            if pair is not None:
                ax.plot([100 * end for end in pair], [y, y], color=CYCLE[5], linewidth=1)
    ax.set_yticks(at, [f"{one['quantity']}, {one['layer']}" for one in shares], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("share of the variance over chips (%)")
    ax.legend(fontsize=8, frameon=False, loc="lower right")
    ax.spines[["top", "right"]].set_visible(False)
    return fig


def map_figure(summary: Mapping[str, Any]) -> Figure:
    """Shares on the die, if there is one; below, those of cells by band of rows and output.

    Parameters
    ----------
    summary
        With ``map`` and ``bands``.
    """
    die, bands = summary["map"], summary["bands"][:MOST_LAYERS]
    tall = 0.0 if die is None else min(max(7.0 * die["height"] / die["width"], 1.5), 5.0)
    fig = Figure(figsize=(8, tall + 2.8), layout="constrained")
    if die is None:
        _cells(fig, bands)
        return fig
    halves: Any = fig.subfigures(2, 1, height_ratios=[tall, 2.8])
    upper, lower = halves
    _die(upper, die)
    _cells(lower, bands)
    return fig


def _norm(values: Sequence[float]) -> LogNorm:
    most = max([*values, 0.0]) or 1.0
    return LogNorm(most / 10**DECADES, most, clip=True)


def _colours(fig: Any, ax: Any, norm: LogNorm) -> None:
    fig.colorbar(ScalarMappable(norm, MAP), ax=ax, label="share (%), logarithmic", shrink=0.9)


def _die(fig: Any, die: Mapping[str, Any]) -> None:
    ax = fig.subplots()
    norm = _norm([100 * one["share"] for one in die["boxes"]])
    patches = [
        Rectangle(
            (one["x"] / 1e3, one["y"] / 1e3), one["width"] / 1e3, one["height"] / 1e3,
            facecolor=colormaps[MAP](norm(100 * one["share"])), edgecolor="#777777", linewidth=0.3,
        )
        for one in die["boxes"]
    ]  # fmt: skip
    for patch in patches:
        ax.add_patch(patch)
    ax.set_xlim(0, die["width"] / 1e3)
    ax.set_ylim(die["height"] / 1e3, 0)
    ax.set_aspect("equal")
    ax.set_xlabel(
        "mm: of each layer rows' amplifiers with diodes, tiles, lines' amplifiers", fontsize=8
    )
    ax.tick_params(labelsize=7)
    ax.spines[:].set_visible(False)
    _colours(fig, ax, norm)


def _cells(fig: Any, bands: Sequence[Mapping[str, Any]]) -> None:
    axes = fig.subplots(1, len(bands), squeeze=False)[0]
    shares = [100 * np.array(one["shares"]) for one in bands]
    norm = _norm([float(of.max()) for of in shares])
    for ax, one, of in zip(axes, bands, shares, strict=True):
        ax.imshow(of, norm=norm, cmap=MAP, aspect="auto", interpolation="nearest")
        part = f", part {one['part']}" if one["part"] else ""
        ax.set_title(f"cells of layer {one['layer']}{part}", fontsize=10)
        ax.set_xlabel("output", fontsize=8)
        ax.set_ylabel("band of tile rows", fontsize=8)
        ax.tick_params(labelsize=7)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _colours(fig, list(axes), norm)
