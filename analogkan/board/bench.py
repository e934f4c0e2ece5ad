# pyright: strict
"""A diode node on a bench: ngspice's ``.tran`` after a kick, judged at the diode.

The output hides what a diode does: its amplifier is too slow to show it, and gives a mean that is
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import resources
from ..compiler.hardware import Hardware
from ..compiler.spice_cells import TEMPERATURE_C
from ..compiler.spice_diodes import diode_name, format_diode
from ..devices import IVCurve
from ..dialects import NGSPICE
from ..dialects.words import format_number
from ..engines.ngspice import Runner, find_ngspice
from ..engines.scratch import room_in, scratch
from .loop import Node

Values = npt.NDArray[Any]
CELL = "opamp_two_pole"
KICK = 1e-3
"""Volts by which the source of the node jumps."""
KICKED = 20e-9
"""Seconds at which it does."""
STEP = 0.2e-9
"""Seconds of the longest time step: leads and junctions ring at 0.1 to 1 GHz."""
LEAST, CONSTANTS = 4e-6, 8.0
"""Seconds that are simulated at least, and time constants R_f C_f beside them."""
JUDGED = 0.25
"""Share of the time, at its end, over which swings are taken."""
ALLOWED = 0.2e-3
"""Volts peak to peak there, at most, of what has settled."""
TIMEOUT = 300.0
"""Seconds for a run that takes one or two."""
OPTIONS = ".option reltol=1e-4 vntol=1e-7 abstol=1e-12 chgtol=1e-17"
"""The tolerances of direct current would make steps of femtoseconds."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Swing:
    """What one diode of a node did after a kick.

    Attributes
    ----------
    device
        Its type.
    volts
        At which the node rests.
    slope
        Of the device's table there, siemens.
    scale
        The factor on the table's slopes.
    seconds
        How long it was watched.
    diode, output
        Swing in the last quarter of that, peak to peak, volts: of the junction's own voltage, and
        of the output of its row amplifier.
    mean
        Of that output there, volts.
    wanted
        What that output is meant to be there: -r_f times the current of diode and shunt.
    time, diode_volts, output_volts
        (T,) seconds, volts, volts.
    """

    device: str
    volts: float
    slope: float
    scale: float
    seconds: float
    diode: float
    output: float
    mean: float
    wanted: float
    time: Values
    diode_volts: Values
    output_volts: Values

    @property
    def settled(self) -> bool:
        """Whether the diode stays put."""
        return self.diode <= ALLOWED

    def to_document(self) -> dict[str, Any]:
        """All but the waveforms."""
        waves = ("time", "diode_volts", "output_volts")
        return {key: value for key, value in vars(self).items() if key not in waves}


def steeper(curve: IVCurve, scale: float) -> IVCurve:
    """``curve`` with every slope ``scale`` times as steep: its voltages are so many times less."""
    return IVCurve(curve.name, curve.v / scale, curve.i)


def junction(curve: IVCurve, r_s: float) -> IVCurve:
    """What is behind ``r_s`` ohms in a diode whose table ``curve`` was measured with them."""
    return IVCurve(curve.name, curve.v - r_s * curve.i, curve.i)


def kick(node: Node, volts: float, scale: float = 1.0) -> tuple[Swing, ...]:
    """What the diodes of ``node``, resting at ``volts``, do after a kick; a swing a diode.

    ``scale`` is a factor on their slopes, after which ``volts`` is the place on the scaled tables.

    Raises
    ------
    SimulationError
        If ngspice is missing or does not deliver.
    """
    rows = tuple(replace(row, curve=steeper(row.curve, scale)) for row in node.rows)
    node = replace(node, rows=rows)
    seconds = LEAST + CONSTANTS * max(row.r_f * row.c_f for row in rows)
    with scratch() as folder, room_in(folder):
        deck, raw = folder / "kick.cir", folder / "kick.raw"
        deck.write_text(write_kick(node, volts, seconds), encoding="utf-8", newline="\n")
        Runner(find_ngspice()).run(deck, raw, timeout=TIMEOUT)
        vectors = NGSPICE.read(raw, points=None)
    return tuple(_swing(node, d, volts, scale, vectors) for d in range(len(rows)))


def _swing(node: Node, d: int, volts: float, scale: float, vectors: dict[str, Values]) -> Swing:
    row, time = node.rows[d], vectors["time"]
    diode = vectors[f"v(junction{d})"] - vectors[f"v(sum{d})"]
    output = vectors[f"v(out{d})"]
    late = time > (1 - JUDGED) * time[-1]
    segment = int(np.clip(np.searchsorted(row.curve.v, volts) - 1, 0, row.curve.v.size - 2))
    rise, run = np.diff(row.curve.i)[segment], np.diff(row.curve.v)[segment]
    kicked, shunt = volts + KICK, node.parasitics.shunt
    shunted = kicked / shunt if shunt else 0.0
    return Swing(
        device=row.curve.name,
        volts=volts,
        slope=float(rise / run),
        scale=scale,
        seconds=float(time[-1]),
        diode=float(np.ptp(diode[late])),
        output=float(np.ptp(output[late])),
        mean=float(output[late].mean()),
        wanted=-row.r_f * (float(row.curve.current(np.array(kicked))) + shunted),
        time=time,
        diode_volts=diode,
        output_volts=output,
    )


def write_kick(node: Node, volts: float, seconds: float) -> str:
    """The deck: ``node`` at rest at ``volts``, kicked, watched for ``seconds``."""
    cell = (resources.path("netlists/cells") / f"{CELL}.lib").read_text(encoding="utf-8")
    say, p, of = format_number, node.parasitics, node.opamp
    curves = {row.curve.name: junction(row.curve, p.r_s) for row in node.rows}
    opamp = f"{CELL} gain={say(of.gain)} gbw={say(of.gbw)} p2={say(of.p2)} ro={say(of.r_o)}"
    rest, kicked = say(volts), say(volts + KICK)
    lines = [
        "* a diode node, kicked",
        cell,
        *(format_diode(curve, Hardware()) for curve in curves.values()),
        f".option temp={say(TEMPERATURE_C)} tnom={say(TEMPERATURE_C)}",
        OPTIONS,
        f"v1 source 0 dc {rest} pwl(0 {rest} {say(KICKED)} {rest} {say(KICKED + STEP)} {kicked})",
    ]
    source = "source"
    if not p.ideal_driver:
        source = "drive"
        lines += [
            f"e1 wanted 0 source 0 {say(1 / node.noise_gain)}",
            f"e2 fed 0 drive 0 {say(1 / node.noise_gain)}",
            f"x1 wanted fed drive {opamp}",
            f"c1 drive 0 {say(p.c_stray + of.c_in)}",
        ]
        if p.snubber_c:
            lines += [
                f"r1 drive snubber {say(p.snubber_r)}",
                f"c2 snubber 0 {say(p.snubber_c)}",
            ]
    nets: list[str] = []
    for d, row in enumerate(node.rows):
        lines += _row_lines(d, source, opamp, node)
        lines.append(f"x_d{d} junction{d} sum{d} {diode_name(row.curve)}")
        nets += [f"v({net}{d})" for net in ("junction", "sum", "out")]
    return "\n".join(
        [
            *lines,
            ".save " + " ".join(nets),
            f".tran {say(STEP)} {say(seconds)} 0 {say(STEP)}",
            ".end\n",
        ]
    )


def _row_lines(d: int, source: str, opamp: str, node: Node) -> list[str]:
    """Lead, shunt, junction and row amplifier of diode ``d``."""
    say, p, row = format_number, node.parasitics, node.rows[d]
    lines = [
        f"l{d} {source} anode{d} {say(p.lead)}",
        f"c_a{d} anode{d} 0 {say(p.c_stray)}",
        f"r_s{d} anode{d} junction{d} {say(p.r_s)}",
        f"c_j{d} junction{d} sum{d} {say(p.c_j)}",
        f"c_i{d} sum{d} 0 {say(p.c_stray + node.opamp.c_in)}",
        f"r_f{d} sum{d} out{d} {say(row.r_f)}",
        f"c_f{d} sum{d} out{d} {say(row.c_f)}",
        f"c_o{d} out{d} 0 {say(p.c_stray)}",
        f"x_r{d} 0 sum{d} out{d} {opamp}",
    ]
    if p.shunt:
        lines.append(f"r_p{d} anode{d} sum{d} {say(p.shunt)}")
    return lines
