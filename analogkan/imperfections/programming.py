# pyright: strict
"""How cells are programmed: errors of each try, and as many tries as verifying takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.hardware import Hardware
from ..settings import require
from .base import Flags, Imperfection, Setting, upto
from .measured import Cells

Floats = npt.NDArray[np.float64]
Normal = Callable[[str, tuple[int, ...], int], Floats]
STREAMS = ("cell", "cell_abs", "cell_state")
"""What ``Normal`` is asked for, in this order: see ``written``."""


def written(
    target: Floats, settings: Any, hardware: Hardware, normal: Normal
) -> tuple[Floats, dict[str, int]]:
    """Cells as programming leaves them.

    Parameters
    ----------
    target
        Siemens, any shape; 0 where there is no cell.
    settings
        A ``Variation``, or what else has the settings of ``PROGRAMMING`` and of what it reads.
    hardware
        With the range of the cells.
    normal
        ``(name, shape, try)``: standard normal draws of one of ``STREAMS``, others at each try.
        Asked only for what is on.

    Returns
    -------
    ndarray, dict
        Siemens, and counts: ``clipped_cells`` that ended below a tenth of ``g_min`` and are there;
        with verification also ``unverified_cells``, out of the window after the last try.
    """
    there, cells, least = target != 0, Cells.of(settings, hardware), hardware.g_min / 10
    everywhere = bool(there.all())

    def once(k: int) -> tuple[Floats, Flags]:
        g = _tried(target, settings, hardware, cells, lambda name: normal(name, target.shape, k))
        low = g < least
        g = np.maximum(g, least)
        return (g, low) if everywhere else (np.where(there, g, 0.0), low & there)

    g, low = once(0)
    if not _verified(settings):
        return g, {"clipped_cells": int(np.count_nonzero(low))}
    window = _window(target, settings)
    off = np.abs(g - target) > window
    for k in range(1, settings.verify_tries):
        if not off.any():
            break
        again, lower = once(k)
        g, low = np.where(off, again, g), np.where(off, lower, low)
        off = np.abs(g - target) > window
    found = {"clipped_cells": low, "unverified_cells": off}
    return g, {name: int(np.count_nonzero(which)) for name, which in found.items()}


def _tried(
    target: Floats,
    settings: Any,
    hardware: Hardware,
    cells: Cells | None,
    normal: Callable[[str], Floats],
) -> Floats:
    """Cells after one try, before any limit."""
    g = target
    if settings.sigma_g:
        g = target * (1 + settings.sigma_g * normal("cell"))
    if settings.sigma_g_abs:
        g = g + hardware.g_max * (settings.sigma_g_abs * normal("cell_abs"))
    if cells is not None:
        g = g + cells.error(target) * normal("cell_state")
    return g


def spread(settings: Any, hardware: Hardware) -> Callable[[Floats], Floats]:
    """Of targets, siemens, the standard deviation of what ``written`` makes of them; with
    verification at most its window."""
    cells, verified = Cells.of(settings, hardware), _verified(settings)

    def of(target: Floats) -> Floats:
        found = settings.sigma_g * target
        if settings.sigma_g_abs:
            found = np.hypot(found, settings.sigma_g_abs * hardware.g_max)
        if cells is not None:
            found = np.hypot(found, cells.error(target))
        return np.minimum(found, _window(target, settings)) if verified else found

    return of


def _verified(settings: Any) -> bool:
    return bool(settings.verify_window or settings.verify_window_abs)


def _window(target: Floats, settings: Any) -> Floats:
    """How far from ``target`` a cell is left alone, siemens."""
    return settings.verify_window * target + settings.verify_window_abs


def _one_window(of: Any) -> None:
    both = of.verify_window and of.verify_window_abs
    require(
        not both,
        "verify_window_abs",
        of.verify_window_abs,
        f"0 with verify_window = {of.verify_window:g}: a window is a share of the target or "
        "siemens, not both",
    )


MOST_TRIES = 1000
WRITE_VERIFY = Imperfection(
    name="write-verify",
    settings=(
        upto(1.0, "verify_window", "A cell is programmed again until it is this near its target, "
             "as a share of that; 0 programs it once.", later=True),
        upto(1e-3, "verify_window_abs", "The same window in siemens.", "S", later=True),
        Setting(
            name="verify_tries",
            about="Most tries a cell has; assumed.",
            limit=f"1 to {MOST_TRIES}",
            fits=lambda n: 1 <= n <= MOST_TRIES,
            default=10,
            later=True,
        ),
    ),
    # What it does is done where cells are programmed.
    draw=lambda stage, draw: stage,
    counts={"unverified_cells": "cells not verified"},
    adjusts=True,
    check=_one_window,
)  # fmt: skip
