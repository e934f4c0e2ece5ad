# pyright: strict
"""Results as people meet them in Python: a few lines, a table, a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import StudyError
from ..objects import Described, Facts, show_figures
from ..studies.conduct import StudyResult
from ..studies.simulate import SimResult
from ..studies.store import flat
from ..tables import Table, table_of
from ..text import interval, many, percent

if TYPE_CHECKING:
    from ..report.figures import Figure

Summary = dict[str, Any]


class Result(Described):
    """What every result can do; ``summary`` has its figures, as in result.json."""

    summary: Summary

    def table(self) -> Table:
        """The rows as columns: a dictionary of arrays."""
        raise NotImplementedError

    def to_frame(self) -> Any:
        """``table()`` as a pandas DataFrame; AnalogKanError where there is no pandas."""
        return self.table().to_frame()

    def plot(self) -> Figure:
        """The picture that a report shows first; ``savefig`` keeps it."""
        figure = self._figure()
        show_figures()
        return figure

    def _figure(self) -> Figure:
        raise NotImplementedError


class Simulation(SimResult, Result):
    """What ``simulate`` found: ``summary``, and logits (n, O) as ``software`` and ``circuit``."""

    __repr__ = Described.__repr__

    @property
    def run(self) -> Path:
        """The RUN folder; StudyError if software alone was evaluated, which keeps none."""
        self._require_circuit("keeps no RUN")
        return Path(self.summary["run"])

    def _described(self) -> tuple[str, Facts]:
        s = self.summary
        facts = [("software", _share(s["software_accuracy"], s["software_ci95"]))]
        if self.circuit is not None:
            error = f"{s['max_abs_logit_error'] / s['logit_full_scale']:.1e} of full scale"
            facts += [
                ("circuit", _share(s["circuit_accuracy"], s["circuit_ci95"])),
                ("same class", percent(s["agreement"])),
                ("largest logit error", error),
            ]
        return f"of {s['model']} on {s['images']['said']}", facts + _closing(s)

    def table(self) -> Table:
        """A row an image: ``image``, ``label``, both answers, and the largest logit error."""
        found = {"image": self.index, "label": self.labels, "software": self.software.argmax(1)}
        if self.circuit is not None:
            error = np.abs(self.circuit - self.software).max(axis=1)
            found |= {"circuit": self.circuit.argmax(1), "max_abs_logit_error": error}
        return Table(found)

    def _figure(self) -> Figure:
        from ..report.figures import logit_figure

        self._require_circuit("has no circuit to plot")
        assert self.circuit is not None
        return logit_figure(self.software, self.circuit)

    def _require_circuit(self, lacks: str) -> None:
        if self.circuit is None:
            raise StudyError(
                f"a simulation with engine = software {lacks}: simulate with engine ngspice"
            )


class Study(StudyResult, Result):
    """What a study of virtual chips found: ``summary``, ``rows``, and the RUN folder ``run``."""

    __repr__ = Described.__repr__

    def _described(self) -> tuple[str, Facts]:
        s = self.summary
        facts = [("software", percent(s["software_accuracy"])), *_FIGURES[s["study"]](s)]
        return f"{s['study']} of {s['model']} on {s['images']['said']}", facts + _closing(s)

    def table(self) -> Table:
        """A row a chip: its number, temperature and figures; of a sweep the axes' values first."""
        return table_of([{k: v for k, v in flat(row).items() if k != "key"} for row in self.rows])

    def _figure(self) -> Figure:
        from ..report import figures, grids

        if self.summary["study"] == "montecarlo":
            return figures.histogram_figure(self.rows, self.summary)
        if self.summary["study"] == "thermal":
            return figures.thermal_figure(self.summary)
        figure = grids.sweep_figure(self.summary)
        if figure is None:
            raise StudyError("a sweep of more than two axes has no picture: table() has its rows")
        return figure


@dataclass(frozen=True, eq=False, repr=False)
class Trained(Described):
    """What ``train`` made. It is a path: ``compile`` and ``train(start=...)`` take it.

    Attributes
    ----------
    summary
        The figures of the card.
    model, card
        The files.
    """

    summary: Summary
    model: Path
    card: Path

    def __fspath__(self) -> str:
        return str(self.model)

    def _described(self) -> tuple[str, Facts]:
        s = self.summary
        facts = [
            ("accuracy", _share(s["accuracy"], s["ci95"])),
            ("images", s["images"]["said"]),
            ("parameters", f"{s['parameters']:,}"),
            ("out of range", f"{percent(s['out_of_range'])} of the hidden voltages"),
        ]
        return str(self.model), [*facts, ("card", str(self.card))]


def _share(share: float, ci95: Any) -> str:
    within = interval(ci95)
    return percent(share) + (f" ({within}, 95 %)" if within else "")


def _chips(s: Summary) -> Facts:
    good = f"{_share(s['yield'], s['yield_ci95'])} at or above {percent(s['yield_at'])}"
    return [
        ("chips", f"{s['samples']:,} ({s['failed']} failed), {s['temp_c']:g} degC"),
        ("mean", _share(s["accuracy_mean"], s["accuracy_mean_ci95"])),
        ("yield", good),
    ]


def _temperatures(s: Summary) -> Facts:
    def told(entry: Summary) -> str:
        nominal: Summary = entry["nominal"] or {}
        accuracy = nominal.get("accuracy")
        return f"{entry['temp_c']:g} degC: " + ("–" if accuracy is None else percent(accuracy))

    entries = s["temperatures"]
    ends = entries if len(entries) < 3 else [entries[0], entries[-1]]
    return [("nominal", "; ".join(map(told, ends))), ("temperatures", str(len(entries)))]


def _cells(s: Summary) -> Facts:
    means = [c["accuracy_mean"] for c in s["cells"] if c["accuracy_mean"] is not None]
    spread = f"{percent(min(means))} to {percent(max(means))}" if means else "–"
    cells = f"{len(s['cells']):,}, {many(s['samples'], 'chip')} each: {s['grid']}"
    return [("settings", cells), ("means", spread)]


_FIGURES: dict[str, Callable[[Summary], Facts]] = {
    "montecarlo": _chips,
    "thermal": _temperatures,
    "sweep": _cells,
}


def _closing(s: Summary) -> Facts:
    """What holds for every result: how many notes, and where it is kept."""
    notes = [("notes", f"{len(s['notes'])}, in summary['notes']")] if s["notes"] else []
    judged = s.get("judge")
    if s["study"] != "simulate" and s["engine"] == "twin":
        told = "not by ngspice"
        if judged is not None:
            told = (
                f"by ngspice, {many(judged['chips'], 'chip')} x {many(judged['images'], 'image')}"
            )
        notes.append(("judged", told))
    run = Path(s["run"]) if s.get("run") else None
    if run is not None and run.is_relative_to(Path.cwd()):
        run = run.relative_to(Path.cwd())
    return notes + ([] if run is None else [("kept in", str(run))])
