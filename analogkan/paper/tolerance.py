"""Fig. 8's claim: what errors cost networks of several sizes, and whether larger ones lose less."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..intervals import Sample, welch
from ..text import many, markdown_table


def losses(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Points of accuracy lost, by way, error and size.

    Parameters
    ----------
    rows
        Of ``noise.run_noise``.

    Returns
    -------
    list
        Dictionaries: ``way``, ``error``, ``hidden``, ``parameters``, ``seeds``, ``draws`` of
        each, ``n`` images; ``points`` lost and their 95 % interval ``points_ci95``; how much
        ``less`` that is than what the next smaller network loses, and ``less_ci95``. Intervals are
        over training seeds, those of one seed over its draws, the images as they are; None where
        nothing varies.
    """
    found: list[dict[str, Any]] = []
    sizes = sorted({(row["hidden"], row["parameters"]) for row in rows})
    for way in dict.fromkeys(row["way"] for row in rows):
        for error in sorted({row["error"] for row in rows if row["error"]}):
            before = None
            for hidden, parameters in sizes:
                mine = [r for r in rows if r["way"] == way and r["hidden"] == hidden]
                sample = _lost(mine, error)
                entry = {"way": way, "error": error, "hidden": hidden, "parameters": parameters}
                entry |= {
                    "seeds": len({r["seed"] for r in mine}),
                    "draws": max(r["draws"] for r in mine),
                    "n": mine[0]["n"],
                    "points": sample.mean,
                    "points_ci95": welch(sample),
                    "less": None if before is None else before.mean - sample.mean,
                    "less_ci95": None if before is None else welch(before, sample),
                }
                found.append(entry)
                before = sample
    return found


def _lost(rows: Sequence[dict[str, Any]], error: float) -> Sample:
    """Points that ``error`` costs a network: its seeds' means, or the only seed's draws."""
    clean = {row["seed"]: row["accuracy_mean"] for row in rows if not row["error"]}
    mine = [row for row in rows if row["error"] == error]
    points = 100 * np.array([clean[row["seed"]] - row["accuracy_mean"] for row in mine])
    if len(mine) > 1:
        return Sample(float(points.mean()), float(points.std(ddof=1)), len(points))
    (row,) = mine
    return Sample(float(points[0]), 100 * (row["accuracy_std"] or 0.0), row["draws"])


def format_losses(entries: Sequence[dict[str, Any]]) -> str:
    """The table as Markdown: a row a way and error, two columns a size."""
    sizes = list(dict.fromkeys((e["hidden"], e["parameters"]) for e in entries))
    head = ["", *(f"{h} hidden, {p:,} parameters" for h, p in sizes)]
    head += [
        f"{large[0]} lose less than {small[0]} by" for small, large in itertools.pairwise(sizes)
    ]
    return f"{markdown_table(head, table_cells(entries))}\n{drawn(entries)}\n"


def drawn(entries: Sequence[dict[str, Any]]) -> str:
    """What the figures are means of: a sentence."""
    ways = {e["way"]: e for e in entries}.values()
    told = "; ".join(
        f"{e['way']}: {many(e['draws'], 'draw')} on {many(e['n'], 'image')}" for e in ways
    )
    return f"{many(entries[0]['seeds'], 'training seed')}; {told}."


def table_cells(entries: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Texts of the table's rows: way and error, losses by size, differences of neighbours."""
    keys = dict.fromkeys((e["way"], e["error"]) for e in entries)
    rows = []
    for way, error in keys:
        mine = [e for e in entries if (e["way"], e["error"]) == (way, error)]
        rows.append(
            [
                f"{way}, {100 * error:g} %",
                *(_with_interval(e["points"], e["points_ci95"]) for e in mine),
                *(_with_interval(e["less"], e["less_ci95"]) for e in mine[1:]),
            ]
        )
    return rows


def _with_interval(points: float, pair: tuple[float, float] | None) -> str:
    low, high = (f"{round(end, 2) + 0.0:.2f}" for end in pair or (0.0, 0.0))
    between = "" if pair is None else f" ({low} to {high})"
    return f"{round(points, 2) + 0.0:.2f}{between}"
