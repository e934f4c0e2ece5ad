"""Where op-amps are of transistors: to the next image in a step or in parts of one, and the first
image cold or from the macro-model's volts. Newton's iterations, and seconds.

Op-amps are named by the variable OPAMPS, such as OPAMPS=gf180_class_a,gf180_class_ab.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import analogkan as ak
from analogkan import cells
from analogkan.compiler.circuit_files import write_deck
from analogkan.compiler.design import Design
from analogkan.compiler.names import StageNames, logits
from analogkan.dialects import NGSPICE
from analogkan.engines.analysis import INDEX_SWEEP, Asked
from analogkan.engines.ideal import stage_volts
from analogkan.engines.ngspice import Runner, find_ngspice
from analogkan.errors import SimulationError

STEPS = (1, 2, 4, 8, 16, 32)
LIMIT = 600.0
"""Seconds for a run."""


def start_values(design: Design, volts: np.ndarray) -> Iterator[str]:
    """``.nodeset`` of the op-amps' outputs and summing nodes, by the macro-model."""
    for k, at in enumerate(stage_volts(design, volts[:1])):
        names, stage = StageNames(design, k), design.stages[k]
        rows = [row for row, own in zip(names.rows(), stage.there, strict=True) if own]
        rows = rows[: int(stage.kept.sum())]
        own = dict(zip(names.there(names.rows()), at.rows[0][stage.there], strict=True))
        for net, v in [
            *((row, own[row]) for row in rows),
            *((f"{row}_sum", 0.0) for row in rows),
            *zip(names.lines(), at.lines[0], strict=True),
            *((net, 0.0) for net in names.sums()),
            *zip(names.outputs(), at.outputs[0], strict=True),
        ]:
            yield f".nodeset v({net})={float(v)!r}"


def run(folder: Path, design: Design, volts: np.ndarray, more: str = "") -> tuple[int, float]:
    """Newton's iterations and seconds of a sweep over ``volts`` (n, I), or of one image."""
    asked = Asked(design=design, volts=volts, probes=logits(design), dialect=NGSPICE)
    text = INDEX_SWEEP.write(asked).replace(".option klu", f".option klu acct\n{more}")
    if len(volts) == 1:
        text = re.sub(r"(?m)^\.dc .*$", ".op", text)
    deck = folder / "steps.cir"
    deck.write_text(text, encoding="utf-8")
    began = time.perf_counter()
    Runner(find_ngspice()).run(deck, folder / "steps.raw", timeout=LIMIT)
    seconds = time.perf_counter() - began
    found = re.search(r"Total iterations = (\d+)", deck.with_suffix(".log").read_text())
    return int(found[1]) if found else 0, seconds


def main() -> None:
    images = ak.load_bundled()[:3]
    for opamp in os.environ.get("OPAMPS", "two_stage_level1").split(","):
        print(f"{opamp}: mnist-d2, images 0 to 2")
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            build = ak.compile("mnist-d2", folder / "b", cell={"opamp": opamp}, progress=False)
            kind, design = build.hardware.amplifier, build.design
            volts = build.spec.dac_volts(images.flat(build.spec.encoding.shape))
            write_deck(design, folder, 26.85)
            told = "\n".join(start_values(design, volts))
            cold = run(folder, design, volts[:1])
            for name, (iterations, seconds) in (
                ("cold", cold), ("from the macro-model", run(folder, design, volts[:1], told)),
            ):  # fmt: skip
                print(f"  first image, {name}: {iterations} iterations, {seconds:.1f} s")
            for steps in STEPS:
                cells.unregister(kind.name)
                cells.own(replace(kind, steps=steps))
                try:
                    iterations, seconds = run(folder, design, volts)
                except SimulationError as error:
                    print(f"  {steps:3d} steps an image: {error}")
                    continue
                each = (iterations - cold[0]) / 2, (seconds - cold[1]) / 2
                print(f"  {steps:3d} steps: {each[0]:.0f} iterations and {each[1]:.1f} s an image")


if __name__ == "__main__":
    main()
