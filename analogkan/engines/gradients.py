"""Derivatives of what chips answer in all coordinates of their draws; see ``coordinates``.

Axes: n figures, B images, O outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..compiler.circuit import Circuit
from ..compiler.design import CrossbarStage
from ..coordinates import Key, Linear, Listing
from ..errors import SettingsError
from ..network.measures import in_unit
from ..network.spec import NetworkSpec
from ..streams import Place, Source
from ..threads import one_blas_thread
from .traced import Traced
from .traced_chip import TracedChip
from .twin import one_torch_thread

MOST_NUMBERS = 500_000_000
"""Slopes that are kept; of float32, 2 GB."""
WORK = 4e6
"""Volts of rows, of all images of a block, for each of their figures."""
DEGREES = 20
"""About as many numbers stand for a row before cells with access devices."""
MOST_BLOCK = 64
"""Figures in a block."""


@dataclass(frozen=True, eq=False)
class Linearised(Linear):
    """What ``linearise`` found.

    Attributes
    ----------
    logits
        (B, O) of the chip in the middle, as they are read.
    notes
        What its slopes are without, a sentence each.
    """

    logits: np.ndarray
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Gradient:
    """What ``gradient`` found.

    Attributes
    ----------
    value
        Of the function, at the chip.
    slopes
        What it grows by with each coordinate, by their keys.
    notes
        What they are without, a sentence each.
    """

    value: float
    slopes: dict[Key, np.ndarray]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Middle(Listing):
    """The chip in the middle, whose noise at every read is that of chip 0."""

    def reading(self, place: Place) -> Place:
        """See ``streams.Source``."""
        return place.of(0)


def linearise(
    bench: Any, point: Any, images: Sequence[int] | None = None, *, frozen: bool = False
) -> Linearised:
    """The signed margins of a classifier, or the errors of a regression, as if they were linear.

    Parameters
    ----------
    bench
        A ``studies.bench.Bench``: of its twin, whatever its engine.
    point
        A ``studies.points.Point``; its sample and its source do not matter: it is the chip in the
        middle, all of whose coordinates are 0, that is linearised.
    images
        Which of the bench's; all by default.
    frozen
        Noise at every read is that of chip 0; else it has coordinates like everything.

    Returns
    -------
    Linearised
        Of each image the logit of its label less the largest other one in the middle; of a
        regression each output less its target, in the unit of its RMSE, image by image (B O,).
        Slopes are float32.

    Raises
    ------
    DerivativeError
        If something cannot be differentiated: it is named.
    """
    one = TracedChip(bench, point, {}, (Middle if frozen else Listing)({}, {}))
    every = np.arange(len(bench.labels)) if images is None else np.asarray(images)
    outputs = 1 if bench.spec.targets is None else len(bench.spec.targets)
    n, block = len(every) * outputs, _block(one.chip, outputs)
    values, logits = np.empty(n), np.empty((len(every), bench.spec.sizes[-1]))
    slopes: dict[Key, np.ndarray] = {}
    with one_blas_thread, one_torch_thread:
        for k in range(0, len(every), block):
            some = every[k : k + block]
            at = slice(outputs * k, outputs * (k + len(some)))
            labels = bench.labels[some]
            values[at], logits[k : k + block], found = one.rows(
                some, lambda made, labels=labels: _figures(bench.spec, labels, made)
            )
            _make_room(slopes, {key: (n, *slope.shape[1:]) for key, slope in found.items()})
            for key, slope in found.items():
                slopes[key][at] = slope
    return Linearised(values, slopes, logits, one.notes)


def gradient(
    bench: Any,
    point: Any,
    at: Mapping[Key, Any],
    of: Callable[[Any], Any],
    images: Sequence[int] | None = None,
    *,
    rest: Source | None = None,
) -> Gradient:
    """The derivative of a figure of a chip's logits in all its coordinates.

    Parameters
    ----------
    bench, point, images
        As for ``linearise``.
    at
        Coordinates of the chip, by their keys; others are 0, or those of ``rest``.
    of
        Makes one number, a tensor, of logits (B, O), a tensor: such as a mean loss.
    rest
        Gives what ``at`` has not, uniform draws and the place of noise at reads.

    Raises
    ------
    DerivativeError
        As ``linearise``.
    """
    one = TracedChip(bench, point, at, Listing({}, {}) if rest is None else rest)
    every = np.arange(len(bench.labels)) if images is None else np.asarray(images)
    with one_blas_thread, one_torch_thread:
        value = of(one.logits(every).tensor)
        keys, leaves = list(one.leaves), list(one.leaves.values())
        found = torch.autograd.grad(value, leaves, allow_unused=True)
    pairs = zip(keys, found, strict=True)
    slopes = {key: slope.numpy() for key, slope in pairs if slope is not None}
    return Gradient(float(value.detach()), slopes, one.notes)


def _figures(spec: NetworkSpec, labels: np.ndarray, logits: Traced) -> Traced:
    """(n,) of ``logits`` (B, O); see ``linearise``."""
    if spec.targets is not None:
        given: Any = in_unit(spec.targets, spec.targets.values(logits))
        return (given - in_unit(spec.targets, labels)).reshape(-1)
    n = np.arange(len(labels))
    others = logits.value.copy()
    others[n, labels] = -np.inf
    return logits[n, labels] - logits[n, others.argmax(axis=1)]


def _expanded(stage: CrossbarStage) -> bool:
    """Whether its cells have access devices."""
    law = stage.errors and stage.errors.law
    return law is not None and law.access is not None


def _block(chip: Circuit, outputs: int) -> int:
    """Images at once: work and memory grow with the square of them."""
    rows = max(
        link.section.positions * stage.r_f.size * (DEGREES if _expanded(stage) else 1)
        for link in chip.links
        for stage in link.design.stages
    )
    return int(np.clip(math.sqrt(WORK / (rows * outputs)), 1, max(1, MOST_BLOCK // outputs)))


def _make_room(slopes: dict[Key, np.ndarray], wanted: Mapping[Key, tuple[int, ...]]) -> None:
    """Add zeros to ``slopes`` for those ``wanted`` that are not there.

    Raises
    ------
    SettingsError
        If they are too many.
    """
    shapes = {**{key: slope.shape for key, slope in slopes.items()}, **wanted}
    numbers = sum(math.prod(shape) for shape in shapes.values())
    n = next((shape[0] for shape in shapes.values()), 1)
    if numbers > MOST_NUMBERS:
        raise SettingsError(
            f"slopes of {n} figures in {numbers // n:,} coordinates are {numbers:,} numbers, at "
            f"most {MOST_NUMBERS:,}: take fewer images, or freeze noise at reads"
        )
    slopes |= {key: np.zeros(shapes[key], np.float32) for key in wanted if key not in slopes}
