"""A chip that follows the coefficients of a network in training, between two drawings.

Axes: B batch, I inputs, O outputs, D diodes per input; R rows, I D; L lines, 2 O; b bias rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..compiler.design import CrossbarStage, Design
from ..compiler.front import Front
from ..engines.arithmetic import CPU
from ..engines.devices import bring
from ..engines.twin import Twin, TwinStage
from ..engines.twin_front import normed_volts, squashed_volts
from .folded import FoldedLayer
from .row_tables import RowTables


class FollowedChip:
    """A chip in the twin, and how its cells follow the coefficients it was made for.

    A stage whose amplifiers nothing limits, whose cells are resistors and whose reads are not
    noisy is its rows' tables and one linear map: of such stages alone everything is of the
    network's precision. Any other chip is the twin's own, in float64.

    Parameters
    ----------
    design, chip
        The circuit, and the chip of it that was drawn.
    temp_c
        Degrees Celsius.
    layers
        The network at that time, on the CPU, where the chip is worked out.
    dtype
        Its precision.
    device
        Where it is run, by torch's name.
    """

    def __init__(
        self,
        design: Design,
        chip: Design,
        temp_c: float,
        layers: Sequence[FoldedLayer],
        dtype: torch.dtype,
        device: str = CPU,
    ) -> None:
        self._twin = twin = Twin([chip], temp_c)
        self._linear = not (
            chip.noisy
            or chip.hardware.rails
            or any(stage.bent is not None for stage in twin.stages)
        )
        self._dtype = dtype if self._linear else torch.float64
        drawn = zip(design.stages, chip.stages, twin.stages, layers, strict=True)
        self._stages = [_Stage(twin, *parts, dtype=self._dtype) for parts in drawn]
        if device != CPU:
            twin.device = device
            for stage in self._stages:
                stage.bring(device)

    def run(self, layers: Sequence[FoldedLayer], volts: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits and hidden voltages, (B, O) each, for ``volts`` (B, I) of the DACs."""
        at = volts.T.to(self._dtype).contiguous()
        pairs = list(zip(self._stages, layers, strict=True))
        if self._linear:
            outputs, hidden = at, list[Tensor]()
            for k, (stage, layer) in enumerate(pairs):
                before = stage.normed(layer, outputs)
                hidden.extend([before] if k else [])
                outputs = stage.outputs(layer, before)
        else:
            self._twin.stages = [stage.following(layer) for stage, layer in pairs]
            found = self._twin.run(at[None], np.arange(len(volts)))
            outputs, hidden = found.outputs[-1][0], [one[0] for one in found.hidden]
        logits = outputs / self._twin.v_per_logit
        return logits.T.to(volts.dtype), [one.T.to(volts.dtype) for one in hidden]


class _Stage:
    """One stage of it.

    A cell is its value times what the coefficient asks of it now over what it asked when it was
    drawn; one that is stuck stays as it is.
    """

    def __init__(
        self,
        twin: Twin,
        design: CrossbarStage,
        chip: CrossbarStage,
        made: TwinStage,
        layer: FoldedLayer,
        *,
        dtype: torch.dtype,
    ) -> None:
        assert chip.errors is not None
        self._twin, self._made, self._dtype = twin, made, dtype
        self.v_fs = twin.hardware.v_fs
        alpha = torch.from_numpy(design.alpha).to(dtype)
        g, rows = _by_pair(made.g[0].to(dtype).T.contiguous()), made.n_rows
        cells, self._bias_cells, least = g[..., :rows], g[..., rows:], twin.hardware.g_min
        sides = torch.tensor([[1.0], [-1.0]], dtype=dtype) / alpha[:, None, None]
        # Bias cells are all at one voltage: what the bias has changed by may go into one more.
        self.bias_slope = 0.5 * sides[..., 0]
        drawn_at = layer.bias.detach().to(dtype)[:, None]
        self._bias_still = self._bias_cells.sum(dim=2) - self.bias_slope * drawn_at
        # What a cell is, over what it would be without levels, errors and wires.
        factor = cells / (least + sides * _halves(layer.weight.detach().to(dtype)))
        self._still, self.slope = least * factor, factor * sides
        stuck = chip.errors.stuck[:rows]
        if stuck.any():
            there = _by_pair(torch.from_numpy(stuck).T)
            self._still = torch.where(there, cells, self._still)
            self.slope = self.slope.masked_fill_(there, 0.0)
        self._rows = RowTables(made.x[0], made.r[0], dtype)
        self._columns = made.columns.of_first()
        lines = 2 * len(alpha)
        each = 2 if self._columns.feet is None else lines
        amperes: Any = np.pad(np.tile(np.eye(each), (lines // each, 1)), [(0, 0), (0, 1)])
        self._amperes = amperes
        self._mapped = None if made.feet is None else self._map(self._columns.g)

    def bring(self, device: str) -> None:
        """Go on there; amplifiers' maps are torch's then, which need not wait for the device."""
        self._columns = self._made.columns.of_first(torch)
        self._amperes = torch.from_numpy(self._amperes)
        for part in (self, self._rows):
            bring(part, device)

    def normed(self, layer: FoldedLayer, volts: Tensor) -> Tensor:
        """Volts (I, B) after its norm for ``volts`` (I, B) of the stage before."""
        return normed_volts(self._front(layer), volts[None], self._made.real)[0]

    def outputs(self, layer: FoldedLayer, volts: Tensor) -> Tensor:
        """Volts (O, B) for ``volts`` (I, B) after its norm."""
        twin, front, real = self._twin, self._front(layer), self._made.real
        at = squashed_volts(front, volts[None], twin.hardware, twin.temp_c, real)[0]
        rows = self._rows(at.to(self._dtype))
        return _Outputs.apply(*self._coefficients(layer), rows, self)

    def maps(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """For the coefficients (O, R) and (O,): volts (O, R) at the outputs per volt of a row, and
        (O, 1) for none; and the first of ``_map``."""
        cells, of_bias = self._cells(weight), self._bias_lines(bias)
        linear, constant = self._mapped or self._map((cells.sum(dim=2) + of_bias).flatten())
        by_bias = _summed(linear, of_bias[..., None])
        return _summed(linear, cells), constant[:, None] - self.v_fs * by_bias, linear

    def following(self, layer: FoldedLayer) -> TwinStage:
        """The twin's stage with cells and LayerNorm as the coefficients now have them."""
        weight, bias = self._coefficients(layer)
        change = self._bias_lines(bias) - self._bias_cells.sum(dim=2)
        g = torch.cat([self._cells(weight), self._bias_cells, change[..., None]], dim=2)
        return replace(self._made, front=self._front(layer), g=g.flatten(0, 1).T[None])

    def _coefficients(self, layer: FoldedLayer) -> tuple[Tensor, Tensor]:
        return layer.weight.to(self._dtype), layer.bias.to(self._dtype)

    def _front(self, layer: FoldedLayer) -> Front:
        front = self._made.front
        if layer.norm is None:
            return front
        assert front.norm is not None
        tensors: dict[str, Any] = dict(zip(("scale", "shift"), layer.norm, strict=True))
        return replace(front, norm=replace(front.norm, **tensors))

    def _cells(self, weight: Tensor) -> Tensor:
        """Siemens (O, 2, R) of cells for ``weight`` (O, R)."""
        return torch.addcmul(self._still, self.slope, _halves(weight))

    def _bias_lines(self, bias: Tensor) -> Tensor:
        """Siemens (O, 2) of each line's bias cells together, for ``bias`` (O,)."""
        return torch.addcmul(self._bias_still, self.bias_slope, bias[:, None])

    def _map(self, g: Any) -> tuple[Tensor, Tensor]:
        """Volts (O, 2) at outputs per ampere into each line of their pair, or, with wires, (O, L)
        into every line; and (O,) volts without any. ``g`` (L,) siemens is on the lines' nodes."""
        columns = replace(self._columns, g=g if self._columns.xp is torch else np.asarray(g))
        found = columns.outputs(columns.lines(self._amperes, _as_is), _as_is)
        linear, constant = found[:, :-1] - found[:, -1:], found[:, -1]
        as_tensor = partial(torch.as_tensor, dtype=self._dtype)
        return as_tensor(linear), as_tensor(constant)


class _Outputs(torch.autograd.Function):
    """Volts (O, B) of a stage whose rows are at ``rows`` (R, B).

    Backwards what lines make of amperes stays as it is: a cell's load on the node of an op-amp with
    gain A changes it by a share of 1/A of what the cell's current does.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, rows: Tensor, stage: _Stage) -> Tensor:
        by_row, constant, linear = stage.maps(weight, bias)
        ctx.save_for_backward(weight, rows, by_row, linear)
        ctx.stage = stage
        return torch.addmm(constant, by_row, rows)

    @staticmethod
    def backward(  # type: ignore
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None, None]:
        weight, rows, by_row, linear = ctx.saved_tensors
        stage = ctx.stage
        by_cell = _spread(linear, grad @ rows.T).mul_(stage.slope)
        of_weight = torch.where(weight >= 0, by_cell[:, 0], by_cell[:, 1])
        by_bias = _spread(linear, grad.sum(dim=1, keepdim=True))[..., 0] * stage.bias_slope
        of_rows = by_row.T @ grad if ctx.needs_input_grad[2] else None
        return of_weight, -stage.v_fs * by_bias.sum(dim=1), of_rows, None


def _summed(linear: Tensor, pairs: Tensor) -> Tensor:
    """(O, n) for ``pairs`` (O, 2, n) of lines, by ``linear`` (O, 2) or, with wires, (O, L)."""
    if linear.shape[1] == 2:
        return linear[:, :1] * pairs[:, 0] + linear[:, 1:] * pairs[:, 1]
    return linear @ pairs.flatten(0, 1)


def _spread(linear: Tensor, outputs: Tensor) -> Tensor:
    """(O, 2, n) for ``outputs`` (O, n): the transpose of ``_summed``."""
    if linear.shape[1] == 2:
        return linear[..., None] * outputs[:, None]
    return _by_pair(linear.T @ outputs)


def _by_pair(lines: Tensor) -> Tensor:
    """(O, 2, ...) of (L, ...)."""
    return lines.unflatten(0, (-1, 2))


def _halves(weight: Tensor) -> Tensor:
    """(O, 2, R) what of ``weight`` (O, R) is positive, and what is negative."""
    return torch.stack([weight.clamp(min=0), weight.clamp(max=0)], dim=1)


def _as_is(volts: Any) -> Any:
    return volts
