# pyright: strict
"""What a simulation of a circuit's answers to images found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..results import Fact, Figure, Listing, Pair
from ..tables import Column, Table
from ..text import interval, many, percent
from .of_circuit import MOST_TOLD, OfCircuit
from .result import OfClasses, whole_scale
from .value_simulation import ValueSimulation

ARRAYS_OF = ("labels", "index", "software", "circuit")


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Simulation(OfCircuit, OfClasses):
    """A finished simulation: what a circuit answers to images, beside its software.

    Attributes
    ----------
    arrays
        By name: ``labels`` and ``index`` (n,), classes and positions in the data set; ``software``
        and ``circuit``, logits (n, O), the second None with ``engine="software"``; and what else
        is kept for pictures, see ``analogkan.studies.evidence``.
    software_ci95, circuit_accuracy, circuit_ci95
        Shares of 1, and 95 % intervals (Wilson).
    delta, delta_ci95
        Circuit less software, and its interval (Tango).
    agreement
        Share of the images that both put into one class.
    max_abs_logit_error, logit_full_scale
        The largest difference of a logit, and the largest logit in software.
    flipped
        Images that the circuit puts into another class than software.
    """

    heading = "Circuit against software"
    software_ci95: Pair
    circuit_accuracy: float | None
    circuit_ci95: Pair | None
    delta: float | None
    delta_ci95: Pair | None
    agreement: float | None
    max_abs_logit_error: float | None
    logit_full_scale: float
    flipped: Sequence[Mapping[str, Any]] | None

    @classmethod
    def of_values(cls) -> type[ValueSimulation]:
        return ValueSimulation

    @property
    def labels(self) -> Column:
        """Classes (n,)."""
        return self.arrays["labels"]

    @property
    def software(self) -> Column:
        """Logits (n, O) of the network in software."""
        return self.arrays["software"]

    @property
    def circuit(self) -> Column | None:
        """Logits (n, O) of the circuit in ngspice; None if software alone was evaluated."""
        return self.arrays.get("circuit")

    @property
    def layers(self) -> Sequence[Mapping[str, Any]]:
        """Errors of the circuit's hidden nodes, layer by layer."""
        return self.summary["layers"]

    def headline(self) -> list[Fact]:
        if self.circuit_accuracy is None or self.agreement is None:
            return []
        circuit = percent(self.circuit_accuracy)
        return [
            Fact("circuit", circuit, f"{interval(self.circuit_ci95)}; ngspice"),
            Fact("same class", percent(self.agreement), many(self.summary["n"], "image")),
        ]

    def facts(self) -> Listing:
        software = percent(self.software_accuracy)
        found = [Fact("software", software, interval(self.software_ci95))]
        if self.circuit_accuracy is None:
            return Listing.of(found, "95 %")
        assert self.delta is not None and self.agreement is not None
        assert self.max_abs_logit_error is not None
        error = self.max_abs_logit_error
        points = f"{100 * self.delta:+.2f} points"
        found += [
            Fact(
                f"circuit ({self.simulated_by()})",
                percent(self.circuit_accuracy),
                interval(self.circuit_ci95),
            ),
            Fact("circuit - software", points, interval(self.delta_ci95)),
            Fact("same class", percent(self.agreement)),
            Fact("largest logit error", f"{error:.2g}", whole_scale(error, self.logit_full_scale)),
        ]
        found += self.costs("images")
        return Listing.of(found, "95 %")

    def sentences(self) -> list[str]:
        if not self.flipped:
            return []
        told = [
            f"  flipped: image {flip['image']} ({flip['label']}), software says "
            f"{flip['software']}, circuit {flip['circuit']}"
            for flip in self.flipped[:MOST_TOLD]
        ]
        if len(self.flipped) > MOST_TOLD:
            more = len(self.flipped) - MOST_TOLD
            told.append(f"  and {more} more in {self.summary['run']}/result.json")
        return told

    def figures(self) -> list[Figure]:
        if self.circuit is None:
            return []
        from ..report import figures

        a = self.arrays
        labels, index, software, circuit = (a[name] for name in ARRAYS_OF)

        def live() -> Any:
            from ..report.interactive import logit_scatter

            return logit_scatter(labels, index, software, circuit, self.room)

        found = [
            Figure(
                "logits",
                "Logits: error over the software's value.",
                partial(figures.logit_figure, software, circuit),
                live,
                share=True,
            )
        ]
        kept = range(len(self.layers))
        pairs = [(a[f"layer{k}_software"], a[f"layer{k}_circuit"]) for k in kept]
        if pairs:
            told = (
                f"layer {k['layer']} {k['rms_error']:.2g} rms, at most {k['max_abs_error']:.2g} of "
                f"{k['full_scale']:.3g}"
                for k in self.layers
            )
            caption = f"Hidden nodes in ngspice over those in software; off: {'; '.join(told)}."
            draw = partial(figures.layers_figure, pairs)
            found.append(Figure("layers", caption, draw, share=True))
        caption = "Answers by class, software and circuit."
        draw = partial(figures.confusion_figure, labels, software, circuit)
        return [*found, Figure("confusion", caption, draw)]

    def table(self) -> Table:
        """A row an image: ``image``, ``label``, both answers, and the largest logit error."""
        found = {"image": self.index, "label": self.labels, "software": self.software.argmax(1)}
        if self.circuit is not None:
            error = np.abs(self.circuit - self.software).max(axis=1)
            found |= {"circuit": self.circuit.argmax(1), "max_abs_logit_error": error}
        return Table(found)
