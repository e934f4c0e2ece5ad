"""Figures of regressions: curves, surfaces, parity, chips, temperature, grids.

Axes: n points, I inputs, K targets; everything in the targets' units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import StudyError
from ..network.measures import SPAN, format_value
from ..network.targets import Targets
from ..numerals import read_number
from ..results import SEVERAL
from ..text import with_unit
from .canvas import canvas
from .figures import CIRCUIT, CYCLE, DARK, SOFTWARE, plain, tidy, told_images

TRUTH = CYCLE[5]
MOST_TARGETS = 4
"""That have a row of their own in a figure."""


def _label(targets: Targets, k: int) -> str:
    return plain(with_unit(targets.names[k], targets.units[k]))


def _error(name: str, unit: str) -> str:
    """Of an axis of errors as they are kept."""
    return with_unit(name, "share of span" if unit == SPAN else unit)


def _rows(targets: Targets, across: int, width: float, height: float) -> tuple[Figure, Any, int]:
    """A figure with a row a target."""
    shown = min(len(targets), MOST_TARGETS)
    fig = Figure(figsize=(width, height * shown), layout="constrained")
    return fig, fig.subplots(shown, across, squeeze=False), shown


def curve_figure(
    x: np.ndarray, wanted: np.ndarray, software: np.ndarray, circuit: np.ndarray, targets: Targets
) -> Figure:
    """Truth, software and circuit (n, K) over one input (n, 1), and their errors beside it."""
    fig, axes, shown = _rows(targets, 2, 9.4, 3.8)
    order = np.argsort(x[:, 0])
    at = x[order, 0]
    for k in range(shown):
        left, right = axes[k]
        left.plot(at, wanted[order, k], color=TRUTH, lw=2.5, alpha=0.5, label="truth")
        left.plot(at, software[order, k], color=SOFTWARE, lw=1.2, label="software")
        left.plot(at, circuit[order, k], "--", color=CIRCUIT, lw=1.2, label="circuit")
        left.set_ylabel(_label(targets, k))
        left.legend(frameon=False)
        for what, given, color in (("software", software, SOFTWARE), ("circuit", circuit, CIRCUIT)):
            style = "-" if what == "software" else "--"
            right.plot(at, (given - wanted)[order, k], style, color=color, lw=1, label=what)
        right.axhline(0, color="#999999", lw=1)
        right.set_ylabel(f"error, {_label(targets, k)}")
    for ax in axes[-1]:
        ax.set_xlabel(plain(targets.input_labels(1)[0]))
    tidy(axes.ravel())
    return fig


def surface_figure(
    x: np.ndarray, wanted: np.ndarray, software: np.ndarray, circuit: np.ndarray, targets: Targets
) -> Figure:
    """The circuit (n, K) over two inputs (n, 2), and its error against the truth."""
    fig, axes, shown = _rows(targets, 2, 9.4, 4.0)
    for k in range(shown):
        most = float(np.abs(circuit - wanted)[:, k].max()) or 1.0
        parts = (
            (circuit[:, k], "viridis", (None, None), _label(targets, k)),
            ((circuit - wanted)[:, k], "RdBu", (-most, most), f"error, {_label(targets, k)}"),
        )
        for ax, (values, colors, (low, high), what) in zip(axes[k], parts, strict=True):
            drawn = ax.scatter(x[:, 0], x[:, 1], c=values, cmap=colors, vmin=low, vmax=high, s=9)
            fig.colorbar(drawn, ax=ax).set_label(what)
            ax.set_xlabel("input 1")
            ax.set_ylabel("input 2")
    tidy(axes.ravel())
    return fig


def parity_figure(
    x: np.ndarray, wanted: np.ndarray, software: np.ndarray, circuit: np.ndarray, targets: Targets
) -> Figure:
    """The circuit over what is wanted (n, K), and the errors of software and circuit over it."""
    fig, axes, shown = _rows(targets, 2, 9.4, 3.8)
    for k in range(shown):
        left, right = axes[k]
        ends = [float(wanted[:, k].min()), float(wanted[:, k].max())]
        left.plot(ends, ends, color="#999999", lw=1)
        left.plot(wanted[:, k], circuit[:, k], ".", ms=3, alpha=0.5, color=CIRCUIT)
        left.set_ylabel(f"circuit, {_label(targets, k)}")
        for what, given, color in (("software", software, SOFTWARE), ("circuit", circuit, CIRCUIT)):
            error = (given - wanted)[:, k]
            right.plot(wanted[:, k], error, ".", ms=3, alpha=0.5, color=color, label=what)
        right.set_ylabel(f"error, {_label(targets, k)}")
        right.legend(frameon=False)
        for ax in (left, right):
            ax.set_xlabel(f"wanted, {_label(targets, k)}")
    tidy(axes.ravel())
    return fig


def board_figure(
    x: np.ndarray,
    circuit: np.ndarray,
    band: np.ndarray,
    targets: Targets,
    measured: np.ndarray | None = None,
    assumed: np.ndarray | None = None,
    ax: Axes | None = None,
    temp_c: float | None = None,
) -> Figure:
    """Boards: a ``band`` (3, n, K) about the ``circuit`` (n, K), and what one of them ``measured``
    (n, K): over one input ``x`` (n, 1), else over the circuit's values, as errors against it.

    Where ``assumed`` (n,), a diode is driven beyond what was measured of it: shaded. A row a
    target, or in ``ax`` the only one. ``temp_c`` is said in the legend, degrees Celsius.

    Raises
    ------
    StudyError
        If several targets are to be drawn in one axes.
    """
    if ax is None:
        fig, axes, shown = _rows(targets, 1, 7.2, 3.8)
    elif len(targets) == 1:
        fig, given = canvas(ax, 7.2, 3.8)
        axes, shown = np.array([[given]]), 1
    else:
        raise StudyError(SEVERAL.format(name="board"))
    for k in range(shown):
        here, one = axes[k, 0], x.shape[1] == 1
        at = x[:, 0] if one else circuit[:, k]
        order, base = np.argsort(at, kind="stable"), np.zeros(len(at)) if one else circuit[:, k]
        low, _, high = (line[order, k] - base[order] for line in band)
        here.fill_between(at[order], low, high, color=CIRCUIT, alpha=0.25, lw=0, label="boards")
        told = "circuit" if temp_c is None else f"circuit at {temp_c:g} degC"
        here.plot(at[order], (circuit[:, k] - base)[order], color=CIRCUIT, lw=1.2, label=told)
        if assumed is not None and assumed.any() and one:
            label = "assumed: a diode in its reconstructed part"
            for ends in _spans(at[order], assumed[order]):
                here.axvspan(*ends, color="#999999", alpha=0.2, lw=0, label=label)
                label = ""
        if measured is not None:
            seen = measured[:, k] - base
            here.plot(at, seen, ".", color=TRUTH, ms=5, label="measured")
        what = _label(targets, k)
        here.set_xlabel(plain(targets.input_labels(1)[0]) if one else f"circuit, {what}")
        here.set_ylabel(what if one else f"less the circuit, {what}")
        here.legend(frameon=False, fontsize=8)
    tidy(axes.ravel())
    return fig


def _spans(at: np.ndarray, chosen: np.ndarray) -> list[tuple[float, float]]:
    """Runs of ``chosen`` points (n,), each as far as half way to its neighbours."""
    edges = np.r_[at[0], (at[1:] + at[:-1]) / 2, at[-1]]
    turns = np.flatnonzero(np.diff(np.r_[0, chosen.astype(int), 0]))
    return [(float(edges[a]), float(edges[b])) for a, b in turns.reshape(-1, 2)]


def errors_histogram(
    rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], ax: Axes | None = None
) -> Figure:
    """Chips by RMSE, beside software, their mean, and the limit of a good one."""
    rmse = np.array([row["rmse"] for row in rows if row["status"] == "ok"])
    fig, ax = canvas(ax, 7.2, 4.2)
    ax.hist(rmse, bins=min(40, max(10, len(rmse) // 4)), color="#d9d9d9", edgecolor=DARK, lw=0.5)
    unit = summary["unit"]
    lines = (
        ("software", summary["rmse_software"], SOFTWARE, "-"),
        ("mean of chips", summary["rmse_mean"], CIRCUIT, "-"),
        ("limit", summary["yield_at"], DARK, "--"),
    )
    for name, value, color, style in lines:
        ax.axvline(value, color=color, ls=style, label=f"{name} {format_value(value, unit)}")
    ax.set_xlabel(_error("RMSE", unit))
    ax.set_ylabel("chips")
    ax.set_title(
        f"{plain(summary['model'])}: {len(rmse)} chips\n{told_images(summary)}", fontsize=11
    )
    ax.legend(frameon=False)
    tidy([ax])
    return fig


def band_figure(summary: Mapping[str, Any]) -> Figure:
    """The truth, software and the band of chips over one input, and their errors."""
    band = {key: np.array(value) for key, value in summary["band"].items()}
    fig = Figure(figsize=(9.4, 3.8), layout="constrained")
    left, right = fig.subplots(1, 2)
    for ax, off in ((left, 0.0), (right, band["wanted"])):
        told = f"chips, 5 to 95 % of {summary['samples']}"
        ax.fill_between(band["x"], band["5"] - off, band["95"] - off, color=CIRCUIT, alpha=0.25,
                        lw=0, label=told)  # fmt: skip
        ax.plot(band["x"], band["50"] - off, color=CIRCUIT, lw=1.2, label="median chip")
        ax.plot(band["x"], band["software"] - off, color=SOFTWARE, lw=1.2, label="software")
        ax.set_xlabel("input")
    left.plot(band["x"], band["wanted"], color=TRUTH, lw=2.5, alpha=0.5, label="truth")
    right.axhline(0, color="#999999", lw=1)
    what = summary["targets"][0]
    label = plain(with_unit(what["name"], what["unit"]))
    left.set_ylabel(label)
    right.set_ylabel(f"error, {label}")
    left.legend(frameon=False)
    tidy([left, right])
    return fig


def temperature_figure(summary: Mapping[str, Any]) -> Figure:
    """RMSE over temperature, and the nominal circuit's gain and offset."""
    entries = summary["temperatures"]
    fig = Figure(figsize=(7.2, 5.6), layout="constrained")
    upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=[3, 1.6])
    unit = summary["unit"]

    def line(ax: Any, key: str, **how: Any) -> None:
        told = [(e["temp_c"], e["nominal"][key]) for e in entries if e.get("nominal")]
        told = [pair for pair in told if pair[1] is not None]
        if told:
            ax.plot(*zip(*told, strict=True), marker=".", **how)

    line(upper, "rmse", color=CIRCUIT, label="nominal circuit")
    line(upper, "rmse_compensated", color=CYCLE[2], label="compensated")
    chips = [(e["temp_c"], e["chips"]) for e in entries if e.get("chips")]
    chips = [(t, c) for t, c in chips if c["rmse_percentiles"] is not None]
    if chips:
        temps = [t for t, _ in chips]
        low, high = ([c["rmse_percentiles"][q] for _, c in chips] for q in ("5", "95"))
        upper.fill_between(
            temps, low, high, color=CYCLE[3], alpha=0.25, lw=0, label="chips, 5–95 %"
        )
        upper.plot(temps, [c["rmse_mean"] for _, c in chips], color=CYCLE[3], label="mean of chips")
    upper.axhline(summary["rmse_software"], color=SOFTWARE, label="software")
    upper.set_ylabel(_error("RMSE", unit))
    upper.set_title(f"{plain(summary['model'])}\n{told_images(summary)}", fontsize=11)
    upper.legend(frameon=False, ncols=2)
    line(lower, "gain_mean", color=CYCLE[4])
    lower.set_ylabel("gain")
    other = lower.twinx()
    line(other, "offset_mean", color=CYCLE[5])
    other.set_ylabel(_error("offset", unit))
    lower.set_xlabel("temperature (°C)")
    tidy([upper, lower])
    return fig


def sweep_figure(summary: Mapping[str, Any], ax: Axes | None = None) -> Figure:
    """RMSE over a grid: a budget's bars, or a line for each value of the second axis."""
    what = _error("RMSE", summary["unit"])
    fig, ax = canvas(ax, 7.2, 4.6)
    cells = [c for c in summary["cells"] if c["rmse_mean"] is not None]
    if summary["grid"] == "budget":
        alone = [c for c in cells if c["labels"]["cell"] in ("alone", "all")]
        names = [c["labels"]["imperfection"] for c in alone]
        ax.barh(names, [c["added"] for c in alone], color=CIRCUIT)
        ax.invert_yaxis()
        ax.set_xlabel(f"{what}, added to software's")
    else:
        _lines(ax, summary, cells)
        ax.axhline(summary["rmse_software"], color=SOFTWARE, label="software")
        ax.set_ylabel(what)
        ax.legend(frameon=False)
    ax.set_title(
        f"{plain(summary['model'])}: {summary['samples']} chips a point\n{told_images(summary)}",
        fontsize=11,
    )
    tidy([ax])
    return fig


def _lines(ax: Any, summary: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> None:
    axes = list(summary["cells"][0]["labels"])
    if summary["grid"] == "faults":
        along, by = "rate", "fault"
    else:
        along = max(axes, key=lambda axis: len({c["labels"][axis] for c in cells}))
        by = next((axis for axis in axes if axis != along), "")
    for k, group in enumerate(dict.fromkeys(c["labels"].get(by, "") for c in cells)):
        mine = [c for c in cells if c["labels"].get(by, "") == group]
        at = [_place(c["labels"][along]) for c in mine]
        color = CYCLE[1 + k % (len(CYCLE) - 1)]
        ax.plot(at, [c["rmse_mean"] for c in mine], marker="o", color=color, label=f"{by} {group}")
        told = [
            (x, *c["rmse_mean_ci95"]) for x, c in zip(at, mine, strict=True) if c["rmse_mean_ci95"]
        ]
        for x, low, high in told:
            ax.plot([x, x], [low, high], color=color, lw=1)
    ax.set_xlabel(along)


def _place(text: str) -> float | str:
    """Where a value stands: at itself, or as a word."""
    try:
        return read_number(text)
    except ValueError:
        return text
