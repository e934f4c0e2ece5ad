"""SPICE, first half: numbers and comments, the cells a deck is made of, its diodes.

With ``spice`` the only modules that know the syntax for writing. ``write_*`` return the text of a
file, ``format_*`` a piece of it. Names come from indices and checked device names, numbers from
``format_number``; no other text reaches a line that ngspice executes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import cells, resources
from ..cells.squash import NPN_IS
from ..devices import IVCurve
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
    amplifier, settings = _amplifier(design)
    paths = [resources.path("netlists/cells") / f"{amplifier}.lib"]
    paths += [kind.path for kind in cells.known() if kind.name in get_cells(design)]
    parts += [path.read_text(encoding="utf-8") for path in paths]
    errors = "" if amplifier == "opamp_linear" else " Nominal: a, vos and drift have no effect."
    parts.append(
        f"* opamp: the amplifier in every cell.{errors}\n"
        ".subckt opamp inp inn out params: a=1 vos=0 drift=0\n"
        f"x1 inp inn out {amplifier}{settings}\n"
        ".ends opamp\n"
    )
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


def _amplifier(design: Design) -> tuple[str, str]:
    """The op-amp cell in every other cell, and the settings of its instance."""
    hw = design.hardware
    if is_chip(design):
        gain = format_number(hw.opamp_gain_used)
        return "opamp_linear", f" gain={{{gain}*a}} vos={{vos}} drift={{drift}}"
    if hw.opamp == "ideal":
        return "opamp_ideal", ""
    return "opamp_gain", f" gain={format_number(hw.opamp_gain)}"


def is_chip(design: Design) -> bool:
    """Whether its cells carry errors of their own."""
    return any(stage.errors is not None for stage in design.stages)


def get_cells(design: Design) -> list[str]:
    """Names of the cells that a design uses, beside the op-amp."""
    rails = "_rails" if design.hardware.opamp == "rails" else ""
    fronts = [stage.front for stage in design.stages]
    cells = [f"row_amp{rails}", f"tia{rails}", f"diff_amp{rails}"]
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
