# pyright: strict
"""Resistors' tolerances: what a series is sold with, beside what boards were drawn with."""

from __future__ import annotations

import math

from ..imperfections import Variation

TOLERANCES = {"e96": 0.01, "e24": 0.05}
"""Shares of a value with which a series is usually sold (IEC 60063)."""
ALIKE = 0.05
"""Relative: settings no farther apart are those of one tolerance, written with two digits."""
FACTORS = {
    "sigma_g": 1.0,
    "r_f_sigma": 1.0,
    "r_c_sigma": math.sqrt(1 / 2),
    "line_sigma": math.sqrt(3),
    "diff_gain_sigma": math.sqrt(5 / 4),
}
"""Of a resistor's standard deviation: what a pair's two lines have in common and, with the four
resistors of their difference amplifier, differ by; the gain of such an amplifier of gain 1."""


def sigmas_of(tolerance: float) -> dict[str, float]:
    """Settings of a ``Variation`` for resistors that lie evenly within +- ``tolerance``."""
    sigma = tolerance / math.sqrt(3)
    return {name: factor * sigma for name, factor in FACTORS.items()}


def drawn_apart(series: str, variation: Variation) -> dict[str, float]:
    """Those settings that differ in ``variation``, as the tolerance of ``series`` has them."""
    wanted = sigmas_of(TOLERANCES[series])
    return {
        name: sigma
        for name, sigma in wanted.items()
        if abs(getattr(variation, name) - sigma) > ALIKE * sigma
    }


def tolerance_sentences(series: str, variation: Variation) -> list[str]:
    """A sentence, if boards were not drawn with the tolerance of ``series``."""
    apart = drawn_apart(series, variation)
    if not apart:
        return []
    drawn = ", ".join(f"{name} = {getattr(variation, name):.3g}" for name in apart)
    wanted = ", ".join(f"{name} = {sigma:.3g}" for name, sigma in apart.items())
    return [
        f"bom.csv says {100 * TOLERANCES[series]:g} % for resistors of {series.upper()}, and these "
        f"boards were drawn with {drawn}: give a preset with {wanted}, or buy what was drawn "
        f"({tolerance_drawn(variation)} in cells)"
    ]


def tolerance_drawn(variation: Variation) -> str:
    """The even tolerance that ``sigma_g`` is, such as ``1 %``."""
    return f"{100 * math.sqrt(3) * variation.sigma_g:.2g} %"


def bought(tolerance: str, series: str, variation: Variation) -> str:
    """A resistor's entry in a bill: ``tolerance``, and what was drawn if that differs."""
    if "sigma_g" not in drawn_apart(series, variation):
        return tolerance
    return f"{tolerance}, drawn as {tolerance_drawn(variation)}"
