"""Pictures of a plan: every candidate with the front, and what each lever brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator

from .canvas import canvas
from .figures import CYCLE

AXES = {
    "energy_j": ("energy an inference", "J"),
    "area_um2": ("area (um²)", ""),
    "settling_s": ("settled", "s"),
}


def front_figure(summary: Mapping[str, Any], ax: Axes | None = None) -> Figure:
    """What is made least against what chips lose: all candidates, the front, what is and what was
    chosen."""
    objective, regression = summary["objective"], summary.get("task") == "regression"
    unit = 1.0 if regression else 100.0
    fig, ax = canvas(ax, 7, 4.2)
    tried = np.array(summary["tried"])
    kept = tried[:, 2] > 0
    for some, colour, label in (
        (~kept, "0.75", "misses a limit"), (kept, CYCLE[0], "keeps all limits"),
    ):  # fmt: skip
        ax.plot(unit * tried[some, 0], tried[some, 1], ".", color=colour, markersize=4, label=label)
    ends = [one for one in summary["front"] if one["status"] == "ok"]
    ax.plot(
        [unit * one["lost"] for one in ends], [one[objective] for one in ends], "o-",
        color=CYCLE[1], label="best for several losses, all chips",
    )  # fmt: skip
    for name, marker, label in (
        ("as_it_is", "s", "as it is"), ("criterion", "D", f"the same, {summary['bits']} bits"),
        ("chosen", "*", "chosen"),
    ):  # fmt: skip
        if name != "criterion" or summary["bits"] != summary["bits_as_it_is"]:
            one = summary[name]
            ax.plot(
                [unit * one["lost"]], [one[objective]], marker, color="black", markersize=9,
                fillstyle="none" if name != "chosen" else "full", linestyle="none", label=label,
            )  # fmt: skip
    good = tried[kept, 0] if kept.any() else tried[:, 0]
    ax.set_xlim(unit * min(0.0, good.min()) - 0.05 * unit / 100, None)
    reach = max([*(one["lost"] for one in ends), summary["chosen"]["lost"], np.quantile(good, 0.9)])
    ax.set_xlim(right=unit * reach * 1.4 + 0.1 * unit / 100)
    ax.set_yscale("log")
    what = f"RMSE lost ({summary['unit']})" if regression else "lost (points of mean accuracy)"
    ax.set_xlabel(what)
    ax.set_ylabel(AXES[objective][0])
    ax.yaxis.set_major_formatter(EngFormatter(AXES[objective][1]))
    ax.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    ax.yaxis.set_minor_formatter(EngFormatter(AXES[objective][1]))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=8, frameon=False)
    return fig


def steps_figure(summary: Mapping[str, Any]) -> Figure:
    """The objective after each lever, each on top of those above it."""
    objective = summary["objective"]
    steps = [("as it is", summary["as_it_is"])]
    if summary["bits"] != summary["bits_as_it_is"]:
        steps.append((f"{summary['bits']} bits", summary["criterion"]))
    steps += [(one["lever"], one) for one in summary["steps"] if one["status"] == "ok"]
    fig = Figure(figsize=(7, 0.8 + 0.32 * len(steps)), layout="constrained")
    ax = fig.subplots()
    values = np.array([one[objective] for _, one in steps])
    bars = ax.barh([name for name, _ in steps], values, color=CYCLE[0])
    told = [f"{values[0] / value:.3g} times less" if k else "" for k, value in enumerate(values)]
    ax.bar_label(bars, labels=told, padding=3, fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel(AXES[objective][0])
    ax.xaxis.set_major_formatter(EngFormatter(AXES[objective][1]))
    ax.margins(x=0.2)
    ax.spines[["top", "right"]].set_visible(False)
    return fig
