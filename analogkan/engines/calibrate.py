"""Calibration of a chip: each column's gain and offset, layer by layer, from measured vectors.

Unlike a correction of the logits it reaches hidden nodes. What it sets is analog: the gain of a
column's output amplifier, by its feedback, and a voltage at its input. ``read_out`` is such a
correction, from two points.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..compiler.chip import OpAmpErrors
from ..compiler.circuit import Circuit, Link
from ..compiler.columns import Columns
from ..compiler.converters import driven
from ..compiler.design import CrossbarStage, Design
from ..compiler.holds import Held, hold
from ..devices.curve import NOMINAL_TEMP_C
from ..intervals import regress
from ..network.spec import NetworkSpec
from .arithmetic import BLOCK
from .twin import Twin
from .twin_inputs import prepared

LEAST_GAIN = 0.2
"""Of what it should be: a column that answers less is broken, and is left as it is."""

TWO_POINTS = (0.1, 0.9)
"""Quantiles of an output at which it is measured: at its ends a function may be flat. Assumed."""


def calibrate_chain(
    chip: Circuit, volts: np.ndarray, index: np.ndarray, temp_c: float
) -> tuple[Circuit, int]:
    """``calibrate`` for each circuit of a chip, behind those already set; a convolution's columns
    with all its positions.

    Parameters
    ----------
    chip
        From ``perturb_chain``.
    volts, index
        (N, W) volts at the DACs, and the images' positions, for read noise.
    """
    links: list[Link] = []
    left = 0
    held, aim = Held(values=volts), volts  # what drives a section on the chip, and in software
    for section, several in chip.sections():
        points, numbers, aims = held.points(section), section.numbers(index), section.points(aim)
        found, wanted = [], []
        for link in several:
            design, broken = calibrate(link.design, link.spec, points, numbers, temp_c, aims)
            left += broken
            links.append(replace(link, design=design))
            if section == chip.links[-1].section:
                continue  # nothing follows
            twin = Twin([design], temp_c)
            inputs = prepared(driven(design, points, numbers, temp_c))
            found.append(twin.answers(inputs, numbers, BLOCK)[0])
            wanted.append(link.spec.forward_volts(aims))
        if found:
            held = hold(section, several, np.concatenate(found, axis=1), index, temp_c)
            aim = np.concatenate(wanted, axis=1).reshape(len(volts), -1)
    return Circuit(tuple(links)), left


def calibrate(
    chip: Design,
    spec: NetworkSpec,
    volts: np.ndarray,
    index: np.ndarray,
    temp_c: float,
    aims: np.ndarray | None = None,
) -> tuple[Design, int]:
    """A chip whose columns were measured and set at ``temp_c``, as old as it is.

    Stage by stage from the first, so that each is measured behind those already set. Each column
    gets the gain and the offset that bring its outputs closest to the software's.

    Parameters
    ----------
    chip
        From ``perturb``.
    spec
        The software.
    volts, index
        (N, I) volts at the inputs, and the images' positions, for read noise.
    aims
        (N, I) volts that the software has there, if they are held values.

    Returns
    -------
    Design, int
        And how many columns were left as they are.
    """
    wanted = spec.folded().layer_outputs(volts if aims is None else aims)
    inputs, left = prepared(driven(chip, volts, index, temp_c)), 0
    for k, target in enumerate(wanted):
        twin = Twin([chip], temp_c)
        found = twin.run(inputs, index).outputs[k][0].detach().numpy().T
        wanted_volts = target * chip.stages[k].unit
        columns = twin.stages[k].columns.of_first()
        dt = temp_c - NOMINAL_TEMP_C
        stage, broken = _set(chip.stages[k], columns, found, wanted_volts, dt)
        stages = (*chip.stages[:k], stage, *chip.stages[k + 1 :])
        chip, left = replace(chip, stages=stages), left + broken
    return chip, left


def _set(
    stage: CrossbarStage, columns: Columns, found: np.ndarray, wanted: np.ndarray, dt: float
) -> tuple[CrossbarStage, int]:
    """The stage with its output amplifiers set so that ``found`` becomes ``wanted`` (N, O)."""
    errors = stage.errors
    if errors is None:
        return stage, 0
    answer, _ = regress(wanted, found)
    broken = ~(answer >= LEAST_GAIN)  # also where it was not measured: software does not differ
    # What comes closest to the software, not what has its gain: errors that are no column's would
    # be amplified with it.
    scale, shift = regress(found, wanted)
    scale, shift = np.where(broken, 1.0, scale), np.where(broken, 0.0, shift)
    if not stage.readout.differences:
        lines = _set_summing(errors.lines, columns, scale, shift, dt)
        r_c = stage.r_c.copy()
        r_c[0::2] *= scale
        return replace(stage, r_c=r_c, errors=replace(errors, lines=lines)), int(broken.sum())
    ratio = stage.gain * scale
    # The output is (p - n) ratio + v (1 + ratio), v with its drift: all of it is scaled.
    volts = errors.diffs.offset_at(dt) * (1 + stage.gain) * scale + shift
    diffs = replace(errors.diffs, offset=volts / (1 + ratio) - errors.diffs.drift * dt)
    return replace(stage, gain=ratio, errors=replace(errors, diffs=diffs)), int(broken.sum())


def _set_summing(
    lines: OpAmpErrors, columns: Columns, scale: np.ndarray, shift: np.ndarray, dt: float
) -> OpAmpErrors:
    """The op-amps of a summing read-out where r_f becomes ``scale`` (O,) as large, with offsets at
    the positive ones that move the outputs by ``shift`` (O,) volts."""
    # The output has v (1 + r_f G), v with its drift, which is scaled with the rest.
    times = columns.r_c[0::2] * (columns.g + columns.coupled)[0::2]
    volts = lines.offset_at(dt)[0::2] * (1 + times) * scale + shift
    offset = lines.offset.copy()
    offset[0::2] = volts / (1 + scale * times) - lines.drift[0::2] * dt
    return replace(lines, offset=offset)


def two_points(software: np.ndarray) -> np.ndarray:
    """Places (2, O) of the vectors at which each output is measured, of those for which it is
    ``software`` (N, O)."""
    ends = np.round(np.array(TWO_POINTS) * (len(software) - 1)).astype(int)
    return np.argsort(software, axis=0, kind="stable")[ends]


def read_out(logits: np.ndarray, found: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, int]:
    """``logits`` (B, O) with the gain and the offset that take ``found`` (2, O) to ``wanted``.

    Returns
    -------
    ndarray, int
        And how many outputs were left as they are.
    """
    (low, high), (from_, to) = found, wanted
    broken = ~((to > from_) & (high - low >= LEAST_GAIN * (to - from_)))
    gain = (to - from_) / np.where(broken, 1.0, high - low)
    return np.where(broken, logits, from_ + gain * (logits - low)), int(broken.sum())
