"""What boards are predicted to do: the circuit, and the band of boards that differ by chance.

Axes: n points, I inputs, K targets, T temperatures, M boards; in the targets' units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.build import Build
from ..compiler.design import Design
from ..compiler.hardware import Hardware
from ..compiler.names import StageNames
from ..data import ImageSet
from ..devices.curve import NOMINAL_TEMP_C
from ..engines.chip_engines import NgspiceEngine
from ..engines.ngspice import find_ngspice
from ..engines.twin_engine import TwinEngine
from ..engines.verdict import allowed
from ..errors import DisagreementError, StudyError
from ..files import brief, read_json
from ..imperfections import Conditions, Variation, load_settings
from ..network.spec import NetworkSpec
from ..network.targets import Targets
from ..settings import build as build_settings
from ..studies.bench import Bench
from ..studies.points import Point, check_temps, montecarlo_points
from .amplifiers import BoardOpAmp

Values = npt.NDArray[Any]
SHARE = 95
"""Per cent of the boards that are in the band at each point."""
ENDS = ((100 - SHARE) / 2, 50, (100 + SHARE) / 2)
JUDGED = 2
"""Boards that ngspice simulates again."""
GRID = {1: 65, 2: 9}
"""Points along each input of a curve and of a surface."""
MOST_POINTS = 65
"""Of calibration inputs, where there are more than two."""


@dataclass(frozen=True, kw_only=True)
class Boards:
    """Which boards: what they differ in, and how many.

    Attributes
    ----------
    variation, conditions
        Their settings.
    samples, first, seed
        Boards ``first`` to ``first + samples`` - 1 of this seed.
    said
        Where the settings are from.
    preset
        Which, if they are a preset's.
    """

    variation: Variation
    conditions: Conditions
    samples: int
    first: int = 0
    seed: int = 0
    said: str
    preset: str = "board"


def boards_of_preset(preset: str, opamp: BoardOpAmp | None, samples: int, seed: int) -> Boards:
    """Boards of a preset; with the offsets of ``opamp`` instead of the preset's, if given."""
    _, variation, conditions = load_settings(preset)
    said = f"preset {preset}"
    if opamp is not None:
        offsets = {"offset_sigma": opamp.vos_sigma, "offset_drift_sigma": opamp.drift}
        variation = Variation(**(variation.document() | offsets))
        said += f", offsets of {opamp.name}"
    return Boards(
        variation=variation, conditions=conditions, samples=samples, seed=seed, said=said,
        preset=preset,
    )  # fmt: skip


def boards_of_run(build: Build, run: Path) -> Boards:
    """The boards of a RUN of ``montecarlo``.

    Raises
    ------
    StudyError
        If it is none, or was of another circuit.
    """
    try:
        found = read_json(run / "result.json")
        if found.get("study") != "montecarlo":
            raise ValueError(f"it is of {found.get('study')}")
        settings = found["settings"]
        boards = Boards(
            variation=Variation(**settings["variation"]),
            conditions=build_settings(
                Conditions, settings["conditions"] | {"temp_c": found["temp_c"]}, "result.json"
            ),
            samples=found["samples"], first=found["first"], seed=found["seed"],
            said=f"the boards of {run}",
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(f"{run} is no RUN of montecarlo ({brief(error)})") from error
    there = asdict(Hardware()) | settings["hardware"]
    other = [name for name, value in asdict(build.hardware).items() if there.get(name) != value]
    if found["network"] != build.spec.fingerprint() or other:
        what = f"{other[0]} = {there.get(other[0])}" if other else "another network"
        raise StudyError(
            f"{run} is of {what}, not of {build.folder} as it is: run `analogkan montecarlo` again"
        )
    return boards


@dataclass(frozen=True, eq=False, kw_only=True)
class Prediction:
    """What a circuit and its boards give.

    Attributes
    ----------
    x
        (n, I) inputs.
    volts
        (n, DACs) what the board is given for them.
    temps_c
        (T,) degrees Celsius.
    boards
        Which.
    software
        (n, K).
    circuit
        (T, n, K) of the circuit without errors, in ngspice.
    each
        (T, M, n, K) of every board, in the twin.
    assumed
        (n,) names of the rows whose diode is driven into the part of its curve that was
        reconstructed, not measured.
    judge
        Largest difference between ngspice and the twin, as a share of full scale.
    """

    x: Values
    volts: Values
    temps_c: tuple[float, ...]
    boards: Boards
    software: Values
    circuit: Values
    each: Values
    assumed: tuple[tuple[str, ...], ...]
    judge: float

    @property
    def nominal(self) -> int:
        """Place of the temperature that is nearest to that of the design."""
        return int(np.abs(np.array(self.temps_c) - NOMINAL_TEMP_C).argmin())

    @property
    def band(self) -> Values:
        """(3, T, n, K) low end, middle and high end of the band at each point."""
        return np.percentile(self.each, ENDS, axis=1)


def predict(
    build: Build,
    x: Values,
    boards: Boards,
    temps_c: Sequence[float],
    on_board: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Prediction:
    """What ``boards`` of ``build`` give for ``x`` (n, I) at ``temps_c`` (T,).

    Raises
    ------
    SettingsError
        If a temperature is outside what the diodes' law holds for.
    DataError
        If the inputs are not the network's.
    SimulationError
        If ngspice is missing, or gives another answer than the twin.
    """
    spec, deck = build.spec, build.deck
    assert spec.targets is not None and deck is not None
    check_temps(deck.design, temps_c)
    volts = spec.dac_volts(x)
    software = spec.targets.values(spec.forward_volts(volts))
    images = ImageSet(
        name=spec.name, x=x, y=software, index=np.arange(len(x)),
        targets=tuple(zip(spec.targets.names, spec.targets.units, strict=True)),
    )  # fmt: skip
    program = find_ngspice()
    benches = [
        Bench(build, images, engine, seed=boards.seed)
        for engine in (TwinEngine(), NgspiceEngine(program, build.folder))
    ]
    points = montecarlo_points(
        build.hardware, boards.variation, boards.conditions, boards.samples, boards.first
    )
    circuit, each, worst, total = [], [], 0.0, boards.samples * len(temps_c)
    for t, temp_c in enumerate(temps_c):
        at = [replace(p, conditions=replace(p.conditions, temp_c=temp_c)) for p in points]
        found: list[Values] = []
        for m, point in enumerate(at):
            found.append(benches[0].logits(point))
            on_board("boards", t * len(at) + m + 1, total)
        nominal = replace(at[0], sample=None)
        circuit.append(benches[1].logits(nominal))
        most = allowed(build.hardware, program.klu)
        pairs = [(nominal, benches[0].logits(nominal), circuit[-1])]
        pairs += [(p, z, benches[1].logits(p)) for p, z in zip(at[:JUDGED], found, strict=False)]
        worst = max(worst, *(_judged(benches[0], most, *pair) for pair in pairs))
        each.append(np.array(found))
    return Prediction(
        x=x, volts=volts, temps_c=tuple(temps_c), boards=boards, software=software,
        circuit=spec.targets.values(np.array(circuit)), each=spec.targets.values(np.array(each)),
        assumed=assumed_rows(spec, deck.design, volts), judge=worst,
    )  # fmt: skip


def _judged(bench: Bench, most: float, point: Point, twin: Values, ngspice: Values) -> float:
    """How far the twin is from ngspice, a share of full scale; DisagreementError if too far."""
    apart = float(np.abs(twin - ngspice).max()) / bench.full_scale
    if apart > most:
        raise DisagreementError(
            f"{point.label}: ngspice is {apart:.2g} of full scale from the twin, and {most:g} is "
            "allowed: please report it"
        )
    return apart


def grid_of(spec: NetworkSpec) -> Values:
    """Inputs (n, I) of an expected curve: a grid over one or two inputs' ranges, else calibration
    inputs."""
    low, high = (np.broadcast_to(end, spec.encoding.inputs) for end in spec.encoding.ends)
    if spec.encoding.inputs in GRID:
        axes = [
            np.linspace(a, b, GRID[spec.encoding.inputs]) for a, b in zip(low, high, strict=True)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    if spec.calibration is not None and len(spec.calibration):
        return spec.calibration[:MOST_POINTS].reshape(-1, spec.encoding.inputs)
    return np.linspace(low, high, MOST_POINTS)


def assumed_rows(spec: NetworkSpec, design: Design, volts: Values) -> tuple[tuple[str, ...], ...]:
    """For each of ``volts`` (n, DACs) the rows whose diode is where its curve was reconstructed."""
    found: list[list[str]] = [[] for _ in volts]
    folded = spec.folded()
    outputs = folded.layer_outputs(volts)
    for k, (layer, stage) in enumerate(zip(folded.layers, design.stages, strict=True)):
        v = volts if k == 0 else layer.diode_volts(outputs[k - 1])
        rows = StageNames(design, k).rows()
        for r, row in enumerate(rows[: stage.r_f.size]):
            i, d = divmod(r, len(stage.curves))
            part = layer.curves[d].reconstructed
            if part is None or not stage.g[r].any():
                continue
            for n in np.flatnonzero((v[:, i] > part[0]) & (v[:, i] < part[1])):
                found[n].append(row)
    return tuple(map(tuple, found))


def label_of(targets: Targets, k: int) -> str:
    """``temperature (degC)``."""
    name, unit = targets.names[k], targets.units[k]
    return f"{name} ({unit})" if unit else name
