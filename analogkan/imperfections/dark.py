# pyright: strict
"""A stage of a chip with 0 V at every diode: what its outputs lack of the software's.

Axes: I inputs, D diodes, O outputs, b bias rows.
"""

from __future__ import annotations

from collections.abc import Callable
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
from ..compiler.wire_currents import WiredCells
from ..compiler.wires import WiredLayer, stack_layers, wire_layer
from ..devices.curve import NOMINAL_TEMP_C
from ..errors import CompileError
from .base import is_traced

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage
    from ..network.spec import LayerSpec

MAX_ROUNDS = 200
"""Rounds to a diode's operating point; each shrinks the error by the op-amp's gain."""


class DarkStage:
    """A stage of a chip with 0 V at every diode, whose bias cells can be programmed again.

    Attributes
    ----------
    bias, free
        (b, 2 O) those of bias rows, a view; and which of them programming changes.
    """

    def __init__(self, stage: CrossbarStage, layer: LayerSpec, hardware: Hardware) -> None:
        n_in, _, n_dev = stage.shape
        errors = stage.errors
        assert errors is not None
        self._stage, self._errors, self._hardware = stage, errors, hardware
        self._gain = hardware.opamp_gain_used
        self._target = layer.respond(np.zeros((1, n_in)))[0] * stage.unit
        self._first = n_in * n_dev
        bias = np.full(len(stage.g) - self._first, -hardware.v_fs)
        self._rows = np.concatenate([_dark_rows(stage, errors, self._gain).ravel(), bias])
        self._crossbar = _Crossbar(stage.g.copy(), self._first, hardware)
        self._cells, self.bias = self.g[: self._first], self.g[self._first :]
        self.free = ~errors.stuck[self._first :]

    @property
    def g(self) -> np.ndarray:
        """All cells."""
        return self._crossbar.g

    def programme(self, bias: np.ndarray) -> None:
        """Make ``bias`` those of bias rows."""
        self.bias, self._crossbar.g = bias, np.concatenate([self._cells, bias])

    def off(self) -> np.ndarray:
        """Volts (O,) that outputs lack."""
        return self._target - self._crossbar.outputs(
            self._rows, self._stage, self._errors, self._gain
        )

    def siemens(self, volts: np.ndarray) -> np.ndarray:
        """What each pair's difference must grow by, (O,), for ``volts`` more."""
        law, v_fs = self._errors.law, self._hardware.v_fs
        by_siemens = v_fs if law is None else law.current(v_fs, np)
        return volts / (by_siemens * self._stage.r_c[0::2] * self._stage.gain)


class _Crossbar:
    """Columns' amplifiers over cells ``g`` (R, 2 O) whose bias rows, from ``first`` on, change."""

    def __init__(self, g: np.ndarray, first: int, hardware: Hardware) -> None:
        self.g, self.hardware, self.first = g, hardware, first
        self.fixed = g[:first].sum(axis=0)  # what it begins with, summed row by row
        self.still = first // hardware.tile_rows * hardware.tile_rows
        self.above: WiredLayer | None = None
        if hardware.wired and self.still:
            self.above = wire_layer(g[: self.still], hardware)
        self.below: WiredCells | None = None
        if WiredCells.suits(hardware, len(g), g.shape[1]) and not is_traced(g):
            self.below = WiredCells(g[self.still :], hardware)

    def outputs(
        self, rows: np.ndarray, stage: CrossbarStage, errors: StageErrors, a: float
    ) -> np.ndarray:
        """Outputs (O,) in volts for rows (R,), as nothing limits them."""
        g, feet = self.g, None
        if self.hardware.wired and self.below is None:
            wired = wire_layer(g[self.still :], self.hardware)
            if self.above is not None:
                wired = stack_layers(self.above, wired)
            g, feet = wired.g, wired.feet
        columns = Columns(
            g=np.concatenate([self.fixed[None], self.g[self.first :]]).sum(axis=0),
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
        if errors.law is not None:
            require_no_wires(errors.law, self.hardware)
            lines = columns.settled(errors.law.sums(g, rows, NOMINAL_TEMP_C), _as_is)
        elif self.below is not None:
            lines = columns.settled(self._into_nodes(rows, self.below), _as_is)
        else:
            lines = columns.lines((rows @ g)[:, None], _as_is)
        return columns.outputs(lines, _as_is)[:, 0]

    def _into_nodes(
        self, rows: np.ndarray, below: WiredCells
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Amperes (2 O, 1) into the summing nodes as a function of their volts (2 O, 1)."""

        def at(nodes: np.ndarray) -> np.ndarray:
            found = below.into(rows[self.still :], nodes[:, 0])
            if self.above is not None:
                found = found + rows[: self.still] @ self.above.g - self.above.feet @ nodes[:, 0]
            return found[:, None]

        return at


def _as_is(volts: np.ndarray) -> np.ndarray:
    return volts


def _dark_rows(stage: CrossbarStage, errors: StageErrors, a: float) -> np.ndarray:
    """Row amplifiers (I, D), volts, with 0 V at every diode."""
    gain, offset = a * errors.rows.gain, errors.rows.offset
    out = row_volts(np.zeros_like(stage.r_f), stage.r_f, gain, offset)
    for k in range(MAX_ROUNDS):
        d = -summing_volts(out, gain, offset)
        u = shifted(d, errors.k_v, errors.d_v)
        current = errors.k_i * np.stack(
            [curve.current(u[:, k]) for k, curve in enumerate(stage.curves)], axis=1
        )
        before, out = out, row_volts(current, stage.r_f, gain, offset)
        # A derivative, which arrays of another kind have, is a round behind.
        if np.abs(out - before).max() < 1e-15 and (k or not is_traced(out)):
            return out
    raise CompileError(
        f"dark trim: a diode has no operating point at 0 V: opamp_gain = {a:g} is too small, "
        "raise it"
    )
