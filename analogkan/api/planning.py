# pyright: strict
"""Settings that keep to limits at the least energy, area or time."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from os import PathLike
from typing import Any

from ..compiler.hardware import Hardware
from ..compiler.presets import preset_table
from ..data import ImageSet
from ..errors import SettingsError
from ..imperfections import Conditions, Variation
from ..objects import require_type
from ..physics import Assumptions
from ..studies.plan import plan as of_plans
from ..studies.plan_result import Planned
from ..text import brief
from . import given
from .chip_studies import run
from .given import AnyBuild, AnyPath, AnyPreset, Values


def plan(
    build: AnyBuild,
    images: ImageSet,
    *,
    loss: float = 0.2,
    objective: str = "energy",
    criterion: str = "bits",
    budget: Mapping[str, float] | None = None,
    least_yield: float | None = None,
    flips: float = 0.001,
    free: Mapping[str, tuple[float, float]] | None = None,
    tries: int = 300,
    few: int = 8,
    samples: int = 24,
    preset: AnyPreset | None = None,
    hardware: AnyPath | Hardware | Values | None = None,
    variation: AnyPath | Variation | Values | None = None,
    conditions: AnyPath | Conditions | Values | None = None,
    assumptions: Assumptions | Values | None = None,
    engine: str = "twin",
    precision: str = "auto",
    device: str = "cpu",
    memory_gb: float = 4.0,
    jobs: int | None = None,
    seed: int = 0,
    judge: str = "3x50",
    executor: str = "local",
    scheduler: str = "",
    out: AnyPath | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Planned:
    """Search settings that cost least energy, area or time, for a loss that you allow.

    Parameters
    ----------
    build, images, engine, precision, device, memory_gb, jobs, seed
        As for ``montecarlo``.
    executor, scheduler, out, resume, progress
        As for ``montecarlo``.
    loss
        Points of mean accuracy that chips may lose to the same chips of the circuit as it is; of a
        regression RMSE, in per cent of span.
    objective
        What is made least: ``energy``, ``area`` or ``latency``.
    criterion
        What outputs settle to: the ``bits`` of the assumptions, or as many as half the ``margin``
        of one image in twenty needs.
    budget
        The most that a figure may be: ``{"settling_s": 2e-6}``.
    least_yield
        Share of chips that are good, at least.
    flips
        Probability that noise flips a class, at most.
    free
        Numbers of hardware and assumptions that may be moved beside the usual, or in another range:
        ``{"gm_id": (15, 22)}``. What ``hardware`` or ``assumptions`` name is fixed.
    tries, few, samples
        Candidates; images of each that settle; chips of each that is reported.
    preset, hardware, variation, conditions
        As for ``montecarlo``.
    assumptions
        As for ``datasheet``.
    judge
        ``CHIPSxIMAGES``: ngspice repeats power and a chip's outputs on so many images of every
        circuit that is reported, with ``.tran`` and ``.noise`` of one; or ``none``.

    Raises
    ------
    StudyError
        If nothing keeps to the limits: the nearest, and what binds.
    AnalogKanError
        As for ``montecarlo``.

    Examples
    --------
    >>> planned = ak.plan(
    ...     "mnist-d2.build", ak.load_bundled()[:20], loss=10, tries=3, samples=2, judge="none"
    ... )
    >>> planned.chosen["energy_j"] < planned.as_it_is["energy_j"]
    True
    """
    wanted = "figures and the most of each, {'settling_s': 2e-6}"
    require_type(budget, (Mapping, type(None)), "budget", wanted)
    require_type(free, (Mapping, type(None)), "free", "settings and ranges, {'gm_id': (15, 22)}")
    own = given.assumption_texts(assumptions)
    if isinstance(assumptions, Assumptions):  # as of Hardware: what is otherwise is named
        path = isinstance(preset, (str, PathLike))
        there = preset_table(str(preset), "assumptions")[0] if path else {}
        usual = given.assumption_texts(Assumptions())
        own = [text for text in own if text not in usual or text.partition("=")[0] in there]
    most = [f"{name}={_number(value, f'budget {name}')}" for name, value in (budget or {}).items()]
    moved = [f"{name}={_range(name, pair)}" for name, pair in (free or {}).items()]
    asked = {name: value for name, value in locals().items() if name not in ("own", "most")}
    texts = {"budget": ",".join(most), "free": ",".join(moved)}
    named: Mapping[str, Any] = hardware if isinstance(hardware, Mapping) else {}

    def settings(found: list[str]) -> list[str]:
        """With what is named though it is so already: that is fixed too."""
        there = {one.partition("=")[0] for one in found}
        return [*found, *(f"{k}={v}" for k, v in named.items() if k not in there), *own]

    return run(of_plans, asked | texts, texts=settings)


def _number(value: Any, name: str) -> str:
    require_type(value, numbers.Real, name, "a number")
    return repr(float(value))


def _range(name: str, pair: Any) -> str:
    """``LO:HI`` of two numbers."""
    try:
        low, high = pair
    except (TypeError, ValueError):
        raise SettingsError(
            f"free {name} = {brief(pair)} is no range: give the least and the most, (15, 22)"
        ) from None
    return f"{_number(low, f'free {name}')}:{_number(high, f'free {name}')}"
