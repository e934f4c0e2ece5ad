# pyright: strict
"""What a study of causes found, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..network.measures import format_value
from ..results import Fact, Figure, Listing, Pair
from ..text import interval, many, percent
from .entries import REGRESSION
from .result import StudyResult, accuracy_fact

MOST_TOLD = 5
"""Tiles, and lines, that are told; result.json has all."""
Figures = Mapping[str, Any]
FITS = {True: ", which fits", False: ", which does not fit", None: ""}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Sensitivity(StudyResult):
    """What makes chips differ, by quantity, layer, tile and line. Shares are of 1.

    Attributes
    ----------
    shares
        Of every quantity in every layer, the largest first. By draws, of the variance of the score:
        ``first`` alone, ``total`` with all it acts together with, and their intervals; the same of
        what is reached. By gradients: ``gradient`` of the margins' variance, each image weighted by
        how often it decides, and unweighted; ``gradient_first`` and ``gradient_total`` of the
        score's, whose spread is ``gradient_score_std`` with it alone, and with all but it
        ``gradient_score_std_without``. What has no gradient lacks them.
    first_sum, first_sum_ci95
        Of the first-order shares; the rest is of quantities that act together.
    causes
        Settings by the shares of all that they ask for, in all layers; the largest first. With
        what is left of the spreads of score and of what is reached without each, by gradients.
    confirmed
        Chips without the first cause: what is left of the spread, beside what was predicted.
    tiles, lines
        Shares by gradients of tiles of cells, and of pairs of lines with their amplifiers.
    bands
        Of each layer those of its cells by band of tile rows and pair of lines.
    map
        Rectangles of the die with their shares; None: no gradients, or a board.
    no_gradients
        Why there are none; empty if there are.
    score_std, score_std_ci95, reached_std, reached_std_ci95
        Over all chips A and B; reached are an accuracy, or of a regression an RMSE.
    left_out
        Numbers of which a chip failed, so that none of them counts.
    """

    heading = "Sensitivity"
    samples: int
    temp_c: float
    yield_at: float
    yield_rule: str
    event: Mapping[str, Any]
    shares: Sequence[Figures]
    first_sum: float
    first_sum_ci95: Pair | None
    causes: Sequence[Figures]
    confirmed: Figures | None
    tiles: Sequence[Figures]
    lines: Sequence[Figures]
    bands: Sequence[Figures]
    map: Figures | None
    no_gradients: str
    score_std: float
    score_std_ci95: Pair | None
    reached_std: float
    reached_std_ci95: Pair | None
    left_out: int

    def title(self) -> str:
        chips = f"{self.model}: {many(len(self.rows), 'chip')} ({self.preset or 'no preset'})"
        return ", ".join([f"{chips} on {self.images['said']}, {self.temp_c:g} degC", *self.aged()])

    def software_fact(self) -> Fact:
        s = self.summary
        if s.get("task") == REGRESSION:
            return Fact("software", f"RMSE {format_value(s['rmse_software'], s['unit'])}")
        return accuracy_fact(s["software_accuracy"], s["n"])

    def headline(self) -> list[Fact]:
        worst = self.shares[0]
        note = f"of the score's variance, {_pair(worst['total_ci95'])}"
        found = [Fact("first to be blamed", _called(worst), f"{_share(worst['total'])} {note}")]
        if self.confirmed is not None:
            c = self.confirmed
            pair = interval(c["score_ratio_ci95"]) or "no interval"
            left = f"{percent(c['score_ratio'], 1)} ({pair})"
            without = f"without {_settings(c)}, of the score's spread"
            found.append(Fact("left", left, f"{without}; {self._predicted(c)}"))
        return found

    def facts(self) -> Listing:
        """Settings, quantities, tiles, and pairs of lines."""
        columns = ("", "layer", "gradients", "total", "95 %", "first order", "95 %")
        every = [(_settings(one), "all", one) for one in self.causes]
        every += [(one["quantity"], one["layer"], one) for one in self.shares]
        rows = [
            (name, layer, _share(one.get("gradient")),
             _share(one["total"]), _pair(one["total_ci95"]),
             _share(one["first"]), _pair(one["first_ci95"]))
            for name, layer, one in every
        ]  # fmt: skip
        none = ("", "", "", "")
        rows += [
            (f"tile, row {one['down']}, column {one['across']}{_part(one)}", str(one["layer"]),
             _share(one["share"]), *none)
            for one in self.tiles[:MOST_TOLD]
        ]  # fmt: skip
        rows += [
            (f"lines of output {one['output']}{_part(one)}", str(one["layer"]),
             _share(one["share"]), *none)
            for one in self.lines[:MOST_TOLD]
        ]  # fmt: skip
        return Listing(columns, rows)

    def sentences(self) -> list[str]:
        """How shares are to be read, and whether they were confirmed."""
        rank, s = self.event["rank"], self.summary
        score = "the limit less its RMSE"
        weighted = "by their squared errors"
        if rank is not None:
            score = f"its margin number {rank} of {self.event['images']} images, the smallest first"
            weighted = "by how often that margin is theirs"
        told = [
            f"the score of a chip is {score}, below 0 where it misses {self.yield_rule}; the "
            "images belong to it",
            "shares by draws are of the variance of the score over chips: total of all that a "
            "quantity has a part in, first order of what it does alone",
            f"first-order shares add up to {_share(self.first_sum)} ({_pair(self.first_sum_ci95)});"
            " the rest is of quantities that act together",
        ]
        if self.no_gradients:
            told.append(f"no shares by gradients, tiles or lines: {self.no_gradients}")
        else:
            told.append(
                "shares by gradients are of the variance of all margins as if they were linear, "
                f"images weighted {weighted}: spread of the score {s['gradient_score_std']:.3g}, "
                f"of chips {self.score_std:.3g}; {percent(s['placed'], 1)} has a place in a tile, "
                "a line or a row"
            )
        faults = [_called(one) for one in self.shares if "gradient" not in one]
        if faults and not self.no_gradients:
            told.append(f"no gradient, measured by draws alone: {', '.join(faults)}")
        return [*told, *self._confirmation()]

    def _confirmation(self) -> list[str]:
        if self.confirmed is None:
            return ["no setting takes a cause out by itself, so none was taken out"]
        c = self.confirmed
        told = [
            f"confirmed: {many(c['chips'], 'chip')} without {_settings(c)} have "
            f"{percent(c['score_ratio'], 1)} of the score's spread "
            f"({interval(c['score_ratio_ci95']) or 'no interval'}); {self._predicted(c)}"
        ]
        if c.get("reached_ratio") is not None:
            what = "RMSE" if self.event["rank"] is None else "accuracy"
            expected = c["reached_ratio_predicted"]
            foretold = "" if expected is None else f"; gradients say {percent(expected, 1)}"
            told.append(
                f"of the spread of their {what} {percent(c['reached_ratio'], 1)} "
                f"({interval(c['reached_ratio_ci95']) or 'no interval'}){foretold}"
            )
        return told

    def _predicted(self, c: Figures) -> str:
        """What was foretold of the score's spread, and whether it came so."""
        told: list[str] = []
        expected, between = c["score_ratio_predicted"], c["score_ratio_by_draws"]
        if expected is not None:
            told.append(f"gradients say {percent(expected, 1)}{FITS[c['score_fits']]}")
        if between is not None:
            told.append(f"draws say {interval(between)} %{FITS[c['draws_fit']]}")
        return "; ".join(told) or "nothing was predicted"

    def notes(self) -> list[str]:
        notes = super().notes()
        if self.left_out:
            notes.append(
                f"{many(self.left_out, 'number')} of {self.samples} left out, since a chip failed"
            )
        return [*notes, *self.summary.get("slopes_without", [])]

    def figures(self) -> list[Figure]:
        from ..report.blame import map_figure, shares_figure

        found = [
            Figure(
                "sensitivity",
                "Shares of what makes chips differ: by gradients, and by draws with 95 %.",
                partial(shares_figure, self.summary),
            )
        ]
        if self.bands:
            found.append(
                Figure(
                    "sensitivity-map",
                    "Where it is, by gradients: tiles and arrays of amplifiers on the die, and "
                    "cells by band of tile rows and output.",
                    partial(map_figure, self.summary),
                )
            )
        return found


def _called(one: Figures) -> str:
    where = "on the die" if one["layer"] == "die" else f"in layer {one['layer']}"
    return f"{one['quantity']} {where}"


def _part(one: Figures) -> str:
    return f", part {one['part']}" if one["part"] else ""


def _settings(one: Figures) -> str:
    return ", ".join(one["settings"])


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share, 1)


def _pair(pair: Pair | None) -> str:
    return "–" if pair is None else f"{100 * pair[0]:.1f} to {100 * pair[1]:.1f}"
