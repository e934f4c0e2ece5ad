"""A design with ideal amplifiers in closed form: every net's voltage, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..compiler.design import CrossbarStage, Design

BLOCK = 1024
"""Images at once, to bound memory."""


@dataclass(frozen=True, eq=False)
class StageVolts:
    """Voltages of one stage's nets for B images.

    ``normed`` (B, I) after a LayerNorm (what comes in, where there is none), ``inputs`` (B, I) at
    the diodes, ``rows`` (B, R), ``lines`` (B, 2 O), ``outputs`` (B, O); volts.
    """

    normed: np.ndarray
    inputs: np.ndarray
    rows: np.ndarray
    lines: np.ndarray
    outputs: np.ndarray


def rail(design: Design) -> float:
    """Volts that amplifiers cannot leave; infinite without rails."""
    return design.hardware.v_rail if design.hardware.rails else np.inf


def row_volts(design: Design, stage: CrossbarStage, v: np.ndarray) -> np.ndarray:
    """Rows (B, R) for diode voltages ``v`` (B, I)."""
    current = np.stack([curve.current(v) for curve in stage.curves], axis=-1)
    signal = np.clip(-stage.r_f * current, -rail(design), rail(design)).reshape(len(v), -1)
    bias = np.full((len(v), stage.n_bias), -design.hardware.v_fs)
    return np.concatenate([signal, bias], axis=1)


def line_volts(design: Design, stage: CrossbarStage, rows: np.ndarray) -> np.ndarray:
    """Line amplifiers (B, 2 O) for rows (B, R)."""
    arriving = rows @ stage.g
    if not stage.readout.differences:
        n = np.clip(-stage.r_c[1::2] * arriving[:, 1::2], -rail(design), rail(design))
        arriving[:, 0::2] += n / stage.r_x
    return np.clip(-stage.r_c * arriving, -rail(design), rail(design))


def output_volts(design: Design, stage: CrossbarStage, lines: np.ndarray) -> np.ndarray:
    """The stage's outputs (B, O) for lines (B, 2 O)."""
    if not stage.readout.differences:
        return lines[:, 0::2]
    return np.clip(stage.gain * (lines[:, 0::2] - lines[:, 1::2]), -rail(design), rail(design))


def stage_volts(design: Design, volts: np.ndarray) -> Iterator[StageVolts]:
    """Every stage's voltages for DAC voltages ``volts`` (B, I)."""
    before = volts
    for stage in design.stages:
        normed = stage.front.normed(before)
        inputs = stage.front.squashed(normed)
        rows = row_volts(design, stage, inputs)
        lines = line_volts(design, stage, rows)
        before = output_volts(design, stage, lines)
        yield StageVolts(normed, inputs, rows, lines, before)


def saturating(design: Design, volts: np.ndarray) -> np.ndarray:
    """Whether an amplifier would leave its supplies, for each of ``volts`` (B, I); (B,) bool.

    Rows, lines, outputs and what drives the diodes are looked at as if nothing limited them; not
    the inside of a LayerNorm, which is behavioural.
    """
    limit = design.hardware.v_rail
    found = np.zeros(len(volts), bool)
    for start in range(0, len(volts), BLOCK):
        here = slice(start, start + BLOCK)
        free = _without_rails(design)
        for stage, v in zip(design.stages, stage_volts(free, volts[here]), strict=True):
            driven = [] if stage.front.kind == "none" else [v.inputs[:, stage.driven]]
            for nets in (*driven, v.rows[:, stage.there], v.lines, v.outputs):
                found[here] |= (np.abs(nets) > limit).any(axis=1)
    return found


def _without_rails(design: Design) -> Design:
    hardware = design.hardware
    return replace(design, hardware=replace(hardware, opamp=hardware.amplifier.value))
