"""``sweep``: chips over a grid of settings, an error budget, or faults by their rate."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.build import Build
from ..data import ImageSet
from ..errors import SettingsError
from ..files import atomic_file
from ..intervals import beside, tango
from .conduct import Progress, StudyOptions, StudyResult, conduct
from .grid import (
    Cell,
    budget_cells,
    count_points,
    drawn_faults,
    fault_cells,
    grid_cells,
    grid_points,
    split_axes,
)
from .store import Row, flat
from .summary import mean, mean_interval

GRIDS = ("axes", "budget", "faults")
TABLE = "sweep.csv"
PRESETS = {"axes": "nominal", "budget": "rram", "faults": "nominal"}
"""What a grid starts from, unless told otherwise."""


def sweep_cells(
    build: Build, grid: str, settings: Iterable[str], preset: str | None = None
) -> tuple[list[Cell], str]:
    """The cells of a grid on a build, and the preset they start from.

    Raises
    ------
    SettingsError
        If the grid is unknown, an axis is missing or not wanted, or a setting is none.
    """
    if grid not in GRIDS:
        raise SettingsError(f"grid {grid!r} is none of {', '.join(GRIDS)}")
    chosen = preset or PRESETS[grid]
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
) -> tuple[Cell, int]:
    """The last cell of a grid, and how many circuits the whole has at most.

    Axes are counted, not built: a slip of the keyboard can make a million settings.
    """
    axes, fixed = split_axes(settings)
    corner = [*fixed, *(f"{key}={values[-1]}" for key, values in axes.items())]
    if grid != "axes" or not axes:
        cells, _ = sweep_cells(build, grid, settings, preset)
        return cells[-1], count_points(cells, samples)
    (*_, cell) = grid_cells({}, corner, preset or PRESETS[grid], build.hardware)
    return cell, math.prod(map(len, axes.values())) * count_points([cell], samples)


def sweep(
    build: Build,
    images: ImageSet,
    *,
    settings: Iterable[str] = (),
    grid: str = "axes",
    samples: int = 20,
    preset: str | None = None,
    options: StudyOptions = StudyOptions(),
    on_progress: Progress = lambda what, done, total: None,
) -> StudyResult:
    """Simulate ``samples`` chips at every point of a grid of settings.

    Parameters
    ----------
    build
        From ``load_build`` or ``write_build``. A change of hardware is compiled
        again in memory.
    settings
        ``key=a,b,c`` texts, one an axis; ``key=value`` ones hold everywhere.
    grid
        ``axes``: the product of the axes. ``budget``: each imperfection of the preset alone, all
        but each, and all. ``faults``: each fault at rates from 1e-4 to 0.1.
    samples
        Chips a cell; where nothing is drawn the nominal circuit is enough.
    preset
        What a grid starts from: ``rram`` for a budget, else ``nominal``.
    options
        Engine, jobs, seed, RUN folder, judge.

    Raises
    ------
    AnalogKanError
        See ``conduct``.
    """
    settings = list(settings)
    cells, chosen = sweep_cells(build, grid, settings, preset)
    axes, fixed = split_axes(settings)
    volts = build.spec.dac_volts(images.flat(build.spec.encoding.shape))
    software = build.spec.forward_volts(volts) if len(images) else np.zeros((0, 1))
    signal = float(np.sqrt(((software - software.mean(axis=0)) ** 2).mean())) if len(images) else 0
    right = int((software.argmax(axis=1) == images.y).sum())

    def summarise(rows: list[Row]) -> dict[str, Any]:
        found = list(rows_of(cells, rows, samples))
        summaries = [summarise_cell(cell, mine, signal, right) for cell, mine in found]
        if grid == "budget":
            add_won_back(summaries, found)
        return {"cells": summaries}

    result = conduct(
        "sweep",
        build,
        images,
        grid_points(cells, samples),
        summarise,
        options=options,
        facts={"grid": grid, "preset": chosen, "samples": samples, "everywhere": fixed},
        identity={
            "base": asdict(build.hardware),
            "grid": grid,
            "preset": chosen,
            "axes": sorted(axes),
            "everywhere": sorted(fixed),
        },
        on_progress=on_progress,
    )
    write_table(result.run / TABLE, cells, result.rows, samples)
    return result


def rows_of(
    cells: Sequence[Cell], rows: Sequence[Row], samples: int
) -> Iterator[tuple[Cell, list[Row]]]:
    """Each cell with the rows that belong to it."""
    known = {row["key"]: row for row in rows}
    for cell in cells:
        yield cell, [known[p.key] for p in cell.points(samples) if p.key in known]


def summarise_cell(cell: Cell, mine: Sequence[Row], signal: float, right: int) -> dict[str, Any]:
    """Mean accuracy with its interval over chips, what is lost against software with its interval
    over chips and images, agreement, and logit SNR, of a cell's rows.

    ``signal`` is the rms of the software's logits about their columns' means, ``right`` how many of
    the images software has right.
    """
    good = [row for row in mine if row["status"] == "ok"]
    accuracy = np.array([row["accuracy"] for row in good])
    over_chips = mean_interval(accuracy, drawn_faults(cell.variation))
    rms = mean([row["rms_logit_error"] for row in good])
    return {
        "labels": cell.labels,
        "chips": len(mine),
        "failed": len(mine) - len(good),
        "accuracy_mean": mean(accuracy),
        "accuracy_mean_ci95": over_chips,
        "accuracy_std": float(accuracy.std(ddof=1)) if len(good) > 1 else None,
        "accuracy_min": float(accuracy.min()) if good else None,
        "agreement_mean": mean([row["agreement"] for row in good]),
        "logit_snr_db": None if not rms or not signal else float(20 * np.log10(signal / rms)),
        "lost": right / good[0]["n"] - float(accuracy.mean()) if good else None,
        "lost_ci95": lost_interval(good, right, over_chips),
    }


def lost_interval(
    good: Sequence[Row], right: int, over_chips: tuple[float, float] | None
) -> tuple[float, float] | None:
    """Of the accuracy lost against software, for other images and other chips.

    ``right`` is how many images software has right, ``over_chips`` the interval of their mean.
    Over images it is Tango's, with the chips' mean counts. Rows do not say which images are right
    in one alone, so every image that changes its class counts as won or lost: never too short.
    """
    if not good or (len(good) < 2 and good[0]["sample"] is not None):
        return None
    n = good[0]["n"]
    changed = n * float(np.mean([1 - row["agreement"] for row in good]))
    lost = right - n * float(np.mean([row["accuracy"] for row in good]))
    images = tango(round((changed - lost) / 2, 9), round((changed + lost) / 2, 9), n)
    low, high = beside(-lost / n, images, over_chips and tuple(e - right / n for e in over_chips))
    return -high, -low


def add_won_back(
    summaries: Sequence[dict[str, Any]], found: Sequence[tuple[Cell, Sequence[Row]]]
) -> None:
    """Give each ``all but`` of a budget what it wins back: ``won_back``, over the chips that both
    it and ``all`` have, and its interval over chips, paired.
    """
    everything, rows = found[-1]
    whole = _accuracies(rows)
    for summary, (cell, mine) in zip(summaries, found, strict=True):
        if cell.labels["cell"] != "all but":
            continue
        without = _accuracies(mine)
        if None in without:  # nothing is drawn in it: one circuit stands beside every chip
            without = dict.fromkeys(whole, without[None])
        pairs = [without[m] - whole[m] for m in whole if m in without]
        faults = drawn_faults(everything.variation)
        summary["won_back"] = mean(pairs)
        summary["won_back_ci95"] = mean_interval(np.array(pairs), faults, least=-1.0)


def _accuracies(rows: Sequence[Row]) -> dict[int | None, float]:
    return {row["sample"]: row["accuracy"] for row in rows if row["status"] == "ok"}


def write_table(path: Path, cells: Sequence[Cell], rows: Sequence[Row], samples: int) -> None:
    """A CSV with a row a chip: the axes' values first, then its figures."""
    lines = [
        cell.labels | {key: value for key, value in flat(row).items() if key != "key"}
        for cell, mine in rows_of(cells, rows, samples)
        for row in mine
    ]
    columns = list(dict.fromkeys(key for line in lines for key in line))
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
