"""Every figure, one function each: data in, a matplotlib Figure out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..devices import IVCurve
from ..devices.measured import Measured
from ..errors import AnalogKanError
from ..files import atomic_file
from ..intervals import exact
from ..network.spec import NetworkSpec
from ..ours import MARK
from .canvas import canvas, legend_below

CYCLE = ("#1b6ca8", "#d1495b", "#3b8f5a", "#8a5fbf", "#c98a1b", "#4d4d4d")
CIRCUIT, SOFTWARE = CYCLE[1], CYCLE[0]
DARK = "#111111"
"""On a light patch: black is the colour of a page's text, which may be light."""


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the ending of ``path``."""
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise AnalogKanError(f"cannot plot into {path}: its name must end in .png, .svg or .pdf")
    made_by = {"Software" if path.suffix == ".png" else "Creator": MARK}
    with atomic_file(path) as partial:
        figure.savefig(partial, format=path.suffix[1:], dpi=150, metadata=made_by)


def iv_figure(
    curves: Sequence[IVCurve],
    used: Sequence[tuple[str, np.ndarray]] = (),
    ax: Axes | None = None,
) -> Figure:
    """I-V curves, and below them how often each voltage was used.

    Parameters
    ----------
    curves
        What to draw.
    used
        (label, volts of any shape) for each place that drives these diodes.
    ax
        Where the curves alone are drawn; by default in a figure of their own.
    """
    if used:
        fig = Figure(figsize=(7, 5.2), layout="constrained")
        axes = fig.subplots(2, 1, sharex=True, height_ratios=[3, 1.3])
    else:
        fig, ax = canvas(ax, 7, 3.8)
        axes = np.array([ax])
    for k, curve in enumerate(curves):
        _draw(axes[0], curve, CYCLE[k % 6])
    axes[0].set_ylabel("current (µA)")
    axes[0].legend(frameon=False)
    for k, (label, volts) in enumerate(used):
        inside, weights = volts.ravel(), np.full(volts.size, 100 / volts.size)
        axes[1].hist(
            inside, bins=80, weights=weights, histtype="step", color=CYCLE[(k + 3) % 6], label=label
        )
    if used:
        axes[1].set_yscale("log")
        axes[1].set_ylabel("use (%)")
        axes[1].legend(frameon=False)
    axes[-1].set_xlabel("voltage (V)")
    tidy(axes)
    return fig


def _draw(ax: Any, curve: IVCurve, color: str) -> None:
    """A table; dashed where it is reconstructed, not measured."""
    if curve.reconstructed is None:
        ax.plot(curve.v, curve.i * 1e6, "-", color=color, marker=".", label=curve.name)
        return
    lo, hi = curve.reconstructed
    v = np.union1d(curve.v, [lo, hi])
    between = (v >= lo) & (v <= hi)
    for part, line, label in (
        (v <= lo, "-", curve.name),
        (between, "--", f"{curve.name}, reconstructed"),
        (v >= hi, "-", None),
    ):
        ax.plot(v[part], curve.current(v[part]) * 1e6, line, color=color, label=label)
    ax.plot(curve.v, curve.i * 1e6, ".", color=color)


def sweeps_figure(made: Measured) -> Figure:
    """A device's sweeps and the table made of them; below, how far the points are off it."""
    fig = Figure(figsize=(7, 5.6), layout="constrained")
    upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=[3, 1.3])
    curve, falling = made.curve, made.falling
    for k, sweep in enumerate(made.sweeps):
        form = {"ms": 3, "color": CYCLE[(k + 1) % 6]}
        static = np.ones(sweep.v.size, dtype=bool) if falling is None else falling.static[k]
        off = 100 * (curve.current(sweep.v) - sweep.i) / curve.i_peak
        upper.plot(sweep.v[static], sweep.i[static] * 1e6, "o", **form, label=sweep.file)
        lower.plot(sweep.v[static], off[static], ".", **form)
        upper.plot(sweep.v[~static], sweep.i[~static] * 1e6, "x", alpha=0.4, **form)
    if falling is not None:
        upper.plot([], [], "x", color="#999999", label="load line, left out")
    _draw(upper, curve, CYCLE[0])
    for ax in (upper, lower):
        ax.axhline(0, color="#999999", lw=1)
    upper.set_ylabel("current (µA)")
    upper.legend(frameon=False)
    lower.set_ylabel("off (% of peak)")
    lower.set_xlabel("voltage (V)")
    tidy((upper, lower))
    return fig


def fit_figure(curve: IVCurve, fitted: Sequence[IVCurve]) -> Figure:
    """A device's points, curves fitted to them, and below what each misses at the points."""
    fig = Figure(figsize=(7, 5.6), layout="constrained")
    upper, lower = fig.subplots(2, 1, sharex=True, height_ratios=[3, 1.3])
    upper.plot(curve.v, curve.i * 1e6, "o", ms=4, color=CYCLE[5], label=f"{curve.name}, points")
    for k, fit in enumerate(fitted):
        upper.plot(fit.v, fit.i * 1e6, "-", color=CYCLE[k % 5], label=f"{fit.name}, table")
        missed = 100 * (fit.current(curve.v) - curve.i) / curve.i_peak
        lower.plot(curve.v, missed, "-", marker=".", color=CYCLE[k % 5])
    for ax in (upper, lower):
        ax.axhline(0, color="#999999", lw=1)
    upper.set_ylabel("current (µA)")
    upper.legend(frameon=False)
    lower.set_ylabel("residual (% of peak)")
    lower.set_xlabel("voltage (V)")
    tidy((upper, lower))
    return fig


def use_figure(spec: NetworkSpec, volts: np.ndarray) -> Figure:
    """The first layer's curves with the voltages that inputs (B, I) put on each layer's diodes."""
    used = [("inputs", volts)]
    for k, outputs in enumerate(spec.layer_outputs(volts)[:-1]):
        used.append((f"hidden {k + 1}", spec.layers[k + 1].diode_volts(outputs)))
    return iv_figure(spec.layers[0].curves, used)


def logit_figure(software: np.ndarray, circuit: np.ndarray) -> Figure:
    """Circuit logits over software logits, and their difference; both (n, O)."""
    fig = Figure(figsize=(9, 4), layout="constrained")
    _scatter(fig.subplots(1, 2), software.ravel(), circuit.ravel(), "logit", "")
    return fig


def _scatter(axes: Any, software: np.ndarray, circuit: np.ndarray, what: str, unit: str) -> None:
    """Circuit over software (n,), and beside it their difference."""
    left, right = axes
    form = {"ms": 2, "alpha": 0.4, "color": CIRCUIT, "rasterized": True}
    lo, hi = float(software.min()), float(software.max())
    left.plot([lo, hi], [lo, hi], color="#999999", lw=1)
    left.plot(software, circuit, ".", **form)
    left.set_ylabel(f"circuit{unit}")
    right.plot(software, circuit - software, ".", **form)
    right.axhline(0, color="#999999", lw=1)
    right.set_ylabel(f"circuit − software{unit}")
    for ax in (left, right):
        ax.set_xlabel(f"{what}, software{unit}")
    tidy((left, right))


def confusion_figure(labels: np.ndarray, software: np.ndarray, circuit: np.ndarray) -> Figure:
    """Confusion matrices of both from labels (n,) and logits (n, O)."""
    classes = software.shape[1]
    fig = Figure(figsize=(9.5, 5.3), layout="constrained")
    for k, (title, logits) in enumerate((("software", software), ("circuit", circuit))):
        ax = fig.add_subplot(1, 2, k + 1)
        counts = np.zeros((classes, classes), int)
        np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for i, j in np.argwhere(counts) if classes <= MOST_COUNTED else ():
            color = "white" if share[i, j] > 0.5 else DARK
            ax.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=8, color=color)
        right = int(np.trace(counts))
        ax.set_title(f"{title}: {right} of {len(labels)} right")
        ticks = range(0, classes, -(-classes // MOST_COUNTED))
        ax.set_xticks(ticks)
        ax.set_yticks(ticks)
        ax.set_xlabel("answer")
        ax.set_ylabel("class")
    return fig


MOST_COUNTED = 16
"""Classes up to which a confusion matrix has room for its numbers."""


def plain(name: str, most: int = 40) -> str:
    """A name as a figure's title takes it: no mathematics, and at most so many letters."""
    short = name if len(name) <= most else f"{name[: most - 1]}…"
    return short.replace("$", r"\$")


def told_images(summary: dict[str, Any]) -> str:
    """Which images a figure is of, for a line of its title."""
    return plain(summary["images"]["said"], MOST_LINE)


MOST_LINE = 90
"""Letters of a title's line."""


def accuracy_bins(accuracy: np.ndarray, n: int) -> np.ndarray:
    """Edges, in per cent, of a histogram of ``accuracy`` (M,) in per cent of ``n`` images.

    Bins are whole numbers of images: no gaps, no double bars.
    """
    image = 100 / n
    width = image * max(1, round(np.ptp(accuracy) / image / 24))
    lo = accuracy.min() - image / 2
    return lo + width * np.arange(np.ceil((accuracy.max() + image / 2 - lo) / width) + 1)


def histogram_figure(
    rows: Sequence[dict[str, Any]], summary: dict[str, Any], ax: Axes | None = None
) -> Figure:
    """How often each accuracy occurs among the chips of a Monte Carlo study."""
    accuracy = 100 * np.array([row["accuracy"] for row in rows if row["status"] == "ok"])
    software, threshold = 100 * summary["software_accuracy"], 100 * summary["yield_at"]
    own = ax is None
    fig, ax = canvas(ax, 7.4, 4.4)
    edges = accuracy_bins(accuracy, summary["n"])
    ax.hist(accuracy, bins=list(edges), color=CIRCUIT, alpha=0.55, edgecolor="white", linewidth=0.6)
    lines = (
        (software, SOFTWARE, "-", f"software {software:.2f} %"),
        (float(accuracy.mean()), CIRCUIT, "-", f"mean of chips {accuracy.mean():.2f} %"),
        (threshold, "black", "--", f"yield {100 * summary['yield']:.1f} % from {threshold:.2f} %"),
    )
    for at, color, style, label in lines:
        ax.axvline(at, color=color, ls=style, lw=1.8, label=label)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.margins(x=0.06)
    ax.set_xlim(right=min(ax.get_xlim()[1], 100 + (edges[1] - edges[0])))
    rule = textwrap.fill(f"yield counts chips of {summary['yield_rule']}", MOST_LINE)
    ax.set_xlabel(f"accuracy (%)\n{rule}", fontsize=9, parse_math=False)
    ax.set_ylabel(f"chips (of {summary['samples']})")
    failed = f", {summary['failed']} failed" if summary["failed"] else ""
    ax.set_title(
        f"{plain(summary['model'])}: {summary['samples']} chips{failed}, {summary['temp_c']:g} °C"
        f"\n{told_images(summary)}",
        fontsize=11,
    )
    legend_below(ax, own=own, ncols=3, fontsize=9)
    tidy((ax,))
    return fig


def yield_figure(rows: Sequence[dict[str, Any]], summary: dict[str, Any]) -> Figure:
    """Share of the chips that reach an accuracy, over that accuracy; 95 % band (exact)."""
    found = [row["accuracy"] if row["status"] == "ok" else -1.0 for row in rows]
    accuracy, total = np.sort(found), len(found)
    low = accuracy[accuracy >= 0].min()
    margin = max(0.2 * (accuracy[-1] - low), 1 / summary["n"])
    at = np.unique(
        np.concatenate([[low - margin], accuracy[accuracy >= 0], [accuracy[-1] + margin]])
    )
    passing = total - np.searchsorted(accuracy, at, side="left")
    band = 100 * np.array([exact(int(k), total) for k in passing])
    fig = Figure(figsize=(7.4, 3.8), layout="constrained")
    ax = fig.subplots()
    ax.fill_between(100 * at, *band.T, step="pre", color=CIRCUIT, alpha=0.15, lw=0, label="95 %")
    ax.step(100 * at, 100 * passing / total, where="pre", color=CIRCUIT, lw=1.8, label="chips")
    threshold = 100 * summary["yield_at"]
    told = f"{100 * summary['yield']:.1f} % reach {threshold:.2f} %"
    ax.axvline(threshold, color=CYCLE[3], ls="--", lw=1.4, label=told)
    software = 100 * summary["software_accuracy"]
    ax.axvline(software, color=SOFTWARE, lw=1.4, label=f"software {software:.2f} %")
    ax.set_ylim(-2, 102)
    ax.set_xlim(right=min(ax.get_xlim()[1], 100.5))
    ax.set_xlabel("accuracy (%)")
    ax.set_ylabel("chips that reach it (%)")
    fig.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    tidy((ax,))
    return fig


def layers_figure(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Hidden nodes of each layer in the circuit over those in software, and their differences."""
    fig = Figure(figsize=(9, 3.8 * len(pairs)), layout="constrained")
    for k, (row, (software, circuit)) in enumerate(
        zip(fig.subplots(len(pairs), 2, squeeze=False), pairs, strict=True)
    ):
        _scatter(row, software, circuit, f"hidden node of layer {k}", " (V)")
    return fig


def pictures_figure(pictures: np.ndarray, titles: Sequence[str]) -> Figure:
    """Images (m, h, w) grey or (m, h, w, 3), 0 to 1, each with a title of its own."""
    across = 8
    down = -(-len(pictures) // across)
    fig = Figure(figsize=(9.4, 1.55 * down), layout="constrained")
    for k, ax in enumerate(fig.subplots(down, across, squeeze=False).ravel()):
        ax.set_axis_off()
        if k < len(pictures):
            ax.imshow(pictures[k], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            ax.set_title(titles[k], fontsize=7.5)
    return fig


def thermal_figure(summary: dict[str, Any]) -> Figure:
    """Accuracy against temperature; below it gain and offset of the logits."""
    entries = summary["temperatures"]
    temps = [entry["temp_c"] for entry in entries]
    fig = Figure(figsize=(7.4, 7.2), layout="constrained")
    top, middle, bottom = axes = fig.subplots(3, 1, sharex=True, height_ratios=[2.2, 1, 1])

    def series(part: str, key: str, scale: float = 1.0, of: str | None = None) -> np.ndarray:
        found = [(entry.get(part) or {}).get(key) for entry in entries]
        found = (
            [None if value is None or of is None else value[of] for value in found] if of else found
        )
        return scale * np.array([np.nan if value is None else value for value in found])

    def draw(ax, key: str, scale: float, form: dict[str, Any], label: str) -> None:
        nominal, spread = series("nominal", f"{key}", scale), f"{key.removesuffix('_mean')}"
        band = [series("chips", f"{spread}_percentiles", scale, of) for of in ("5", "95")]
        if np.isfinite(band[0]).any():
            chips = f"chips, 5 to 95 %{label}"
            ax.fill_between(temps, *band, color=form["color"], alpha=0.15, lw=0, label=chips)
            mean = series("chips", f"{spread}_mean", scale)
            ax.plot(temps, mean, form["ls"], color=form["color"], lw=1, alpha=0.8,
                    marker=".", label=f"chips, mean{label}")  # fmt: skip
        ax.plot(temps, nominal, marker="o", ms=4, lw=1.8, label=f"nominal{label}", **form)

    draw(top, "accuracy", 100, {"color": CIRCUIT, "ls": "-"}, "")
    if summary["compensate"] is not None:
        draw(top, "accuracy_compensated", 100, {"color": CYCLE[2], "ls": "--"}, ", compensated")
    software = 100 * summary["software_accuracy"]
    top.axhline(software, color=SOFTWARE, lw=1.4, label=f"software {software:.2f} %")
    top.set_ylabel("accuracy (%)")
    top.set_title(f"{plain(summary['model'])}\n{told_images(summary)}", fontsize=11)
    draw(middle, "gain_mean", 1, {"color": CIRCUIT, "ls": "-"}, "")
    middle.axhline(1, color=SOFTWARE, lw=1)
    middle.set_ylabel("logit gain")
    draw(bottom, "offset_mean", 1, {"color": CIRCUIT, "ls": "-"}, "")
    bottom.axhline(0, color=SOFTWARE, lw=1)
    bottom.set_ylabel("logit offset")
    bottom.set_xlabel("temperature (°C)")
    handles, labels = top.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    tidy(axes)
    return fig


def waveforms_figure(
    waves: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]],
) -> Figure:
    """Outputs over time: lines as ngspice has them, dots as the twin has them.

    Parameters
    ----------
    waves
        For each change of the inputs: what to call it; (T,) seconds and (T, O) logits in ngspice,
        then the same in the twin; the seconds after which it is settled, a line.
    """
    fig = Figure(figsize=(7, 2.6 * len(waves) + 0.4), layout="constrained")
    axes = fig.subplots(len(waves), 1, squeeze=False, sharex=True)[:, 0]
    for ax, (title, time, logits, twin_time, twin, end) in zip(axes, waves, strict=True):
        some = np.searchsorted(twin_time, np.linspace(0, 2.5 * end, 40))
        some = some[some < len(twin_time)]
        for o in range(logits.shape[1]):
            color = CYCLE[o % 6]
            ax.plot(1e6 * time, logits[:, o], "-", color=color, linewidth=1)
            ax.plot(1e6 * twin_time[some], twin[some, o], ".", color=color, markersize=3)
        ax.axvline(1e6 * end, color=DARK, linewidth=0.8, linestyle=":")
        ax.set_title(title, fontsize="medium")
        ax.set_ylabel("logit")
    axes[-1].set_xlim(0, 2.5e6 * max(w[-1] for w in waves))
    axes[-1].set_xlabel("time (µs)")
    tidy(axes)
    return fig


def tidy(axes) -> None:
    """No frame at the top and right, and a light grid."""
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
