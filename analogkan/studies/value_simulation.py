# pyright: strict
"""What a simulation of a regression found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..results import Fact, Figure, Listing, Pair
from ..tables import Column, Table
from ..text import percent
from .of_circuit import OfCircuit
from .of_values import OfValues
from .result import told_of_judge, whole_scale
from .values import targets_of


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ValueSimulation(OfCircuit, OfValues):
    """A finished simulation of a regression: what a circuit gives, beside software and targets.

    Attributes
    ----------
    arrays
        By name: ``labels`` (n, K), the targets; ``index`` (n,), positions in the data set;
        ``inputs`` (n, I); ``software`` and ``circuit``, outputs (n, K), -1 to 1 over the targets'
        range, the second None with ``engine="software"``.
    rmse_circuit, rmse_circuit_ci95, max_abs_circuit, r2_circuit
        Circuit against targets, in ``unit``.
    rmse_between, max_abs_between
        Circuit against software.
    worst
        The points of the largest errors.
    """

    heading = "Circuit against software and truth"
    max_abs_software: float
    rmse_circuit: float | None = None
    rmse_circuit_ci95: Pair | None = None
    max_abs_circuit: float | None = None
    r2_circuit: float | None = None
    rmse_between: float | None = None
    max_abs_between: float | None = None
    max_abs_logit_error: float | None = None
    logit_full_scale: float
    worst: Sequence[Mapping[str, Any]] = ()

    @property
    def targets(self) -> Column:
        """(n, K), in their units."""
        return self.arrays["labels"]

    @property
    def software(self) -> Column:
        """What software gives (n, K), in the targets' units."""
        return targets_of(self.summary).values(self.arrays["software"])

    @property
    def circuit(self) -> Column | None:
        """What the circuit gives (n, K), in the targets' units; None if it was not simulated."""
        z = self.arrays.get("circuit")
        return None if z is None else targets_of(self.summary).values(z)

    def headline(self) -> list[Fact]:
        if self.rmse_circuit is None or self.rmse_between is None:
            return []
        note = f"{self.both(self.rmse_circuit_ci95)}; {self.of_span(self.rmse_circuit)}; ngspice"
        return [
            Fact("circuit", f"RMSE {self.said(self.rmse_circuit)}", note),
            Fact("circuit - software", f"RMSE {self.said(self.rmse_between)}",
                 self.of_span(self.rmse_between)),
        ]  # fmt: skip

    def facts(self) -> Listing:
        s = self.summary
        found = [
            Fact(
                "software: RMSE", self.said(self.rmse_software), self.both(self.rmse_software_ci95)
            ),
            Fact(
                "largest error",
                self.said(self.max_abs_software),
                self.of_span(self.max_abs_software),
            ),
        ]
        if self.rmse_circuit is None or self.max_abs_circuit is None:
            return Listing.of(found, "95 %")
        assert self.rmse_between is not None and self.max_abs_between is not None
        assert self.max_abs_logit_error is not None
        bits = s["bits_circuit"]
        found += [
            Fact(f"circuit ({self.simulated_by()}): RMSE", self.said(self.rmse_circuit),
                 self.both(self.rmse_circuit_ci95)),
            Fact("largest error", self.said(self.max_abs_circuit),
                 self.of_span(self.max_abs_circuit)),
            Fact("share of span", percent(self.rmse_circuit / self.span, 3),
                 "" if bits is None else f"{bits:.1f} effective bits"),
            Fact("R²", "–" if self.r2_circuit is None else f"{self.r2_circuit:.6f}"),
            Fact("circuit - software: RMSE", self.said(self.rmse_between),
                 self.of_span(self.rmse_between)),
            Fact("largest difference", self.said(self.max_abs_between),
                 whole_scale(self.max_abs_logit_error, self.logit_full_scale)),
        ]  # fmt: skip
        found += self.costs("points")
        return Listing.of(found, "95 %")

    def sentences(self) -> list[str]:
        if not self.worst:
            return self.line_told()
        one = self.worst[0]
        return [
            *self.line_told(),
            f"the largest error is at point {one['point']}: the circuit gives "
            f"{_listed(one['circuit'])}, software {_listed(one['software'])}, wanted "
            f"{_listed(one['wanted'])}",
        ]

    def judged(self) -> str:
        return told_of_judge(self.summary["judge"], "point")

    def figures(self) -> list[Figure]:
        if self.circuit is None:
            return []
        from ..report import functions

        given = (self.arrays["inputs"], self.targets, self.software, self.circuit)
        names = targets_of(self.summary)
        inputs = given[0].shape[1]
        found: list[Figure] = []
        if inputs == 1:
            caption = "Truth, software and circuit over the input, and their errors."
            found.append(Figure("curve", caption, partial(functions.curve_figure, *given, names)))
        elif inputs == 2:
            caption = "The circuit's surface, and its error against the truth."
            found.append(
                Figure("surface", caption, partial(functions.surface_figure, *given, names))
            )
        caption = "What the circuit gives, and its error, over what is wanted."
        return [*found, Figure("parity", caption, partial(functions.parity_figure, *given, names))]

    def table(self) -> Table:
        """A row a point: ``point``, each target, and what software and circuit give."""
        found: dict[str, Column] = {"point": self.index}
        told = {"": self.targets, "_software": self.software, "_circuit": self.circuit}
        for k, one in enumerate(self.summary["targets"]):
            found |= {f"{one['name']}{of}": v[:, k] for of, v in told.items() if v is not None}
        return Table(found)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
