"""Figures of the paper's tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ..data.images import CLASSIFICATION
from ..errors import StudyError
from ..paper.efficiency import error_of
from ..paper.experiment import CIRCUITS, CURVES, FUNCTIONS, NODES, NOISE
from ..results import SEVERAL
from ..text import many
from .canvas import canvas, legend_below
from .figures import CIRCUIT, CYCLE, SOFTWARE, tidy

LINEAR_UP_TO = 1.0
"""Per cent; residuals below are on a linear scale, so that none is at 0."""
FITTED = {
    "fig3": ("order", "order of the polynomial"),
    "fig4": ("segments", "line segments"),
}
"""Along what fits are drawn."""
PANELS = (
    ("hidden", "hidden nodes", 1.0),
    ("crosspoints", "crosspoints", 1.0),
    ("op_amps", "op-amps", 1.0),
    ("energy_j", "energy an inference (nJ)", 1e9),
)
"""What networks are compared by: key of a row, label, and what of its unit is one on the axis."""


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
            100 * np.array([e[f"accuracy_{part}"] for e in group], dtype=float)
            for part in ("mean", "min", "max")
        )
        ax.errorbar(
            mean, y, xerr=[mean - low, high - mean], fmt="o", color=CIRCUIT, capsize=3,
            label="measured, range over seeds",
        )  # fmt: skip
        for k in np.flatnonzero(np.isnan(mean)):
            ax.text(0.02, k, "diverged", transform=ax.get_yaxis_transform(), va="center")
        if np.isnan(mean).all():
            ax.set_xlim(0.0, 100.0)
        printed = [(e["printed"], k) for k, e in enumerate(group) if e["printed"]]
        if printed:
            at = zip(*printed, strict=True)
            ax.plot(*at, "D", color=SOFTWARE, mfc="none", label="printed")
        ax.set_yticks(y, [f"{e['network']}, {e['parameters']:,}" for e in group], fontsize=8)
        ax.invert_yaxis()
        ax.set_title(f"{dataset}, {group[0]['n']:,} test images", fontsize=10)
    rows[-1].set_xlabel("accuracy (%)")
    handles, labels = rows[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    tidy(rows)
    return fig


def functions_figure(rows: Sequence[dict[str, Any]]) -> Figure:
    """RMSE as a share of span of each function, by network, in circuit and on chips; of classes
    what is wrong."""
    fig = Figure(figsize=(8.4, 1.2 + 0.5 * len(rows)), layout="constrained")
    kinds = {"regression": "RMSE (% of span)", "classification": "wrong (%)"}
    split = {task: [r for r in rows if r["task"] == task] for task in kinds}
    split = {task: mine for task, mine in split.items() if mine}
    heights = [len(mine) for mine in split.values()]
    axes = fig.subplots(len(split), 1, squeeze=False, height_ratios=heights)[:, 0]
    for ax, (task, mine) in zip(axes, split.items(), strict=True):
        _dots(ax, mine, wrong=task == "classification")
        ax.set_xlabel(kinds[task])
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6,
               frameon=False)  # fmt: skip
    tidy(axes)
    return fig


def _dots(ax: Any, rows: Sequence[dict[str, Any]], *, wrong: bool) -> None:
    """A row a function, a mark a network."""
    y = np.arange(len(rows))
    told = (
        ("TD-KAN", "tdkan", SOFTWARE, "o"), ("MLP", "mlp", CYCLE[5], "s"),
        ("B-spline KAN", "spline", CYCLE[2], "^"), ("chips", "chips", CIRCUIT, "D"),
        ("circuit - software", "circuit_nominal", CYCLE[4], "x"),
        ("a line", "line", "#999999", "|"),
    )  # fmt: skip
    for label, key, color, marker in told:
        shares = [1 - r[key] if wrong else r[key] for r in rows]
        ax.plot([100 * share for share in shares], y, marker, color=color, label=label)
    ax.set_xscale("linear" if wrong else "log")
    ax.set_yticks(y, [r["function"] for r in rows])
    ax.invert_yaxis()


def activations_figure(rows: Sequence[dict[str, Any]]) -> Figure:
    """Fig. 1: each activation over its voltage."""
    names = list(dict.fromkeys(row["activation"] for row in rows))
    labels = {"cmtd": "A21, over its largest current", "rtd": "RTD (Eq. 4), over its peak",
              "mosfet": "E-MOSFET (Eq. 5), mA"}  # fmt: skip
    fig = Figure(figsize=(9.4, 3.2), layout="constrained")
    axes = fig.subplots(1, len(names), squeeze=False)[0]
    for k, (ax, name) in enumerate(zip(axes, names, strict=True)):
        mine = [row for row in rows if row["activation"] == name]
        ax.plot([r["volts"] for r in mine], [r["value"] for r in mine], color=CYCLE[k])
        ax.set_title(labels.get(name, name), fontsize=10)
        ax.set_xlabel("voltage (V)")
    tidy(axes)
    return fig


def fits_figure(
    rows: Sequence[dict[str, Any]], along: str, label: str, ax: Axes | None = None
) -> Figure:
    """Figs. 3 and 4: residuals of fits, shares of the peak, over what they have to spend."""
    own = ax is None
    fig, ax = canvas(ax, 7.4, 4.4)
    for k, name in enumerate(dict.fromkeys(row["device"] for row in rows)):
        mine = [row for row in rows if row["device"] == name]
        x = [row[along] for row in mine]
        worst, rms = ([100 * row[f"{kind}_residual"] for row in mine] for kind in ("max", "rms"))
        ax.plot(x, worst, "o-", color=CYCLE[k], label=f"{name}, largest")
        ax.plot(x, rms, ".--", color=CYCLE[k], label=f"{name}, rms")
    ax.set_yscale("symlog", linthresh=LINEAR_UP_TO)
    ax.set_ylim(bottom=-0.1 * LINEAR_UP_TO)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xlabel(label)
    ax.set_ylabel("residual at the points (% of the largest current)")
    legend_below(ax, own=own, ncols=4, fontsize=8)
    tidy((ax,))
    return fig


def noise_figure(entries: Sequence[dict[str, Any]]) -> Figure:
    """Fig. 8: points of accuracy lost to relative errors, by network size; one panel a way.

    ``entries`` are of ``tolerance.losses``. Bars are 95 % intervals; where few draws make them far
    longer than the lines are high they are cut.
    """
    ways = list(dict.fromkeys(e["way"] for e in entries))
    sizes = list(dict.fromkeys((e["hidden"], e["parameters"]) for e in entries))
    fig = Figure(figsize=(9.8, 4.2), layout="constrained")
    axes = fig.subplots(1, len(ways), sharey=True, squeeze=False)[0]
    for ax, way in zip(axes, ways, strict=True):
        for k, (hidden, parameters) in enumerate(sizes):
            mine = [e for e in entries if e["way"] == way and e["hidden"] == hidden]
            points = np.array([e["points"] for e in mine])
            ends = np.array([e["points_ci95"] or 2 * (e["points"],) for e in mine])
            ax.errorbar(
                [100 * e["error"] for e in mine], points, yerr=np.abs(ends.T - points),
                marker="o", ms=4, capsize=3, color=CYCLE[k],
                label=f"{hidden} hidden, {parameters:,} parameters",
            )  # fmt: skip
        drawn = max(e["draws"] for e in entries if e["way"] == way)
        ax.set_title(f"{way}: {many(drawn, 'draw')} of {many(entries[0]['seeds'], 'seed')}",
                     fontsize=10)  # fmt: skip
        ax.set_xlabel("relative error (%)")
    highest = max(e["points"] for e in entries)
    ends = [end for e in entries for end in e["points_ci95"] or ()]
    top = min(max([highest, *ends]), 1.6 * highest)
    axes[0].set_ylim(-0.1 * top - 0.1, 1.05 * top + 0.1)
    axes[0].set_ylabel("points of accuracy lost")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    tidy(axes)
    return fig


def circuits_figure(rows: Sequence[dict[str, Any]], ax: Axes | None = None) -> Figure:
    """Accuracy of each circuit with its interval, beside its software on the same images."""
    own = ax is None
    fig, ax = canvas(ax, 7.4, 1.6 + 0.34 * len(rows))
    y = np.arange(len(rows))
    circuit = 100 * np.array([row["circuit_accuracy"] for row in rows])
    bounds = 100 * np.array([row["circuit_ci95"] for row in rows]).T
    ax.errorbar(
        circuit, y, xerr=np.abs(bounds - circuit), fmt="o", color=CIRCUIT, capsize=3,
        label="ngspice, 95 % (Wilson)",
    )  # fmt: skip
    software = [100 * row["software_accuracy"] for row in rows]
    ax.plot(software, y, "D", color=SOFTWARE, mfc="none", label="software, same images")
    ax.set_yticks(y, [f"{r['network']}\n{r['images']}" for r in rows], fontsize=7)
    ax.invert_yaxis()
    ax.set_xlabel("accuracy (%)")
    legend_below(ax, own=own, ncols=2)
    tidy((ax,))
    return fig


def nodes_figure(rows: Sequence[dict[str, Any]]) -> Figure:
    """What circuits have wrong over what they are made of and draw, by family; a row of panels a
    data set. Bars are the range over seeds."""
    sets = list(dict.fromkeys(row["dataset"] for row in rows))
    labels = list(dict.fromkeys(row["label"] for row in rows))
    fig = Figure(figsize=(11.0, 0.6 + 2.7 * len(sets)), layout="constrained")
    grid = fig.subplots(len(sets), len(PANELS), sharey="row", squeeze=False)
    for axes, dataset in zip(grid, sets, strict=True):
        mine = [row for row in rows if row["dataset"] == dataset]
        for ax, (key, label, scale) in zip(axes, PANELS, strict=True):
            for k, family in enumerate(labels):
                _sizes(ax, [r for r in mine if r["label"] == family], key, scale, k)
            ax.set(xscale="log", yscale="log", xlabel=label)
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter("{x:,g}")
                axis.set_minor_formatter(NullFormatter())
        classes = mine[0]["task"] == CLASSIFICATION
        axes[0].set_ylabel(f"{dataset}: {'wrong (%)' if classes else 'RMSE (% of span)'}")
        tidy(axes)
    told = grid[0, 0].get_legend_handles_labels()
    fig.legend(*told, loc="outside lower center", ncols=len(labels), frameon=False)
    return fig


def _sizes(ax: Any, rows: Sequence[dict[str, Any]], key: str, scale: float, color: int) -> None:
    """A line through a family's sizes: means over seeds."""
    groups = [[r for r in rows if r["hidden"] == h] for h in sorted({r["hidden"] for r in rows})]
    if not groups:
        return
    errors = [100 * np.array([error_of(r) for r in group]) for group in groups]
    mean = np.array([e.mean() for e in errors])
    ends = np.array([[e.min() for e in errors], [e.max() for e in errors]])
    ax.errorbar(
        [scale * np.mean([r[key] for r in group]) for group in groups], mean,
        yerr=np.abs(ends - mean), marker="os^D"[color % 4], ms=4, capsize=3, color=CYCLE[color],
        label=rows[0]["label"],
    )  # fmt: skip


def experiment_figure(name: str, found: dict[str, Any], ax: Axes | None = None) -> Figure:
    """The picture of what ``paper.experiment.run_experiment`` found under ``name``; in ``ax``,
    if it has a single axes.

    Raises
    ------
    StudyError
        If it has several, and ``ax`` is given.
    """
    if name in FITTED:
        return fits_figure(found["rows"], *FITTED[name], ax=ax)
    if name in CIRCUITS:
        return circuits_figure(found["everything"], ax=ax)
    if ax is not None:
        raise StudyError(SEVERAL.format(name=name))
    if name in CURVES:
        return activations_figure(found["rows"])
    if name in NOISE:
        return noise_figure(found["losses"])
    if name in FUNCTIONS:
        return functions_figure(found["rows"])
    if name in NODES:
        return nodes_figure(found["everything"])
    return table_figure(found["everything"])
