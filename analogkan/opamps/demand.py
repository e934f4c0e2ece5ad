# pyright: strict
"""What a design asks of its op-amps, by layer and kind, beside what they have; refused beyond.

Axes: B images, k amplifiers of a kind.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cells import OPAMP, OPAMPS
from ..compiler.build import Build
from ..compiler.circuit import Circuit
from ..compiler.design import Design
from ..errors import CompileError
from ..network.spec import NetworkSpec
from ..results import Listing
from ..text import engineering, many, percent
from .amplifiers import Amplifiers, amplifiers_of
from .limits import AllLimits, Limits, place_of

Values = npt.NDArray[Any]
MOST_ERROR = 0.01
"""Share of an amplifier's output that its op-amp's finite gain may take: noise gain over gain;
assumed."""
LIGHTEST = 1e6
"""Ohms: a load that hardly is one; assumed."""
PER_LOAD = 4.0
"""Ratio of loads that follow each other, at most, where figures are read between them; assumed."""
DRIVE = {
    "row": "lower g_max or v_fs",
    "line": "raise r_diff, or lower g_max or headroom",
    "output": "raise r_diff, or lower headroom",
    "hidden output": "raise r_diff, or train for a smaller range",
    "cell": "choose another squash",
}
"""By kind of amplifier, what makes its current less."""
LOAD = {
    "row": "lower g_max",
    "line": "lower g_max, or raise r_diff",
    "output": "raise r_diff",
    "hidden output": "raise r_diff",
}
"""What makes its load less."""
NOISE = LOAD | {
    "row": "lower g_max or v_fs",
    "output": "raise r_diff or headroom",
    "hidden output": "raise r_diff or headroom",
}
"""What makes less of its error."""
INPUT = {
    "output": "lower headroom or v_rail",
    "hidden output": "lower headroom or v_rail",
}
"""What brings its inputs nearer to 0 V."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Something that op-amps are asked for.

    Attributes
    ----------
    unit
        Of it; empty of gains.
    said
        What is the matter where it is too much, ``asked`` and ``has`` in it.
    advice
        What to change, by kind of amplifier.
    """

    unit: str
    said: str
    advice: Mapping[str, str]


_REACH = "goes to {asked}{images}, and with its load there its op-amp reaches {has}"
_INPUTS = "has its op-amp's inputs at {asked}{images}, and they reach {has}"
QUANTITIES = {
    "sinks": Quantity(
        unit="A", said="sinks {asked}{images}, and its op-amp sinks {has}", advice=DRIVE
    ),
    "sources": Quantity(
        unit="A", said="sources {asked}{images}, and its op-amp sources {has}", advice=DRIVE
    ),
    "lowest output": Quantity(unit="V", said=_REACH, advice=DRIVE),
    "highest output": Quantity(unit="V", said=_REACH, advice=DRIVE),
    "lowest input": Quantity(unit="V", said=_INPUTS, advice=INPUT),
    "highest input": Quantity(unit="V", said=_INPUTS, advice=INPUT),
    "load": Quantity(
        unit="S",
        said="drives {asked}, and its op-amp is characterised with up to {has}: characterise it "
        "with that load",
        advice=LOAD,
    ),
    "least gain": Quantity(
        unit="",
        said="needs a gain above {asked}, or its falling diode has several solutions, and its "
        "op-amp has {has} with its load",
        advice=NOISE,
    ),
    "gain": Quantity(
        unit="",
        said="needs a gain of {asked} with its load, to be within "
        f"{percent(MOST_ERROR, 0)} of what it should be, and its op-amp has {{has}}",
        advice=NOISE,
    ),
}
"""In the order in which they are refused."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Of one kind of amplifiers in one layer, the one that is asked most of one thing.

    Attributes
    ----------
    layer, kind, net
        Where, see ``Amplifiers``; the net of its output.
    what
        One of ``QUANTITIES``.
    asked, has
        What it is asked for, and what its op-amp has: amperes, volts, siemens or gains.
    unit
        Of both.
    amplifiers, beyond
        How many there are of the kind, and of how many more is asked than they have.
    opamp
        The name of its op-amp, where there are several.
    """

    layer: int
    kind: str
    net: str
    what: str
    asked: float
    has: float
    unit: str
    amplifiers: int
    beyond: int
    opamp: str = ""

    @property
    def share(self) -> float:
        """Of what its op-amp has; above 1 it does not suffice."""
        return self.asked / self.has if self.has else math.inf

    def sentence(self, calibrated: bool) -> str:
        """That it is asked too much, and what to change."""
        quantity = QUANTITIES[self.what]
        images = " on the calibration images" if calibrated else " at worst"
        said = quantity.said.format(
            asked=self._amount(self.asked), has=self._amount(self.has), images=images
        )
        if self.opamp:
            said = said.replace("its op-amp", f"its op-amp {self.opamp}")
        others = ""
        if self.beyond > 1:
            others = f" ({self.beyond} of {many(self.amplifiers, self.kind)} are asked too much)"
        advice = quantity.advice.get(self.kind)
        change = f"{advice}, or take another op-amp" if advice else "take another op-amp"
        return f"layer {self.layer}: {self.kind} {self.net} {said}{others}: {change}"

    @property
    def told(self) -> str:
        """``sinks 97.1 uA of 124 uA``."""
        return f"{self.what} {self._amount(self.asked)} of {self._amount(self.has)}"

    def _amount(self, value: float) -> str:
        if self.unit == "S":
            return engineering(1 / value, "ohm")
        return engineering(value, self.unit)


def asks(group: Amplifiers, limits: Limits, spare: float = 1.0) -> dict[str, tuple[Values, Values]]:
    """By quantity what each amplifier (k,) is asked for, on its worst image, and what it has.

    ``spare`` is the share of the op-amp's currents that may be asked for.
    """
    amperes, volts = group.amperes / spare, group.volts
    ones = np.ones(volts.shape[1])
    found = {
        "sinks": (-amperes.min(axis=0).clip(None, 0), limits.sink * ones),
        "sources": (amperes.max(axis=0).clip(0), limits.source * ones),
    }
    for side, what in ((-1, "lowest output"), (1, "highest output")):
        if (side * volts > 0).any():
            found[what] = _farthest(side, volts, limits.reach(side, side * amperes))
    if group.common is not None:
        low, high = limits.common
        found["lowest input"] = group.common.min(axis=0).clip(None, 0), low * ones
        found["highest input"] = group.common.max(axis=0).clip(0), high * ones
    gain = limits.gain_at(group.load)
    return found | {
        "load": (group.load, ones / limits.ohms[0]),
        "least gain": (group.least_gain, gain),
        "gain": (group.noise_gain / MOST_ERROR, gain),
    }


def _farthest(side: int, volts: Values, reach: Values) -> tuple[Values, Values]:
    """Volts (k,) on a side of 0 V, and how far an output gets, where that is the nearest to it."""
    there = (side * volts).clip(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(there > 0, there / reach, 0.0)
    worst: Values = share.argmax(axis=0)[None]
    each = (np.take_along_axis(one, worst, axis=0)[0] for one in (there, reach))
    asked, has = each
    return side * asked, side * has


def shares_of(asked: Values, has: Values) -> Values:
    """What is asked as shares (k,) of what is there: infinite of nothing, 0 where nothing is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(asked == 0, 0.0, asked / has)


def demands(
    conditions: Mapping[str, Any],
    design: Design,
    spec: NetworkSpec,
    others: Mapping[str, Mapping[str, Any]] = {},
) -> list[Demand]:
    """What each kind of amplifier of ``design`` is asked for most, layer by layer.

    Parameters
    ----------
    conditions
        Figures of its op-amp, one of ``OpAmpFigures.summary["conditions"]``.
    design
        Of one deck; its ``opamp`` may be any.
    spec
        Its network, of whose calibration images it is told; without any at worst.
    others
        Figures of op-amps that stand in one place alone, by place, such as ``opamp_rows``; each
        has ``opamp``, its name.
    """
    return demands_of(amplifiers_of(design, spec), AllLimits.of(conditions, others))


def demands_of(groups: Sequence[Amplifiers], limits: AllLimits) -> list[Demand]:
    """``demands`` of some amplifiers."""
    found: list[Demand] = []
    for group in groups:
        own = limits.at(group.kind)
        for what, (asked, has) in asks(group, own).items():
            share = shares_of(asked, has)
            if not share.any():
                continue
            worst = int(share.argmax())
            found.append(
                Demand(
                    layer=group.layer, kind=group.kind, net=group.nets[worst], what=what,
                    asked=float(asked[worst]), has=float(has[worst]),
                    unit=QUANTITIES[what].unit, amplifiers=len(group.nets),
                    beyond=int((share > 1).sum()), opamp=own.name,
                )
            )  # fmt: skip
    return found


def listing(found: Sequence[Demand]) -> Listing:
    """A table of ``found``, a row each."""
    head = ["layer", "amplifier", "asked most", "", "of what its op-amp has", "asked too much"]
    rows = [
        [
            str(one.layer), one.kind, one.net, one.told, percent(one.share, 0),
            f"{one.beyond} of {one.amplifiers}",
        ]
        for one in found
    ]  # fmt: skip
    return Listing(head, rows)


def check_demand(
    conditions: Mapping[str, Any],
    design: Design,
    spec: NetworkSpec,
    others: Mapping[str, Mapping[str, Any]] = {},
) -> list[Demand]:
    """``demands``, none of which is beyond what the op-amp has.

    Raises
    ------
    CompileError
        If one is, or the op-amp was not characterised at the supplies of ``design``: it names row,
        line or output, what is asked and the limit.
    """
    rail = design.hardware.v_rail
    for limits in AllLimits.of(conditions, others).every:
        if rail > limits.supply * (1 + 1e-9):
            raise CompileError(
                f"v_rail = {rail:g} V, and {limits.called} is characterised at {limits.vdd:g} and "
                f"{limits.vss:g} V: leave v_rail out, or characterise it at {rail:g} and "
                f"{-rail:g} V"
            )
    found = demands(conditions, design, spec, others)
    calibrated = spec.calibration is not None and len(spec.calibration) > 0
    for one in found:
        if one.beyond:
            raise CompileError(one.sentence(calibrated))
    return found


def amplifiers_at(designs: Sequence[tuple[Design, NetworkSpec]]) -> dict[str, int]:
    """How many amplifiers there are by the place of their own op-amp."""
    found: Counter[str] = Counter()
    for one in designs:
        for group in amplifiers_of(*one):
            found[place_of(group.kind)] += len(group.nets)
    return dict(found)


def loads_wanted(
    designs: Sequence[tuple[Design, NetworkSpec]],
    farads: float = 1e-12,
    places: Collection[str] | None = None,
) -> list[tuple[float, float]]:
    """Loads, ohms and ``farads``, from the lightest to the heaviest amplifier, between which
    figures of an op-amp are read; ``LIGHTEST`` at least, and the lightest first: there it must have
    gain. Of one that stands at ``places`` those of their amplifiers, if there are any."""
    found = [group for one in designs for group in amplifiers_of(*one)]
    at_places = [one for one in found if places is None or place_of(one.kind) in places]
    groups = [group.load for group in at_places or found]
    heaviest = float(np.max([load.max() for load in groups]))
    lightest = max(LIGHTEST, 1 / float(np.min([load.min() for load in groups])))
    steps = math.ceil(math.log(lightest * heaviest) / math.log(PER_LOAD))
    ohms = np.geomspace(lightest, 1 / heaviest, steps + 1)
    step = 10 ** np.floor(np.log10(ohms) - 1)
    return [(float(value), farads) for value in np.floor(ohms / step) * step]


def nominal_figures(summaries: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By place the figures that a circuit is sized by, of ``OpAmpFigures.summary`` of each; of
    several with their names."""
    several = len(summaries) > 1
    return {
        place: one["conditions"][one["nominal"]] | ({"opamp": one["opamp"]} if several else {})
        for place, one in summaries.items()
    }


def require_driven(build: Build, circuit: Circuit) -> None:
    """Raise what ``check_demand`` finds where ``circuit`` is of a BUILD with op-amps of netlists,
    compiled again."""
    hardware, own = circuit.hardware, build.hardware
    if hardware == own or not own.amplifier.macro or hardware.opamp != own.opamp:
        return
    told = {place: build.summary.get(place) for place in (OPAMP, *OPAMPS.values())}
    figures = nominal_figures({place: one for place, one in told.items() if one})
    if OPAMP not in figures:
        return
    nominal = figures.pop(OPAMP)
    for link in circuit.links:
        check_demand(nominal, link.design, link.spec, figures)
