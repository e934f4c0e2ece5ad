"""Maps of crossbars, cell by cell: conductances, and what wires leave of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from ..compiler.hardware import Hardware
from ..compiler.wires import wire_layer

GAP = 2
"""Empty cells between the tiles of a map."""
SHOWN = 0.998
"""Share of the errors that a map's colours reach: a few bias cells would hide all others."""


def tile_figure(
    target: Sequence[np.ndarray], made: Sequence[np.ndarray], hardware: Hardware, what: str
) -> Figure:
    """Each layer's pairs, tile by tile: wanted, made, and the error between them.

    Parameters
    ----------
    target, made
        (R, 2 O) siemens of each layer: without levels or errors, and as it is.
    what
        What ``made`` is, such as ``chip 7``.
    """
    heights = [_with_gaps(g[:, 0::2], hardware).shape[0] for g in target]
    shares = np.maximum(np.array(heights) / max(heights), 0.25)
    fig = Figure(figsize=(9.4, 1.4 + 4.2 * float(shares.sum())), layout="constrained")
    axes = fig.subplots(len(target), 3, squeeze=False, height_ratios=shares)
    span = (hardware.g_max - hardware.g_min) * 1e6
    errors = [_signed(m) - _signed(t) for t, m in zip(target, made, strict=True)]
    every = np.concatenate([np.abs(e).ravel() for e in errors])
    worst = float(np.quantile(every, SHOWN)) or float(every.max()) or span
    images: list[Any] = [None, None]
    for k, (row, wanted, now, error) in enumerate(zip(axes, target, made, errors, strict=True)):
        for ax, values, limit, title in (
            (row[0], _signed(wanted), span, "target"),
            (row[1], _signed(now), span, what),
            (row[2], error, worst, "error"),
        ):
            shown = ax.imshow(
                _with_gaps(values, hardware), aspect="auto", interpolation="nearest",
                cmap="RdBu_r" if title != "error" else "PuOr_r",
                norm=TwoSlopeNorm(0, -limit, limit),
            )  # fmt: skip
            images[int(title == "error")] = shown
            if k == 0:
                ax.set_title(title, fontsize=10)
            _label_tiles(ax, values.shape, hardware)
        row[0].set_ylabel(f"layer {k}\nrows of tiles")
    label = "G$_+$ − G$_-$ (µS)"
    fig.colorbar(images[0], ax=list(axes[:, :2].ravel()), label=label, location="bottom",
                 shrink=0.6, aspect=30, pad=0.02)  # fmt: skip
    fig.colorbar(images[1], ax=list(axes[:, 2]), label="error (µS)", location="bottom",
                 extend="both" if every.max() > worst else "neither",
                 shrink=0.9, aspect=18, pad=0.02)  # fmt: skip
    return fig


def ir_drop_figure(layers: Sequence[np.ndarray], hardware: Hardware) -> Figure:
    """What share of each cell's current wires leave, all rows at one voltage, tile by tile.

    ``layers`` are (R, 2 O) siemens; ``hardware`` has wires.
    """
    shares = [wire_layer(g, hardware).g / np.where(g > 0, g, np.nan) for g in layers]
    lowest = min(float(np.nanmin(share)) for share in shares)
    fig = Figure(figsize=(9.4, 4.6), layout="constrained")
    axes = fig.subplots(1, len(layers), squeeze=False, width_ratios=_widths(shares))[0]
    shown = None
    for k, (ax, share, g) in enumerate(zip(axes, shares, layers, strict=True)):
        shown = ax.imshow(
            _with_gaps(100 * share, hardware, lines=True), aspect="auto", interpolation="nearest",
            cmap="viridis", norm=Normalize(100 * lowest, 100),
        )  # fmt: skip
        kept = 100 * float(np.nansum(share * g) / g.sum())
        ax.set_title(f"layer {k}: {kept:.1f} % of all current", fontsize=10)
        _label_tiles(ax, share.shape, hardware, lines=True)
    axes[0].set_ylabel("rows of tiles; they enter at the left")
    assert shown is not None  # a network has layers
    fig.colorbar(shown, ax=list(axes), label="share of a cell's current that is left (%)")
    return fig


def _signed(g: np.ndarray) -> np.ndarray:
    """G+ - G- (R, O) in microsiemens."""
    return 1e6 * (g[:, 0::2] - g[:, 1::2])


def _widths(parts: Sequence[np.ndarray]) -> list[float]:
    widest = max(part.shape[1] for part in parts)
    return [max(part.shape[1] / widest, 0.35) for part in parts]


def _tile_shape(hardware: Hardware, lines: bool) -> tuple[int, int]:
    """Rows and columns of a tile in a map of lines, or of pairs."""
    return hardware.tile_rows, hardware.tile_cols if lines else hardware.tile_cols // 2


def _with_gaps(values: np.ndarray, hardware: Hardware, lines: bool = False) -> np.ndarray:
    """``values`` with empty cells between tiles."""
    rows, cols = _tile_shape(hardware, lines)
    for axis, step in ((0, rows), (1, cols)):
        borders = [k for k in range(step, values.shape[axis], step) for _ in range(GAP)]
        values = np.insert(values, borders, np.nan, axis=axis)
    return values


def _label_tiles(ax: Axes, shape: tuple[int, ...], hardware: Hardware, lines: bool = False) -> None:
    """Ticks that number the rows and columns of tiles."""
    steps = _tile_shape(hardware, lines)
    for axis, n, step in ((ax.yaxis, shape[0], steps[0]), (ax.xaxis, shape[1], steps[1])):
        starts = range(0, n, step)
        middles = [a + GAP * k + (min(a + step, n) - a) / 2 - 0.5 for k, a in enumerate(starts)]
        axis.set_ticks(middles, [str(k) for k in range(len(middles))])
        axis.set_tick_params(length=0)
    ax.spines[:].set_visible(False)
