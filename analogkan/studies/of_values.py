# pyright: strict
"""What results of regressions have in common: errors in the target's unit."""

from __future__ import annotations

from dataclasses import dataclass

from ..network.measures import SPAN, format_value
from ..results import Fact, Pair
from ..text import percent, with_unit
from .result import Found


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OfValues(Found):
    """What results of regressions have in common.

    Attributes
    ----------
    unit, span
        Of every error: the target's unit, or ``span``, shares of each target's range, where there
        are several; and full scale in it.
    rmse_software, rmse_software_ci95
        Of the network in software against the targets.
    """

    unit: str
    span: float
    rmse_software: float
    rmse_software_ci95: Pair | None

    def said(self, value: float | None) -> str:
        """An error in the unit; a dash for none."""
        return "–" if value is None else format_value(value, self.unit)

    def cell(self, value: float | None) -> str:
        """An error in a table under ``head``."""
        scale = 100 if self.unit == SPAN else 1
        return "–" if value is None else f"{scale * value:.3g}"

    @property
    def head(self) -> str:
        """Of a table's column of them."""
        return with_unit("RMSE", "% of span" if self.unit == SPAN else self.unit)

    def ends(self, pair: Pair | None) -> str:
        """An interval in such a table."""
        return "–" if pair is None else f"{self.cell(pair[0])}–{self.cell(pair[1])}"

    def both(self, pair: Pair | None) -> str:
        """An interval in the unit; a dash where there is none."""
        return "–" if pair is None else f"{self.cell(pair[0])} to {self.said(pair[1])}"

    def of_span(self, value: float) -> str:
        """An error as a share of full scale."""
        return f"{percent(value / self.span, 3)} of span"

    def line_told(self) -> list[str]:
        """What a straight line reaches, a sentence, where the model's card says so."""
        line = self.summary.get("straight_line")
        if line is None:
            return []
        said = self.said(line["line"])
        return [f"a straight line through the training points: RMSE {said} on {line['images']}"]

    def software_fact(self) -> Fact:
        return Fact(
            "software", f"RMSE {self.said(self.rmse_software)}", self.both(self.rmse_software_ci95)
        )
