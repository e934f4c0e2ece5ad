"""A network in training as the compiler maps it: BatchNorm folded away, differentiably.

Axes: B batch, I inputs, O outputs, D diodes per input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..network.encoding import Encoding
from ..network.model import TDKAN
from ..network.spec import LayerSpec, NetworkSpec
from ..network.squash import Norm


@dataclass(frozen=True, eq=False)
class FoldedLayer:
    """A layer as the compiler maps it, BatchNorm folded away.

    Attributes
    ----------
    weight, bias
        (O, I D) with d fastest, and (O,).
    norm
        Scale and shift, (I,) each, of a LayerNorm before it; or None.
    """

    weight: Tensor
    bias: Tensor
    norm: tuple[Tensor, Tensor] | None


def folded_layers(model: TDKAN, volts: Tensor) -> list[FoldedLayer]:
    """The layers of ``model`` with BatchNorm folded into the one before it, differentiably.

    Parameters
    ----------
    volts
        (B, I): the batch whose statistics a BatchNorm in training mode takes.
    """
    found: list[FoldedLayer] = []
    of_batch = any(isinstance(n, torch.nn.BatchNorm1d) and n.training for n in model.norms)
    v = volts
    for k, layer in enumerate(model.layers):
        weight, bias, norm = layer.clipped(model.clip_sigma), layer.bias, None
        if k and len(model.norms):
            before = model.norms[k - 1]
            if isinstance(before, torch.nn.LayerNorm):
                norm = (before.weight, before.bias)
            else:
                scale, shift = _affine(before, v)
                if of_batch:
                    v = v * scale + shift
                last = found[-1]
                found[-1] = FoldedLayer(
                    last.weight * scale[:, None], last.bias * scale + shift, last.norm
                )
        found.append(FoldedLayer(weight, bias, norm))
        if of_batch and k + 1 < len(model.layers):
            v = layer(model.squashed(v), clip_sigma=model.clip_sigma)
    return found


def _affine(norm: torch.nn.BatchNorm1d, z: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift (I,) that ``norm`` is, on ``z`` (B, I) if it is in training mode."""
    if norm.training:
        mean, variance = z.mean(dim=0), z.var(dim=0, unbiased=False)
    else:
        assert norm.running_mean is not None and norm.running_var is not None
        mean, variance = norm.running_mean, norm.running_var
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def spec_of(
    model: TDKAN, layers: Sequence[FoldedLayer], encoding: Encoding, calibration: np.ndarray
) -> NetworkSpec:
    """The network as arrays, for the compiler."""
    made = []
    for k, (layer, folded) in enumerate(zip(model.layers, layers, strict=True)):
        n_in, n_out, n_dev = layer.shape
        norm = None
        if folded.norm is not None:
            scale, shift = (_array(part) for part in folded.norm)
            norm = Norm(kind="layer", scale=scale, shift=shift, eps=model.norms[k - 1].eps)
        weight = _array(folded.weight).reshape(n_out, n_in, n_dev)
        made.append(
            LayerSpec(
                theta=weight.transpose(1, 0, 2),
                bias=_array(folded.bias),
                curves=model.config.curves,
                squash=model.config.squash,
                norm=norm,
            )
        )
    return NetworkSpec(
        name="training", layers=tuple(made), encoding=encoding, calibration=calibration
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to(torch.float64).numpy()
