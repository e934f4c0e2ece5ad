# pyright: strict
"""Circuits and chips in the twin, layer by layer.

Axes: n images, W held values, O outputs of a layer, of all circuits and positions that are of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.circuit import Circuit, Link
from ..compiler.converters import driven
from ..compiler.spice_cells import TEMPERATURE_C
from ..engines.arithmetic import BLOCK

Values = npt.NDArray[Any]


def twin_layers(
    circuit: Circuit, volts: Values, index: Values, temp_c: float = TEMPERATURE_C
) -> tuple[dict[int, Values], dict[int, Values]]:
    """What each layer of a circuit, or of a chip, gives in the twin.

    Parameters
    ----------
    circuit
        All of whose cells have closed forms.
    volts, index
        (n, W) that the first inputs' DACs are to give, and the images' positions (n,).
    temp_c
        Degrees Celsius.

    Returns
    -------
    dict, dict
        By layer: outputs (n, O) in software's unit, as they are before converters; and volts per
        unit (O,).

    Raises
    ------
    SimulationError
        If a cell has no closed form.
    """
    from ..engines.twin import Twin, one_torch_thread
    from ..engines.twin_inputs import prepared

    parts: dict[int, list[Values]] = {}
    units: dict[int, list[Values]] = {}
    positions: dict[int, int] = {}

    def evaluate(link: Link, points: Values, numbers: Values) -> Values:
        given = driven(link.design, points, numbers, temp_c)
        with one_torch_thread:
            outputs = Twin([link.design], temp_c).stage_volts(prepared(given), numbers, BLOCK)
        for k, (stage, out) in enumerate(zip(link.design.stages, outputs, strict=True)):
            layer = link.section.first + k
            parts.setdefault(layer, []).append(out / stage.unit)
            units.setdefault(layer, []).append(stage.unit)
            positions[layer] = link.section.positions
        return outputs[-1] / link.design.v_per_logit

    circuit.run(volts, index, evaluate, temp_c)
    found = {k: np.concatenate(p, axis=1).reshape(len(volts), -1) for k, p in parts.items()}
    return found, {k: np.tile(np.concatenate(u), positions[k]) for k, u in units.items()}
