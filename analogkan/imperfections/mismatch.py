# pyright: strict
"""Mismatch by area and distance: how one quantity of one kind of part differs over a die.

That is the sum of what is each part's own, of what neighbours share, and of a straight gradient.
Pelgrom, JSSC 24, 1433 (1989), doi:10.1109/JSSC.1989.572629: the difference of two parts D apart has
the variance A^2 / (W L) + S^2 D^2. The first term is each part's own; the second is a gradient
whose slopes across and down are normal with sigma S, drawn a chip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..die.fields import WHOLE_DIE, gradient, lattice_of
from ..errors import SettingsError
from ..streams import derived
from .base import Draw, Floats, Setting, upto


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What differs from part to part.

    Attributes
    ----------
    name
        Of its streams: ``die_``, ``field_`` and ``slope_`` before it.
    own
        The stream of what is each part's own.
    kind, group
        Of the setting ``KIND_length``; of the parts in a layer's floorplan.
    sigma, length
        Standard deviation of what has a correlation length, and that, micrometres.
    local
        Standard deviation of what is each part's own whatever the length.
    steep
        Standard deviation of a gradient's slopes, per millimetre.
    """

    name: str
    own: str
    kind: str
    group: str
    sigma: float = 0.0
    length: float = 0.0
    local: float = 0.0
    steep: float = 0.0


def differ(
    draw: Draw, what: Quantity, shape: tuple[int, ...], types: list[int] | None = None
) -> Floats:
    """What the parts of a layer, of ``shape``, differ by.

    Those of ``types``, the numbers of diode types along the last axis, share nothing with those of
    other types.
    """
    if not what.length:
        found = draw.normal(what.own, shape, math.hypot(what.sigma, what.local))
    else:
        found = draw.normal(what.own, shape, what.local)
        if what.sigma:
            found = found + what.sigma * alike(draw, what, shape, types)
    if what.steep:
        kinds = () if types is None else (draw.n_types,)
        slopes = draw.die(f"slope_{what.name}", (*kinds, 2), what.steep)
        slopes = slopes if types is None else slopes[types]
        found = found + gradient(draw.floorplan, draw.sites(what.group), slopes)
    return found


def alike(
    draw: Draw,
    what: Quantity,
    shape: tuple[int, ...],
    types: list[int] | None = None,
    block: int = 0,
) -> Floats:
    """Standard normal draws that resemble each other by their distance; see ``differ``.

    Another ``block`` has others.
    """
    if not what.length:
        return draw.normal(what.own, shape, block=block)
    kinds = () if types is None else (draw.n_types,)
    if what.length >= WHOLE_DIE:
        common = draw.die(f"die_{what.name}", kinds, block=block)
        return np.broadcast_to(common if types is None else common[types], shape)
    lattice = lattice_of(draw.floorplan, what.length, f"{what.kind}_length")
    noise = draw.die(f"field_{what.name}", (*kinds, *lattice.shape), block=block)
    return lattice.field(noise if types is None else noise[types], draw.sites(what.group))


# ---- what declares it


def pelgrom(settings: Any, kind: str, quantity: str = "", *, pair: bool = False) -> float:
    """Standard deviation of a part by its area; of ``pair`` what differs is a pair's already."""
    a, area = (getattr(settings, f"{kind}_{word}") for word in (f"pelgrom{quantity}", "area"))
    return a / math.sqrt(area if pair else 2 * area) if a else 0.0


def check_area(settings: Any, kind: str) -> None:
    """SettingsError if Pelgrom's A of ``kind`` has no area to go with."""
    for name in settings.__dataclass_fields__:
        a = getattr(settings, name)
        if name.startswith(f"{kind}_pelgrom") and a and not getattr(settings, f"{kind}_area"):
            raise SettingsError(
                f"{name} = {a:g} is divided by the square root of an area, and {kind}_area is 0: "
                "set that to W L, um^2"
            )


def die_settings(
    kind: str, sigmas: str, whole: str, gains: str, quantities: tuple[tuple[str, str], ...]
) -> tuple[Setting, ...]:
    """Settings of how parts of a ``kind`` resemble each other.

    ``sigmas`` have the correlation length, and are ``whole`` where it has no end; a part ``gains``
    what Pelgrom's law says, in each of the ``quantities``: endings of names, and units.
    """
    return (
        upto(WHOLE_DIE, f"{kind}_length", f"Correlation length l of {sigmas}: parts d apart have "
             "the correlation exp(-d^2 / 2 l^2); 0 leaves each its own, "
             f"{WHOLE_DIE:g} is {whole}.", "um", later=True, shapes=True),
        *(
            upto(1.0, f"{kind}_pelgrom{end}", "Pelgrom's A, of the difference of a pair, each part "
                 f"its own: {gains} ``{kind}_area``.", f"{unit} um", later=True)
            for end, unit in quantities
        ),
        upto(1e6, f"{kind}_area", "Area W L of Pelgrom's law.", "um^2", later=True,
             shapes=True),
        *(
            upto(1.0, f"{kind}_slope{end}", "Pelgrom's S: standard deviation of the slopes across "
                 "and down of a straight gradient over the die, drawn a chip.", f"{unit}/mm",
                 later=True)
            for end, unit in quantities
        ),
    )  # fmt: skip


def own_streams(owner: str, *names: str) -> dict[str, int]:
    """Streams of ``owner`` beside those that it numbers by hand."""
    return {name: derived(owner, name) for name in names}


def die_streams(owner: str, *quantities: str, common: bool = True) -> dict[str, int]:
    """What ``owner`` draws of a die for ``quantities``; ``common`` unless it is numbered."""
    of = ("die", "field", "slope") if common else ("field", "slope")
    return own_streams(owner, *(f"{one}_{quantity}" for quantity in quantities for one in of))
