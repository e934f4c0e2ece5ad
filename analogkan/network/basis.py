"""Piecewise-linear I-V curves as torch functions with exact gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..devices import IVCurve

EVEN = 1e-9
"""Volts that knots may be off an even grid, and still be found by arithmetic."""


class PWLBasis(nn.Module):
    """phi_d(v) = I_d(v) / I_peak,d for D devices: piecewise linear, flat outside the tables.

    Tables are kept in float64 and used in the input's precision. The gradient is the segment's
    slope, zero outside; at a knot, that of the segment below it.
    """

    knots: Tensor
    slope: Tensor
    intercept: Tensor

    def __init__(self, curves: Sequence[IVCurve]) -> None:
        super().__init__()
        self.curves = tuple(curves)
        # One list of knots for all: a voltage is looked up once, whatever D.
        knots = np.unique(np.concatenate([curve.v for curve in self.curves]))
        steps = np.diff(knots)
        self.even = bool(np.ptp(steps) < EVEN)
        self.register_buffer("knots", torch.from_numpy(knots), persistent=False)
        tables = [_lines(curve, knots) for curve in self.curves]
        for name, columns in zip(("slope", "intercept"), zip(*tables, strict=True), strict=True):
            self.register_buffer(
                name, torch.from_numpy(np.stack(columns, axis=1)), persistent=False
            )

    def forward(self, v: Tensor) -> Tensor:
        """Basis values for voltages ``v`` (B, I); (B, I * D) with d fastest."""
        return self.values(v).flatten(1)

    def values(self, v: Tensor) -> Tensor:
        """Basis values for voltages ``v`` of any shape; the same shape, and D."""
        segment = self._segments(v)
        columns = [self._line(d, segment, v) for d in range(len(self.curves))]
        return torch.stack(columns, dim=-1)

    def column(self, d: int, v: Tensor) -> Tensor:
        """phi_d alone for voltages ``v`` of any shape; the same shape."""
        return self._line(d, self._segments(v), v)

    def _line(self, d: int, segment: Tensor, v: Tensor) -> Tensor:
        slope, intercept = (
            functional.embedding(segment, table[:, d : d + 1].to(v.dtype))[..., 0]
            for table in (self.slope, self.intercept)
        )
        return torch.addcmul(intercept, slope, v)

    def _segments(self, v: Tensor) -> Tensor:
        """Which segment each of ``v`` is on: 0 before the first knot, then from knot to knot.

        On an even grid arithmetic takes the place of a search; where rounding puts a voltage next
        to its segment, the segment's ends put it right.
        """
        v, knots = v.detach().contiguous(), self.knots.to(v.dtype)
        if not self.even:
            return torch.bucketize(v, knots, out_int32=True)
        n = len(knots)
        per_volt = (n - 1) / float(self.knots[-1] - self.knots[0])
        near = ((v - knots[0]) * per_volt).ceil_().add_(1).clamp_(0, n)
        segment = near.int().clamp_(0, n)  # NaN is on some segment, and stays NaN on its line
        infinite = knots.new_full((1,), torch.inf)
        ends = torch.stack([torch.cat([-infinite, knots]), torch.cat([knots, infinite])], dim=1)
        low, high = functional.embedding(segment, ends).unbind(-1)
        return (segment + (v > high).int() - (v <= low).int()).clamp_(0, n)


def _lines(curve: IVCurve, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept (K + 1,) of a curve's phi on the segments between ``knots`` (K,)."""
    phi = curve.i / curve.i_peak
    slope = np.concatenate([[0.0], np.diff(phi) / np.diff(curve.v), [0.0]])
    intercept = np.concatenate([phi[:1], phi - slope[1:] * curve.v])
    own = np.searchsorted(curve.v, np.append(knots, np.inf))
    return slope[own], intercept[own]
