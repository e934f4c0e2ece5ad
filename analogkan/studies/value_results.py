# pyright: strict
"""Results of regressions: errors in the target's unit, where classifiers have accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import StudyError
from ..network.measures import SPAN, format_value
from ..results import Fact, Figure, Listing, Pair
from ..tables import Column, Table
from ..text import interval, many, percent
from .result import Found, StudyResult, told_of_judge, whole_scale
from .run import ARRAYS
from .values import drift, targets_of

OVER_CHIPS = "intervals are over chips, the points are fixed"


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
        """An error in a table whose head has ``in_unit``."""
        scale = 100 if self.unit == SPAN else 1
        return "–" if value is None else f"{scale * value:.3g}"

    @property
    def in_unit(self) -> str:
        """The unit, as a table's head has it."""
        return f" ({'% of span' if self.unit == SPAN else self.unit})" if self.unit else ""

    def ends(self, pair: Pair | None) -> str:
        """An interval in such a table."""
        return "–" if pair is None else f"{self.cell(pair[0])}–{self.cell(pair[1])}"

    def both(self, pair: Pair | None) -> str:
        """An interval in the unit; a dash where there is none."""
        return "–" if pair is None else f"{pair[0]:.3g} to {self.said(pair[1])}"

    def of_span(self, value: float) -> str:
        """An error as a share of full scale."""
        return f"{percent(value / self.span, 3)} of span"

    def software_fact(self) -> Fact:
        return Fact(
            "software", f"RMSE {self.said(self.rmse_software)}", self.both(self.rmse_software_ci95)
        )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ValueSimulation(OfValues):
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

    kept = ARRAYS
    heading = "Circuit against software and truth"
    arrays: Mapping[str, Column]
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
    def index(self) -> Column:
        """Positions in the data set (n,)."""
        return self.arrays["index"]

    @property
    def software(self) -> Column:
        """What software gives (n, K), in the targets' units."""
        return targets_of(self.summary).values(self.arrays["software"])

    @property
    def circuit(self) -> Column | None:
        """What the circuit gives (n, K), in the targets' units; None if it was not simulated."""
        z = self.arrays.get("circuit")
        return None if z is None else targets_of(self.summary).values(z)

    @property
    def run(self) -> Path:
        """The RUN folder; StudyError if software alone was evaluated, which keeps none."""
        if self.circuit is None:
            raise StudyError("a simulation with engine = software keeps no RUN")
        return Path(self.summary["run"])

    def title(self) -> str:
        return f"{self.model} on {self.images['said']}"

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
        if s["images_per_second"] is not None:
            jobs = "1 process" if s["jobs"] == 1 else f"{s['jobs']} processes"
            found.append(Fact("points/s", f"{s['images_per_second']:.1f}", jobs))
        return Listing.of(found, "95 %")

    def sentences(self) -> list[str]:
        if not self.worst:
            return []
        one = self.worst[0]
        return [
            f"the largest error is at point {one['point']}: the circuit gives "
            f"{_listed(one['circuit'])}, software {_listed(one['software'])}, wanted "
            f"{_listed(one['wanted'])}"
        ]

    def closing(self) -> list[str]:
        return [] if self.rmse_circuit is None else [self.judged()]

    def simulated_by(self) -> str:
        s = self.summary
        lib, klu = ("lib" if s["session"] else ""), (", KLU" if s["klu"] else "")
        return f"{lib}ngspice {s['ngspice_version']}{klu}"

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


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ChipErrors(StudyResult, OfValues):
    """What chips of a regression reach; errors in ``unit``.

    Attributes
    ----------
    samples, failed
        Chips, and how many of them could not be simulated.
    temp_c
        Degrees Celsius.
    rmse_mean, rmse_std, rmse_percentiles
        Over chips; percentiles by their names, ``5``, ``50`` and ``95``.
    yield_at, yield_, yield_ci95, yield_rule
        The RMSE of a good chip, the share of good ones, and how that limit was come by.
    max_abs
        The largest error of all chips.
    worst_chip
        Its ``sample``, ``rmse`` and ``max_abs``.
    nothing_drawn
        Whether every chip is the design.
    """

    heading = "Virtual chips"
    samples: int
    failed: int
    temp_c: float
    rmse_mean: float
    rmse_mean_ci95: Pair | None
    rmse_std: float | None
    rmse_std_ci95: Pair | None
    rmse_percentiles: Mapping[str, float]
    rmse_percentiles_ci95: Mapping[str, Pair | None]
    rmse_uncalibrated_mean: float | None = None
    rmse_uncalibrated_mean_ci95: Pair | None = None
    rmse_between_mean: float
    yield_at: float
    yield_: float
    yield_ci95: Pair
    yield_rule: str
    max_abs: float
    worst_chip: Mapping[str, Any]
    nothing_drawn: bool

    def title(self) -> str:
        chips = f"{self.model}: {many(self.samples, 'chip')} ({self.preset})"
        return f"{chips} on {self.images['said']}, {self.temp_c:g} degC"

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
        return [OVER_CHIPS, f"yield counts chips of {self.yield_rule}"]

    def notes(self) -> list[str]:
        from .montecarlo import counted_notes

        return super().notes() + counted_notes(self)

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
class TemperatureErrors(StudyResult, OfValues):
    """What a regression's circuit, and chips of it, reach over temperature; errors in ``unit``.

    Attributes
    ----------
    samples
        Chips at each temperature.
    compensate
        None, ``each`` or degrees Celsius: where gain and offset of each output were measured that
        were taken out.
    temperatures
        For each, rising: ``temp_c``, degrees Celsius; ``nominal``, figures of the circuit; and
        ``chips``, means and percentiles over chips.
    """

    heading = "Temperature"
    samples: int
    compensate: str | float | None
    temperatures: Sequence[Mapping[str, Any]]

    def title(self) -> str:
        chips = f", {self.samples} chips" if self.samples else ""
        return (
            f"{self.model}, settings {self.preset or 'as built'}{chips}, on {self.images['said']}"
        )

    def headline(self) -> list[Fact]:
        told = [e for e in self.temperatures if e.get("nominal")]
        good = [e for e in told if e["nominal"]["rmse"] is not None]
        if not good:
            return []
        worst = max(good, key=lambda e: e["nominal"]["rmse"])
        note = f"nominal, worst of {len(good)} temperatures, at {worst['temp_c']:g} °C"
        return [Fact("over temperature", f"RMSE {self.said(worst['nominal']['rmse'])}", note)]

    def facts(self) -> Listing:
        chips, compensated = self.samples > 0, self.compensate is not None
        columns = ["degC", f"RMSE{self.in_unit}", "largest", "to software", "gain", "offset"]
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
class SweepErrors(StudyResult, OfValues):
    """What chips of a regression reach over a grid; errors in ``unit``.

    Attributes
    ----------
    grid
        ``axes``, ``budget`` or ``faults``.
    samples
        Chips a cell.
    cells
        For each, ``labels``, its values of the axes, and its figures, see ``summarise_error_cell``.
    """

    grid: str
    samples: int
    cells: Sequence[Mapping[str, Any]]
    no_picture = "a sweep of more than two axes has no picture"

    @property
    def heading(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the grid is."""
        return {"axes": "Sweep", "budget": "Error budget", "faults": "Faults"}[self.grid]

    def title(self) -> str:
        chips = many(self.samples, "chip")
        return (
            f"{self.model}: {self.grid} of {self.preset}, {chips} a point, on {self.images['said']}"
        )

    def headline(self) -> list[Fact]:
        means = [c["rmse_mean"] for c in self.cells if c["rmse_mean"] is not None]
        if not means:
            return []
        spread = f"RMSE {min(means):.3g} to {self.said(max(means))}"
        what = f"means of {many(len(self.cells), 'setting')}, {many(self.samples, 'chip')} each"
        return [Fact(self.heading.lower(), spread, what)]

    def facts(self) -> Listing:
        return self._budget() if self.grid == "budget" else self._grid()

    def _budget(self) -> Listing:
        """A row an imperfection: what it adds alone, and what would be won back without it."""
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        for c in self.cells:
            found.setdefault(c["labels"]["imperfection"], {})[c["labels"]["cell"]] = c
        found["all together"] = {"alone": found.pop("all")["all"]}
        rows: list[Sequence[str]] = []
        for name, both in found.items():
            alone, without = both["alone"], both.get("all but") or {}
            rows.append((
                "nothing" if name == "none" else name,
                self.cell(alone["rmse_mean"]),
                self.ends(alone["rmse_mean_ci95"]),
                self.cell(alone["added"]),
                _snr(alone),
                self.cell(without["won_back"]) if without else "",
                self.ends(without["won_back_ci95"]) if without else "",
            ))  # fmt: skip
        head = ("", f"RMSE{self.in_unit}", "95 %", "added", "SNR", "won back", "95 %")
        return Listing(head, rows)

    def _grid(self) -> Listing:
        """A row a cell of the grid."""
        rows = [
            (
                *map(str, c["labels"].values()),
                str(c["chips"]) + (f" ({c['failed']} failed)" if c["failed"] else ""),
                self.cell(c["rmse_mean"]),
                self.ends(c["rmse_mean_ci95"]),
                self.cell(c["added"]),
                self.cell(c["max_abs"]),
                _snr(c),
            )
            for c in self.cells
        ]
        labels = self.cells[0]["labels"]
        head = (*labels, "chips", f"RMSE{self.in_unit}", "95 %", "added", "largest", "SNR")
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


def _snr(cell: Mapping[str, Any]) -> str:
    """The signal-to-noise ratio of a cell, decibels."""
    return "–" if cell["logit_snr_db"] is None else f"{cell['logit_snr_db']:.1f} dB"
