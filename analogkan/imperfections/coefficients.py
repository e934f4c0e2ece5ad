# pyright: strict
"""Temperature coefficients of the cells' resistance: a distribution, and another mean by state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .base import Draw, Imperfection, errors_of, upto

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage

MOST = 5e-3


def _spread(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    of, hardware = draw.settings, draw.hardware
    below = 1 - stage.g / hardware.cell_range[1]
    tc1 = hardware.cell_tc1 - of.cell_tc1_fall * below
    tc1 = tc1 + draw.normal("cell_tc1", stage.g.shape, of.cell_tc1_sigma)
    return replace(stage, errors=replace(errors_of(stage), cell_tc1=tc1))


COEFFICIENTS = Imperfection(
    name="temperature coefficients",
    in_datasheets=False,
    settings=(
        upto(MOST, "cell_tc1_sigma", "Of each cell's own first coefficient of resistance, around "
             "its state's mean, 1/K.", "1/K", later=True),
        upto(MOST, "cell_tc1_fall", "By how much that mean is lower at 0 S than ``cell_tc1``, "
             "which is at ``g_max``; in between by conductance, 1/K.", "1/K", later=True),
    ),
    draw=_spread,
    acts="read",
    streams=("cell_tc1",),
)  # fmt: skip
