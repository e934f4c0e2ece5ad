"""What a reader should know of a result's images and models: the same words in every study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..compiler.build import Build
from ..compiler.closed_form import macro_models
from ..compiler.deck import OPAMP_PRESET
from ..data import ImageSet
from ..data.sources import DATASETS
from ..network.measures import distance, format_value
from ..network.record import Reached, read_reached
from ..network.targets import Targets
from ..physics.assumptions import Assumptions
from ..text import many, percent
from .points import representatives
from .replaced import replaced

if TYPE_CHECKING:
    from .study import Job, Plan

CHANCE = 0.0005
"""An accuracy this improbable or less, were the images like the card's, is not chance: outside a
99.9 % interval. A thousand results bring half a false note."""
FAR_ABOVE = 3.0
"""Times the card's RMSE from which on points are not like the card's; assumed."""
MOST_LISTED = 10
"""Classes that a note lists."""


def reached(build: Build, which: str) -> Reached | None:
    """What the model of ``build`` was measured to reach when it was trained (``card``), or the one
    that it was trained from (``parent``); None if the BUILD does not say."""
    return read_reached(
        build.summary["model"].get(which), f"{which} of the model in {build.folder}"
    )


def image_notes(build: Build, images: ImageSet, software: np.ndarray) -> list[str]:
    """Notes on ``images``, to which the software of ``build`` gives ``software`` (n, O)."""
    notes, spec, card = [], build.spec, reached(build, "card")
    notes += _other_data(build, images)
    saturated = spec.encoding.saturated(images.flat(spec.encoding.shape))
    if saturated:
        notes.append(f"{saturated} input values saturate the DAC")
    if spec.targets is not None:
        return notes + _value_notes(spec.targets, images, software, card)
    right = int((software.argmax(axis=1) == images.y).sum())
    notes += label_notes(images.y, spec.sizes[-1])
    if card is not None and card.accuracy is not None and far_below(right, len(images), card):
        notes.append(
            f"software is right on {percent(right / len(images))} of these "
            f"{many(len(images), 'image')}, on {percent(card.accuracy)} of the {card.n:,} of its "
            f"card ({card.images}): more than chance (99.9 %). Inputs of another unit, "
            "transposed or inverted images, or labels in another order do that"
        )
    return notes


def trained_on(build: Build) -> str:
    """The name of the data set, or of the file, that the network was trained on."""
    return Path(str(build.summary["model"].get("data", ""))).name or build.spec.dataset


def _other_data(build: Build, images: ImageSet) -> list[str]:
    """That ``images`` are of another data set, or of one of the same name that is not the file."""
    data, name = str(build.summary["model"].get("data", "")), build.spec.dataset
    trained, given = trained_on(build), Path(images.file).name
    if name and images.name != name:
        return [f"the network was trained on {trained}"]
    if not data or trained == (given or name):
        return []
    if given:
        return [f"the network was trained on {trained}, and these are of the file {images.file}"]
    if name not in DATASETS:  # a set that a program made
        return []
    return [
        f"the network was trained on the file {data}, and these are of {name}, which comes with "
        f"analogkan: --dataset {data} has that file"
    ]


def _value_notes(
    targets: Targets, images: ImageSet, software: np.ndarray, card: Reached | None
) -> list[str]:
    """Notes on the points of a regression."""
    rmse = distance(targets, images.y, targets.values(software), ci95=False).rmse
    if card is None or card.rmse is None or rmse <= FAR_ABOVE * card.rmse:
        return []
    return [
        f"software's RMSE is {format_value(rmse, card.unit)} on these "
        f"{many(len(images), 'point')}, {format_value(card.rmse, card.unit)} on the {card.n:,} of "
        f"its card ({card.images}): inputs or targets of another unit, or outside the range "
        "it was trained on, do that"
    ]


def far_below(right: int, n: int, card: Reached) -> bool:
    """Whether ``right`` of ``n`` is less than chance makes of the card's accuracy.

    Fisher's exact test, one-sided: it holds at any n, and the card's own n counts.
    """
    if right * card.n >= card.right * n:
        return False
    from scipy import stats  # which takes long to be loaded, and is seldom needed

    chance = stats.hypergeom.cdf(right, n + card.n, right + card.right, n)
    return bool(chance < CHANCE)


def label_notes(labels: np.ndarray, classes: int) -> list[str]:
    """Notes on ``labels`` (n,) that use only part of the ``classes`` outputs."""
    present = np.unique(labels)
    if len(present) == 1:
        return [f"every image is of class {present[0]}: accuracy says nothing of the others"]
    absent = np.setdiff1d(np.arange(classes), present)
    if not len(absent):
        return []
    listed = ", ".join(map(str, absent[:MOST_LISTED]))
    more = f" and {len(absent) - MOST_LISTED} more" if len(absent) > MOST_LISTED else ""
    what, it = (
        (f"class {listed} is", "it")
        if len(absent) == 1
        else (f"classes {listed}{more} are", "them")
    )
    shifted = np.array_equal(present, np.arange(1, present[-1] + 1))
    hint = "labels may start at 1" if shifted else f"accuracy says nothing of {it}"
    return [f"{what} absent: {hint}"]


def macro_notes(job: Job, plan: Plan) -> list[str]:
    """What is of a macro-model, where a setting has put another op-amp in its place, and where what
    is assumed is not what was measured."""
    own = job.build.hardware
    points = representatives(plan.points)
    found = sorted({macro_models(point.hardware) for point in points} - {""})
    alone = "the twin, trim, calibration, power, settling and noise have its macro-model alone"
    notes = [f"{of}: {alone}" for of in found]
    others = sorted({point.hardware.opamp for point in points} - {own.opamp})
    if own.amplifier.macro and others and "opamp" not in replaced(job):
        notes.append(
            f"opamp = {', '.join(others)} by setting, not the BUILD's {own.opamp}: "
            f"--set opamp={own.opamp} keeps that"
        )
    return notes + unmeasured(job)


def unmeasured(job: Job) -> list[str]:
    """That an op-amp is taken for what is assumed, though it was measured; or nothing."""
    preset = job.build.folder / OPAMP_PRESET
    if not isinstance(job.own, Assumptions) or job.own.i_quiescent or not preset.exists():
        return []
    return [
        "noise, input capacitance and quiescent current are assumed, not what was measured of "
        f"the op-amp: --preset {preset} has that"
    ]
