# pyright: strict
"""Aging: what time does to programmed cells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .base import Draw, Imperfection, upto

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage


def _retain(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    of, exposed = draw.settings, draw.conditions
    if exposed.age_s <= exposed.t0_s:
        return stage
    nu = of.drift_nu + draw.normal("retention", stage.g.shape, of.drift_nu_sigma)
    return replace(stage, g=stage.g * (exposed.age_s / exposed.t0_s) ** -nu)


RETENTION = Imperfection(
    name="retention",
    settings=tuple(
        upto(1.0, name, "Mean and spread of nu in g (t / t0)^-nu, one nu a cell, cells at ``g_min``"
             " too; acts from ``Conditions.age_s`` > t0 on.", unit="")
        for name in ("drift_nu", "drift_nu_sigma")
    ),
    draw=_retain,
    acts="aged",
    streams={"retention": 3},
)  # fmt: skip
