# pyright: strict
"""The least energy that a topology can have, whatever its bandwidths and conductances are.

An op-amp of gain-bandwidth product GBW needs the current n 2 pi GBW C / (gm / I_d), and behind a
noise gain N it settles with the time constant N / (2 pi GBW): their product, in which GBW is gone,
is a charge q N for each time constant. b bits of a full step take ln(2^(b + 1)) of them, and no
amplifier can be off while a later one settles:

    E >= 2 V_rail ln(2^(b + 1)) sum over op-amps of q N,  q = n C / (gm / I_d).

A row has N = 1 at least. n_l lines and the n_d differences behind them share a product
P = r_c sum(g) gain that the network asks for, whose best split makes their sum
q_l n_l + q_d n_d + 2 sqrt(q_l n_l q_d n_d P). In a summing read-out r_f is what the network asks
for, and the two amplifiers of an output have at least
q_l + q_d (1 + r_f sum(g+)) + 2 sqrt(q_l q_d r_f sum(g-)). Currents in resistors come on top, and go
with their conductances.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.circuit import Circuit
from ..compiler.design import CrossbarStage
from ..physics.assumptions import Assumptions
from ..physics.supply import least_quiescent

Values = npt.NDArray[Any]


def charge(stage: CrossbarStage, assumed: Assumptions) -> float:
    """Coulombs that a stage's op-amps need at least for each of their time constants."""
    of_row, of_line, of_output = (
        least_quiescent(1 / (2 * math.pi), assumed, block)
        for block in ("rows", "lines", "differences")
    )
    rows, outputs = of_row * int(stage.kept.sum()), of_output * stage.gain.size
    g: Values = stage.g.sum(axis=0)
    if not stage.readout.differences:
        r_f: Values = stage.r_c[0::2]
        both = 2 * np.sqrt(of_line * of_output * r_f * g[1::2])
        pairs: Values = of_line + of_output * (1 + r_f * g[0::2]) + both
        return rows + float(pairs.sum())
    lines = of_line * 2 * stage.gain.size
    product = float((stage.r_c * g).mean()) * float(stage.gain.mean())
    return rows + lines + outputs + 2 * math.sqrt(lines * outputs * product)


def floor_energy(circuit: Circuit, assumed: Assumptions) -> float:
    """Joules of an inference that the op-amps of ``circuit`` need at least.

    Of a convolution, whose positions take their time one after the other, so many times its own.
    """
    decays = math.log(2.0 ** (assumed.bits + 1))
    total = sum(
        link.section.positions * sum(charge(stage, assumed) for stage in link.design.stages)
        for link in circuit.links
    )
    return 2 * circuit.hardware.v_rail * decays * total
