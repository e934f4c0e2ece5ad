"""The twin in time: a circuit's stages, stepped together from one image to the next.

Lines and difference amplifiers are linear: their steps are exact while their inputs go straight.
What the negative lines of a summing read-out send to the positive ones is such an input.
Rows are stepped by Runge-Kutta's method, their diodes' segments changing as they move. Cells of
norms and squashes follow at once. Axes: I inputs, D diodes, O outputs, B images, T times.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..compiler.chip import require_usual
from ..compiler.closed_form import drifted
from ..compiler.design import CrossbarStage, Design
from ..compiler.front import Front
from ..compiler.hardware import Hardware
from ..compiler.spice_cells import TEMPERATURE_C
from ..errors import SimulationError
from .assumptions import Assumptions
from .capacitors import capacitors_of
from .deck import dynamic_design
from .settling_blocks import Linear, Rows, Values, difference_blocks, line_blocks

RISE = 1e-9
"""Seconds in which a DAC goes straight from one value to the next; assumed."""
DECAYS = 14.0
"""Times of the slowest decay that a run lasts at least: exp(-14) is 8e-7."""
FIRST, LATER, EARLY = 0.12, 1.0, 400
"""Steps in times of the rows' fastest pole, at first and at most; and how many of them make a time
after which a step may be so much longer."""
RINGING, RINGING_STEP = 0.3, 0.24
"""Damping below which the longest step is shorter, by its root for rows, and what it is at most for
lines and outputs, and at least for rows: while amplifiers ring errors of their phase add up."""
OPAMP = re.compile(r"^x.*\bopamp\b", re.MULTILINE)
"""An instance of an op-amp in a cell's file."""
PASSES = 4
"""From negative lines at rest to positive ones and, through wires, a little back: what is left
shrinks by an op-amp's gain each time."""
LEAST_C = 1e-18
"""Farads where there are none: a node without charge follows at once, as this one does."""


@dataclass(frozen=True, eq=False)
class Kinds:
    """Inputs that change alike, of rows that are alike: one of each kind is stepped.

    ``first`` (U,) are places of one of each in an array (I, B), ``of`` (I, B) the kind of each.
    """

    first: Values
    of: Values


@dataclass(eq=False)
class State:
    """Of one stage: which inputs of its rows change alike; squash cells (I, m, B), m 0 where they
    follow at once; each diode's rows (2, I, B), and the amperes that they make; lines (n, m, B);
    difference amplifiers (O, 3, B), if there are any. Of kinds, there are rows (2, 1, U)."""

    kinds: Kinds | None
    cells: Values
    rows: list[Values]
    amperes: Values
    lines: Values
    diffs: Values | None


class StageInTime:
    """One stage of a circuit whose op-amps have one pole.

    Attributes
    ----------
    rows
        Of each diode, in the order of D.
    cells
        Squash cells; None where there are none that move.
    like, driven
        (D, I) and (I,): whose row is stepped for an input, of each diode, and of all: its own, or,
        where it has none, that of the first that has.
    lines, diffs
        Line and difference amplifiers; None for the second where there are none.
    """

    def __init__(
        self, stage: CrossbarStage, hardware: Hardware, assumed: Assumptions, temp_c: float
    ) -> None:
        from ..engines.twin_arrays import current_table, stage_arrays

        require_usual([stage], "settling")
        arrays = stage_arrays(stage, hardware, temp_c)
        c, e, dt = capacitors_of(stage, hardware, assumed), stage.errors, temp_c - TEMPERATURE_C
        self.front, self.hardware, self.temp_c = stage.front, hardware, temp_c
        self.rail = hardware.v_rail if hardware.rails else None
        self.cells = squash_blocks(stage.front, 2 * math.pi * hardware.gbw)
        of_rows, _, of_diffs = (2 * math.pi * float(gbw) for gbw in stage.gbw)
        law = drifted(hardware.feedback_tc1, hardware.feedback_tc2, dt)
        nominal = np.full(stage.r_f.shape, hardware.opamp_gain_used)
        gain = nominal if e is None else nominal * e.rows.gain
        offset = 0 * nominal if e is None else e.rows.offset_at(dt)
        self.rows: list[Rows] = []
        self.like, (self.driven,) = _like(stage.kept), _like(stage.driven[:, None])
        for d, curve in enumerate(stage.curves):
            u, i = current_table(curve, hardware, temp_c, None, d)
            own = (arrays["x"], arrays["r"], stage.r_f * law, c.rows_in, c.rows, gain, offset)
            each = [part[self.like[d], d] for part in own]
            if e is None and all((part == part[:1]).all() for part in each):
                each = [part[:1] for part in each]
            x, r, r_f, c_in, c_f, a, vos = each
            errors = None
            if e is not None:
                errors = tuple(part[self.like[d], d] for part in (e.k_i, e.k_v, e.d_v))
            self.rows.append(
                Rows(
                    u=u[0], i=i[0], errors=errors, x=x, r=r, r_f=r_f, c_in=c_in, c_f=c_f,
                    gain=a, offset=vos, w=of_rows,
                )
            )  # fmt: skip
        n = stage.r_f.size
        self.g = np.ascontiguousarray(arrays["g"][:n].T)
        self.bias = -hardware.v_fs * arrays["g"][n:].sum(axis=0)[:, None]
        feet = arrays["feet"] if "feet" in arrays else arrays["g"].sum(axis=0)
        self.coupled = None
        if not stage.readout.differences:
            self.coupled = arrays["ratio"] / arrays["r_c"][1::2]
            more = np.stack([self.coupled, 0 * self.coupled], axis=1).ravel()
            feet = feet + (more if feet.ndim == 1 else np.diag(more))
        amps = arrays["line_gain"], arrays["line_offset"]
        c_lines = np.maximum(c.lines_in, LEAST_C)
        w_lines = 2 * math.pi * stage.line_gbw
        self.lines = line_blocks(c_lines, c.lines, arrays["r_c"], feet, *amps, w_lines)
        self.diffs = None
        if stage.readout.differences:
            amps = arrays["diff_gain"], arrays["diff_offset"]
            c_diffs = np.maximum(c.diffs_in, LEAST_C)
            r, ratio = hardware.r_diff, arrays["ratio"]
            self.diffs = difference_blocks(c_diffs, c.diffs, r, ratio, *amps, of_diffs)

    @property
    def behind(self) -> list[Linear]:
        """The blocks behind the crossbar in the order of the signal; of a summing read-out, which
        goes through two lines, the lines' twice."""
        return [self.lines, self.diffs or self.lines]

    def column_poles(self) -> tuple[Values, Values]:
        """Poles of the line and of the output amplifiers; of a summing read-out of the negative and
        the positive lines', or, where wires join them, of all in both."""
        lines = self.lines.poles()
        if self.diffs is not None:
            return lines, self.diffs.poles()
        return (lines, lines) if len(lines) == 1 else (lines[1::2], lines[0::2])

    def kinds(self, before: Values, after: Values) -> Kinds | None:
        """Of inputs (I, B) that go from one value straight to another; None: each on its own."""
        if self.front.kind != "none" or not all(bank.alike for bank in self.rows):
            return None
        pairs = np.stack([volts[self.driven].ravel() for volts in (before, after)])
        _, first, of = np.unique(pairs, axis=1, return_index=True, return_inverse=True)
        return Kinds(first, of.reshape(before.shape))

    def rest(self, before: Values, kinds: Kinds | None = None) -> State:
        """At rest for outputs ``before`` (I, B) of the stage before."""
        x = front_volts(self.front, before, self.hardware, self.temp_c)
        cells = np.empty((len(x), 0, x.shape[1]))
        if self.cells is not None:
            cells = self.cells.rest(x[:, None])
        rows = [bank.rest(v) for bank, v in zip(self.rows, self.diodes(x, kinds), strict=True)]
        amperes = self._amperes(rows, kinds)
        lines = self.lines.rest(amperes)
        if self.diffs is None:
            for _ in range(PASSES):
                lines = self.lines.rest(amperes + self._sent(lines))
            return State(kinds, cells, rows, amperes, lines, None)
        return State(kinds, cells, rows, amperes, lines, self.diffs.rest(self._pairs(lines)))

    def step(self, state: State, before: tuple[Values, Values], h: float) -> State:
        """The state ``h`` seconds later, the stage before going straight from one to the other."""
        v0, v1 = (front_volts(self.front, y, self.hardware, self.temp_c) for y in before)
        cells = state.cells
        if self.cells is not None:
            cells = self.cells.step(cells, v0[:, None], v1[:, None], h)
            v0, v1 = state.cells[:, -1], cells[:, -1]
        ends = (self.diodes(v, state.kinds) for v in (v0, v1))
        rows = [
            bank.step(own, first, last, h)
            for bank, own, first, last in zip(self.rows, state.rows, *ends, strict=True)
        ]
        amperes = self._amperes(rows, state.kinds)
        if self.diffs is None or state.diffs is None:
            first = state.amperes + self._sent(state.lines)
            lines = state.lines
            for _ in range(2):  # where the negative lines go, then the positive ones with them
                lines = self.lines.step(state.lines, first, amperes + self._sent(lines), h)
            return State(state.kinds, cells, rows, amperes, lines, None)
        lines = self.lines.step(state.lines, state.amperes, amperes, h)
        pairs = self._pairs(state.lines), self._pairs(lines)
        diffs = self.diffs.step(state.diffs, *pairs, h)
        return State(state.kinds, cells, rows, amperes, lines, diffs)

    def diodes(self, volts: Values, kinds: Kinds | None = None) -> list[Values]:
        """What each diode's rows are stepped at, for ``volts`` (I, B); one of each of ``kinds``."""
        if kinds is None:
            return [volts[like] for like in self.like]
        return [volts[self.driven].ravel()[None, kinds.first]] * len(self.like)

    def outputs(self, state: State) -> Values:
        """(O, B) volts."""
        if state.diffs is None:
            return self.line_outputs(state.lines)[0::2]
        return self._limited(state.diffs[:, 2])

    def row_outputs(self, rows: Sequence[Values], kinds: Kinds | None) -> Values:
        """(I D, B) volts, d fastest."""
        found = [own[1] if kinds is None else own[1, 0][kinds.of] for own in rows]
        out = np.stack(found, axis=1)
        return self._limited(out).reshape(-1, out.shape[-1])

    def _amperes(self, rows: Sequence[Values], kinds: Kinds | None) -> Values:
        """Into the summing nodes, as inputs of ``lines``."""
        amperes = self.g @ self.row_outputs(rows, kinds) + self.bias
        return amperes.reshape(*self.lines.b.shape[::2], -1)

    def _sent(self, lines: Values) -> Values:
        """Amperes, as inputs of ``lines``, from negative lines into the positive summing nodes."""
        assert self.coupled is not None
        volts = self.line_outputs(lines)
        amperes = np.zeros_like(volts)
        amperes[0::2] = self.coupled[:, None] * volts[1::2]
        return amperes.reshape(*self.lines.b.shape[::2], -1)

    def line_outputs(self, lines: Values) -> Values:
        """(2 O, B) volts."""
        n, m, images = lines.shape
        return self._limited(lines.reshape(n, 2, m // 2, images)[:, 1].reshape(-1, images))

    def _pairs(self, lines: Values) -> Values:
        """Inputs (O, 2, B) of the difference amplifiers."""
        volts = self.line_outputs(lines)
        return volts.reshape(-1, 2, volts.shape[-1])

    def _limited(self, volts: Values) -> Values:
        return volts if self.rail is None else volts.clip(-self.rail, self.rail)


def _like(kept: Values) -> Values:
    """(D, I): the number of each input where a row is ``kept`` (I, D), elsewhere that of the first
    which is."""
    return np.where(kept, np.arange(len(kept))[:, None], kept.argmax(axis=0)).T


def squash_blocks(front: Front, w: float) -> Linear | None:
    """How squash cells follow what their input asks for; None: at once."""
    if front.squash.kind == "none":
        return None
    cell = front.squash.cell
    if not cell.in_time:
        if OPAMP.search(cell.text):
            raise SimulationError(
                f"cell {cell.name} has op-amps, and declares no in_time to say how it follows them"
            )
        return None
    a, b = map(np.array, cell.in_time)
    return Linear(a=w * a[None], b=w * b[None, :, None], e=np.zeros((1, len(b))))


def front_volts(front: Front, y: Values, hardware: Hardware, temp_c: float) -> Values:
    """Diode voltages (I, B) that norm and squash cells go to for outputs ``y`` (I, B)."""
    return front.solved(front.normed(y.T), hardware, temp_c).T


def _damping(poles: Values) -> Values:
    """Of each pole: 1 where it does not ring."""
    return -np.real(poles) / np.abs(poles)


class InTime:
    """One circuit, nominal or a chip, in time.

    Raises
    ------
    SimulationError
        If an op-amp's bandwidth is not known, a cell has no closed form, or ``slew`` is set.
    """

    def __init__(self, design: Design, assumed: Assumptions, temp_c: float) -> None:
        from ..compiler.closed_form import require_closed_form

        if assumed.slew:
            raise SimulationError(
                f"slew = {assumed.slew:g} V/s: amplifiers are linear in time here; leave it at 0 "
                "and compare slew rates with the slopes of the waveforms"
            )
        self.design = dynamic_design(design)
        require_closed_form(self.design)
        self.stages = [
            StageInTime(stage, self.design.hardware, assumed, temp_c)
            for stage in self.design.stages
        ]
        rows = np.concatenate(
            [bank.poles().ravel() for stage in self.stages for bank in stage.rows]
        )
        self.fastest = float(np.abs(rows).max())
        blocks = np.concatenate(
            [
                block.poles().ravel()
                for stage in self.stages
                for block in filter(None, (stage.cells, *stage.behind))
            ]
        )
        least = float(_damping(rows[np.real(rows) < 0]).min())
        ringing = float(np.abs(blocks[_damping(blocks) < RINGING]).max(initial=0.0))
        self.longest = min(
            max(RINGING_STEP, LATER * min(1.0, math.sqrt(least / RINGING))) / self.fastest,
            RINGING_STEP / ringing if ringing else math.inf,
        )

    def least_seconds(self, volts: Values) -> float:
        """How long a run to ``volts`` (I, B) lasts at least, by the segments where diodes rest."""
        slowest: list[float] = []
        for stage in self.stages:
            v = front_volts(stage.front, volts, stage.hardware, stage.temp_c)
            volts = stage.outputs(stage.rest(volts))
            at = zip(stage.rows, stage.diodes(v), strict=True)
            poles = [bank.poles()[:, bank.segments(own)] for bank, own in at]
            blocks = filter(None, (stage.cells, *stage.behind))
            rates = [-np.real(p) for p in (*poles, *(block.poles() for block in blocks))]
            slowest += [1 / float(rate[rate > 0].min(initial=np.inf)) for rate in rates]
        return DECAYS * max(slowest) + 3 * (sum(slowest) - max(slowest))

    def rest(self, volts: Values, kinds: Kinds | None = None) -> list[State]:
        """Every stage at rest for ``volts`` (I, B) at the inputs, of ``kinds``."""
        states: list[State] = []
        for stage in self.stages:
            states.append(stage.rest(volts, None if states else kinds))
            volts = stage.outputs(states[-1])
        return states

    def steps(self, finer: float = 1.0) -> Iterator[tuple[float, float]]:
        """When a step begins and how long it is, without end; ``finer`` divides all of them.

        They are of few lengths, each twice another: what steps linear blocks is made once each.
        """
        first = FIRST / self.fastest / finer
        t, n = 0.0, max(2, math.ceil(RISE / first))
        for k in range(n):
            yield k * RISE / n, RISE / n
        t = RISE
        longest = self.longest / finer
        while True:
            wanted = min(max(first, (t - RISE) / EARLY / finer), longest)
            h = first * 2 ** math.floor(math.log2(wanted / first))
            yield t, h
            t += h

    def march(
        self, before: Values, after: Values, finer: float = 1.0
    ) -> Iterator[tuple[float, list[State]]]:
        """Time and states, from rest at ``before`` (I, B) on, the inputs going to ``after``.

        Without end.
        """
        states = self.rest(before, self.stages[0].kinds(before, after))
        yield 0.0, states
        given = before
        for t, h in self.steps(finer):
            share = min((t + h) / RISE, 1.0)
            end = after if t + h >= RISE * (1 - 1e-9) else before + share * (after - before)
            moved: list[State] = []
            drive = given, end
            for stage, state in zip(self.stages, states, strict=True):
                moved.append(stage.step(state, drive, h))
                drive = stage.outputs(state), stage.outputs(moved[-1])
            states, given = moved, end
            yield t + h, states
