"""The cells of a LayerNorm."""

from __future__ import annotations

from .base import INPUT, OUTPUT, CellKind, Param, Pin

R_MEAN = 10e3
"""Ohms of its averaging resistors."""
_ERRORS = (Param("gain", "", "1"), Param("vos", "V", "0"))
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
    CellKind(
        name="layernorm_input_real",
        pins=(Pin("in", INPUT), Pin("mean", OUTPUT, joined="in"), Pin("square", OUTPUT)),
        params=(Param("r", "ohm", "10k"), Param("rs", "ohm", "10k"), *_ERRORS),
        block="layernorm input",
    ),
    CellKind(
        name="layernorm_core_real",
        pins=(Pin("square", INPUT), Pin("rms", OUTPUT)),
        params=(Param("eps", "V", "1e-5"), *_ERRORS),
        block="layernorm core",
    ),
    CellKind(
        name="layernorm_output_real",
        pins=(Pin("in", INPUT), Pin("mean", INPUT), Pin("rms", INPUT), Pin("out", OUTPUT)),
        params=(Param("scale", "V", "1"), Param("shift", "V", "0"), *_ERRORS),
        block="layernorm output",
    ),
)
"""Those that end in ``_real`` have the errors of their parts: what virtual chips use."""
