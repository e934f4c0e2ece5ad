"""``--trace``: one image's voltages stage by stage, circuit against software."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler import names
from ..compiler.build import Build
from ..compiler.deck import Deck
from ..compiler.sections import Section
from ..engines import ideal as ideal_engine
from ..engines.batch import BatchEngine, BatchOptions, Chunk
from ..engines.ngspice import Runner, find_ngspice
from ..errors import StudyError
from ..files import read_json, write_npz, write_text
from ..ours import require_ours


@dataclass(frozen=True, eq=False, kw_only=True)
class TraceStage:
    """One kind of net of one layer.

    Attributes
    ----------
    what
        Such as ``layer 0 lines``.
    nets
        Their names, n of them.
    circuit
        (n,) volts in ngspice.
    software
        (n,) volts that the software network implies.
    local
        (n,) volts this stage should show given the circuit's own voltages one stage before: what
        tells the stage that errs from those that inherit the error.
    """

    what: str
    nets: list[str]
    circuit: np.ndarray
    software: np.ndarray
    local: np.ndarray

    @property
    def scale(self) -> float:
        """Largest software voltage of the stage, the unit of its divergences."""
        return max(float(np.abs(self.software).max()), 1e-12)

    def worst(self, reference: np.ndarray) -> int:
        """Position of the largest divergence from ``reference`` (n,)."""
        return int(np.abs(self.circuit - reference).argmax())


def trace(build: Build, volts: np.ndarray, keep: Path) -> list[TraceStage]:
    """Every stage's voltages for one image of input voltages (I,).

    Where a circuit is several decks their stages are called by deck too, and a net of a
    convolution is there once a position, as ``net@position``. ``keep`` is where the deck is kept
    if ngspice fails.

    Raises
    ------
    SimulationError
        If it does.
    """
    stages: list[TraceStage] = []
    held = aim = volts[None]  # what drives a section in ngspice, and by the software
    for section in build.sections:
        points, aims = section.points(held), section.points(aim)
        given, wanted = [], []
        for deck in build.decks(section):
            of = "" if build.deck is not None else f"{deck.folder.name} "
            found, logits = _trace_deck(deck, points, aims, keep, of, section)
            stages += found
            given.append(logits)
            wanted.append(deck.spec.forward_volts(aims))
        held, aim = (np.concatenate(part, axis=1).reshape(1, -1) for part in (given, wanted))
    return stages


def _trace_deck(
    deck: Deck, points: np.ndarray, aims: np.ndarray, keep: Path, of: str, section: Section
) -> tuple[list[TraceStage], np.ndarray]:
    """The stages of a deck called ``of`` at ``points`` (P, I) volts, where software has ``aims``;
    and what its read-out gives (P, O)."""
    design = deck.design
    stage_names = [names.StageNames(design, k) for k in range(len(design.stages))]
    probes = names.logits(design)
    for n in stage_names:
        probes += [*_front_nets(n), *n.inputs(), *n.rows(), *n.lines(), *n.outputs()]
    probes = list(dict.fromkeys(probes))
    with BatchEngine(deck, Runner(find_ngspice()), keep) as engine:
        (result,) = engine.run(points, [Chunk(0, 0, len(points))], probes, BatchOptions())
    if result.error is not None:
        raise result.error
    assert result.values is not None
    column = {net: k for k, net in enumerate(probes)}
    values = result.values

    def measured(nets: list[str]) -> np.ndarray:
        return values[:, [column[net] for net in nets]]

    def at(nets: list[str]) -> list[str]:
        if section.patches is None:
            return nets
        return [f"{net}@{k}" for k in range(section.positions) for net in nets]

    stages: list[TraceStage] = []
    before = points
    ideal = ideal_engine.stage_volts(design, aims)
    for k, (stage, n, software) in enumerate(zip(design.stages, stage_names, ideal, strict=True)):
        rows, lines = measured(n.rows()), measured(n.lines())
        normed = measured(_front_nets(n)) if _front_nets(n) else before
        inputs, outputs = measured(n.inputs()), measured(n.outputs())
        by_rows = ideal_engine.row_volts(design, stage, inputs)
        by_lines = ideal_engine.line_volts(design, stage, rows)
        by_outputs = ideal_engine.output_volts(design, stage, lines)
        kinds = [
            ("inputs", n.inputs(), inputs, software.inputs, stage.front.squashed(normed)),
            ("rows", n.rows(), rows, software.rows, by_rows),
            ("lines", n.lines(), lines, software.lines, by_lines),
            ("outputs", n.outputs(), outputs, software.outputs, by_outputs),
        ]
        if _front_nets(n):
            local = stage.front.normed(before)
            kinds.insert(0, ("norm", _front_nets(n), normed, software.normed, local))
        stages += [
            TraceStage(
                what=f"{of}layer {section.first + k} {what}",
                nets=at(nets),
                circuit=circuit.ravel(),
                software=exact.ravel(),
                local=local.ravel(),
            )
            for what, nets, circuit, exact, local in kinds
        ]
        before = outputs
    return stages, measured(names.logits(design))


def _front_nets(n: names.StageNames) -> list[str]:
    """Nets between a LayerNorm and what follows it, if there is one."""
    return [] if n.stage.front.norm is None else n.normed()


def summarise_trace(stages: list[TraceStage]) -> dict[str, Any]:
    """Each stage's largest divergence, and the net at which most error arises."""
    rows = []
    for s in stages:
        far, near = s.worst(s.software), s.worst(s.local)
        rows.append(
            {
                "stage": s.what,
                "nets": len(s.nets),
                "scale_volts": s.scale,
                "max_error_volts": float(abs(s.circuit[far] - s.software[far])),
                "max_error_net": s.nets[far],
                "own_error_volts": float(abs(s.circuit[near] - s.local[near])),
                "own_error_net": s.nets[near],
            }
        )
    k = max(range(len(rows)), key=lambda j: rows[j]["own_error_volts"] / rows[j]["scale_volts"])
    s, near = stages[k], stages[k].worst(stages[k].local)
    return {
        "stages": rows,
        "largest_divergence": {
            "stage": s.what,
            "net": s.nets[near],
            "circuit_volts": float(s.circuit[near]),
            "expected_volts": float(s.local[near]),
            "share_of_scale": rows[k]["own_error_volts"] / rows[k]["scale_volts"],
        },
    }


def require_replaceable(folder: Path) -> None:
    """Raise StudyError if what ``save_trace`` would replace in ``folder`` is no trace."""
    for name in ("trace.json", "trace.npz"):
        require_ours(folder / name, "trace", _is_trace, give="--out", error=StudyError)


def _is_trace(path: Path) -> bool:
    try:
        return "largest_divergence" in read_json(path.with_name("trace.json"))
    except ValueError:
        return False


def save_trace(folder: Path, stages: list[TraceStage], summary: dict[str, Any]) -> None:
    """Write ``trace.json`` and ``trace.npz`` (each stage's nets and voltages) into ``folder``."""
    write_text(folder / "trace.json", json.dumps(summary, indent=2) + "\n")
    arrays: dict[str, np.ndarray] = {}
    for s in stages:
        key = s.what.replace(" ", "_")
        arrays |= {f"{key}_circuit": s.circuit, f"{key}_software": s.software}
        arrays[f"{key}_nets"] = np.array(s.nets)
    write_npz(folder / "trace.npz", arrays)
