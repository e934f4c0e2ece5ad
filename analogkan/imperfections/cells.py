# pyright: strict
"""Cells: errors of programming, noise at every read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compiler.chip import ReadNoise, Written
from .base import Draw, Floats, Imperfection, errors_of, upto
from .measured import MEASURED, RANGE, Cells
from .mismatch import (
    Quantity,
    alike,
    check_area,
    die_settings,
    die_streams,
    differ,
    own_streams,
    pelgrom,
)
from .programming import STREAMS, WRITE_VERIFY, written
from .technologies import NONE

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage


def _programme(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    of, least = draw.settings, draw.hardware.g_min / 10

    def normal(name: str, shape: tuple[int, ...], k: int) -> Floats:
        what = Quantity(name=name, own=name, kind="cell", group="cells", length=of.cell_length)
        return alike(draw, what, shape, block=k)

    g, counts = written(stage.g, of, draw.hardware, normal)
    made = Quantity(
        name="cell",
        own="cell_local",
        kind="cell",
        group="cells",
        local=pelgrom(of, "cell"),
        steep=of.cell_slope,
    )
    if made.local or made.steep:
        low, g = g == least, g * (1 + differ(draw, made, g.shape))
        low = (low | (g < least)) & (stage.g != 0)
        g, counts = np.where(low, least, g), counts | {"clipped_cells": int(low.sum())}
    for name, count in counts.items():
        draw.count(name, count)
    if of.cells == NONE:
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
        *die_settings("cell", "a cell's errors of programming", "the same of all cells",
                      "a cell gains A / sqrt(2 W L), of", (("", "share"),)),
    ),
    draw=_programme,
    streams={
        "cell": 0, "cell_abs": 1,
        **own_streams("programming", "cell_state", "cell_local"),
        **die_streams("programming", *STREAMS),
    },
    check=lambda settings: check_area(settings, "cell"),
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
