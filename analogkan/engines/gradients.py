# pyright: strict
"""Derivatives of what a chip answers in all coordinates that its draws have; see ``coordinates``.

Axes: n images, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..coordinates import Key, Linear
from ..streams import Source

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Linearised(Linear):
    """What ``linearise`` found.

    Attributes
    ----------
    logits
        (n, O) of the chip in the middle, as they are read.
    notes
        What its slopes are without, a sentence each.
    """

    logits: Floats
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
    """

    value: float
    slopes: dict[Key, Floats]


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
        regression each output less its target, image by image (n O,). Slopes are float32.

    Raises
    ------
    SimulationError
        If something cannot be differentiated: it is named.
    """
    raise NotImplementedError


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
        Makes one number, a tensor, of logits (n, O), a tensor: such as a mean loss.
    rest
        Gives what ``at`` has not, uniform draws and the place of noise at reads.

    Raises
    ------
    SimulationError
        As ``linearise``.
    """
    raise NotImplementedError
