"""What a meter shows at every op-amp's output of a board without errors, for a few inputs.

Axes: n chosen inputs, P places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.build import Build
from ..compiler.design import Design
from ..compiler.names import StageNames
from ..engines.arithmetic import BLOCK
from ..engines.batch import BatchEngine
from ..engines.chunked import Exposure
from ..engines.ngspice import Runner, find_ngspice
from ..engines.verdict import allowed
from ..errors import DisagreementError
from .band import Prediction
from .parts import REFERENCE, Part, only_design

Values = npt.NDArray[Any]
CHOSEN = 3
"""Inputs whose node voltages are written: few enough to measure, and no end of the range."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Nodes:
    """Voltages of a board's nets.

    Attributes
    ----------
    points
        (n,) positions among the inputs of the expected curve.
    temp_c
        Degrees Celsius.
    volts
        By net, in the order of the signal: (n,) volts.
    judge
        Largest difference between ngspice and the twin at a stage's outputs, as a share of the
        stage's largest.
    """

    points: tuple[int, ...]
    temp_c: float
    volts: dict[str, Values]
    judge: float


def node_volts(build: Build, prediction: Prediction) -> Nodes:
    """Every op-amp's output of the circuit without errors, for inputs of the expected curve.

    Raises
    ------
    SimulationError
        If ngspice is missing or does not deliver.
    DisagreementError
        If a stage's outputs are not those that the twin gives.
    """
    design, count = only_design(build), len(prediction.x)
    places = np.linspace(0, count - 1, CHOSEN + 2).round().astype(int)[1:-1]
    points = np.unique(places)
    temp_c, given = prediction.temps_c[prediction.nominal], prediction.volts[points]
    program = find_ngspice()
    nets = _nets(design)
    with BatchEngine(
        design, Runner(program), Path(build.folder), Exposure(temp_c=temp_c)
    ) as engine:
        values = engine.answer(given, nets)
    volts = {net: values[:, k] for k, net in enumerate(nets)}
    apart = _apart(design, given, points, temp_c, volts)
    most = allowed(design.hardware, program.klu)
    if not apart <= most:
        raise DisagreementError(
            f"node voltages: ngspice is {apart:.2g} of a stage's largest output from the twin, and "
            f"{most:g} is allowed: please report it"
        )
    if any(stage.n_bias for stage in design.stages):
        volts = {REFERENCE: np.full(len(points), -design.hardware.v_fs)} | volts
    return Nodes(points=tuple(points.tolist()), temp_c=temp_c, volts=volts, judge=apart)


def _nets(design: Design) -> list[str]:
    found: list[str] = []
    for layer in range(len(design.stages)):
        names = StageNames(design, layer)
        first = [] if layer else names.driven(names.inputs())
        rows = names.rows()[: names.stage.r_f.size]
        kept = [row for row, there in zip(rows, names.stage.kept.flat, strict=True) if there]
        found += [*first, *kept, *names.lines(), *names.outputs()]
    return found


def _apart(
    design: Design, given: Values, points: Values, temp_c: float, volts: dict[str, Values]
) -> float:
    """How far stages' outputs are from the twin's, as a share of their largest."""
    from ..engines.twin import Twin, one_torch_thread
    from ..engines.twin_inputs import prepared

    with one_torch_thread:
        wanted = Twin([design], temp_c).stage_volts(prepared(given), points, BLOCK)
    worst = 0.0
    for layer, twin in enumerate(wanted):
        found = np.stack([volts[y] for y in StageNames(design, layer).outputs()], axis=1)
        worst = max(worst, float(np.abs(found - twin).max() / np.abs(twin).max()))
    return worst


def node_rows(nodes: Nodes, parts: Iterable[Part]) -> tuple[list[str], list[list[Any]]]:
    """Head and lines of ``nodes.csv``: a net, whose output it is, and its volts."""
    amplifiers = {part.nets[2]: part for part in parts if part.kind == "op-amp"}
    head = ["net", "place", "is", *(f"V at point {k + 1}" for k in nodes.points)]
    rows: list[list[Any]] = []
    for net, volts in nodes.volts.items():
        part = amplifiers[net]
        rows.append([net, part.reference, part.about, *map(float, volts)])
    return head, rows


def node_comments(nodes: Nodes, prediction: Prediction, build: Build) -> list[str]:
    """What stands above these lines."""
    told = [
        f"volts against ground at op-amps' outputs (pin 6) of the board without errors, in ngspice "
        f"at {nodes.temp_c:g} degC; points are lines of expected.csv, the first being 1"
    ]
    assert build.spec.targets is not None
    inputs = build.spec.targets.input_labels(prediction.x.shape[1])
    for k in nodes.points:
        at = ", ".join(f"{name} = {x:.6g}" for name, x in zip(inputs, prediction.x[k], strict=True))
        told.append(f"point {k + 1}: {at}")
    return told
