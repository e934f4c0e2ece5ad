"""TDKAN: the network as a torch module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..devices import IVCurve
from ..errors import CheckpointError
from .basis import PWLBasis
from .encoding import Encoding
from .spec import LayerSpec, NetworkSpec
from .squash import NORMS, Norm, Squash


@dataclass(frozen=True, kw_only=True)
class TDKANConfig:
    """What a TDKAN is made of.

    Attributes
    ----------
    sizes
        Widths from input to output, such as (196, 64, 10).
    curves
        The D devices of every input of every layer.
    squash
        Between a hidden node and its diodes.
    norm
        ``batch``, ``layer`` or ``none``, on hidden nodes.
    """

    sizes: tuple[int, ...]
    curves: tuple[IVCurve, ...]
    squash: Squash = Squash()
    norm: str = "batch"

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise CheckpointError(f"sizes {self.sizes}: at least an input and an output, all >= 1")
        if self.norm not in NORMS:
            raise CheckpointError(f"norm {self.norm!r} is unknown: one of {', '.join(NORMS)}")


class TDKANLayer(nn.Module):
    """y_o = sum_i sum_d theta[i, o, d] phi_d(v_i) + bias_o, as one matrix product."""

    def __init__(self, n_in: int, n_out: int, curves: Sequence[IVCurve]) -> None:
        super().__init__()
        self.shape = (n_in, n_out, len(curves))
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
        """Outputs (B, O) for diode voltages ``v`` (B, I).

        ``clip_sigma`` > 0 uses coefficients clipped at that many standard deviations.
        """
        return nn.functional.linear(self.basis(v), self.clipped(clip_sigma), self.bias)

    def clipped(self, clip_sigma: float) -> Tensor:
        """The weight (O, I * D), clipped at ``clip_sigma`` standard deviations if that is > 0."""
        if not clip_sigma:
            return self.weight
        limit = float(clip_sigma * self.weight.detach().std())
        return self.weight.clamp(-limit, limit)


class TDKAN(nn.Module):
    """A tunnel-diode Kolmogorov-Arnold network (arXiv 2510.23638, equation 2).

    Inputs are volts, outputs logits. Hidden nodes pass norm and squash and then are the next
    layer's diode voltages. Parameters: sum I O D + sum O + 2 per normed hidden node.
    """

    layers: Sequence[TDKANLayer]  # both are nn.ModuleList, which has no element type
    norms: Sequence[nn.BatchNorm1d | nn.LayerNorm]

    def __init__(self, config: TDKANConfig) -> None:
        super().__init__()
        self.config = config
        pairs = list(zip(config.sizes[:-1], config.sizes[1:], strict=True))
        self.layers = nn.ModuleList(TDKANLayer(i, o, config.curves) for i, o in pairs)  # type: ignore
        kinds = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        hidden = config.sizes[1:-1] if config.norm in kinds else ()
        self.norms = nn.ModuleList(kinds[config.norm](width) for width in hidden)  # type: ignore
        self.clip_sigma = 0.0

    def squashed(self, v: Tensor) -> Tensor:
        """Hidden voltages (B, I) after the squash."""
        squash = self.config.squash
        if squash.kind == "clamp":
            return v.clamp(squash.v_lo, squash.v_hi)
        if squash.bends:
            return squash.v_lo + (squash.v_hi - squash.v_lo) * (squash.pair_slope * v).sigmoid()
        return v

    def forward(self, v: Tensor) -> Tensor:
        """Logits (B, O) for input voltages ``v`` (B, I)."""
        return self.forward_with_hidden(v)[0]

    def forward_with_hidden(self, v: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, O), and the hidden voltages before the squash: a list of (B, width)."""
        hidden: list[Tensor] = []
        for k, layer in enumerate(self.layers):
            if k:
                v = self.norms[k - 1](v) if len(self.norms) else v
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
        self, encoding: Encoding, *, name: str, dataset: str = "", calibration=None
    ) -> NetworkSpec:
        """The network as float64 arrays: what is evaluated, compared and compiled."""
        layers = []
        for k, layer in enumerate(self.layers):
            layers.append(
                LayerSpec(
                    theta=as_array(layer.theta),
                    bias=as_array(layer.bias),
                    curves=self.config.curves,
                    squash=self.config.squash,
                    norm=_norm(self.norms[k - 1]) if k and len(self.norms) else None,
                )
            )
        return NetworkSpec(
            name=name,
            layers=tuple(layers),
            encoding=encoding,
            dataset=dataset,
            calibration=calibration,
        )


def as_array(tensor: Tensor) -> np.ndarray:
    """A copy of ``tensor`` in float64."""
    return tensor.detach().to(torch.float64).cpu().numpy().copy()


def _norm(module: nn.BatchNorm1d | nn.LayerNorm) -> Norm:
    """A norm at inference; BatchNorm's statistics become part of its scale and shift."""
    scale, shift = as_array(module.weight), as_array(module.bias)
    if isinstance(module, nn.LayerNorm):
        return Norm(kind="layer", scale=scale, shift=shift, eps=module.eps)
    assert module.running_mean is not None and module.running_var is not None
    scale = scale / (as_array(module.running_var) + module.eps) ** 0.5
    return Norm(kind="batch", scale=scale, shift=shift - as_array(module.running_mean) * scale)
