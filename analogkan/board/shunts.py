# pyright: strict
"""Resistors across diodes: what a diode is without its own, and which one would hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..compiler.series import E12
from ..devices import IVCurve
from ..errors import CompileError
from . import bench
from .bench import kick
from .feedback import choose_c_f, one_pole, slope_range, with_choices
from .loop import Node
from .still import grows, steepest_volts

LEAST = 1e-3
"""Of the peak's current: what a table may lack beside a shunt's, for noise; assumed."""
SERIES = tuple(float(f"{value}e{power - 1}") for power in range(1, 6) for value in E12)
"""Ohms, 10 ohm to 820 kohm: shunts that are tried."""
SHARE = 0.1
"""Of ``|g_d|``: a shunt of less conductance changes nothing, and is not tried."""
RESERVE = 0.5
"""Of the swing allowed: a network that is trained with the shunt has other gains; assumed."""


def without_shunts(curves: Sequence[IVCurve], ohms: float) -> list[IVCurve]:
    """The diodes of ``curves`` that were measured with ``ohms`` across each; 0: none.

    Raises
    ------
    CompileError
        If a curve has less current than the shunt alone.
    """
    if not ohms:
        return list(curves)
    found = [IVCurve(curve.name, curve.v, curve.i - curve.v / ohms) for curve in curves]
    for curve, own in zip(curves, found, strict=True):
        short = own.i * own.v < -LEAST * curve.i_peak * np.abs(own.v)
        if short.any():
            at = int(short.argmax())
            raise CompileError(
                f"shunt = {ohms:g} ohm takes {1e3 * own.v[at] / ohms:.3g} mA at {own.v[at]:.3g} V, "
                f"and the table of {curve.name} has {1e3 * curve.i[at]:.3g} mA there: import the "
                "diode with the shunt across it, and train with that"
            )
    return found


def holding_shunt(stages: Sequence[Sequence[Node]], g_d_sigma: float, judge: bool) -> float | None:
    """The largest E12 value with which every stage's nodes stay put, ohms; None: none does.

    Parameters
    ----------
    stages
        The nodes of each; smaller values than their own shunt are tried.
    g_d_sigma
        Relative uncertainty of ``|g_d|``.
    judge
        Kick each diode in ``.tran`` too, where it falls most steeply.
    """
    fall = max(slope_range(row.curve)[0] for nodes in stages for row in nodes[0].rows)
    most = min(stages[0][0].parasitics.shunt or np.inf, 1 / (SHARE * fall) if fall else 0.0)
    for ohms in (ohms for ohms in reversed(SERIES) if ohms < most):
        found = [_held(nodes, ohms, g_d_sigma) for nodes in stages]
        if all(found) and not (judge and any(_swings(nodes[0], g_d_sigma) for nodes in found)):
            return ohms
    return None


def _held(nodes: Sequence[Node], ohms: float, g_d_sigma: float) -> list[Node]:
    """A stage's nodes with a shunt, and the best capacitors; empty if their poles do not decay."""
    shunted = [_with_shunt(node, ohms) for node in nodes]
    choices = [choose_c_f(shunted, d) for d in range(len(shunted[0].rows))]
    if min(choice.slope_margin for choice in choices) < 1 + g_d_sigma:
        return []
    shunted = [with_choices(node, choices) for node in shunted]
    return [] if any(grows(node, g_d_sigma) for node in shunted) else shunted


def _swings(node: Node, g_d_sigma: float) -> bool:
    """Whether ``.tran`` sees a diode move by half of what it may, where it falls most steeply."""
    scale = 1 + g_d_sigma
    return any(
        swing.diode > RESERVE * bench.ALLOWED
        for row in node.rows
        for swing in kick(node, steepest_volts(row.curve) / scale, scale)
    )


def _with_shunt(node: Node, ohms: float) -> Node:
    """``node`` with another shunt, and the feedback that full scale leaves for its current."""
    had = node.parasitics.shunt
    rows = [
        replace(row, r_f=row.r_f * _largest(row.curve, had) / _largest(row.curve, ohms))
        for row in node.rows
    ]
    rows = [replace(row, c_f=one_pole(row.curve, row.r_f, node.opamp)) for row in rows]
    return replace(node, rows=tuple(rows), parasitics=replace(node.parasitics, shunt=ohms))


def _largest(curve: IVCurve, ohms: float) -> float:
    """Amperes of a diode and the shunt across it, 0: none, over the diode's table."""
    return float(np.abs(curve.i + (curve.v / ohms if ohms else 0.0)).max())


def shunt_cure(stages: Sequence[Sequence[Node]], g_d_sigma: float, judge: bool) -> str:
    """What a shunt would do for a board that does not stay put, and what it costs."""
    ohms = holding_shunt(stages, g_d_sigma, judge)
    if ohms is None:
        return f"diodes of less |g_d|: no shunt down to {SERIES[0]:g} ohm holds these"
    opamp = stages[0][0].opamp
    curves = [row.curve for nodes in stages for row in nodes[0].rows]
    curve = max(curves, key=lambda one: _largest(one, ohms))
    end = float(curve.v[np.abs(curve.v).argmax()])
    said = (
        f"a shunt of {ohms:g} ohm across each diode, the largest E12 value that holds: measure, "
        f"import and train with it, then give --shunt {ohms:g}; it adds "
        f"{1e3 * end / ohms:.3g} mA at {end:.3g} V, where the table ends"
    )
    row = _largest(curve, ohms)
    if row > opamp.i_out:
        said += (
            f", {1e3 * row:.3g} mA in all, and the op-amp delivers {1e3 * opamp.i_out:g}: end the "
            "sweeps at the volts in use"
        )
    return said
