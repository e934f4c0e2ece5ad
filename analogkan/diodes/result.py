# pyright: strict
"""What is known of a diode's model: its curve beside a device's, its capacitance, its table.

Axes: P points of a sweep, T temperatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cells import Library
from ..devices.curve import IVCurve
from ..devices.knots import followed
from ..devices.sweep import Sweep
from ..errors import DeviceError
from ..results import Fact, Figure, Listing, Result
from ..tables import Table, table_of
from ..text import engineering, percent
from .bench import FREQUENCY, Swept

Values = npt.NDArray[Any]
ROUNDING = 1e-9
"""Share of the peak that is no current."""


def curve_of(swept: Swept, name: str, tolerance: float, source: str = "") -> IVCurve:
    """The table of what was swept: few knots, from which no temperature's curve is further off than
    ``tolerance`` of its peak; without current where the model has none at 0 V.

    Raises
    ------
    DeviceError
        If there is no positive current, or the name cannot be a device's.
    """
    sweeps = [
        [Sweep(file=source, v=swept.v, i=i, branch="up", hysteresis=None, columns="")]
        for i in swept.i_at
    ]
    knots, tables, share, _ = followed(sweeps, float(swept.v[0]), float(swept.v[-1]), tolerance)
    rest = (knots == 0) & (abs(np.interp(0.0, swept.v, swept.i)) <= ROUNDING * swept.i.max())
    tables = [np.where(rest, 0.0, table) for table in tables]
    told = f"{knots.size} knots, within {percent(share)} of the peak of the model."
    pairs = tuple(zip(swept.temps_c, tables, strict=True)) if len(tables) > 1 else ()
    return IVCurve(name, knots, tables[swept.nominal], source, told, pairs)


def difference(curve: IVCurve, v: Values, i: Values) -> dict[str, float]:
    """By how much a model of ``i`` (P,) amperes at ``v`` (P,) volts differs from ``curve``: at
    most, and where, and rms; as shares of the curve's peak."""
    off = (i - curve.current(v)) / curve.i_peak
    worst = int(np.abs(off).argmax())
    return {
        "largest": float(abs(off[worst])),
        "volts": float(v[worst]),
        "model": float(i[worst]),
        "table": float(curve.current(v[worst])),
        "rms": float(np.sqrt(np.mean(off**2))),
        "peak": float(i.max() / curve.i_peak - 1),
        "from": float(v[0]),
        "to": float(v[-1]),
    }


def said(found: dict[str, float]) -> str:
    """``difference`` in words."""
    return (
        f"at most {percent(found['largest'])} of the peak at {found['volts']:.3f} V "
        f"({engineering(found['model'], 'A')}, the table has {engineering(found['table'], 'A')}), "
        f"rms {percent(found['rms'])}, from {found['from']:g} to {found['to']:g} V"
    )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class DiodeFigures(Result):
    """What ``tabulate`` found.

    Attributes
    ----------
    summary
        All figures: ``temperatures``, each with peak, valley and steepest fall; ``farads``;
        ``against``, the difference from a device.
    curve
        The table of the model, a device.
    against
        That device, if one was given.
    swept
        What ngspice delivered.
    """

    heading = "Diode"
    curve: IVCurve
    against: IVCurve | None
    swept: Swept

    def title(self) -> str:
        s = self.summary
        return f"{s['model']} of {s['file']}, {self.curve.name}, ngspice {s['ngspice']}"

    def headline(self) -> list[Fact]:
        one = self.summary["temperatures"][self.swept.nominal]
        return [Fact("peak", f"{one['i_peak']:.4g} A", f"at {one['v_peak']:.3f} V")]

    def facts(self) -> Listing:
        """A figure a row, a temperature a column."""
        each = self.summary["temperatures"]
        rows = [
            [label, *(engineering(one[key], unit, 4) for one in each)]
            for key, label, unit in (
                ("i_peak", "peak", "A"), ("v_peak", "at", "V"), ("i_valley", "valley", "A"),
                ("v_valley", "at", "V"), ("fall", "steepest fall", "S"),
            )
        ]  # fmt: skip
        return Listing(["", *(f"{one['temp_c']:g} degC" for one in each)], rows)

    def sentences(self) -> list[str]:
        s = self.summary
        low, high = s["farads"]
        told = [
            f"table: {self.curve.notes}",
            f"capacitance at {engineering(FREQUENCY, 'Hz')}: {engineering(low, 'F')} to "
            f"{engineering(high, 'F')}" if high else "capacitance: none",
            f"a node with it is unique behind less than {engineering(s['r_most'], 'ohm')}"
            if s["r_most"] else "its current never falls",
        ]  # fmt: skip
        if self.against is not None:
            told.append(f"beside {self.against.name}: {said(s['against'])}")
        return told

    def figures(self) -> list[Figure]:
        from ..report.figures import iv_figure

        curves = [self.curve, *([] if self.against is None else [self.against])]
        caption = "The model's table, and the device beside which it was asked for."
        return [Figure("diode", caption, partial(iv_figure, curves))]

    def table(self) -> Table:
        """A row a temperature."""
        return table_of(self.summary["temperatures"])


def figures_of(
    model: Library,
    swept: Swept,
    curve: IVCurve,
    against: IVCurve | None,
    about: dict[str, Any],
) -> DiodeFigures:
    """The result of what was swept, and tabulated as ``curve``."""
    temperatures = [
        _landmarks(temp_c, swept.v, i) for temp_c, i in zip(swept.temps_c, swept.i_at, strict=True)
    ]
    fall = max(one["fall"] for one in temperatures)
    beside = None
    if against is not None:
        inside = (swept.v >= against.v[0]) & (swept.v <= against.v[-1])
        if inside.sum() < 2:
            raise DeviceError(
                f"{model.file} was swept from {swept.v[0]:g} to {swept.v[-1]:g} V, and "
                f"{against.name} is from {against.v[0]:g} to {against.v[-1]:g} V: give --range"
            )
        beside = difference(against, swept.v[inside], swept.i[inside])
    summary = about | {
        "model": model.subckt,
        "file": model.file,
        "device": curve.name,
        "points": int(curve.v.size),
        "range": [float(swept.v[0]), float(swept.v[-1])],
        "temperatures": temperatures,
        "farads": [float(swept.farads.min()), float(swept.farads.max())],
        "r_most": 1 / fall if fall else None,
        "against": beside,
    }
    return DiodeFigures(summary=summary, curve=curve, against=against, swept=swept)


def _landmarks(temp_c: float, v: Values, i: Values) -> dict[str, float]:
    """Peak, the least current behind it, and the steepest fall: of the first peak of a curve that
    rises again, or its largest current."""
    slopes = np.diff(i) / np.diff(v)
    falling = np.flatnonzero(slopes < 0)
    top = int(falling[0]) if falling.size else int(i.argmax())
    low = top + int(i[top:].argmin())
    return {
        "temp_c": float(temp_c),
        "i_peak": float(i[top]),
        "v_peak": float(v[top]),
        "i_valley": float(i[low]),
        "v_valley": float(v[low]),
        "fall": float(max(0.0, -slopes.min())),
    }
