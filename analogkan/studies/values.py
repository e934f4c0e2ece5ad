# pyright: strict
"""Figures of a regression: of software, circuit and chips, in the target's unit.

Axes: n points, K targets. Outputs z are -1 to 1 over the targets' range, see ``network.targets``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SettingsError
from ..imperfections.registry import decisive_faults
from ..intervals import exact, regress, student
from ..network.measures import (
    SPAN,
    Distance,
    distance,
    format_value,
    in_unit,
    span_of,
    unit_of,
)
from ..network.targets import Targets
from ..numerals import read_quantity
from ..schema import Maybe, Number, Rule, Several
from ..text import percent
from .entries import REGRESSION
from .result import Row
from .summary import (
    PERCENTILES,
    counted,
    failures,
    mean,
    over_temperature,
    percentiles,
    statistics,
)

if TYPE_CHECKING:
    from ..data import ImageSet
    from ..network.spec import NetworkSpec
    from .bench import Bench

YIELD_LOSS = 0.01
"""A chip counts as good if its RMSE is no more than this share of span above software's, unless
told otherwise."""
MOST_ERROR = 0.5
"""Of span: what a circuit that always gives mid-scale does not exceed."""
CURVE = 65
"""Points of a curve at which chips are drawn."""
WORST = 10
"""Points that a result lists."""
_DISTANCE, _COLUMNS = Number(low=0.0), Several(Maybe(Number()), most=100_000)
FIGURES: dict[str, Rule] = {
    **dict.fromkeys(("rmse", "max_abs", "rmse_between", "max_abs_between"), _DISTANCE),
    "r2": Maybe(Number()),
    "max_abs_logit_error": _DISTANCE,
    "rms_logit_error": _DISTANCE,
    "gain_mean": Maybe(Number()),
    "offset_mean": Maybe(Number()),
    "gain": _COLUMNS,
    "offset": _COLUMNS,
}
"""Of a circuit's answers to all points, as ``entries.FIGURES`` of answers to images."""


def software_figures(targets: Targets, y: np.ndarray, z: np.ndarray) -> dict[str, Any]:
    """What every result of a regression says: its task and unit, and how far software is off.

    Parameters
    ----------
    y, z
        (n, K) targets, and software's outputs.
    """
    found = distance(targets, y, targets.values(z))
    return {
        "task": REGRESSION,
        "unit": unit_of(targets),
        "span": span_of(targets),
        "targets": [
            {"name": name, "unit": unit, "low": low, "high": high}
            for name, unit, low, high in zip(
                targets.names, targets.units, targets.low, targets.high, strict=True
            )
        ],
        **_told(found, "software"),
    }


def _told(found: Distance, who: str) -> dict[str, Any]:
    return {
        f"rmse_{who}": found.rmse,
        f"rmse_{who}_ci95": found.rmse_ci95,
        f"max_abs_{who}": found.max_abs,
        f"r2_{who}": found.r2,
        f"share_of_span_{who}": found.share,
        f"bits_{who}": found.bits,
    }


def compare_values(
    targets: Targets, y: np.ndarray, index: np.ndarray, software: np.ndarray,
    circuit: np.ndarray | None,
) -> dict[str, Any]:  # fmt: skip
    """The figures of a simulation, as they stand in the JSON document.

    Parameters
    ----------
    y, index
        (n, K) targets, and (n,) positions in the data set.
    software, circuit
        (n, K) outputs; the second None where no circuit was simulated.
    """
    found = {"n": len(y), **software_figures(targets, y, software)}
    found["logit_full_scale"] = float(np.abs(software).max())
    if circuit is None:
        return found
    given = targets.values(circuit)
    off = distance(targets, y, given)
    apart = distance(targets, targets.values(software), given)
    error = np.abs(in_unit(targets, given - y)).max(axis=1)
    return found | {
        **_told(off, "circuit"),
        **_told(apart, "between"),
        "max_abs_logit_error": float(np.abs(circuit - software).max()),
        "rms_logit_error": float(np.sqrt(np.mean((circuit - software) ** 2))),
        "worst": [
            {
                "point": int(index[k]),
                "wanted": y[k].tolist(),
                "software": targets.values(software)[k].tolist(),
                "circuit": given[k].tolist(),
                "error": float(error[k]),
            }
            for k in np.argsort(-error)[:WORST]
        ],
    }


def row_of(targets: Targets, y: np.ndarray, software: np.ndarray, given: np.ndarray) -> Row:
    """The figures of a chip whose outputs are ``given`` (n, K)."""
    values, ours = targets.values(given), targets.values(software)
    off, apart = (
        distance(targets, y, values, ci95=False),
        distance(targets, ours, values, ci95=False),
    )
    gain, offset = regress(software, given)
    known = np.isfinite(gain)
    moved = in_unit(targets, (offset * targets.span / 2)[None])[0]  # at mid-scale
    return {
        "rmse": off.rmse,
        "max_abs": off.max_abs,
        "r2": off.r2,
        "rmse_between": apart.rmse,
        "max_abs_between": apart.max_abs,
        "max_abs_logit_error": float(np.abs(given - software).max()),
        "rms_logit_error": float(np.sqrt(np.mean((given - software) ** 2))),
        "gain_mean": mean(gain[known]),
        "offset_mean": mean(moved[known]),
        "gain": [g if k else None for g, k in zip(gain.tolist(), known, strict=True)],
        "offset": [o if k else None for o, k in zip(moved.tolist(), known, strict=True)],
    }


def curve_points(spec: NetworkSpec, images: ImageSet) -> np.ndarray:
    """Of a regression of one input, positions of the points at which chips are drawn, by its value;
    none otherwise."""
    if spec.targets is None or spec.encoding.inputs != 1:
        return np.zeros(0, int)
    order = np.argsort(images.x.reshape(-1), kind="stable")
    return order[np.unique(np.linspace(0, len(order) - 1, CURVE).astype(int))]


def band(rows: Sequence[Row], bench: Bench) -> dict[str, Any]:
    """The band of chips over the input, as a picture needs it; nothing with several inputs."""
    curves = [row["curve"] for row in rows if row.get("curve")]
    targets, at = bench.spec.targets, bench.curve
    if targets is None or not curves:
        return {}
    low, middle, high = np.percentile(np.array(curves), PERCENTILES, axis=0)
    return {
        "band": {
            "x": bench.images.x.reshape(-1)[at].tolist(),
            "wanted": bench.labels[at, 0].tolist(),
            "software": targets.values(bench.software)[at, 0].tolist(),
            "5": low.tolist(),
            "50": middle.tolist(),
            "95": high.tolist(),
        }
    }


def error_limit(targets: Targets, software: float, given: str | float | None) -> tuple[float, str]:
    """The RMSE up to which a chip is a good one, in the unit, and how it was come by.

    ``given`` is a share of span, such as 0.01 or ``1%``, or a number with the unit, such as
    ``0.5 degC``; by default ``YIELD_LOSS`` above ``software``'s RMSE.

    Raises
    ------
    SettingsError
        If it is neither, or so much that every circuit would be a good one.
    """
    span, unit = span_of(targets), unit_of(targets)
    if given is None:
        limit = software + YIELD_LOSS * span
        return (
            limit,
            f"{100 * YIELD_LOSS:g} % of span above software's {format_value(software, unit)}",
        )
    text = str(given).strip()
    try:
        value, said = read_quantity(text)
    except ValueError:
        raise SettingsError(
            f"yield_at = {text} is no RMSE: give a share of span, such as 1%"
        ) from None
    known = unit not in ("", SPAN)
    if said in ("", "%"):
        value = span * (value / 100 if said else value)
    elif said != unit or not known:
        target = f"the target is in {unit}" if known else "the target has no unit"
        if unit == SPAN:
            target = "several targets have shares of span"
        raise SettingsError(
            f"yield_at = {text} is in {said}, and {target}: give a share of span, such as 1%"
            f"{f', or a number of {unit}' if known else ''}"
        )
    if not value > 0:
        raise SettingsError(f"yield_at = {text} is out of range: above 0")
    if value >= MOST_ERROR * span:
        raise SettingsError(
            f"yield_at = {text} is {percent(value / span, 0)} of span: a circuit that gives "
            f"mid-scale whatever it is shown is within {percent(MOST_ERROR, 0)}; give less, such "
            "as 1%"
        )
    return value, "as was asked for"


def mean_error(
    values: np.ndarray, faults: frozenset[str] = frozenset(), least: float = 0.0
) -> tuple[float, float] | None:
    """Interval of the mean RMSE over chips that can have ``faults``; None where few chips decide,
    since an error has no upper limit that would make one."""
    if faults & {*decisive_faults()}:
        return None
    return student(values, least=least, skewed=bool(faults))


def summarise_errors(
    rows: Sequence[Row], *, yield_at: float, faults: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The figures over chips: as ``summary.summarise_chips``, of errors in the unit.

    Chips that failed count as chips that miss ``yield_at``.
    """
    good = [row for row in rows if row["status"] == "ok"]
    rmse = np.array([row["rmse"] for row in good])
    passing = int((rmse <= yield_at).sum())
    worst = max(good, key=lambda row: row["rmse"], default=None)
    found: dict[str, Any] = {
        "samples": len(rows),
        **statistics("rmse", rmse, mean_error(rmse, faults), faults),
        "yield_at": yield_at,
        "yield": passing / len(rows),
        "yield_ci95": exact(passing, len(rows)),
        "max_abs": max((row["max_abs"] for row in good), default=None),
        "rmse_between_mean": mean([row["rmse_between"] for row in good]),
        "max_abs_logit_error": max((row["max_abs_logit_error"] for row in good), default=None),
        "rms_logit_error_mean": mean([row["rms_logit_error"] for row in good]),
        "worst_chip": worst and {key: worst[key] for key in ("sample", "rmse", "max_abs")},
        "failed": len(rows) - len(good),
        "failures": failures(rows),
        "intervals": "over chips; the points are fixed",
    }
    made = np.array([row["rmse_uncalibrated"] for row in good if "rmse_uncalibrated" in row])
    if len(made):
        found["rmse_uncalibrated_mean"] = mean(made)
        found["rmse_uncalibrated_mean_ci95"] = mean_error(made, faults)
    return found | counted(good)


NOMINAL = (
    "rmse", "max_abs", "rmse_between", "max_abs_between", "gain_mean", "offset_mean",
    "rmse_compensated",
)  # fmt: skip


def summarise_errors_over_temperature(
    rows: Sequence[Row], faults: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """For each temperature the nominal circuit's figures, and the mean and 5 to 95 % of chips."""
    return over_temperature(rows, NOMINAL, lambda good: _band(good, faults))


def _band(good: Sequence[Row], faults: frozenset[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in ("rmse", "rmse_compensated"):
        values = np.array([row[key] for row in good if row.get(key) is not None])
        found |= {
            f"{key}_mean": mean(values) if len(values) else None,
            f"{key}_mean_ci95": mean_error(values, faults) if len(values) else None,
            f"{key}_percentiles": percentiles(values) if len(values) else None,
        }
    return found


def drift(entries: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Of the nominal circuit, by least squares over temperature: gain in ppm/K, offset at mid-scale
    in the unit per kelvin; None of fewer than two temperatures."""
    told = [e for e in entries if "nominal" in e and e["nominal"]["gain_mean"] is not None]
    if len(told) < 2:
        return None
    temps = np.array([e["temp_c"] for e in told])
    gain = np.array([e["nominal"]["gain_mean"] for e in told])
    offset = np.array([e["nominal"]["offset_mean"] for e in told])
    (slope, _), (moved, _) = np.polyfit(temps, gain, 1), np.polyfit(temps, offset, 1)
    return 1e6 * float(slope) / float(gain.mean()), float(moved)


def targets_of(document: Mapping[str, Any]) -> Targets:
    """The targets that ``software_figures`` told of."""
    told = document["targets"]
    return Targets(
        low=tuple(t["low"] for t in told), high=tuple(t["high"] for t in told),
        names=tuple(t["name"] for t in told), units=tuple(t["unit"] for t in told),
    )  # fmt: skip
