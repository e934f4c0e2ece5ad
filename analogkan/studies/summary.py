"""What a study's rows say: means, spreads, yield, each with an interval over the chips.

The images are fixed: an interval is about other chips of the same kind on the same images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..intervals import bootstrap, student, wilson
from ..variation.sample import COUNTS
from .store import Row

PERCENTILES = (5, 50, 95)


def summarise_chips(rows: Sequence[Row], *, yield_at: float, seed: int) -> dict[str, Any]:
    """The figures over chips, as they stand in the JSON document.

    Chips that failed have no accuracy; they count as chips that miss ``yield_at``, and are listed.
    An interval is None where it cannot be had: one chip, or no spread. The mean's is Student's,
    the yield's Wilson's, those of spread and percentiles are percentile bootstraps.
    """
    good = [row for row in rows if row["status"] == "ok"]
    failed = [row for row in rows if row["status"] != "ok"]
    accuracy = np.array([row["accuracy"] for row in good])
    passing = int((accuracy >= yield_at).sum())
    worst = min(good, key=lambda row: row["accuracy"], default=None)
    found: dict[str, Any] = {
        "samples": len(rows),
        "accuracy_mean": mean(accuracy),
        "accuracy_mean_ci95": student(accuracy, least=0.0, most=1.0),
        "accuracy_std": float(np.std(accuracy, ddof=1)) if len(good) > 1 else None,
        "accuracy_std_ci95": bootstrap(accuracy, _std, seed=seed),
        "accuracy_percentiles": percentiles(accuracy),
        "accuracy_percentiles_ci95": {
            f"{q}": bootstrap(accuracy, lambda x, q=q: np.percentile(x, q, axis=1), seed=seed)
            for q in PERCENTILES
        },
        "yield_at": yield_at,
        "yield": passing / len(rows),
        "yield_ci95": wilson(passing, len(rows)),
        "agreement_mean": mean([row["agreement"] for row in good]),
        "max_abs_logit_error": max((row["max_abs_logit_error"] for row in good), default=None),
        "rms_logit_error_mean": mean([row["rms_logit_error"] for row in good]),
        "worst_chip": None
        if worst is None
        else {key: worst[key] for key in ("sample", "accuracy", "agreement")},
        "failed": len(failed),
        "failures": [{key: row[key] for key in ("sample", "temp_c", "reason")} for row in failed],
        "intervals": "over chips; the images are fixed",
    }
    made = np.array([r["accuracy_uncalibrated"] for r in good if "accuracy_uncalibrated" in r])
    if len(made):
        found["accuracy_uncalibrated_mean"] = mean(made)
        found["accuracy_uncalibrated_mean_ci95"] = student(made, least=0.0, most=1.0)
    for count in (*COUNTS, "uncalibrated_columns"):
        found[f"{count}_mean"] = mean([row[count] for row in good if count in row])
    return found


def summarise_temperatures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For each temperature the nominal circuit's figures, and the chips' mean and 5 to 95 %."""
    found = []
    for temp_c in sorted({row["temp_c"] for row in rows}):
        here = [row for row in rows if row["temp_c"] == temp_c]
        nominal = next((row for row in here if row["sample"] is None), None)
        chips = [row for row in here if row["sample"] is not None]
        entry: dict[str, Any] = {"temp_c": temp_c}
        if nominal is not None:
            entry["nominal"] = {"status": nominal["status"], "reason": nominal["reason"]} | {
                key: nominal.get(key)
                for key in (
                    "accuracy",
                    "agreement",
                    "max_abs_logit_error",
                    "rms_logit_error",
                    "gain_mean",
                    "offset_mean",
                    "accuracy_compensated",
                    "agreement_compensated",
                )
            }
        if chips:
            good = [row for row in chips if row["status"] == "ok"]
            entry["chips"] = {
                "samples": len(chips),
                "failed": len(chips) - len(good),
                "failures": [
                    {key: row[key] for key in ("sample", "temp_c", "reason")}
                    for row in chips
                    if row["status"] != "ok"
                ],
            } | _band(good)
        found.append(entry)
    return found


def _band(good: list[Row]) -> dict[str, Any]:
    """Mean with its interval, and percentiles, of what is measured on chips."""
    found: dict[str, Any] = {}
    for key in ("accuracy", "agreement", "gain_mean", "offset_mean", "accuracy_compensated"):
        values = np.array([row[key] for row in good if row.get(key) is not None])
        name = key.removesuffix("_mean")
        if not len(values):
            found |= {f"{name}_mean": None, f"{name}_mean_ci95": None, f"{name}_percentiles": None}
            continue
        found |= {
            f"{name}_mean": mean(values),
            f"{name}_mean_ci95": student(values),
            f"{name}_percentiles": percentiles(values),
        }
    return found


def mean(values: Sequence[float] | np.ndarray) -> float | None:
    """The mean, or None of nothing."""
    return float(np.mean(values)) if len(values) else None


def percentiles(values: np.ndarray) -> dict[str, float] | None:
    """The 5, 50 and 95 % points by their names, or None of nothing."""
    if not len(values):
        return None
    return {f"{q}": float(np.percentile(values, q)) for q in PERCENTILES}


def _std(samples: np.ndarray) -> np.ndarray:
    return samples.std(axis=1, ddof=1)
