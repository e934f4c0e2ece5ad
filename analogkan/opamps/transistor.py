# pyright: strict
"""A transistor's file for the pairs of sigmoid and tanh cells: its pins, and ngspice's current gain
and Early voltage of it, by which the closed form stands for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..devices.curve import NOMINAL_TEMP_C
from ..dialects import NGSPICE
from ..dialects.words import format_number as say
from ..engines.ngspice import Runner
from ..engines.scratch import room_in, scratch
from ..errors import NetlistError, SimulationError
from ..text import engineering
from .deck import include_line
from .libraries import Include
from .source import OpAmpFile, read_subcircuits

NAMES = {
    "c": ("c", "col", "collector"),
    "b": ("b", "base"),
    "e": ("e", "em", "emitter"),
    "s": ("s", "sub", "substrate", "bulk"),
}
"""What pins may be called, by what they are."""
COLLECTOR_BASE = 1.0
"""Volts from base to collector, as in the cells."""
APART = 0.1
COLLECTORS = {"low": -APART, "here": 0.0, "high": APART}
"""Volts of three collectors, by which the Early effect is seen."""
LEAST_GAIN, LEAST_EARLY, MOST_EARLY = 1.0, 1.0, 1e6
"""What ``npn_bf`` of the hardware may be at least, ``npn_vaf`` at least and at most."""
OPTIONS = ".option reltol=1e-6 vntol=1e-9 abstol=1e-15"
"""Collector currents differ by a share of 1e-3."""
TIMEOUT = 60.0
"""Seconds for the deck."""


@dataclass(frozen=True)
class Gains:
    """What the closed form knows of a transistor.

    Attributes
    ----------
    i_tail
        Amperes out of its emitter.
    current_gain
        Collector current over base current, 1 V from base to collector.
    v_early
        Volts: V_A of I_C = I (1 + V_CB / V_A), base and emitter where they are.
    v_be
        Volts from emitter to base.
    """

    i_tail: float
    current_gain: float
    v_early: float
    v_be: float

    @property
    def bf(self) -> float:
        """``npn_bf``: the current gain without the Early effect."""
        return float(f"{self.current_gain / (1 + COLLECTOR_BASE / self.v_early):.5g}")


def read_transistor(
    path: Path, subckt: str | None = None, allowed: Iterable[Path] = ()
) -> OpAmpFile:
    """The transistor of a file, of its subcircuit ``subckt`` where it has several; its pins are
    ``c``, ``b``, ``e`` and perhaps ``s``, in its order.

    They are found by their names, or, where none is one of ``NAMES``, by their order: collector,
    base, emitter, substrate.

    Raises
    ------
    NetlistError
        If it cannot be read, has a line that a cell may not have, no subcircuit of that name,
        several and none was chosen, or one that is no transistor by its pins.
    """
    found = {one.name: one for one in read_subcircuits(path, allowed)}
    names = ", ".join(found)
    if subckt is None and len(found) > 1:
        raise NetlistError(
            f"{path} has {len(found)} subcircuits ({names}): say which is the transistor, as "
            f"{path.name}:{next(iter(found))}"
        )
    name = next(iter(found)) if subckt is None else subckt.lower()
    if name not in found:
        raise NetlistError(f"{path} has no .subckt {subckt}; it has {names}")
    file = found[name]
    return replace(file, pins=_roles(file))


def _roles(file: OpAmpFile) -> tuple[str, ...]:
    """What the pins of ``file`` are."""
    known = {name: role for role, names in NAMES.items() for name in names}
    roles = tuple(known.get(pin, "") for pin in file.pins)
    if not any(roles):
        roles = tuple(NAMES)[: len(roles)] if len(roles) in (3, 4) else roles
    if sorted(roles) not in (sorted("cbe"), sorted("cbes")):
        may = "; ".join(f"{role}: {', '.join(names)}" for role, names in NAMES.items())
        raise NetlistError(
            f"{file.path}: .subckt {file.name} has the pins {' '.join(file.pins) or 'none'}, and a "
            f"transistor's are collector, base, emitter and perhaps substrate, called by these "
            f"names in any order ({may}), or by none of them in this one: rename them in the "
            ".subckt line"
        )
    return roles


def measure_transistor(
    file: OpAmpFile,
    includes: Sequence[Include],
    runner: Runner,
    *,
    i_tail: float,
    v_substrate: float,
) -> Gains:
    """What ngspice says at 26.85 degC of the transistor of ``file`` with ``i_tail`` amperes out of
    its emitter, its collector at ground, its base 1 V below that, its substrate at ``v_substrate``.

    Raises
    ------
    SimulationError
        If ngspice does not deliver, or it is no NPN transistor with a current gain there.
    """
    with scratch() as folder, room_in(folder):
        cir, raw = folder / "transistor.cir", folder / "transistor.raw"
        text = _bench(file, includes, i_tail, v_substrate)
        cir.write_text(text, encoding="utf-8", newline="\n")
        runner.run(cir, raw, timeout=TIMEOUT)
        read = NGSPICE.read(raw, points=1)
    base, low, here, high = (-read[f"i(v_{name})"].item() for name in ("b", *COLLECTORS))
    where = f"{file.name} with {engineering(i_tail, 'A')} out of its emitter"
    if not (base > 0 and here >= LEAST_GAIN * base):
        raise SimulationError(
            f"{where} takes {engineering(here, 'A')} at its collector and {engineering(base, 'A')} "
            f"at its base, and a current gain of {LEAST_GAIN:g} is the least of an NPN transistor: "
            "see that its pins are collector, base, emitter and substrate"
        )
    bent = (high - low) / (2 * APART)
    early = here / bent - COLLECTOR_BASE if bent > 0 else np.inf
    if not LEAST_EARLY <= early <= MOST_EARLY:
        raise SimulationError(
            f"{where} has an Early voltage of {early:.3g} V, and the closed form of the pairs "
            f"takes {LEAST_EARLY:g} to {MOST_EARLY:g} V: give another transistor"
        )
    v_be = -COLLECTOR_BASE - read["v(e)"].item()
    told = (float(f"{x:.5g}") for x in (here / base, early, v_be))
    return Gains(i_tail, *told)


def _bench(file: OpAmpFile, includes: Sequence[Include], i_tail: float, v_substrate: float) -> str:
    """One as in a pair that carries all of the tail's current, and two of the same base and emitter
    whose collectors are lower and higher."""
    lines = ["* a transistor of a pair"]
    lines += [include_line(str(one.path), one.section) for one in includes]
    lines += [
        include_line(str(file.path), ""),
        f".option temp={say(NOMINAL_TEMP_C)} tnom={say(NOMINAL_TEMP_C)}",
        OPTIONS,
        f"v_s s 0 dc {say(v_substrate)}",
        f"v_b b 0 dc {say(-COLLECTOR_BASE)}",
        f"i_tail e 0 dc {say(i_tail)}",
        f"v_copied_b copied_b 0 dc {say(-COLLECTOR_BASE)}",
        "e_copied copied_e 0 e 0 1",
    ]
    for name, volts in COLLECTORS.items():
        copied = "" if name == "here" else "copied_"
        nets = {"c": name, "b": f"{copied}b", "e": f"{copied}e", "s": "s"}
        lines += [
            f"v_{name} {name} 0 dc {say(volts)}",
            f"x_{name} {' '.join(nets[pin] for pin in file.pins)} {file.name}",
        ]
    saved = ["v(e)", *(f"i(v_{name})" for name in ("b", *COLLECTORS))]
    return "\n".join([*lines, *(f".save {one}" for one in saved), ".op", ".end\n"])
