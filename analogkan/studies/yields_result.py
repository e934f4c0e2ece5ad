# pyright: strict
"""What ``montecarlo --method`` finds: how rarely chips fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..results import Fact, Figure, Listing, Pair
from ..text import many, percent
from .entries import REGRESSION
from .result import Row, StudyResult, accuracy_fact


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Yield(StudyResult):
    """The probability that a chip misses a limit on its images.

    Attributes
    ----------
    method
        ``plain``, ``control``, ``subset``, ``scaled`` or ``sobol``.
    samples, simulated, failed
        Chips that were asked for, in all, of a level or of a scale; that were simulated, in all;
        and of these those that could not be.
    noise
        Whether noise at every read is ``drawn`` with each chip, or ``frozen``: chip 0's.
    temp_c
        Degrees Celsius.
    yield_at, yield_rule
        What a good chip reaches, and how that limit was come by.
    p_fail, p_fail_ci95
        Share of chips that do not, and its interval.
    yield_, yield_ci95
        1 less these.
    bound
        Whether no chip failed, or every one: the interval is then all there is to say.
    cv
        Standard error of ``p_fail`` as a share of it; None where none failed.
    n_effective
        Plain chips that would know ``p_fail`` as well; None where none failed.
    levels
        What each level, scale or stratum of the method had.
    curve
        Shares of chips ``p`` that miss other ``limit``.
    said
        What the method says of its figures.
    """

    heading = "Rare yields"
    method: str
    samples: int
    simulated: int
    failed: int
    noise: str
    temp_c: float
    yield_at: float
    yield_rule: str
    p_fail: float
    p_fail_ci95: Pair
    yield_: float
    yield_ci95: Pair
    bound: bool
    cv: float | None
    n_effective: float | None
    levels: Sequence[Mapping[str, Any]]
    curve: Sequence[Mapping[str, float]]
    said: Sequence[str]

    def title(self) -> str:
        return ", ".join(
            [f"{self.model}: {self.method}, {self.preset or 'no preset'} on {self.images['said']}",
             f"{self.temp_c:g} degC", *self.aged()]
        )  # fmt: skip

    def software_fact(self) -> Fact:
        if self.summary.get("task") == REGRESSION:
            return Fact("software", f"RMSE {self.summary['rmse_software']:.3g}")
        return accuracy_fact(self.summary["software_accuracy"], self.summary["n"])

    def event(self) -> str:
        """What is counted, in words."""
        return f"a good chip reaches {self.yield_rule}; all others fail"

    def within(self) -> str:
        """The interval of the share of failing chips."""
        return probabilities(self.p_fail, self.p_fail_ci95)[1]

    def headline(self) -> list[Fact]:
        chips = [many(self.simulated, "chip"), self.drawn()]
        p, within = probabilities(self.p_fail, self.p_fail_ci95)
        found = Fact("failing chips", p, ", ".join([within, *chips]))
        if self.bound:
            found = Fact("failing chips", self.within(), ", ".join(chips))
        return [found, Fact("yield", f"{100 * self.yield_:.6g} %", self.yield_rule)]

    def facts(self) -> Listing:
        none = "none failed, or all" if self.bound else ""
        p, within = probabilities(self.p_fail, self.p_fail_ci95)
        found = [
            self.software_fact(),
            Fact("failing chips", "–" if self.bound else p, within),
            Fact("standard error", f"{percent(self.cv, 1)} of it" if self.cv else "–", none),
            Fact("chips simulated", f"{self.simulated:,}", self.method),
            Fact("plain chips that would know as much", self.as_good(), none),
        ]
        return Listing.of(found, "95 % over chips")

    def as_good(self) -> str:
        """How many plain chips would know the share as well."""
        return "–" if self.n_effective is None else f"{self.n_effective:,.0f}"

    def sentences(self) -> list[str]:
        told = [
            self.event(),
            "intervals are over chips; the images are fixed, and part of what is asked",
        ]
        if self.noise == "frozen":
            told.append("noise at every read is chip 0's on all chips")
        return [*told, *self.said]

    def closing(self) -> list[str]:
        left = [] if not self.failed else [
            f"{many(self.failed, 'chip')} could not be simulated, and count as failing"
        ]  # fmt: skip
        return [*left, *super().closing()]

    def failures(self) -> list[Row]:
        return []

    def figures(self) -> list[Figure]:
        from ..report.yields import rare_yield_figure

        return [
            Figure(
                "yield",
                "Share of the chips that miss a limit; the point is the one asked for, with its "
                "interval.",
                partial(rare_yield_figure, self.summary),
            )
        ]


def probabilities(p: float, pair: Pair) -> tuple[str, str]:
    """A share of chips that may be small, and its interval, for people: both in percent, or
    neither."""
    low, high = pair
    if high >= 1e-2:
        return f"{100 * p:.3g} %", f"{100 * low:.3g} to {100 * high:.3g} %"
    return f"{p:.2g}", f"{low:.2g} to {high:.2g}"
