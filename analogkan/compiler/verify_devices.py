"""The diodes of a deck against the model's curves, at 26.85 degrees and at every other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np

from ..devices import IVCurve
from ..devices.thermal import law_range, with_law
from .deck import Deck
from .expressions import evaluate
from .hardware import Hardware
from .netlist import Netlist, Table, Term

_N = r"-?[0-9]+(?:\.[0-9]*)?(?:e[-+]?[0-9]+)?"
_UP, _DOWN = rf"(?:1|\(temper-\({_N}\)\)/{_N})", rf"(?:1|\({_N}-temper\)/{_N})"
LAW = re.compile(rf"1|\(1[-+]{_N}\*\(temper-{_N}\)\)|max\(0,min\({_UP},{_DOWN}\)\)")
"""How a table may follow temperature: not at all, linearly, or between two neighbours."""
SAME = 1e-12
"""What a weight may differ by."""


def device_differences(build: Deck, netlist: Netlist) -> list[str]:
    """Each diode's tables, and how they follow temperature."""
    hw = build.design.hardware
    curves = {f"diode_{c.name.lower()}": c for layer in build.spec.layers for c in layer.curves}
    said, seen = [], set()
    for table in netlist.tables:
        if table.kind != "i" or table.subcircuit in seen:
            continue
        seen.add(table.subcircuit)
        curve = curves.get(table.subcircuit)
        if curve is None:
            said.append(f"{table.subcircuit} is no device of the model")
            continue
        if table.subcircuit in hw.libraries:
            said += _model_differences(table, netlist.definitions, hw)
            continue
        said += _differences(table, with_law(curve, hw.diode_law, hw.smear_width), hw)
    return said


def _model_differences(
    table: Table, definitions: Mapping[str, list[str]], hardware: Hardware
) -> list[str]:
    """A diode that is a user's model: an instance of it between a and c, and nothing else."""
    own = hardware.libraries[table.subcircuit]
    have, wanted = definitions[table.subcircuit][1:], f"x_model {' '.join(own.pins)} {own.subckt}"
    if have == [wanted]:
        return []
    return [f"{table.subcircuit} is not {own.subckt} of {own.file}, '{wanted}', but {have}"]


def _differences(table: Table, curve: IVCurve, hardware: Hardware) -> list[str]:
    currents = curve.i_at if curve.temperatures else curve.i[None]
    name = table.subcircuit
    if len(table.terms) != len(currents):
        return [f"{name} is the sum of {len(table.terms)} tables, not of {len(currents)}"]
    said: list[str] = []
    for k, (term, i) in enumerate(zip(table.terms, currents, strict=True)):
        at = f" at {curve.temps_c[k]:g} degC" if curve.temperatures else ""
        said += _points(f"{name}{at}", term, curve.v, i)
        said += _laws(f"{name}{at}", term, curve, k, hardware)
    return said


def _points(name: str, term: Term, v: np.ndarray, i: np.ndarray) -> Iterable[str]:
    x = np.concatenate([[v[0] - 1], v, [v[-1] + 1]])
    y = np.concatenate([[i[0]], i, [i[-1]]])
    if term.x.shape != x.shape:
        return [f"{name} has {term.x.size} points, the curve {x.size}"]
    return [
        f"{name}: point {k} is ({float(term.x[k])!r} V, {float(term.y[k])!r} A), "
        f"the curve has ({float(x[k])!r} V, {float(y[k])!r} A)"
        for k in np.flatnonzero((term.x != x) | (term.y != y))
    ]


def _laws(name: str, term: Term, curve: IVCurve, k: int, hardware: Hardware) -> Iterable[str]:
    """Weight and stretch of table ``k``: their form, and their values in the law's range and
    beyond it, which of such a form say all."""
    lo, hi = law_range((curve,), hardware.diode_law)
    known = sorted({lo, hi, 26.85, *curve.temps_c})
    temps = [lo - 20, *known, *(0.3 * a + 0.7 * b for a, b in pairwise(known)), hi + 20]
    for what, text in (("its weight", term.weight), ("the scale of its voltages", term.stretch)):
        if not LAW.fullmatch(text):
            return [f"{name}: cannot evaluate {text!r}: {what} follows temperature otherwise"]
    for temp_c in temps:
        dt, weight, stretch = temp_c - 26.85, 1.0, 1.0
        if curve.temperatures:
            only = np.eye(len(curve.temps_c))[k]
            weight = float(np.interp(temp_c, curve.temps_c, only))
        else:
            weight += hardware.diode_tc_current * dt
            stretch += hardware.diode_tc_voltage * dt
        for what, text, wanted in (
            ("its weight", term.weight, weight),
            ("the scale of its voltages", term.stretch, stretch),
        ):
            try:
                have = evaluate(text, {"temper": temp_c})
            except (ValueError, KeyError, ZeroDivisionError) as error:
                return [f"{name}: cannot evaluate {text!r}: {error}"]
            if not abs(have - wanted) <= SAME:
                return [f"{name}: {what} is {have:.9g} at {temp_c:g} degC, not {wanted:.9g}"]
    return []
