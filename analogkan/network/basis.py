"""Piecewise-linear I-V curves as torch functions with exact gradients."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..devices import IVCurve

EVEN = 1e-9
"""Volts that knots may be off an even grid, and still be found by arithmetic."""


class PWLBasis(nn.Module):
    """phi_d(v) = I_d(v) / I_peak,d for D devices: piecewise linear, flat outside the tables.

    Tables are kept in float64 and used in the input's precision. The gradient is the segment's
    slope, zero outside; at a knot, that of the segment below it.
    """

    knots: Tensor
    ends: Tensor
    slope: Tensor
    intercept: Tensor

    def __init__(self, curves: Sequence[IVCurve]) -> None:
        super().__init__()
        self.curves = tuple(curves)
        # One list of knots for all: a voltage is looked up once, whatever D.
        knots = np.unique(np.concatenate([curve.v for curve in self.curves]))
        steps = np.diff(knots)
        self.even = bool(np.ptp(steps) < EVEN)
        self._per_volt = float(len(steps) / (knots[-1] - knots[0]))
        slope, intercept = zip(*(_lines(curve, knots) for curve in self.curves), strict=True)
        # Nothing is on the far side of an end that is not a number.
        tables = {
            "knots": knots,
            "ends": np.stack([np.append(np.nan, knots), np.append(knots, np.nan)]),
            "slope": np.stack(slope),
            "intercept": np.stack(intercept),
        }
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(table), persistent=False)

    def forward(self, v: Tensor) -> Tensor:
        """Basis values for voltages ``v`` (B, I); (B, I * D) with d fastest."""
        return self.values(v).flatten(1)

    def values(self, v: Tensor) -> Tensor:
        """Basis values for voltages ``v`` of any shape; the same shape, and D."""
        lines = self.slope.to(v.dtype), self.intercept.to(v.dtype)
        return _Lines.apply(v, *lines, self._segments(v))

    def each(self, v: Tensor) -> Tensor:
        """phi_d at voltages of its own: ``v`` (..., D), of which the last is d; the same shape."""
        of_d = len(self.knots) + 1
        first = torch.arange(0, of_d * len(self.curves), of_d, device=v.device)
        segment = self._segments(v) + first
        slope, intercept = (
            _looked_up(table.to(v.dtype).flatten(), segment)
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
        near = ((v - knots[0]) * self._per_volt).ceil_().add_(1).clamp_(0, n)
        segment = near.int().clamp_(0, n)  # NaN is on some segment, and stays NaN on its line
        low, high = (_looked_up(ends, segment) for ends in self.ends.to(v.dtype))
        return segment.add_(v > high).sub_((v <= low).int())


class _Lines(torch.autograd.Function):
    """Values (..., D) at ``v`` (...) on ``segment`` (...) of D lists of lines (D, K + 1).

    Written where they belong and differentiated by hand: stacking columns takes longer than all
    the rest.
    """

    @staticmethod
    def forward(ctx: Any, v: Tensor, slope: Tensor, intercept: Tensor, segment: Tensor) -> Tensor:
        found = v.new_empty((*v.shape, len(slope)))
        slopes = [_looked_up(table, segment) for table in slope]
        for d, table in enumerate(intercept):
            torch.addcmul(_looked_up(table, segment), slopes[d], v, out=found[..., d])
        ctx.save_for_backward(*slopes)
        return found

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore
        slopes = ctx.saved_tensors
        parts = [grad[..., d] * slope for d, slope in enumerate(slopes)]
        return functools.reduce(torch.add, parts[::-1]), None, None, None


def _looked_up(table: Tensor, at: Tensor) -> Tensor:
    """Entries ``at`` (any shape, integers) of ``table`` (K,): indexing, several times as fast."""
    return table.index_select(0, at.reshape(-1)).view(at.shape)


def _lines(curve: IVCurve, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept (K + 1,) of a curve's phi on the segments between ``knots`` (K,)."""
    phi = curve.i / curve.i_peak
    slope = np.concatenate([[0.0], np.diff(phi) / np.diff(curve.v), [0.0]])
    intercept = np.concatenate([phi[:1], phi - slope[1:] * curve.v])
    own = np.searchsorted(curve.v, np.append(knots, np.inf))
    return slope[own], intercept[own]
