# pyright: strict
"""What the rows of a grid's cells say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from ..intervals import beside, tango
from .grid import Cell, drawn_faults
from .result import Row
from .summary import mean, mean_interval
from .values import mean_error


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


def summarise_error_cell(
    cell: Cell, mine: Sequence[Row], signal: float, software: float
) -> dict[str, Any]:
    """Mean RMSE with its interval over chips, what it adds to ``software``'s, the largest error,
    and SNR, of a cell's rows of a regression; ``signal`` as for ``summarise_cell``."""
    good = [row for row in mine if row["status"] == "ok"]
    rmse = np.array([row["rmse"] for row in good])
    rms = mean([row["rms_logit_error"] for row in good])
    return {
        "labels": cell.labels,
        "chips": len(mine),
        "failed": len(mine) - len(good),
        "rmse_mean": mean(rmse),
        "rmse_mean_ci95": mean_error(rmse, drawn_faults(cell.variation)),
        "rmse_std": float(rmse.std(ddof=1)) if len(good) > 1 else None,
        "rmse_max": float(rmse.max()) if good else None,
        "max_abs": max((row["max_abs"] for row in good), default=None),
        "logit_snr_db": None if not rms or not signal else float(20 * np.log10(signal / rms)),
        "added": float(rmse.mean()) - software if good else None,
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
    changed = n * fmean(1 - row["agreement"] for row in good)
    lost = right - n * fmean(row["accuracy"] for row in good)
    images = tango(round((changed - lost) / 2, 9), round((changed + lost) / 2, 9), n)
    low, high = beside(-lost / n, images, over_chips and tuple(e - right / n for e in over_chips))
    return -high, -low


def add_won_back(
    summaries: Sequence[dict[str, Any]],
    found: Sequence[tuple[Cell, Sequence[Row]]],
    measure: str = "accuracy",
) -> None:
    """Give each ``all but`` of a budget what it wins back: ``won_back``, over the chips that both
    it and ``all`` have, and its interval over chips, paired. ``measure`` is the rows' figure.
    """
    everything, rows = found[-1]
    whole, sign = _figures(rows, measure), -1 if measure == "rmse" else 1
    for summary, (cell, mine) in zip(summaries, found, strict=True):
        if cell.labels["cell"] != "all but":
            continue
        without = _figures(mine, measure)
        if None in without:  # nothing is drawn in it: one circuit stands beside every chip
            without = dict.fromkeys(whole, without[None])
        pairs = [sign * (without[m] - whole[m]) for m in whole if m in without]
        faults = drawn_faults(everything.variation)
        summary["won_back"] = mean(pairs)
        if measure == "rmse":
            summary["won_back_ci95"] = mean_error(np.array(pairs), faults, least=-np.inf)
        else:
            summary["won_back_ci95"] = mean_interval(np.array(pairs), faults, least=-1.0)


def _figures(rows: Sequence[Row], measure: str) -> dict[int | None, float]:
    return {row["sample"]: row[measure] for row in rows if row["status"] == "ok"}
