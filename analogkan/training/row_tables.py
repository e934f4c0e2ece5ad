"""Row amplifiers' tables as training reads them: piecewise linear, found by arithmetic.

Axes: I inputs, D diodes, K points of a row's table; R rows, I D; B batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

BUCKETS = 2
"""Buckets of equal width for each point of a table: most hold one point at most."""


class RowTables:
    """Piecewise linear through ``x`` and ``y`` (I, D, K), flat outside.

    A search takes seven comparisons a voltage and more time than all else. A bucket of equal width
    knows how many points are below it, so that only those inside it are left to compare; rounding
    cannot put a voltage above a point of a bucket above, as both are rounded alike.

    Parameters
    ----------
    x, y
        Volts in float64, ``x`` rising; equal ones stand for a kink that two points share.
    dtype
        Of voltages and answers.
    """

    def __init__(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> None:
        self.diodes = x.shape[1]
        x, y = x.flatten(0, 1), y.flatten(0, 1)
        step = x.diff()
        slope = torch.where(step > 0, y.diff() / torch.where(step > 0, step, 1.0), 0.0)
        slope = torch.nn.functional.pad(slope, (1, 1))
        intercept = torch.cat([y[:, :1], y - slope[:, 1:] * x], dim=1)
        self._slope, self._intercept = (t.to(dtype).flatten() for t in (slope, intercept))
        ended = (x[:, 1:] == x[:, -1:]) & (x[:, :-1] == x[:, -1:])  # short tables end repeated
        points = torch.cat([x[:, :1], torch.where(ended, torch.inf, x[:, 1:])], dim=1).to(dtype)
        self._count = BUCKETS * x.shape[1]
        self._per_volt = self._count / (x[:, -1:] - x[:, :1]).clamp(min=1e-9).to(dtype)
        self._first = -points[:, :1] * self._per_volt
        # Entry k of a row is its point k: voltages from it on are on a later segment.
        self._points = torch.nn.functional.pad(points, (0, 1), value=torch.inf).flatten()
        inside = torch.zeros((len(x), self._count), dtype=torch.int32)
        there = (points < torch.inf).int()
        inside.scatter_add_(1, self._bucket(points).long(), there)
        first = torch.arange(0, self._points.numel(), x.shape[1] + 1)[:, None]
        below = inside.cumsum(1) - inside + first
        self._below, self._most = below.int().flatten(), int(inside.max())
        self._row = torch.arange(0, inside.numel(), self._count, dtype=torch.int32)[:, None]

    def _bucket(self, at: Tensor) -> Tensor:
        """Which bucket of its row each of ``at`` (R, n) is in."""
        place = torch.addcmul(self._first, at, self._per_volt).clamp_(0, self._count - 1)
        return place.int().clamp_(min=0)  # NaN is in one of them, and stays NaN on its line

    def __call__(self, v: Tensor) -> Tensor:
        """Rows (R, B) in volts for diode voltages ``v`` (I, B)."""
        at = v[:, None].expand(-1, self.diodes, -1).reshape(-1, v.shape[1])
        with torch.no_grad():
            k = self._below.index_select(0, self._bucket(at).add_(self._row).flatten())
            for _ in range(self._most):
                k += at.flatten() >= self._points.index_select(0, k)
            slope, intercept = (
                table.index_select(0, k).view(at.shape) for table in (self._slope, self._intercept)
            )
        return torch.addcmul(intercept, slope, at)
