# pyright: strict
"""Cells: errors of programming, noise at every read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compiler.chip import ReadNoise, Written
from ..streams import derived
from .base import Draw, Imperfection, errors_of, upto
from .measured import MEASURED, RANGE, Cells
from .programming import WRITE_VERIFY, written
from .technologies import NONE

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage


def _programme(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    g, counts = written(
        stage.g,
        draw.settings,
        draw.hardware,
        lambda name, shape, k: draw.normal(name, shape, block=k),
    )
    for name, count in counts.items():
        draw.count(name, count)
    if draw.settings.cells == NONE:
        return replace(stage, g=g)
    kept = Written(target=stage.g, g=g)
    return replace(stage, g=g, errors=replace(errors_of(stage), written=kept))


def _read(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    errors, cells = errors_of(stage), Cells.of(draw.settings, draw.hardware)
    sigma: Any = draw.settings.read_noise
    if cells is not None and errors.written is not None:
        found = cells.noise(errors.written.g, stage.g, draw.conditions.age_s)
        sigma = sigma if found is None else np.where(stage.g > 0, found, 0.0)
    if not np.any(sigma):
        return stage
    noise = ReadNoise(sigma=sigma, place=draw.place, stream=draw.number("read_noise"))
    return replace(stage, errors=replace(errors, noise=noise))


PROGRAMMING = Imperfection(
    name="programming",
    settings=(
        upto(1.0, "sigma_g", "Programming error of a cell, as a share of its own conductance."),
        upto(1.0, "sigma_g_abs", "Programming error as a share of ``g_max``. Much harder on a "
             "network than the same number relative: always say which."),
    ),
    draw=_programme,
    streams={"cell": 0, "cell_abs": 1, "cell_state": derived("programming", "cell_state")},
    counts={"clipped_cells": "cells clipped"},
    reads=(WRITE_VERIFY, RANGE),
    follows=(MEASURED,),
)  # fmt: skip
READ_NOISE = Imperfection(
    name="read noise",
    settings=(
        upto(1.0, "read_noise", "Noise of a cell at every read, as a share of its own conductance; "
             "drawn per line and image with variance sum (read_noise g_r v_r)^2 over its rows."),
    ),
    draw=_read,
    acts="read",
    streams={"read_noise": 23},
    reads=(RANGE,),
    follows=(MEASURED,),
)  # fmt: skip
