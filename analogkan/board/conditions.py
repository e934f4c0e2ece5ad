# pyright: strict
"""Why an op-amp cannot hold a diode, in a sentence: the condition, its value, its limit."""

from __future__ import annotations

from .feedback import WIDEST, Choice, slope_range
from .loop import Node


def open_loop_ohms(node: Node) -> float:
    """What a diode is in series with above the op-amps' bandwidth, where no loop helps: the output
    resistances of driver, beside a snubber, and row amplifier."""
    p, ohms = node.parasitics, node.opamp.r_o
    driver = 0.0 if p.ideal_driver else ohms
    if driver and p.snubber_r:
        driver = driver * p.snubber_r / (driver + p.snubber_r)
    return driver + ohms


def broken_condition(node: Node, d: int, best: Choice, g_d_sigma: float) -> str:
    """What keeps diode ``d`` of ``node`` from staying put, and what to do but for a shunt.

    ``best`` is the best that a feedback capacitor can do, of ``1 + g_d_sigma`` that is wanted.
    """
    p, opamp = node.parasitics, node.opamp
    row = node.rows[d]
    fall = slope_range(row.curve)[0]
    steep = (1 + g_d_sigma) * fall - (1 / p.shunt if p.shunt else 0.0)
    ohms = open_loop_ohms(node)
    said = (
        f"op-amp {opamp.name} cannot hold {row.curve.name} (|g_d| {1e3 * fall:.3g} mS +- "
        f"{100 * g_d_sigma:g} %, r_f {row.r_f:.4g} ohm): "
    )
    if ohms * steep >= 1:
        return said + (
            f"above its GBW of {opamp.gbw / 1e6:g} MHz the loop is {ohms:.3g} ohm, its open-loop "
            f"r_o of {opamp.r_o:g} ohm in it, and times the largest |g_d| that is "
            f"{ohms * steep:.3g}, which must be below 1: take an op-amp of less than "
            f"{_largest_r_o(node, steep):.3g} ohm (--opamp)"
        )
    longest = ohms * p.c_j / steep if steep > 0 else p.lead
    if p.lead > longest:
        return said + (
            f"lead = {1e9 * p.lead:.3g} nH is above r c_j / |g_d| = {1e9 * longest:.3g} nH for "
            f"the loop's {ohms:.3g} ohm: shorten the lead"
        )
    return said + (
        f"no c_f of the E12 series holds it to {1 + g_d_sigma:g} |g_d|, of values up to "
        f"{WIDEST:g} times the one-pole rule's; the best, {1e12 * best.c_f:.4g} pF, holds it to "
        f"{best.slope_margin:.3g}: take an op-amp of more bandwidth or less r_o (--opamp)"
    )


def _largest_r_o(node: Node, steep: float) -> float:
    """Ohms of r_o at which the loop's resistance times ``steep`` siemens is 1."""
    p, budget = node.parasitics, 1 / steep
    if p.ideal_driver:
        return budget
    if not p.snubber_r:
        return budget / 2
    # r + r s / (r + s) = budget, for r
    half = (2 * p.snubber_r - budget) / 2
    return -half + (half**2 + budget * p.snubber_r) ** 0.5
