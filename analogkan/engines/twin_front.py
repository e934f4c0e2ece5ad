"""The twin's norm and squash cells, transistor pairs among them.

Axes: M chips, I inputs, B images.
"""

from __future__ import annotations

import math

import torch

from ..compiler.front import Front
from ..compiler.hardware import Hardware
from ..compiler.spice_cells import NPN_IS, TEMPERATURE_C

BOLTZMANN_OVER_CHARGE = 1.38064852e-23 / 1.6021766208e-19
"""k_B / q as ngspice has it (CODATA 2014): the 2018 value moves logits by 3e-7 of full scale."""
LIMIT_VOLTS = 0.8
"""Where the cells' attenuators limit the voltage between a pair's bases."""
BASE_VOLTS = -1.0
"""At the second base; the collectors are held at 0 V."""
ROUNDS = 3
"""Of working out what the finite gain of a cell's op-amp does to its collectors: 1e-15 remains."""


def normed_volts(front: Front, y: torch.Tensor) -> torch.Tensor:
    """Volts after the norm (M, I, B) for outputs ``y`` (M, I, B) of the stage before."""
    if front.norm is None:
        return y
    deviation = y - y.mean(dim=1, keepdim=True)
    variance = (deviation**2).mean(dim=1, keepdim=True)
    scale, shift = (torch.as_tensor(a)[:, None] for a in (front.norm.scale, front.norm.shift))
    return scale * deviation / torch.sqrt(variance + front.norm.eps) + shift


def squashed_volts(
    front: Front, y: torch.Tensor, hardware: Hardware, temp_c: float
) -> torch.Tensor:
    """Diode voltages (M, I, B) for volts ``y`` (M, I, B) after the norm."""
    squash = front.squash
    if squash.kind == "none":
        return y
    if squash.kind == "clamp":
        return y.clamp(squash.v_lo, squash.v_hi)
    drive = torch.from_numpy(front.attenuation)[:, None] * y
    return pair_volts(front, drive.clamp(-LIMIT_VOLTS, LIMIT_VOLTS), hardware, temp_c)


def saturation_current(temp_c: float) -> float:
    """Of the pairs' transistors, amperes, as ngspice scales it with its default EG, XTI and BR."""
    ratio = (temp_c + 273.15) / (TEMPERATURE_C + 273.15)
    v_t = (temp_c + 273.15) * BOLTZMANN_OVER_CHARGE
    return NPN_IS * ratio**3 * math.exp((ratio - 1) * 1.11 / v_t)


def pair_volts(
    front: Front, drive: torch.Tensor, hardware: Hardware, temp_c: float
) -> torch.Tensor:
    """Output of the sigmoid or tanh cell for ``drive`` volts between its bases (any shape).

    Both transistors, Gummel and Poon's with a current gain and an Early voltage, see one emitter:
    their transport currents are in the ratio exp(V_d / V_T), and collector and base currents
    together are the tail's. Junction leakage (1e-16 A of 1e-5) is left out.
    """
    v_t = (temp_c + 273.15) * BOLTZMANN_OVER_CHARGE
    leak = saturation_current(temp_c)
    a, squash = hardware.opamp_gain_used, front.squash
    tanh = squash.kind == "tanh"
    ratio = torch.exp(drive / v_t)
    first, second = torch.zeros_like(drive), torch.zeros_like(drive)  # collectors, volts
    out = torch.zeros_like(drive)
    for _ in range(ROUNDS):
        early_1 = 1 - (BASE_VOLTS + drive - first) / hardware.npn_vaf
        early_2 = 1 - (BASE_VOLTS - second) / hardware.npn_vaf
        base = 1 / hardware.npn_bf
        tail = hardware.i_tail + 2 * leak * base
        transport = tail / (ratio * (early_1 + base) + early_2 + base)
        out = front.r_load * (transport * ratio * early_1 + leak)
        if tanh:
            other = front.r_load * (transport * early_2 + leak) / (1 + 1 / a)
            out = (out + 0.5 * (squash.v_lo + squash.v_hi) - other) / (1 + 2 / a)
            second = -other / a
        else:
            out = (out + squash.v_lo) / (1 + 1 / a)
        first = -out / a
    return out
