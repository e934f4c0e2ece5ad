"""An op-amp from outside the package whose gain is known."""

from __future__ import annotations

from pathlib import Path

from analogkan.cells import INPUT, OUTPUT, OpAmpKind, Param, Pin

KIND = OpAmpKind(
    name="cascade",
    lib=Path(__file__).with_suffix(".lib"),
    pins=(Pin("inp", INPUT), Pin("inn", INPUT), Pin("out", OUTPUT)),
    params=(Param("gain", "V/V", "1e5"),),
    gain=lambda hardware: hardware.opamp_gain,
)
