"""What a RUN keeps, declared: a row, a judge's finding, and what every result says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..schema import Maybe, Number, Plain, Record, Rule, Several, Text, Truth, Whole

COLUMNS, TWO_POINT = CALIBRATIONS = ("columns", "two-point")
"""What is set of a chip: its columns in the circuit, or gain and offset of its read-out."""
METHODS = ("plain", "control", "subset", "scaled", "sobol")
"""How a small share of failing chips is estimated."""
NOISES = ("drawn", "frozen")
"""Whose noise at every read it has: each chip's own, among its coordinates, or chip 0's."""
REGRESSION = "regression"
"""The task whose results have errors where classifiers' have accuracies."""
AS_WRITTEN = "a study writes it"
"""How a sentence on a missing entry ends."""
SHARE = Number(low=0.0, high=1.0)
DISTANCE = Number(low=0.0)
MOST_SAMPLE = 2**31
_BASE: dict[str, Rule] = {
    "key": Text(most=200),
    "sample": Maybe(Whole(0, MOST_SAMPLE)),
    "temp_c": Number("temperature"),
    "status": Text(("ok", "failed")),
    "reason": Text(),
    "n": Whole(1, 2**40),
}
_COLUMNS = Several(Maybe(Number()), most=100_000)
FIGURES: dict[str, Rule] = {
    "correct": Whole(0, 2**40),
    "accuracy": SHARE,
    "agreement": SHARE,
    "max_abs_logit_error": DISTANCE,
    "rms_logit_error": DISTANCE,
    "gain_mean": Maybe(Number()),
    "offset_mean": Maybe(Number()),
    "gain": _COLUMNS,
    "offset": _COLUMNS,
}
"""Of a circuit's answers to all images; a study may have others."""
_ASKED: dict[str, Rule] = {
    **dict.fromkeys(("accuracy_uncalibrated", "agreement_uncalibrated"), SHARE),
    **dict.fromkeys(("accuracy_compensated", "agreement_compensated"), SHARE),
    **dict.fromkeys(("rmse_uncalibrated", "max_abs_uncalibrated"), DISTANCE),
    "curve": Several(Number(), most=1000),
    "calibration": Text((TWO_POINT,)),
    "macro_agreement": SHARE,
    **dict.fromkeys(("rmse_compensated", "max_abs_compensated"), DISTANCE),
    **dict.fromkeys(("judge_difference", "judge_share"), Maybe(DISTANCE)),
}
VERDICT = Record(
    {
        "passed": Maybe(Truth()),
        "tag": Text(),
        **dict.fromkeys(("chips", "images"), Whole(1, 2**40)),
        **dict.fromkeys(("max_abs_difference", "share_of_full_scale", "full_scale"), DISTANCE),
        **dict.fromkeys(("tolerance", "seconds"), DISTANCE),
        "versions": Record({"ngspice": Text()}, more=Plain(), missing=AS_WRITTEN),
    },
    more=Plain(),
    missing=AS_WRITTEN,
)
KEPT: dict[str, Rule] = {
    "format": Text(),
    "settings": Record(more=Plain()),
    **dict.fromkeys(("seconds", "megabytes", "first_seconds"), DISTANCE),
    "found_alone": Several(Whole(0, 2**40), most=2),
    "judge": VERDICT,
}
"""What a store keeps beside rows and chunks, by its key."""
_MADE = Record(
    {
        **dict.fromkeys(("at", "analogkan", "python", "numpy", "system"), Text(most=100)),
        "cores": Maybe(Whole(1, 2**20)),
    },
    more=Plain(),
    missing=AS_WRITTEN,
)
RESULT = Record(
    {
        "study": Text(),
        **dict.fromkeys(("model", "network", "design", "build"), Text()),
        **dict.fromkeys(("compiled", "trained_by", "command"), Text()),
        "images": Record(
            {"said": Text(), "n": Whole(1, 2**40), "sha256": Text()}, missing=AS_WRITTEN
        ),
        "n": Whole(1, 2**40),
        "notes": Several(Text()),
        "logit_full_scale": DISTANCE,
        "files": Record(more=Text()),
    },
    {"made": _MADE, "found_alone": Several(Whole(0, 2**40), most=2)},
    more=Plain(most=10_000_000, depth=20),
    missing=AS_WRITTEN,
)
"""What a report reads of any result.json; what a kind has beside it is looked at where shown."""
_TARGET = Record(
    {"name": Text(), "unit": Text(), "low": Number(), "high": Number()}, missing=AS_WRITTEN
)
_OF_TASK: dict[str, dict[str, Rule]] = {
    "classification": {"software_accuracy": SHARE},
    REGRESSION: {
        "unit": Text(),
        "span": DISTANCE,
        "rmse_software": DISTANCE,
        "targets": Several(_TARGET, least=1, most=1000),
    },
}


def check_result(document: Any) -> None:
    """Raise ValueError unless ``document`` is a result.json."""
    RESULT.check(document, "")
    task = document.get("task", "classification")
    Text(tuple(_OF_TASK)).check(task, "task")
    whole = Plain(most=10_000_000, depth=20)
    Record(_OF_TASK[task], more=whole, missing=AS_WRITTEN).check(document, "")


def check_row(row: Any, key: str, status: str, figures: Mapping[str, Rule] = FIGURES) -> None:
    """Raise ValueError unless ``row`` is that of the point ``key``, and has this ``status``.

    One that is ok has the ``figures``; what is neither declared nor asked for is a count.
    """
    ok = status == "ok"
    rules, asked = ({**_BASE, **figures}, _ASKED) if ok else (_BASE, {**figures, **_ASKED})
    Record(rules, asked, more=Number(), missing=AS_WRITTEN).check(row, "")
    if (row["key"], row["status"]) != (key, status):
        raise ValueError(f"it is of {row['key']}, {row['status']}")
