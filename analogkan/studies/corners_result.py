# pyright: strict
"""What a study of corners found: each corner's chip beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any

from ..results import Fact, Figure, Listing
from ..text import many, percent
from .of_values import OfValues
from .result import OfClasses, StudyResult

Entry = Mapping[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OfCorners(StudyResult):
    """What chips at corners reach; of what is its subclass's.

    Attributes
    ----------
    sigmas
        How far out each coordinate of a classical corner is, and a worst-case corner in all.
    yield_at, yield_rule
        What a good chip reaches, and how that limit was come by.
    corners
        For each, its ``name``, what it is ``about``, its ``kind`` (``classical`` or ``worst``),
        ``sample``, ``temp_c``, figures, ``score``, ``own_score`` on the images that a worst-case
        corner is the worst for (else None), ``distance`` in sigmas over all coordinates,
        ``beta`` (where the score crosses 0 on the way to a worst-case corner; None: it does not)
        and ``build``, where it is kept in the RUN.
    left_out
        What no corner has, sentences.
    """

    heading = "Corners"
    sigmas: float
    yield_at: float
    yield_rule: str
    corners: Sequence[Entry]
    left_out: Sequence[str]

    def title(self) -> str:
        return (
            f"{self.model}: {many(len(self.corners), 'corner')} at {self.sigmas:g} sigma "
            f"({self.preset or 'no preset'}), on {self.images['said']}"
        )

    def good(self) -> list[Entry]:
        """The corners that could be simulated."""
        return [one for one in self.corners if one["status"] == "ok"]

    def reached(self, entry: Entry) -> str:
        """What a corner reaches, in words."""
        raise NotImplementedError

    def column(self) -> str:
        """Of the table's column of it."""
        raise NotImplementedError

    def headline(self) -> list[Fact]:
        found: list[Fact] = []
        for kind, words in (("classical", "worst classical corner"), ("worst", "worst chip")):
            of_kind = [one for one in self.good() if one["kind"] == kind]
            if of_kind:
                least = min(of_kind, key=lambda one: one["score"])
                note = f"{least['name']}, {least['temp_c']:g} °C, score {least['score']:.3g}"
                found.append(Fact(words, self.reached(least), note))
        return found

    def facts(self) -> Listing:
        columns = ["corner", "degC", self.column(), "score", "own", "error", "sigmas", "beta"]
        apart = self._apart()
        columns += ["ngspice"] if apart else []
        rows: list[list[str]] = []
        for one in self.good():
            error = one["max_abs_logit_error"] / self.summary["logit_full_scale"]
            cells = [one["name"], f"{one['temp_c']:g}", self.reached(one), f"{one['score']:.3g}"]
            cells += ["–" if one["own_score"] is None else f"{one['own_score']:.3g}"]
            cells += [f"{error:.1e}", f"{one['distance']:.3g}"]
            cells += ["–" if one["beta"] is None else f"{one['beta']:.2f}"]
            if apart:
                share = apart.get(one["sample"])
                cells.append("–" if share is None else f"{share:.1e}")
            rows.append(cells)
        return Listing(columns, rows)

    def _apart(self) -> dict[int, float]:
        """By the corners' numbers how far ngspice was from the twin, a share of full scale."""
        of_rows = {row["sample"]: row.get("judge_share") for row in self.rows}
        found = {sample: share for sample, share in of_rows.items() if share is not None}
        full = self.summary["logit_full_scale"]
        for entry in (self.judge or {}).get("found", []):
            found[entry["sample"]] = entry["max_abs_difference"] / full
        return found

    def sentences(self) -> list[str]:
        told = [
            f"score: below 0 a chip is not one of {self.yield_rule}",
            f"classical: every coordinate that is displaced is {self.sigmas:g} sigma out; sigmas "
            "are over all of them, and along a way through them chips lie as a standard normal "
            "number does, so hardly one is as far",
            "own: the score on the images that a chip is the worst for; error: the largest of a "
            "logit; errors and differences are shares of full scale",
        ]
        betas = [one["beta"] for one in self.good() if one["beta"] is not None]
        if any(one["kind"] == "worst" for one in self.corners):
            told.append(
                f"worst: the chip within {self.sigmas:g} sigma, over all coordinates, that "
                "gradients lead to, which may be the worst of its neighbourhood alone"
            )
        if betas:
            told.append(
                f"the score crosses 0 from {min(betas):.2f} sigma on: Phi(-beta) = "
                f"{NormalDist().cdf(-min(betas)):.1e}, an estimate of that one direction, if the "
                "border is a plane there; other ways of failing come on top of it"
            )
        return [*told, *self.left_out]

    def closing(self) -> list[str]:
        told = super().closing()
        kept = f"each is kept as {self.run}/corners/NAME.build: `ngspice -b network.cir` there"
        return [*told[:-1], kept, *told[-1:]]

    def figures(self) -> list[Figure]:
        from ..report.corners import corners_figure

        caption = "Scores of the corners: below 0 a chip is not good."
        return [Figure("corners", caption, partial(corners_figure, self.good(), self.title()))]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Corners(OfCorners, OfClasses):
    """What chips at corners reach: accuracies, shares of 1, and scores, logits."""

    @classmethod
    def of_values(cls) -> type[CornerErrors]:
        return CornerErrors

    def reached(self, entry: Entry) -> str:
        return percent(entry["accuracy"])

    def column(self) -> str:
        return "accuracy"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class CornerErrors(OfCorners, OfValues):
    """What chips of a regression at corners reach: errors and scores in ``unit``."""

    def reached(self, entry: Entry) -> str:
        return self.said(entry["rmse"])

    def column(self) -> str:
        return "RMSE"
