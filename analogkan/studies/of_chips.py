# pyright: strict
"""What results of studies have in common, of classes or of values: chips, temperatures, grids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..results import Pair
from ..text import many
from .result import StudyResult


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OfChips(StudyResult):
    """What chips reach; of what is its subclass's.

    Attributes
    ----------
    samples, failed
        Chips, and how many of them could not be simulated.
    temp_c
        Degrees Celsius.
    yield_at, yield_, yield_ci95, yield_rule
        What a good chip reaches, the share of good ones, and how that limit was come by.
    worst_chip
        Its ``sample`` and figures.
    nothing_drawn
        Whether every chip is the design.
    """

    heading = "Virtual chips"
    samples: int
    failed: int
    temp_c: float
    yield_at: float
    yield_: float
    yield_ci95: Pair
    yield_rule: str
    worst_chip: Mapping[str, Any]
    nothing_drawn: bool

    def title(self) -> str:
        chips = f"{self.model}: {many(self.samples, 'chip')} ({self.preset or 'no preset'})"
        return ", ".join([f"{chips} on {self.images['said']}, {self.temp_c:g} degC", *self.aged()])

    def differing(self) -> list[str]:
        return [f"{self.temp_c:g} degC"]

    def closing(self) -> list[str]:
        from .enough import told_after

        failing = round((1 - self.yield_) * self.samples)
        return [told_after(failing, self.samples), *super().closing()]

    def notes(self) -> list[str]:
        from ..imperfections.registry import counts
        from .summary import CONVERTED

        notes = super().notes()
        if self.nothing_drawn:
            notes.append("nothing is drawn, so every chip is the design")
        counted = {**counts(), "uncalibrated_columns": "columns left uncalibrated", **CONVERTED}
        for count, what in counted.items():
            if self.summary.get(f"{count}_mean"):
                notes.append(f"a chip has {self.summary[f'{count}_mean']:.3g} {what} in the mean")
        return notes


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OverTemperature(StudyResult):
    """What a circuit, and chips of it, reach over temperature; of what is its subclass's.

    Attributes
    ----------
    samples
        Chips at each temperature.
    compensate
        None, ``each`` or degrees Celsius: where gain and offset of each column were measured that
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

    def differing(self) -> list[str]:
        return [f"{self.temperatures[k]['temp_c']:g} degC" for k in (0, -1)]

    def closing(self) -> list[str]:
        from .enough import told_of_means

        pairs = _pairs(one.get("chips") or {} for one in self.temperatures)
        return [*told_of_means(pairs, self.samples), *super().closing()]

    def told(self, figure: str) -> list[Mapping[str, Any]]:
        """The temperatures at which the nominal circuit has a ``figure``."""
        found = (e for e in self.temperatures if e.get("nominal"))
        return [e for e in found if e["nominal"][figure] is not None]


def _pairs(found: Iterable[Mapping[str, Any]]) -> list[Pair | None]:
    """The intervals of means, of classes or of values."""
    return [one.get("accuracy_mean_ci95") or one.get("rmse_mean_ci95") for one in found]


TITLES = {"axes": "Sweep", "budget": "Error budget", "faults": "Faults"}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OverGrid(StudyResult):
    """What chips reach over a grid; of what is its subclass's.

    Attributes
    ----------
    grid
        ``axes``, ``budget`` or ``faults``.
    samples
        Chips a cell.
    cells
        For each, ``labels``, its values of the axes, and its figures.
    """

    no_picture = "a sweep of more than two axes has no picture"
    grid: str
    samples: int
    cells: Sequence[Mapping[str, Any]]

    @property
    def heading(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the grid is."""
        return TITLES[self.grid]

    def title(self) -> str:
        chips = many(self.samples, "chip")
        return (
            f"{self.model}: {self.grid} of {self.preset}, {chips} a point, on {self.images['said']}"
        )

    def differing(self) -> list[str]:
        return list(self.cells[0]["labels"]) if self.grid == "axes" and self.cells else []

    def closing(self) -> list[str]:
        from .enough import told_of_means

        return [*told_of_means(_pairs(self.cells), self.samples), *super().closing()]

    def means_of(self) -> str:
        """What the means of a headline are."""
        return f"means of {many(len(self.cells), 'setting')}, {many(self.samples, 'chip')} each"

    def budget(self) -> dict[str, dict[str, Mapping[str, Any]]]:
        """The cells of a budget by imperfection, ``alone`` and ``all but``; all together last."""
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        for cell in self.cells:
            found.setdefault(cell["labels"]["imperfection"], {})[cell["labels"]["cell"]] = cell
        found["all together"] = {"alone": found.pop("all")["all"]}
        return found


def chips_of(cell: Mapping[str, Any]) -> str:
    """How many chips a cell has, and how many failed."""
    return str(cell["chips"]) + (f" ({cell['failed']} failed)" if cell["failed"] else "")


def snr(cell: Mapping[str, Any]) -> str:
    """The signal-to-noise ratio of a cell's outputs, decibels."""
    return "–" if cell["logit_snr_db"] is None else f"{cell['logit_snr_db']:.1f} dB"


def foretell_chips(job: Any, jobs: int, *, samples: int, **_: Any) -> str:
    """What so many chips can say, before they are drawn; nothing of none."""
    from .enough import told_before

    return told_before(samples) if samples else ""
