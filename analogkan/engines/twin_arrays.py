"""A chip's stage as the arrays that the twin evaluates.

Axes: I inputs, D diodes, O outputs, K points of a row's table; R rows.
"""

from __future__ import annotations

import numpy as np

from ..compiler.chip import RAMP_VOLTS, StageErrors
from ..compiler.closed_form import nominal_table, row_volts, summing_volts
from ..compiler.design import CrossbarStage
from ..compiler.hardware import Hardware
from ..compiler.heat import cell_drift, feedback_drift, offset_at
from ..compiler.wires import wire_layer
from ..devices import IVCurve
from ..errors import SimulationError


def stage_arrays(stage: CrossbarStage, hardware: Hardware, temp_c: float) -> dict[str, np.ndarray]:
    """The fields of a TwinStage for one chip."""
    a, e = hardware.opamp_gain_used, stage.errors
    warmth = None if e is None else e.warmth
    cells = cell_drift(stage, hardware, temp_c)
    feedback = feedback_drift(hardware, temp_c, warmth and warmth.rows)
    lines, diffs = np.ones(stage.r_c.size), np.ones(stage.n_diffs)
    x, r = _row_tables(stage, hardware, temp_c, stage.r_f * feedback)
    if hardware.wired:
        wired = wire_layer(stage.g, hardware, temp_c, drift=cells)
        crossbar = {"g": wired.g, "feet": wired.feet}
    else:
        crossbar = {"g": stage.g / cells}
    return {
        "x": x,
        "r": r,
        **crossbar,
        "r_c": stage.r_c * feedback_drift(hardware, temp_c, warmth and warmth.lines),
        "ratio": stage.gain,
        "line_gain": a * (lines if e is None else e.lines.gain),
        "line_offset": 0 * lines
        if e is None
        else offset_at(e.lines, temp_c, warmth and warmth.lines),
        "diff_gain": a * (diffs if e is None else e.diffs.gain),
        "diff_offset": 0 * diffs
        if e is None
        else offset_at(e.diffs, temp_c, warmth and warmth.diffs),
    }


def _row_tables(
    stage: CrossbarStage, hardware: Hardware, temp_c: float, r_f: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Input and output volts (I, D, K) at the kinks of every row; short tables end repeated."""
    e, a, kept = stage.errors, hardware.opamp_gain_used, stage.kept
    warmth = None if e is None else e.warmth
    found = []
    for d, curve in enumerate(stage.curves):
        v, i = current_table(curve, hardware, temp_c, e, d)
        gain, offset = a, 0.0
        if e is not None:
            gain = a * e.rows.gain[:, d, None]
            offset = offset_at(e.rows, temp_c, warmth and warmth.rows)[:, d, None]
        out = row_volts(i, r_f[:, d, None], gain, offset)
        x = np.broadcast_to(v, out.shape) + summing_volts(out, gain, offset)
        if (np.diff(x[kept[:, d]]) < -1e-12).any():
            raise SimulationError(
                f"a row of diode {curve.name} has several operating points: opamp_gain = {a:g} is "
                "too small, raise it"
            )
        found.append((np.maximum.accumulate(x, axis=1), out))
    longest = max(x.shape[1] for x, _ in found)
    x, r = ([_ended(part, longest) for part in parts] for parts in zip(*found, strict=True))
    return np.stack(x, axis=1), np.stack(r, axis=1)


def _ended(table: np.ndarray, points: int) -> np.ndarray:
    """``table`` (I, K), its end repeated so that there are as many ``points``."""
    end = np.repeat(table[:, -1:], points - table.shape[1], axis=1)
    return np.concatenate([table, end], axis=1)


def current_table(
    curve: IVCurve, hardware: Hardware, temp_c: float, errors: StageErrors | None, d: int
) -> tuple[np.ndarray, np.ndarray]:
    """Voltages across the diodes and currents, (I or 1, K), at the kinks of I = kI f(kV V + dV)."""
    u, i = (x[None] for x in nominal_table(curve, hardware, temp_c))
    if errors is None:
        return u, i
    if errors.warmth is not None:
        at = (temp_c + errors.warmth.rows[:, d]).tolist()
        pairs = [nominal_table(curve, hardware, own_c) for own_c in at]
        u, i = (np.stack(part) for part in zip(*pairs, strict=True))
    k_i, k_v, d_v = (f[:, d, None] for f in (errors.k_i, errors.k_v, errors.d_v))
    if not d_v.any():
        return u / k_v, k_i * i
    # The shift's ramp puts kinks of its own at 0 and at RAMP_VOLTS.
    end = k_v * RAMP_VOLTS + d_v
    v = np.where(u <= 0, u / k_v, np.where(u <= end, u / (end / RAMP_VOLTS), (u - d_v) / k_v))
    kinks = np.concatenate([np.zeros_like(end), end], axis=1)
    v = np.concatenate([v, np.broadcast_to([[0.0, RAMP_VOLTS]], kinks.shape)], axis=1)
    i = np.concatenate([np.broadcast_to(i, (len(v), i.shape[1])), _at(kinks, u, i)], axis=1)
    order = np.argsort(v, axis=1, kind="stable")
    return np.take_along_axis(v, order, axis=1), k_i * np.take_along_axis(i, order, axis=1)


def _at(x: np.ndarray, u: np.ndarray, i: np.ndarray) -> np.ndarray:
    """The tables (u, i), one (1, K) or a row each, at ``x`` (n, k)."""
    if len(u) == 1:
        return np.interp(x, u[0], i[0])
    return np.stack([np.interp(*of_row) for of_row in zip(x, u, i, strict=True)])
