"""What networks need for equal accuracy: nodes, crosspoints, amplifiers, joules, by family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..data.images import CLASSIFICATION
from ..intervals import student
from ..text import engineering, many, percent

NEEDS = {
    "hidden": "hidden nodes",
    "crosspoints": "crosspoints",
    "op_amps": "op-amps",
    "op_amps_bare": "op-amps, MLPs without their inputs'",
    "energy_j": "energy an inference",
}
"""What is compared, and how a table says it."""
BRIEF = ("network", "hidden", "crosspoints", "op-amps", "circuit", "range", "energy")
"""Columns of ``HEAD`` that a terminal has room for."""
HEAD = (
    "network", "hidden", "parameters", "crosspoints", "op-amps", "tiles", "DACs", "software",
    "circuit", "range", "power", "settled", "energy",
)  # fmt: skip


def error_of(row: Mapping[str, Any]) -> float:
    """The share that a circuit has wrong, or its RMSE as a share of span."""
    return 1 - row["circuit"] if row["task"] == CLASSIFICATION else row["circuit"]


def needed(sizes: Sequence[tuple[float, float]], error: float) -> float | None:
    """How much of something networks need to err by no more than ``error``.

    Parameters
    ----------
    sizes
        How much of it a network has, and how much it errs: of rising sizes.

    Returns
    -------
    float or None
        At the first two neighbours between which the error falls to it, on the straight line
        through both on logarithmic scales; None where none reach it or all do, or one never errs.
    """
    for (less, above), (more, below) in pairwise(sizes):
        if above > error >= below:
            if not below:
                return None
            share = np.log(above / error) / np.log(above / below)
            return float(less * (more / less) ** share)
    return None


def compared(
    rows: Sequence[Mapping[str, Any]], levels: Mapping[str, Sequence[float]]
) -> list[dict[str, Any]]:
    """What each family needs at each level of its data set, and how many times what the first does.

    Parameters
    ----------
    rows
        Of ``nodes.run_nodes``, families in their order.
    levels
        By data set accuracies, or shares of span that an RMSE is.

    Returns
    -------
    list
        Dictionaries: ``dataset``, ``task``, ``level``, ``needs`` (a key of ``NEEDS``), ``family``,
        ``label``, ``seeds``; ``amount``, the geometric mean over seeds, ``times`` what the first
        family needs with the same seed, and ``times_ci95``, Student's interval of the logarithms.
        None where a seed's networks do not go through the level.
    """
    found: list[dict[str, Any]] = []
    for dataset, errors in levels.items():
        mine = [row for row in rows if row["dataset"] == dataset]
        labels = {row["family"]: row["label"] for row in mine}
        for level in errors:
            for needs in NEEDS:
                first: np.ndarray | None = None
                for family, label in labels.items():
                    own = [row for row in mine if row["family"] == family]
                    amounts = _by_seed(own, needs, level)
                    first = amounts if first is None else first
                    common = min(len(first), len(amounts))
                    times = np.log(amounts[:common] / first[:common])
                    found.append(
                        {
                            "dataset": dataset,
                            "task": own[0]["task"],
                            "level": level,
                            "needs": needs,
                            "family": family,
                            "label": label,
                            "seeds": common,
                            "amount": _mean(np.log(amounts)),
                            "times": _mean(times),
                            "times_ci95": _between(times),
                        }
                    )
    return found


def _by_seed(rows: Sequence[Mapping[str, Any]], needs: str, level: float) -> np.ndarray:
    """Amounts (seeds,) that a family needs, by seed; NaN where its networks do not go through."""
    error = 1 - level if rows[0]["task"] == CLASSIFICATION else level
    found: list[float] = []
    for seed in sorted({row["seed"] for row in rows}):
        mine = sorted((r for r in rows if r["seed"] == seed), key=lambda r: r["hidden"])
        amount = needed([(row[needs], error_of(row)) for row in mine], error)
        found.append(np.nan if amount is None else amount)
    return np.array(found)


def _mean(logarithms: np.ndarray) -> float | None:
    """The geometric mean, of what all seeds have."""
    return None if np.isnan(logarithms).any() else float(np.exp(logarithms.mean()))


def _between(logarithms: np.ndarray) -> tuple[float, float] | None:
    pair = None if np.isnan(logarithms).any() else student(logarithms)
    return None if pair is None else (float(np.exp(pair[0])), float(np.exp(pair[1])))


def tables(
    rows: Sequence[Mapping[str, Any]],
    found: Sequence[Mapping[str, Any]],
    columns: Sequence[str] = HEAD,
) -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    """Of each data set what it shows, head and cells of its networks, ``columns`` of them, and of
    their comparison."""
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        mine = [row for row in rows if row["dataset"] == dataset]
        measure = "accuracy" if mine[0]["task"] == CLASSIFICATION else "RMSE, of span"
        seeds = len({row["seed"] for row in mine})
        sizes = dict.fromkeys((row["family"], row["hidden"]) for row in mine)
        cells = [_cells([r for r in mine if (r["family"], r["hidden"]) == size]) for size in sizes]
        chosen = [HEAD.index(column) for column in columns]
        cells = [[row[k] for k in chosen] for row in cells]
        yield f"{dataset}, {measure}, means and range of {many(seeds, 'seed')}", columns, cells
        own = [entry for entry in found if entry["dataset"] == dataset]
        labels = list(dict.fromkeys(entry["label"] for entry in own))
        head = [f"at equal {measure}", labels[0]]
        for label in labels[1:]:
            head += [label, "times (95 %)"]
        keys = dict.fromkeys((entry["level"], entry["needs"]) for entry in own)
        cells = [_compared([e for e in own if (e["level"], e["needs"]) == key]) for key in keys]
        yield f"{dataset}, what networks need, seed by seed", head, cells


def _cells(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The seeds of one size as a row of a table."""
    one = rows[0]
    digits = 2 if one["task"] == CLASSIFICATION else 3
    cells, op_amps, tiles, software, circuit, *drawn = (
        float(np.mean([row[key] for row in rows]))
        for key in ("crosspoints", "op_amps", "tiles", "software", "circuit", "power_w",
                    "settling_s", "energy_j")
    )  # fmt: skip
    ends = [row["circuit"] for row in rows]
    return [
        one["label"], f"{one['hidden']}", f"{one['parameters']:,}", f"{cells:,.0f}",
        f"{op_amps:,.0f}", f"{tiles:,.0f}", f"{one['dacs']:,}", percent(software, digits),
        percent(circuit, digits), f"{100 * min(ends):.{digits}f} to {100 * max(ends):.{digits}f}",
        *(engineering(value, unit) for value, unit in zip(drawn, ("W", "s", "J"), strict=True)),
    ]  # fmt: skip


def _compared(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """One level and need, by family, as a row of a table."""
    one = entries[0]
    cells = [f"{100 * one['level']:g} %: {NEEDS[one['needs']]}"]
    for k, entry in enumerate(entries):
        cells.append(_amount(entry))
        if k:
            cells.append(_times(entry))
    return cells


def _amount(entry: Mapping[str, Any]) -> str:
    if entry["amount"] is None:
        return "–"
    if entry["needs"] == "energy_j":
        return engineering(entry["amount"], "J")
    return f"{entry['amount']:,.{1 if entry['needs'] == 'hidden' else 0}f}"


def _times(entry: Mapping[str, Any]) -> str:
    pair = entry["times_ci95"]
    if entry["times"] is None:
        return "–"
    between = "" if pair is None else f" ({pair[0]:.2f} to {pair[1]:.2f})"
    return f"{entry['times']:.2f}{between}"
