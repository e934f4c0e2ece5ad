"""An op-amp from outside the package, of transistors: pins, and no closed form."""

from __future__ import annotations

from pathlib import Path

from analogkan.cells import INPUT, OUTPUT, SUPPLY, OpAmpKind, Pin

KIND = OpAmpKind(
    name="miller",
    lib=Path(__file__).with_suffix(".lib"),
    pins=(
        Pin("inp", INPUT),
        Pin("inn", INPUT),
        Pin("out", OUTPUT),
        Pin("vdd", SUPPLY),
        Pin("vss", SUPPLY),
    ),
)
