"""What a macro-model misses: a simulator with the cell itself against the twin, layer by layer.

Axes: n images, O outputs of a layer, of all circuits and positions that are of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..compiler.circuit import Circuit
from ..compiler.closed_form import macro_models, require_closed_form
from ..engines.chip_engines import chain_logits
from ..engines.twin_engine import TwinEngine
from ..errors import SimulationError
from ..intervals import student, wilson
from .layers import twin_layers

METHOD = "95 % over images, of all chips together: mean squares by Student's t, classes by Wilson"


def macro_error(
    circuit: Circuit,
    volts: np.ndarray,
    index: np.ndarray,
    given: Mapping[int, np.ndarray],
    *,
    classes: bool,
) -> dict[str, Any] | None:
    """How far a simulator is from the macro-model of a ``circuit``; None where it has none, or
    something else in it has no closed form.

    Parameters
    ----------
    volts, index
        (n, W) at the first inputs, and the images' positions.
    given
        By layer, what the simulator gave: (n, O) in software's unit, logits last.
    classes
        Whether the logits tell classes.
    """
    of = macro_models(circuit.hardware)
    try:
        require_closed_form(circuit)
    except SimulationError:
        return None
    if not of:
        return None
    twin, units = twin_layers(circuit, volts, index)
    last = max(twin)
    return {
        "of": of,
        "gain": circuit.hardware.opamp_gain_used,
        "layers": [_layer(k, twin[k], given[k], units[k], index) for k in sorted(twin)],
        **(agreement(_same(twin[last], given[last]), len(index)) if classes else {}),
        "intervals": METHOD,
    }


def _layer(
    layer: int, twin: np.ndarray, given: np.ndarray, unit: np.ndarray, index: np.ndarray
) -> dict[str, Any]:
    """The error of one layer's outputs (n, O), in volts and as shares of full scale."""
    off = np.abs(given - twin) * unit
    squares = (off**2).mean(axis=1)
    pair = student(squares, least=0.0, skewed=True)
    i, o = (int(at) for at in np.unravel_index(off.argmax(), off.shape))
    full, rms = float(np.abs(twin * unit).max()), float(np.sqrt(squares.mean()))
    within = None if pair is None else tuple(float(np.sqrt(end)) for end in pair)
    return {
        "layer": layer,
        "outputs": off.shape[1],
        "full_scale_volts": full,
        "rms_volts": rms,
        "rms_volts_ci95": within,
        "rms_share": rms / full if full else None,
        "rms_share_ci95": tuple(end / full for end in within) if within and full else None,
        "max_volts": float(off[i, o]),
        "max_share": float(off[i, o]) / full if full else None,
        "image": int(index[i]),
        "output": o,
    }


def agreement(same: int, n: int) -> dict[str, Any]:
    """Of ``n`` images twin and simulator put ``same`` into one class."""
    return {"agreement": same / n, "agreement_ci95": wilson(same, n), "agreement_n": n}


def chip_agreement(
    chip: Circuit, volts: np.ndarray, index: np.ndarray, temp_c: float, given: np.ndarray
) -> float:
    """Share of the images that a chip's twin puts into the class that ``given`` (n, O) tells."""
    twin = chain_logits(TwinEngine(), chip, volts, index, temp_c)
    return _same(twin, given) / len(index)


def _same(twin: np.ndarray, given: np.ndarray) -> int:
    """How many images (n, O) are in the same class."""
    return int((twin.argmax(axis=1) == given.argmax(axis=1)).sum())
