# pyright: strict
"""What an op-amp can drive, from its characterised figures: currents, volts, gain, inputs.

Between characterised loads figures are interpolated, beyond them there are none.
Axes: L loads; arrays of any shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cells import OPAMP, OPAMPS

Values = npt.NDArray[Any]
BLOCKS = {
    "row": "row amplifier",
    "line": "line amplifier",
    "output": "difference",
    "hidden output": "difference",
}
"""By kind of amplifier, the block that it is; a summing amplifier has an output's op-amp too."""


def place_of(kind: str) -> str:
    """The place of a user's op-amp for a ``kind`` of amplifier alone."""
    return OPAMPS[BLOCKS[kind]] if kind in BLOCKS else OPAMP


@dataclass(frozen=True, eq=False, kw_only=True)
class Limits:
    """Of one op-amp at one temperature and corner.

    Attributes
    ----------
    vdd, vss
        Volts of the supplies that it was characterised at.
    sink, source
        Amperes into and out of its output at 0 V; where the bench saw no limit, the largest that
        any characterised load took.
    common
        Volts: lowest and highest of its inputs.
    c_in, r_out
        Farads of an input, and ohms of the output in open loop, both at the unity-gain frequency.
    ohms
        (L,) loads, rising, each with the least capacitance that it was characterised with.
    gain, gbw, second
        (L,) open-loop gain, hertz, and hertz of the second pole; infinite where there is none.
    edges
        For sinking and for sourcing, amperes (N,), rising, and how far from 0 V the output gets
        with them, volts (N,): from the lightest load on, to 0 V where it is at its limit.
    name
        Of the op-amp, where there are several.
    """

    vdd: float
    vss: float
    sink: float
    source: float
    common: tuple[float, float]
    c_in: float
    r_out: float
    ohms: Values
    gain: Values
    gbw: Values
    second: Values
    edges: dict[int, tuple[Values, Values]]
    name: str = ""

    @classmethod
    def of(cls, conditions: Mapping[str, Any]) -> Limits:
        """Of figures as ``OpAmpFigures.summary["conditions"]`` has them, and perhaps ``opamp``, its
        name."""
        least: dict[float, Mapping[str, Any]] = {}
        for load in sorted(conditions["loads"], key=lambda load: -load["farads"]):
            least[load["ohms"]] = load
        loads = [least[ohms] for ohms in sorted(least)]
        currents: dict[int, float] = {}
        edges: dict[int, tuple[Values, Values]] = {}
        for side, key in ((-1, "sink"), (1, "source")):
            volts = np.array([abs(load["swing"][side > 0]) for load in loads])
            amperes = volts / np.array([load["ohms"] for load in loads])
            known = _known(conditions[key])
            most = currents[side] = conditions[key] if known else float(amperes.max())
            order = np.argsort(amperes)
            inside = order[amperes[order] < most]
            far = np.minimum.accumulate(volts[inside])
            last = 0.0 if known else float(volts[order[-1]])
            edges[side] = np.append(amperes[inside], most), np.append(far, last)
        return cls(
            vdd=conditions["vdd"],
            vss=conditions["vss"],
            sink=currents[-1],
            source=currents[1],
            common=(conditions["common_mode"][0], conditions["common_mode"][1]),
            c_in=conditions["c_in"],
            r_out=conditions["r_o"],
            ohms=np.array([load["ohms"] for load in loads]),
            gain=np.array([load["gain"] for load in loads]),
            gbw=np.array([load["gbw"] for load in loads]),
            second=np.array(
                [load["second_pole"] if _known(load["second_pole"]) else math.inf for load in loads]
            ),
            edges=edges,
            name=conditions.get("opamp", ""),
        )

    @property
    def called(self) -> str:
        """What a sentence calls it."""
        return f"the op-amp {self.name}" if self.name else "the op-amp"

    @property
    def supply(self) -> float:
        """Volts: the smaller supply."""
        return min(self.vdd, -self.vss)

    def reach(self, side: int, amperes: Values) -> Values:
        """How far from 0 V the output gets, on the ``side`` of 1 or -1, with ``amperes`` out of it
        or into it: a straight line between loads, which a transistor's curve does not fall below.

        A current of the other sign helps it: then as far as without a load.
        """
        currents, volts = self.edges[side]
        return np.interp(np.maximum(amperes, 0.0), currents, volts)

    def gain_at(self, siemens: Values) -> Values:
        """Open-loop gain with ``siemens`` to ground; beyond the loads that of the last of them."""
        return self._at(siemens, self.gain)

    def gbw_at(self, siemens: Values) -> Values:
        """Hertz, likewise."""
        return self._at(siemens, self.gbw)

    def second_at(self, siemens: float) -> float:
        """Hertz, of the nearest load that is no lighter, or the heaviest."""
        heavier = self.ohms * siemens <= 1
        return float(self.second[heavier][-1] if heavier.any() else self.second[0])

    def _at(self, siemens: Values, figure: Values) -> Values:
        log = np.interp(-np.log(siemens), np.log(self.ohms), np.log(figure))
        return np.exp(log)


@dataclass(frozen=True, eq=False, kw_only=True)
class AllLimits:
    """Of every op-amp of a circuit.

    Attributes
    ----------
    rest
        Of what has no op-amp of its own.
    own
        By place.
    """

    rest: Limits
    own: Mapping[str, Limits]

    @classmethod
    def of(
        cls, conditions: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]
    ) -> AllLimits:
        """Of figures as for ``Limits.of``, those of ``others`` by place."""
        own = {place: Limits.of(figures) for place, figures in others.items()}
        return cls(rest=Limits.of(conditions), own=own)

    def at(self, kind: str) -> Limits:
        """Of a ``kind`` of amplifier."""
        return self.own.get(place_of(kind), self.rest)

    @property
    def every(self) -> list[Limits]:
        """Of each op-amp."""
        return [self.rest, *self.own.values()]

    @property
    def supply(self) -> float:
        """Volts: the smallest supply."""
        return min(one.supply for one in self.every)

    def among(self, kinds: Iterable[str]) -> list[Limits]:
        """Of each op-amp of these kinds of amplifiers, once."""
        return list({id(one): one for one in map(self.at, kinds)}.values())


def _known(figure: float | None) -> bool:
    """Whether there is one: NaN, or in a file null, is none."""
    return figure is not None and not math.isnan(figure)
