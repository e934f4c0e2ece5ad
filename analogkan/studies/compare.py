"""Software and circuit side by side: accuracies, their paired difference, logits, flips."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.images import check_outputs
from ..intervals import paired_difference, wilson


def compare(
    labels: np.ndarray, index: np.ndarray, software: np.ndarray, circuit: np.ndarray | None
) -> dict[str, Any]:
    """The figures of a comparison, as they stand in the JSON document.

    Parameters
    ----------
    labels, index
        (n,) classes, and positions in the data set.
    software, circuit
        (n, O) logits; the second None where no circuit was simulated.

    Raises
    ------
    DataError
        If there is one output: its accuracy would be 100 % whatever it is.

    Returns
    -------
    dict
        Accuracies are shares of 1. ``logit_full_scale`` is the largest |software logit|, the unit
        of every error "of full scale". ``flipped`` lists the images whose class differs.
    """
    check_outputs(software.shape[1])
    n = len(labels)
    software_class = software.argmax(axis=1)
    software_right = software_class == labels
    result: dict[str, Any] = {
        "n": n,
        "software_accuracy": float(software_right.mean()),
        "software_ci95": wilson(int(software_right.sum()), n),
        "logit_full_scale": float(np.abs(software).max()),
    }
    if circuit is None:
        return result | dict.fromkeys(
            (
                "circuit_accuracy",
                "circuit_ci95",
                "delta",
                "delta_ci95",
                "agreement",
                "max_abs_logit_error",
                "rms_logit_error",
                "flipped",
            )
        )
    circuit_class = circuit.argmax(axis=1)
    circuit_right = circuit_class == labels
    error = circuit - software
    return result | {
        "circuit_accuracy": float(circuit_right.mean()),
        "circuit_ci95": wilson(int(circuit_right.sum()), n),
        "delta": float(circuit_right.mean() - software_right.mean()),
        "delta_ci95": paired_difference(software_right, circuit_right),
        "agreement": float((circuit_class == software_class).mean()),
        "max_abs_logit_error": float(np.abs(error).max()),
        "rms_logit_error": float(np.sqrt(np.mean(error**2))),
        "flipped": [
            {
                "image": int(index[k]),
                "label": int(labels[k]),
                "software": int(software_class[k]),
                "circuit": int(circuit_class[k]),
            }
            for k in np.flatnonzero(circuit_class != software_class)
        ],
    }
