"""What chips with everything on cost: preset as-made beside rram, and what each part of it adds.

    python -m benchmarks as_made

mnist-d2, 10,000 images (the bundled ones ten times), the twin, one core, drawing included.
"""

from __future__ import annotations

from dataclasses import fields

from analogkan.engines.twin import one_torch_thread
from analogkan.imperfections import Variation, load_settings

from .measure import Row, beside
from .subjects import chips_of, subject
from .twin import MANY

PARTS: dict[str, tuple[str, ...]] = {
    "cells that bend": ("cell_v0", "cell_v_read"),
    "access transistors": ("r_access", "access_sigma", "access_v_ov"),
    "read noise": ("read_noise",),
    "converters": ("dac_", "adc_"),
    "noise of their samples": ("dac_ktc", "adc_ktc"),
    "fields and gradients": ("cell_length", "cell_slope", "diode_length", "diode_slope",
                             "offset_length"),
    "heat": ("heat_",),
    "coefficients of each cell": ("cell_tc1",),
    "a trim with errors": ("trim",),
}  # fmt: skip
"""Settings, or how they begin, that are left out together."""


def measured(quick: bool = False) -> list[Row]:
    """A chip of preset as-made, whole and without each part, over one of rram."""
    with subject(MANY, quick=quick) as of, one_torch_thread:
        base = of.build.hardware
        rram = chips_of(of.build, of.images)
        hardware, variation, conditions = load_settings("as-made", base=base)
        cases = {"as-made": variation}
        for part, names in PARTS.items():
            kept = {
                f.name: getattr(variation, f.name)
                for f in fields(variation)
                if not f.name.startswith(names)
            }
            cases[f"as-made without {part}"] = Variation(**kept)
        return [
            beside(
                f"{name}, a chip of {len(of.images):,} images with its draw",
                "rram",
                chips_of(of.build, of.images, (hardware, one, conditions)),
                rram,
                quick=quick,
            )
            for name, one in cases.items()
        ]
