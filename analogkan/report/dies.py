"""A chip's die: what is off where, and how warm it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle

from ..die.floorplan import Floorplan, LayerPlan, Sites

MOST_ZOOMED = 4
"""Layers whose cells have a picture of their own: the first ones."""
SHOWN = 0.998
"""Share of the errors that colours reach."""
OUTLINE = "#777777"


def die_figure(
    plan: Floorplan,
    cells: Sequence[np.ndarray],
    diodes: Sequence[np.ndarray],
    offsets: Sequence[Sequence[np.ndarray]],
    kelvins: np.ndarray | None,
) -> Figure:
    """Diodes, op-amps and temperature over the floorplan; below, each layer's cells, larger.

    Parameters
    ----------
    cells, diodes
        (R, 2 O) and (I, D) shares that conductances and currents are off by, layer by layer.
    offsets
        Volts (I, D), (2 O,) and (O,) of rows, lines and differences.
    kelvins
        (N, M) above the ambient, of squares of the die.
    """
    panels = 2 if kelvins is None else 3
    tall = min(max(9.4 / panels * plan.height / plan.width, 1.5), 5.0) + 1.0
    engine = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)  # or labels at its edges are cut
    fig = Figure(figsize=(9.4, tall + 3.2), layout=engine)
    halves: Any = fig.subfigures(2, 1, height_ratios=[tall, 3.2])
    upper, lower = halves
    wide = upper.subplots(1, panels, squeeze=False)[0]
    plans = plan.layers
    _parts(upper, wide[0], plan, "diodes: kI (%)", [
        (p, "rows", p.rows, 100 * of) for p, of in zip(plans, diodes, strict=True)
    ])  # fmt: skip
    _parts(upper, wide[1], plan, "op-amps: offset (mV)", [
        (p, name, sites, 1e3 * volts)
        for p, of in zip(plans, offsets, strict=True)
        for name, sites, volts in zip(
            ("rows", "lines", "differences"), (p.rows, p.lines, p.diffs), of, strict=True
        )
    ])  # fmt: skip
    if kelvins is not None:
        _temperature(upper, wide[2], plan, kelvins)
    errors = [100 * error for error in cells]
    largest = _limit(errors)
    zoomed = plans[:MOST_ZOOMED]
    axes = lower.subplots(1, len(zoomed), squeeze=False)[0]
    shown: Any = None
    for ax, p, error in zip(axes, zoomed, errors, strict=False):
        across, down, picture = _with_gaps(p.cells.x, p.cells.y, error)
        shown = ax.pcolormesh(
            across, down, picture, cmap="PuOr_r", norm=Normalize(-largest, largest),
            rasterized=True,
        )  # fmt: skip
        _axes(ax, f"cells of layer {_called(p)}", "µm")
    label = "conductance off by (%)"
    if len(zoomed) < len(plans):
        label += f"; the first {len(zoomed)} of {len(plans)}"
    lower.colorbar(shown, ax=list(axes), label=label, shrink=0.9)
    return fig


def _with_gaps(
    across: np.ndarray, down: np.ndarray, picture: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same (C,), (R,) and (R, C) with nothing between tiles, where pixels would grow wide."""
    found = []
    for axis, places in ((1, across), (0, down)):
        steps = np.diff(places)
        pitch = float(steps.min()) if steps.size else 0.0
        gaps = np.flatnonzero(steps > 1.5 * pitch)
        ends = np.stack([places[gaps] + pitch, places[gaps + 1] - pitch], axis=1).ravel()
        at = np.repeat(gaps + 1, 2)
        found.append(np.insert(places, at, ends))
        picture = np.insert(picture, at, np.nan, axis=axis)
    return found[0], found[1], picture


def _called(p: LayerPlan) -> str:
    return f"{p.layer}, part {p.share}" if p.share else str(p.layer)


def _limit(values: Sequence[np.ndarray]) -> float:
    """What colours reach: a few values beyond would hide all others."""
    every = np.concatenate([np.abs(v).ravel() for v in values])
    every = every[np.isfinite(every)]
    return float(np.quantile(every, SHOWN)) or 1.0 if every.size else 1.0


def _parts(
    fig: Any,
    ax: Axes,
    plan: Floorplan,
    title: str,
    parts: Sequence[tuple[LayerPlan, str, Sites, np.ndarray]],
) -> None:
    """Arrays of parts, each part a square of the block of that name."""
    largest = _limit([values for *_, values in parts])
    norm = Normalize(-largest, largest)
    for p, name, sites, values in parts:
        block = next((b for b in p.blocks if b.name == name), None)
        if block is None:
            continue
        across = np.unique(np.round(sites.x[np.isfinite(values)], 6))
        down = np.unique(np.round(sites.y[np.isfinite(values)], 6))
        picture = np.full((down.size, across.size), np.nan)
        there = np.isfinite(values)
        row = np.searchsorted(down, np.round(sites.y[there], 6))
        column = np.searchsorted(across, np.round(sites.x[there], 6))
        picture[row, column] = values[there]
        ax.pcolormesh(across / 1e3, down / 1e3, picture, cmap="PuOr_r", norm=norm, rasterized=True)
    _outline(ax, plan)
    _axes(ax, title)
    mappable = ScalarMappable(norm, "PuOr_r")
    fig.colorbar(mappable, ax=ax, location="bottom", shrink=0.8, aspect=25)


def _temperature(fig: Any, ax: Axes, plan: Floorplan, kelvins: np.ndarray) -> None:
    shown = ax.imshow(
        kelvins, extent=(0, plan.width / 1e3, plan.height / 1e3, 0),
        cmap="inferno", interpolation="nearest",
    )  # fmt: skip
    _outline(ax, plan)
    _axes(ax, "above the ambient (K)")
    fig.colorbar(shown, ax=ax, location="bottom", shrink=0.8, aspect=25)


def _outline(ax: Axes, plan: Floorplan) -> None:
    """The blocks, and the die around them."""
    for p in plan.layers:
        for b in p.blocks:
            at = (b.x / 1e3, b.y / 1e3)
            size = b.width / 1e3, b.height / 1e3
            ax.add_patch(Rectangle(at, *size, fill=False, ec=OUTLINE, lw=0.6))
    ax.set_xlim(0, plan.width / 1e3)
    ax.set_ylim(plan.height / 1e3, 0)


def _axes(ax: Axes, title: str, unit: str = "mm") -> None:
    ax.set_title(title, fontsize=10)
    if unit == "mm":
        ax.set_aspect("equal")
    if not ax.yaxis_inverted():
        ax.invert_yaxis()
    ax.set_xlabel(unit, fontsize=8)
    ax.tick_params(labelsize=7)
    ax.spines[:].set_visible(False)
