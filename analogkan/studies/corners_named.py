# pyright: strict
"""Classical corners: which coordinates of a chip stand how far out, and at which temperature.

Each is a direction: of a group of quantities all coordinates are at so many sigmas, alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..coordinates import Given, Key, Mix
from ..devices.curve import NOMINAL_TEMP_C
from ..die.fields import WHOLE_FIELD
from ..imperfections.registry import owners, streams
from ..streams import Floats
from .points import Point

Coordinates = Mapping[Key, Floats]
"""Of one chip, by their keys, of the shapes in which they are drawn; others are 0."""
MIDDLE = Mix(((0, 0.0),))
"""All coordinates 0: no part differs from its type, and none fails."""
TEMPERATURES = ("cold", "typical", "hot")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Quantities that stand out together.

    Attributes
    ----------
    imperfection, streams
        Whose they are, and a pattern of the names of their streams.
    drawn_by
        The settings without which they are not drawn.
    follows_heat
        Whether their sign turns below 26.85 degC, as that of a drift does.
    """

    imperfection: str
    streams: str
    drawn_by: str
    follows_heat: bool = False


GROUPS: Mapping[str, tuple[Group, ...]] = {
    "diodes": (
        Group(
            imperfection="diodes", streams=r"(diode|die|field)_(current|voltage|shift)",
            drawn_by="diode_sigma_current and the like",
        ),
    ),
    "cells": (
        Group(
            imperfection="programming", streams=r"(die_|field_)?cell.*",
            drawn_by="sigma_g, sigma_g_abs, cells or cell_pelgrom",
        ),
    ),
    "gains": (
        Group(
            imperfection="op-amps", streams=r"(row|line)_gain|diff_open_gain",
            drawn_by="opamp_gain_sigma",
        ),
    ),
    "offsets": (
        Group(
            imperfection="op-amps", streams=r"(row|line|diff|die|field)_offset",
            drawn_by="offset_sigma or offset_pelgrom",
        ),
        Group(
            imperfection="op-amps", streams=r"(row|line|diff)_drift",
            drawn_by="offset_drift_sigma", follows_heat=True,
        ),
    ),
    "resistors": (
        Group(
            imperfection="feedback", streams=r"r_f|r_c", drawn_by="r_f_sigma or r_c_sigma",
        ),
    ),
    "pairs": (
        Group(
            imperfection="feedback", streams=r"pair|diff_gain",
            drawn_by="line_sigma or diff_gain_sigma",
        ),
    ),
}  # fmt: skip
"""What a corner may displace, by the name that it is called by."""


@dataclass(frozen=True, kw_only=True)
class Corner:
    """A named corner.

    Attributes
    ----------
    name
        Of its BUILD: ``[a-z-]``.
    about
        What it is, in words.
    signs
        +1 or -1 for each of ``GROUPS`` that it displaces.
    at
        One of ``TEMPERATURES``.
    """

    name: str
    about: str
    signs: Mapping[str, int] = field(default_factory=dict[str, int])
    at: str = "typical"


def _corner(name: str, about: str, at: str = "typical", **signs: int) -> Corner:
    return Corner(name=name, about=about, signs=signs, at=at)


CORNERS = (
    _corner("typical", "no part differs"),
    _corner("cold", "no part differs, cold", "cold"),
    _corner("hot", "no part differs, hot", "hot"),
    _corner("strong", "diodes carry more current, at less voltage", diodes=1),
    _corner("weak", "diodes carry less current, at more voltage", diodes=-1),
    _corner("cells-high", "cells conduct more", cells=1),
    _corner("cells-low", "cells conduct less", cells=-1),
    _corner("slow", "amplifiers of the least gain", gains=-1),
    _corner("offset-up", "offsets of amplifiers above 0", offsets=1),
    _corner("offset-down", "offsets of amplifiers below 0", offsets=-1),
    _corner("resistors-high", "feedback resistors larger", resistors=1),
    _corner("resistors-low", "feedback resistors smaller", resistors=-1),
    _corner("pairs-up", "positive lines and differences gain more", pairs=1),
    _corner("pairs-down", "positive lines and differences gain less", pairs=-1),
    _corner("strong-high", "strong diodes, cells high", diodes=1, cells=1),
    _corner("strong-low", "strong diodes, cells low", diodes=1, cells=-1),
    _corner("weak-high", "weak diodes, cells high", diodes=-1, cells=1),
    _corner("weak-low", "weak diodes, cells low", diodes=-1, cells=-1),
    _corner("strong-hot", "strong diodes, hot", "hot", diodes=1),
    _corner("strong-cold", "strong diodes, cold", "cold", diodes=1),
    _corner("weak-hot", "weak diodes, hot", "hot", diodes=-1),
    _corner("weak-cold", "weak diodes, cold", "cold", diodes=-1),
    _corner("slow-hot", "amplifiers of the least gain, hot", "hot", gains=-1),
    _corner("slow-cold", "amplifiers of the least gain, cold", "cold", gains=-1),
    _corner("offset-up-hot", "offsets and their drift above 0, hot", "hot", offsets=1),
    _corner("offset-down-hot", "offsets and their drift below 0, hot", "hot", offsets=-1),
)
"""Those that there are, in the order of a table; a corner's number is its place here."""


def streams_of(group: str) -> dict[int, tuple[str, Group]]:
    """Numbers of the streams of one of ``GROUPS``, each with its name and what it is of."""
    return {
        number: (stream, part)
        for part in GROUPS[group]
        for number, (one, stream) in streams().items()
        if one.name == part.imperfection and re.fullmatch(part.streams, stream)
    }


def displaced(
    corner: Corner, shapes: Mapping[Key, tuple[int, ...]], sigmas: float, temp_c: float
) -> dict[Key, Floats]:
    """Where a corner's chip has its coordinates, ``sigmas`` out at ``temp_c`` degrees Celsius.

    Parameters
    ----------
    shapes
        Of the coordinates that are drawn.
    """
    found: dict[Key, Floats] = {}
    for group, sign in corner.signs.items():
        known = streams_of(group)
        for key, shape in shapes.items():
            if key.stream not in known:
                continue
            stream, part = known[key.stream]
            turned = -1 if part.follows_heat and temp_c < NOMINAL_TEMP_C else 1
            # White noise that is alike at all nodes makes a field that is, of another size.
            out = sigmas / (WHOLE_FIELD if stream.startswith("field_") else 1.0)
            found[key] = np.full(shape, sign * turned * out)
    return found


def drawn_groups(shapes: Mapping[Key, tuple[int, ...]]) -> set[str]:
    """Those of ``GROUPS`` of which something is drawn."""
    streams = {key.stream for key in shapes}
    return {group for group in GROUPS if streams & streams_of(group).keys()}


def without_corner(shapes: Mapping[Key, tuple[int, ...]]) -> list[str]:
    """Imperfections of which something is drawn that no named corner displaces."""
    named = {number for group in GROUPS for number in streams_of(group)}
    return owners({key.stream for key in shapes} - named)


def coordinates_of(point: Point) -> Coordinates:
    """Where a corner's chip has its coordinates that are not 0."""
    assert isinstance(point.source, Given)
    return point.source.arrays


def distance(at: Coordinates) -> float:
    """How many sigmas a chip is from the middle, over all its coordinates."""
    return float(np.sqrt(sum(float(np.sum(array**2)) for array in at.values())))
