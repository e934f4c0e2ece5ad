"""Figures of the paper's tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .figures import CIRCUIT, SOFTWARE, tidy


def table_figure(entries: Sequence[dict[str, Any]]) -> Figure:
    """Accuracies of a table's rows, measured with the range over seeds, and as printed."""
    sets = list(dict.fromkeys(entry["dataset"] for entry in entries))
    groups = [[e for e in entries if e["dataset"] == dataset] for dataset in sets]
    height = 1.2 + sum(0.34 * len(group) + 0.9 for group in groups)
    fig = Figure(figsize=(7.4, height), layout="constrained")
    heights = [len(group) + 2 for group in groups]
    rows = fig.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
    for ax, dataset, group in zip(rows, sets, groups, strict=True):
        y = np.arange(len(group))
        mean, low, high = (
            100 * np.array([e[f"accuracy_{part}"] for e in group])
            for part in ("mean", "min", "max")
        )
        ax.errorbar(
            mean, y, xerr=[mean - low, high - mean], fmt="o", color=CIRCUIT, capsize=3,
            label="measured, range over seeds",
        )  # fmt: skip
        printed = [(e["printed"], k) for k, e in enumerate(group) if e["printed"]]
        ax.plot(*zip(*printed, strict=True), "D", color=SOFTWARE, mfc="none", label="printed")
        ax.set_yticks(y, [f"{e['network']}, {e['parameters']:,}" for e in group], fontsize=8)
        ax.invert_yaxis()
        ax.set_title(f"{dataset}, {group[0]['n']:,} test images", fontsize=10)
    rows[-1].set_xlabel("accuracy (%)")
    handles, labels = rows[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    tidy(rows)
    return fig
