"""SPICE, the diodes: those of a design by their types, those of a chip one by one.

A type's subcircuit follows the deck's temperature by expressions. A chip's diodes each have the
table that they are at one temperature: a simulator evaluates a table faster than the law behind it,
and both are piecewise linear, so nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np

from ..cells import Library
from ..devices import IVCurve
from ..devices.curve import NOMINAL_TEMP_C
from ..dialects import NGSPICE, Dialect
from ..dialects.words import format_comment, format_number, format_wrapped
from ..errors import CompileError
from .chip import RAMP_VOLTS
from .closed_form import nominal_table
from .design import Design
from .hardware import Hardware
from .names import StageNames
from .spice_noise import Companions

STRETCH = "stretch"
"""The model of the resistors that divide diodes' voltages as temperature has it."""
SAME_VOLTS = 1e-15
"""Points of a table that are closer are one: the rounding of what they are computed from."""
Current = Callable[[str], list[str]]
"""Words for a device's current at a voltage, which is an expression."""


def diode_name(curve: IVCurve) -> str:
    """Name of a device type's subcircuit."""
    return f"diode_{curve.name.lower()}"


def format_diode(
    curve: IVCurve,
    hardware: Hardware,
    say: Dialect = NGSPICE,
    companions: Companions | None = None,
    *,
    chip: bool = False,
    stretched: bool = False,
) -> str:
    """A two-terminal device: a source whose current is the table, piecewise linear, or a user's
    model, to which each instance on a ``chip`` has factors of its own, ki, kv and dv.

    ``stretched``: its voltage is divided by a resistor of the model ``STRETCH``, not in the source.
    """
    name = diode_name(curve)
    own = hardware.libraries.get(name)
    current = partial(_current, curve, hardware, say)
    if stretched:
        lines = [
            [say.gain("e1", "drop", "0", "c", "a", "1")],
            [say.resistor("r1", "drop", "0", "1", STRETCH)],
            say.source("b1", "a", "c", "i", current("i(e1)", stretch="")),
        ]
    elif own is None:
        lines = [say.source("b1", "a", "c", "i", current("v(a,c)"))]
    else:
        lines = list(_format_own(own, chip, say))
    source = curve.source if own is None else f"{own.subckt} of {own.file}, in {own.deck_file}."
    about = f"{name}: {curve.name}, anode a, cathode c. {source}"
    factors = {"ki": "1", "kv": "1", "dv": "0"} if chip else {}
    return _subcircuit(name, about, lines, current, say, companions, factors)


def format_chip_diodes(
    design: Design,
    temp_c: float,
    say: Dialect = NGSPICE,
    companions: Companions | None = None,
) -> list[str]:
    """A chip's diodes but for users' models, each as it is at ``temp_c`` degrees Celsius, or where
    it is warmer than that; named after its row.

    Raises
    ------
    CompileError
        If one is a user's model, and is to be warmer than the rest of the deck.
    """
    hardware, told = design.hardware, []
    for k, stage in enumerate(design.stages):
        rows, e, n_dev = StageNames(design, k).rows(), stage.errors, len(stage.curves)
        assert e is not None
        above = np.zeros(stage.r_f.shape) if e.warmth is None else e.warmth.rows
        tables: dict[tuple[int, float], tuple[np.ndarray, np.ndarray]] = {}
        for i, d in np.argwhere(stage.kept).tolist():
            curve, warm = stage.curves[d], float(above[i, d])
            if (own := diode_name(curve)) in hardware.libraries:
                if e.warmth is not None:
                    raise CompileError(
                        f"{own} is a user's model, whose temperature is the deck's: it cannot be "
                        "warmer than the ambient; leave out what warms parts of the die"
                    )
                continue
            if (d, warm) not in tables:
                tables[d, warm] = nominal_table(curve, hardware, temp_c + warm)
            k_i, k_v, d_v = (float(of[i, d]) for of in (e.k_i, e.k_v, e.d_v))
            name = f"{rows[i * n_dev + d]}_diode"
            points = _points(*shifted_table(*tables[d, warm], k_i, k_v, d_v))
            current = partial(_tabled, name, points, say)
            lines = [say.source("b1", "a", "c", "i", current("v(a,c)"))]
            about = f"{name}: {curve.name}, ki={k_i!r} kv={k_v!r} dv={d_v!r}"
            told.append(_subcircuit(name, about, lines, current, say, companions))
    if told:
        at = f"DIODES ARE AS THEY ARE AT {format_number(temp_c)} DEGREES CELSIUS: `temp` must be"
        law = "that. Each carries ki f(kv v + dv), f being its type's table, dv ramped in over"
        told.insert(0, format_comment(f"{at} {law} {RAMP_VOLTS:g} V.") + "\n")
    return told


def shifted_table(
    v: np.ndarray, i: np.ndarray, k_i: float, k_v: float, d_v: float
) -> tuple[np.ndarray, np.ndarray]:
    """The table, volts (M,) and amperes (M,), of k_i f(k_v v + d_v ramp(v)), ``v``, ``i`` (N,)
    being that of f, which holds its ends.

    The ramp goes from 0 at 0 V to 1 at ``RAMP_VOLTS``, so the argument is three straight pieces:
    the points are theirs, and those at which a piece meets a point of f.
    """
    slopes = k_v, k_v + d_v / RAMP_VOLTS, k_v
    ends = (-np.inf, 0.0), (0.0, RAMP_VOLTS), (RAMP_VOLTS, np.inf)
    found = [np.array([0.0, RAMP_VOLTS])]
    for slope, shift, (low, high) in zip(slopes, (0.0, 0.0, d_v), ends, strict=True):
        if slope:
            at = (v - shift) / slope
            found.append(at[(at > low) & (at < high)])
    volts = np.unique(np.concatenate(found))
    volts = volts[np.diff(volts, prepend=-np.inf) > SAME_VOLTS]
    argument = k_v * volts + d_v * np.clip(volts / RAMP_VOLTS, 0, 1)
    return volts, k_i * np.interp(argument, v, i)


def _subcircuit(
    name: str,
    about: str,
    lines: list[list[str]],
    current: Current,
    say: Dialect,
    companions: Companions | None,
    params: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A diode's subcircuit, ``about`` it before it, its companions in it."""
    if companions is not None:
        lines += companions.format_beside_diode(current, say)
    first, last = say.subcircuit(name, ["a", "c"], params)
    body = "\n".join(format_wrapped(head, words, in_line=say.in_line) for head, *words in lines)
    return f"{format_comment(about)}\n{' '.join(first)}\n{body}\n{last}\n"


def _format_own(own: Library, chip: bool, say: Dialect) -> Iterable[list[str]]:
    """Lines of a diode that is a user's model; on a ``chip`` with a source before it that scales
    its voltage, and one beside it that draws its current ``ki`` times."""
    nets = {"a": "scaled" if chip else "a", "c": "c"}
    if chip:
        volts = say.expression(own.name, _scaled("v(a,c)"))
        yield say.source("b1", "behind", "c", "v", [volts])
        yield [say.fixed("v1", "behind", "scaled", "0")]
        drawn = say.expression(own.name, "{ki}*i(v1)")
        yield say.source("b2", "a", "c", "i", [drawn])
    yield [" ".join(say.instance("x_model", [nets[pin] for pin in own.pins], own.subckt, {}))]


def _scaled(volts: str) -> str:
    """What a chip's diode has across it in place of ``volts``."""
    ramp = f"min(max({volts}/{format_number(RAMP_VOLTS)},0),1)"
    return f"({{kv}}*{volts}+{{dv}}*{ramp})"


def is_stretched(curve: IVCurve, hardware: Hardware, say: Dialect) -> bool:
    """Whether a resistor divides a type's voltage: simulators evaluate an expression and its
    derivatives at every step, a resistor's drift once. Not beside op-amps of netlists, whose
    operating points ngspice does not find through the nets that this adds."""
    own = diode_name(curve) in hardware.libraries or curve.temperatures
    plain = not own and not hardware.amplifier.boxed
    return say.branches and plain and hardware.diode_tc_voltage != 0


def _current(
    curve: IVCurve, hardware: Hardware, say: Dialect, volts: str, stretch: str | None = None
) -> list[str]:
    """Words for a type's current where ``volts`` is what stands across it, divided by ``stretch``:
    by default as temperature has it."""
    name = diode_name(curve)
    if not curve.temperatures:  # a design's has them where they are its law
        weights = [format_drift(hardware.diode_tc_current)]
        if stretch is None:
            stretch = format_drift(hardware.diode_tc_voltage)
        tables = [curve.i]
    else:
        weights = format_weights(curve.temps_c)
        tables = list(curve.i_at)
    x = say.expression(name, f"{volts}/{stretch}" if stretch else volts)
    words: list[str] = []
    for weight, table in zip(weights, tables, strict=True):
        first, *more = say.table(name, x, _points(curve.v, table))
        times = say.expression(name, weight) + "*" if weight else ""
        words += [f"{'+' if words else ''}{times}{first}", *more]
    return words


def _tabled(name: str, points: Sequence[tuple[str, str]], say: Dialect, volts: str) -> list[str]:
    """Words for the current of a table at ``volts``."""
    return say.table(name, say.expression(name, volts), points)


def _points(v: np.ndarray, i: np.ndarray) -> list[tuple[str, str]]:
    """A table's points, and one more at each end, 1 V out and of the same current: a table may go
    on with its last slope, and these make the ends flat."""
    x, y = [v[0] - 1.0, *v, v[-1] + 1.0], [i[0], *i, i[-1]]
    return [(format_number(a), format_number(b)) for a, b in zip(x, y, strict=True)]


def format_drift(tc: float) -> str:
    """``(1+tc*(temper-26.85))``; empty where that is 1."""
    if not tc:
        return ""
    sign = "-" if tc < 0 else "+"
    return f"(1{sign}{format_number(abs(tc))}*(temper-{format_number(NOMINAL_TEMP_C)}))"


def format_weights(temps_c: Sequence[float]) -> list[str]:
    """A weight for each temperature's table: 1 there, 0 at its neighbours, held at the ends."""
    weights = []
    for k, here in enumerate(temps_c):
        up, down = "1", "1"
        if k:
            up = (
                f"(temper-({format_number(temps_c[k - 1])}))/{format_number(here - temps_c[k - 1])}"
            )
        if k + 1 < len(temps_c):
            after = temps_c[k + 1]
            down = f"({format_number(after)}-temper)/{format_number(after - here)}"
        weights.append(f"max(0,min({up},{down}))")
    return weights
