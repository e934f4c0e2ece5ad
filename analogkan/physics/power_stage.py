"""Watts of every block of a deck, from the closed form's voltages; supply currents beside them.

Axes: B points (images, or their positions), I inputs, D diodes, O outputs; R rows, L lines (2 O).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cells import NUMPY
from ..compiler.chip import OpAmpErrors, require_usual
from ..compiler.closed_form import (
    drifted,
    nominal_table,
    require_closed_form,
    shifted,
    summing_volts,
)
from ..compiler.design import CrossbarStage, Design
from ..compiler.spice_cells import TEMPERATURE_C
from ..engines.ideal import rail
from ..errors import SimulationError
from .crossbar import crossbar_power
from .deck import still_design

if TYPE_CHECKING:
    from ..engines.twin import TwinStage

Values = npt.NDArray[Any]
R_MEAN = 10e3
"""Ohms of the averaging resistors of a LayerNorm, as its cell has them."""


@dataclass
class StagePower:
    """Of one stage.

    Attributes
    ----------
    dissipated, delivered
        Watts (B,) by block; one that a stage has not is left out.
    currents
        Amperes (B, k) out of each amplifier, or source, of the blocks of ``DELIVERED``; negative
        where it takes them.
    through
        Amperes (B,) that its transistor pairs take from supply to supply.
    rows, lines
        (B, R) watts of each row's diode, feedback and cells; (B, L) of each line's cells and
        feedback. With wires a cell is as ``CrossbarPower.maps`` says. (B, 0) where not wanted.
    own_rows, own_lines
        The same without cells, where they are wanted: (B, I D), and (B, L).
    """

    through: Values
    rows: Values
    lines: Values
    dissipated: dict[str, Values] = field(default_factory=dict[str, Values])
    delivered: dict[str, Values] = field(default_factory=dict[str, Values])
    currents: dict[str, Values] = field(default_factory=dict[str, Values])
    own_rows: Values = field(default_factory=lambda: np.zeros((0, 0)))
    own_lines: Values = field(default_factory=lambda: np.zeros((0, 0)))

    def source(self, block: str, volts: Values, amperes: Values) -> None:
        """Add sources that are at ``volts`` (B, k) and give ``amperes``, all they give."""
        self.delivered[block] = (volts * amperes).sum(axis=1)
        self.currents[block] = amperes


class DeckPower:
    """A deck, at one temperature, ready to be asked, for ``maps`` too; read noise is left out.

    Raises
    ------
    SimulationError
        If a cell has no closed form or tells no power, or op-amps are a black box.
    """

    def __init__(self, design: Design, temp_c: float, *, maps: bool = False) -> None:
        from ..engines.twin import Twin  # torch: what is declared here is read without it

        design = still_design(design)
        require_counted(design)
        require_closed_form(design)
        _require_power(design)
        require_usual(design.stages, "power")
        self.design, self.temp_c = design, temp_c
        twin = Twin([design], temp_c)
        self._stages = [
            _Stage(design, stage, known, temp_c, maps)
            for stage, known in zip(design.stages, twin.stages, strict=True)
        ]

    def at(self, points: Values) -> tuple[list[StagePower], Values]:
        """Every stage's watts for ``points`` (B, I) volts, and the outputs (B, O) of the last."""
        found: list[StagePower] = []
        outputs, before = points, None
        for stage in self._stages:
            power, nodes, drawn = stage.solve(outputs)
            if before is None:
                power.source("dacs", outputs, drawn)
            else:
                before.deliver(found[-1], drawn)
            before, outputs = nodes, nodes.volts
            found.append(power)
        assert before is not None
        before.deliver(found[-1], 0 * outputs)
        return found, outputs


def require_counted(design: Design) -> None:
    """Raise SimulationError if op-amps are a black box, of which nobody knows what is an output."""
    hardware = still_design(design).hardware
    if not hardware.amplifier.flat:
        raise SimulationError(
            f"the op-amp {hardware.opamp} is a black box, whose inside is not counted: compile "
            "with opamp = linear, and set i_quiescent to what yours draws"
        )


def _require_power(design: Design) -> None:
    for stage in design.stages:
        squash = stage.front.squash
        if squash.kind != "none" and squash.cell.power is None:
            raise SimulationError(
                f"the cell {squash.kind} tells no power: let ngspice count it, or declare its "
                "`power`"
            )


@dataclass(frozen=True, eq=False)
class _Outputs:
    """Amplifiers of a stage's outputs, difference amplifiers or those of positive lines: their
    op-amps' own volts, their feedback's amperes, and the outputs in volts; all (B, O)."""

    own: Values
    feedback: Values
    volts: Values

    def deliver(self, power: StagePower, drawn: Values) -> None:
        """Add what they deliver if ``drawn`` (B, O) amperes are drawn from them."""
        watts = self.own * self.feedback + self.volts * drawn
        power.delivered["differences"] = watts.sum(axis=1)
        power.currents["differences"] = self.feedback + drawn


class _Stage:
    """A stage and what is the same for all images."""

    def __init__(
        self, design: Design, stage: CrossbarStage, twin: TwinStage, temp_c: float, maps: bool
    ) -> None:
        hw = self.hardware = design.hardware
        self.maps = maps
        self.stage, self.temp_c, self.rail = stage, temp_c, rail(design)
        self.crossbar = crossbar_power(stage.g, hw, temp_c)
        self.x, self.r = twin.x[0].numpy(), twin.r[0].numpy()
        self.columns = twin.columns.of_first()
        dt = temp_c - TEMPERATURE_C
        self.r_f = stage.r_f * drifted(hw.feedback_tc1, hw.feedback_tc2, dt)
        self.row = _opamp(hw.opamp_gain_used, stage.errors and stage.errors.rows, dt)
        self.tables = [nominal_table(curve, hw, temp_c) for curve in stage.curves]

    def solve(self, x: Values) -> tuple[StagePower, _Outputs, Values]:
        """For ``x`` (B, I) volts at the front: watts without what the amplifiers of its outputs
        deliver; these; and amperes (B, I) that are drawn from ``x``."""
        nothing = np.zeros((len(x), 0))
        power = StagePower(np.zeros(len(x)), nothing, nothing)
        front = self.stage.front
        v = normed = front.normed(x)
        if front.squash.kind != "none":
            v = self._squashed(normed)
        rows, loads = self._rows(power, v)
        self._front(power, x, normed, v, loads)
        nodes = self._lines(power, rows)
        drawn = loads
        if front.norm is not None:
            drawn = (x - x.mean(axis=1, keepdims=True)) / R_MEAN
        elif front.squash.kind != "none":
            drawn = 0 * x
        return power, nodes, drawn

    def _squashed(self, x: Values) -> Values:
        front = self.stage.front
        form, at = front.squash.cell.closed_form, self.stage.driven
        assert form is not None  # as DeckPower has seen to
        v = np.zeros_like(x)
        v[:, at] = form(x[:, at], self._params(), self.hardware, self.temp_c, NUMPY)
        return v

    def _params(self) -> dict[str, Any]:
        front = self.stage.front
        sloped = front.squash.cell.sloped
        scale = front.attenuation[self.stage.driven] if sloped else 1.0
        return front.params(scale, self.hardware)

    def _front(
        self, power: StagePower, x: Values, normed: Values, v: Values, loads: Values
    ) -> None:
        """The cells before the diodes, which draw ``loads`` (B, I) amperes at ``v``."""
        front = self.stage.front
        squash = front.squash.kind != "none"
        if front.norm is not None:
            deviation = (x - x.mean(axis=1, keepdims=True)) ** 2
            beyond = deviation - deviation.mean(axis=1, keepdims=True)
            power.dissipated["layernorm"] = (deviation + beyond**2).sum(axis=1) / R_MEAN
            outs = 0 * loads if squash else loads
            amperes = np.concatenate([beyond / R_MEAN, outs], axis=1)
            power.source("layernorm", np.concatenate([deviation, normed], axis=1), amperes)
        if squash:
            tell = front.squash.cell.power
            assert tell is not None  # as DeckPower has seen to
            at = self.stage.driven  # no diode, no cell
            told = tell(normed[:, at], loads[:, at], self._params(), self.hardware, self.temp_c)
            power.dissipated["squash"] = told.dissipated.sum(axis=1)
            power.delivered["squash"] = told.delivered.sum(axis=1)
            power.currents["squash"] = np.concatenate(told.outs, axis=1)
            power.through = told.through.sum(axis=1)

    def _rows(self, power: StagePower, v: Values) -> tuple[Values, Values]:
        """All rows (B, R) for diode volts ``v`` (B, I), and what the diodes draw (B, I)."""
        kinds, kept = range(len(self.tables)), self.stage.kept
        out = np.zeros((*v.shape, len(kinds)))
        for i, d in np.argwhere(kept):
            out[:, i, d] = np.interp(v[:, i], self.x[i, d], self.r[i, d])
        s = np.where(kept, summing_volts(out, *self.row), 0.0)
        across = v[:, :, None] - s
        amperes = kept * np.stack([self._diode(d, across[..., d]) for d in kinds], axis=2)
        own = amperes * across + (s - out) ** 2 / self.r_f
        power.dissipated["diodes"] = (amperes * across).sum(axis=(1, 2))
        power.dissipated["row_feedback"] = ((s - out) ** 2 / self.r_f).sum(axis=(1, 2))
        bias = np.full((len(v), self.stage.n_bias), -self.hardware.v_fs)
        limited = out.clip(-self.rail, self.rail).reshape(len(v), -1)
        power.currents["rows"] = ((out - s) / self.r_f).reshape(len(v), -1)
        power.delivered["rows"] = (out * (out - s) / self.r_f).sum(axis=(1, 2))
        if self.maps:
            power.own_rows = own.reshape(len(v), -1)
            power.rows = np.concatenate([power.own_rows, 0 * bias], axis=1)
        return np.concatenate([limited, bias], axis=1), amperes.sum(axis=2)

    def _diode(self, d: int, across: Values) -> Values:
        """Amperes (B, I) of the diodes ``d`` at ``across`` volts: by their curve."""
        (u, i), e = self.tables[d], self.stage.errors
        if e is None:
            return np.interp(across, u, i)
        return e.k_i[:, d] * np.interp(shifted(across, e.k_v[:, d], e.d_v[:, d]), u, i)

    def _limited(self, volts: Values) -> Values:
        return volts.clip(-self.rail, self.rail)

    def _lines(self, power: StagePower, rows: Values) -> _Outputs:
        """What lines and outputs do for ``rows`` (B, R)."""
        crossbar, columns = self.crossbar, self.columns
        r_c = columns.r_c
        arriving = crossbar.ports.arriving(rows, np.zeros((1, r_c.size)))
        solved = columns.lines(arriving.T, self._limited)
        out = solved.T
        sums = summing_volts(out, columns.line_gain, columns.line_offset)
        power.dissipated |= crossbar.watts(rows, sums)
        feedback = (out - sums) / r_c
        burnt, sent = feedback**2 * r_c, np.zeros(0)
        if not columns.differences:
            sent = (self._limited(out)[:, 1::2] - sums[:, 0::2]) / columns.r_x
            burnt[:, 0::2] += sent**2 * columns.r_x
        drawn = crossbar.ports.drawn(rows, sums)
        n = drawn.shape[1] - self.stage.n_bias
        power.source("bias_rows", rows[:, n:], drawn[:, n:])
        power.delivered["rows"] = power.delivered["rows"] + (rows * drawn)[:, :n].sum(axis=1)
        amperes = power.currents["rows"] + drawn[:, :n]
        power.currents["rows"] = amperes[:, self.stage.kept.ravel()]
        if self.maps:
            by_row, by_line = crossbar.maps(rows, sums)
            power.rows, power.lines = power.rows + by_row, by_line + burnt
            power.own_lines = burnt
        own = columns.outputs(solved, self._limited).T
        if not columns.differences:
            return self._positive(power, out, feedback, burnt, sent)
        power.dissipated["line_feedback"] = burnt.sum(axis=1)
        power.delivered["lines"] = (out * feedback).sum(axis=1)
        power.currents["lines"] = feedback
        return self._differences(power, self._limited(out), own)

    def _positive(
        self, power: StagePower, out: Values, feedback: Values, burnt: Values, sent: Values
    ) -> _Outputs:
        """What the lines (B, L) of a summing read-out do: negative ones have ``sent`` (B, O)
        amperes to the positive ones, which are the outputs."""
        volts = self._limited(out)
        power.dissipated["line_feedback"] = burnt[:, 1::2].sum(axis=1)
        power.dissipated["differences"] = burnt[:, 0::2].sum(axis=1)
        given = (out * feedback)[:, 1::2] + volts[:, 1::2] * sent
        power.delivered["lines"] = given.sum(axis=1)
        power.currents["lines"] = feedback[:, 1::2] + sent
        return _Outputs(out[:, 0::2], feedback[:, 0::2], volts[:, 0::2])

    def _differences(self, power: StagePower, lines: Values, own: Values) -> _Outputs:
        """What difference amplifiers, their op-amps at ``own`` (B, O) volts, do for ``lines``."""
        p, n = lines[:, 0::2], lines[:, 1::2]
        ratio = self.columns.ratio
        inp = p * ratio / (1 + ratio)
        inn = inp + summing_volts(own, self.columns.diff_gain, self.columns.diff_offset)
        r = self.hardware.r_diff
        back = r * ratio
        burnt = ((p - inp) ** 2 + (n - inn) ** 2) / r + (inp**2 + (inn - own) ** 2) / back
        power.dissipated["differences"] = burnt.sum(axis=1)
        drawn = np.empty(lines.shape)
        drawn[:, 0::2], drawn[:, 1::2] = (p - inp) / r, (n - inn) / r
        power.delivered["lines"] = power.delivered["lines"] + (lines * drawn).sum(axis=1)
        power.currents["lines"] = power.currents["lines"] + drawn
        return _Outputs(own, (own - inn) / back, self._limited(own))


def _opamp(gain: float, errors: OpAmpErrors | None, dt: float) -> tuple[Any, Any]:
    """Open-loop gain and offset of a group of op-amps."""
    if errors is None:
        return gain, 0.0
    return gain * errors.gain, errors.offset_at(dt)
