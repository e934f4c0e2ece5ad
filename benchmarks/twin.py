"""The twin against ngspice on chips of mnist-d2 under the rram preset, one core each.

A chip of the twin's is what a study does for it: drawn, evaluated on 10,000 images, judged.
"""

from __future__ import annotations

import numpy as np

from analogkan.compiler.design import Design, build_design
from analogkan.engines.chip_engines import NgspiceEngine
from analogkan.engines.ngspice import find_ngspice
from analogkan.engines.twin_engine import TwinEngine
from analogkan.imperfections import load_settings
from analogkan.imperfections.make import perturb

from .measure import Row, Way, among
from .subjects import Subject, chips_of, subject

MANY, IMAGES = 10_000, 200
"""Images of a chip of the twin's, and of ngspice's."""


def measured(quick: bool = False) -> list[Row]:
    """Seconds a chip and image of the twin over ngspice's."""
    program = find_ngspice()
    with subject(MANY, quick=quick) as of:
        n, chip = min(IMAGES, len(of.images)), drawn(of)
        ngspice, twin = NgspiceEngine(program, of.folder), TwinEngine()
        volts, index, temp_c = of.volts[:n], of.images.index[:n], 26.85
        answers = [engine.logits(chip, volts, index, temp_c) for engine in (ngspice, twin)]
        note = f"{n} images a chip; logits within {np.abs(answers[0] - answers[1]).max():.0e}"
        ours = Way(
            f"twin, a chip of {len(of.images):,} images with its draw, a chip and image",
            chips_of(of.build, of.images),
            len(of.images),
        )
        theirs = Way(
            f"ngspice {program.version}, the same circuit",
            lambda: ngspice.logits(chip, volts, index, temp_c),
            n,
            note,
        )
        return among(ours, [theirs], quick=quick)


def drawn(of: Subject) -> Design:
    """Chip 0 under rram."""
    spec = of.build.spec
    hardware, variation, conditions = load_settings("rram", base=of.build.hardware)
    design = build_design(spec, hardware)
    return perturb(design, variation, conditions, spec=spec, seed=0, sample=0)[0]
