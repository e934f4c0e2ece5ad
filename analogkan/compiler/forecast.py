"""What simulating a design will take: memory and time."""

from __future__ import annotations

import numpy as np

from . import spice_cells
from .counts import element_counts
from .design import Design

BYTES_PER_RESISTOR = 1800
"""Memory of ngspice a crossbar resistor; `python -m benchmarks batch` measures it."""
SECONDS_PER_RESISTOR = 2.2e-7
"""Time of an image a crossbar resistor with KLU, one process; measured there too."""

EXPLICIT_BYTES = 6600
"""Of a cell with its two wire segments; `python -m benchmarks explicit` measures these."""
EXPLICIT_TILES = (256, 1024, 4096)
EXPLICIT_SECONDS = {False: (6.5e-6, 1.47e-5, 2.45e-4), True: (1.86e-5, 7.38e-5, 5.65e-4)}
"""Time of an image a cell, with no drivers and with them, at so many cells a tile: the factors of
the matrix fill in, and drivers tie the tiles of a row together."""

PAIRS_FACTOR = 4.0
"""Times as long with transistor pairs: Newton takes 14 to 16 iterations an image instead of 4."""

BOX_SECONDS = 6e-3
"""Time of an image an op-amp of eight transistors, `tests/outside/miller.lib` in mnist-d2; others
are taken to be alike."""


def expected_cost(design: Design) -> dict[str, float]:
    """What simulating will take: megabytes of memory, seconds an image with KLU."""
    hw = design.hardware
    counts = element_counts(design)
    resistors = counts["crossbar_resistors"]
    each, seconds = BYTES_PER_RESISTOR, resistors * SECONDS_PER_RESISTOR
    if hw.segments:
        each, seconds = EXPLICIT_BYTES, 0.0
        costs = np.log(EXPLICIT_SECONDS[hw.r_driver > 0])
        for rows, lines in (stage.g.shape for stage in design.stages):
            cells = min(rows, hw.tile_rows) * min(lines, hw.tile_cols)
            seconds += rows * lines * np.exp(_along(np.log(cells), np.log(EXPLICIT_TILES), costs))
    if spice_cells.has_transistors(design):
        seconds *= PAIRS_FACTOR
    if hw.amplifier.boxed:
        seconds += counts["op_amps"] * BOX_SECONDS
    return {
        "memory_megabytes": round(20 + resistors * each / 1e6),
        "seconds_per_image": float(f"{seconds:.2g}"),
    }


def _along(at: float, x: np.ndarray, y: np.ndarray) -> float:
    """Piecewise linear through (x, y), and on along its last piece."""
    beyond = max(at - x[-1], 0.0) * (y[-1] - y[-2]) / (x[-1] - x[-2])
    return float(np.interp(at, x, y) + beyond)
