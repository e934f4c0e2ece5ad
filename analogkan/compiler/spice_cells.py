"""SPICE, first half: the cells a deck is made of, its diodes.

``write_*`` return the text of a file, ``format_*`` a piece of it, spelled by a dialect. Names come
from indices and checked device names, numbers from ``format_number``; no other text reaches a line
that a simulator executes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from .. import cells
from ..cells import OpAmpKind
from ..cells.squash import NPN_IS
from ..devices import IVCurve
from ..dialects import NGSPICE, Dialect
from ..dialects.cellfile import format_cell
from ..dialects.words import format_comment, format_number, format_wrapped
from ..errors import CompileError
from .chip import RAMP_VOLTS
from .design import CrossbarStage, Design
from .hardware import Hardware
from .readout import READOUTS
from .spice_noise import Companions

TRANSISTOR = re.compile(r"^( *)(q\w*) (\S+) (\S+) (\S+) npn$", re.MULTILINE)
OPAMP = re.compile(r"(?m)^(x1 .*) opamp ")
TEMPERATURE_C = 26.85
"""300 K. Simulators' own default is 27 degrees, so every deck says this."""


def write_cells(
    design: Design, say: Dialect = NGSPICE, companions: Companions | None = None
) -> str:
    """``cells.cir``: the amplifier chosen, the cells used, the diodes; ``companions`` beside."""
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
    curves = {c.name.lower(): c for stage in design.stages for c in stage.curves}
    on = {"chip": is_chip(design), "warm": is_warm(design)}
    parts += [format_diode(c, hw, say, companions, **on) for _, c in sorted(curves.items())]
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
    if chip and kind.takes("vos", "drift"):
        given |= {"vos": "{vos}", "drift": "{drift}"}
    elif chip:
        offset = f"{{vos}}+{{drift}}*(temper-{format_number(TEMPERATURE_C)})"
        offset = say.expression(f"b1 in the cell {place}", offset)
        lines.append(" ".join(say.source("b1", "pos", inp, "v", [offset])))
        inp = "pos"
    nets = [inp if pin.name == "inp" else pin.name for pin in kind.pins]
    errors = "" if chip else " Nominal: a, vos and drift have no effect."
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


def is_warm(design: Design) -> bool:
    """Whether its parts have temperatures of their own."""
    return any(stage.errors is not None and stage.errors.warmth for stage in design.stages)


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


def diode_name(curve: IVCurve) -> str:
    """Name of a device type's subcircuit."""
    return f"diode_{curve.name.lower()}"


def format_diode(
    curve: IVCurve,
    hardware: Hardware,
    say: Dialect = NGSPICE,
    companions: Companions | None = None,
    *,
    chip: bool = False,
    warm: bool = False,
) -> str:
    """A two-terminal device: a source whose current is the table, piecewise linear.

    On a ``chip`` each instance has its own factors ki, kv and dv, and where parts are ``warm`` its
    kelvins above the ambient, dt.

    Raises
    ------
    CompileError
        If it is a user's model, and is to be warmer than the rest of the deck.
    """
    name = diode_name(curve)
    current = partial(_current, curve, hardware, chip, say, warm)
    own = hardware.libraries.get(name)
    if own is not None and warm:
        raise CompileError(
            f"{name} is a user's model, whose temperature is the deck's: it cannot be warmer than "
            "the ambient; leave out what warms parts of the die"
        )
    if own is None:
        lines = [say.source("b1", "a", "c", "i", current("v(a,c)"))]
    else:
        lines = list(_format_own(own, chip, say))
    lines += companions.format_beside_diode(current, say) if companions else []
    factors = {"ki": "1", "kv": "1", "dv": "0"} if chip else {}
    factors |= {"dt": "0"} if warm else {}
    first, last = say.subcircuit(name, ["a", "c"], factors)
    source = curve.source if own is None else f"{own.subckt} of {own.file}, in {own.deck_file}."
    told = format_comment(f"{name}: {curve.name}, anode a, cathode c. {source}")
    body = "\n".join(format_wrapped(head, words, in_line=say.in_line) for head, *words in lines)
    return f"{told}\n{' '.join(first)}\n{body}\n{last}\n"


def _format_own(own: cells.Library, chip: bool, say: Dialect) -> Iterable[list[str]]:
    """Lines of a diode that is a user's model; on a ``chip`` with a source before it that scales
    its voltage, and one beside it that draws its current ``ki`` times."""
    nets = {"a": "scaled" if chip else "a", "c": "c"}
    if chip:
        volts = say.expression(own.name, _scaled("v(a,c)"))
        yield say.source("b1", "behind", "c", "v", [volts])
        yield [say.fixed("v1", "behind", "scaled", "0")]
        drawn = say.expression(own.name, "{ki}*i(v1)")
        yield say.source("b2", "a", "c", "i", [drawn])
    yield [" ".join(say.instance("x_model", [nets[pin] for pin in own.pins], own.subckt, {}))]


def _scaled(volts: str) -> str:
    """What a chip's diode has across it in place of ``volts``."""
    ramp = f"min(max({volts}/{format_number(RAMP_VOLTS)},0),1)"
    return f"({{kv}}*{volts}+{{dv}}*{ramp})"


def _current(
    curve: IVCurve, hardware: Hardware, chip: bool, say: Dialect, warm: bool, volts: str
) -> list[str]:
    """Words for a device's current where ``volts`` is what stands across it.

    A table may go on with its last slope, so one more point at each end, 1 V out and of the same
    current, makes the ends flat.
    """
    name, ki = diode_name(curve), ""
    if chip:
        volts, ki = _scaled(volts), "{ki}*"
    if not curve.temperatures:  # a design's has them where they are its law
        weights = [format_drift(hardware.diode_tc_current)]
        volts += "/" + format_drift(hardware.diode_tc_voltage)
        tables = [curve.i]
    else:
        weights = format_weights(curve.temps_c)
        tables = list(curve.i_at)
    if warm:
        volts, *weights = (text.replace("temper", "(temper+{dt})") for text in (volts, *weights))
    x, words = say.expression(name, volts), []
    for k, (weight, table) in enumerate(zip(weights, tables, strict=True)):
        first, *more = say.table(name, x, _points(curve.v, table))
        words += [f"{'+' if k else ''}{say.expression(name, ki + weight)}*{first}", *more]
    return words


def _points(v: np.ndarray, i: np.ndarray) -> list[tuple[str, str]]:
    """A table's points, and the two that hold its ends."""
    x, y = [v[0] - 1.0, *v, v[-1] + 1.0], [i[0], *i, i[-1]]
    return [(format_number(a), format_number(b)) for a, b in zip(x, y, strict=True)]


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
