"""What ngspice needs for a sweep: how its time goes with what a deck is made of, and how much is
spent around its analysis. mnist-d2, preset rram for the chip, one process.

Seconds of an analysis are those of the process's own account (``.option acct``).
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analogkan.compiler.circuit_files import write_deck
from analogkan.compiler.design import Design, build_design
from analogkan.compiler.names import logits
from analogkan.dialects import NGSPICE, Dialect
from analogkan.engines.analysis import INDEX_SWEEP, Asked
from analogkan.engines.ngspice import HUGE_PAGES, TUNABLES, Runner, find_ngspice
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
    """What the design gains by each change, a chip over the design, wall over analysis."""
    with subject(IMAGES, quick=quick) as of:
        spec, volts, design = of.build.spec, of.volts, of.build.one_deck().design
        hardware, variation, conditions = load_settings("rram", base=of.build.hardware)
        chip, _ = perturb(
            build_design(spec, hardware), variation, conditions, spec=spec, seed=0, sample=0
        )
        decks = {
            "design": _written(design, volts, of.folder / "design", NGSPICE),
            "plain": _written(design, volts, of.folder / "plain", PLAIN),
            "chip": _written(chip, volts, of.folder / "chip", NGSPICE),
        }
        ways = {name: partial(_run, deck, "1") for name, deck in decks.items()}
        ways["small pages"] = partial(_run, decks["design"], "0")
        ways["both"] = partial(_run, decks["plain"], "0")
        runs: dict[str, list[Run]] = {name: [] for name in ways}
        for k in range(rounds(quick)):
            for name in list(ways)[:: -1 if k % 2 else 1]:
                runs[name].append(ways[name]())
    n, program = len(volts), find_ngspice()
    note = f"ngspice {program.version}, KLU {'yes' if program.klu else 'no'}"
    each = f"{runs['design'][0].iterations / n:.2f} iterations an image"
    what = f"the design over {n} images"

    def analyses(a: str, b: str) -> list[tuple[float, float]]:
        return [(x.analysis, y.analysis) for x, y in zip(runs[a], runs[b], strict=True)]

    loading = [(x.loading, x.analysis) for x in runs["design"]]
    whole = [(x.wall, x.analysis) for x in runs["design"]]
    share = row(f"{what}, loading elements", "its analysis", loading, each)
    share["of"] = "share of time"
    plain, small = "diodes with expressions alone", "pages of 4 kB"
    return [
        row(f"{what}, analysis", f"{plain}, {small}", analyses("design", "both"), note),
        row(f"{what}, analysis", plain, analyses("design", "plain")),
        row(f"{what}, analysis", small, analyses("design", "small pages")),
        row(f"a chip over {n} images, analysis", "the design's", analyses("chip", "design")),
        row(f"{what}, wall", "its analysis", whole, "one process, parsing included"),
        share,
    ]


def _written(design: Design, volts: np.ndarray, folder: Path, say: Dialect) -> Path:
    """The deck of a design over ``volts`` (B, I)."""
    folder.mkdir()
    write_deck(design, folder, say=say)
    text = INDEX_SWEEP.write(Asked(design=design, volts=volts, probes=logits(design)))
    deck = folder / "sweep.cir"
    deck.write_text(text.replace(".option klu", ".option klu acct"), encoding="utf-8")
    return deck


def _run(deck: Path, pages: str) -> Run:
    """A run of ``deck`` with small ``pages``, 0, or large ones, 1."""
    before, said = os.environ.get(TUNABLES), ""

    def once() -> None:
        nonlocal said
        said = Runner(find_ngspice()).run(deck, deck.with_suffix(".raw"), timeout=600)

    os.environ[TUNABLES] = f"{HUGE_PAGES}={pages}"
    try:
        wall = seconds(once)
    finally:
        os.environ.pop(TUNABLES)
        os.environ.update({} if before is None else {TUNABLES: before})
    found = {name: re.search(pattern, said) for name, pattern in TOLD.items()}
    return Run(wall, **{name: float(match[1]) for name, match in found.items() if match})


def main() -> None:
    show(measured())
