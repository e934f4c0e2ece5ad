"""The amplifiers behind a crossbar at DC, of either read-out: from currents to lines to outputs.

The same lines serve numpy arrays and torch tensors. Axes: L lines (2 O, interleaved), O outputs,
n points, last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from ..cells import NUMPY
from ..errors import SimulationError
from .closed_form import difference_volts, line_volts, wired_line_volts

ROUNDS = 50
"""Of working out what limited negative lines do to lines that see them through wires; an op-amp's
gain shrinks what is left by each."""
SETTLED = 1e-14
"""Volts by which a round may still move them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Columns:
    """The amplifiers of one stage, of chips before the last axis.

    Attributes
    ----------
    g
        (..., L) siemens at each summing node, beside its feedback and r_x.
    feet
        (..., L, L) admittance matrix of the summing nodes; None without wires.
    r_c, ratio
        (..., L) ohms and (..., O), as ``r_c`` and ``gain`` of a CrossbarStage.
    line_gain, line_offset, diff_gain, diff_offset
        (..., L) and (..., O) open-loop gains and volts of lines' and difference amplifiers.
    differences
        Whether there are any of these.
    xp
        ``cells.NUMPY`` or torch.
    """

    g: Any
    feet: Any
    r_c: Any
    ratio: Any
    line_gain: Any
    line_offset: Any
    diff_gain: Any
    diff_offset: Any
    differences: bool
    xp: Any

    def of_first(self, xp: Any = NUMPY) -> Columns:
        """Those of the first of torch's chips, as numpy's arrays unless ``xp`` is torch."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        first = {name: x[0] for name, x in values.items() if hasattr(x, "numpy")}
        if xp is NUMPY:
            first = {name: x.numpy() for name, x in first.items()}
        return replace(self, **first, xp=xp)

    @property
    def r_x(self) -> Any:
        """(..., O) ohms from the negative lines' outputs to the positive summing nodes."""
        return self.r_c[..., 1::2] / self.ratio

    @property
    def coupled(self) -> Any:
        """(..., L) siemens that r_x adds to each summing node."""
        of_pair = self.xp.stack([1 / self.r_x, 0 * self.r_x], -1)
        return of_pair.reshape(self.r_c.shape)

    def lines(self, arriving: Any, limited: Callable[[Any], Any]) -> Any:
        """Outputs (..., L, n) of the lines' op-amps, which nothing limits yet.

        Parameters
        ----------
        arriving
            (..., L, n) amperes from the rows, with every summing node at 0 V.
        limited
            What amplifiers with rails make of volts.
        """
        amplifiers = (self.r_c, self.line_gain, self.line_offset)
        if self.feet is not None:
            return self._wired(arriving, amplifiers, limited)
        g, r_c, gain, offset = (part[..., None] for part in (self.g, *amplifiers))
        if self.differences:
            return line_volts(arriving, g, r_c, gain, offset)
        p, n = (
            tuple(part[..., side::2, :] for part in (arriving, g, r_c, gain, offset))
            for side in (0, 1)
        )
        negative = line_volts(*n)
        coupling = 1 / self.r_x[..., None]
        arrives, on_node, *rest = p
        positive = line_volts(arrives + coupling * limited(negative), on_node + coupling, *rest)
        return self._interleaved(positive, negative)

    def settled(
        self, current: Callable[[Any], Any], limited: Callable[[Any], Any], noise: Any = 0.0
    ) -> Any:
        """``lines`` where the amperes that arrive are a function of the summing nodes' volts.

        Parameters
        ----------
        current
            From volts (..., L, n) of the nodes to amperes (..., L, n) into them.
        noise
            (..., L, n) amperes that arrive beside.

        Raises
        ------
        SimulationError
            If the rounds do not settle; an op-amp's gain shrinks what is left by each.
        """
        slope, offset, gain = (
            part[..., None] for part in (self.g, self.line_offset, self.line_gain)
        )
        s = offset
        for _ in range(ROUNDS):
            lines = self.lines(current(s) + slope * s + noise, limited)
            before, s = s, offset - lines / gain
            if bool(abs(s - before).max() < SETTLED):
                return lines
        raise SimulationError(
            f"summing nodes do not come to rest in {ROUNDS} rounds: what they draw bends too much "
            "for the op-amps' gain; raise opamp_gain"
        )

    def outputs(self, lines: Any, limited: Callable[[Any], Any]) -> Any:
        """The stage's outputs (..., O, n) of such ``lines``, not limited either."""
        if not self.differences:
            return lines[..., 0::2, :]
        ratio, gain, offset = (
            part[..., None] for part in (self.ratio, self.diff_gain, self.diff_offset)
        )
        p, n = limited(lines[..., 0::2, :]), limited(lines[..., 1::2, :])
        return difference_volts(p, n, ratio, gain, offset)

    def _interleaved(self, positive: Any, negative: Any) -> Any:
        pairs = self.xp.stack([positive, negative], -2)
        *chips, outputs, _, n = pairs.shape
        return pairs.reshape((*chips, 2 * outputs, n))

    def _wired(self, arriving: Any, amplifiers: Any, limited: Callable[[Any], Any]) -> Any:
        xp = self.xp
        diagonal = getattr(xp, "diag_embed", xp.diag)
        if self.differences:
            return wired_line_volts(arriving, self.feet, *amplifiers, xp.linalg, diagonal)
        coupled = self.coupled
        feet = self.feet + diagonal(coupled)
        # Where a positive line has its amperes per volt, its negative one is the next.
        between = diagonal(coupled)
        between = self.xp.roll(between, 1, -1)

        def solved(current: Any) -> Any:
            given = (*amplifiers, xp.linalg, diagonal)
            return wired_line_volts(current, feet, *given, between=between)

        lines = solved(arriving)
        for _ in range(ROUNDS):
            beyond = limited(lines) - lines
            if not bool((beyond != 0).any()):
                return lines
            extra = self._interleaved(beyond[..., 1::2, :], 0 * beyond[..., 1::2, :])
            before = lines
            lines = solved(arriving + coupled[..., None] * extra)
            if bool(abs(lines - before).max() < SETTLED):
                return lines
        raise SimulationError(
            f"lines at their rails do not come to rest in {ROUNDS} rounds: they see each other "
            "through wires with too little gain between; raise opamp_gain or lower r_wire"
        )
