"""A chip that follows the coefficients of a network in training, between two drawings.

Axes: B batch, I inputs, O outputs, D diodes per input; R rows, I D; L lines, 2 O; b bias rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..compiler.design import CrossbarStage, Design
from ..compiler.front import Front
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
        The network at that time.
    dtype
        Its precision.
    """

    def __init__(
        self,
        design: Design,
        chip: Design,
        temp_c: float,
        layers: Sequence[FoldedLayer],
        dtype: torch.dtype,
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
        self._bias = layer.bias.detach().to(dtype, copy=True)
        self._alpha = torch.from_numpy(design.alpha).to(dtype)
        g, rows = made.g[0].to(dtype).T.contiguous(), made.n_rows
        self._bias_cells = g[:, rows:]
        # What a cell is, over what it would be without levels, errors and wires.
        sides = torch.tensor([[1.0], [-1.0]], dtype=dtype) / self._alpha[:, None, None]
        cells, least = _by_pair(g[:, :rows]), twin.hardware.g_min
        factor = cells / (least + sides * _halves(layer.weight.detach().to(dtype)))
        moving = _by_pair(torch.from_numpy(~chip.errors.stuck[:rows]).T)
        self._still = torch.where(moving, least * factor, cells)
        self._slope = factor * sides * moving
        self._rows = RowTables(made.x[0], made.r[0], dtype)
        self._columns = made.columns.of_first()
        each = len(g) if self._columns.feet is not None else 2
        self._amperes = np.pad(np.tile(np.eye(each), (len(g) // each, 1)), [(0, 0), (0, 1)])
        self._mapped = None if made.feet is None else self._map(self._columns.g)

    def normed(self, layer: FoldedLayer, volts: Tensor) -> Tensor:
        """Volts (I, B) after its norm for ``volts`` (I, B) of the stage before."""
        return normed_volts(self._front(layer), volts[None], self._made.real)[0]

    def outputs(self, layer: FoldedLayer, volts: Tensor) -> Tensor:
        """Volts (O, B) for ``volts`` (I, B) after its norm."""
        made, twin = self._made, self._twin
        at = squashed_volts(self._front(layer), volts[None], twin.hardware, twin.temp_c, made.real)[
            0
        ]
        weight, bias = layer.weight.to(self._dtype), self._bias_lines(layer)
        with torch.no_grad():
            cells = self._cells(weight)
            linear, constant = self._mapped or self._map(cells.sum(dim=2).flatten() + bias)
        weights = _Weights.apply(weight, cells, linear, self._slope)
        by_bias = _summed(linear, _by_pair(bias)[..., None])[:, 0]
        constant = constant - twin.hardware.v_fs * by_bias
        return torch.addmm(constant[:, None], weights, self._rows(at.to(self._dtype)))

    def following(self, layer: FoldedLayer) -> TwinStage:
        """The twin's stage with cells and LayerNorm as the coefficients now have them."""
        cells = self._cells(layer.weight.to(self._dtype)).flatten(0, 1)
        change = self._bias_lines(layer) - self._bias_cells.sum(dim=1)
        g = torch.cat([cells, self._bias_cells, change[:, None]], dim=1)
        return replace(self._made, front=self._front(layer), g=g.T[None])

    def _front(self, layer: FoldedLayer) -> Front:
        front = self._made.front
        if layer.norm is None:
            return front
        assert front.norm is not None
        tensors: dict[str, Any] = dict(zip(("scale", "shift"), layer.norm, strict=True))
        return replace(front, norm=replace(front.norm, **tensors))

    def _cells(self, weight: Tensor) -> Tensor:
        """Siemens (O, 2, R) of cells for ``weight`` (O, R)."""
        return torch.addcmul(self._still, self._slope, _halves(weight))

    def _bias_lines(self, layer: FoldedLayer) -> Tensor:
        """Siemens (L,) of each line's bias cells together: these are all at one voltage, so what
        the bias has changed by may go into one more."""
        moved = 0.5 * (layer.bias.to(self._dtype) - self._bias) / self._alpha
        return self._bias_cells.sum(dim=1) + torch.stack([moved, -moved], dim=1).flatten()

    def _map(self, g: Tensor | np.ndarray) -> tuple[Tensor, Tensor]:
        """Volts (O, 2) at outputs per ampere into each line of their pair, or, with wires, (O, L)
        into every line; and (O,) volts without any. ``g`` (L,) siemens is on the lines' nodes."""
        columns = replace(self._columns, g=np.asarray(g))
        found = columns.outputs(columns.lines(self._amperes, _as_is), _as_is)
        linear, constant = found[:, :-1] - found[:, -1:], found[:, -1]
        return torch.from_numpy(linear).to(self._dtype), torch.tensor(constant, dtype=self._dtype)


class _Weights(torch.autograd.Function):
    """Volts (O, R) at outputs per volt of a row, of ``cells`` (O, 2, R) behind what is ``linear``.

    Backwards ``linear`` stays as it is: a cell's load on the node of an op-amp with gain A changes
    it by a share of 1/A of what the cell's current does.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, cells: Tensor, linear: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(weight, linear, slope)
        return _summed(linear, cells)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore
        weight, linear, slope = ctx.saved_tensors
        if linear.shape[1] == 2:
            by_cell = linear[..., None] * grad[:, None]
        else:
            by_cell = _by_pair(linear.T @ grad)
        by_cell *= slope
        return torch.where(weight >= 0, by_cell[:, 0], by_cell[:, 1]), None, None, None


def _summed(linear: Tensor, pairs: Tensor) -> Tensor:
    """(O, n) for ``pairs`` (O, 2, n) of lines, by ``linear`` (O, 2) or, with wires, (O, L)."""
    if linear.shape[1] == 2:
        return linear[:, :1] * pairs[:, 0] + linear[:, 1:] * pairs[:, 1]
    return linear @ pairs.flatten(0, 1)


def _by_pair(lines: Tensor) -> Tensor:
    """(O, 2, ...) of (L, ...)."""
    return lines.unflatten(0, (-1, 2))


def _halves(weight: Tensor) -> Tensor:
    """(O, 2, R) what of ``weight`` (O, R) is positive, and what is negative."""
    return torch.stack([weight.clamp(min=0), weight.clamp(max=0)], dim=1)


def _as_is(volts: np.ndarray) -> np.ndarray:
    return volts
