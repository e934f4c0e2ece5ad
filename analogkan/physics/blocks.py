# pyright: strict
"""Names of the blocks of a circuit that dissipate, deliver and make noise. Light, for help."""

from __future__ import annotations

DISSIPATED = (
    "diodes",
    "row_feedback",
    "cells",
    "wires",
    "drivers",
    "line_feedback",
    "differences",
    "layernorm",
    "squash",
)
"""Blocks that dissipate."""
CROSSBAR = ("cells", "wires", "drivers")
"""Those of them that are one where wires are reduced."""
AMPLIFIERS = ("rows", "lines", "differences", "squash")
"""Blocks that op-amps drive."""
SOURCES = ("bias_rows", "dacs", "layernorm")
"""Blocks that something else drives, whose own quiescent power is not counted."""
DELIVERED = ("dacs", "bias_rows", "rows", "lines", "differences", "layernorm", "squash")
"""Blocks whose sources deliver; of rows, lines and differences their amplifiers."""
NOISY = (
    "diodes",
    "row feedback",
    "row op-amps",
    "cells",
    "line feedback",
    "line op-amps",
    "difference resistors",
    "difference op-amps",
    "squash",
    "layernorm",
    "held",
)
"""Blocks that are noisy; ``cells`` are all resistors between rows and summing nodes, wires among
them."""
