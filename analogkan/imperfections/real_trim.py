# pyright: strict
"""The dark trim as a chip has it: bias cells are set to its levels, each with an error of its own.

Axes: O outputs, b bias rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .. import loops
from ..compiler.hardware import Hardware
from ..compiler.mapping import quantised
from ..compiler.series import nearest_of
from .dark import DarkStage

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Write = Callable[[Floats, int], Floats]
"""``(target, round)``: what programming makes of ``target``, siemens (n,)."""
Spread = Callable[[Floats], Floats]
"""Standard deviation, siemens, of what programming makes of each target."""
ROUNDS = 10
"""Of measuring and writing; most outputs are as near as they come after three."""
CONTINUOUS = 64
"""Levels of which half a step is what a trim of continuous cells may leave without being
counted."""
SIDES = np.array([1.0, -1.0])
"""What a siemens of each of a pair's cells adds to its difference."""


def trim_with_errors(
    dark: DarkStage, hardware: Hardware, write: Write, spread: Spread
) -> tuple[int, int, Floats]:
    """Program bias cells of ``dark`` again, in place.

    In every round outputs are measured and cells read; then of each output that one is chosen
    whose state nearest to what is missing leaves least to expect, error of programming included,
    and another as long as more is missing than the writes so far may err by. An output that no
    write can be expected to bring nearer is done.

    Returns
    -------
    int, int, ndarray
        Outputs left by more than half a step, cells written, and what they were last to be,
        siemens (b, 2 O), 0 where nothing was written.
    """
    b, lines = dark.bias.shape
    bias, free = (part.reshape(b, lines // 2, 2) for part in (dark.bias, dark.free))
    count, at = 0, np.arange(lines // 2, dtype=np.intp)
    asked = np.zeros_like(bias)
    for k in range(ROUNDS):
        missing = dark.siemens(dark.off())[at]
        target = _chosen(bias[:, at], free[:, at], missing, hardware, spread)
        chosen = np.flatnonzero(target.any(axis=(0, 2)))
        at, target = at[chosen], target[:, chosen]
        if not at.size:
            break
        row, output, side = np.nonzero(target)
        states = target[row, output, side]
        bias[row, at[output], side] = write(states, k)
        asked[row, at[output], side] = states
        count += states.size
    left = np.abs(dark.siemens(dark.off()))
    return int((left > 0.5 * _step(hardware)).sum()), count, asked.reshape(b, lines)


def _chosen(
    bias: Floats,
    free: Flags,
    missing: Floats,
    hardware: Hardware,
    spread: Spread,
) -> Floats:
    """States (b, O, 2) to be written, 0 where nothing is; ``missing`` (O,) siemens."""
    n = missing.size
    here = bias.transpose(1, 0, 2).reshape(n, -1)
    can = free.transpose(1, 0, 2).reshape(n, -1)
    way = _compiled if loops.loaded() and hardware.levels and not hardware.series else choose
    return way(here, can, missing, hardware, spread).reshape(n, -1, 2).transpose(1, 0, 2)


def choose(
    here: Floats, free: Flags, missing: Floats, hardware: Hardware, spread: Spread
) -> Floats:
    """The same (O, 2 b) for each output's cells ``here``, and whether they can be written."""
    closed, target = ~free, np.zeros_like(here)
    sides, at = np.tile(SIDES, here.shape[1] // 2), np.arange(len(here))
    left, doubt = missing, np.zeros_like(missing)
    for _ in range(here.shape[1]):  # of outputs ``at``, that get one more
        state = nearest_state(here + sides * left[:, None], hardware)
        change, error = sides * (state - here), spread(state) ** 2
        cost = (left[:, None] - change) ** 2 + error
        cost[closed] = np.inf
        best, square = cost.argmin(axis=1), left**2
        least = cost[np.arange(at.size), best]
        (better,) = ((least < square) & (square > doubt)).nonzero()
        if not better.size:
            break
        chosen = better, best[better]
        closed[chosen] = True
        at, here, closed = at[better], here[better], closed[better]
        target[at, chosen[1]] = state[chosen]
        left, doubt = left[better] - change[chosen], doubt[better] + error[chosen]
    return target


def _compiled(
    here: Floats, free: Flags, missing: Floats, hardware: Hardware, spread: Spread
) -> Floats:
    """``choose`` of cells that have levels."""
    from .trim_kernel import choose

    least, most = hardware.cell_range
    states = nearest_state(np.linspace(least, most, int(hardware.levels)), hardware)
    return choose(here, free, missing, (least, most), _step(hardware), spread(states) ** 2)


def nearest_state(g: Floats, hardware: Hardware) -> Floats:
    """What a cell can be set to that is nearest to ``g`` siemens."""
    least, most = hardware.cell_range
    inside = np.minimum(np.maximum(g, least), most)
    if isinstance(hardware.levels, str):
        return 1 / nearest_of(hardware.cell_values, 1 / inside)
    return least + quantised(inside - least, most - least, hardware.levels)


def _step(hardware: Hardware) -> float:
    """Least siemens between two states of a cell."""
    least, most = hardware.cell_range
    if isinstance(hardware.levels, str):
        return float(-np.diff(1 / hardware.cell_values).max())
    return (most - least) / ((hardware.levels or CONTINUOUS) - 1)
