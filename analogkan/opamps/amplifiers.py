# pyright: strict
"""Every amplifier of a design with what is asked of it: volts, currents, loads, noise gain.

Amplifiers are ideal here. Axes: B images, k amplifiers of a kind; I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.bandwidth import column_gains
from ..compiler.design import CrossbarStage, Design
from ..compiler.names import StageNames
from ..compiler.spice_cells import TEMPERATURE_C
from ..engines.ideal import StageVolts, stage_volts
from ..network.spec import NetworkSpec
from ..physics.power_stage import R_MEAN

Values = npt.NDArray[Any]
FARTHEST = 10.0
"""Volts before a squash cell, either way, where nothing was calibrated: it is flat there."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Amplifiers:
    """Those of one kind in one layer.

    Attributes
    ----------
    layer, kind, nets
        Where they are: ``row``, ``line``, ``output``, ``hidden output``, whose volts are the next
        diodes', or squash ``cell``; and the nets (k) of their outputs.
    volts
        (B, k) at the output.
    cells, pairs, rest
        (B, k) amperes out of it: in proportion to g_max, to 1 / r_diff, and others.
    g_cells, g_pairs, g_rest
        (k,) siemens of its load, likewise.
    noise_gain
        (k,) the largest.
    least_gain
        (k,) gain at and below which a falling diode has several solutions; 0 without one.
    scales
        Whether its volts are in proportion to the headroom.
    common
        (B, k) volts at its inputs; None where they are at ground.
    """

    layer: int
    kind: str
    nets: list[str]
    volts: Values
    cells: Values
    pairs: Values
    rest: Values
    g_cells: Values
    g_pairs: Values
    g_rest: Values
    noise_gain: Values
    least_gain: Values
    scales: bool = False
    common: Values | None = None

    @property
    def amperes(self) -> Values:
        """(B, k) out of it."""
        return self.cells + self.pairs + self.rest

    @property
    def load(self) -> Values:
        """(k,) siemens."""
        return self.g_cells + self.g_pairs + self.g_rest

    def scaled(self, cells: float, pairs: float) -> Amplifiers:
        """The same with all conductances of cells, and of r_diff, times a factor: no volt moves."""
        return replace(
            self,
            cells=self.cells * cells,
            g_cells=self.g_cells * cells,
            pairs=self.pairs * pairs,
            g_pairs=self.g_pairs * pairs,
        )


def amplifiers_of(design: Design, spec: NetworkSpec) -> list[Amplifiers]:
    """Those of ``design`` in the order of the signal, on the calibration images of ``spec``.

    Without any, at worst: every diode at its largest and its least current, a pair's lines both,
    or one of them, at what that gives. Outputs, which no supply would hold then, stay within the
    lines' headroom. Wires, which take from currents, are left out.
    """
    design = replace(design, hardware=replace(design.hardware, opamp="linear"))
    if spec.calibration is not None and len(spec.calibration):
        found = list(stage_volts(design, spec.dac_volts(spec.calibration)))
    else:
        found = [_worst(design, stage) for stage in design.stages]
    groups: list[Amplifiers] = []
    for k, (stage, volts) in enumerate(zip(design.stages, found, strict=True)):
        names = StageNames(design, k)
        if stage.front.squash.kind != "none" and stage.front.squash.cell.in_time:
            groups += _cells(design, names, volts)
        groups.append(_rows(names, volts))
        groups += _columns(design, names, volts, [*found, None][k + 1])
    return [group for group in groups if group.nets]


def _worst(design: Design, stage: CrossbarStage) -> StageVolts:
    """Six images: of diodes at their largest current, and at their least."""
    most, least = (np.array([pick(curve.i) for curve in stage.curves]) for pick in (np.max, np.min))
    n_in = stage.shape[0]
    limit = design.hardware.headroom * design.hardware.v_rail
    rows, pairs = list[Values](), list[Values]()
    for current in (most, least):
        bias = np.full(stage.n_bias, -design.hardware.v_fs)
        row = np.concatenate([(-stage.r_f * current).ravel(), bias])
        both = (-stage.r_c * (row @ stage.g)).reshape(-1, 2)
        rows += [row] * 3
        pairs += [both, both * [1, 0], both * [0, 1]]
    lines: Values = np.stack(pairs)  # (B, O, 2)
    if not stage.readout.differences:
        lines[..., 0] -= lines[..., 1] * stage.r_c[0::2] / stage.r_x
        lines[..., 0] = lines[..., 0].clip(-limit, limit)
    outputs: Values = lines[..., 0]
    if stage.readout.differences:
        outputs = (stage.gain * (lines[..., 0] - lines[..., 1])).clip(-limit, limit)
    knots = np.unique(np.concatenate([curve.v for curve in stage.curves]))
    peak = knots[np.sum([curve.current(knots) for curve in stage.curves], axis=0).argmax()]
    normed = np.repeat([-FARTHEST, 0.0, FARTHEST], 2)[:, None] + np.zeros((6, n_in))
    inputs = np.full((6, n_in), peak)
    return StageVolts(normed, inputs, np.stack(rows), lines.reshape(6, -1), outputs)


def _slopes(stage: CrossbarStage) -> list[Values]:
    """Siemens of every segment of each diode's curve."""
    return [np.diff(curve.i) / np.diff(curve.v) for curve in stage.curves]


def _steepest(stage: CrossbarStage) -> Values:
    """Siemens (D,) of the steepest of them, whichever way."""
    return np.array([np.abs(slope).max() for slope in _slopes(stage)])


def _rows(names: StageNames, volts: StageVolts) -> Amplifiers:
    stage = names.stage
    n, kept = stage.r_f.size, stage.kept.ravel()
    r_f, cells = stage.r_f.ravel()[kept], stage.g[:n].sum(axis=1)[kept]
    out = volts.rows[:, :n][:, kept]
    swings = [1 + stage.r_f[:, d, None] * slope for d, slope in enumerate(_slopes(stage))]
    noise = np.stack([np.abs(swing).max(axis=1) for swing in swings], axis=1).ravel()[kept]
    falls = np.stack([-swing.min(axis=1) for swing in swings], axis=1).ravel()[kept]
    none = np.zeros(len(r_f))
    return Amplifiers(
        layer=names.layer,
        kind="row",
        nets=list(compress(names.rows()[:n], kept)),
        volts=out,
        cells=out * cells,
        pairs=none[None],
        rest=out / r_f,
        g_cells=cells,
        g_pairs=none,
        g_rest=1 / r_f,
        noise_gain=noise,
        least_gain=falls.clip(0),
    )


def _columns(
    design: Design, names: StageNames, volts: StageVolts, after: StageVolts | None
) -> Iterator[Amplifiers]:
    """Line amplifiers, then those of the outputs."""
    stage = names.stage
    scales = after is None or design.stages[names.layer + 1].front.norm is not None
    outputs = "output" if scales else "hidden output"
    drawn, taken = _drawn(design, names.layer, volts, after)
    noise = column_gains(stage.g, stage.r_c, stage.gain, stage.readout)
    lines, out, none = volts.lines, volts.outputs, np.zeros(stage.gain.size)
    if not stage.readout.differences:
        negative, r_f, r_n = lines[:, 1::2], stage.r_c[0::2], stage.r_c[1::2]
        for kind, nets, own, g, rest, g_rest, gains in (
            ("line", names.lines()[1::2], negative, 1 / r_n + 1 / stage.r_x, 0, 0, noise[0]),
            (outputs, names.outputs(), out, 1 / r_f, drawn, taken, noise[1]),
        ):
            yield Amplifiers(
                layer=names.layer, kind=kind, nets=nets, volts=own, cells=own * g, pairs=0 * own,
                rest=0 * own + rest, g_cells=g, g_pairs=none, g_rest=none + g_rest,
                noise_gain=gains, least_gain=none, scales=scales,
            )  # fmt: skip
        return
    r, ratio = design.hardware.r_diff, stage.gain
    p, n = lines[:, 0::2], lines[:, 1::2]
    common = p * ratio / (1 + ratio)
    to_pairs, g_pairs = np.empty_like(lines), np.empty(lines.shape[1])
    to_pairs[:, 0::2], to_pairs[:, 1::2] = (p - common) / r, (n - common) / r
    g_pairs[0::2], g_pairs[1::2] = 1 / (r * (1 + ratio)), 1 / r
    idle = np.zeros(lines.shape[1])
    yield Amplifiers(
        layer=names.layer, kind="line", nets=names.lines(), volts=lines, cells=lines / stage.r_c,
        pairs=to_pairs, rest=0 * lines, g_cells=1 / stage.r_c, g_pairs=g_pairs, g_rest=idle,
        noise_gain=noise[0], least_gain=idle, scales=True,
    )  # fmt: skip
    yield Amplifiers(
        layer=names.layer, kind=outputs, nets=names.outputs(), volts=out, cells=0 * out,
        pairs=(out - common) / (r * ratio), rest=drawn + 0 * out, g_cells=none,
        g_pairs=1 / (r * ratio), g_rest=taken + none, noise_gain=noise[1], least_gain=none,
        scales=scales, common=common,
    )  # fmt: skip


def _drawn(
    design: Design, layer: int, volts: StageVolts, after: StageVolts | None
) -> tuple[Values | float, Values | float]:
    """Amperes (B, O), and at most siemens (O,), that the next layer takes from the outputs."""
    if after is None:
        return 0.0, 0.0
    stage, out = design.stages[layer + 1], volts.outputs
    if stage.front.norm is not None:
        return (out - out.mean(axis=1, keepdims=True)) / R_MEAN, 1 / R_MEAN
    if stage.front.squash.kind != "none":
        return 0.0, 0.0
    return _diodes(stage, after.inputs), stage.kept @ _steepest(stage)


def _diodes(stage: CrossbarStage, volts: Values) -> Values:
    """Amperes (B, I) of all diodes of each input."""
    of_each = zip(stage.curves, stage.kept.T, strict=True)
    own = [curve.current(volts) * kept for curve, kept in of_each]
    return np.sum(own, axis=0)


def _cells(design: Design, names: StageNames, volts: StageVolts) -> Iterator[Amplifiers]:
    """Op-amps of the squash cells: those of their outputs, and of further ones, whose volts are
    not told, currents alone."""
    stage, hardware = names.stage, design.hardware
    front, at = stage.front, stage.driven
    cell, out = front.squash.cell, volts.inputs[:, at]
    scale = front.attenuation[at] if cell.sloped else 1.0
    drawn = _diodes(stage, volts.inputs)[:, at]
    currents: tuple[Values, ...] = (drawn,)
    if cell.power is not None:
        params = front.params(scale, hardware)
        normed = volts.normed[:, at]
        currents = cell.power(normed, drawn, params, hardware, TEMPERATURE_C).outs
    none = np.zeros(int(at.sum()))
    feedback = 1 / front.r_load if front.r_load else 0.0
    for k, own in enumerate(currents):
        yield Amplifiers(
            layer=names.layer, kind="cell", nets=names.driven(names.inputs()),
            volts=0 * out if k else out, cells=0 * out, pairs=0 * out, rest=own, g_cells=none,
            g_pairs=none, g_rest=(1 + k) * feedback + (stage.kept @ _steepest(stage))[at],
            noise_gain=none + 1, least_gain=none,
        )  # fmt: skip
