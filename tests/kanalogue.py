"""A stand-in for KANalogue's flat networks: the same keys, shapes and arithmetic, our own code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from analogkan.devices import IVCurve

Basis = Callable[[np.ndarray], np.ndarray]
SQUASHES: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "clamp:0:1.25": lambda x: x.clamp(0.0, 1.25),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


class Layer(nn.Module):
    """y_o = sum_i sum_d coeffs[i, o, d] current_d(squash(x_i)) + bias_o, float64."""

    def __init__(self, n_in: int, n_out: int, basis: Sequence[Basis], squash: str) -> None:
        super().__init__()
        self.basis, self.squash = basis, SQUASHES[squash]
        shape = (n_in, n_out, len(basis))
        self.coeffs = nn.Parameter(torch.zeros(shape, dtype=torch.float64))
        self.bias = nn.Parameter(torch.zeros(n_out, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        v = self.squash(x).detach().numpy()
        currents = torch.tensor(np.stack([current(v) for current in self.basis], axis=-1))
        return torch.tensordot(currents, self.coeffs.permute(0, 2, 1), dims=2) + self.bias


class Net(nn.Module):
    """Layers with a norm after each but the last, under the name ``net``."""

    def __init__(
        self, sizes: Sequence[int], basis: Sequence[Basis], *, squash: str, norm: str
    ) -> None:
        super().__init__()
        norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        parts: list[nn.Module] = []
        for k, (n_in, n_out) in enumerate(pairwise(sizes)):
            if k and norm in norms:
                parts.append(norms[norm](n_in).double())
            parts.append(Layer(n_in, n_out, basis, squash))
        self.net = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.flatten(1).double())


def pwl(curve: IVCurve, unit: float = 1e-6) -> Basis:
    """The lines through a table's points, in ``unit`` amperes, flat outside."""
    return lambda v: np.interp(v, curve.v, curve.i / unit)


def line(v: np.ndarray, i_ua: np.ndarray) -> Basis:
    """KANalogue's ``line`` fit of a table: a segment's rise is divided by its width plus 1e-12."""
    slopes = np.diff(i_ua) / (np.diff(v) + 1e-12)

    def current(x: np.ndarray) -> np.ndarray:
        x = np.clip(x, v[0], v[-1])
        k = np.clip(np.searchsorted(v, x, side="right") - 1, 0, len(slopes) - 1)
        return i_ua[k] + slopes[k] * (x - v[k])

    return current


def random_net(
    sizes: Sequence[int], basis: Sequence[Basis], *, squash: str, norm: str, seed: int = 0
) -> Net:
    """A network in evaluation mode whose every tensor is random; hidden values are around 0.5."""
    net = Net(sizes, basis, squash=squash, norm=norm)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, tensor in net.state_dict().items():
            if key.endswith("coeffs"):
                tensor.normal_(0.0, (0.3 * tensor[:, 0].numel()) ** -0.5, generator=generator)
            elif tensor.is_floating_point():
                tensor.uniform_(0.1, 1.0, generator=generator)
    return net.eval()
