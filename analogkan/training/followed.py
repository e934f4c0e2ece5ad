"""A chip that follows the coefficients of a network in training, between two drawings.

Axes: B batch, I inputs, O outputs, D diodes per input; R rows, I D; L lines, 2 O; b bias rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..compiler.columns import Columns
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
        self._g_min, self._v_fs = twin.hardware.g_min, twin.hardware.v_fs
        alpha = torch.from_numpy(design.alpha)
        self._alpha = alpha.to(dtype)
        self._bias = layer.bias.detach().to(dtype, copy=True)
        g = made.g[0].T
        cells, self._bias_cells = g[:, : made.n_rows], g[:, made.n_rows :].to(dtype)
        # What a cell is, over what it would be without levels, errors and wires.
        siemens = _pairs(layer.weight.detach().to(alpha.dtype) / alpha[:, None])
        factor = cells / (self._g_min + siemens)
        stuck = torch.from_numpy(chip.errors.stuck[: made.n_rows].T)
        self._still = torch.where(stuck, cells, factor * self._g_min).to(dtype)
        self._factor = torch.where(stuck, 0.0, factor).to(dtype)
        self._rows = RowTables(made.x[0], made.r[0], dtype)
        tensors = {f.name: getattr(made.columns, f.name) for f in fields(Columns)}
        of_first = {n: t[0].to(dtype) for n, t in tensors.items() if isinstance(t, Tensor)}
        self._columns = replace(made.columns, **of_first)
        self._mapped = None if made.feet is None else _mapped(self._columns)

    def normed(self, layer: FoldedLayer, volts: Tensor) -> Tensor:
        """Volts (I, B) after its norm for ``volts`` (I, B) of the stage before."""
        return normed_volts(self._front(layer), volts[None], self._made.real)[0]

    def outputs(self, layer: FoldedLayer, volts: Tensor) -> Tensor:
        """Volts (O, B) for ``volts`` (I, B) after its norm."""
        made, twin = self._made, self._twin
        at = squashed_volts(self._front(layer), volts[None], twin.hardware, twin.temp_c, made.real)[
            0
        ]
        cells, bias = self._followed(layer)
        if self._mapped is None:
            linear, constant = _mapped(replace(self._columns, g=cells.sum(dim=1) + bias))
            weights = (linear[..., None] * cells.unflatten(0, linear.shape)).sum(dim=1)
            constant = constant - self._v_fs * (linear * bias.view(linear.shape)).sum(dim=1)
        else:
            linear, constant = self._mapped
            weights, constant = linear @ cells, constant - self._v_fs * (linear @ bias)
        return torch.addmm(constant[:, None], weights, self._rows(at.to(self._dtype)))

    def following(self, layer: FoldedLayer) -> TwinStage:
        """The twin's stage with cells and LayerNorm as the coefficients now have them."""
        cells, bias = self._followed(layer)
        change = bias - self._bias_cells.sum(dim=1)
        g = torch.cat([cells, self._bias_cells, change[:, None]], dim=1)
        return replace(self._made, front=self._front(layer), g=g.T[None])

    def _front(self, layer: FoldedLayer) -> Front:
        front = self._made.front
        if layer.norm is None:
            return front
        assert front.norm is not None
        tensors: dict[str, Any] = dict(zip(("scale", "shift"), layer.norm, strict=True))
        return replace(front, norm=replace(front.norm, **tensors))

    def _followed(self, layer: FoldedLayer) -> tuple[Tensor, Tensor]:
        """Siemens (L, R) of cells, and (L,) of each line's bias cells together: these are all at
        one voltage, so what the bias has changed by may go into one more."""
        siemens = _pairs(layer.weight.to(self._dtype) / self._alpha[:, None])
        moved = 0.5 * (layer.bias.to(self._dtype) - self._bias) / self._alpha
        change = torch.stack([moved, -moved], dim=1).flatten()
        cells = torch.addcmul(self._still, self._factor, siemens)
        return cells, self._bias_cells.sum(dim=1) + change


def _pairs(signed: Tensor) -> Tensor:
    """(L, R) what the cells of each pair add to ``g_min`` for ``signed`` (O, R) siemens: one of
    them nothing."""
    return torch.stack([signed.clamp(min=0), (-signed).clamp(min=0)], dim=1).flatten(0, 1)


def _mapped(columns: Columns) -> tuple[Tensor, Tensor]:
    """Volts (O, 2) at outputs per ampere into each line of their pair, or, with wires, (O, L) into
    every line; and (O,) volts without any."""
    lines = columns.r_c.shape[0]
    if columns.feet is None:
        amperes = torch.eye(2, dtype=columns.r_c.dtype).repeat(lines // 2, 1)
    else:
        amperes = torch.eye(lines, dtype=columns.r_c.dtype)
    amperes = torch.nn.functional.pad(amperes, (0, 1))
    found = columns.outputs(columns.lines(amperes, _as_is), _as_is)
    return found[:, :-1] - found[:, -1:], found[:, -1]


def _as_is(volts: Tensor) -> Tensor:
    return volts
