"""What is told of the logits of one chip."""

from __future__ import annotations

import numpy as np

from ..intervals import Regression
from ..network.spec import NetworkSpec
from .result import Row
from .summary import mean
from .values import row_of


class Software:
    """Software's logits (B, O), and what of them every chip is held against."""

    def __init__(self, logits: np.ndarray) -> None:
        self.logits = logits
        self.classes = logits.argmax(axis=1)
        self.regression = Regression(logits)


def figures_of(
    spec: NetworkSpec,
    labels: np.ndarray,
    software: Software,
    logits: np.ndarray,
    curve: np.ndarray,
) -> Row:
    """What a row says of ``logits`` (B, O), where software has ``software``.

    Parameters
    ----------
    labels
        (B,) classes, or (B, O) quantities.
    curve
        Places of a regression's points that are drawn.
    """

    if spec.targets is not None:
        row = row_of(spec.targets, labels, software.logits, logits)
        if len(curve):
            row["curve"] = spec.targets.values(logits)[curve, 0].tolist()
        return row
    circuit = logits.argmax(axis=1)
    right = int((circuit == labels).sum())
    error = logits - software.logits
    gain, offset = software.regression.of(logits)
    known = np.isfinite(gain)  # not of a column in which software's logits do not differ
    return {
        "correct": right,
        "accuracy": right / len(labels),
        "agreement": float((circuit == software.classes).mean()),
        "max_abs_logit_error": float(np.abs(error).max()),
        "rms_logit_error": float(np.sqrt(np.mean(error**2))),
        "gain_mean": mean(gain[known]),
        "offset_mean": mean(offset[known]),
        "gain": [g if k else None for g, k in zip(gain.tolist(), known, strict=True)],
        "offset": [o if k else None for o, k in zip(offset.tolist(), known, strict=True)],
    }
