"""Cells of temperature coefficients of their own, and parts that are warmer than the ambient.

The deck of such a chip is of one temperature. Each of its cells is told its coefficient and its
kelvins above the ambient, each diode its kelvins; what is beside is written as it is there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..devices.curve import NOMINAL_TEMP_C
from ..dialects import NGSPICE, Dialect
from ..dialects.words import format_number
from ..errors import CompileError, SimulationError
from .chip import OpAmpErrors
from .closed_form import drifted
from .design import CrossbarStage
from .hardware import Hardware


def cell_drift(stage: CrossbarStage, hardware: Hardware, temp_c: float) -> float | np.ndarray:
    """Factor of the cells' resistances at ``temp_c`` degrees Celsius, one or (R, 2 O).

    Raises
    ------
    SimulationError
        If one is not above 0.
    """
    e, dt = stage.errors, temp_c - NOMINAL_TEMP_C
    tc1, above = hardware.cell_tc1, 0.0
    if e is not None:
        tc1 = tc1 if e.cell_tc1 is None else e.cell_tc1
        above = above if e.warmth is None else e.warmth.cells
    return _positive("cell", drifted(tc1, hardware.cell_tc2, dt + above), temp_c)


def feedback_drift(
    hardware: Hardware, temp_c: float, above: np.ndarray | None = None
) -> float | np.ndarray:
    """Factor of feedback resistances at ``temp_c``, of those that are warmer ``above`` it, too."""
    dt = temp_c - NOMINAL_TEMP_C + (0.0 if above is None else above)
    return _positive("feedback", drifted(hardware.feedback_tc1, hardware.feedback_tc2, dt), temp_c)


def _positive(name: str, times: float | np.ndarray, temp_c: float) -> float | np.ndarray:
    least = np.min(times)
    if least <= 0:
        raise SimulationError(
            f"at {temp_c:g} degC {name}_tc1 and {name}_tc2 make resistances {least:.3g} times as "
            "large, which must stay above 0: choose smaller ones, or another temperature"
        )
    return times


def offset_at(errors: OpAmpErrors, temp_c: float, above: np.ndarray | None) -> np.ndarray:
    """Offsets of op-amps, volts, ``above`` kelvins above the ambient ``temp_c``."""
    return errors.offset_at(temp_c - NOMINAL_TEMP_C + (0.0 if above is None else above))


def as_warm(
    stage: CrossbarStage, hardware: Hardware, temp_c: float, *, drifts: bool
) -> CrossbarStage:
    """The stage whose feedback and offsets are at ``temp_c`` what those of ``stage`` are where
    they are warmer; cells are told how much warmer they are. Where op-amps are not told how they
    drift (``drifts``), offsets are what they have become."""
    e = stage.errors
    if e is None:
        return stage
    warmth, dt = e.warmth, 0.0 if drifts else temp_c - NOMINAL_TEMP_C
    moved = {}
    for group in ("rows", "lines", "diffs"):
        of, above = getattr(e, group), 0.0 if warmth is None else getattr(warmth, group)
        left = of.drift if drifts else 0 * of.drift
        moved[group] = replace(of, offset=of.offset_at(dt + above), drift=left)
    if warmth is None:
        return replace(stage, errors=replace(e, **moved))
    ambient = feedback_drift(hardware, temp_c)
    return replace(
        stage,
        r_f=stage.r_f * feedback_drift(hardware, temp_c, warmth.rows) / ambient,
        r_c=stage.r_c * feedback_drift(hardware, temp_c, warmth.lines) / ambient,
        errors=replace(e, **moved),
    )


def cell_words(stage: CrossbarStage, say: Dialect) -> np.ndarray | None:
    """(R, 2 O) what each cell's resistor is told beside its ohms and model; None: nothing.

    Raises
    ------
    CompileError
        If the dialect has no words for it.
    """
    e = stage.errors
    if e is None or not e.uneven:
        return None
    if say is not NGSPICE:
        raise CompileError(
            f"{' and '.join(e.uneven)} are written for ngspice alone, not for {say.name}: leave "
            "them out, or the other simulator"
        )
    words = np.full(stage.g.shape, "", object)
    for name, of in (("tc1", e.cell_tc1), ("dtemp", e.warmth and e.warmth.cells)):
        if of is not None:
            told = [f" {name}={format_number(x)}" for x in of.ravel().tolist()]
            words += np.array(told, object).reshape(of.shape)
    return words
