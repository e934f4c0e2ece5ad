"""The figure of how rarely chips fail."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .canvas import canvas, legend_below
from .figures import CIRCUIT, CYCLE, tidy


def rare_yield_figure(summary: dict[str, Any], ax: Axes | None = None) -> Figure:
    """Share of the chips that miss a limit, on a logarithmic scale, with its 95 % band; the limit
    that was asked for as a point."""
    of_values = summary["event"]["rank"] is None
    scale = 1.0 if of_values else 100.0
    own = ax is None
    fig, ax = canvas(ax, 7.4, 3.8)
    curve = summary["curve"]
    if curve:
        at = scale * np.array([one["limit"] for one in curve])
        low, high = np.array([one["ci95"] for one in curve]).T
        where = "post" if of_values else "pre"
        ax.fill_between(at, low, high, step=where, color=CIRCUIT, alpha=0.15, lw=0, label="95 %")
        ax.step(at, [one["p"] for one in curve], where=where, color=CIRCUIT, lw=1.8, label="chips")
    (low, high), p, limit = summary["p_fail_ci95"], summary["p_fail"], scale * summary["yield_at"]
    if summary["bound"]:
        end, marker, told = (high, "v", "none failed: below this")
        if p:
            end, marker, told = (low, "^", "all failed: above this")
        ax.plot([limit], [end], marker, color=CYCLE[3], label=told)
    else:
        error = [[p - low], [high - p]]
        told = f"{summary['method']}: {p:.2g} miss {limit:.4g}" + ("" if of_values else " %")
        ax.errorbar([limit], [p], error, fmt="o", color=CYCLE[3], capsize=3, label=told)
    ax.set_yscale("log")
    ax.set_xlabel(f"RMSE ({summary['unit']})" if of_values else "accuracy (%)")
    ax.set_ylabel("chips that miss it")
    legend_below(ax, own=own, ncols=4, fontsize=9)
    tidy((ax,))
    return fig
