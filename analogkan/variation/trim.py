"""Dark trim: with every diode at 0 V, bias cells are programmed again until outputs are right.

Axes: I inputs, D diodes, O outputs, b bias rows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..compiler.chip import RAMP_VOLTS, StageErrors
from ..compiler.closed_form import difference_volts, line_ohms, line_volts, row_volts, summing_volts
from ..compiler.design import CrossbarStage
from ..compiler.hardware import Hardware
from ..errors import CompileError
from ..network.spec import LayerSpec

STEPS = 4
"""Newton steps: the first leaves what an offset sees of the new cells, 1e-4 of it; then less."""

MAX_ROUNDS = 200
"""Rounds to a diode's operating point; each shrinks the error by the op-amp's gain."""


def trim_stage(
    stage: CrossbarStage, layer: LayerSpec, hardware: Hardware, stuck: np.ndarray
) -> tuple[CrossbarStage, int]:
    """The stage of a chip with its bias cells trimmed at 26.85 degC.

    Parameters
    ----------
    stage
        With errors.
    layer
        The software it stands for, folded.
    stuck
        (R, 2 O) cells that cannot be programmed.

    Returns
    -------
    CrossbarStage, int
        And how many outputs could not be reached within the cells' range.
    """
    n_in, n_out, n_dev = stage.shape
    errors = stage.errors
    assert errors is not None
    target = layer.respond(np.zeros((1, n_in)))[0] * stage.unit
    a = hardware.opamp_gain_used
    rows = np.full(len(stage.g), -hardware.v_fs)
    rows[: n_in * n_dev] = _dark_rows(stage, errors, a).ravel()
    g = stage.g.copy()
    bias, free = g[n_in * n_dev :], ~stuck[n_in * n_dev :]
    missing = np.zeros(n_out)
    for _ in range(STEPS):
        out, ohms = _outputs(g, rows, stage, errors, a)
        siemens = (target - out) / (hardware.v_fs * ohms * stage.gain)
        missing = _programme(bias, free, siemens, hardware)
    return replace(stage, g=g), int((np.abs(missing) > 1e-6 * hardware.g_max).sum())


def _dark_rows(stage: CrossbarStage, errors: StageErrors, a: float) -> np.ndarray:
    """Row amplifiers (I, D), volts, with 0 V at every diode."""
    gain, offset = a * errors.rows.gain, errors.rows.offset
    out = row_volts(np.zeros_like(stage.r_f), stage.r_f, gain, offset)
    for _ in range(MAX_ROUNDS):
        d = -summing_volts(out, gain, offset)
        u = errors.k_v * d + errors.d_v * np.clip(d / RAMP_VOLTS, 0, 1)
        current = errors.k_i * np.stack(
            [curve.current(u[:, k]) for k, curve in enumerate(stage.curves)], axis=1
        )
        before, out = out, row_volts(current, stage.r_f, gain, offset)
        if np.abs(out - before).max() < 1e-15:
            return out
    raise CompileError("dark trim: a diode has no operating point at 0 V; raise opamp_gain")


def _outputs(
    g: np.ndarray, rows: np.ndarray, stage: CrossbarStage, errors: StageErrors, a: float
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (O,) in volts for rows (R,), and ohms (O,) of the lines of the pairs' + side."""
    total, gain = g.sum(axis=0), a * errors.lines.gain
    lines = line_volts(rows @ g, total, stage.r_c, gain, errors.lines.offset)
    diffs = a * errors.diffs.gain
    out = difference_volts(lines[0::2], lines[1::2], stage.gain, diffs, errors.diffs.offset)
    return out, line_ohms(total, stage.r_c, gain)[0::2]


def _programme(
    bias: np.ndarray, free: np.ndarray, siemens: np.ndarray, hardware: Hardware
) -> np.ndarray:
    """Change ``bias`` (b, 2 O) in place so that each pair's difference grows by ``siemens`` (O,).

    One side is lowered before the other is raised. Returns what is left for want of range.
    """
    left = siemens.copy()
    for sign in (1.0, -1.0):
        raised, lowered = (slice(0, None, 2), slice(1, None, 2))[:: int(sign)]
        for row, can in zip(bias, free, strict=True):
            want = np.maximum(sign * left, 0.0)
            room = np.where(can[lowered], np.maximum(row[lowered] - hardware.g_min, 0.0), 0.0)
            step = np.minimum(want, room)
            row[lowered] -= step
            left -= sign * step
        for row, can in zip(bias, free, strict=True):
            want = np.maximum(sign * left, 0.0)
            room = np.where(can[raised], np.maximum(hardware.g_max - row[raised], 0.0), 0.0)
            step = np.minimum(want, room)
            row[raised] += step
            left -= sign * step
    return left
