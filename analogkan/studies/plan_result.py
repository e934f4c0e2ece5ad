# pyright: strict
"""What a plan found, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..network.measures import format_value
from ..results import Fact, Figure, Listing
from ..schema import Maybe, Number, Rule
from ..text import engineering, many, percent
from .entries import REGRESSION
from .result import StudyResult, accuracy_fact

PRESET = "planned.toml"
"""Where a RUN keeps the chosen settings."""
FIGURES: dict[str, Rule] = {
    name: Maybe(Number())
    for name in (
        *("energy_j", "power_w", "settling_s", "settling_class_s", "area_um2", "noise_v_rms"),
        *("flip_probability", "floor_j", "quiescent_w", "class_b_w", "bias_rows_w", "dacs_w"),
        *("op_amps", "cells", "c_margin", "saturated", "beyond_class_ab"),
        *("accuracy_mean", "accuracy_std", "rmse_mean", "yield", "failed_chips"),
        *("judge_op", "judge_power", "judge_settling", "judge_noise", "judge_seconds"),
    )
}
"""Columns of a candidate's row. ``judge_``: what ngspice differs by from the closed form."""
Figures = Mapping[str, Any]
JUDGED = {
    "judge_op": "operating point",
    "judge_power": "power",
    "judge_settling": "waveforms",
    "judge_noise": "noise",
}
"""Columns that say how far ngspice is, a share each, and what they are of."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Planned(StudyResult):
    """Settings that keep to limits at the least energy, area or time that was found.

    Attributes
    ----------
    objective
        Entry of what was made least.
    limits
        What was kept to, in words.
    as_it_is, criterion, chosen
        Figures of the circuit as it is; of it where outputs settle as candidates' do; and of what
        was chosen. ``lost`` is against the first, with the same chips.
    steps
        What each lever brings, one after the other: ``lever``, ``value`` and figures.
    values
        The chosen settings by name.
    front
        Of several limits of what may be lost the best: ``set`` and figures.
    tried
        Of each candidate that was made ``lost``, the objective, and 1 where it keeps to the limits.
    bits, criterion_said
        To which candidates settle, and why.
    """

    heading = "Plan"
    objective: str
    limits: Sequence[str]
    as_it_is: Figures
    criterion: Figures
    chosen: Figures
    steps: Sequence[Figures]
    values: Mapping[str, Any]
    front: Sequence[Figures]
    tried: Sequence[Sequence[float]]
    candidates: int
    samples: int
    bits: int
    criterion_said: str

    def title(self) -> str:
        limits = ", ".join(self.limits)
        return f"{self.model}: {limits}; {many(self.samples, 'chip')} ({self.preset})"

    def software_fact(self) -> Fact:
        s = self.summary
        if s.get("task") == REGRESSION:
            return Fact("software", f"RMSE {format_value(s['rmse_software'], s['unit'])}")
        return accuracy_fact(s["software_accuracy"], s["n"])

    def headline(self) -> list[Fact]:
        before, now = (engineering(one["energy_j"], "J") for one in (self.as_it_is, self.chosen))
        energy = self.as_it_is["energy_j"] / self.chosen["energy_j"]
        return [
            Fact("energy", now, f"an inference; {before} as it is: {energy:.3g} times less"),
            Fact("settled", engineering(self.chosen["settling_s"], "s"), f"to {self.bits} bits"),
            Fact("lost", self.lost(self.chosen), f"{many(self.samples, 'chip')}, the same in both"),
        ]

    def lost(self, figures: Figures) -> str:
        """What chips lose, with its unit."""
        if self.summary.get("task") == REGRESSION:
            return f"{format_value(figures['lost'], self.summary['unit'])} RMSE"
        return f"{100 * figures['lost']:.2f} points"

    def _reached(self, figures: Figures) -> str:
        if self.summary.get("task") == REGRESSION:
            return format_value(figures["rmse_mean"], self.summary["unit"])
        return percent(figures["accuracy_mean"])

    def facts(self) -> Listing:
        """What there is, then each lever on top of those before it."""
        columns = (
            "",
            *["value", "energy", "factor", "power", "settled", "area", "op-amps", "reached"],
        )
        rows = [self._row("as it is", "", self.as_it_is, None)]
        before = self.as_it_is
        if self.bits != self.summary["bits_as_it_is"]:
            rows.append(self._row("bits", f"{self.bits}", self.criterion, before))
            before = self.criterion
        for step in self.steps:
            rows.append(self._row(step["lever"], _number(step["value"]), step, before))
            before = step if step["status"] == "ok" else before
        rows.append(self._row("in all", "", self.chosen, self.as_it_is))
        return Listing(columns, rows)

    def _row(
        self, name: str, value: str, figures: Figures, before: Figures | None
    ) -> tuple[str, ...]:
        if figures["status"] != "ok":
            return (name, value, *("–",) * 6, "failed")
        factor = "" if before is None else f"{before[self.objective] / figures[self.objective]:.2f}"
        return (
            name,
            value,
            engineering(figures["energy_j"], "J"),
            factor,
            engineering(figures["power_w"], "W"),
            engineering(figures["settling_s"], "s"),
            "–" if figures["area_um2"] is None else f"{figures['area_um2'] / 1e6:.3g} mm^2",
            f"{figures['op_amps']:,.0f}",
            self._reached(figures),
        )

    def sentences(self) -> list[str]:
        """What was traded."""
        told = [
            f"each lever stands on those above it: its factor is {self._what()} before over "
            f"{self._what()} after; {self.criterion_said}",
            self._parts(),
        ]
        if self.chosen["floor_j"]:
            times = self.chosen["energy_j"] / self.chosen["floor_j"]
            told.append(
                f"the least that op-amps of this topology need at {_number(self.v_rail)} V is "
                f"{engineering(self.chosen['floor_j'], 'J')} (docs/plan.md derives it): the "
                f"chosen circuit takes {times:.2g} times that"
            )
        if not self.steps:
            told.append(
                f"nothing that keeps to the limits takes less {self._what()} than the circuit as "
                "it is: look at more with --tries, allow more, or free a lever with --free"
            )
        told.append(
            f"{self.candidates:,} candidates were looked at{self._unmade()}; {len(self.front)} of "
            "the best for other losses are the front of the picture"
        )
        return told

    def _unmade(self) -> str:
        failed = self.candidates - len(self.tried)
        return f", {failed:,} of which could not be made or simulated" if failed else ""

    @property
    def v_rail(self) -> float:
        """Volts of the chosen supplies."""
        return float(self.values.get("v_rail", self.summary["v_rail"]))

    def _what(self) -> str:
        return {"energy_j": "energy", "area_um2": "area", "settling_s": "time"}[self.objective]

    def _parts(self) -> str:
        """Where the power goes, before and after."""
        names = {
            "quiescent_w": "quiescent", "class_b_w": "output stages", "bias_rows_w": "bias rows",
            "dacs_w": "DACs",
        }  # fmt: skip
        pairs = (
            f"{label} {engineering(self.as_it_is[name], 'W')} to "
            f"{engineering(self.chosen[name], 'W')}"
            for name, label in names.items()
            if self.as_it_is[name]
        )
        return f"supply power: {', '.join(pairs)}; energy of conversions is left out of it"

    def judged(self) -> str:
        seen = [row for row in self.rows if row.get("judge_op") is not None]
        if not seen:
            return "not judged: nothing of this plan was simulated in ngspice"
        worst = ", ".join(
            f"{what} within {max(values):.1e}"
            for column, what in JUDGED.items()
            if (values := [row[column] for row in seen if row.get(column) is not None])
        )
        return f"all {len(seen)} that are reported judged by ngspice's op, .tran, .noise: {worst}"

    def _judge_in_brief(self) -> str:
        seen = sum(row.get("judge_op") is not None for row in self.rows)
        return f"ngspice, {many(seen, 'circuit')}: passed" if seen else "none"

    def closing(self) -> list[str]:
        path = self.run / PRESET
        return [f"the chosen settings: {path}, a preset for compile and studies", self.judged()]

    def figures(self) -> list[Figure]:
        from ..report.plans import front_figure, steps_figure

        return [
            Figure(
                "plan", "Every candidate, and the best for several losses.",
                partial(front_figure, self.summary),
            ),
            Figure("levers", "What each lever brings.", partial(steps_figure, self.summary)),
        ]  # fmt: skip


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
