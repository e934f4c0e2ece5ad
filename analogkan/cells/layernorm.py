"""The cells of a LayerNorm."""

from __future__ import annotations

from .base import INPUT, OUTPUT, CellKind, Param, Pin

LAYERNORM = (
    CellKind(
        name="layernorm_input",
        pins=(Pin("in", INPUT), Pin("mean", OUTPUT, joined="in"), Pin("square", OUTPUT)),
        params=(Param("r", "ohm", "10k"),),
        block="layernorm input",
    ),
    CellKind(
        name="layernorm_core",
        pins=(Pin("square", INPUT), Pin("rms", OUTPUT)),
        params=(Param("eps", "V", "1e-5"),),
        block="layernorm core",
    ),
    CellKind(
        name="layernorm_output",
        pins=(Pin("in", INPUT), Pin("mean", INPUT), Pin("rms", INPUT), Pin("out", OUTPUT)),
        params=(Param("scale", "V", "1"), Param("shift", "V", "0")),
        block="layernorm output",
    ),
)
