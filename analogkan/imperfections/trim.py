# pyright: strict
"""Dark trim: with every diode at 0 V, bias cells are programmed again until outputs are right.

Axes: I inputs, D diodes, O outputs, b bias rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compiler.chip import Written
from ..compiler.hardware import Hardware
from .base import Draw, Imperfection, Setting, errors_of, is_traced
from .cells import PROGRAMMING
from .dark import DarkStage
from .measured import MEASURED, RANGE
from .programming import MOST_TRIES, STREAMS, WRITE_VERIFY, spread, written
from .real_trim import trim_with_errors

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage
    from ..network.spec import LayerSpec

MAX_STEPS = 6
"""Each as if neither wires nor finite gain took a share of the new current: a tenth of the error is
left by each, or less."""

TRACED_STEPS = 2
"""Of derivatives, wherever values begin: without wires a step leaves less than a thousandth."""

EXACT_VOLTS = 1e-9
"""What a trim may leave, where the cells' range allows it."""


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
    dark = DarkStage(stage, layer, hardware)
    missing, steps = np.zeros(stage.shape[1]), MAX_STEPS if hardware.wired else TRACED_STEPS
    for k in range(MAX_STEPS):
        volts = dark.off()
        traced = is_traced(volts)
        if np.abs(volts).max() < EXACT_VOLTS and (k >= steps or not traced):
            break
        siemens = dark.siemens(volts)
        if traced:
            missing = _followed(dark, siemens, hardware, first=not k)
        else:
            missing = _programme(dark.bias, dark.free, siemens, hardware)
    return replace(stage, g=dark.g), int((np.abs(missing) > 1e-6 * hardware.g_max).sum())


def _programme(
    bias: np.ndarray, free: np.ndarray, siemens: np.ndarray, hardware: Hardware
) -> np.ndarray:
    """Change ``bias`` (b, 2 O) in place so that each pair's difference grows by ``siemens`` (O,).

    One side is lowered before the other is raised. Returns what is left for want of range.
    """
    left = siemens.copy()
    for sign in (1.0, -1.0):
        raised, lowered = (slice(0, None, 2), slice(1, None, 2))[:: int(sign)]
        want = np.maximum(sign * left, 0.0)
        for side, way, most in (
            (lowered, -1.0, bias[:, lowered] - hardware.g_min),
            (raised, 1.0, hardware.g_max - bias[:, raised]),
        ):
            room = np.where(free[:, side], np.maximum(most, 0.0), 0.0)
            for k, has in enumerate(room):
                if not want.any():
                    break
                step = np.minimum(want, has)
                bias[k, side] += way * step
                want -= step
        left = np.where(sign * left > 0, sign * want, left)
    return left


PROBE, LITTLE = 1e-9, 1e-4
"""Of the largest conductance, what tells which cells are about to change; and what is so little to
trim, as of a chip in the middle, that other chips change cells of either side."""


def _followed(dark: DarkStage, siemens: Any, hardware: Hardware, *, first: bool) -> np.ndarray:
    """``_programme`` of a stage whose arrays have derivatives, see ``engines.traced``."""
    bias: Any = dark.bias
    before, wanted = bias.value, siemens.value

    def programmed(more: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        made = before.copy()
        return made, _programme(made, dark.free, wanted + more, hardware)

    made, missing = programmed(np.zeros_like(wanted))
    little = first & (np.abs(wanted) < LITTLE * hardware.g_max)
    probe = hardware.g_max * np.where(little, LITTLE, PROBE)
    moves = (programmed(probe)[0] - programmed(-probe)[0]) / np.repeat(2 * probe, 2)
    # A cell that came to an end of its range stays there: others take what it would have been.
    ended = (made != before) & (moves == 0)
    kept = np.where(ended, np.tile([1.0, -1.0], wanted.size) * bias, 0.0).sum(axis=0)
    left = siemens + kept.reshape(-1, 2).sum(axis=1)
    follows: Any = np.where(ended, 0.0, bias) + moves * np.repeat(left, 2)
    dark.programme(follows + (made - follows.value))
    return missing


TRIMS = ("none", "dark", "dark-real")


def _trim(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    if draw.settings.trim == "dark-real":
        return _trim_with_errors(stage, draw)
    made, saturated = trim_stage(stage, draw.layer, draw.hardware)
    draw.count("trim_saturated", saturated)
    return made


def _trim_with_errors(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    of, hardware = draw.settings, draw.hardware
    dark = DarkStage(stage, draw.layer, hardware)

    def write(target: np.ndarray, turn: int) -> np.ndarray:
        def normal(name: str, shape: tuple[int, ...], k: int) -> np.ndarray:
            return draw.normal(f"trim_{name}", shape, block=turn * MOST_TRIES + k)

        g, counts = written(target, of, hardware, normal)
        for name, count in counts.items():
            draw.count(name, count)
        return g

    left, count, asked = trim_with_errors(dark, hardware, write, spread(of, hardware))
    draw.count("trim_saturated", left)
    draw.count("trim_written", count)
    errors = errors_of(stage)
    if errors.written is not None:  # aging follows from what cells were to be, and were
        again = np.concatenate([np.zeros((len(stage.g) - len(asked), asked.shape[1])), asked])
        target = np.where(again > 0, again, errors.written.target)
        g = np.where(again > 0, dark.g, errors.written.g)
        errors = replace(errors, written=Written(target=target, g=g))
    return replace(stage, g=dark.g, errors=errors)


TRIM = Imperfection(
    name="trim",
    settings=(
        Setting(
            name="trim",
            about="``dark``: with every diode at 0 V the bias cells are programmed again until "
            "each output of each layer equals the software's; ``dark-real``: the same to the "
            "chip's levels and with its errors of programming, in a few rounds; ``none`` leaves "
            "them.",
            limit=f"{', '.join(TRIMS[:-1])} or {TRIMS[-1]}",
            fits=TRIMS.__contains__,
            default="none",
            words=TRIMS,
        ),
    ),
    draw=_trim,
    acts="trimmed",
    streams=tuple(f"trim_{name}" for name in STREAMS),
    counts={
        "trim_saturated": "outputs that the dark trim could not reach",
        "trim_written": "cells that the dark trim wrote",
    },
    seldom=("trim_written",),
    adjusts=True,
    reads=(PROGRAMMING, MEASURED, RANGE, WRITE_VERIFY),
)
