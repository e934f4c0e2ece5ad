"""A board's measured points against what was predicted of it.

Axes: n points, I inputs, K targets; in the targets' units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.build import Build
from ..data.tables import read_columns
from ..errors import DataError
from ..intervals import regress
from ..network.measures import distance, format_value, in_unit, span_of, unit_of
from ..network.targets import Targets
from ..results import Fact, Figure, Listing, Result
from ..tables import Table, table_of
from .band import SHARE, Prediction, Values, label_of

VOLTS = {"V": 1.0, "mV": 1e-3}
"""Units in which the outputs themselves may have been measured."""
ROUNDING = 1e-5
"""Of an input's larger end, beyond both: six figures, as in ``expected.csv``, miss an end."""
MOST_SAID = 5
"""Rows that a message names."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Comparison(Result):
    """A board beside its circuit and the band of boards.

    Attributes
    ----------
    summary
        The figures: ``rmse_circuit`` (board against circuit), ``rmse_software``,
        ``max_abs_circuit``, ``outside`` (values outside the band), ``gain`` and ``offset`` of each
        target against the circuit, ``still`` (of each target the constant that has the fewest
        values outside the band, and how many), ``boards_worse`` (share of the predicted boards that
        are at least as far from it), ``points``.
    measured
        (n, K) in the targets' units.
    prediction
        At the measured inputs.
    targets
        What they are.
    """

    heading = "A board against its prediction"
    measured: Values
    prediction: Prediction
    targets: Targets

    def title(self) -> str:
        s = self.summary
        return f"{s['measured']}: {s['n']} points of a board of {s['build']}"

    def headline(self) -> list[Fact]:
        s = self.summary
        return [
            Fact("against the circuit", f"RMSE {format_value(s['rmse_circuit'], s['unit'])}"),
            Fact("outside the band", f"{s['outside']} of {s['n']} points"),
        ]

    def facts(self) -> Listing:
        """A point a row, those outside the band first."""
        names = [label_of(self.targets, k) for k in range(len(self.targets))]
        rows = [
            [
                str(p["point"] + 1), *(f"{x:.5g}" for x in p["input"]), names[p["target"]],
                *(f"{p[key]:.5g}" for key in ("measured", "circuit", "low", "high")),
                "outside" if p["outside"] else "",
            ]
            for p in sorted(self.summary["points"], key=lambda p: not p["outside"])
        ]  # fmt: skip
        head = self.targets.input_labels(self.prediction.x.shape[1])
        return Listing(["point", *head, "target", "measured", "circuit", "low", "high", ""], rows)

    def sentences(self) -> list[str]:
        s = self.summary
        told = [
            f"board against circuit: RMSE {format_value(s['rmse_circuit'], s['unit'])}, largest "
            f"{format_value(s['max_abs_circuit'], s['unit'])}; against software: RMSE "
            f"{format_value(s['rmse_software'], s['unit'])}",
            f"{s['outside']} of {s['n'] * len(self.targets)} values are outside the band of "
            f"{SHARE} % of {s['samples']} boards ({s['boards']}) at {s['temp_c']:g} degC; "
            f"{100 * s['boards_worse']:.0f} % of these boards are at least as far from the circuit",
        ]
        for k, (gain, offset) in enumerate(zip(s["gain"], s["offset"], strict=True)):
            if gain is not None:
                unit = self.targets.units[k]
                told.append(
                    f"{self.targets.names[k]}: gain {gain:.4f} and offset at mid-scale "
                    f"{format_value(offset, unit)} against the circuit"
                )
        return told

    def notes(self) -> list[str]:
        """What of the targets the band is too wide to say."""
        s, count = self.summary, self.summary["n"]
        return [
            f"the band says nothing of {self.targets.names[k]}: an output that stood still at "
            f"{format_value(still['value'], self.targets.units[k])} would have "
            f"{still['outside']} of {count} values outside it; measure where the circuit moves "
            "more, or give boards that are more alike (--preset)"
            for k, still in enumerate(s["still"])
            if still["outside"] <= (1 - s["share_in_band"]) * count
        ]

    def figures(self) -> list[Figure]:
        from ..report.functions import board_figure

        p = self.prediction
        given = p.x, p.circuit[0], p.band[:, 0], self.targets, self.measured
        draw = partial(board_figure, *given, temp_c=p.temps_c[0])
        return [Figure("board", "Measured points, the circuit, and the band of boards.", draw)]

    def table(self) -> Table:
        """A row a value."""
        rows: list[dict[str, Any]] = []
        for p in self.summary["points"]:
            inputs = {f"input {k + 1}": x for k, x in enumerate(p["input"])}
            rows.append({k: v for k, v in p.items() if k != "input"} | inputs)
        return table_of(rows)


def read_measured(path: Path, build: Build) -> tuple[Values, Values]:
    """Inputs (n, I) and what a board gave for them (n, K), in the targets' units.

    The last K columns are the targets', each with its unit in the header; in V or mV, where that is
    not the target's own unit, they are the voltages of the outputs.

    Raises
    ------
    DataError
        If the file is no table of numbers, or its columns, units or ranges are not the network's.
    """
    spec = build.spec
    assert spec.targets is not None
    values, names = read_columns(path)
    inputs, wanted = spec.encoding.inputs, spec.encoding.inputs + len(spec.targets)
    if values.shape[1] != wanted:
        raise DataError(
            f"{path} has {values.shape[1]} columns, and {build.folder} has {inputs} input(s) and "
            f"{len(spec.targets)} target(s), {spec.targets.said}: give {wanted}, the inputs first"
        )
    y = values[:, inputs:].copy()
    for k in range(len(spec.targets)):
        y[:, k] = _in_unit(path, build, y[:, k], k, names[inputs + k])
    x = values[:, :inputs]
    low, high = spec.encoding.ends
    rounded = ROUNDING * np.maximum(np.abs(low), np.abs(high))
    beyond = (x < low - rounded) | (x > high + rounded)
    outside = np.flatnonzero(beyond.any(axis=1))
    if outside.size:
        k = int(beyond[outside[0]].argmax())
        lo, hi = (float(np.broadcast_to(end, inputs)[k]) for end in (low, high))
        rows = ", ".join(str(n + 1) for n in outside[:MOST_SAID])
        rows += ", ..." if outside.size > MOST_SAID else ""
        raise DataError(
            f"{path}: input {k + 1} of point {outside[0] + 1} is {x[outside[0], k]:g}, and the "
            f"network was trained from {lo:g} to {hi:g}, where its DACs end: leave out "
            f"{outside.size} of {len(x)} points ({rows})"
        )
    return x, y


def _in_unit(path: Path, build: Build, column: Values, k: int, named: tuple[str, str]) -> Values:
    """A column of a target in that target's unit."""
    targets, deck = build.spec.targets, build.deck
    assert targets is not None and deck is not None
    unit, given = targets.units[k], named[1]
    if given == unit:
        return column
    if given in VOLTS:
        z = column * VOLTS[given] / deck.design.stages[-1].unit[k]
        return targets.low[k] + (z + 1) * (targets.span[k] / 2)
    may = " or ".join(f"({u})" for u in filter(None, (unit, *VOLTS)))
    has = f"is in {given}" if given else "has no unit"
    raise DataError(
        f"{path}: column {named[0]!r} {has}, and {targets.names[k]} is "
        f"{f'in {unit}' if unit else 'without a unit'}: write its unit into the first line, {may}; "
        "volts are those at the output"
    )


def compare_points(build: Build, measured: Values, prediction: Prediction, said: str) -> Comparison:
    """``measured`` (n, K) beside the ``prediction`` of the same inputs at one temperature."""
    targets = build.spec.targets
    assert targets is not None
    circuit, (low, _, high) = prediction.circuit[0], prediction.band[:, 0]
    off = distance(targets, circuit, measured)
    outside = (measured < low) | (measured > high)
    apart = np.sqrt((in_unit(targets, prediction.each[0] - circuit) ** 2).mean(axis=(1, 2)))
    gain, offset = regress(targets.outputs(circuit), targets.outputs(measured))
    # Both at mid-scale, where an output is 0.
    moved = offset * targets.span / 2
    known = np.isfinite(gain)
    summary: dict[str, Any] = {
        "measured": said,
        "build": str(build.folder),
        "n": len(measured),
        "unit": unit_of(targets),
        "span": span_of(targets),
        "targets": list(targets.names),
        "rmse_circuit": off.rmse,
        "rmse_circuit_ci95": off.rmse_ci95,
        "max_abs_circuit": off.max_abs,
        "rmse_software": distance(targets, prediction.software, measured, ci95=False).rmse,
        "outside": int(outside.sum()),
        "share_in_band": SHARE / 100,
        "samples": prediction.boards.samples,
        "seed": prediction.boards.seed,
        "boards": prediction.boards.said,
        "temp_c": prediction.temps_c[0],
        "boards_worse": float((apart >= off.rmse).mean()),
        "gain": [float(g) if k else None for g, k in zip(gain, known, strict=True)],
        "offset": [float(o) if k else None for o, k in zip(moved, known, strict=True)],
        "still": [_still(low[:, k], high[:, k]) for k in range(len(targets))],
        "judge": prediction.judge,
        "points": _points(prediction, measured, low, high, outside),
    }
    return Comparison(summary=summary, measured=measured, prediction=prediction, targets=targets)


def _still(low: Values, high: Values) -> dict[str, Any]:
    """The constant that is within most of the bands from ``low`` (n,) to ``high`` (n,)."""
    inside = [int(((low <= value) & (value <= high)).sum()) for value in low]
    best = int(np.argmax(inside))
    shared = (low <= low[best]) & (low[best] <= high)
    value = (low[shared].max() + high[shared].min()) / 2
    return {"value": float(value), "outside": len(low) - inside[best]}


def _points(
    prediction: Prediction, measured: Values, low: Values, high: Values, outside: Values
) -> Sequence[dict[str, Any]]:
    return [
        {
            "point": n,
            "target": k,
            "input": prediction.x[n].tolist(),
            "measured": float(measured[n, k]),
            "software": float(prediction.software[n, k]),
            "circuit": float(prediction.circuit[0, n, k]),
            "low": float(low[n, k]),
            "high": float(high[n, k]),
            "outside": bool(outside[n, k]),
            "assumed": bool(prediction.assumed[n]),
        }
        for n in range(len(measured))
        for k in range(measured.shape[1])
    ]
