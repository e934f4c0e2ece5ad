# pyright: strict
"""Dark trim: with every diode at 0 V, bias cells are programmed again until outputs are right.

Axes: I inputs, D diodes, O outputs, b bias rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..cells import NUMPY
from ..compiler.cell_law import require_no_wires
from ..compiler.chip import StageErrors
from ..compiler.closed_form import (
    row_volts,
    shifted,
    summing_volts,
)
from ..compiler.columns import Columns
from ..compiler.hardware import Hardware
from ..compiler.wires import WiredLayer, stack_layers, wire_layer
from ..devices.curve import NOMINAL_TEMP_C
from ..errors import CompileError
from .base import Draw, Imperfection, Setting

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage
    from ..network.spec import LayerSpec

MAX_STEPS = 6
"""Each as if neither wires nor finite gain took a share of the new current: a tenth of the error is
left by each, or less."""

EXACT_VOLTS = 1e-9
"""What a trim may leave, where the cells' range allows it."""

MAX_ROUNDS = 200
"""Rounds to a diode's operating point; each shrinks the error by the op-amp's gain."""


def trim_stage(
    stage: CrossbarStage, layer: LayerSpec, hardware: Hardware
) -> tuple[CrossbarStage, int]:
    """The stage of a chip with its bias cells trimmed at 26.85 degC.

    Parameters
    ----------
    stage
        With errors.
    layer
        The software it stands for, folded.

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
    crossbar = _Crossbar(g, n_in * n_dev, hardware)
    bias, free = g[n_in * n_dev :], ~errors.stuck[n_in * n_dev :]
    missing = np.zeros(n_out)
    by_siemens = hardware.v_fs if errors.law is None else errors.law.current(hardware.v_fs, np)
    for _ in range(MAX_STEPS):
        out = crossbar.outputs(rows, stage, errors, a)
        if np.abs(target - out).max() < EXACT_VOLTS:
            break
        siemens = (target - out) / (by_siemens * stage.r_c[0::2] * stage.gain)
        missing = _programme(bias, free, siemens, hardware)
    return replace(stage, g=g), int((np.abs(missing) > 1e-6 * hardware.g_max).sum())


class _Crossbar:
    """Columns' amplifiers over cells ``g`` (R, 2 O) whose bias rows, from ``first`` on, change."""

    def __init__(self, g: np.ndarray, first: int, hardware: Hardware) -> None:
        self.g, self.hardware = g, hardware
        self.still = first // hardware.tile_rows * hardware.tile_rows
        self.above: WiredLayer | None = None
        if hardware.wired and self.still:
            self.above = wire_layer(g[: self.still], hardware)

    def outputs(
        self, rows: np.ndarray, stage: CrossbarStage, errors: StageErrors, a: float
    ) -> np.ndarray:
        """Outputs (O,) in volts for rows (R,), as nothing limits them."""
        g, feet = self.g, None
        if self.hardware.wired:
            wired = wire_layer(g[self.still :], self.hardware)
            if self.above is not None:
                wired = stack_layers(self.above, wired)
            g, feet = wired.g, wired.feet
        columns = Columns(
            g=g.sum(axis=0),
            feet=feet,
            r_c=stage.r_c,
            ratio=stage.gain,
            line_gain=a * errors.lines.gain,
            line_offset=errors.lines.offset,
            diff_gain=a * errors.diffs.gain,
            diff_offset=errors.diffs.offset,
            differences=stage.readout.differences,
            xp=NUMPY,
        )
        if errors.law is None:
            lines = columns.lines((rows @ g)[:, None], _as_is)
        else:
            require_no_wires(errors.law, self.hardware)
            lines = columns.settled(errors.law.sums(g, rows, NOMINAL_TEMP_C), _as_is)
        return columns.outputs(lines, _as_is)[:, 0]


def _as_is(volts: np.ndarray) -> np.ndarray:
    return volts


def _dark_rows(stage: CrossbarStage, errors: StageErrors, a: float) -> np.ndarray:
    """Row amplifiers (I, D), volts, with 0 V at every diode."""
    gain, offset = a * errors.rows.gain, errors.rows.offset
    out = row_volts(np.zeros_like(stage.r_f), stage.r_f, gain, offset)
    for _ in range(MAX_ROUNDS):
        d = -summing_volts(out, gain, offset)
        u = shifted(d, errors.k_v, errors.d_v)
        current = errors.k_i * np.stack(
            [curve.current(u[:, k]) for k, curve in enumerate(stage.curves)], axis=1
        )
        before, out = out, row_volts(current, stage.r_f, gain, offset)
        if np.abs(out - before).max() < 1e-15:
            return out
    raise CompileError(
        f"dark trim: a diode has no operating point at 0 V: opamp_gain = {a:g} is too small, "
        "raise it"
    )


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


TRIMS = ("none", "dark")


def _trim(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    made, saturated = trim_stage(stage, draw.layer, draw.hardware)
    draw.count("trim_saturated", saturated)
    return made


TRIM = Imperfection(
    name="trim",
    settings=(
        Setting(
            name="trim",
            about="``dark``: with every diode at 0 V the bias cells are programmed again until "
            "each output of each layer equals the software's; ``none`` leaves them.",
            limit=" or ".join(TRIMS),
            fits=TRIMS.__contains__,
            default="none",
            words=TRIMS,
        ),
    ),
    draw=_trim,
    acts="trimmed",
    counts={"trim_saturated": "outputs that the dark trim could not reach"},
    adjusts=True,
)
