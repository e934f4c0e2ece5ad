"""Piecewise-linear I-V curves as torch functions with exact gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..devices import IVCurve


class PWLBasis(nn.Module):
    """phi_d(v) = I_d(v) / I_peak,d for D devices: piecewise linear, flat outside the tables.

    Tables are kept in float64 and used in the input's precision. The gradient is the segment's
    slope, zero outside; at a knot, that of the segment below it.
    """

    def __init__(self, curves: Sequence[IVCurve]) -> None:
        super().__init__()
        self.curves = tuple(curves)
        for d, curve in enumerate(self.curves):
            v = torch.tensor(curve.v)
            phi = torch.tensor(curve.i / curve.i_peak)
            zero = torch.zeros(1, dtype=torch.float64)
            slope = torch.cat([zero, torch.diff(phi) / torch.diff(v), zero])
            intercept = torch.cat([phi[:1], phi - slope[1:] * v])
            self.register_buffer(f"knots{d}", v, persistent=False)
            self.register_buffer(f"slope{d}", slope, persistent=False)
            self.register_buffer(f"intercept{d}", intercept, persistent=False)

    def forward(self, v: Tensor) -> Tensor:
        """Basis values for voltages ``v`` (B, I); (B, I * D) with d fastest."""
        columns = [self.column(d, v) for d in range(len(self.curves))]
        return torch.stack(columns, dim=-1).flatten(1)

    def column(self, d: int, v: Tensor) -> Tensor:
        """phi_d alone for voltages ``v`` (B, I); (B, I)."""
        v = v.contiguous()
        knots, slope, intercept = (
            getattr(self, f"{part}{d}").to(v.dtype) for part in ("knots", "slope", "intercept")
        )
        segment = torch.bucketize(v, knots)
        return torch.addcmul(intercept[segment], slope[segment], v)
