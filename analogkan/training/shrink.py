"""A network without what drives nothing: hidden nodes, and DACs, that have no edges left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..network.config import TDKANConfig
from ..network.encoding import Encoding
from ..network.model import TDKAN


def shrunk(model: TDKAN, encoding: Encoding) -> tuple[TDKAN, Encoding]:
    """The same function without hidden nodes that drive nothing, or that nothing drives (what they
    give is constant, and goes into biases), and without DACs that drive nothing.

    Each layer keeps a node at least. Behind a LayerNorm every node counts, so all stay.
    """
    widths = None
    while widths != model.config.sizes:  # a node that goes takes the last edges of others with it
        widths = model.config.sizes
        for k in range(1, len(model.layers)):
            if model.config.norm != "layer":
                model = _without_nodes(model, k)
    first = model.layers[0].theta.detach()
    driving = (first != 0).flatten(1).any(dim=1)
    if bool(driving.all()) or not bool(driving.any()):
        return model, encoding
    dacs = np.array(encoding.used or range(model.config.sizes[0]))[driving.numpy()]
    return _chosen(model, 0, driving), replace(encoding, used=tuple(map(int, dacs)))


@torch.no_grad()
def _without_nodes(model: TDKAN, k: int) -> TDKAN:
    """``model`` without those inputs of layer ``k`` that are of no use."""
    before, layer = model.layers[k - 1], model.layers[k]
    drives = (layer.theta != 0).flatten(1).any(dim=1)
    driven = (before.theta != 0).any(dim=2).any(dim=0)
    constant = drives & ~driven
    kept = drives & driven
    if not bool(kept.any()):
        return model
    at_rest = model.squashed(model.normed(k, before.bias[None]))
    phi = layer.basis.values(at_rest)[0]
    given = torch.einsum("id,iod->o", phi[constant], layer.theta[constant])
    layer.bias.add_(given)
    return model if bool(kept.all()) else _chosen(model, k, kept)


@torch.no_grad()
def _chosen(model: TDKAN, k: int, kept: Tensor) -> TDKAN:
    """``model`` with those inputs of layer ``k`` that are ``kept`` alone."""
    sizes = list(model.config.sizes)
    sizes[k] = int(kept.sum())
    fields = {name: getattr(model.config, name) for name in ("curves", "squash", "norm")}
    made = TDKAN(TDKANConfig(sizes=tuple(sizes), **fields)).to(model.layers[0].weight.dtype)
    for j, (old, new) in enumerate(zip(model.layers, made.layers, strict=True)):
        theta, bias = old.theta, old.bias
        theta = theta[kept] if j == k else theta
        theta, bias = (theta[:, kept], bias[kept]) if j == k - 1 else (theta, bias)
        new.theta.copy_(theta)
        new.bias.copy_(bias)
    for j, (old, new) in enumerate(zip(model.norms, made.norms, strict=True)):
        new.eps = old.eps
        state = old.state_dict()
        chosen = {n: v[kept] if j == k - 1 and v.ndim else v for n, v in state.items()}
        new.load_state_dict(chosen)
    return made.eval()
