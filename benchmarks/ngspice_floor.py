"""What ngspice needs for a sweep: how its time goes with what a deck is made of, and how much is
spent around its analysis. mnist-d2, preset rram for the chip, one process.

Seconds of an analysis are those of the process's own account (``.option acct``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analogkan.compiler.circuit_files import write_deck
from analogkan.compiler.design import Design, build_design
from analogkan.compiler.names import logits
from analogkan.dialects import NGSPICE, Dialect
from analogkan.engines.analysis import INDEX_SWEEP, Asked
from analogkan.engines.ngspice import Runner, find_ngspice
from analogkan.imperfections import load_settings
from analogkan.imperfections.make import perturb

from .measure import Row, rounds, row, seconds, show
from .subjects import subject

IMAGES = 500
PLAIN = replace(NGSPICE, branches=False)
"""Diodes whose voltage is divided in their expression."""
TOLD = {
    "iterations": r"Total iterations = (\d+)",
    "analysis": r"Total analysis time \(seconds\) = (\S+)",
    "loading": r"Matrix load time = (\S+)",
}


class Run(NamedTuple):
    """Wall seconds of a process, and what it says of itself."""

    wall: float
    iterations: float
    analysis: float
    loading: float


def measured(quick: bool = False) -> list[Row]:
    """A chip over the design, the design over one with expressions, wall over analysis."""
    with subject(IMAGES, quick=quick) as of:
        spec, volts = of.build.spec, of.volts
        hardware, variation, conditions = load_settings("rram", base=of.build.hardware)
        chip, _ = perturb(
            build_design(spec, hardware), variation, conditions, spec=spec, seed=0, sample=0
        )
        ways = {
            "design": _way(of.build.one_deck().design, volts, of.folder / "design", NGSPICE),
            "plain": _way(of.build.one_deck().design, volts, of.folder / "plain", PLAIN),
            "chip": _way(chip, volts, of.folder / "chip", NGSPICE),
        }
        runs: dict[str, list[Run]] = {name: [] for name in ways}
        for k in range(rounds(quick)):
            for name in list(ways)[:: -1 if k % 2 else 1]:
                runs[name].append(ways[name]())
    n, program = len(volts), find_ngspice()
    each = runs["design"][0].iterations / n
    note = f"ngspice {program.version}, KLU {'yes' if program.klu else 'no'}"
    design = f"the design over {n} images, analysis"

    def analyses(a: str, b: str) -> list[tuple[float, float]]:
        return [(x.analysis, y.analysis) for x, y in zip(runs[a], runs[b], strict=True)]

    of_loading = [(x.loading, x.analysis) for x in runs["design"]]
    whole = [(x.wall, x.analysis) for x in runs["design"]]
    return [
        row(design, "diodes with expressions alone", analyses("design", "plain"), note),
        row(f"a chip over {n} images, analysis", "the design's", analyses("chip", "design")),
        row(f"the design over {n} images, wall", "its analysis", whole, "parsing included"),
        row(
            f"the design over {n} images, loading elements",
            "its analysis",
            of_loading,
            f"{each:.2f} iterations an image",
        ),
    ]


def _way(design: Design, volts: np.ndarray, folder: Path, say: Dialect) -> Callable[[], Run]:
    """Writes a design's deck; a call runs it over ``volts`` (B, I)."""
    folder.mkdir()
    write_deck(design, folder, say=say)
    text = INDEX_SWEEP.write(Asked(design=design, volts=volts, probes=logits(design)))
    deck = folder / "sweep.cir"
    deck.write_text(text.replace(".option klu", ".option klu acct"), encoding="utf-8")

    def run() -> Run:
        said = ""

        def once() -> None:
            nonlocal said
            said = Runner(find_ngspice()).run(deck, deck.with_suffix(".raw"), timeout=600)

        wall = seconds(once)
        told = {name: re.search(pattern, said) for name, pattern in TOLD.items()}
        return Run(wall, **{name: float(found[1]) for name, found in told.items() if found})

    return run


def main() -> None:
    show(measured())
