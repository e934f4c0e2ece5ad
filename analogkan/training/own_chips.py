"""What a model that was trained for hardware reaches on the chips that it was trained for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..errors import CompileError
from ..imperfections import Conditions
from ..intervals import student
from ..network.measures import format_value, unit_of
from ..network.record import read_reached
from ..network.spec import NetworkSpec
from ..text import interval, percent
from .noise import Disturbance, Noise
from .through_chips import ThroughChips

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
    """What ``spec`` reaches on the one chip or on a few, and what the network ``before`` it did.

    A network that is no circuit on the hardware has a reason in the place of a figure: noise on
    coefficients trains it all the same.
    """
    measure = "accuracy" if spec.targets is None else "rmse"
    if chips.chip is not None:
        found = {f"chip_{measure}": chips.reached(spec, images)}
        if before is not None:
            found[f"chip_{measure}_before"] = chips.reached(before, images)
        return found
    told: dict[str, Any] = {"samples": SAMPLES, "seed": SEED, "n": len(images), "refused": ""}
    if spec.targets is not None:
        told["unit"] = unit_of(spec.targets)
    mean, ci95 = f"{measure}_mean", f"{measure}_mean_ci95"
    most = 1.0 if spec.targets is None else np.inf
    for network, suffix in ((before, "_before"), (spec, "")):
        if network is None:
            continue
        try:
            reached = np.array([chips.reached(network, images, (SEED, m)) for m in range(SAMPLES)])
        except CompileError as error:
            if not suffix:
                return {"own_chips": told | {mean: None, ci95: None, "refused": str(error)}}
            continue
        pair = student(reached, least=0.0, most=most)
        told |= {f"{mean}{suffix}": float(reached.mean()), f"{ci95}{suffix}": pair}
    return {"own_chips": told}


def card_rows(told: dict[str, Any], unit: str = "") -> dict[str, str]:
    """What a card says of the model's parent and chips; ``unit`` is a regression's."""
    rows = {}
    if "parent" in told:
        parent = read_reached(told["parent"], "parent")
        assert parent is not None
        rows["its parent"] = f"{parent.said} on {parent.images}"
    if told.get("before") not in (None, told.get("parent")):
        before = read_reached(told["before"], "before")
        assert before is not None
        rows["before this training"] = f"{before.said} on {before.images}"
    if "own_chips" in told:
        rows["its own chips"] = f"{format_chips(told['own_chips'])}, on the same images"
    chip = {key: value for key, value in told.items() if key.startswith("chip_")}
    if chip:
        rows["its chip"] = ", ".join(
            f"{key} {format_reached(key, value, unit)}" for key, value in chip.items()
        )
    return rows


def format_reached(key: str, value: float, unit: str) -> str:
    """A figure of a chip, which ``key`` names, as a sentence has it."""
    return percent(value) if "accuracy" in key else format_value(value, unit)


def format_chips(s: dict[str, Any]) -> str:
    """``own_chips`` as a sentence says it."""
    if s["refused"]:
        return f"not measured, {s['refused']}"
    before = f", before {_format_mean(s, '_before')}" if _before(s) is not None else ""
    return (
        f"{_format_mean(s, '')}{before}, mean of chips 0 to {s['samples'] - 1}, "
        f"seed {s['seed']}, in the twin"
    )


def worse(s: dict[str, Any]) -> bool:
    """Whether ``own_chips`` are worse in the mean than those of the model it was trained from."""
    before, now = _before(s), s.get("accuracy_mean", s.get("rmse_mean"))
    if before is None or now is None:
        return False
    return now < before if "accuracy_mean" in s else now > before


def _before(s: dict[str, Any]) -> float | None:
    return s.get("accuracy_mean_before", s.get("rmse_mean_before"))


def _format_mean(s: dict[str, Any], suffix: str) -> str:
    """The mean with its interval."""
    measure = "accuracy" if "accuracy_mean" in s else "rmse"
    mean, pair = s[f"{measure}_mean{suffix}"], s[f"{measure}_mean_ci95{suffix}"]
    if measure == "accuracy":
        said, within = percent(mean), interval(pair)
    else:
        said = f"RMSE {format_value(mean, s['unit'])}"
        within = pair and " to ".join(format_value(end, s["unit"]) for end in pair)
    return f"{said}{f' ({within}, 95 %)' if within else ''}"
