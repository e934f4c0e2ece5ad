"""Settling: how long a circuit takes from one image to the next, by the twin in time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..compiler.build import Build
from ..compiler.circuit import Link
from ..compiler.design import Design
from ..compiler.names import StageNames, logits, padded
from ..compiler.sections import Section
from ..compiler.spice_cells import TEMPERATURE_C
from ..errors import OscillationError, SimulationError
from ..threads import one_blas_thread
from .assumptions import Assumptions
from .settling_blocks import Values
from .settling_twin import InTime, State
from .waveforms import Waveforms, last_crossing

AT_REST = 1e-6
"""Of full scale: as near as a run must come to the values at rest."""
LONGER = (1, 2, 4)
"""A run that is not at rest goes on to so many times what it should take."""
MOST_STEPS = 10_000
"""Of a run, of about a radian of the fastest pole each: what rings on longer does not settle."""
TARGET_RANGE = 2.0
"""Logits: a regression's are -1 and 1 at the ends of its targets."""
BLOCK = 100
"""Images that are stepped together."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Settled:
    """When the outputs of n images were settled, seconds after the inputs began to change.

    Attributes
    ----------
    settling_class_s
        (n,) from when on the class is the final one; NaN of a regression.
    settling_margin_s
        (n,) from when on every logit is within half the margin between the final class and its
        nearest rival; NaN of a regression.
    settling_s
        (n,) from when on every output is within half a step of ``bits`` bits of full scale.
    held_s
        (S - 1, n) what of these each section but the last took, which are added: its outputs are
        held once they are all within ``bits`` bits.
    bits, full_scale
        Of ``settling_s``; full scale is the largest |logit| at rest, of a regression the range of
        its targets, which is 2.
    logits
        (n, O) at rest.
    run_s
        Seconds that a run lasted: at least 14 of the slowest decay.
    waveforms
        The last section's logits; None unless asked for.
    """

    settling_class_s: Values
    settling_margin_s: Values
    settling_s: Values
    held_s: Values
    bits: int
    full_scale: float
    logits: Values
    run_s: float
    waveforms: Waveforms | None = None

    @property
    def by_section_s(self) -> Values:
        """(S, n) seconds that each section took: they add up to ``settling_s``."""
        return np.concatenate([self.held_s, [self.settling_s - self.held_s.sum(axis=0)]])

    def within(self, amount: float | Values) -> Values:
        """Seconds (n,) from when on every output is within ``amount`` logits of where it rests.

        ``amount`` may be (n,), such as a regression's errors. SimulationError without waveforms.
        """
        if self.waveforms is None:
            raise SimulationError("no waveforms were kept: settle(..., waveforms=True)")
        return self.waveforms.near(self.logits, amount) + self.held_s.sum(axis=0)


def settle(
    build: Build,
    volts_before: Values,
    volts_after: Values,
    assumed: Assumptions,
    *,
    temp_c: float = TEMPERATURE_C,
    chip: Sequence[Link] = (),
    full_scale: float = 0.0,
    waveforms: bool = False,
    keep: Path | None = None,
) -> Settled:
    """How long the outputs take after the inputs go from ``volts_before`` to ``volts_after``.

    Sections of a circuit whose values are held settle one after the other, and a convolution's
    positions too; circuits that share a section's outputs settle side by side.

    Parameters
    ----------
    volts_before, volts_after
        (n, I) at the inputs; (1, I) or (I,) before stands for all.
    chip
        A chip's circuits instead of the build's.
    full_scale
        Logits; 0 is the largest of these images.
    waveforms
        Whether to keep those of the last section.
    keep
        Folder for the waveform of what does not settle; None is ``<build>.run/failed``.

    Raises
    ------
    SimulationError
        If an op-amp declares no bandwidth, or a cell has no closed form; or ``slew`` is set.
    OscillationError
        If something does not settle.
    """
    links = chip or build.circuit().links
    after = np.atleast_2d(volts_after)
    before = np.broadcast_to(volts_before, after.shape)
    keep = keep or build.folder.resolve().with_suffix(".run") / "failed"
    sections = list(dict.fromkeys(link.section for link in links))
    held: list[Values] = []
    for section in sections[:-1]:
        runs = _section(links, section, before, after, assumed, temp_c, keep)
        took = np.stack([run.within(assumed.bits, run.scale) for run in runs]).max(axis=0)
        held.append(took.reshape(len(after), -1).sum(axis=1))
        before, after = (
            np.concatenate(part, axis=1).reshape(len(after), -1)
            for part in zip(*((run.first, run.last) for run in runs), strict=True)
        )
    runs = _section(links, sections[-1], before, after, assumed, temp_c, keep)
    regression = build.spec.targets is not None
    found = settled(
        runs, assumed, regression=regression, full_scale=full_scale, waveforms=waveforms
    )
    if not held:
        return found
    first = np.sum(held, axis=0)
    return replace(
        found,
        settling_class_s=found.settling_class_s + first,
        settling_margin_s=found.settling_margin_s + first,
        settling_s=found.settling_s + first,
        held_s=np.array(held),
    )


@dataclass(frozen=True, eq=False)
class Run:
    """One circuit's n points: its logits over time, and (n, O) at rest before and after."""

    waves: Waveforms
    first: Values
    last: Values

    @property
    def scale(self) -> float:
        return float(np.abs(self.last).max())

    def within(self, bits: int, scale: float) -> Values:
        """Seconds (n,) until all logits are within half a step of ``bits`` bits of ``scale``."""
        return self.near(scale / 2 ** (bits + 1))

    def near(self, amount: float | Values) -> Values:
        """Seconds (n,) until all logits are within ``amount`` of where they end."""
        return self.waves.near(self.last, amount)


def _section(
    links: Sequence[Link],
    section: Section,
    before: Values,
    after: Values,
    assumed: Assumptions,
    temp_c: float,
    keep: Path,
) -> list[Run]:
    """The runs of a section's circuits, side by side; a position follows the one before it."""
    points, last = section.points(after), section.points(before)
    if section.positions > 1:
        begin = points.reshape(len(after), section.positions, -1)
        ends = last.reshape(begin.shape)[:, -1:]
        last = np.concatenate([ends, begin[:, :-1]], axis=1).reshape(points.shape)
    return [
        run_design(link.design, last, points, assumed, temp_c, keep)
        for link in links
        if link.section == section
    ]


def run_design(
    design: Design,
    before: Values,
    after: Values,
    assumed: Assumptions,
    temp_c: float,
    keep: Path | None = None,
) -> Run:
    """The twin in time of one circuit, from ``before`` (n, I) volts to ``after``.

    Raises
    ------
    OscillationError
        If something does not settle; its waveform is kept in the folder ``keep``, if there is one.
    """
    moving = InTime(design, assumed, temp_c)
    first, last = (
        np.concatenate([_logits(moving, part) for part in _blocks(volts)])
        for volts in (before, after)
    )
    scale = float(np.abs(last).max())
    with one_blas_thread:
        parts = [
            _march(moving, *block, goal, scale, keep)
            for block, goal in zip(
                zip(_blocks(before), _blocks(after), strict=True), _blocks(last), strict=True
            )
        ]
    longest = max(parts, key=lambda part: len(part[0]))[0]
    values = [
        np.concatenate([y, np.broadcast_to(y[-1:], (len(longest) - len(y), *y.shape[1:]))])
        for _, y in parts
    ]
    nets = logits(design)
    waves = Waveforms(time=longest, nets=nets, values=np.concatenate(values, axis=1))
    return Run(waves, first, last)


def _blocks(values: Values) -> list[Values]:
    return [values[k : k + BLOCK] for k in range(0, len(values), BLOCK)]


def _logits(moving: InTime, volts: Values) -> Values:
    """(n, O) at rest for ``volts`` (n, I)."""
    return _outputs(moving, moving.rest(volts.T))


def _outputs(moving: InTime, states: Sequence[State]) -> Values:
    return moving.stages[-1].outputs(states[-1]).T / moving.design.v_per_logit


def _march(
    moving: InTime, before: Values, after: Values, goal: Values, scale: float, keep: Path | None
) -> tuple[Values, Values]:
    """Times (T,) and logits (T, n, O) until all are at rest."""
    time: list[float] = []
    values: list[Values] = []
    least = moving.least_seconds(after.T)
    most = MOST_STEPS / moving.fastest
    ends = sorted({min(least * times, most) for times in LONGER})
    for t, states in moving.march(before.T, after.T):
        time.append(t)
        values.append(_outputs(moving, states))
        if t >= ends[0]:
            if np.abs(values[-1] - goal).max() <= AT_REST * scale:
                break
            ends.pop(0)
            if not ends:
                raise _oscillation(moving, before, after, states, t, keep)
    return np.array(time), np.stack(values)


def _oscillation(
    moving: InTime,
    before: Values,
    after: Values,
    states: Sequence[State],
    end: float,
    keep: Path | None,
) -> OscillationError:
    """What first is not at rest, with its waveform."""
    design, rest = moving.design, moving.rest(after.T)
    scale = float(np.abs(_outputs(moving, rest)).max()) * design.v_per_logit
    for layer, (stage, now, wanted) in enumerate(zip(moving.stages, states, rest, strict=True)):
        names = StageNames(design, layer)
        kinds = {
            "row": (lambda s, on=stage: on.row_outputs(s.rows, s.kinds), names.rows()),
            "line": (lambda s, on=stage: on.line_outputs(s.lines), names.lines()),
            "output": (lambda s, on=stage: on.outputs(s), names.outputs()),
        }
        for what, (get, nets) in kinds.items():
            away = np.abs(get(now) - get(wanted))
            if what == "row":
                away[~design.stages[layer].kept.ravel()] = 0.0
            if away.max() <= AT_REST * min(scale, design.hardware.v_rail):
                continue
            k, image = np.unravel_index(int(away.argmax()), away.shape)
            some = slice(int(image), int(image) + 1)
            time, volts = [], []
            for t, at in moving.march(before[some].T, after[some].T):
                time.append(t)
                volts.append(get(at[layer])[int(k), 0])
                if t >= end:
                    break
            net = nets[int(k)]
            wave = Waveforms(time=np.array(time), nets=[net], values=np.array(volts)[:, None, None])
            said = _said(layer, what, net, wave)
            if keep is not None:
                path = keep / f"settling-{net}.csv"
                wave.write(path)
                said += f". Its waveform is in {path}"
            return OscillationError(said, waveform=wave)
    raise AssertionError("something was not at rest")


def _said(layer: int, what: str, net: str, wave: Waveforms) -> str:
    late = wave.time >= wave.time[-1] / 2
    v, span = wave.values[late, 0, 0], wave.time[-1] / 2
    swing = float(v.max() - v.min())
    middle = v - (v.max() + v.min()) / 2
    hertz = np.count_nonzero(np.diff(np.sign(middle))) / 2 / span
    return (
        f"layer {layer}: {what} {net} does not settle: after {wave.time[-1]:.3g} s it still "
        f"moves by {swing:.3g} V at about {hertz:.3g} Hz; raise its feedback capacitor (c_f of "
        f"the hardware, or zeta of the assumptions)"
    )


def settled(
    runs: Sequence[Run],
    assumed: Assumptions,
    *,
    regression: bool,
    full_scale: float = 0.0,
    waveforms: bool = False,
) -> Settled:
    """What the runs of circuits that share a section's outputs say together."""
    time = max((run.waves.time for run in runs), key=len)
    waves = Waveforms(
        time=time,
        nets=[f"logit_{o}" for o in padded(sum(run.last.shape[1] for run in runs))],
        values=np.concatenate([run.waves.at(time) for run in runs], axis=2),
    )
    first, last = (
        np.concatenate(parts, axis=1)
        for parts in zip(*((run.first, run.last) for run in runs), strict=True)
    )
    whole = Run(waves, first, last)
    scale = full_scale or (TARGET_RANGE if regression else whole.scale)
    nothing = np.full(len(last), math.nan)
    final, margin = (nothing, nothing) if regression else _of_classes(whole)
    return Settled(
        settling_class_s=final,
        settling_margin_s=margin,
        settling_s=whole.within(assumed.bits, scale),
        held_s=np.zeros((0, len(last))),
        bits=assumed.bits,
        full_scale=scale,
        logits=last,
        run_s=float(time[-1]),
        waveforms=waves if waveforms else None,
    )


def _of_classes(run: Run) -> tuple[Values, Values]:
    """Seconds (n,) until the class is final, and until all are within half the margin."""
    at = np.arange(len(run.last))
    final = run.last.argmax(axis=1)
    rivals = run.waves.values.copy()
    rivals[:, at, final] = -np.inf
    lead = run.waves.values[:, at, final] - rivals.max(axis=2)
    return last_crossing(run.waves.time, -lead), run.near(lead[-1] / 2)
