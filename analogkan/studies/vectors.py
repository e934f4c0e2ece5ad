# pyright: strict
"""Calibration vectors: inputs whose answers a chip is measured by, to be set or compensated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..compiler.build import Build
from ..errors import SettingsError
from ..threads import one_blas_thread
from .entries import COLUMNS, TWO_POINT

CALIBRATION_IMAGES = 256
"""At most so many images measure the gains and offsets that a compensation takes out."""
FEWEST_CALIBRATION_IMAGES = 2
"""A gain and an offset are two unknowns."""
CALIBRATION_INDEX = 1_000_000_000
"""Positions of calibration images: their read noise is not that of any test image."""
WAYS = {COLUMNS: "calibrate", TWO_POINT: "two_point"}
"""Options that ask for a calibration, by what is set."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Vectors:
    """What a chip is measured with: volts (n, I) of its DACs, their positions (n,), and software's
    logits (n, O)."""

    volts: npt.NDArray[np.float64]
    index: npt.NDArray[np.intp]
    software: npt.NDArray[np.float64]


def vectors_of(build: Build, wanted_by: str) -> Vectors:
    """The calibration vectors of a BUILD.

    Raises
    ------
    SettingsError
        If it has none, or one alone.
    """
    spec = build.spec
    x = spec.calibration
    if x is None or len(x) < FEWEST_CALIBRATION_IMAGES:
        has = "only one" if x is not None and len(x) else "none"
        raise SettingsError(
            f"{wanted_by} measures gains with calibration images, and {build.folder} has "
            f"{has}: compile the model with --calibrate FILE.npz, or leave it out"
        )
    volts = spec.dac_volts(x[:CALIBRATION_IMAGES])
    with one_blas_thread:
        software = spec.forward_volts(volts)
    return Vectors(volts=volts, index=CALIBRATION_INDEX + np.arange(len(volts)), software=software)
