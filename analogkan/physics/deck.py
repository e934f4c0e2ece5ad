# pyright: strict
"""The deck in time: one-pole op-amps, and the capacitors that direct current does not see.

Its cells and layers are those of the design, so its DC answer is too. The capacitors stand at the
top level; inside cells they reach by ngspice's names of inner nets, ``instance.net``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..cells.opamp import LINEAR, OPAMPS
from ..compiler.design import Design
from ..compiler.hardware import Hardware
from ..compiler.names import StageNames
from ..dialects import NGSPICE, Dialect
from ..dialects.words import format_number
from ..errors import SimulationError
from .assumptions import Assumptions
from .capacitors import Values, capacitors_of


def dynamic_design(design: Design) -> Design:
    """``design`` with one-pole op-amps in every amplifier, and what has a macro-model by that.

    Raises
    ------
    SimulationError
        If its op-amps are ideal, or of a kind whose bandwidth is not known.
    """
    design = _by_macro_model(design)
    hardware = design.hardware
    kind = hardware.amplifier
    moving = kind if kind.takes("gbw") else kind.in_time
    if moving is None:
        raise SimulationError(
            f"opamp = {hardware.opamp} declares no bandwidth, and settling and noise need one: "
            f"compile with --set opamp=linear, and with opamp_gain (now {hardware.opamp_gain:g}) "
            f"and gbw (now {hardware.gbw:g} Hz) as your amplifiers have them"
        )
    opamp = moving.railed if hardware.rails else moving.value
    return replace(design, hardware=replace(hardware, opamp=opamp))


def still_design(design: Design) -> Design:
    """``design`` with the op-amps that one-pole ones are at direct current, and what has a
    macro-model by that; others as they are."""
    design = _by_macro_model(design)
    hardware = design.hardware
    for kind in OPAMPS:
        if kind.in_time is hardware.amplifier:
            opamp = kind.railed if hardware.rails else kind.value
            return replace(design, hardware=replace(hardware, opamp=opamp))
    return design


def _by_macro_model(design: Design) -> Design:
    """``design`` with ``LINEAR`` op-amps where its own have a macro-model, their gain alone, pairs
    of transistors that are their current gain and Early voltage alone, and diodes by their tables.
    """
    if design.hardware.own_diodes:
        design = replace(design, hardware=replace(design.hardware, own_diodes=""))
    if design.hardware.transistor is not None:
        design = replace(design, hardware=replace(design.hardware, npn=Hardware.npn))
    hardware = design.hardware
    if not hardware.amplifier.macro:
        return design
    gain = hardware.opamp_gain_used
    return replace(design, hardware=replace(hardware, opamp=LINEAR.value, opamp_gain=gain))


def format_capacitors(
    design: Design, assumed: Assumptions, say: Dialect = NGSPICE
) -> Iterator[str]:
    """What ``capacitors_of`` every stage adds to the deck of ``dynamic_design``; none of 0 F."""
    for layer, stage in enumerate(design.stages):
        c, names = capacitors_of(stage, design.hardware, assumed), StageNames(design, layer)
        rows, kept = names.rows()[: stage.r_f.size], stage.kept
        lines, outputs = names.lines(), names.outputs()
        inner = ".lin" if design.hardware.rails else ""  # what a limiter stands behind
        row_outs = [f"x_{row}_amp{inner}" if inner else row for row in rows]
        line_outs = [f"{x}{inner}" for x in names.line_amps()] if inner else lines
        diffs = names.difference_amps()
        outputs = outputs[: len(diffs)]
        diff_outs = [f"{x}{inner}" for x in diffs] if inner else outputs
        more = kept * (c.rows - stage.c_f)  # beside the cell's own
        row_sums = [f"{row}_sum" for row in rows]
        inn, inp = ([f"{x}.{net}" for x in diffs] for net in ("inn", "inp"))
        ground = ["0"]
        for what, of, a, b, farads in (
            ("in", rows, row_sums, ground * len(rows), (kept * c.rows_in).ravel()),
            ("f", rows, row_sums, row_outs, more.ravel()),
            ("in", lines, names.sums(), ground * len(lines), c.lines_in),
            ("f", lines, names.sums(), line_outs, c.lines),
            ("inn", outputs, inn, ground * len(outputs), c.diffs_in),
            ("inp", outputs, inp, ground * len(outputs), c.diffs_in + c.diffs),
            ("f", outputs, inn, diff_outs, c.diffs),
        ):
            yield from _capacitors(what, of, a, b, farads, say)


def _capacitors(
    what: str, of: list[str], a: list[str], b: list[str], farads: Values, say: Dialect
) -> Iterator[str]:
    for k in np.flatnonzero(farads > 0):
        yield say.capacitor(f"c_{of[k]}_{what}", a[k], b[k], format_number(farads[k]))
