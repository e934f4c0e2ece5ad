"""The trace: one image's voltages stage by stage, circuit against software."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..compiler import names
from ..compiler.design import Design
from ..engines import ideal as ideal_engine
from ..engines.analysis import Analysis, Answered
from ..results import Fact, Listing, Result
from ..tables import Table, table_of
from ..text import many


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


def stages_of(answers: Sequence[Answered]) -> list[TraceStage]:
    """Every stage's voltages, of each deck's answer in turn.

    Where a circuit is several decks their stages are called by deck too, and a net of a
    convolution is there once a position, as ``net@position``.
    """
    return [stage for answered in answers for stage in _stages(answered)]


def _probes(design: Design) -> list[str]:
    probes: list[str] = []
    for k in range(len(design.stages)):
        n = names.StageNames(design, k)
        inputs, rows = n.driven(n.inputs()), n.there(n.rows())
        probes += [*_front_nets(n), *inputs, *rows, *n.lines(), *n.outputs()]
    return probes


def _stages(answered: Answered) -> list[TraceStage]:
    """The stages of a deck."""
    design, section, measured = answered.deck.design, answered.section, answered.at

    def at(nets: list[str]) -> list[str]:
        if section.patches is None:
            return nets
        return [f"{net}@{k}" for k in range(section.positions) for net in nets]

    stages: list[TraceStage] = []
    before = answered.points
    ideal = ideal_engine.stage_volts(design, answered.aims)
    for k, (stage, software) in enumerate(zip(design.stages, ideal, strict=True)):
        n = names.StageNames(design, k)
        driven, there = stage.driven, stage.there
        rows, lines = _spread(measured(n.there(n.rows())), there), measured(n.lines())
        normed = _spread(measured(_front_nets(n)), driven) if _front_nets(n) else before
        inputs, outputs = _spread(measured(n.driven(n.inputs())), driven), measured(n.outputs())
        by_inputs = stage.front.squashed(normed)
        by_rows = ideal_engine.row_volts(design, stage, inputs)
        by_lines = ideal_engine.line_volts(design, stage, rows)
        by_outputs = ideal_engine.output_volts(design, stage, lines)

        def of(where: np.ndarray, *volts: np.ndarray) -> list[np.ndarray]:
            return [values[:, where] for values in volts]

        kinds = [
            ("inputs", n.driven(n.inputs()), *of(driven, inputs, software.inputs, by_inputs)),
            ("rows", n.there(n.rows()), *of(there, rows, software.rows, by_rows)),
            ("lines", n.lines(), lines, software.lines, by_lines),
            ("outputs", n.outputs(), outputs, software.outputs, by_outputs),
        ]
        if _front_nets(n):
            local = stage.front.normed(before)
            kinds.insert(0, ("norm", _front_nets(n), *of(driven, normed, software.normed, local)))
        stages += [
            TraceStage(
                what=f"{answered.of}layer {section.first + k} {what}",
                nets=at(nets),
                circuit=circuit.ravel(),
                software=exact.ravel(),
                local=local.ravel(),
            )
            for what, nets, circuit, exact, local in kinds
        ]
        before = outputs
    return stages


def _front_nets(n: names.StageNames) -> list[str]:
    """Nets between a LayerNorm and what follows it, if there is one."""
    return [] if n.stage.front.norm is None else n.driven(n.normed())


def _spread(volts: np.ndarray, where: np.ndarray) -> np.ndarray:
    """``volts`` (n, k) at the k places ``where`` (m,) is true, of (n, m); 0 elsewhere."""
    found = np.zeros((len(volts), where.size))
    found[:, where] = volts
    return found


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


def _summarise(
    answers: Sequence[Answered],
) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    stages = stages_of(answers)
    arrays: dict[str, np.ndarray] = {}
    for s in stages:
        key = s.what.replace(" ", "_")
        arrays |= {f"{key}_circuit": s.circuit, f"{key}_software": s.software}
        arrays[f"{key}_nets"] = np.array(s.nets)
    return summarise_trace(stages), arrays


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Tracing(Result):
    """What ``trace`` found: one image's voltages, stage by stage.

    Attributes
    ----------
    stages
        The figures of each stage.
    largest_divergence
        Where most error arises.
    images
        What the image is one of.
    image
        Its number.
    label
        Its class; None in one that an earlier version kept.
    arrays
        Each stage's nets and voltages.
    """

    heading: ClassVar[str] = "One image, stage by stage"
    no_picture: ClassVar[str] = "a trace has no picture"
    stages: list[dict[str, Any]]
    largest_divergence: dict[str, Any]
    images: dict[str, Any]
    image: int
    label: int | list[float] | None = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    def title(self) -> str:
        """The image."""
        said = "" if self.label is None else f", class {self.label}"
        if isinstance(self.label, list):
            said = f", wanted {', '.join(f'{value:.6g}' for value in self.label)}"
        return f"image {self.image} of {self.images['said']}{said}: volts"

    def headline(self) -> list[Fact]:
        """Where most error arises."""
        worst = self.largest_divergence
        told = f"{worst['net']} ({worst['stage']}), {worst['share_of_scale']:.1e} of its scale"
        stages = many(len(self.stages), "stage")
        return [Fact("stages", stages), Fact("largest divergence", told)]

    def facts(self) -> Listing:
        """A line a stage: its scale, its largest error, and the largest that arises in it."""
        columns = ("stage", "nets", "scale", "error", "at", "own error", "at ")
        rows = [
            (
                s["stage"],
                str(s["nets"]),
                f"{s['scale_volts']:.3g}",
                f"{s['max_error_volts']:.2g}",
                s["max_error_net"],
                f"{s['own_error_volts']:.2g}",
                s["own_error_net"],
            )
            for s in self.stages
        ]
        return Listing(columns, rows)

    def closing(self) -> list[str]:
        """Where most error arises, as a sentence."""
        worst = self.largest_divergence
        return [
            f"largest divergence that arises in its own stage: {worst['net']} ({worst['stage']}) "
            f"is at {worst['circuit_volts']:.6g} V, what drives it asks for "
            f"{worst['expected_volts']:.6g} V ({worst['share_of_scale']:.1e} of the stage's scale)"
        ]

    def table(self) -> Table:
        """A row a stage: its nets, scale, and largest errors in volts."""
        return table_of(self.stages)


TRACE = Analysis(
    name="trace",
    about="voltages stage by stage, circuit against software",
    probes=_probes,
    summarise=_summarise,
    result=Tracing,
)
