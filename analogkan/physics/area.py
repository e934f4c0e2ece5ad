# pyright: strict
"""A proxy of a circuit's area: its op-amps, cells, capacitors and resistors at assumed sizes.

Diodes, transistor pairs, LayerNorm's cells, converters and holds are left out, and so is all that
joins blocks. A convolution is one circuit.
"""

from __future__ import annotations

from ..compiler.circuit import Circuit
from ..compiler.counts import element_counts
from ..compiler.design import Design
from .assumptions import Assumptions
from .capacitors import capacitors_of
from .settling_twin import OPAMP


def area_of(circuit: Circuit, assumed: Assumptions) -> dict[str, float]:
    """um^2 by block, and in ``total``.

    ``op_amps`` are those of rows, lines, differences and squash cells, ``capacitors`` what stands
    beside feedbacks (``Capacitors``), ``resistors`` the feedbacks and the difference amplifiers',
    or r_x.
    """
    blocks = "op_amps", "cells", "capacitors", "resistors"
    found: dict[str, float] = dict.fromkeys(blocks, 0.0)
    for link in circuit.links:
        for block, um2 in _of_design(link.design, assumed).items():
            found[block] += um2
    return {"total": sum(found.values()), **found}


def _of_design(design: Design, assumed: Assumptions) -> dict[str, float]:
    counts, hardware = element_counts(design), design.hardware
    op_amps, farads, ohms = counts["op_amps"], 0.0, 0.0
    for stage in design.stages:
        squash = stage.front.squash
        if squash.kind != "none":
            text = squash.cell.text
            op_amps += int(stage.driven.sum()) * len(OPAMP.findall(text))
        c = capacitors_of(stage, hardware, assumed)
        farads += float(c.rows[stage.kept].sum() + c.lines.sum() + 2 * c.diffs.sum())
        ohms += float(stage.r_f[stage.kept].sum() + stage.r_c.sum())
        more = stage.r_x
        if stage.readout.differences:
            more = 2 * hardware.r_diff * (1 + stage.gain)
        ohms += float(more.sum())
    return {
        "op_amps": op_amps * assumed.area_opamp,
        "cells": counts["crossbar_resistors"] * assumed.area_cell,
        "capacitors": farads / assumed.area_farad,
        "resistors": ohms / assumed.area_ohm,
    }
