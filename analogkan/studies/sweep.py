# pyright: strict
"""``sweep``: chips over a grid of settings, an error budget, or faults by their rate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from ..results import Fact, Figure, Listing
from ..settings import require
from ..text import percent
from .of_chips import OverGrid, chips_of, foretell_chips, snr
from .result import OfClasses, Row, within
from .study import Job, Option, Plan, Study
from .value_results import SweepErrors

if TYPE_CHECKING:
    from ..compiler.build import Build
    from .bench import Bench
    from .grid import Cell

GRIDS = ("axes", "budget", "faults")
TABLE = "sweep.csv"
PRESETS = {"axes": "nominal", "budget": "rram", "faults": "nominal"}
"""What a grid starts from, unless told otherwise."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Sweep(OverGrid, OfClasses):  # pyright: ignore[reportIncompatibleVariableOverride]
    """What chips reach over a grid: ``cells`` as ``summarise_cell`` has them."""

    @classmethod
    def of_values(cls) -> type[SweepErrors]:
        return SweepErrors

    def headline(self) -> list[Fact]:
        means = [c["accuracy_mean"] for c in self.cells if c["accuracy_mean"] is not None]
        if not means:
            return []
        spread = f"{100 * min(means):.2f} to {percent(max(means))}"
        return [Fact(self.heading.lower(), spread, self.means_of())]

    def facts(self) -> Listing:
        return self._budget() if self.grid == "budget" else self._cells()

    def _budget(self) -> Listing:
        """A row an imperfection: what it loses alone, and what would be won back without it."""
        rows: list[Sequence[str]] = []
        grey: set[int] = set()
        for name, cells in self.budget().items():
            alone, without = cells["alone"], cells.get("all but")
            back = ("", "") if without is None else _points(without, "won_back", "+.2f")
            if in_noise(alone, "lost") and in_noise(without, "won_back"):
                grey.add(len(rows))
            what = "nothing" if name == "none" else name
            rows.append((what, *_points(alone, "lost", ".2f"), snr(alone), *back))
        columns = ("", "lost", "95 %", "SNR", "won back", "95 %")
        return Listing(columns, rows, frozenset(grey))

    def _cells(self) -> Listing:
        """A row a cell of the grid."""
        rows: list[Sequence[str]] = []
        for c in self.cells:
            mean, agreement = c["accuracy_mean"], c["agreement_mean"]
            lost = None if mean is None else 100 * (self.software_accuracy - mean)
            rows.append((
                *map(str, c["labels"].values()),
                chips_of(c),
                "–" if mean is None else percent(mean),
                within(c["accuracy_mean_ci95"]).replace(" to ", "–"),
                "–" if lost is None else f"{round(lost, 2) + 0.0:.2f}",
                "–" if agreement is None else percent(agreement),
                snr(c),
            ))  # fmt: skip
        columns = (*self.cells[0]["labels"], "chips", "mean", "95 %", "lost", "same", "SNR")
        return Listing(columns, rows)

    def sentences(self) -> list[str]:
        software = f"software {percent(self.software_accuracy)}"
        if self.grid == "budget":
            return [
                f"{software}; lost and won back in points of accuracy, means over chips. Lost: "
                "alone against software, 95 % over chips and images; won back: if it alone were "
                "gone, chip by chip, 95 % over chips. ~: in the noise, 0 is possible; –: one chip, "
                "or all are equal. SNR: software's logit spread over the rms logit error"
            ]
        return [
            f"{software}; lost: points of accuracy against software; same: class as software; SNR: "
            "software's logit spread over the rms logit error; intervals of the mean are over "
            "chips, the images are fixed; –: one chip, or all are equal"
        ]

    def figures(self) -> list[Figure]:
        from ..report.grids import has_picture, sweep_figure

        if not has_picture(self.summary):
            return []
        caption = f"{self.heading}: accuracy, 95 % over chips."
        if self.grid == "budget":
            caption = "Points of accuracy lost to each imperfection, and its SNR."
        return [Figure(self.grid, caption, partial(sweep_figure, self.summary))]


def in_noise(cell: Mapping[str, Any] | None, figure: str) -> bool:
    """Whether 0 is in the interval of a cell's figure, or it has none."""
    pair = None if cell is None else cell[f"{figure}_ci95"]
    return not pair or pair[0] <= 0 <= pair[1]


def _points(cell: Mapping[str, Any], figure: str, form: str) -> tuple[str, str]:
    """A figure of a cell in points, marked where it may be 0, and its interval."""
    if cell[figure] is None:
        return "–", "–"
    mark = " ~" if in_noise(cell, figure) else "  "
    pair = cell[f"{figure}_ci95"] and [round(100 * end, 2) + 0.0 for end in cell[f"{figure}_ci95"]]
    between = "–" if pair is None else f"{pair[0]:.2f} to {pair[1]:.2f}"
    return f"{round(100 * cell[figure], 2) + 0.0:{form}}{mark}", between


def sweep_cells(
    build: Build, grid: str, settings: Iterable[str], preset: str | None = None
) -> tuple[list[Cell], str]:
    """The cells of a grid on a build, and the preset they start from.

    Raises
    ------
    SettingsError
        If the grid is unknown, an axis is missing or not wanted, or a setting is none.
    """
    from .grid import budget_cells, fault_cells, grid_cells, split_axes

    if grid not in GRIDS:
        raise SettingsError(f"grid {grid!r} is none of {', '.join(GRIDS)}")
    chosen = PRESETS[grid] if preset is None else preset
    axes, fixed = split_axes(settings)
    base = build.hardware
    if grid == "axes":
        if not axes:
            raise SettingsError(
                "a sweep needs an axis: --set key=a,b,c such as --set sigma_g=0,0.05,0.1, "
                "or --grid budget or faults"
            )
        return grid_cells(axes, fixed, chosen, base), chosen
    if axes:
        raise SettingsError(
            f"--grid {grid} has axes of its own: give --set {next(iter(axes))} one value"
        )
    made = budget_cells if grid == "budget" else fault_cells
    return made(fixed, chosen, base), chosen


def sweep_size(
    build: Build, grid: str, settings: Sequence[str], preset: str | None, samples: int
) -> int:
    """How many circuits a grid has at most.

    Axes are counted, not built: a slip of the keyboard can make a million settings.
    """
    from .grid import count_points, grid_cells, split_axes

    axes, fixed = split_axes(settings)
    corner = [*fixed, *(f"{key}={values[-1]}" for key, values in axes.items())]
    if grid != "axes" or not axes:
        cells, _ = sweep_cells(build, grid, settings, preset)
        return count_points(cells, samples)
    cells = grid_cells({}, corner, PRESETS[grid] if preset is None else preset, build.hardware)
    return math.prod(map(len, axes.values())) * count_points(cells, samples)


def plan(job: Job, *, grid: str, samples: int) -> Plan:
    """Run chips at every point of a grid of hardware, variation and conditions.

    A --set with commas is an axis, one without holds everywhere. A change of hardware is compiled
    again in memory. Chip m is the same chip at every point. RUN keeps study.sqlite, sweep.csv (a
    row a chip; chips.csv has the same without the axes), result.json and sweep.png; more values,
    or more --samples, extend it.

    \b
    Examples:
      analogkan sweep mnist.build --set sigma_g=0,2%,5%,10% --set levels=8,16,32,64
      analogkan sweep mnist.build --grid budget --samples 50 --subset 1000
      analogkan sweep mnist.build --grid faults
    """
    from .cells import add_won_back, rows_of, summarise_cell, summarise_error_cell
    from .grid import grid_points, split_axes
    from .points import MAX_POINTS

    count = sweep_size(job.build, grid, job.settings, job.preset, samples)
    most = f"at most {MAX_POINTS:,} in a RUN: a smaller grid, fewer samples or several sweeps"
    require(count <= MAX_POINTS, "circuits of the grid", count, most)
    cells, chosen = sweep_cells(job.build, grid, job.settings, job.preset)
    axes, fixed = split_axes(job.settings)

    def summarise(rows: list[Row], bench: Bench) -> dict[str, Any]:
        signal = float(((bench.software - bench.software.mean(axis=0)) ** 2).mean() ** 0.5)
        found = list(rows_of(cells, rows, samples))
        if bench.spec.targets is not None:
            software = bench.software_figures["rmse_software"]
            summaries = [summarise_error_cell(cell, mine, signal, software) for cell, mine in found]
        else:
            summaries = [
                summarise_cell(cell, mine, signal, bench.software_right) for cell, mine in found
            ]
        if grid == "budget":
            add_won_back(summaries, found, "accuracy" if bench.spec.targets is None else "rmse")
        return {"cells": summaries}

    def arrange(run: Path, rows: list[Row]) -> list[Row]:
        write_table(run / TABLE, cells, rows, samples)
        found = rows_of(cells, rows, samples)
        return [_axes_of(cell) | row for cell, mine in found for row in mine]

    return Plan(
        points=grid_points(cells, samples),
        summarise=summarise,
        facts={"grid": grid, "preset": chosen, "samples": samples, "everywhere": fixed},
        identity={
            "base": asdict(job.build.hardware),
            "grid": grid,
            "preset": chosen,
            "axes": sorted(axes),
            "everywhere": sorted(fixed),
            **_trim_of(cells, axes),
        },
        arrange=arrange,
    )


def _trim_of(cells: Sequence[Cell], axes: Iterable[str]) -> dict[str, str]:
    """How chips are trimmed, where a preset that had ``dark`` before says so: a RUN of then, with
    other chips in it, is refused."""
    trimmed = any(cell.variation.trim == "dark-real" for cell in cells)
    return {"trim": "dark-real"} if trimmed and "trim" not in axes else {}


def _axes_of(cell: Cell) -> dict[str, Any]:
    """What a cell's axes are: a setting's value, or what a budget's or fault's cell is called."""
    found: dict[str, Any] = {}
    for key, text in cell.labels.items():
        settings = (cell.hardware, cell.variation, cell.conditions)
        at = next((one for one in settings if hasattr(one, key)), None)
        found[key] = getattr(at, key) if at is not None else text
        if key == "rate":
            found[key] = float(text)
    return found


def write_table(path: Path, cells: Sequence[Cell], rows: Sequence[Row], samples: int) -> None:
    """A CSV with a row a chip: the axes' values first, then its figures."""
    from .cells import rows_of
    from .store import write_csv

    lines = [
        cell.labels | {key: value for key, value in row.items() if key != "key"}
        for cell, mine in rows_of(cells, rows, samples)
        for row in mine
    ]
    write_csv(path, lines)


sweep = Study(
    name="sweep",
    short="Chips over a grid of settings; an error budget; faults by rate.",
    options=(
        Option(
            name="grid", kind="text", default="axes", choices=GRIDS,
            about="axes: every --set key=a,b,c is one.",
        ),
        Option(
            name="samples", kind="whole", default=20, least=1, most=1_000_000,
            about="Chips at each point of the grid.",
        ),
        Option(
            name="preset", kind="text", metavar="NAME|FILE.toml", words="preset",
            about="What the grid starts from: nominal; budget: rram.",
        ),
    ),
    plan=plan,
    result=Sweep,
    forecast=foretell_chips,
    start=lambda values: PRESETS.get(values["grid"]),
)  # fmt: skip
