# pyright: strict
"""Mismatch by area and distance: how one quantity of one kind of part differs over a die.

Its part of a type's own mean is the sum of what is each part's own, of what neighbours share, and
of a straight gradient. Pelgrom, JSSC 24, 1433 (1989), doi:10.1109/JSSC.1989.572629: the difference
of two parts has the variance A^2 / (W L) + S^2 D^2. The first term is each part's own; the second is
a gradient whose slopes across and down are normal with sigma S, drawn a chip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..die.fields import WHOLE_DIE, gradient, lattice_of
from ..die.floorplan import Sites
from ..settings import within
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
    sigma, length
        Standard deviation of what has a correlation length, and that, micrometres.
    kind
        Of the setting ``KIND_length``.
    local
        Standard deviation of what is each part's own whatever the length.
    steep
        Standard deviation of a gradient's slopes, per millimetre.
    """

    name: str
    own: str
    sigma: float
    length: float
    kind: str
    local: float
    steep: float


def differ(
    draw: Draw, what: Quantity, group: str, shape: tuple[int, ...], types: list[int] | None = None
) -> Floats:
    """What the parts ``group`` of a layer's floorplan, of ``shape``, differ by.

    Those of ``types``, the numbers of diode types along the last axis, share nothing with those of
    other types.
    """
    kinds = () if types is None else (draw.n_types,)
    each, whole = math.hypot(what.sigma, what.local), what.length >= WHOLE_DIE
    found = draw.normal(what.own, shape, what.local if what.length else each)
    if whole:
        common = draw.die(f"die_{what.name}", kinds, what.sigma)
        found = found + (common if types is None else common[types])
    elif what.length and what.sigma:
        found = found + _field(draw, what, draw.sites(group), types)
    if what.steep:
        slopes = draw.die(f"slope_{what.name}", (*kinds, 2), what.steep)
        slopes = slopes if types is None else slopes[types]
        found = found + gradient(draw.floorplan, draw.sites(group), slopes)
    return found


def _field(draw: Draw, what: Quantity, sites: Sites, types: list[int] | None) -> Floats:
    """Fields at ``sites``, of each type its own."""
    lattice = lattice_of(draw.floorplan, what.length, f"{what.kind}_length")
    stream = f"field_{what.name}"
    if types is None:
        return lattice.field(draw.die(stream, lattice.shape, what.sigma), sites)
    noise = draw.die(stream, (draw.n_types, *lattice.shape), what.sigma)
    columns = [Sites(sites.x[:, d], sites.y[:, d]) for d in range(len(types))]
    fields = [lattice.field(noise[t], at) for t, at in zip(types, columns, strict=True)]
    return np.stack(fields, axis=1)


# ---- what declares it


def length_setting(name: str, of: str, whole: str) -> Setting:
    """A correlation length of the settings ``of``; ``whole`` is what they are on the whole die."""
    return Setting(
        name=name,
        about=f"Correlation length l of {of}: parts d apart have the correlation "
        f"exp(-d^2 / 2 l^2). 0: each part its own; {WHOLE_DIE:g}: {whole}.",
        unit="um",
        limit=f"0 to {WHOLE_DIE:g} um",
        fits=within(0, WHOLE_DIE),
        later=True,
    )


def pelgrom_settings(
    kind: str, of: str, quantities: tuple[tuple[str, str, float], ...], area: float, one: str
) -> tuple[Setting, ...]:
    """A, the area and S of Pelgrom's law for ``quantities``: endings of names, units, largest A.

    ``one`` says what part of a pair's difference ``of`` is.
    """
    return (
        *(
            upto(most, f"{kind}_pelgrom{end}", f"Pelgrom's A, of the difference of a pair: {of} "
                 f"gains A / sqrt({one}W L), each part its own, W L being ``{kind}_area``.",
                 f"{unit} um", later=True)
            for end, unit, most in quantities
        ),
        Setting(name=f"{kind}_area", about="Area W L of Pelgrom's law; assumed.", unit="um^2",
                limit="above 0, to 1e6 um^2", fits=lambda area: 0 < area <= 1e6, default=area,
                later=True),
        *(
            upto(1.0, f"{kind}_slope{end}", "Pelgrom's S: standard deviation of the slopes, across "
                 "and down, of a straight gradient over the die, drawn a chip; two parts D apart "
                 "differ by S D.", f"{unit}/mm", later=True)
            for end, unit, _ in quantities
        ),
    )  # fmt: skip


def own_streams(owner: str, *names: str) -> dict[str, int]:
    """Streams of what ``owner`` draws of a die beside those that it numbers by hand."""
    return {name: derived(owner, name) for name in names}
