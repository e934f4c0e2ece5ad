"""A falling diode of 16 mS behind op-amps of several classes, on several layouts.

Which row amplifiers hold it by their poles, with the C_f of the one-pole rule and with the best of
the E12 series, and how far it swings in ``.tran``, at the diode and at the output.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from analogkan.board.amplifiers import BoardOpAmp, load_opamp, opamp_classes
from analogkan.board.bench import kick, steeper
from analogkan.board.feedback import choose_c_f
from analogkan.board.loop import Node, Row
from analogkan.board.parasitics import Parasitics
from analogkan.compiler.stability import RATIO, smallest_c_f, steepest_fall
from analogkan.devices import get

FALL, R_F = 16e-3, 560.0
BARE = Parasitics(snubber_r=0, snubber_c=0)
LAYOUTS = {
    "an ideal source": replace(BARE, ideal_driver=True),
    "an op-amp": BARE,
    "22 ohm + 1 nF": Parasitics(snubber_r=22, snubber_c=1e-9),
    "2 ohm + 2 nF": Parasitics(snubber_r=2, snubber_c=2e-9),
    "2 ohm + 2 nF, 47 ohm across": Parasitics(snubber_r=2, snubber_c=2e-9, shunt=47),
}


def node(opamp: BoardOpAmp, parasitics: Parasitics) -> Node:
    """AI301A with its steepest part at 16 mS, and the one-pole rule's C_f."""
    measured = get("AI301A")
    curve = steeper(measured, FALL / steepest_fall(measured, -math.inf, math.inf))
    c_f = RATIO * smallest_c_f(FALL, R_F, opamp.gbw)
    return Node(opamp=opamp, parasitics=parasitics, rows=(Row(curve=curve, r_f=R_F, c_f=c_f),))


def told(of: Node) -> str:
    """What the node does in the middle of the steepest part."""
    curve = of.rows[0].curve
    steepest = int((np.diff(curve.i) / np.diff(curve.v)).argmin())
    (swing,) = kick(of, float(curve.v[steepest : steepest + 2].mean()))
    fastest = max(of.poles(np.array([[-FALL]]))[0], key=lambda pole: pole.real)
    poles = "decay" if fastest.real < 0 else f"grow, {abs(fastest.imag) / 2e6 / math.pi:.3g} MHz"
    wrong = 100 * abs(swing.mean / swing.wanted - 1)
    return (
        f"poles {poles} | {1e3 * swing.diode:.2g} mVpp | {1e3 * swing.output:.2g} mVpp | "
        f"{wrong:.2g} %"
    )


def main() -> None:
    print("class | node | one-pole C_f | poles | diode | output | mean off | best C_f, holds to")
    for name in opamp_classes():
        for layout, parasitics in LAYOUTS.items():
            of = node(load_opamp(name), parasitics)
            best = choose_c_f([of], 0)
            rule, c_f = 1e12 * of.rows[0].c_f, 1e12 * best.c_f
            print(
                f"{name} | {layout} | {rule:.4g} pF | {told(of)} | {c_f:.4g} pF, "
                f"{best.slope_margin:.3g} |g_d|"
            )
    stiff = replace(load_opamp("10mhz-30ohm"), r_o=0.1)
    long = replace(BARE, ideal_driver=True, lead=15e-9)
    print(f"10 MHz, r_o = 0.1 ohm | an ideal source, lead 15 nH | {told(node(stiff, long))}")
