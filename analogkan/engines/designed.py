"""A circuit as it is designed, in closed form and without torch: what ngspice is judged by.

The twin has the same equations for many chips, with their errors.

Axes: n images, I inputs, D diodes, O outputs, K points of a row's table; R rows.
"""

from __future__ import annotations

import numpy as np

from ..cells import NUMPY
from ..compiler.closed_form import require_closed_form
from ..compiler.columns import Columns
from ..compiler.design import CrossbarStage, Design
from ..compiler.hardware import Hardware
from .arithmetic import BLOCK
from .twin_arrays import stage_arrays

AMPLIFIERS = ("r_c", "ratio", "line_gain", "line_offset", "diff_gain", "diff_offset")
"""Fields of ``Columns`` that ``stage_arrays`` has."""


def is_designed(design: Design) -> bool:
    """Whether nothing in it differs from what was designed."""
    return all(stage.errors is None for stage in design.stages)


def designed_volts(design: Design, volts: np.ndarray, temp_c: float) -> list[np.ndarray]:
    """Outputs (n, O) of every stage, volts, for ``volts`` (n, I) at the inputs.

    Raises
    ------
    SimulationError
        If a cell has no closed form, or a diode's circuit would have several operating points.
    """
    require_closed_form(design)
    hardware, found, before = design.hardware, [], volts
    for stage in design.stages:
        arrays = stage_arrays(stage, hardware, temp_c)
        blocks = [
            _outputs(stage, arrays, before[k : k + BLOCK], hardware, temp_c)
            for k in range(0, len(volts), BLOCK)
        ]
        before = np.concatenate(blocks)
        found.append(before)
    return found


def _outputs(
    stage: CrossbarStage, arrays: dict[str, np.ndarray], v: np.ndarray, hardware: Hardware,
    temp_c: float,
) -> np.ndarray:  # fmt: skip
    """Outputs (n, O) of a stage for ``v`` (n, I) volts of what is before it."""

    def limited(volts: np.ndarray) -> np.ndarray:
        return volts.clip(-hardware.v_rail, hardware.v_rail) if hardware.rails else volts

    v = stage.front.solved(stage.front.normed(v), hardware, temp_c)
    n_in, n_dev, _ = arrays["x"].shape
    rows = np.empty((len(arrays["g"]), len(v)))
    for i in range(n_in):
        for d in range(n_dev):
            rows[i * n_dev + d] = np.interp(v[:, i], arrays["x"][i, d], arrays["r"][i, d])
    rows[: n_in * n_dev] = limited(rows[: n_in * n_dev])
    rows[n_in * n_dev :] = -hardware.v_fs
    columns = Columns(
        g=arrays["g"].sum(axis=0),
        feet=arrays.get("feet"),
        **{name: arrays[name] for name in AMPLIFIERS},
        differences=stage.readout.differences,
        xp=NUMPY,
    )
    lines = columns.lines(arrays["g"].T @ rows, limited)
    return limited(columns.outputs(lines, limited)).T
