"""The squash cells: a limiter, and emitter-coupled pairs in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..devices.curve import NOMINAL_TEMP_C
from ..devices.formulas import BOLTZMANN_OVER_CHARGE
from .base import INPUT, NUMPY, OUTPUT, CellPower, Param, Pin, SquashKind, same

THERMAL_VOLTS = 300.0 * BOLTZMANN_OVER_CHARGE
"""k T / q at 300 K: the constant in the attenuators before the transistor pairs."""
NGSPICE_VOLTS = 1.38064852e-23 / 1.6021766208e-19
"""k_B / q as ngspice has it (CODATA 2014): the 2018 value moves logits by 3e-7 of full scale."""
NPN_IS = 1e-16
"""Amperes, saturation current of the pairs' transistors; it cancels. Assumed."""
LIMIT_VOLTS = 0.8
"""Where the cells' attenuators limit the voltage between a pair's bases."""
BASE_VOLTS = -1.0
"""At the second base; the collectors are held at 0 V."""
ROUNDS = 3
"""Of working out what the finite gain of a cell's op-amp does to its collectors: 1e-15 remains."""
PINS = (Pin("in", INPUT), Pin("out", OUTPUT))


def _limits(params: Mapping[str, float], squash: Any, unit: float, hardware: Any) -> Iterable[str]:
    if (params["lo"], params["hi"]) != (squash.v_lo, squash.v_hi):
        yield f"limits to {params['lo']}, {params['hi']} V"


CLAMP = SquashKind(
    name="clamp",
    pins=PINS,
    params=(Param("lo", "V", "0"), Param("hi", "V", "1.25")),
    curve=lambda u, squash, xp: xp.clip(u, squash.v_lo, squash.v_hi),
    settings=lambda squash, scale, load, hardware: {"lo": squash.v_lo, "hi": squash.v_hi},
    closed_form=lambda v, params, hardware, temp_c, xp: xp.clip(v, params["lo"], params["hi"]),
    power=lambda v, load, params, hardware, temp_c: CellPower(
        0 * v, v.clip(params["lo"], params["hi"]) * load, (load,), 0 * v
    ),
    transfer=_limits,
    sloped=False,
    flat=True,
)


def saturation_current(temp_c: float) -> float:
    """Of the pairs' transistors, amperes, as ngspice scales it with its default EG, XTI and BR."""
    ratio = (temp_c + 273.15) / (NOMINAL_TEMP_C + 273.15)
    v_t = (temp_c + 273.15) * NGSPICE_VOLTS
    return NPN_IS * ratio**3 * math.exp((ratio - 1) * 1.11 / v_t)


@dataclass(frozen=True)
class Pair:
    """A pair's inside: volts of its output and between its bases; of the two transistors, the
    collectors' volts and amperes and the bases' amperes; volts of the emitters; of a tanh cell,
    volts of the second op-amp's output."""

    out: Any
    drive: Any
    collectors: tuple[Any, Any]
    currents: tuple[Any, Any]
    bases: tuple[Any, Any]
    tail: Any
    far: Any


def pair(v: Any, params: Mapping[str, Any], hardware: Any, temp_c: float, xp: Any) -> Pair:
    """The inside of the sigmoid cell, or with ``mid`` of the tanh cell, for ``v`` volts at its
    input.

    Both transistors, Gummel and Poon's with a current gain and an Early voltage, see one emitter:
    their transport currents are in the ratio exp(V_d / V_T), and collector and base currents
    together are the tail's. Junction leakage (1e-16 A of 1e-5) is left out of the collectors'.
    """
    v_t = (temp_c + 273.15) * NGSPICE_VOLTS
    drive = xp.clip(params["k"] * v, -LIMIT_VOLTS, LIMIT_VOLTS)
    leak, a = saturation_current(temp_c), hardware.opamp_gain_used
    ratio = xp.exp(drive / v_t)
    base = 1 / hardware.npn_bf
    tail = params["itail"] + 2 * leak * base
    first, second = xp.zeros_like(drive), xp.zeros_like(drive)  # collectors, volts
    out = far = transport = i_1 = i_2 = xp.zeros_like(drive)
    for _ in range(ROUNDS):
        early_1 = 1 - (BASE_VOLTS + drive - first) / hardware.npn_vaf
        early_2 = 1 - (BASE_VOLTS - second) / hardware.npn_vaf
        transport = tail / (ratio * (early_1 + base) + early_2 + base)
        i_1, i_2 = transport * ratio * early_1 + leak, transport * early_2 + leak
        out = params["rl"] * i_1
        if "mid" in params:
            far = params["rl"] * i_2 / (1 + 1 / a)
            out = (out + params["mid"] - far) / (1 + 2 / a)
            second = -far / a
        else:
            out = (out + params["lo"]) / (1 + 1 / a)
        first = -out / a
    bases = tuple((t - leak) * base - leak for t in (transport * ratio, transport))
    emitters = BASE_VOLTS - v_t * xp.log(transport / leak)
    return Pair(out, drive, (first, second), (i_1, i_2), (bases[0], bases[1]), emitters, far)


def pair_volts(v: Any, params: Mapping[str, Any], hardware: Any, temp_c: float, xp: Any) -> Any:
    """Output of the sigmoid cell, or with ``mid`` of the tanh cell; arguments as for ``pair``."""
    return pair(v, params, hardware, temp_c, xp).out


def pair_power(
    v: Any, load: Any, params: Mapping[str, Any], hardware: Any, temp_c: float
) -> CellPower:
    """Of the sigmoid cell, or with ``mid`` of the tanh cell."""
    p, rl = pair(v, params, hardware, temp_c, NUMPY), params["rl"]
    (c_1, c_2), (i_1, i_2), (b_1, b_2) = p.collectors, p.currents, p.bases
    burnt = c_1 * i_1 + (BASE_VOLTS + p.drive) * b_1 - p.tail * (i_1 + b_1)
    burnt = burnt + c_2 * i_2 + BASE_VOLTS * b_2 - p.tail * (i_2 + b_2) + (c_1 - p.out) ** 2 / rl
    given = BASE_VOLTS * (b_1 + b_2) + p.drive * b_1 - p.tail * params["itail"]
    given = given - c_1 * params["mid" if "mid" in params else "lo"] / rl
    outs = [(p.out - c_1) / rl + load]
    given = given + p.out * outs[0]
    if "mid" in params:
        outs.append((2 * p.far - c_2 - c_1) / rl)
        burnt = burnt + ((c_2 - p.far) ** 2 + (p.far - c_1) ** 2) / rl
        given = given + p.far * outs[1]
    return CellPower(burnt, given, tuple(outs), 0 * p.out + params["itail"])


def _beta(hardware: Any) -> float:
    # The collector is 1 V above its bases: the Early effect raises beta by that.
    return hardware.npn_bf * (1 + 1.0 / hardware.npn_vaf)


def _load(collectors: int) -> Callable[[Any, Any], float]:
    """The load of a pair of which so many collectors count."""

    def ohms(squash: Any, hardware: Any) -> float:
        swing = (squash.v_hi - squash.v_lo) / collectors
        return swing * (1 + 1 / _beta(hardware)) / hardware.i_tail

    return ohms


def _varied_sigmoid(
    params: Mapping[str, Any], loads: Sequence[Any], tail: Any, hardware: Any
) -> dict[str, Any]:
    """The current that makes ``lo`` is a source's of its own, so the load scales that too."""
    (load,) = loads
    return {"rl": params["rl"] * load, "lo": params["lo"] * load, "itail": params["itail"] * tail}


def _varied_tanh(
    params: Mapping[str, Any], loads: Sequence[Any], tail: Any, hardware: Any
) -> dict[str, Any]:
    """Three loads, of the second collector, from its output to the first, and of the first, as the
    cell's one: what the second collector's current is worth too much or too little is a share of
    the difference, which ``rl`` has, and of the sum, which is the tail's and which ``mid`` has."""
    second, between, first = loads
    worth, beta = second / between, _beta(hardware)
    rl, itail = params["rl"] * first, params["itail"] * tail
    start = params["mid"] * first + rl * (1 - worth) / 2 * itail * beta / (1 + beta)
    return {"rl": rl * (1 + worth) / 2, "mid": start, "itail": itail}


def _transfer(start: str, collectors: int, begin: Callable[[Any], float]) -> Any:
    """What a pair's parameters make otherwise; shares nothing with how they are chosen."""

    def differs(p: Mapping[str, float], squash: Any, unit: float, hardware: Any) -> Iterable[str]:
        beta = hardware.npn_bf + hardware.npn_bf / hardware.npn_vaf  # 1 V collector to base
        slope = p["k"] * unit / (300.0 * 8.617333262e-5)
        if not same(slope, squash.slope * collectors):
            yield f"has slope {slope!r}, not {squash.slope * collectors!r}"
        swing = p["rl"] * p["itail"] * (beta / (beta + 1)) * collectors
        if p["itail"] != hardware.i_tail or not same(swing, squash.v_hi - squash.v_lo):
            yield f"swings {swing!r} V"
        if p[start] != begin(squash):
            yield f"starts from {p[start]!r} V, not {begin(squash)!r}"

    return differs


def _curve(u: Any, squash: Any, xp: Any) -> Any:
    return squash.v_lo + (squash.v_hi - squash.v_lo) * xp.sigmoid(u)


SIGMOID = SquashKind(
    name="sigmoid",
    pins=PINS,
    params=(
        Param("k", "V/V", "25.852m"),
        Param("lo", "V", "0"),
        Param("rl", "ohm", "125k"),
        Param("itail", "A", "10u"),
    ),
    models=("npn",),
    curve=_curve,
    settings=lambda squash, scale, load, hardware: {
        "k": scale, "lo": squash.v_lo, "rl": load, "itail": hardware.i_tail,
    },
    closed_form=pair_volts,
    power=pair_power,
    transfer=_transfer("lo", 1, lambda squash: squash.v_lo),
    default=(0.0, 1.0),
    drive_volts=THERMAL_VOLTS,
    load=_load(1),
    n_loads=1,
    varied=_varied_sigmoid,
    in_time=(((-1.0,),), (1.0,)),
)  # fmt: skip
TANH = SquashKind(
    name="tanh",
    pins=PINS,
    params=(
        Param("k", "V/V", "51.704m"),
        Param("mid", "V", "0"),
        Param("rl", "ohm", "100k"),
        Param("itail", "A", "10u"),
    ),
    models=("npn",),
    curve=_curve,  # tanh(s x) is 2 sigmoid(2 s x) - 1
    settings=lambda squash, scale, load, hardware: {
        "k": scale, "mid": 0.5 * (squash.v_lo + squash.v_hi), "rl": load, "itail": hardware.i_tail,
    },
    closed_form=pair_volts,
    power=pair_power,
    transfer=_transfer("mid", 2, lambda squash: 0.5 * (squash.v_lo + squash.v_hi)),
    default=(-1.0, 1.0),
    steepness=2.0,
    drive_volts=THERMAL_VOLTS,
    load=_load(2),
    n_loads=3,
    varied=_varied_tanh,
    # The second collector's half goes through an op-amp of its own; both meet at two resistors.
    in_time=(((-1.0, 0.0), (0.5, -0.5)), (0.5, 0.25)),
)  # fmt: skip
