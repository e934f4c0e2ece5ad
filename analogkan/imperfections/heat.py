# pyright: strict
"""The die itself: how large its parts are, and what their own power warms them by."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..die.floorplan import AREA_CELL, AREA_OPAMP, Sizes
from ..errors import SettingsError
from ..settings import within
from .base import Draw, Imperfection, Setting, errors_of, upto

if TYPE_CHECKING:  # they bring scipy with them, which TAB need not wait for
    from ..compiler.design import CrossbarStage


def sizes_of(settings: Any) -> Sizes:
    """What ``settings``, a Variation, assume of the parts on a die."""
    return Sizes(cell=settings.die_cell, opamp=settings.die_opamp)


def _warm(stage: CrossbarStage, draw: Draw) -> CrossbarStage:
    watts = draw.settings.heat_ambient
    if not watts:
        return stage
    if draw.warmth is None:
        raise SettingsError(
            f"heat_ambient = {watts:g} K/W warms parts by what the whole circuit takes on its "
            "calibration images, which is worked out by studies and reports alone: run one of "
            "these, or set it to 0"
        )
    return replace(stage, errors=replace(errors_of(stage), warmth=draw.warmth))


def _area(name: str, about: str, default: float) -> Setting:
    return Setting(
        name=name,
        about=about,
        unit="um^2",
        limit="0 to 1e6 um^2",
        fits=within(0, 1e6),
        default=default,
        later=True,
        shapes=True,
    )


HEAT = Imperfection(
    name="heat",
    in_datasheets=False,
    settings=(
        upto(1e4, "heat_ambient", "Thermal resistance from the die to the ambient, kelvins a watt; "
             "0: parts are as warm as that.", "K/W", later=True),
        upto(1e6, "heat_sheet", "Thermal resistance of a square of the die along its surface, for "
             "what ``heat_ambient`` heats; 0: "
             "all of it is equally warm. 22.5 is 300 um of silicon at 148 W/(m K).", "K/W",
             later=True, shapes=True),
        _area("die_cell", "Of a cell on the floorplan, with its share of wires; assumed.",
              AREA_CELL),
        _area("die_opamp", "Of an op-amp on the floorplan, with what is around it; assumed.",
              AREA_OPAMP),
    ),
    draw=_warm,
    acts="read",
)  # fmt: skip
