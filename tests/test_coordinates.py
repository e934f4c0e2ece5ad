"""A chip as a point among standard normal coordinates: what sources give in place of its own."""

from __future__ import annotations

import pytest

from analogkan.imperfections import Variation
from analogkan.streams import Place

RRAM = Variation(
    sigma_g=0.05, diode_sigma_current=0.05, diode_sigma_voltage=0.01, offset_sigma=1e-3,
    line_sigma=0.002, trim="dark-real", stuck_min=0.02, read_noise=0.01,
)  # fmt: skip
HERE = Place(seed=0, sample=3, layer=0)


@pytest.fixture(scope="module")
def chain(tiny_build):
    return tiny_build.circuit()
