# pyright: strict
"""Cells that are no resistors, and the access devices in series with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SettingsError
from .base import Draw, Imperfection, Setting, errors_of, upto

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage
    from ..compiler.hardware import Hardware

LEAST_V0 = 0.05
"""Volts of a hyperbolic sine: half a volt on less is 1e4 times the current of a resistor."""


def _bend(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    from ..compiler.cell_law import CellLaw

    of, access = draw.settings, None
    if of.r_access:
        spread = draw.normal("access", stage.g.shape, of.access_sigma)
        access = of.r_access * np.exp(spread)
    law = CellLaw(
        v_0=of.cell_v0,
        b_3=of.cell_b3,
        v_read=of.cell_v_read,
        access=access,
        v_ov=of.access_v_ov,
    )
    if not law.bent and law.access is None:
        return stage
    return replace(stage, errors=replace(errors_of(stage), law=law))


def require_unwired(settings: Any, hardware: Hardware) -> None:
    """SettingsError if cells are to bend, or to have access devices, behind wires."""
    for name in ("cell_v0", "cell_b3", "r_access") if hardware.wired else ():
        if value := getattr(settings, name):
            raise SettingsError(
                f"{name} = {value:g} and wires (r_wire = {hardware.r_wire:g} ohm, r_driver = "
                f"{hardware.r_driver:g} ohm) have no closed form together: set r_wire and "
                f"r_driver to 0, or {name}"
            )


def _near_nodes(of: Any) -> None:
    if of.dead_amplifiers:
        raise SettingsError(
            f"dead_amplifiers = {of.dead_amplifiers:g} leaves summing nodes anywhere, and the "
            "current of cells that bend or have access devices is worked out near 0 V: set "
            "dead_amplifiers to 0, or cell_v0, cell_b3 and r_access"
        )


BENT = Imperfection(
    name="cells that bend",
    in_datasheets=False,
    settings=(
        Setting(
            name="cell_v0",
            about="Volts v0 of a cell's current g v0 sinh(v / v0); 0: a resistor's. The Stanford "
            "model of RRAM has 0.25 V.",
            unit="V",
            limit=f"0 to 100 V, not below {LEAST_V0:g} unless 0",
            fits=lambda v: v == 0 or LEAST_V0 <= v <= 100,
            later=True,
        ),
        upto(30.0, "cell_b3", "Of a cell's current: g b3 v^3 comes to the rest of it.", "1/V^2",
             later=True),
        upto(10.0, "cell_v_read", "Volts at which such a cell conducts its g; 0: at none.", "V",
             later=True, shapes=True),
        upto(1e6, "r_access", "Ohms of an access device in series with each cell, while nothing "
             "drops across it; 0: there is none.", "ohm", later=True),
        upto(1.0, "access_sigma", "Of ln(r_access), each device its own.", later=True,
             shapes=True),
        upto(10.0, "access_v_ov", "Volts that an access transistor's gate has above its "
             "threshold; 0: it is a resistor.", "V", later=True, shapes=True),
    ),
    draw=_bend,
    streams=("access",),
    check=_near_nodes,
)  # fmt: skip
