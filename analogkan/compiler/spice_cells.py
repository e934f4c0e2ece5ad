"""SPICE, first half: the cells a deck is made of.

``write_*`` return the text of a file, ``format_*`` a piece of it, spelled by a dialect. Names come
from indices and checked device names, numbers from ``format_number``; no other text reaches a line
that a simulator executes.
"""

from __future__ import annotations

import re

from .. import cells
from ..cells import OpAmpKind
from ..cells.squash import NPN_IS
from ..dialects import NGSPICE, Dialect
from ..dialects.cellfile import format_cell
from ..dialects.words import format_comment, format_number
from ..errors import CompileError
from .design import CrossbarStage, Design
from .hardware import Hardware
from .readout import READOUTS
from .spice_diodes import (
    STRETCH,
    diode_name,
    format_chip_diodes,
    format_diode,
    is_stretched,
)
from .spice_noise import Companions

TRANSISTOR = re.compile(r"^( *)(q\w*) (\S+) (\S+) (\S+) npn$", re.MULTILINE)
OPAMP = re.compile(r"(?m)^(x1 .*) opamp ")
TEMPERATURE_C = 26.85
"""300 K. Simulators' own default is 27 degrees, so every deck says this."""


def write_cells(
    design: Design,
    say: Dialect = NGSPICE,
    companions: Companions | None = None,
    temp_c: float = TEMPERATURE_C,
) -> str:
    """``cells.cir``: the amplifier chosen, the cells used, the diodes; ``companions`` beside.

    A chip's diodes are what they are at ``temp_c``.
    """
    hw = design.hardware
    parts = [format_comment("The cells this circuit is made of, and its diodes."), ""]
    names = get_cells(design) + (companions.cells if companions else [])
    used = [kind for kind in cells.known() if kind.name in names]
    for kind in used:
        text = kind.text
        if has_bandwidths(design) and kind in cells.AMPLIFIERS:
            text = _with_bandwidth(text, hw)
        if cells.OPAMPS.get(kind.block) in hw.opamps:
            text = OPAMP.sub(rf"\1 {cells.OPAMPS[kind.block]} ", text)
        if "npn" in kind.models and hw.transistor is not None:
            text = _with_transistors(text, kind.name, design)
        parts.append(format_cell(text, kind.name, say))
    parts += companions.format_models(say) if companions else []
    parts.append("\n".join(format_opamps(design, say, companions)))
    parts.append(
        "* Resistors: the crossbar's cells, and the feedback of row and line amplifiers.\n"
        + _drifting("cell", hw.cell_tc1, hw.cell_tc2, say)
        + _drifting("feedback", hw.feedback_tc1, hw.feedback_tc2, say)
    )
    if hw.segments:
        parts.append("* wire: a segment.\n" + _drifting("wire", hw.wire_tc1, 0.0, say))
    if has_transistors(design) and hw.transistor is None:
        npn = {"is": NPN_IS, "bf": hw.npn_bf, "vaf": hw.npn_vaf}
        told = say.model("npn", "npn", {name: format_number(x) for name, x in npn.items()})
        parts.append(f"* npn: the transistors of the pairs.\n{told}\n")
    chip = is_chip(design)
    types = {diode_name(curve): curve for stage in design.stages for curve in stage.curves}
    curves = [curve for name, curve in sorted(types.items()) if not chip or name in hw.libraries]
    stretched = [companions is None and is_stretched(curve, hw, say) for curve in curves]
    if any(stretched):
        told = _drifting(STRETCH, hw.diode_tc_voltage, 0.0, say)
        parts.append(f"* {STRETCH}: what divides diodes' voltages.\n{told}")
    parts += [
        format_diode(curve, hw, say, companions, chip=chip, stretched=by_resistor)
        for curve, by_resistor in zip(curves, stretched, strict=True)
    ]
    if chip:
        parts += format_chip_diodes(design, temp_c, say, companions)
    return "\n".join(parts)


def _with_bandwidth(text: str, hardware: Hardware) -> str:
    """An amplifier's file ``text`` whose op-amp has a gain-bandwidth product of its own."""
    told = text.replace(" drift=0\n", f" drift=0 gbw={format_number(hardware.gbw)}\n")
    return told.replace(" drift={drift}\n", " drift={drift} gbw={gbw}\n")


def _with_transistors(text: str, cell: str, design: Design) -> str:
    """A squash cell's file ``text`` whose transistors are of a user's netlist; their substrates are
    at the lower supply of the op-amps, or at ground."""
    kind = design.hardware.transistor
    assert kind is not None
    substrate = "vss" if "vss" in design.hardware.supplies else "0"
    nets = {"c": r"\3", "b": r"\4", "e": r"\5", "s": substrate}
    line = " ".join([r"\1x_\2", *(nets[pin.name] for pin in kind.pins), kind.name])
    told = TRANSISTOR.sub(line, text)
    if re.search(r"(?m)^[^*\n].* npn\b", told):
        raise CompileError(
            f"cell {cell} has a transistor that is not written as `q1 C B E npn`, so that one of a "
            "netlist cannot stand in its place: write it so, or leave --cell npn out"
        )
    return told


def _drifting(name: str, tc1: float, tc2: float, say: Dialect) -> str:
    """The model of a resistor that follows temperature."""
    drift = {"tc1": format_number(tc1), "tc2": format_number(tc2)}
    return say.model(name, "r", drift) + "\n"


def get_opamps(design: Design) -> dict[str, OpAmpKind]:
    """Op-amps by the subcircuits that they are: those that were chosen, or on chips what stands in
    for them."""
    known, chip = cells.opamps(), is_chip(design)
    kinds = {place: known[name] for place, name in design.hardware.opamps.items()}
    return {place: (chip and kind.stand_in) or kind for place, kind in kinds.items()}


def get_opamp(design: Design) -> OpAmpKind:
    """The op-amp in every cell that has none of its own."""
    return get_opamps(design)[cells.OPAMP]


def format_opamps(
    design: Design, say: Dialect = NGSPICE, companions: Companions | None = None
) -> list[str]:
    """Supplies, ``opamp``, which every cell instances, and those of amplifiers with their own."""
    opamps = get_opamps(design)
    lines = format_supplies(design, say)
    for place, kind in opamps.items():
        about = f"the amplifier of {place.removeprefix(f'{cells.OPAMP}_')}"
        if place == cells.OPAMP:
            about = "the amplifier in every cell" + " that has none of its own" * (len(opamps) > 1)
        lines.append(_format_opamp(place, kind, about, design, say, companions))
    return lines


def _format_opamp(
    place: str,
    kind: OpAmpKind,
    about: str,
    design: Design,
    say: Dialect,
    companions: Companions | None,
) -> str:
    """The subcircuit ``place``, an op-amp of a ``kind``.

    Raises
    ------
    CompileError
        If a chip's op-amps have errors that the one that was chosen cannot have.
    """
    hw, chip = design.hardware, is_chip(design)
    given: dict[str, str] = {}
    lines, inp = companions.format_before_opamp(say) if companions else ([], "inp")
    if kind.takes("gain"):
        gain = format_number(hw.opamp_gain_used)
        given["gain"] = f"{{{gain}*a}}" if chip else gain
    elif chip:
        _require_equal_gains(design)
    if kind.takes("gbw"):
        given["gbw"] = "{gbw}" if has_bandwidths(design) else format_number(hw.gbw)
    if chip and drifts(kind):
        given |= {"vos": "{vos}", "drift": "{drift}"}
    elif chip:
        lines.append(
            say.fixed("v1", "pos", inp, say.expression(f"v1 in the cell {place}", "{vos}"))
        )
        inp = "pos"
    nets = [inp if pin.name == "inp" else pin.name for pin in kind.pins]
    errors = " Nominal: a, vos and drift have no effect."
    if chip:
        errors = "" if drifts(kind) else " vos is at the temperature that the layers' files tell."
    pins, params = ["inp", "inn", "out"], {"a": "1", "vos": "0", "drift": "0"}
    if has_bandwidths(design):
        params["gbw"] = format_number(hw.gbw)
    first, last = say.subcircuit(place, pins, params)
    settings = {name: say.expression(place, value) for name, value in given.items()}
    return "\n".join(
        [
            f"* {place}: {about}.{errors}",
            " ".join(first),
            *lines,
            " ".join(say.instance("x1", nets, kind.name, settings)),
            f"{last}\n",
        ]
    )


def format_supplies(design: Design, say: Dialect = NGSPICE) -> list[str]:
    """The nets of the supplies that op-amps need, and a source at each; empty without any."""
    kinds, v_rail = get_opamps(design).values(), design.hardware.v_rail
    rails = {
        net: volts
        for net, volts in zip(cells.SUPPLIES, (v_rail, -v_rail), strict=True)
        if any(net in kind.supplies for kind in kinds)
    }
    sources = [
        say.fixed(f"v_{net}", net, "0", format_number(volts)) for net, volts in rails.items()
    ]
    return [say.shared("opamp", [*rails]), *sources] if sources else []


def drifts(kind: OpAmpKind) -> bool:
    """Whether an op-amp is told its offset's drift; others are told what the offset has become."""
    return kind.takes("vos", "drift")


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
    cells = [*(kind.name for kind in get_opamps(design).values()), f"row_amp{rails}"]
    cells += [f"{cell}{rails}" for cell in READOUTS[design.hardware.readout].cells]
    if has_transistors(design) and design.hardware.transistor is not None:
        cells.append(design.hardware.npn)
    for real in {has_real_norm(stage) for stage in design.stages if stage.front.norm is not None}:
        parts = (f"layernorm_{part}" for part in ("input", "core", "output"))
        cells += [f"{part}_real" if real else part for part in parts]
    return cells + sorted({front.squash.kind for front in fronts} - {"none"})


def has_real_norm(stage: CrossbarStage) -> bool:
    """Whether a stage's LayerNorm has errors of its own."""
    e = stage.errors
    return e is not None and e.front is not None and e.front.norm is not None


def has_bandwidths(design: Design) -> bool:
    """Whether each amplifier is told its gain-bandwidth product."""
    return get_opamp(design).takes("gbw") and design.hardware.gbw_by_stage > 0


def has_transistors(design: Design) -> bool:
    """Whether a stage has transistor pairs."""
    return any("npn" in stage.front.squash.models for stage in design.stages)
