# pyright: strict
"""Faults: parts that do not work at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..settings import require
from .base import Draw, Imperfection, errors_of, upto

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage

OPEN_SIEMENS = 1e-15
"""Of a cell whose line is broken: a resistor all the same, so that every net has a path."""
DEAD_GAIN = 1e-12
"""Open-loop gain of a dead op-amp, as a share of the design's: its output is at 0 V."""


def _stick(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    of, hardware, errors = draw.settings, draw.hardware, errors_of(stage)
    u = draw.uniform("stuck", stage.g.shape)
    there = stage.g != 0
    low, high = (u < of.stuck_min) & there, (u >= 1 - of.stuck_max) & there
    draw.count("stuck_cells", low | high)
    g = np.where(low, hardware.g_min, np.where(high, hardware.g_max, stage.g))
    return replace(stage, g=g, errors=replace(errors, stuck=errors.stuck | low | high))


def _both(of: Any) -> None:
    both = of.stuck_min + of.stuck_max
    require(both <= 1, "stuck_min + stuck_max", both, "at most 1")


def _kill_diodes(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    errors = errors_of(stage)
    dead = draw.happens("dead_diode", stage.r_f.shape, draw.settings.dead_diodes)
    draw.count("dead_diodes", dead & stage.kept)
    return replace(stage, errors=replace(errors, k_i=np.where(dead, 0.0, errors.k_i)))


def _break_lines(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    errors = errors_of(stage)
    broken = draw.happens("open_line", stage.r_c.shape, draw.settings.open_lines)
    draw.count("open_lines", broken)
    g = np.where(broken & (stage.g != 0), OPEN_SIEMENS, stage.g)
    return replace(stage, g=g, errors=replace(errors, stuck=errors.stuck | broken))


def _kill_amplifiers(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    errors, share = errors_of(stage), draw.settings.dead_amplifiers
    floating = draw.happens("dead_row", stage.r_f.shape, share)
    draw.count("dead_amplifiers", floating & stage.kept)
    held, rows = np.where(floating, 0.0, 1.0), errors.rows
    changed: dict[str, Any] = {
        "k_i": np.where(floating, 0.0, errors.k_i),
        "rows": replace(rows, offset=held * rows.offset, drift=held * rows.drift),
    }
    for group, stream in (("lines", "dead_line"), ("diffs", "dead_diff")):
        made = getattr(errors, group)
        dead = draw.happens(stream, made.gain.shape, share)
        draw.count("dead_amplifiers", dead)
        changed[group] = replace(made, gain=np.where(dead, DEAD_GAIN, made.gain))
    return replace(stage, errors=replace(errors, **changed))


STUCK_CELLS = Imperfection(
    name="stuck cells",
    settings=tuple(
        upto(1.0, name, "Share of cells stuck at ``g_min`` and at ``g_max``.")
        for name in ("stuck_min", "stuck_max")
    ),
    draw=_stick,
    acts="broken",
    streams={"stuck": 2},
    counts={"stuck_cells": "cells stuck"},
    fault=True,
    check=_both,
)
DEAD_DIODES = Imperfection(
    name="dead diodes",
    settings=(upto(1.0, "dead_diodes", "Share of diodes that conduct nothing."),),
    draw=_kill_diodes,
    acts="broken",
    streams={"dead_diode": 24},
    counts={"dead_diodes": "diodes dead"},
    fault=True,
)
OPEN_LINES = Imperfection(
    name="open lines",
    settings=(
        upto(1.0, "open_lines", "Share of lines broken before their amplifier: none of their cells "
             "reaches it."),
    ),
    draw=_break_lines,
    acts="broken",
    streams={"open_line": 25},
    counts={"open_lines": "lines broken"},
    fault=True,
    decisive=True,
)  # fmt: skip
DEAD_AMPLIFIERS = Imperfection(
    name="dead amplifiers",
    settings=(
        upto(1.0, "dead_amplifiers", "Share of op-amps whose output stays at 0 V. A row with one "
             "is at 0 V as if its diode were dead: what a falling diode into a floating node would "
             "do besides has no one answer."),
    ),
    draw=_kill_amplifiers,
    acts="broken",
    streams={"dead_row": 26, "dead_line": 27, "dead_diff": 28},
    counts={"dead_amplifiers": "op-amps dead"},
    fault=True,
    decisive=True,
)  # fmt: skip
