"""What a reader should know of the images that a result is of: the same words in every study."""

from __future__ import annotations

import numpy as np
from scipy import stats

from ..compiler.build import Build
from ..data import ImageSet
from ..network.record import Reached, read_reached
from ..text import many, percent

CHANCE = 0.0005
"""An accuracy this improbable or less, were the images like the card's, is not chance: outside a
99.9 % interval. A thousand results bring half a false note."""
MOST_LISTED = 10
"""Classes that a note lists."""


def reached(build: Build, which: str) -> Reached | None:
    """What the model of ``build`` was measured to reach when it was trained (``card``), or the one
    that it was trained from (``parent``); None if the BUILD does not say."""
    return read_reached(
        build.summary["model"].get(which), f"{which} of the model in {build.folder}"
    )


def image_notes(build: Build, images: ImageSet, right: int) -> list[str]:
    """Notes on ``images``, of which the software of ``build`` has ``right`` right."""
    notes, spec, card = [], build.spec, reached(build, "card")
    if spec.dataset and images.name != spec.dataset:
        notes.append(f"the network was trained on {spec.dataset}")
    saturated = spec.encoding.saturated(images.flat(spec.encoding.shape))
    if saturated:
        notes.append(f"{saturated} input values saturate the DAC")
    notes += label_notes(images.y, spec.sizes[-1])
    if card is not None and far_below(right, len(images), card):
        notes.append(
            f"software is right on {percent(right / len(images))} of these "
            f"{many(len(images), 'image')}, on {percent(card.accuracy)} of the {card.n:,} of its "
            f"card ({card.images}): more than chance (99.9 %). Inputs of another unit, "
            "transposed or inverted images, or labels in another order do that"
        )
    return notes


def far_below(right: int, n: int, card: Reached) -> bool:
    """Whether ``right`` of ``n`` is less than chance makes of the card's accuracy.

    Fisher's exact test, one-sided: it holds at any n, and the card's own n counts.
    """
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
