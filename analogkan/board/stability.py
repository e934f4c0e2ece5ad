# pyright: strict
"""Whether the diodes of a design stay put on a board, by poles and by ``.tran``.

Axes: S slopes, D diodes of a node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.design import CrossbarStage, Design
from ..devices import IVCurve
from ..devices.falling import MAX_SIGMA, SIGMA
from ..errors import CompileError
from ..results import Figure, Listing
from ..settings import require
from . import bench
from .amplifiers import BoardOpAmp
from .bench import KICK, Swing, kick
from .conditions import broken_condition
from .feedback import Choice, choose_c_f, one_pole, slope_range, with_choices
from .loop import Node, Row
from .parasitics import Parasitics
from .shunts import shunt_cure, without_shunts
from .still import grows, scales, steepest_volts

Values = npt.NDArray[Any]
FREQUENCIES = np.geomspace(1e3, 1e10, 2001)
"""Hertz, of Nyquist's curve."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RowStability:
    """The rows of one device type of a stage.

    Attributes
    ----------
    layer, device
        Which.
    r_f
        Ohms of their feedback, the design's.
    c_f
        Farads beside it, chosen.
    one_pole_c_f
        Farads that the rule for amplifiers of one pole would choose.
    fall
        Steepest ``|g_d|`` of the device's table, less a shunt's share, siemens.
    slope_margin
        Up to this factor on the falling slopes the node stays put; 4 stands for 4 or more.
    damping
        Least damping of a pole over the whole curve, 1 being none that rings.
    node, d
        Its node as it was judged, and which of the node's diodes it is.
    swings
        What ``.tran`` saw of that diode; none if it was not asked.
    """

    layer: int
    device: str
    r_f: float
    c_f: float
    one_pole_c_f: float
    fall: float
    slope_margin: float
    damping: float
    node: Node
    d: int
    swings: tuple[Swing, ...]

    @property
    def swing(self) -> float:
        """The largest at a diode, volts peak to peak."""
        return max((swing.diode for swing in self.swings), default=0.0)

    def to_document(self) -> dict[str, Any]:
        """All but the waveforms."""
        left_out = ("node", "d", "swings")
        told = {key: value for key, value in vars(self).items() if key not in left_out}
        return told | {"swings": [swing.to_document() for swing in self.swings]}


@dataclass(frozen=True, eq=False, kw_only=True)
class BoardStability:
    """Every diode of a design stays put.

    Attributes
    ----------
    opamp, parasitics
        With these.
    g_d_sigma
        Relative uncertainty of ``|g_d|`` that was allowed for.
    rows
        In the order of the signal.
    """

    opamp: BoardOpAmp
    parasitics: Parasitics
    g_d_sigma: float
    rows: tuple[RowStability, ...]

    def facts(self) -> Listing:
        """A line for each device type of each stage."""
        columns = ("", "r_f", "c_f", "one-pole rule", "|g_d|", "holds to", "damping", "swing")
        return Listing(columns, [_line(row) for row in self.rows])

    def sentences(self) -> list[str]:
        """How the figures are to be read."""
        told = [
            f"Op-amps {self.opamp.name}: {self.opamp.about}.",
            "All poles of driver, lead, diode and row amplifier decay over each device's whole "
            f"curve, its slopes at 1 and 1 +- {self.g_d_sigma:g} times the table's.",
        ]
        if self.parasitics.shunt:
            told.append(
                f"Across each diode are {self.parasitics.shunt:g} ohm, a shunt that is in the "
                "tables as they were measured: what must stay put is the table less v / R."
            )
        return told

    def figures(self) -> list[Figure]:
        """For each device type of a stage that falls Nyquist's curve, and its largest swing."""
        from ..report import loops

        found: list[Figure] = []
        for row in self.rows:
            at, name = f"layer {row.layer}, {row.device}", f"l{row.layer}-{row.device.lower()}"
            if row.fall:
                falls = [scale * row.fall for scale in scales(self.g_d_sigma)]
                z = row.node.impedance(row.d, FREQUENCIES, np.zeros(len(row.node.rows)))
                draw = partial(loops.nyquist_figure, z, falls)
                found.append(Figure(f"nyquist-{name}", f"{at}: impedance at its junction.", draw))
            if row.swings:
                swing = max(row.swings, key=lambda one: one.diode)
                waves = swing.time, swing.diode_volts, swing.output_volts
                caption = f"{at}: after a kick of {1e3 * KICK:g} mV at {swing.volts:.3g} V."
                found.append(Figure(f"kick-{name}", caption, partial(loops.kick_figure, *waves)))
        return found

    def to_document(self) -> dict[str, Any]:
        """All but the waveforms, as JSON has it."""
        return {
            "opamp": asdict(self.opamp),
            "parasitics": asdict(self.parasitics),
            "g_d_sigma": self.g_d_sigma,
            "rows": [row.to_document() for row in self.rows],
        }


def check_rows(
    design: Design,
    opamp: BoardOpAmp,
    parasitics: Parasitics = Parasitics(),
    *,
    g_d_sigma: float = SIGMA,
    judge: bool = True,
) -> BoardStability:
    """Feedback capacitors with which every diode of ``design`` stays put, and how surely.

    Parameters
    ----------
    design
        The circuit: its curves, ``r_f``, gains and cells. Its ``c_f`` and ``gbw`` are not used.
    opamp, parasitics
        Of the board. With a shunt its curves are those of diode and shunt together.
    g_d_sigma
        Relative uncertainty of ``|g_d|``: 1 and 1 +- so much times the tables' slopes must hold.
    judge
        Let ngspice's ``.tran`` judge too, for a few seconds a device type of a stage.

    Raises
    ------
    SettingsError
        If ``g_d_sigma`` is out of range.
    CompileError
        If the op-amp cannot hold a diode, does not carry a current, or is not for the supplies, or
        a curve has less current than a shunt that is to be in it.
    SimulationError
        If ngspice is to judge, and is missing or does not deliver.
    """
    limit = f"0 to {MAX_SIGMA:g}"
    require(0 <= g_d_sigma <= MAX_SIGMA, "g_d_sigma", g_d_sigma, limit)
    _require_supplies(design, opamp)
    for layer, stage in enumerate(design.stages):
        _require_currents(layer, stage, design.hardware.v_fs, opamp)
    stages = [_nodes(design, layer, opamp, parasitics) for layer in range(len(design.stages))]
    cure = partial(shunt_cure, stages, g_d_sigma, judge)
    rows: list[RowStability] = []
    for layer, nodes in enumerate(stages):
        choices = _choose(layer, nodes, g_d_sigma, cure)
        chosen = [with_choices(node, choices) for node in nodes]
        for node in chosen:
            _require_still(layer, node, g_d_sigma, cure)
        swings = _judge(layer, chosen[0], g_d_sigma, cure) if judge else []
        rows += [_row(layer, chosen[0], d, choice, swings) for d, choice in enumerate(choices)]
    return BoardStability(opamp=opamp, parasitics=parasitics, g_d_sigma=g_d_sigma, rows=tuple(rows))


def _line(row: RowStability) -> tuple[str, ...]:
    return (
        f"layer {row.layer}, {row.device}",
        f"{row.r_f:.4g} ohm",
        f"{1e12 * row.c_f:.4g} pF",
        f"{1e12 * row.one_pole_c_f:.4g} pF",
        f"{1e3 * row.fall:.3g} mS",
        f"{row.slope_margin:.3g} |g_d|",
        f"{row.damping:.2f}",
        f"{1e3 * row.swing:.2g} mVpp" if row.swings else "not run",
    )


def _require_supplies(design: Design, opamp: BoardOpAmp) -> None:
    v_rail = design.hardware.v_rail
    if not opamp.supply_min <= 2 * v_rail <= opamp.supply_max:
        raise CompileError(
            f"op-amp {opamp.name} takes {opamp.supply_min:g} to {opamp.supply_max:g} V between its "
            f"supplies, and v_rail = {v_rail:g} V makes {2 * v_rail:g} V: change v_rail, or take "
            "another op-amp"
        )


def _require_currents(layer: int, stage: CrossbarStage, v_fs: float, opamp: BoardOpAmp) -> None:
    """The row amplifiers' currents and the driver's, at phi = 1 of every diode."""
    of_cells = stage.g[: stage.r_f.size].sum(axis=1).reshape(stage.r_f.shape)
    largest = max(stage.curves, key=lambda curve: curve.i_peak)
    of_rows = float((v_fs * (1 / stage.r_f + of_cells)).max())
    of_node = sum(curve.i_peak for curve in stage.curves)
    needed = {
        "a row amplifier": (of_rows, largest.i_peak),
        "the driver of a diode node": (of_node, of_node),
    }
    for what, (amperes, of_diodes) in needed.items():
        if amperes > opamp.i_out:
            own = of_diodes > opamp.i_out
            raise CompileError(
                f"layer {layer}: {what} carries up to {1e3 * amperes:.3g} mA, and op-amp "
                f"{opamp.name} delivers {1e3 * opamp.i_out:g} mA"
                + (_of_diodes(largest) if own else ": lower v_fs or g_max")
                + ", or take one that delivers more"
            )


def _of_diodes(largest: IVCurve) -> str:
    """What helps where the diodes' own currents are too large, whatever the resistors are."""
    said = f"; diode {largest.name} alone {1e3 * largest.i_peak:.3g} mA at {largest.v_peak:.3g} V"
    if largest.v_peak < largest.v[-1]:
        return f"{said}, its peak: choose diodes of less current"
    return (
        f"{said}, where its table ends: end its sweeps (or devices tabulate --range) at the volts "
        "in use and train anew"
    )


def _noise_gains(design: Design, layer: int) -> list[float]:
    """Of what drives a stage's nodes, the larger first: a follower, or the difference amplifiers of
    the stage before, of most and of least gain."""
    if layer == 0 or design.stages[layer].front.kind != "none":
        return [1.0]
    gain = design.stages[layer - 1].gain
    return sorted({1 + float(gain.max()), 1 + float(gain.min())}, reverse=True)


def _nodes(design: Design, layer: int, opamp: BoardOpAmp, parasitics: Parasitics) -> list[Node]:
    """The nodes of a stage that differ, with the feedback that one-pole amplifiers would have."""
    stage, gains = design.stages[layer], _noise_gains(design, layer)
    return [
        _node(stage, r_f, gain, opamp, parasitics)
        for r_f in np.unique(stage.r_f, axis=0)
        for gain in gains
    ]


def _node(
    stage: CrossbarStage, r_f: Values, noise_gain: float, opamp: BoardOpAmp, parasitics: Parasitics
) -> Node:
    """A node of ``stage`` with the feedback that one-pole amplifiers would have."""
    rows = [
        Row(curve=curve, r_f=float(ohms), c_f=one_pole(curve, float(ohms), opamp))
        for curve, ohms in zip(without_shunts(stage.curves, parasitics.shunt), r_f, strict=True)
    ]
    return Node(opamp=opamp, parasitics=parasitics, rows=tuple(rows), noise_gain=noise_gain)


def _choose(
    layer: int, nodes: Sequence[Node], g_d_sigma: float, cure: Callable[[], str]
) -> list[Choice]:
    """The best C_f of each diode of a stage's nodes; CompileError if none holds."""
    choices = [choose_c_f(nodes, d) for d in range(len(nodes[0].rows))]
    for d, choice in enumerate(choices):
        if choice.slope_margin < 1 + g_d_sigma:
            said = broken_condition(nodes[0], d, choice, g_d_sigma)
            raise CompileError(f"layer {layer}: {said}, or {cure()}")
    return choices


def _require_still(layer: int, node: Node, g_d_sigma: float, cure: Callable[[], str]) -> None:
    """CompileError if the node moves at any voltage, all its diodes together."""
    found = grows(node, g_d_sigma)
    if found is not None:
        names = ", ".join(row.curve.name for row in node.rows)
        raise CompileError(
            f"layer {layer}: op-amp {node.opamp.name} cannot hold a node of {names} at "
            f"{found.volts:.3g} V with {found.scale:g} times the tables' slopes: a pole grows at "
            f"{found.hertz / 1e6:.3g} MHz: drive fewer diodes, take an op-amp of less r_o "
            f"(--opamp), or {cure()}"
        )


def _judge(layer: int, node: Node, g_d_sigma: float, cure: Callable[[], str]) -> list[Swing]:
    """``.tran`` at the steepest fall of each device at every scale, and at the first and last fall
    of its table; CompileError if a diode moves."""
    found: list[Swing] = []
    for row in node.rows:
        middles = (row.curve.v[1:] + row.curve.v[:-1]) / 2
        falling = middles[np.diff(row.curve.i) < 0]
        steepest = steepest_volts(row.curve)
        points = {(float(volts), 1.0) for volts in (*falling[:1], *falling[-1:])}
        points |= {(steepest / scale, scale) for scale in scales(g_d_sigma)}
        for volts, scale in sorted(points):
            found += kick(node, volts, scale)
    moving = max(found, key=lambda swing: swing.diode)
    if not moving.settled:
        raise CompileError(
            f"layer {layer}: op-amp {node.opamp.name} cannot hold {moving.device}: in .tran it "
            f"swings {1e3 * moving.diode:.3g} mV peak to peak at {moving.volts:.3g} V, "
            f"{moving.scale:g} times its table's slopes, where {1e3 * bench.ALLOWED:g} mV after a "
            f"kick of {1e3 * KICK:g} mV are allowed, although its poles decay: take an op-amp of "
            f"more bandwidth or less r_o (--opamp), or {cure()}"
        )
    return found


def _row(layer: int, node: Node, d: int, choice: Choice, swings: Sequence[Swing]) -> RowStability:
    row = node.rows[d]
    return RowStability(
        layer=layer,
        device=row.curve.name,
        r_f=row.r_f,
        c_f=choice.c_f,
        one_pole_c_f=one_pole(row.curve, row.r_f, node.opamp),
        fall=slope_range(row.curve)[0],
        slope_margin=choice.slope_margin,
        damping=choice.damping,
        node=node,
        d=d,
        swings=tuple(swing for swing in swings if swing.device == row.curve.name),
    )
