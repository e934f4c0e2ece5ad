"""SPICE, first half: numbers and comments, the cells a deck is made of, its diodes.

With ``spice`` the only modules that know the syntax for writing. ``write_*`` return the text of a
file, ``format_*`` a piece of it. Names come from indices and checked device names, numbers from
``format_number``; no other text reaches a line that ngspice executes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import cells
from ..cells import OpAmpKind
from ..cells.squash import NPN_IS
from ..devices import IVCurve
from ..errors import CompileError
from .chip import RAMP_VOLTS
from .design import Design
from .hardware import Hardware

TEMPERATURE_C = 26.85
"""300 K. ngspice's own default is 27 degrees, so every deck says this."""


def format_number(x: float) -> str:
    """The shortest text that reads back as exactly ``x``."""
    if not np.isfinite(x):
        raise ValueError(f"{x} cannot stand in a netlist")
    return repr(float(x))


def format_wrapped(head: str, words: Sequence[str], tail: str = "") -> str:
    """``head``, the words on continuation lines of eight, and ``tail`` on one of its own."""
    lines = [head]
    lines += ["+ " + " ".join(words[k : k + 8]) for k in range(0, len(words), 8)]
    if tail:
        lines.append("+ " + tail)
    return "\n".join(lines)


def format_comment(text: str) -> str:
    """``text`` as comment lines, whatever it holds."""
    safe = "".join(c if c.isprintable() else " " for c in text)
    words, lines = safe.split(), ["*"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > 100:
            lines.append("*")
        lines[-1] += " " + word
    return "\n".join(lines)


def write_cells(design: Design) -> str:
    """``cells.cir``: the amplifier chosen, the cells used, the diodes."""
    hw = design.hardware
    parts = [format_comment("The cells this circuit is made of, and its diodes."), ""]
    used = get_cells(design)
    parts += [kind.path.read_text(encoding="utf-8") for kind in cells.known() if kind.name in used]
    parts.append(format_opamp(design))
    parts.append(
        "* Resistors: the crossbar's cells, and the feedback of row and line amplifiers.\n"
        f".model cell r(tc1={format_number(hw.cell_tc1)} tc2={format_number(hw.cell_tc2)})\n"
        f".model feedback r(tc1={format_number(hw.feedback_tc1)} "
        f"tc2={format_number(hw.feedback_tc2)})\n"
    )
    if hw.segments:
        parts.append(
            f"* wire: a segment.\n.model wire r(tc1={format_number(hw.wire_tc1)} tc2=0.0)\n"
        )
    if has_transistors(design):
        bf, vaf = format_number(hw.npn_bf), format_number(hw.npn_vaf)
        parts.append(
            "* npn: the transistors of the pairs.\n"
            f".model npn npn(is={format_number(NPN_IS)} bf={bf} vaf={vaf})\n"
        )
    curves = {c.name.lower(): c for stage in design.stages for c in stage.curves}
    parts += [format_diode(curve, hw, is_chip(design)) for _, curve in sorted(curves.items())]
    return "\n".join(parts)


def get_opamp(design: Design) -> OpAmpKind:
    """The op-amp in every cell: the one that was chosen, or on chips what stands in for it."""
    kind = design.hardware.amplifier
    return (is_chip(design) and kind.stand_in) or kind


def format_opamp(design: Design) -> str:
    """``opamp``, which every cell instances, and the supplies that it needs.

    Raises
    ------
    CompileError
        If a chip's op-amps have errors that the one that was chosen cannot have.
    """
    hw, kind, chip = design.hardware, get_opamp(design), is_chip(design)
    lines, inp, given = [], "inp", ""
    if kind.takes("gain"):
        gain = format_number(hw.opamp_gain_used)
        given = f" gain={{{gain}*a}}" if chip else f" gain={gain}"
    elif chip:
        _require_equal_gains(design)
    if chip and kind.takes("vos", "drift"):
        given += " vos={vos} drift={drift}"
    elif chip:
        inp = "pos"
        lines.append(f"b1 pos inp v={{vos}}+{{drift}}*(temper-{format_number(TEMPERATURE_C)})")
    nets = " ".join(inp if pin.name == "inp" else pin.name for pin in kind.pins)
    supplies = [
        f"v_{net} {net} 0 dc {format_number(volts)}"
        for net, volts in zip(cells.SUPPLIES, (hw.v_rail, -hw.v_rail), strict=True)
        if net in kind.supplies
    ]
    if supplies:
        supplies.insert(0, f".global {' '.join(kind.supplies)}")
    errors = "" if chip else " Nominal: a, vos and drift have no effect."
    return "\n".join(
        [
            *supplies,
            f"* opamp: the amplifier in every cell.{errors}",
            ".subckt opamp inp inn out params: a=1 vos=0 drift=0",
            *lines,
            f"x1 {nets} {kind.name}{given}",
            ".ends opamp\n",
        ]
    )


def _require_equal_gains(design: Design) -> None:
    """CompileError if an op-amp of a chip has another gain than the design's."""
    for stage in design.stages:
        e = stage.errors
        if e is not None and any((of.gain != 1).any() for of in (e.rows, e.lines, e.diffs)):
            raise CompileError(
                f"op-amp {design.hardware.opamp} has no parameter gain, and a chip's op-amps have "
                "gains of their own: set opamp_gain_sigma and dead_amplifiers to 0"
            )


def is_chip(design: Design) -> bool:
    """Whether its cells carry errors of their own."""
    return any(stage.errors is not None for stage in design.stages)


def get_cells(design: Design) -> list[str]:
    """Names of the cells that a design uses."""
    rails = "_rails" if design.hardware.rails else ""
    fronts = [stage.front for stage in design.stages]
    cells = [get_opamp(design).name, f"row_amp{rails}", f"tia{rails}", f"diff_amp{rails}"]
    if any(front.norm is not None for front in fronts):
        cells += ["layernorm_input", "layernorm_core", "layernorm_output"]
    return cells + sorted({front.squash.kind for front in fronts} - {"none"})


def has_transistors(design: Design) -> bool:
    """Whether a stage has transistor pairs."""
    return any("npn" in stage.front.squash.models for stage in design.stages)


def diode_name(curve: IVCurve) -> str:
    """Name of a device type's subcircuit."""
    return f"diode_{curve.name.lower()}"


def format_diode(curve: IVCurve, hardware: Hardware, chip: bool = False) -> str:
    """A two-terminal device: a source whose current is the table, piecewise linear.

    ngspice extrapolates the last slope of ``pwl``, so one more point at each end, 1 V out and of
    the same current, makes the ends flat. What follows temperature is written with ``temper``. On
    a ``chip`` each instance has its own factors ki, kv and dv.
    """
    volts, ki = "v(a,c)", ""
    if chip:
        ramp = f"min(max(v(a,c)/{format_number(RAMP_VOLTS)},0),1)"
        volts, ki = f"({{kv}}*v(a,c)+{{dv}}*{ramp})", "{ki}*"
    if hardware.diode_law == "linear":
        weights = [format_drift(hardware.diode_tc_current)]
        volts += "/" + format_drift(hardware.diode_tc_voltage)
        tables = [curve.i]
    else:
        weights = format_weights(curve.temps_c)
        tables = list(curve.i_at)
    words: list[str] = []
    for k, (weight, table) in enumerate(zip(weights, tables, strict=True)):
        words += [f"{'+' if k else 'i='}{ki}{weight}*pwl({volts},", *_points(curve.v, table)]
    name = diode_name(curve)
    source = format_comment(f"{name}: {curve.name}, anode a, cathode c. {curve.source}")
    params = " params: ki=1 kv=1 dv=0" if chip else ""
    body = format_wrapped("b1 a c", words)
    return f"{source}\n.subckt {name} a c{params}\n{body}\n.ends {name}\n"


def _points(v: np.ndarray, i: np.ndarray) -> list[str]:
    """The words of a table's points and the closing bracket."""
    x, y = [v[0] - 1.0, *v, v[-1] + 1.0], [i[0], *i, i[-1]]
    words = [f"{format_number(a)}, {format_number(b)}," for a, b in zip(x, y, strict=True)]
    return [*words[:-1], words[-1][:-1] + ")"]


def format_drift(tc: float) -> str:
    """``(1+tc*(temper-26.85))``."""
    sign = "-" if tc < 0 else "+"
    return f"(1{sign}{format_number(abs(tc))}*(temper-{format_number(TEMPERATURE_C)}))"


def format_weights(temps_c: Sequence[float]) -> list[str]:
    """A weight for each temperature's table: 1 there, 0 at its neighbours, held at the ends."""
    weights = []
    for k, here in enumerate(temps_c):
        up, down = "1", "1"
        if k:
            up = (
                f"(temper-({format_number(temps_c[k - 1])}))/{format_number(here - temps_c[k - 1])}"
            )
        if k + 1 < len(temps_c):
            after = temps_c[k + 1]
            down = f"({format_number(after)}-temper)/{format_number(after - here)}"
        weights.append(f"max(0,min({up},{down}))")
    return weights
