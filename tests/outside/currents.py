"""An analysis of one image, as somebody would write it who wants to know what sources deliver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from analogkan.compiler import spice
from analogkan.compiler.design import Design
from analogkan.compiler.names import StageNames
from analogkan.dialects.dialect import Vectors
from analogkan.engines.analysis import Analysis, Answered, Asked
from analogkan.results import Fact, Figure, Listing, Result
from analogkan.tables import Table, table_of


def sources(design: Design) -> list[str]:
    """Nets that independent sources drive: the inputs, and every layer's bias rows."""
    nets = StageNames(design, 0).sources()
    for k, stage in enumerate(design.stages):
        rows = StageNames(design, k).rows()
        nets = [*nets, *rows[len(rows) - stage.n_bias :]]
    return nets


def probes(design: Design) -> list[str]:
    return [probe for net in sources(design) for probe in (net, f"i(v_{net})")]


def write(asked: Asked) -> str:
    """An operating point, with the inputs as sources, whose currents ngspice knows."""
    drive = spice.format_inputs(asked.design, asked.volts[0], asked.dialect)
    what = "what its sources deliver"
    return spice.write_run(asked.design, what, drive, ["op"], asked.probes, say=asked.dialect)


def read(asked: Asked, vectors: Vectors) -> np.ndarray:
    return np.stack([vectors[name] for name in asked.vectors], axis=1)


def summarise(answers: Sequence[Answered]) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    (answered,) = answers
    nets = sources(answered.deck.design)
    volts = answered.at(nets)[0]
    amperes = -answered.at([f"i(v_{net})" for net in nets])[0]  # out of the source
    rows = [
        {"net": net, "volts": float(v), "amperes": float(i)}
        for net, v, i in zip(nets, volts, amperes, strict=True)
    ]
    return {"sources": rows, "watts": float(volts @ amperes)}, {"amperes": amperes}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Currents(Result):
    """What sources deliver."""

    heading: ClassVar[str] = "What sources deliver"
    sources: list[dict[str, Any]]
    watts: float
    image: int
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    def title(self) -> str:
        return f"image {self.image}: what sources deliver"

    def headline(self) -> list[Fact]:
        return [Fact("power", f"{1e6 * self.watts:.3g} uW")]

    def facts(self) -> Listing:
        rows = [(s["net"], f"{s['volts']:.3g}", f"{s['amperes']:.3g}") for s in self.sources]
        return Listing(("source", "V", "A"), rows)

    def closing(self) -> list[str]:
        return [f"together {1e6 * self.watts:.3g} uW"]

    def figures(self) -> list[Figure]:
        return [Figure("currents", "Current of each source.", self._draw)]

    def _draw(self) -> Any:
        from matplotlib.figure import Figure as Picture

        figure = Picture()
        figure.subplots().plot(self.arrays["amperes"])
        return figure

    def table(self) -> Table:
        return table_of(self.sources)


CURRENTS = Analysis(
    name="currents",
    about="what sources deliver",
    probes=probes,
    write=write,
    points=lambda asked: 1,
    axis="",
    read=read,
    summarise=summarise,
    result=Currents,
)
