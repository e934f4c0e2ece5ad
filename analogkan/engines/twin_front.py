"""The twin's norm and squash cells.

Axes: M chips, I inputs, B images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..compiler.chip import NormErrors, StageErrors
from ..compiler.front import Front, real_squash
from ..compiler.hardware import Hardware
from ..compiler.spice_cells import TEMPERATURE_C
from .traced import tensor_of

Named = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False, kw_only=True)
class RealFront:
    """What makes the fronts of M chips real at one temperature, (M, I or 1, 1) each.

    Attributes
    ----------
    ends
        Volts in series with the inputs and the outputs of the squash cells; None: none.
    params
        Parameters of theirs that are not the design's.
    norm
        Weights of the two means, gains and offsets of a LayerNorm's blocks; None: as designed.
    """

    ends: tuple[torch.Tensor, torch.Tensor] | None
    params: Named
    norm: Named | None


def real_front(
    front: Front, errors: Sequence[StageErrors | None], hardware: Hardware, temp_c: float
) -> RealFront | None:
    """That of one stage of M chips, of which all have such errors, or none."""
    found = [e.front for e in errors if e is not None and e.front is not None]
    if not found:
        return None
    squashes = [e.squash for e in found if e.squash is not None]
    norms = [e.norm for e in found if e.norm is not None]
    made = [real_squash(front, e, hardware, temp_c) for e in squashes]
    params = (
        {name: _stacked([cell.params[name] for cell in made]) for name in made[0].params}
        if made
        else {}
    )
    each = [_norm_arrays(e, temp_c - TEMPERATURE_C) for e in norms]
    return RealFront(
        ends=(_stacked([m.before for m in made]), _stacked([m.after for m in made]))
        if made
        else None,
        params=params,
        norm={name: _stacked([one[name] for one in each]) for name in each[0]} if each else None,
    )


def _stacked(arrays: Sequence[np.ndarray]) -> torch.Tensor:
    return tensor_of(np.stack(arrays))[..., None]


def _norm_arrays(e: NormErrors, dt: float) -> dict[str, np.ndarray]:
    mean, square = 1 / e.r_mean, 1 / e.r_square
    found = {"mean": mean / mean.sum(), "square": square / square.sum()}
    for name, of in (("squares", e.squares), ("core", e.core), ("outputs", e.outputs)):
        found |= {f"{name}_gain": of.gain, f"{name}_offset": of.offset_at(dt)}
    return found


def normed_volts(front: Front, y: torch.Tensor, real: RealFront | None = None) -> torch.Tensor:
    """Volts after the norm (M, I, B) for outputs ``y`` (M, I, B) of the stage before."""
    if front.norm is None:
        return y
    scale, shift = (
        torch.as_tensor(a, device=y.device)[:, None] for a in (front.norm.scale, front.norm.shift)
    )
    if real is not None and real.norm is not None:
        n = real.norm
        deviation = y - (n["mean"] * y).sum(dim=1, keepdim=True)
        squares = n["squares_gain"] * (deviation + n["squares_offset"]) ** 2
        variance = (n["square"] * squares).sum(dim=1, keepdim=True) + n["core_offset"]
        rms = n["core_gain"] / torch.sqrt(variance.clamp(min=0.0) + front.norm.eps)
        return n["outputs_gain"] * scale * (deviation + n["outputs_offset"]) * rms + shift
    deviation = y - y.mean(dim=1, keepdim=True)
    variance = (deviation**2).mean(dim=1, keepdim=True)
    return scale * deviation / torch.sqrt(variance + front.norm.eps) + shift


def squashed_volts(
    front: Front,
    y: torch.Tensor,
    hardware: Hardware,
    temp_c: float,
    real: RealFront | None = None,
) -> torch.Tensor:
    """Diode voltages (M, I, B) for volts ``y`` (M, I, B) after the norm."""
    if front.squash.kind == "none":
        return y
    kind = front.squash.cell
    assert kind.closed_form is not None  # as Twin has seen to
    scale = torch.as_tensor(front.attenuation, device=y.device)[:, None] if kind.sloped else 1.0
    params = front.params(scale, hardware)
    if real is None or real.ends is None:
        return kind.closed_form(y, params, hardware, temp_c, torch)
    before, after = real.ends
    return kind.closed_form(y + before, params | real.params, hardware, temp_c, torch) + after
