"""Rows of tables and figures: the figures of a row over its seeds; Markdown and CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files import atomic_file
from ..text import markdown_table
from .rows import KINDS, TableRow


def entry_of(row: TableRow, kept: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A row's figures from what is ``kept`` of it, a dictionary a seed; empty without any."""
    if not kept:
        return {}
    good = [entry for entry in kept if entry["accuracy"] is not None]
    accuracy = np.array([entry["accuracy"] for entry in good])
    return {
        "row": row.name,
        "dataset": kept[0]["dataset"],
        "network": row.label,
        "kind": row.kind,
        "parameters": kept[0]["parameters"],
        "printed": row.printed or None,
        "accuracy_mean": float(accuracy.mean()) if good else None,
        "accuracy_min": float(accuracy.min()) if good else None,
        "accuracy_max": float(accuracy.max()) if good else None,
        "seeds": len(kept),
        "diverged": len(kept) - len(good),
        "n": kept[0]["n"],
        "epochs": kept[0]["epochs"],
        "seconds": float(np.mean([entry["seconds"] for entry in good])) if good else None,
    }


def apart(entries: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows trained as the paper says, and those by recipes of ours, by these words."""
    groups = {how: [e for e in entries if e["kind"] == kind] for kind, how in KINDS.items()}
    return {how: group for how, group in groups.items() if group}


def printed(entry: dict[str, Any]) -> str:
    """The paper's figure, per cent, as a table shows it."""
    return "–" if entry["printed"] is None else f"{entry['printed']:.2f}"


def measured(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Mean and range, per cent, and seconds of a row's seeds, as a table shows them."""
    if entry["accuracy_mean"] is None:
        return "diverged", "", ""
    mean, low, high = (100 * entry[f"accuracy_{part}"] for part in ("mean", "min", "max"))
    one = entry["seeds"] - entry["diverged"] == 1
    spread = "–" if one else f"{low:.2f} to {high:.2f}"
    if entry["diverged"]:
        spread += f"; {entry['diverged']} diverged"
    return f"{mean:.2f}", spread, f"{entry['seconds']:.0f}"


def format_table(entries: Sequence[dict[str, Any]]) -> str:
    """A table for each way of training as Markdown: printed and measured, in per cent."""
    head = (
        "data set", "network", "parameters", "printed", "measured", "range", "seeds", "epochs", "s",
    )  # fmt: skip
    found = []
    for how, group in apart(entries).items():
        rows = []
        for e in group:
            *figures, seconds = measured(e)
            rows.append(
                [e["dataset"], e["network"], f"{e['parameters']:,}", printed(e), *figures,
                 f"{e['seeds']}", f"{e['epochs']}", seconds]
            )  # fmt: skip
        found.append(f"{how.capitalize()}:\n\n{markdown_table(head, rows)}")
    return "\n".join(found)


def write_rows(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV; an interval becomes two columns."""
    entries = [_without_pairs(entry) for entry in entries]
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(entries[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)


def _without_pairs(entry: dict[str, Any]) -> dict[str, Any]:
    """``entry`` with ``..ci95_low`` and ``..ci95_high`` in the place of intervals."""
    found: dict[str, Any] = {}
    for key, value in entry.items():
        if key.endswith("ci95"):
            found[f"{key}_low"], found[f"{key}_high"] = value or (None, None)
        else:
            found[key] = value
    return found
