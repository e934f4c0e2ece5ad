"""What a design's arrays must be, so that ngspice simulates the very circuit."""

from __future__ import annotations

import numpy as np

from ..errors import CompileError
from .design import ARRAYS, CrossbarStage, Design

SMALLEST_OHMS = 1e-12
"""Of a resistor: ngspice 46 makes this of a smaller one, and warns."""


def check_design(design: Design) -> None:
    """Raise CompileError if an array is not positive and finite, or ngspice would change a
    resistor. Cells and the feedback of rows are far from that by the ranges of their settings."""
    for k, stage in enumerate(design.stages):
        for name in ARRAYS:
            array = getattr(stage, name)
            array = array[array != 0] if name == "g" else array  # 0 is a cell that is left out
            if not (np.isfinite(array).all() and (array > 0).all()):
                raise CompileError(
                    f"layer {k}: {name} goes from {array.min():g} to {array.max():g}, and must be "
                    "positive and finite: the coefficients need another g_min, g_max or v_fs"
                )
        _check_resistances(k, stage, design.hardware.r_diff)


def _check_resistances(k: int, stage: CrossbarStage, r_diff: float) -> None:
    loads = [stage.front.r_load] if stage.front.r_load else []
    for what, ohms in (
        ("the feedback of its lines", stage.r_c),
        ("its difference amplifiers", r_diff * np.minimum(stage.gain, 1.0)),
        ("the loads of its squash cells", np.array(loads)),
    ):
        if ohms.size and ohms.min() < SMALLEST_OHMS:
            raise CompileError(
                f"layer {k}: {what} need a resistor of {ohms.min():.3g} ohm, and ngspice makes "
                f"{SMALLEST_OHMS:g} ohm of anything smaller: the coefficients need another g_max, "
                "v_rail, v_fs or i_tail"
            )
