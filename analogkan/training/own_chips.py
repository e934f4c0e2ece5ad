"""What a model that was trained for hardware reaches on the chips that it was trained for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..errors import CompileError
from ..imperfections import Conditions
from ..intervals import student
from ..network.spec import NetworkSpec
from ..text import interval, percent
from .chips import ThroughChips
from .noise import Disturbance, Noise

SAMPLES, SEED = 10, 0
"""The chips a model is measured on, those that ``montecarlo`` calls so; it has more."""


def chips_of(disturbance: Disturbance | None) -> ThroughChips | None:
    """The chips that a training with ``disturbance`` is for; of noise, on nominal hardware."""
    if isinstance(disturbance, Noise):
        return ThroughChips(Hardware(), disturbance.variation(), Conditions())
    assert disturbance is None or isinstance(disturbance, ThroughChips)
    return disturbance


def on_chips(
    chips: ThroughChips, spec: NetworkSpec, images: ImageSet, before: NetworkSpec | None
) -> dict[str, Any]:
    """Accuracy of ``spec`` on the one chip, also of the network ``before``; or on a few chips.

    A network that is no circuit on the hardware has a reason in the place of an accuracy: noise
    on coefficients trains it all the same.
    """
    if chips.chip is not None:
        found = {"chip_accuracy": chips.accuracy(spec, images)}
        if before is not None:
            found["chip_accuracy_before"] = chips.accuracy(before, images)
        return found
    told: dict[str, Any] = {"samples": SAMPLES, "seed": SEED, "n": len(images), "refused": ""}
    try:
        reached = np.array([chips.accuracy(spec, images, (SEED, m)) for m in range(SAMPLES)])
    except CompileError as error:
        told |= {"accuracy_mean": None, "accuracy_mean_ci95": None, "refused": str(error)}
        return {"own_chips": told}
    told["accuracy_mean"] = float(reached.mean())
    told["accuracy_mean_ci95"] = student(reached, least=0.0, most=1.0)
    return {"own_chips": told}


def card_rows(told: dict[str, Any]) -> dict[str, str]:
    """What a card says of the model's parent and chips."""
    rows = {}
    if "parent" in told:
        parent = told["parent"]
        rows["its parent"] = f"{percent(parent['accuracy'])} on {parent['images']}"
    if "own_chips" in told:
        rows["its own chips"] = f"{format_chips(told['own_chips'])}, on the same images"
    chip = {key: value for key, value in told.items() if key.startswith("chip_accuracy")}
    if chip:
        rows["its chip"] = ", ".join(f"{key} {percent(value)}" for key, value in chip.items())
    return rows


def format_chips(s: dict[str, Any]) -> str:
    """``own_chips`` as a sentence says it."""
    if s["refused"]:
        return f"not measured, {s['refused']}"
    within = f" ({interval(s['accuracy_mean_ci95'])}, 95 %)" if s["accuracy_mean_ci95"] else ""
    return (
        f"{percent(s['accuracy_mean'])}{within}, mean of chips 0 to {s['samples'] - 1}, seed "
        f"{s['seed']}, in the twin"
    )
