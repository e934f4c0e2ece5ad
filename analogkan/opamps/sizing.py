# pyright: strict
"""Hardware for an op-amp, from its characterised figures: what it drives decides g_max and r_diff.

Conductances are scaled where no volt moves with them, then the network is mapped once more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..compiler.design import Design, map_design
from ..compiler.hardware import Hardware
from ..compiler.sections import circuits, divide
from ..compiler.series import standard_of
from ..compiler.stability import SMALLEST_C_F, steepest_fall
from ..network.spec import NetworkSpec
from ..physics.assumptions import Assumptions
from ..text import engineering
from .amplifiers import Amplifiers, amplifiers_of
from .demand import DRIVE, asks, demands_of, shares_of
from .limits import AllLimits
from .loop import Loop

SPARE = 0.8
"""Share of an op-amp's currents that calibration images may ask for; the rest is for other images
and for chips; assumed."""
LEAST = 1e-3
"""Of a conductance that was asked for, the least that is tried; assumed."""
LEAST_PAIRS = 0.1
"""Of 1 / r_diff, down to where it makes way for lines before g_max does; assumed."""
PASSES = 4
"""Mappings after which a choice is left as it is, where wires or standard values move it;
assumed."""
HALVINGS = 18
"""Of the range of a conductance, in ratios: to 3e-5."""
DIGITS, MEASURED = 3, 4
"""Of what is chosen, so that people can read and type it; of the op-amp's figures."""
ZETA = Assumptions().zeta
"""Damping of a row amplifier; as a datasheet assumes."""
OUTPUTS = ("lowest output", "highest output")
INPUTS = ("lowest input", "highest input")
DRIVEN = ("sinks", "sources", "load", "least gain", "gain")
CLOSEST = {
    "headroom": (
        "",
        {"line": OUTPUTS, "output": (*OUTPUTS, *INPUTS), "hidden output": INPUTS},
    ),
    "g_max": ("S", {"row": DRIVEN, "line": DRIVEN}),
    "r_diff": ("ohm", {"line": DRIVEN, "output": DRIVEN, "hidden output": DRIVEN}),
}
"""Of what is chosen by limits: its unit, and which limits these are, by kind of amplifier."""
Deck = tuple[Design, NetworkSpec]
Groups = Sequence[Amplifiers]


def size_hardware(
    conditions: Mapping[str, Any],
    spec: NetworkSpec,
    hardware: Hardware,
    chosen: Collection[str] = (),
    most: int | None = None,
    others: Mapping[str, Mapping[str, Any]] = {},
) -> tuple[Hardware, list[str]]:
    """``hardware`` for an op-amp, or for several, and sentences on what was chosen and why.

    What an op-amp cannot drive even so, ``check_demand`` refuses.

    Parameters
    ----------
    conditions
        Figures of the op-amp, one of ``OpAmpFigures.summary["conditions"]``.
    spec
        The network; currents are those of its calibration images, or without any the worst.
    hardware
        What is asked for: g_max, headroom and 1 / r_diff become no larger.
    chosen
        Names of settings that are left as they are.
    most
        Crossbar resistors of a deck, where values are held between several.
    others
        As for ``demands``.

    Raises
    ------
    CompileError, SettingsError
        As ``map_design``, or of a resistor that no series has.
    """
    limits, asked = AllLimits.of(conditions, others), hardware
    # no bandwidth but the op-amp's own decides whether a capacitor suffices
    hardware = replace(hardware, c_f=0.0, **_free({"v_rail": limits.supply}, chosen))
    decks = decks_of(spec, hardware, most)
    for choose in (_unloaded, _conductances, _loaded, _conductances):
        for _ in range(PASSES):
            values = _free(choose(_groups(decks), limits, hardware, asked, chosen), chosen)
            if not values:
                break
            hardware = replace(hardware, **values)
            decks = decks_of(spec, hardware, most)
    groups = _groups(decks)
    notes = _moved(groups, limits, asked, hardware)
    hardware, loop = _loop(groups, limits, replace(hardware, c_f=asked.c_f), chosen)
    hardware, damped = _damped(decks_of(spec, hardware, most), limits, hardware, chosen)
    return hardware, [*notes, *loop, *damped]


def decks_of(spec: NetworkSpec, hardware: Hardware, most: int | None = None) -> list[Deck]:
    """Every deck of ``spec``: its design and its network; of ``most`` crossbar resistors each."""
    specs = [spec]
    if most is not None:
        folded = spec.folded()
        specs = [own for _, own in circuits(folded, divide(folded, most))]
    return [(map_design(own, hardware), own) for own in specs]


def _groups(decks: Iterable[Deck]) -> list[Amplifiers]:
    return [group for deck in decks for group in amplifiers_of(*deck)]


def _free(values: Mapping[str, Any], chosen: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in chosen}


def _unloaded(
    groups: Groups, limits: AllLimits, hardware: Hardware, asked: Hardware, chosen: Collection[str]
) -> dict[str, float]:
    """Headroom for what the op-amp reaches without a load."""
    return _headroom(groups, limits, hardware, asked, 0.0)


def _loaded(
    groups: Groups, limits: AllLimits, hardware: Hardware, asked: Hardware, chosen: Collection[str]
) -> dict[str, float]:
    """Headroom for what it reaches with the currents that there are."""
    return _headroom(groups, limits, hardware, asked, 1 / SPARE)


def _headroom(
    groups: Groups, limits: AllLimits, hardware: Hardware, asked: Hardware, currents: float
) -> dict[str, float]:
    """Headroom at which lines, and what follows from them, go to that share of what the op-amp
    reaches, with so many times their currents, which was asked for of the supplies; nothing where
    they do not go farther."""
    room = [math.inf]
    for group in groups:
        own = limits.at(group.kind)
        for side in (-1, 1) if group.scales else ():
            there = (side * group.volts).clip(1e-9 * own.supply)
            reach = own.reach(side, side * currents * group.amperes)
            room.append(float((reach / there).min()))
        if group.common is not None:
            ends = zip(own.common, (group.common.min(), group.common.max()), strict=True)
            room += [float(end / far) for end, far in ends if end * far > 0]
    share = asked.headroom * min(room)
    if not 0 < share < 1 - 1e-3:  # at 0 no volts help: it is refused for its current
        return {}
    return {"headroom": _rounded(hardware.headroom * share, -1)}


def _conductances(
    groups: Groups, limits: AllLimits, hardware: Hardware, asked: Hardware, chosen: Collection[str]
) -> dict[str, float]:
    """g_max with g_min, and r_diff, that are within an op-amp's limits; nothing where all are.

    Rows ask for a g_max, outputs for an r_diff; lines have first r_diff raised up to tenfold.
    """

    def fits(kind: str, cells: float, pairs: float) -> bool:
        return all(
            shares_of(wanted, has).max() <= 1
            for group in groups
            if group.kind.endswith(kind)
            for what, (wanted, has) in asks(
                group.scaled(cells, pairs), limits.at(group.kind), SPARE
            ).items()
            if not what.endswith("input")
        )

    low_s, low_t = (1.0 if name in chosen else LEAST for name in ("g_max", "r_diff"))
    if "g_min" in chosen:
        low_s = min(1.0, max(low_s, 2 * hardware.g_min / hardware.g_max))
    s = _largest(lambda x: fits("row", x, 1.0), low_s)
    t = _largest(lambda x: fits("output", s, x), low_t)
    if not fits("line", s, t):
        first = t * max(LEAST_PAIRS, low_t)
        if fits("line", s, first):
            t *= _largest(lambda x: fits("line", s, x * t), first / t)
        else:
            smaller = s * _largest(lambda x: fits("line", x * s, first), low_s)
            s, t = (smaller, first) if fits("line", smaller, first) else (s, t)
    found: dict[str, float] = {}
    if s < 1:
        found["g_max"] = _rounded(s * hardware.g_max, -1)
        if "g_min" not in chosen:
            found["g_min"] = float(f"{found['g_max'] / hardware.g_max * hardware.g_min:.6g}")
    if t < 1:
        found["r_diff"] = _rounded(hardware.r_diff / t, 1)
        if hardware.series:
            ohms = np.array(found["r_diff"])
            found["r_diff"] = float(standard_of(ohms, hardware.series, "r_diff", DRIVE["line"], 1))
    return found


def _largest(fits: Callable[[float], bool], low: float) -> float:
    """The largest factor from ``low`` to 1 that fits; 1 if none does."""
    if fits(1.0) or not fits(low):
        return 1.0
    high = 1.0
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _rounded(value: float, side: int, digits: int = DIGITS) -> float:
    """``value`` with so many digits, away from 0 if ``side`` is 1, towards it if it is -1."""
    step = 10.0 ** (math.floor(math.log10(value)) + 1 - digits)
    steps = value / step
    near = round(steps)
    if not math.isclose(steps, near, rel_tol=1e-9):
        near = math.ceil(steps) if side > 0 else math.floor(steps)
    return float(f"{near * step:.{digits}g}")


def _moved(groups: Groups, limits: AllLimits, asked: Hardware, hardware: Hardware) -> list[str]:
    """What is other than was asked for, with the amplifier that is closest to its limit."""
    found, notes = demands_of(groups, limits), list[str]()
    for name, (unit, limiting) in CLOSEST.items():
        before, now = getattr(asked, name), getattr(hardware, name)
        if now == before:
            continue
        near = [one for one in found if one.what in limiting.get(one.kind, ())]
        most = max(near, key=lambda one: one.share)
        notes.append(
            f"{name} = {engineering(now, unit)} in place of {engineering(before, unit)}: layer "
            f"{most.layer}, {most.kind} {most.net} {most.told}"
        )
    rail = hardware.v_rail
    if rail != asked.v_rail:
        supply = "the smallest supply of its op-amps" if limits.own else "the op-amp's supply"
        notes.append(f"v_rail = {rail:g} V in place of {asked.v_rail:g} V: {supply}")
    for one in limits.every:
        if rail < one.supply or one.vdd != -one.vss:
            its = f"{one.called} is" if limits.own else "its op-amps are"
            stand = "stands" if limits.own else "stand"
            notes.append(
                f"{its} characterised at {one.vdd:g} and {one.vss:g} V and {stand} at {rail:g} and "
                f"{-rail:g} V, where their figures may be others"
            )
    return notes


def _loop(
    groups: Groups, limits: AllLimits, hardware: Hardware, chosen: Collection[str]
) -> tuple[Hardware, list[str]]:
    """Open-loop gain and bandwidth at the heaviest load of all, one for all op-amps; of several
    the least, each at its own heaviest load."""
    kinds = dict.fromkeys(group.kind for group in groups)
    found: dict[str, tuple[float, str, str]] = {}
    for own in limits.among(kinds):
        here = [group for group in groups if limits.at(group.kind) is own]
        heaviest = max(here, key=lambda group: group.load.max())
        at = int(heaviest.load.argmax())
        load = heaviest.load[at]
        its = "its heaviest load" if limits.own else "the heaviest load"
        where = (
            f"at {engineering(1 / load, 'ohm')}, {its}: layer {heaviest.layer}, {heaviest.kind} "
            f"{heaviest.nets[at]}"
        )
        for name, value in (("opamp_gain", own.gain_at(load)), ("gbw", own.gbw_at(load))):
            if name not in found or value < found[name][0]:
                found[name] = float(value), own.called, where
    driving = [kind for kind in kinds if kind in ("hidden output", "cell")] or ["output"]
    weakest = max(limits.among(driving), key=lambda own: own.r_out)
    where = "in open loop" if limits.own else found["gbw"][2]
    found["r_out"] = weakest.r_out, weakest.called, where
    values = {name: float(f"{value:.{MEASURED}g}") for name, (value, *_) in found.items()}
    notes: list[str] = []
    for called, where in dict.fromkeys((one[1], one[2]) for one in found.values()):
        names = [name for name in found if found[name][1:] == (called, where)]
        free = [name for name in names if name != "r_out"]
        if left := [name for name in names if name in chosen]:
            told = ", ".join(f"{name} = {values[name]:g}" for name in left)
            notes.append(f"{called} has {told} {where}; what was set stays")
        elif free:
            are = "are" if len(free) > 1 else "is"
            least = "the least, " * bool(limits.own)
            notes.append(f"{' and '.join(free)} {are} {least}{called}'s {where}")
    return replace(hardware, **_free(values, chosen)), notes


def _damped(
    decks: Sequence[Deck], limits: AllLimits, hardware: Hardware, chosen: Collection[str]
) -> tuple[Hardware, list[str]]:
    """One capacitor for all row amplifiers, which damps them on their diodes' steepest falls with
    what stands at the op-amp's input; a sentence where the one there is does not."""
    rows, loops = limits.at("row"), list[Loop]()
    farads: list[float] = []
    for design, _ in decks:
        for stage in design.stages:
            heaviest = float((1 / stage.r_f.min() + stage.g.sum(axis=1)).max())
            second, gbws = rows.second_at(heaviest), {float(stage.gbw[0])}
            if limits.own:  # the least of all is the macro-model's, and rows may be faster
                gbws.add(float(rows.gbw_at(np.array(heaviest))))
            for curve, r_f, c_f in zip(stage.curves, stage.r_f[0], stage.c_f, strict=True):
                g = -steepest_fall(curve, -math.inf, math.inf)
                loops += [Loop(rows.c_in, g, float(r_f), gbw, second) for gbw in sorted(gbws)]
                farads += [float(c_f)] * len(gbws)
    if "c_f" not in chosen:
        wanted = _rounded(max(SMALLEST_C_F, *(loop.least_c_f(ZETA) for loop in loops)), 1)
        hardware, farads = replace(hardware, c_f=wanted), [wanted] * len(loops)
    pairs = zip(loops, farads, strict=True)
    least = min(loop.damping(c_f) for loop, c_f in pairs)
    if least >= ZETA:
        return hardware, []
    return hardware, [
        f"c_f = {engineering(min(farads), 'F')} leaves a row amplifier on the steepest fall of its "
        f"diode a damping of {least:.2f}, with {engineering(rows.c_in, 'F')} at the op-amp's "
        f"input and its second pole at {engineering(rows.second_at(0.0), 'Hz')}: it rings"
    ]
