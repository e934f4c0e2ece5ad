"""Chips of a RUN, drawn again from its settings, seed and their numbers, and run in the twin.

A RUN keeps a row of figures a chip, not its hidden nodes: what a page shows of them is worked out
when the page is made, on images that are at hand. Axes: n images, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..compiler.build import Build
from ..data import ImageSet
from ..engines.twin_engine import TwinEngine
from ..errors import AnalogKanError
from ..results import Listing
from ..studies.bench import Bench
from ..studies.entries import TWO_POINT
from ..studies.layers import twin_layers
from ..studies.points import Point
from ..studies.vectors import CALIBRATION_IMAGES, CALIBRATION_INDEX
from ..text import brief, percent
from ..threads import one_blas_thread
from .exhibits import MOST_SAID, Section, not_worked_out
from .runs import SIMULATE, Run

MOST_CELLS = 300_000
"""Of a circuit whose chips are drawn again: each takes as long as one of a study."""
MOST_STUDIES = 4
"""Of whose chips some are."""
MOST_WORK, FEWEST_IMAGES = 30_000_000, 16
"""Cells times images, of which a convolution's position is one; and images in any case."""
WHICH = ("worst", "median", "best")


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """How far a layer's outputs are from software's, in software's unit: root mean square, the
    largest, and the largest value in software."""

    rms: float
    most: float
    full: float

    def said(self) -> str:
        """Both as shares of the largest value."""
        if not self.full:
            return "–"
        rms, most = (percent(error / self.full) for error in (self.rms, self.most))
        return f"{rms}, at most {most}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Redrawn:
    """The design, or a chip.

    Attributes
    ----------
    of
        The study, by what it is called beside others; empty: the design's.
    name
        Such as ``chip 7, the worst``.
    layers
        On calibration images, layer by layer; empty if there are none.
    answers
        Logits (n, O) to the images of a simulation that a page shows; None: it shows none.
    corrected
        Whether its read-out is set at two points, which ``layers`` do not show.
    """

    of: str
    name: str
    layers: Mapping[int, Layer]
    answers: np.ndarray | None
    corrected: bool = False


def names_of(found: Sequence[Redrawn]) -> list[str]:
    """What each is called: with its study, where there are several."""
    several = len({one.of for one in found} - {""}) > 1
    return [f"{one.of}: {one.name}" if several and one.of else one.name for one in found]


def redrawn(build: Build, runs: Sequence[Run]) -> tuple[list[Redrawn], str]:
    """The design, and the worst, the median and the best chip of each Monte Carlo; or nothing, and
    why, which is empty where no RUN has chips."""
    studies = [run for run in runs if run.kind == "montecarlo"][:MOST_STUDIES]
    cells = build.summary["elements"]["crossbar_resistors"]
    if not studies:
        return [], ""
    if cells > MOST_CELLS:
        limit = f"chips are drawn again of at most {MOST_CELLS:,}"
        return [], f"the circuit has {cells:,} cells, and {limit}"
    shown = _shown(build, runs)
    found: list[Redrawn] = []
    try:
        with one_blas_thread:
            for run in studies:
                hardware, variation, conditions = run.settings()
                point = Point(
                    hardware=hardware, variation=variation, conditions=conditions, sample=None
                )
                seen = _Seen(build, run, shown)
                if not found:
                    design = replace(point, hardware=build.hardware)
                    found.append(seen.of(design, "", "the design"))
                label = run.label or run.summary.get("preset") or ""
                found += [
                    seen.of(replace(point, sample=number), label, f"chip {number}, the {which}")
                    for number, which in telling_chips(run)
                ]
    except AnalogKanError as error:  # no closed form, or a setting that this circuit cannot have
        return [], brief(str(error), MOST_SAID).strip("'\"")
    return found, ""


def telling_chips(run: Run) -> list[tuple[int, str]]:
    """Numbers of the worst, the median and the best chip, and which each is; each chip once."""
    good = [row for row in run.rows if row["status"] == "ok" and row["sample"] is not None]
    order = sorted(good, key=lambda row: row.get("accuracy", -row.get("rmse", 0.0)))
    if not order:
        return []
    places = (0, (len(order) - 1) // 2, len(order) - 1)
    found: dict[int, str] = {}
    for place, which in zip(places, WHICH, strict=True):
        found.setdefault(int(order[place]["sample"]), which)
    return list(found.items())


def _shown(build: Build, runs: Sequence[Run]) -> ImageSet | None:
    """The images of the first simulation that a page shows, with their classes."""
    if build.spec.targets is not None:
        return None
    for run in runs:
        if run.kind == SIMULATE and len(run.arrays["shown"]):
            a, at = run.arrays, run.arrays["shown"].astype(int)
            return ImageSet(
                name=run.summary["dataset"], x=a["shown_x"], y=a["labels"][at], index=a["index"][at]
            )
    return None


class _Seen:
    """What chips of a RUN are shown."""

    def __init__(self, build: Build, run: Run, shown: ImageSet | None) -> None:
        spec = build.spec
        self._two_point = run.summary.get("calibration") == TWO_POINT
        x = _calibration(build)
        self._layered = self._bench(build, run, _unlabelled(build, x)) if len(x) else None
        self._shown = None if shown is None else self._bench(build, run, shown)
        self._software = (
            [] if self._layered is None else spec.folded().layer_outputs(self._layered.volts)
        )

    @staticmethod
    def _bench(build: Build, run: Run, images: ImageSet) -> Bench:
        way = run.summary.get("calibration")
        return Bench(build, images, TwinEngine(), seed=run.summary["seed"], calibrate=way)

    def of(self, point: Point, study: str, name: str) -> Redrawn:
        """The chip of ``point``."""
        layers: dict[int, Layer] = {}
        if self._layered is not None:
            bench = self._layered
            chip, _ = bench.chip(point)
            volts = bench.volts_of(point.hardware)
            given, _ = twin_layers(chip, volts, bench.index, point.conditions.temp_c)
            layers = {k: _off(self._software[k], given[k]) for k in sorted(given)}
        answers = None if self._shown is None else self._shown.read(point)
        corrected = point.sample is not None and self._two_point
        return Redrawn(of=study, name=name, layers=layers, answers=answers, corrected=corrected)


def _calibration(build: Build) -> Any:
    """Inputs (n, I) that the network was compiled with, fewer of a large circuit."""
    x = build.spec.calibration
    if x is None:
        return ()
    work = sum(section.positions for section in build.sections) / len(build.sections)
    cells = build.summary["elements"]["crossbar_resistors"]
    most = max(FEWEST_IMAGES, int(MOST_WORK / (work * cells + 1)))
    return x[: min(CALIBRATION_IMAGES, most)]


def _off(software: np.ndarray, given: np.ndarray) -> Layer:
    error = given - software.reshape(given.shape)
    return Layer(
        rms=float(np.sqrt(np.mean(error**2))),
        most=float(np.abs(error).max()),
        full=float(np.abs(software).max()),
    )


def _unlabelled(build: Build, x: Any) -> ImageSet:
    """Calibration images, whose classes or targets nobody knows: 0."""
    targets = build.spec.targets
    y, names = np.zeros(len(x), np.int64), ()
    if targets is not None:
        y, names = np.zeros((len(x), len(targets))), tuple(
            zip(targets.names, targets.units, strict=True)
        )  # fmt: skip
    index = CALIBRATION_INDEX + np.arange(len(x))
    return ImageSet(name="calibration", x=np.asarray(x), y=y, index=index, targets=names)


def layers_section(build: Build, found: Sequence[Redrawn], why: str) -> list[Section]:
    """Errors layer by layer, of the design and of chips; or ``why`` there are none."""
    what = "images" if build.spec.targets is None else "points"
    read = (
        " Outputs are as they are before a read-out that is set at two points."
        if any(one.corrected for one in found)
        else ""
    )
    title, name = "Errors, layer by layer", "layer-errors"
    if why:
        return [not_worked_out(name, title, why)]
    if not found or not found[0].layers:
        return []
    last = max(found[0].layers)
    heads = [f"layer {k}, {'outputs' if k == last else 'hidden nodes'}" for k in found[0].layers]
    rows = [
        (called, *(layer.said() for layer in one.layers.values()))
        for called, one in zip(names_of(found), found, strict=True)
    ]
    return [
        Section(
            name=name,
            title=title,
            words=[
                "Root mean square and largest difference from software, as shares of the layer's "
                f"largest value in software, on {len(_calibration(build))} calibration "
                f"{what} of the network.{read}",
                "Chips are drawn again from the RUN's settings, seed and number, and run in the "
                "twin, the circuit's closed form: a RUN keeps no hidden nodes of chips.",
            ],
            table=Listing(("", *heads), rows),
        )
    ]
