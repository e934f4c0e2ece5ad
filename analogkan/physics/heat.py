"""How warm each part of a die gets of what the whole circuit takes from its supplies.

Axes: I inputs, D diodes, O outputs; R rows, 2 O lines, b bias rows; N, M squares of the die, down
and across.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.chip import Warmth
from ..compiler.circuit import Circuit
from ..compiler.design import CrossbarStage, Design
from ..die.floorplan import Floorplan, LayerPlan, Sites, floorplan_of
from ..errors import SettingsError
from ..imperfections.heat import sizes_of
from ..network.spec import NetworkSpec
from .assumptions import Assumptions
from .power import BLOCK
from .power_stage import DeckPower, StagePower
from .supply import quiescent_of

Values = npt.NDArray[Any]
IMAGES = 32
"""Calibration images whose mean power heats the die."""
SQUARES = 96
"""Of the die, along its longer side."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StageWatts:
    """What the parts of a stage burn, watts, in the mean over images and positions.

    Attributes
    ----------
    cells
        (R, 2 O), with their wires.
    rows
        (I, D) diodes, each with feedback and amplifier, and its share of what stands before the
        stage: converters, squash and LayerNorm cells.
    lines, diffs
        (2 O,) and (O,) amplifiers with their resistors.
    bias
        (b,) what drives the bias rows.
    """

    cells: Values
    rows: Values
    lines: Values
    diffs: Values
    bias: Values

    @property
    def total(self) -> float:
        """Watts."""
        parts = self.cells, self.rows, self.lines, self.diffs, self.bias
        return float(sum(part.sum() for part in parts))


@dataclass(frozen=True, eq=False, kw_only=True)
class HeatMap:
    """A die in operation.

    Attributes
    ----------
    plan
        Where its parts are.
    watts
        What they burn at their mean temperature, by layer and share.
    before
        Watts of all of them as if they were at the ambient temperature.
    kelvins
        (N, M) above the ambient, of each square.
    warmth
        The same of every part, by layer and share.
    """

    plan: Floorplan
    watts: dict[tuple[int, int], StageWatts]
    before: float
    kelvins: Values
    warmth: dict[tuple[int, int], Warmth]

    @property
    def total(self) -> float:
        """Watts."""
        return sum(watts.total for watts in self.watts.values())


def heat_of(circuit: Circuit, spec: NetworkSpec, variation: Any, temp_c: float) -> HeatMap:
    """The die of ``circuit``, heated by its mean power on ``IMAGES`` calibration images.

    Power is the datasheet's with nothing set: dissipated in elements, lost in outputs (class B)
    and drawn at rest. It is worked out twice: at the ambient, and once more with all parts at the
    mean of what that makes of them. A convolution's circuit is heated by the mean of its positions.
    The sheet of the die loses heat to the ambient evenly, and nothing at its edges.

    Parameters
    ----------
    circuit
        The nominal one.
    spec
        The whole network, for its calibration images.
    variation
        For ``heat_ambient``, ``heat_sheet`` and the sizes of parts.
    temp_c
        Of the ambient.

    Raises
    ------
    SettingsError
        If there are no calibration images, or no floorplan.
    SimulationError
        If power is not counted, see ``DeckPower``.
    """
    if spec.calibration is None or not len(spec.calibration):
        raise SettingsError(
            f"heat_ambient = {variation.heat_ambient:g} K/W warms parts by what {spec.name} takes "
            "on calibration images, and it has none: compile the model with --calibrate FILE.npz, "
            "or set it to 0"
        )
    volts = spec.dac_volts(spec.calibration[:IMAGES])
    plan = floorplan_of(circuit, sizes_of(variation))
    before = dict(_watts(circuit, volts, temp_c))
    rise = variation.heat_ambient * sum(watts.total for watts in before.values())
    watts = dict(_watts(circuit, volts, temp_c + rise))
    kelvins = _spread(plan, watts, variation.heat_ambient, variation.heat_sheet)
    return HeatMap(
        plan=plan,
        watts=watts,
        before=sum(one.total for one in before.values()),
        kelvins=kelvins,
        warmth={(p.layer, p.share): _warmth(plan, p, kelvins) for p in plan.layers},
    )


# ---- watts of each part


def _watts(
    circuit: Circuit, volts: Values, temp_c: float
) -> Iterator[tuple[tuple[int, int], StageWatts]]:
    """By layer and share."""
    held = volts
    for section, links in circuit.sections():
        points, outputs = section.points(held), []
        for link in links:
            deck = DeckPower(link.design, temp_c, maps=True)
            blocks = [deck.at(points[k : k + BLOCK]) for k in range(0, len(points), BLOCK)]
            by_stage = zip(*(stages for stages, _ in blocks), strict=True)
            for k, parts in enumerate(by_stage):
                at = section.first + k, link.share
                yield at, _StageHeat(link.design, link.design.stages[k], parts).watts()
            out = np.concatenate([out for _, out in blocks])
            outputs.append(out / link.design.v_per_logit)
        held = np.concatenate(outputs, axis=1).reshape(len(volts), -1)


class _StageHeat:
    """A stage's power at blocks of points, made into watts of its parts."""

    def __init__(self, design: Design, stage: CrossbarStage, parts: tuple[StagePower, ...]) -> None:
        self.stage, self.parts, self.hardware = stage, parts, design.hardware

    def watts(self) -> StageWatts:
        """Of every part."""
        stage, v_rail = self.stage, self.hardware.v_rail
        rows = self._mean("own_rows").reshape(stage.r_f.shape)
        by_row = self._mean("rows")
        by_row[: rows.size] -= rows.ravel()
        siemens = stage.g / np.maximum(stage.g.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        cells = siemens * by_row[:, None]
        there = self._block("dissipated", "cells", "wires", "drivers")
        cells *= there / cells.sum()
        kept = stage.kept
        front = self._block("dissipated", "layernorm", "squash")
        front += 2 * v_rail * float(np.mean(np.concatenate([p.through for p in self.parts])))
        front += sum(self._drive(block).sum() for block in ("dacs", "layernorm"))
        front += self._amplifiers("squash", self.hardware.gbw).sum()
        rows = rows + kept * front / kept.sum()
        rows[kept] += self._amplifiers("rows", stage.gbw[0])
        lines, outputs = self._mean("own_lines"), self._amplifiers("differences", stage.gbw[2])
        if stage.readout.differences:
            lines = lines + self._amplifiers("lines", stage.gbw[1])
            outputs = outputs + self._block("dissipated", "differences") / outputs.size
        else:  # the positive lines' amplifiers are the outputs'
            lines[1::2] += self._amplifiers("lines", stage.gbw[1])
            lines[0::2] += outputs
            outputs = np.zeros(0)
        return StageWatts(
            cells=cells, rows=rows, lines=lines, diffs=outputs, bias=self._drive("bias_rows")
        )

    def _mean(self, name: str) -> Values:
        """Of an attribute of all points."""
        return np.mean(np.concatenate([getattr(part, name) for part in self.parts]), axis=0)

    def _block(self, name: str, *blocks: str) -> float:
        """Watts of ``blocks``; 0 of what the stage has not."""
        told = [getattr(part, name) for part in self.parts]
        found = [np.concatenate([t[b] for t in told]) for b in blocks if b in told[0]]
        return float(sum(np.mean(watts) for watts in found))

    def _drive(self, block: str) -> Values:
        """Watts that each output stage of ``block`` loses: the supply's less what is delivered,
        shared out by its currents."""
        if block not in self.parts[0].currents:
            return np.zeros(0)
        amperes = np.mean(np.abs(np.concatenate([p.currents[block] for p in self.parts])), axis=0)
        lost = self.hardware.v_rail * amperes.sum() - self._block("delivered", block)
        return lost * amperes / max(amperes.sum(), np.finfo(float).tiny)

    def _amplifiers(self, block: str, gbw: float) -> Values:
        """``_drive`` of op-amps, and what they draw at rest."""
        if block not in self.parts[0].currents:
            return np.zeros(0)
        peaks = np.max([np.abs(p.currents[block]).max(axis=0) for p in self.parts], axis=0)
        still, _ = quiescent_of(peaks, gbw, Assumptions(), block)
        return self._drive(block) + 2 * self.hardware.v_rail * still


# ---- kelvins of each place


def _squares(plan: Floorplan) -> tuple[int, int]:
    longer = max(plan.width, plan.height)
    across, down = (max(1, round(SQUARES * side / longer)) for side in (plan.width, plan.height))
    return down, across


def _at(plan: Floorplan, sites: Sites) -> tuple[Values, Values]:
    """Places in squares down and across, fractions of them."""
    down, across = _squares(plan)
    x, y = sites.each
    return y / plan.height * down, x / plan.width * across


def _spread(
    plan: Floorplan, watts: dict[tuple[int, int], StageWatts], ambient: float, sheet: float
) -> Values:
    """Kelvins (N, M) of the squares of a sheet, each in balance with its neighbours (exact)."""
    from scipy import fft

    shape = _squares(plan)
    heat = np.zeros(shape)
    for p in plan.layers:
        of = watts[p.layer, p.share]
        for name in ("cells", "rows", "lines", "diffs", "bias"):
            down, across = _at(plan, getattr(p, name))
            np.add.at(heat, (down.astype(int), across.astype(int)), getattr(of, name))
    if not sheet:
        return np.full(shape, ambient * heat.sum())
    tall, wide = plan.height / shape[0], plan.width / shape[1]
    waves = [2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in shape]
    away = 1 / (ambient * heat.size)
    along = (wide / tall * waves[0][:, None] + tall / wide * waves[1]) / sheet
    modes: Any = fft.dctn(heat, norm="ortho")
    kelvins: Any = fft.idctn(modes / (away + along), norm="ortho")
    return kelvins


def _warmth(plan: Floorplan, p: LayerPlan, kelvins: Values) -> Warmth:
    """Of a layer's parts: between the middles of squares as straight lines have it."""
    from scipy import ndimage

    def at(sites: Sites) -> Values:
        places = [along - 0.5 for along in _at(plan, sites)]
        return ndimage.map_coordinates(kelvins, places, order=1, mode="nearest")

    return Warmth(cells=at(p.cells), rows=at(p.rows), lines=at(p.lines), diffs=at(p.diffs))
