# pyright: strict
"""Cells: errors of programming, noise at every read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..compiler.chip import ReadNoise
from .base import Draw, Imperfection, errors_of, upto
from .mismatch import Quantity, check_area, die_settings, differ, own_streams, pelgrom

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage


def _programme(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    of, hardware = draw.settings, draw.hardware
    what = Quantity(
        name="cell",
        own="cell",
        sigma=of.sigma_g,
        length=of.cell_length,
        kind="cell",
        local=pelgrom(of, "cell"),
        steep=of.cell_slope,
    )
    g = stage.g * (1 + differ(draw, what, "cells", stage.g.shape))
    g += hardware.g_max * draw.normal("cell_abs", stage.g.shape, of.sigma_g_abs)
    least, there = hardware.g_min / 10, stage.g != 0
    draw.count("clipped_cells", (g < least) & there)
    return replace(stage, g=np.where(there, np.maximum(g, least), 0.0))


def _read(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    stream = draw.number("read_noise")
    noise = ReadNoise(sigma=draw.settings.read_noise, place=draw.place, stream=stream)
    return replace(stage, errors=replace(errors_of(stage), noise=noise))


PROGRAMMING = Imperfection(
    name="programming",
    settings=(
        upto(1.0, "sigma_g", "Programming error of a cell, as a share of its own conductance."),
        upto(1.0, "sigma_g_abs", "Programming error as a share of ``g_max``. Much harder on a "
             "network than the same number relative: always say which."),
        *die_settings("cell", "``sigma_g``", "one factor of all cells",
                      "a cell gains A / sqrt(2 W L), of", (("", "share"),)),
    ),
    draw=_programme,
    streams={
        "cell": 0, "cell_abs": 1,
        **own_streams("programming", "cell"),
    },
    check=lambda settings: check_area(settings, "cell"),
    counts={"clipped_cells": "cells clipped"},
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
)  # fmt: skip
