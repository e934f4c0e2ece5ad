# pyright: strict
"""What to do on the bench, in the order in which faults can be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..compiler.build import Build
from ..compiler.design import Design
from ..compiler.names import StageNames
from .amplifiers import BoardOpAmp
from .band import SHARE, Prediction, label_of
from .nodes import Nodes
from .parasitics import Parasitics
from .parts import Part, only_design
from .stability import BoardStability

R_ACROSS, C_ACROSS = 22.0, 1e-9
"""Ohms and farads across a diode while it is measured; assumed, as leads are."""
STILL = 10e-3
"""Volts peak to peak at a diode's anode that noise and pick-up may make; assumed."""
TEXT = """# {name}: on the bench

The netlist was written from KiCad's description of the format and read back by a parser; it was
not opened in KiCad. Every value of op-amps and leads is one of their class, assumed.

## 1. Each diode, before it is soldered

{count} of {devices} ({first} to {last}). A tunnel diode behind a tester's resistance jumps
along a load line. {shunt}Put {r_across:g} ohm and {c_across:g} nF in series across each, within
1 cm, drive it from {source}, and sweep it up and
down. One CSV a diode, of volts and amperes:

    analogkan devices import diode-*.csv -o mine.toml

It says whether a sweep still lies on a load line. Where the curves are not those that the
network was trained with, train with `--devices mine.toml` and compile anew;
`mine.variation.toml` has the spread of yours, which goes on top of what else boards differ in:

    analogkan board BUILD --preset board,mine.variation.toml

## 2. Supplies and offsets, without diodes

+-{v_rail:g} V at J1, all inputs (J2) at 0 V{reference}. Measure every op-amp's output against
ground: drivers and rows are within {offset:g} mV of 0 V, the largest offset of their class.

## 3. Rows, one by one

Solder the diodes. Turn each input from end to end, with an oscilloscope **at the diode's
anode**, not at an output, which can hide an oscillation: nothing may exceed {still:g} mV peak
to peak. If it does: shorter leads, and the snubber ({snubber_r:g} ohm, {snubber_c:g} nF) at the
node itself. Each row is at minus r_f times its diode's current:

| row | diode | r_f | c_f | at the peak |
|---|---|---|---|---|
{rows}

## 4. Lines and outputs

`nodes.csv` has the volts at the output of every op-amp, in the order of the signal, for points
{points} of `expected.csv`: of the board without errors, its resistors at their values, in ngspice
at {celsius:g} degC. Give J2 the volts of one of these lines of `expected.csv` and go down
`nodes.csv` with a meter:

- `driver of`: what J2 is given.
- `row`: minus r_f times its diode's current; off alone, it is the diode or its r_f.
- `line`: what the rows' cells add up to; off where all rows are right, it is a cell or the line's
  feedback.
- `difference`: of two lines; off where both are right, it is one of its four resistors.

The first that is off is the fault; what comes behind it is off with it.

## 5. The curve

`expected.csv` has {n} inputs, the volts that J2 is given for them, what the circuit gives, and
between low and high {share} % of {samples:,} boards, at {temps} degC. Write inputs and outputs
into a CSV whose first line has names and units, the outputs in their own or in V, as measured
at J3:

    analogkan board BUILD --measured measured.csv

says which points are outside.

## What is assumed

- {assumed}
- {gains}
{sentences}
"""


def format_bench(
    build: Build,
    parts: Sequence[Part],
    stability: BoardStability,
    parasitics: Parasitics,
    prediction: Prediction,
    nodes: Nodes,
) -> str:
    """``bench.md``."""
    hardware = only_design(build).hardware
    diodes = [part for part in parts if part.kind == "diode"]
    reference = ""
    if any(part.value == "reference" for part in parts):
        reference = (
            f", J4 at {-hardware.v_fs:g} V (its error is one of every bias: 0.1 % or better)"
        )
    return TEXT.format(
        name=build.spec.name,
        count=len(diodes),
        devices=", ".join(dict.fromkeys(part.value for part in diodes)),
        first=diodes[0].reference,
        last=diodes[-1].reference,
        r_across=R_ACROSS,
        c_across=1e9 * C_ACROSS,
        v_rail=hardware.v_rail,
        reference=reference,
        offset=1e3 * stability.opamp.vos,
        still=1e3 * STILL,
        shunt=_shunt(parasitics.shunt),
        source=_source(parasitics.shunt, stability),
        snubber_r=parasitics.snubber_r,
        snubber_c=1e9 * parasitics.snubber_c,
        rows=_rows(build, diodes, stability),
        points=", ".join(str(k + 1) for k in nodes.points),
        celsius=nodes.temp_c,
        n=len(prediction.x),
        share=SHARE,
        samples=prediction.boards.samples,
        temps=", ".join(f"{temp_c:g}" for temp_c in prediction.temps_c),
        assumed=_assumed(prediction, diodes),
        gains=_gains(only_design(build), stability.opamp),
        sentences="\n".join(f"- {sentence}" for sentence in stability.sentences()),
    )


def _gains(design: Design, opamp: BoardOpAmp) -> str:
    """What of a board is its op-amp's, and how little the rest depends on it."""
    lines = [stage.r_c * stage.g.sum(axis=0) for stage in design.stages]
    most = 1 + max(float(line.max()) for line in lines)
    return (
        f"of {opamp.name} are c_f, what holds the diodes, currents, supplies and offsets; volts "
        f"in expected.csv and nodes.csv are of op-amps of gain {design.hardware.opamp_gain:g}, as "
        f"the network was compiled, and a line of gain {opamp.gain:g} is at most "
        f"{100 * most / opamp.gain:.1g} % below them: nothing need be compiled anew"
    )


def _shunt(ohms: float) -> str:
    """What is soldered to a diode before it is measured."""
    if not ohms:
        return ""
    return f"Solder its shunt of {ohms:g} ohm across it first: the network's device is both.\n"


def _source(shunt: float, stability: BoardStability) -> str:
    """What may drive a diode, with its shunt if it has one, without jumping along a load line."""
    most = (1 + stability.g_d_sigma) * max(row.fall for row in stability.rows)
    left = most - (1 / shunt if shunt else 0.0)
    if left <= 0:
        return "any source: so it does not fall"
    return (
        f"a source of less than {1 / left:.3g} ohm\n(1 / |g_d|, "
        f"{100 * stability.g_d_sigma:g} % for "
        "what is not known of it)"
    )


def _rows(build: Build, diodes: Sequence[Part], stability: BoardStability) -> str:
    design, places = only_design(build), places_of(diodes)
    lines: list[str] = []
    for layer, stage in enumerate(design.stages):
        c_f = [row.c_f for row in stability.rows if row.layer == layer]
        rows = StageNames(design, layer).rows()
        for r in np.flatnonzero(stage.kept):
            ohms = float(stage.r_f.flat[r])
            d = r % len(stage.curves)
            peak = ohms * stage.curves[d].i_peak
            lines.append(
                f"| {rows[r]} | {places[rows[r]]} | {ohms:g} ohm | {1e12 * c_f[d]:g} pF | "
                f"-{peak:.3f} V |"
            )
    return "\n".join(lines)


def places_of(parts: Iterable[Part]) -> dict[str, str]:
    """References of diodes by the row that they feed."""
    return {p.nets[1].removesuffix("_sum"): p.reference for p in parts if p.kind == "diode"}


def _assumed(prediction: Prediction, diodes: Sequence[Part]) -> str:
    places = places_of(diodes)
    used = {row for rows in prediction.assumed for row in rows}
    if not used:
        return "no input drives a diode into the part of its curve that was reconstructed"
    named = ", ".join(place for row, place in places.items() if row in used)
    return (
        f"assumed: {sum(map(bool, prediction.assumed))} of {len(prediction.x)} inputs drive diodes "
        f"({named}) into the part of their curve that was reconstructed, not measured: column "
        "`assumed` of `expected.csv`"
    )


def expected_rows(
    prediction: Prediction, parts: Sequence[Part], build: Build
) -> tuple[list[str], list[list[Any]]]:
    """Head and lines of ``expected.csv``."""
    targets = build.spec.targets
    assert targets is not None
    design = only_design(build)
    places = places_of(parts)
    outputs = StageNames(design, len(design.stages) - 1).outputs()
    head = targets.input_labels(prediction.x.shape[1])
    first = StageNames(design, 0)
    head += [f"in_{net} (V)" for net in first.driven(first.inputs())]
    low, _, high = prediction.band
    at, celsius = prediction.nominal, prediction.temps_c[prediction.nominal]
    columns: list[Any] = []
    for k in range(len(targets)):
        name, unit = label_of(targets, k), targets.units[k]
        head += [f"software {name}", f"{outputs[k]} at {celsius:g} degC (V)"]
        volts = targets.outputs(prediction.circuit)[at, :, k] * design.stages[-1].unit[k]
        columns += [prediction.software[:, k], volts]
        for t, temp_c in enumerate(prediction.temps_c):
            said = f"{targets.names[k]} at {temp_c:g} degC{f' ({unit})' if unit else ''}"
            head += [f"{what} {said}" for what in ("circuit", "low", "high")]
            columns += [prediction.circuit[t, :, k], low[t, :, k], high[t, :, k]]
    rows = [
        [
            *map(float, prediction.x[n]), *map(float, prediction.volts[n, first.stage.driven]),
            *(float(column[n]) for column in columns),
            " ".join(places[row] for row in prediction.assumed[n]),
        ]
        for n in range(len(prediction.x))
    ]  # fmt: skip
    return [*head, "assumed"], rows
