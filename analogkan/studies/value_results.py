# pyright: strict
"""Results of studies of regressions: errors, where classifiers have accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..results import Fact, Figure, Listing, Pair
from ..text import interval, many, percent
from .of_chips import OfChips, OverGrid, OverTemperature, chips_of, snr
from .of_values import OfValues

OVER_CHIPS = "intervals are over chips, the points are fixed"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ChipErrors(OfChips, OfValues):
    """What chips of a regression reach; errors in ``unit``.

    Attributes
    ----------
    rmse_mean, rmse_std, rmse_percentiles
        Over chips; percentiles by their names, ``5``, ``50`` and ``95``.
    max_abs
        The largest error of all chips.
    """

    rmse_mean: float
    rmse_mean_ci95: Pair | None
    rmse_std: float | None
    rmse_std_ci95: Pair | None
    rmse_percentiles: Mapping[str, float]
    rmse_percentiles_ci95: Mapping[str, Pair | None]
    rmse_uncalibrated_mean: float | None = None
    rmse_uncalibrated_mean_ci95: Pair | None = None
    rmse_between_mean: float
    max_abs: float

    def headline(self) -> list[Fact]:
        mean = [self.of_span(self.rmse_mean), many(self.samples, "chip"), self.drawn()]
        good = f"{interval(self.yield_ci95)}; {self.yield_rule}"
        return [
            Fact("mean of chips", f"RMSE {self.said(self.rmse_mean)}", ", ".join(mean)),
            Fact("yield", percent(self.yield_, 1), good),
        ]

    def facts(self) -> Listing:
        worst = self.worst_chip
        found = [
            Fact("software: RMSE", self.said(self.rmse_software)),
            Fact("mean of chips: RMSE", self.said(self.rmse_mean), self.both(self.rmse_mean_ci95)),
        ]
        if self.rmse_uncalibrated_mean is not None:
            pair = self.both(self.rmse_uncalibrated_mean_ci95)
            found.append(
                Fact("mean before calibration", self.said(self.rmse_uncalibrated_mean), pair)
            )
        if self.rmse_std is not None:
            found.append(
                Fact("standard deviation", self.said(self.rmse_std), self.both(self.rmse_std_ci95))
            )
        for q, value in self.rmse_percentiles.items():
            pair = self.both(self.rmse_percentiles_ci95[q])
            found.append(Fact("median" if q == "50" else f"{q} %", self.said(value), pair))
        found += [
            Fact("share of span", percent(self.rmse_mean / self.span, 3)),
            Fact("worst chip", self.said(worst["rmse"]), f"chip {worst['sample']}"),
            Fact("largest error", self.said(self.max_abs), self.of_span(self.max_abs)),
            Fact(f"yield (RMSE at most {self.said(self.yield_at)})", percent(self.yield_),
                 interval(self.yield_ci95)),
            Fact("chips - software: RMSE", self.said(self.rmse_between_mean)),
        ]  # fmt: skip
        return Listing.of(found, "95 % over chips")

    def sentences(self) -> list[str]:
        return [OVER_CHIPS, f"yield counts chips of {self.yield_rule}", *self.line_told()]

    def figures(self) -> list[Figure]:
        from ..report import functions

        draw = partial(functions.errors_histogram, self.rows, self.summary)
        caption = "Chips by RMSE; lines are software (blue), mean (red) and the limit of the yield."
        found = [Figure("histogram", caption, draw)]
        if "band" in self.summary:
            draw = partial(functions.band_figure, self.summary)
            caption = "Truth, software and the band of chips over the input, and their errors."
            found.append(Figure("band", caption, draw))
        return found


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class TemperatureErrors(OverTemperature, OfValues):
    """What a circuit, and chips of it, reach over temperature: errors in ``unit``."""

    def headline(self) -> list[Fact]:
        good = self.told("rmse")
        if not good:
            return []
        worst = max(good, key=lambda e: e["nominal"]["rmse"])
        note = f"nominal, worst of {len(good)} temperatures, at {worst['temp_c']:g} °C"
        return [Fact("over temperature", f"RMSE {self.said(worst['nominal']['rmse'])}", note)]

    def facts(self) -> Listing:
        chips, compensated = self.samples > 0, self.compensate is not None
        columns = ["degC", self.head, "largest", "to software", "gain", "offset"]
        columns += ["comp."] if compensated else []
        columns += ["chips", "5–95 %"] if chips else []
        columns += ["comp."] if chips and compensated else []
        rows: list[list[str]] = []
        for entry in self.temperatures:
            nominal, band = entry["nominal"], entry.get("chips")
            row = [f"{entry['temp_c']:g}"]
            row += [self.cell(nominal[key]) for key in ("rmse", "max_abs", "rmse_between")]
            gain = nominal["gain_mean"]
            row += ["–" if gain is None else f"{gain:.4f}", self.cell(nominal["offset_mean"])]
            row += [self.cell(nominal["rmse_compensated"])] if compensated else []
            if band:
                spread = band["rmse_percentiles"]
                row += [self.cell(band["rmse_mean"])]
                row += [self.ends(spread and (spread["5"], spread["95"]))]
                row += [self.cell(band["rmse_compensated_mean"])] if compensated else []
            rows.append(row)
        return Listing(columns, rows)

    def sentences(self) -> list[str]:
        from .values import drift

        told = [
            f"software RMSE {self.said(self.rmse_software)}; gain and offset, at mid-scale, "
            "against software",
            "cells, feedback resistors, diodes and offsets follow the temperature",
        ]
        found = drift(self.temperatures)
        if found is not None:
            told.append(
                f"drift of the nominal circuit, least squares: gain {found[0]:+.0f} ppm/K, offset "
                f"{self.said(found[1])}/K"
            )
        if self.samples:
            told.append("mean and band are over chips; the points are fixed")
        if self.compensate is not None:
            at = "each temperature" if self.compensate == "each" else f"{self.compensate:g} degC"
            told.append(f"compensated: gain and offset of each output as measured at {at}")
        return told

    def figures(self) -> list[Figure]:
        from ..report import functions

        draw = partial(functions.temperature_figure, self.summary)
        return [Figure("thermal", "RMSE, gain and offset over temperature.", draw)]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SweepErrors(OverGrid, OfValues):  # pyright: ignore[reportIncompatibleVariableOverride]
    """What chips reach over a grid: ``cells`` as ``summarise_error_cell`` has them."""

    def headline(self) -> list[Fact]:
        means = [c["rmse_mean"] for c in self.cells if c["rmse_mean"] is not None]
        if not means:
            return []
        spread = f"RMSE {min(means):.3g} to {self.said(max(means))}"
        return [Fact(self.heading.lower(), spread, self.means_of())]

    def facts(self) -> Listing:
        return self._budget() if self.grid == "budget" else self._grid()

    def _budget(self) -> Listing:
        """A row an imperfection: what it adds alone, and what would be won back without it."""
        rows: list[Sequence[str]] = []
        for name, both in self.budget().items():
            alone, without = both["alone"], both.get("all but") or {}
            rows.append((
                "nothing" if name == "none" else name,
                self.cell(alone["rmse_mean"]),
                self.ends(alone["rmse_mean_ci95"]),
                self.cell(alone["added"]),
                snr(alone),
                self.cell(without["won_back"]) if without else "",
                self.ends(without["won_back_ci95"]) if without else "",
            ))  # fmt: skip
        head = ("", self.head, "95 %", "added", "SNR", "won back", "95 %")
        return Listing(head, rows)

    def _grid(self) -> Listing:
        """A row a cell of the grid."""
        rows = [
            (
                *map(str, c["labels"].values()),
                chips_of(c),
                self.cell(c["rmse_mean"]),
                self.ends(c["rmse_mean_ci95"]),
                self.cell(c["added"]),
                self.cell(c["max_abs"]),
                snr(c),
            )
            for c in self.cells
        ]
        labels = self.cells[0]["labels"]
        head = (*labels, "chips", self.head, "95 %", "added", "largest", "SNR")
        return Listing(head, rows)

    def sentences(self) -> list[str]:
        return [
            f"software RMSE {self.said(self.rmse_software)}; added: the mean of chips less that; "
            "won back, of a budget's `all but`: less than all together by so much; SNR: software's "
            "spread over the rms error against it; intervals are over chips, the points are fixed"
        ]

    def figures(self) -> list[Figure]:
        from ..report import functions

        draw = partial(functions.sweep_figure, self.summary)
        return [Figure(self.grid, f"{self.heading}: RMSE, 95 % over chips.", draw)]
