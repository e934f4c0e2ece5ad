"""The networks that the paper compares TD-KANs with: MLPs with device curves, and two other KANs.

arXiv 2510.23638, Sec. 2.3 and 3.5. Axes: B batch, I inputs, O outputs, K basis functions an input.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..devices import get
from ..devices.formulas import BOLTZMANN_OVER_CHARGE
from ..errors import SettingsError
from .basis import PWLBasis


def resonant_tunnel_diode(v: Tensor) -> Tensor:
    """Current (any shape) over ``PEAK_AMPERES`` for volts ``v``: ``devices.formulas``, in torch."""
    a, b, c, d, n1, n2, h = 0.0039, 5.0, 0.0874, 0.0073, 0.0352, 0.0031, 0.0367
    v_t = BOLTZMANN_OVER_CHARGE * 300.0
    zero = torch.zeros((), dtype=v.dtype)
    up, down = (b - c + n1 * v) / v_t, (b - c - n1 * v) / v_t
    rise = torch.logaddexp(zero, up) - torch.logaddexp(zero, down)
    resonance = math.pi / 2 + torch.atan((c - n1 * v) / d)
    return (a * rise * resonance + h * torch.expm1(n2 * v / v_t)) / PEAK_AMPERES


PEAK_AMPERES = 0.0698
"""Of the resonant tunnel diode with b = 5 V, at 2.16 V: what its activation is divided by."""


def mosfet_2n7002(v: Tensor) -> Tensor:
    """Drain current (any shape) in milliamperes for gate volts ``v``: arXiv 2510.23638 Eq. 5."""
    return 6.17 * (v - 1.0).relu().square()


class DeviceActivation(nn.Module):
    """A device's curve over its largest current, piecewise linear, flat outside."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.basis = PWLBasis([get(device)])

    def forward(self, v: Tensor) -> Tensor:
        """phi of ``v`` (B, I) volts; (B, I)."""
        return self.basis.values(v)[..., 0]


ACTIVATIONS: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
    "rtd": lambda: resonant_tunnel_diode,
    "cmtd": lambda: DeviceActivation("A21"),
    "mosfet": lambda: mosfet_2n7002,
    "relu": lambda: functional.relu,
    "sigmoid": lambda: torch.sigmoid,
}
"""By name: the paper's RTDAF, CMTDAF and E-MOSFET, and two that need no device."""


@torch.no_grad()
def activation_values(name: str, volts: np.ndarray) -> np.ndarray:
    """The activation called ``name`` at ``volts`` (n,); (n,)."""
    return ACTIVATIONS[name]()(torch.from_numpy(volts)[:, None])[:, 0].numpy()


class MLP(nn.Module):
    """Linear layers with one activation between them. Parameters: sum (I + 1) O."""

    layers: Sequence[nn.Linear]  # an nn.ModuleList, which has no element type

    def __init__(self, sizes: Sequence[int], activation: str) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise SettingsError(f"activation {activation!r} is none of {', '.join(ACTIVATIONS)}")
        pairs = itertools.pairwise(sizes)
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairs)  # type: ignore
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, O) for ``x`` (B, I)."""
        for k, layer in enumerate(self.layers):
            x = layer(self.activation(x) if k else x)
        return x


class SplineLayer(nn.Module):
    """An edge is w silu(x) + s sum_k c_k B_k(x), B_k the B-splines of a uniform grid on [-1, 1].

    Parameters
    ----------
    grid, order
        Intervals, and the splines' degree: K = grid + order.
    scaler
        Whether each edge has an s of its own; else it is 1.
    """

    knots: Tensor  # a buffer

    def __init__(self, n_in: int, n_out: int, grid: int, order: int, scaler: bool) -> None:
        super().__init__()
        step = 2.0 / grid
        self.order = order
        knots = torch.arange(-order, grid + order + 1) * step - 1.0
        self.register_buffer("knots", knots, persistent=False)
        self.base = nn.Parameter(torch.empty(n_out, n_in))
        self.coefficients = nn.Parameter(torch.empty(n_out, n_in, grid + order))
        self.scaler = nn.Parameter(torch.empty(n_out, n_in)) if scaler else None
        nn.init.kaiming_uniform_(self.base, a=math.sqrt(5))
        nn.init.normal_(self.coefficients, std=0.1 / grid)
        if self.scaler is not None:
            nn.init.kaiming_uniform_(self.scaler, a=math.sqrt(5))

    def splines(self, x: Tensor) -> Tensor:
        """B_k(x) by the recursion of de Boor and Cox, (B, I, K) for ``x`` (B, I)."""
        t, x = self.knots.to(x.dtype), x[..., None]
        found = ((x >= t[:-1]) & (x < t[1:])).to(x.dtype)
        for p in range(1, self.order + 1):
            left = (x - t[: -p - 1]) / (t[p:-1] - t[: -p - 1])
            right = (t[p + 1 :] - x) / (t[p + 1 :] - t[1:-p])
            found = left * found[..., :-1] + right * found[..., 1:]
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, O) for ``x`` (B, I)."""
        c = self.coefficients
        if self.scaler is not None:
            c = c * self.scaler[..., None]
        splines = functional.linear(self.splines(x).flatten(1), c.flatten(1))
        return functional.linear(functional.silu(x), self.base) + splines


class SplineKAN(nn.Module):
    """A KAN of B-splines; the paper's have grid 3 and order 2.

    Parameters: sum I O (grid + order + 1), and I O more with ``scaler``: the paper's count for
    MNIST has it, those for Fashion-MNIST and CIFAR-10 have not.
    """

    def __init__(
        self, sizes: Sequence[int], *, grid: int = 3, order: int = 2, scaler: bool = False
    ) -> None:
        super().__init__()
        pairs = itertools.pairwise(sizes)
        self.layers = nn.ModuleList(SplineLayer(i, o, grid, order, scaler) for i, o in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, O) for ``x`` (B, I)."""
        for layer in self.layers:
            x = layer(x)
        return x


class GottliebLayer(nn.Module):
    """y_o = sum_i sum_n c_ion G_n(sigmoid(x_i)), with one learned alpha.

    G_0 = 1, G_1 = 2 alpha x, G_n = 2 (alpha + n - 1) x G_(n-1) - (alpha + 2 n - 2) G_(n-2): as the
    paper's Ref. 37 (arXiv 2406.02583) and its published code have it.
    """

    def __init__(self, n_in: int, n_out: int, degree: int) -> None:
        super().__init__()
        self.degree = degree
        self.alpha = nn.Parameter(torch.randn(1))
        self.coefficients = nn.Parameter(torch.empty(n_out, n_in, degree + 1))
        nn.init.normal_(self.coefficients, std=1 / (n_in * (degree + 1)))

    def polynomials(self, x: Tensor) -> Tensor:
        """G_0 to G_degree of ``x`` (B, I); (B, I, degree + 1)."""
        found = [torch.ones_like(x), 2 * self.alpha * x]
        for n in range(2, self.degree + 1):
            last, before = found[-1], found[-2]
            found.append(2 * (self.alpha + n - 1) * x * last - (self.alpha + 2 * n - 2) * before)
        return torch.stack(found[: self.degree + 1], dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, O) for ``x`` (B, I)."""
        basis = self.polynomials(torch.sigmoid(x)).flatten(1)
        return functional.linear(basis, self.coefficients.flatten(1))


class GottliebKAN(nn.Module):
    """A KAN of Gottlieb polynomials with LayerNorm on hidden nodes; the paper's have orders 0 to 3.

    Parameters: sum I O (degree + 1), an alpha a layer, 2 a hidden node.
    """

    def __init__(self, sizes: Sequence[int], *, degree: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            GottliebLayer(i, o, degree) for i, o in itertools.pairwise(sizes)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in sizes[1:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, O) for ``x`` (B, I)."""
        for k, layer in enumerate(self.layers):
            x = layer(self.norms[k - 1](x) if k else x)
        return x


def parameters_of(make: Callable[[], nn.Module]) -> int:
    """``parameter_count`` of what ``make`` makes, which is not kept in memory for it."""
    with torch.device("meta"):
        return parameter_count(make())


def parameter_count(model: nn.Module) -> int:
    """Trained numbers of ``model``."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
