# pyright: strict
"""The least energy that a topology can have, whatever its bandwidths and conductances are.

An op-amp of gain-bandwidth product GBW needs the current n 2 pi GBW C / (gm / I_d), and behind a
noise gain N it settles with the time constant N / (2 pi GBW): their product, in which GBW is gone,
is a charge for each time constant. b bits of a full step take ln(2^(b + 1)) of them, and no
amplifier can be off while a later one settles:

    E >= (n C / (gm / I_d)) 2 V_rail ln(2^(b + 1)) sum over op-amps of N.

A row has N = 1 at least. A line and the difference behind it share a product P = r_c sum(g) gain
that the network asks for, whose best split makes their sum n_l + n_d + 2 sqrt(n_l n_d P). In a
summing read-out r_f is what the network asks for, and the two amplifiers of an output have at least
2 + r_f sum(g+) + 2 sqrt(r_f sum(g-)). Currents in resistors come on top, and go with their
conductances.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.circuit import Circuit
from ..compiler.design import CrossbarStage
from ..physics.assumptions import Assumptions

Values = npt.NDArray[Any]


def noise_gains(stage: CrossbarStage) -> float:
    """The least sum of noise gains over a stage's op-amps."""
    rows, outputs = int(stage.kept.sum()), stage.gain.size
    g: Values = stage.g.sum(axis=0)
    if not stage.readout.differences:
        r_f: Values = stage.r_c[0::2]
        pairs: Values = 2 + r_f * g[0::2] + 2 * np.sqrt(r_f * g[1::2])
        return rows + float(pairs.sum())
    lines = 2 * outputs
    product = float((stage.r_c * g).sum()) / lines * float(stage.gain.sum()) / outputs
    return rows + lines + outputs + 2 * math.sqrt(lines * outputs * product)


def floor_energy(circuit: Circuit, assumed: Assumptions) -> float:
    """Joules of an inference that the op-amps of ``circuit`` need at least.

    Of a convolution, whose positions take their time one after the other, so many times its own.
    """
    charge = assumed.branches * assumed.c_load / assumed.gm_id
    decays = math.log(2.0 ** (assumed.bits + 1))
    total = sum(
        link.section.positions * sum(map(noise_gains, link.design.stages)) for link in circuit.links
    )
    return charge * 2 * circuit.hardware.v_rail * decays * total
