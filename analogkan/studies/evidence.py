"""What a simulation keeps beside its figures, so that a report can show it.

Axes: n images, O outputs of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..compiler import names
from ..compiler.design import Design

MOST_PAIRS = 4000
"""Hidden nodes of a layer that are kept, of all images; drawn with seed 0."""
MOST_SHOWN = 48
"""Images that are kept as pictures."""


def hidden_nets(design: Design) -> list[str]:
    """Nets of the hidden nodes, the outputs of every stage but the last."""
    stages = range(len(design.stages) - 1)
    return [net for k in stages for net in names.StageNames(design, k).outputs()]


def supply_currents(design: Design) -> list[str]:
    """Vectors of the currents into the supplies of op-amps of transistors; none without any."""
    hardware = design.hardware
    return [f"i(v_{net})" for net in hardware.supplies] if hardware.amplifier.macro else []


def supply_watts(design: Design, amperes: np.ndarray) -> np.ndarray:
    """Watts (n,) out of the supplies, of ``supply_currents`` (n, 2)."""
    rail = {"vdd": design.hardware.v_rail, "vss": -design.hardware.v_rail}
    return -amperes @ np.array([rail[net] for net in design.hardware.supplies])


def layer_evidence(
    software: Sequence[np.ndarray], hidden: Mapping[int, np.ndarray]
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """How far hidden nodes are from software's.

    Parameters
    ----------
    software
        (n, O) outputs of every layer.
    hidden
        By layer, the circuit's (n, O) in software's unit.

    Returns
    -------
    list, dict
        For each hidden layer its largest and rms error, and its largest value, in software's
        units; and samples, ``layer0_software`` and ``layer0_circuit`` (at most MOST_PAIRS,).
    """
    found, arrays = [], {}
    rng = np.random.default_rng(0)
    for k in sorted(hidden):
        wanted, circuit = software[k], hidden[k]
        error = circuit - wanted
        found.append(
            {
                "layer": k,
                "max_abs_error": float(np.abs(error).max()),
                "rms_error": float(np.sqrt(np.mean(error**2))),
                "full_scale": float(np.abs(wanted).max()),
            }
        )
        chosen = rng.permutation(wanted.size)[:MOST_PAIRS]
        arrays[f"layer{k}_software"] = wanted.ravel()[chosen]
        arrays[f"layer{k}_circuit"] = circuit.ravel()[chosen]
    return found, arrays


def telling_images(labels: np.ndarray, software: np.ndarray, circuit: np.ndarray) -> np.ndarray:
    """Positions of the images worth a look, at most MOST_SHOWN.

    First those whose class the circuit changes, then those it has wrong, then those whose two
    largest logits are closest.
    """
    answer = circuit.argmax(axis=1)
    flipped = answer != software.argmax(axis=1)
    wrong = answer != labels
    two = np.sort(circuit, axis=1)[:, -2:]
    margin = two[:, -1] - two[:, 0]
    return np.lexsort((margin, ~wrong, ~flipped))[:MOST_SHOWN]
