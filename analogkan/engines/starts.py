# pyright: strict
"""Where Newton starts: at the macro-model's volts, where it finds nothing from zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from ..compiler.design import Design
from ..compiler.names import StageNames
from ..dialects.words import format_number
from .ideal import stage_volts


def format_starts(design: Design, volts: npt.NDArray[Any]) -> Iterator[str]:
    """``.nodeset`` of every op-amp's output and summing node, at inputs ``volts`` (I,)."""
    for k, (stage, at) in enumerate(
        zip(design.stages, stage_volts(design, volts[None]), strict=True)
    ):
        names, diodes = StageNames(design, k), stage.r_f.size
        rows = zip(names.rows()[:diodes], at.rows[0][:diodes], stage.kept.ravel(), strict=True)
        own = {row: v for row, v, kept in rows if kept}  # bias rows are held by sources
        pairs = [
            *own.items(),
            *((f"{row}_sum", 0.0) for row in own),
            *zip(names.lines(), at.lines[0], strict=True),
            *((net, 0.0) for net in names.sums()),
            *zip(names.outputs(), at.outputs[0], strict=True),
        ]
        for net, v in pairs:
            yield f".nodeset v({net})={format_number(float(v))}"
