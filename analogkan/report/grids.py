"""Figures of sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..numerals import read_number
from .canvas import canvas, legend_below
from .figures import CIRCUIT, CYCLE, SOFTWARE, plain, told_images


def has_picture(summary: Mapping[str, Any]) -> bool:
    """Whether a sweep has a figure: a table shows a grid of more than two axes better."""
    return summary["grid"] != "axes" or len(summary["cells"][0]["labels"]) <= 2


def sweep_figure(summary: dict[str, Any], ax: Axes | None = None) -> Figure:
    """The figure of a sweep's ``summary``: lines over an axis, a budget's bars, faults by rate."""
    if summary["grid"] == "budget":
        return _budget(summary, ax)
    if summary["grid"] == "faults":
        return _lines(summary, "rate", "fault", ax, skip="none")
    axes = list(summary["cells"][0]["labels"])
    counts = {axis: len({cell["labels"][axis] for cell in summary["cells"]}) for axis in axes}
    along = max(axes, key=lambda axis: counts[axis])
    return _lines(summary, along, next((axis for axis in axes if axis != along), None), ax)


def _lines(
    summary: dict[str, Any], along: str, by: str | None, ax: Axes | None, skip: str = ""
) -> Figure:
    own = ax is None
    figure, ax = canvas(ax, 7.2, 4.6)
    groups = dict.fromkeys(cell["labels"][by] if by else "" for cell in summary["cells"])
    for k, group in enumerate(g for g in groups if g != skip or not skip):
        cells = [c for c in summary["cells"] if not by or c["labels"][by] == group]
        _line(ax, cells, along, CYCLE[1 + k % (len(CYCLE) - 1)], f"{by} {group}" if by else "chips")
    software = summary["software_accuracy"]
    ax.axhline(100 * software, color=SOFTWARE, label=f"software {100 * software:.2f} %")
    values = [c["labels"][along] for c in summary["cells"]]
    if _numbers(values) is not None:
        positive = [x for x in _numbers(values) or [] if x > 0]
        if positive and max(positive) / min(positive) >= 50:
            ax.set_xscale("symlog" if 0 in (_numbers(values) or []) and not skip else "log")
            if ax.get_xscale() == "symlog":
                ax.set_xscale("symlog", linthresh=min(positive))
    ax.set_xlabel(along)
    ax.set_ylabel("accuracy (%)")
    chips = f"{summary['samples']} chips a point"
    ax.set_title(f"{plain(summary['model'])}: {chips}\n{told_images(summary)}", fontsize=11)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    legend_below(ax, own=own, ncols=3)
    return figure


def _line(ax: Axes, cells: list[dict[str, Any]], along: str, color: str, label: str) -> None:
    """Mean and, where there is one, its interval."""
    shown = [c for c in cells if c["accuracy_mean"] is not None]
    if _numbers([c["labels"][along] for c in shown]) is not None:
        shown.sort(key=lambda c: read_number(c["labels"][along], share=True))
    words = [c["labels"][along] for c in shown]
    x = _numbers(words)
    place = np.arange(len(words)) if x is None else np.array(x)
    y = 100 * np.array([c["accuracy_mean"] for c in shown])
    pairs = [c["accuracy_mean_ci95"] or (c["accuracy_mean"],) * 2 for c in shown]
    bounds = 100 * np.array(pairs).reshape(-1, 2)
    ax.errorbar(
        place, y, yerr=np.abs(bounds.T - y), color=color, marker="o", ms=4, capsize=3, label=label
    )
    if x is None:
        ax.set_xticks(place, words)


def _numbers(words: list[str]) -> list[float] | None:
    try:
        return [read_number(word, share=True) for word in words]
    except ValueError:
        return None


NOISE = "#8f959b"
"""Of bars that may be 0: readable on white and on black."""


def _budget(summary: dict[str, Any], ax: Axes | None) -> Figure:
    """Bars of points lost: each imperfection alone, and what leaving it out would bring."""
    cells = {(c["labels"]["imperfection"], c["labels"]["cell"]): c for c in summary["cells"]}
    everything = cells["all", "all"]
    names = [
        name
        for name, how in cells
        if how == "alone" and name != "none" and cells[name, how]["lost"] is not None
    ]
    own = ax is None
    figure, ax = canvas(ax, 7.2, 1.8 + 0.5 * len(names))
    y = np.arange(len(names))
    alone = [cells[name, "alone"] for name in names]
    _bars(ax, y - 0.2, alone, "lost", CIRCUIT, "alone, against software")
    back = [cells[name, "all but"] for name in names]
    _bars(ax, y + 0.2, back, "won_back", CYCLE[2], "won back if it alone were gone")
    ax.barh([0], [0], color=NOISE, label="in the noise: 0 is possible")
    if everything["lost"] is not None:
        lost = 100 * everything["lost"]
        ax.axvline(lost, color="black", ls="--", label=f"all together: {lost:.2f}")
    ax.axvline(0, color="black", lw=0.8)
    ax.set_yticks(y, [f"{name}\n{snr(cells[name, 'alone'])}" for name in names])
    ax.invert_yaxis()
    ax.set_xlabel("points of accuracy, 95 %")
    chips = f"{plain(summary['preset'])}, {summary['samples']} chips a cell"
    ax.set_title(f"{plain(summary['model'])}: {chips}\n{told_images(summary)}", fontsize=11)
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    legend_below(ax, own=own, ncols=2)
    return figure


def _bars(
    ax: Axes, y: np.ndarray, cells: list[dict[str, Any]], what: str, color: str, label: str
) -> None:
    """Bars of a figure of ``cells`` with their intervals, grey where they may be 0."""
    x = np.array([100 * (c[what] or 0.0) for c in cells])
    pairs = [c[f"{what}_ci95"] or (c[what] or 0.0,) * 2 for c in cells]
    ends = 100 * np.array(pairs).reshape(-1, 2).T
    noise = (ends[0] <= 0) & (ends[1] >= 0)
    noise |= [c[f"{what}_ci95"] is None for c in cells]
    ax.barh(y, x, 0.36, color=[NOISE if grey else color for grey in noise])
    ax.barh([y[0]], [0], color=color, label=label)
    ax.errorbar(x, y, xerr=np.abs(ends - x), fmt="none", ecolor="black", elinewidth=1, capsize=2)


def snr(cell: dict[str, Any]) -> str:
    """The logits' signal-to-noise ratio of a cell, decibels."""
    return "–" if cell["logit_snr_db"] is None else f"{cell['logit_snr_db']:.1f} dB"
