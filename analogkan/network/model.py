"""TDKAN: the network as a torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..devices import IVCurve
from .basis import PWLBasis
from .config import TDKANConfig
from .encoding import Encoding
from .patches import Patches
from .spec import NetworkSpec
from .squash import Norm
from .targets import Targets


class TDKANLayer(nn.Module):
    """y_o = sum_i sum_d theta[i, o, d] phi_d(v_i) + bias_o, as one matrix product.

    With ``patches`` at every position of a convolution, (height, width, channel) fastest last. Its
    coefficients start at zero.

    Examples
    --------
    >>> layer = ak.TDKANLayer(5, 3, ak.devices.resolve("A21,Z21"))
    >>> layer.theta.shape
    torch.Size([5, 3, 2])
    """

    def __init__(
        self, n_in: int, n_out: int, curves: Sequence[IVCurve], patches: Patches | None = None
    ) -> None:
        super().__init__()
        self.shape = (n_in, n_out, len(curves))
        self.patches = patches
        self.basis = PWLBasis(curves)
        # Stored as (O, I * D), what the product reads; `theta` is the documented view of it.
        self.weight = nn.Parameter(torch.zeros(n_out, n_in * len(curves)))
        self.bias = nn.Parameter(torch.zeros(n_out))

    @property
    def theta(self) -> Tensor:
        """Coefficients, (I, O, D): a view."""
        n_in, n_out, n_dev = self.shape
        return self.weight.view(n_out, n_in, n_dev).permute(1, 0, 2)

    def forward(self, v: Tensor, *, clip_sigma: float = 0.0) -> Tensor:
        """Outputs (B, O or P O) for diode voltages ``v`` (B, I or W).

        ``clip_sigma`` > 0 uses coefficients clipped at that many standard deviations.
        """
        weight = self.clipped(clip_sigma)
        if self.patches is None:
            return nn.functional.linear(self.basis(v), weight, self.bias)
        p = self.patches
        image = v.view(-1, p.height, p.width, p.channels)
        image = nn.functional.pad(image, (0, 0, *(4 * (p.padding,))))
        phi = self.basis.values(image).flatten(3).permute(0, 3, 1, 2)
        kernels = weight.view(self.shape[1], p.kernel, p.kernel, -1).permute(0, 3, 1, 2)
        y = nn.functional.conv2d(phi, kernels, self.bias, stride=p.stride)
        return y.permute(0, 2, 3, 1).flatten(1)

    def clipped(self, clip_sigma: float) -> Tensor:
        """The weight (O, I * D), clipped at ``clip_sigma`` standard deviations if that is > 0.

        A layer of one coefficient has no standard deviation, and is not clipped.
        """
        if not clip_sigma or self.weight.numel() < 2:
            return self.weight
        limit = clip_sigma * self.weight.detach().std()
        # A number is twice as fast on a processor; of a GPU it would have to be waited for.
        limit = float(limit) if limit.is_cpu else limit
        return self.weight.clamp(-limit, limit)


class TDKAN(nn.Module):
    """A tunnel-diode Kolmogorov-Arnold network (arXiv 2510.23638, equation 2).

    Inputs are volts, outputs logits. Hidden nodes pass norm and squash and then are the next
    layer's diode voltages. Parameters: sum I O D + sum O + 2 per normed hidden node.

    Examples
    --------
    >>> config = ak.TDKANConfig(sizes=(196, 64, 10), curves=ak.devices.resolve("A21,Z21"))
    >>> model = ak.TDKAN(config)
    >>> model.layers[0].theta.shape
    torch.Size([196, 64, 2])
    """

    layers: Sequence[TDKANLayer]  # both are nn.ModuleList, which has no element type
    norms: Sequence[nn.BatchNorm1d | nn.LayerNorm]

    def __init__(self, config: TDKANConfig) -> None:
        super().__init__()
        self.config = config
        shapes = config.shapes()
        patches = [*config.patches, *(len(shapes) - len(config.patches)) * [None]]
        self.layers = nn.ModuleList(  # type: ignore
            TDKANLayer(i, o, config.curves, p) for (i, o), p in zip(shapes, patches, strict=True)
        )
        kinds = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        hidden = shapes[:-1] if config.norm in kinds else ()
        self.norms = nn.ModuleList(kinds[config.norm](o) for _, o in hidden)  # type: ignore
        self.clip_sigma = 0.0

    def squashed(self, v: Tensor) -> Tensor:
        """Hidden voltages (B, I) after the squash."""
        return self.config.squash.curve(v, torch)

    def normed(self, k: int, v: Tensor) -> Tensor:
        """Inputs (B, width) of layer ``k`` after its norm, if it has one; channels are normed."""
        if not k or not len(self.norms):
            return v
        return self.norms[k - 1](v.view(-1, self.layers[k - 1].shape[1])).view(v.shape)

    def forward(self, v: Tensor) -> Tensor:
        """Logits (B, O) for input voltages ``v`` (B, I)."""
        return self.forward_with_hidden(v)[0]

    def forward_with_hidden(self, v: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, O), and the hidden voltages before the squash: a list of (B, width)."""
        hidden: list[Tensor] = []
        for k, layer in enumerate(self.layers):
            if k:
                v = self.normed(k, v)
                hidden.append(v)
            v = layer(self.squashed(v), clip_sigma=self.clip_sigma)
        return v, hidden

    def initialise(
        self, mean_phi2: Sequence[float], generator: torch.Generator, *, gamma: float, beta: float
    ) -> None:
        """Draw theta ~ N(0, 1 / (I D <phi^2>)), bias 0, and set the norms' gain and offset.

        ``mean_phi2`` is the expected phi^2 of each layer; its last entry serves further layers.
        """
        with torch.no_grad():
            for k, layer in enumerate(self.layers):
                n_in, _, n_dev = layer.shape
                phi2 = mean_phi2[min(k, len(mean_phi2) - 1)]
                layer.weight.normal_(0.0, (n_in * n_dev * phi2) ** -0.5, generator=generator)
            for norm in self.norms:
                norm.weight.fill_(gamma)
                norm.bias.fill_(beta)

    def bake_clipping(self) -> None:
        """Store the clipped coefficients as the coefficients, and stop clipping."""
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.copy_(layer.clipped(self.clip_sigma))
        self.clip_sigma = 0.0

    def to_spec(
        self,
        encoding: Encoding,
        *,
        name: str,
        dataset: str = "",
        calibration: np.ndarray | None = None,
        targets: Targets | None = None,
    ) -> NetworkSpec:
        """The network as float64 arrays: what is evaluated, compared and compiled."""
        coefficients = ((as_array(o.theta), as_array(o.bias), o.basis.curves) for o in self.layers)
        return NetworkSpec(
            name=name,
            layers=self.config.layers(coefficients, [as_norm(norm) for norm in self.norms]),
            encoding=encoding,
            dataset=dataset,
            calibration=calibration,
            targets=targets,
        )


def filled(
    config: TDKANConfig,
    layers: Sequence[Mapping[str, np.ndarray]],
    norms: Sequence[Mapping[str, Any]],
    *,
    double: bool,
) -> TDKAN:
    """A network in evaluation mode, in float32 or float64, with these parameters.

    Parameters
    ----------
    layers, norms
        Arrays by the names that the modules have for them; ``eps`` of a norm is a number.
    """
    model = TDKAN(config)
    if double:
        model.double()
    for modules, parts in ((model.layers, layers), (model.norms, norms)):
        for module, part in zip(modules, parts, strict=True):
            for name, value in part.items():
                if name == "eps":
                    setattr(module, name, value)
                    continue
                with torch.no_grad():
                    getattr(module, name).copy_(torch.from_numpy(value))
    return model.eval()


def as_array(tensor: Tensor) -> np.ndarray:
    """A copy of ``tensor`` in float64."""
    return tensor.detach().to(torch.float64).cpu().numpy().copy()


def as_norm(module: nn.BatchNorm1d | nn.LayerNorm) -> Norm:
    """A norm at inference; BatchNorm's statistics become part of its scale and shift."""
    scale, shift = as_array(module.weight), as_array(module.bias)
    if isinstance(module, nn.LayerNorm):
        return Norm(kind="layer", scale=scale, shift=shift, eps=module.eps)
    assert module.running_mean is not None and module.running_var is not None
    mean, variance = as_array(module.running_mean), as_array(module.running_var)
    return Norm.batch(scale, shift, mean, variance, module.eps)
