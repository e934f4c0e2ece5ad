"""What a study's rows say: means, spreads, yield, each with an interval over the chips.

The images are fixed: an interval is about other chips of the same kind on the same images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..imperfections.registry import always_told, counts, decisive_faults
from ..intervals import (
    FEWEST_FOR_SPREAD,
    bounded,
    exact,
    quantile,
    quantile_needs,
    spread,
    student,
)
from .result import Row

PERCENTILES = (5, 50, 95)
CONVERTED = {
    "adc_saturated": "conversions beyond the range of their ADCs",
    "adc_ties": "ties of the largest digital logit (the first output is taken)",
}
"""What ADCs count, and the words behind a number of them; of a circuit that has them alone."""


def summarise_chips(
    rows: Sequence[Row], *, yield_at: float, faults: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The figures over chips, as they stand in the JSON document.

    Chips that failed have no accuracy; they count as chips that miss ``yield_at``, and are listed.
    ``faults`` are those that the chips can have. The mean's interval is ``mean_interval``'s, the
    yield's is exact, the spread's Bonett's, those of percentiles are of order statistics; where one
    cannot be had it is None, and ``no_interval`` says why.
    """
    good = [row for row in rows if row["status"] == "ok"]
    failed = [row for row in rows if row["status"] != "ok"]
    accuracy = np.array([row["accuracy"] for row in good])
    passing = int((accuracy >= yield_at).sum())
    worst = min(good, key=lambda row: row["accuracy"], default=None)
    found: dict[str, Any] = {
        "samples": len(rows),
        **statistics("accuracy", accuracy, mean_interval(accuracy, faults), faults),
        "no_interval": _reasons(accuracy, faults),
        "yield_at": yield_at,
        "yield": passing / len(rows),
        "yield_ci95": exact(passing, len(rows)),
        "agreement_mean": mean([row["agreement"] for row in good]),
        "max_abs_logit_error": max((row["max_abs_logit_error"] for row in good), default=None),
        "rms_logit_error_mean": mean([row["rms_logit_error"] for row in good]),
        "worst_chip": None
        if worst is None
        else {key: worst[key] for key in ("sample", "accuracy", "agreement")},
        "failed": len(failed),
        "failures": failures(failed),
        "intervals": "over chips; the images are fixed",
    }
    made = np.array([r["accuracy_uncalibrated"] for r in good if "accuracy_uncalibrated" in r])
    if len(made):
        found["accuracy_uncalibrated_mean"] = mean(made)
        found["accuracy_uncalibrated_mean_ci95"] = mean_interval(made, faults)
    return found | counted(good)


def reaches(row: Row, limit: float) -> bool:
    """Whether a chip's accuracy is at least ``limit``, or of a regression its RMSE at most."""
    return row["accuracy"] >= limit if "accuracy" in row else row["rmse"] <= limit


def statistics(
    name: str,
    values: np.ndarray,
    interval: tuple[float, float] | None,
    faults: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Mean, spread and percentiles of the figure ``name`` over chips that can have ``faults``, each
    with its interval, the mean's being ``interval``."""
    return {
        f"{name}_mean": mean(values),
        f"{name}_mean_ci95": interval,
        f"{name}_std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        f"{name}_std_ci95": None if faults else spread(values),
        f"{name}_percentiles": percentiles(values),
        f"{name}_percentiles_ci95": {f"{q}": quantile(values, q / 100) for q in PERCENTILES},
    }


def failures(rows: Sequence[Row]) -> list[Row]:
    """What could not be simulated of ``rows``, and why."""
    keys = ("sample", "temp_c", "reason")
    return [{key: row[key] for key in keys} for row in rows if row["status"] != "ok"]


def counted(good: Sequence[Row]) -> dict[str, float | None]:
    """The mean of each count over chips that could be simulated; of later counts, if there are."""
    told = (name for one in always_told() for name in one.counts if name not in one.seldom)
    always = {"uncalibrated_columns", *told}
    names = (*counts(), "uncalibrated_columns", *CONVERTED)
    every = {c: [row[c] for row in good if c in row] for c in names}
    return {f"{c}_mean": mean(found) for c, found in every.items() if found or c in always}


def mean_interval(
    values: np.ndarray,
    faults: frozenset[str] = frozenset(),
    least: float = 0.0,
    most: float = 1.0,
) -> tuple[float, float] | None:
    """Interval of the mean over chips that can have ``faults``: one that covers, as measured.

    Student's; longer if single cells or diodes fail; if whole lines or amplifiers do, one that
    needs nothing but ``least`` and ``most``, since few chips, which may not have come, decide.
    """
    if faults & {*decisive_faults()}:
        return bounded(values, least, most)
    return student(values, least=least, most=most, skewed=bool(faults))


def _reasons(accuracy: np.ndarray, faults: frozenset[str]) -> dict[str, str]:
    """Why there is no interval: of ``mean``, ``std`` and percentiles, by name."""
    n, found = len(accuracy), {}
    equal = "all chips are equal" if n and not np.ptp(accuracy) else ""
    if mean_interval(accuracy, faults) is None:
        found["mean"] = "needs 2 chips" if n < 2 else equal
    if faults:
        found["std"] = "few chips with faults decide"
    elif spread(accuracy) is None:
        found["std"] = f"needs {FEWEST_FOR_SPREAD} chips" if n < FEWEST_FOR_SPREAD else equal
    for q in PERCENTILES:
        if n < quantile_needs(q / 100):
            found[f"{q}"] = f"needs {quantile_needs(q / 100)} chips"
    return found


NOMINAL = (
    "accuracy", "agreement", "max_abs_logit_error", "rms_logit_error", "gain_mean", "offset_mean",
    "accuracy_compensated", "agreement_compensated",
)  # fmt: skip


def summarise_temperatures(
    rows: Sequence[Row], faults: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """For each temperature the nominal circuit's figures, and the mean and 5 to 95 % of the chips,
    which can have ``faults``."""
    return over_temperature(rows, NOMINAL, lambda good: _band(good, faults))


def over_temperature(
    rows: Sequence[Row], nominal: Sequence[str], band: Callable[[list[Row]], dict[str, Any]]
) -> list[dict[str, Any]]:
    """For each temperature these figures of the ``nominal`` circuit, and the ``band`` of the chips
    that could be simulated."""
    found: list[dict[str, Any]] = []
    for temp_c in sorted({row["temp_c"] for row in rows}):
        here = [row for row in rows if row["temp_c"] == temp_c]
        alone = next((row for row in here if row["sample"] is None), None)
        chips = [row for row in here if row["sample"] is not None]
        entry: dict[str, Any] = {"temp_c": temp_c}
        if alone is not None:
            entry["nominal"] = {key: alone[key] for key in ("status", "reason")}
            entry["nominal"] |= {key: alone.get(key) for key in nominal}
        if chips:
            good = [row for row in chips if row["status"] == "ok"]
            entry["chips"] = {"samples": len(chips), "failed": len(chips) - len(good)}
            entry["chips"] |= {"failures": failures(chips)} | band(good)
        found.append(entry)
    return found


def _band(good: list[Row], faults: frozenset[str]) -> dict[str, Any]:
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
            f"{name}_mean_ci95": _band_interval(key, values, faults),
            f"{name}_percentiles": percentiles(values),
        }
    return found


def _band_interval(
    key: str, values: np.ndarray, faults: frozenset[str]
) -> tuple[float, float] | None:
    if not key.endswith("_mean"):
        return mean_interval(values, faults)
    # Gain and offset have no limits, without which nothing covers where few chips decide.
    return None if faults & {*decisive_faults()} else student(values, skewed=bool(faults))


def mean(values: Sequence[float] | np.ndarray) -> float | None:
    """The mean, or None of nothing."""
    return float(np.mean(values)) if len(values) else None


def percentiles(values: np.ndarray) -> dict[str, float] | None:
    """The 5, 50 and 95 % points by their names, or None of nothing."""
    if not len(values):
        return None
    return {f"{q}": float(np.percentile(values, q)) for q in PERCENTILES}
