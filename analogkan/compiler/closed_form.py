"""What the cells' equations solve to at DC, with every error of an op-amp.

Written with operators alone, so that the same lines serve numpy arrays and torch tensors. ``gain``
is the open-loop gain A of the op-amp at hand, ``offset`` its offset in volts; a difference
amplifier's closed-loop gain is ``ratio``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..cells import DIODE
from ..devices import IVCurve
from ..devices.thermal import table_at
from ..errors import SimulationError
from .chip import RAMP_VOLTS

if TYPE_CHECKING:  # design brings more with it than these equations need
    from .circuit import Circuit
    from .design import Design
    from .hardware import Hardware


def require_closed_form(circuit: Design | Circuit) -> None:
    """Raise SimulationError, by its name, if something in ``circuit`` has none."""
    _ = circuit.hardware.opamp_gain_used
    for stage in circuit.stages:
        kind = stage.front.squash.cell if stage.front.squash.kind != "none" else None
        if kind is not None and kind.closed_form is None:
            raise SimulationError(
                f"the twin has no closed form of the cell {kind.name}: let ngspice simulate it"
            )


def macro_models(hardware: Hardware) -> str:
    """Of what the closed form of circuits of ``hardware`` has only a macro-model, in words; empty:
    of nothing."""
    opamps = dict.fromkeys(hardware.opamps.values()) if hardware.amplifier.macro else ()
    found = [f"the op-amp {name}" for name in opamps]
    found += [] if hardware.transistor is None else [f"the transistor {hardware.npn}"]
    places = hardware.libraries
    found += [f"the diode {at.removeprefix(DIODE)}" for at in places if at.startswith(DIODE)]
    return " and ".join(found)


def why_no_verdict(hardware: Hardware) -> str:
    """Why the closed form of circuits of ``hardware`` is no verdict on a simulator; empty: it is
    one."""
    of = macro_models(hardware)
    return of and f"the closed form has a macro-model of {of}, whose error is a result"


def shifted(v: Any, k_v: Any, d_v: Any) -> Any:
    """Volts at which a diode of voltage factor ``k_v`` and shift ``d_v`` is its type's at ``v``."""
    return k_v * v + d_v * (v / RAMP_VOLTS).clip(0, 1)


def row_volts(current: Any, r_f: Any, gain: Any, offset: Any) -> Any:
    """Output of a row amplifier whose diode carries ``current`` amperes.

    (s - out) / r_f = current and out = A (offset - s), s being the summing node.
    """
    return (offset - r_f * current) * gain / (1 + gain)


def summing_volts(out: Any, gain: Any, offset: Any) -> Any:
    """The summing node of an amplifier at ``out`` volts."""
    return offset - out / gain


def line_ohms(g_sum: Any, r_c: Any, gain: Any) -> Any:
    """Volts that a line amplifier gives for an ampere into its summing node, as a positive number.

    ``g_sum`` siemens is all that hangs on the node beside the feedback ``r_c``.
    """
    return 1 / (1 / r_c + (g_sum + 1 / r_c) / gain)


def line_volts(current: Any, g_sum: Any, r_c: Any, gain: Any, offset: Any) -> Any:
    """Output of a line amplifier; ``current`` is sum g v of its rows, and any noise."""
    return (offset * (g_sum + 1 / r_c) - current) * line_ohms(g_sum, r_c, gain)


def wired_line_volts(
    current: Any,
    feet: Any,
    r_c: Any,
    gain: Any,
    offset: Any,
    linalg: Any,
    diagonal: Any,
    between: Any = 0.0,
) -> Any:
    """Outputs (..., L, n) of line amplifiers whose summing nodes see each other through wires.

    ``current`` (..., L, n), ``feet`` (..., L, L) the admittance matrix of the summing nodes, the
    rest (..., L). ``linalg`` and ``diagonal`` are numpy's or torch's. ``between`` (..., L, L) are
    amperes into a summing node per volt at a line's output, other than through its feedback.
    """
    matrix = feet / gain[..., None, :] + diagonal((1 + 1 / gain) / r_c) + between
    v = offset[..., None]
    return linalg.solve(matrix, feet @ v + v / r_c[..., None] - current)


def difference_volts(p: Any, n: Any, ratio: Any, gain: Any, offset: Any) -> Any:
    """Output of the four-resistor difference amplifier for inputs ``p`` and ``n`` volts."""
    return ((p - n) * ratio + offset * (1 + ratio)) * gain / (1 + ratio + gain)


def drifted(tc1: Any, tc2: float, dt: Any) -> Any:
    """Factor of a resistance ``dt`` kelvins above 26.85 degC."""
    return 1 + tc1 * dt + tc2 * dt * dt


def nominal_table(
    curve: IVCurve, hardware: Hardware, temp_c: float
) -> tuple[np.ndarray, np.ndarray]:
    """Volts and amperes (K,) of a device by the law that it follows; ``curve`` is a design's,
    which has tables at temperatures where they are its law."""
    law = {}
    if not curve.temperatures:
        law = {"tc_current": hardware.diode_tc_current, "tc_voltage": hardware.diode_tc_voltage}
    return table_at(curve, temp_c, **law)
