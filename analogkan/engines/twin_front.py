"""The twin's norm and squash cells.

Axes: M chips, I inputs, B images.
"""

from __future__ import annotations

import torch

from ..compiler.front import Front
from ..compiler.hardware import Hardware


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
    if front.squash.kind == "none":
        return y
    kind = front.squash.cell
    assert kind.closed_form is not None  # as Twin has seen to
    scale = torch.from_numpy(front.attenuation)[:, None] if kind.sloped else 1.0
    return kind.closed_form(y, front.params(scale, hardware), hardware, temp_c, torch)
