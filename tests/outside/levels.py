"""A study from one file: the fewest levels of a cell that keep what software reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analogkan.results import Fact, Figure, Listing
from analogkan.studies.points import Point
from analogkan.studies.result import OfClasses, StudyResult
from analogkan.studies.study import Option, Plan, Study
from analogkan.text import percent


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Levels(StudyResult, OfClasses):
    """What a circuit with so many levels reaches."""

    heading = "Levels"
    loss: float
    fewest: int | None
    levels: Sequence[Mapping[str, Any]]

    def title(self) -> str:
        return f"{self.model} on {self.images['said']}, by the levels of its cells"

    def headline(self) -> list[Fact]:
        least = "none tried" if self.fewest is None else str(self.fewest)
        return [Fact("fewest levels", least, f"that lose at most {percent(self.loss)}")]

    def facts(self) -> Listing:
        rows = [(str(entry["levels"]), percent(entry["accuracy"])) for entry in self.levels]
        return Listing(("levels", "accuracy"), rows)

    def figures(self) -> list[Figure]:
        def draw() -> Any:
            from matplotlib.figure import Figure as Drawing

            drawn = Drawing()
            x, y = zip(*((e["levels"], e["accuracy"]) for e in self.levels), strict=True)
            drawn.subplots().plot(x, y, marker="o")
            return drawn

        return [Figure("levels", "Accuracy by the levels of the cells.", draw)]


def plan(job, *, most: int, loss: float) -> Plan:
    """Run the images through circuits of 2, 4, 8 ... levels, beside the software network.

    \b
    Example:
      analogkan levels mnist.build --loss 1%
    """
    hardware, variation, conditions, _ = job.read_settings()
    tried = [2**k for k in range(1, most + 1)]
    one = Point(hardware=hardware, variation=variation, conditions=conditions, sample=None)
    points = [replace(one, hardware=replace(hardware, levels=levels)) for levels in tried]

    def summarise(rows, bench) -> dict[str, Any]:
        known = {row["key"]: row for row in rows if row["status"] == "ok"}
        found = [
            {"levels": levels, "accuracy": known[point.key]["accuracy"]}
            for levels, point in zip(tried, points, strict=True)
            if point.key in known
        ]
        least = bench.software_accuracy - loss
        enough = [entry["levels"] for entry in found if entry["accuracy"] >= least]
        return {"levels": found, "fewest": min(enough, default=None)}

    return Plan(
        points=points,
        summarise=summarise,
        facts={"preset": job.preset, "loss": loss},
        identity={"hardware": points[0].document()["hardware"] | {"levels": 0}},
    )


STUDY = Study(
    name="levels",
    short="The fewest levels of a cell that keep what software reaches.",
    options=(
        Option(name="most", kind="whole", default=6, least=1, most=16, about="Bits to try."),
        Option(name="loss", kind="share", default=0.01, metavar="X", about="That may be lost."),
        Option(name="preset", kind="text", default="nominal", words="preset"),
    ),
    plan=plan,
    result=Levels,
)
