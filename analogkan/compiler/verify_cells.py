"""The definitions of a deck: its subcircuits against the cell library, its models."""

from __future__ import annotations

import re
from dataclasses import replace

from .. import cells
from .deck import Deck
from .hardware import Hardware
from .lines import Subcircuit, definition, read_library
from .netlist import FLATTENED, Controlled, Netlist

DEFINED = re.compile(r"\s*\.(subckt|model)\s+(\S+)")
CONTINUED = re.compile(r"\n\s*\+")
GIVEN = re.compile(r"([a-z_]\w*)\s*=(?!=)")
"""Before a parameter's value."""


def definition_differences(netlist: Netlist, hardware: Hardware) -> list[str]:
    """Subcircuits that are neither a cell of the library to the letter, nor a diode or a tile.

    What the cells do is found from their elements too (``blocks``); to the letter, since ngspice
    could read a line otherwise than we do.
    """
    said = []
    for kind, lines in netlist.definitions.items():
        declared = cells.find(kind)
        if kind in hardware.opamps:
            if lines[0] != _opamp_ports(hardware) or not _is_opamp(kind, lines[1:], hardware):
                said.append(f"{kind} is not one of the library's op-amps but {lines[1:]}")
        elif kind.startswith("diode_"):
            first = "x" if kind in hardware.libraries else "b"
            if lines[0] != "a c" or len(lines) != 2 or not lines[1].startswith(first):
                what = "model of yours" if first == "x" else "source"
                said.append(f"{kind} is not one {what} between a and c")
        elif declared is None:
            said.append(f"{kind} is no cell of the library")
        else:
            wanted = read_library(declared)
            if _bandwidths(hardware) and declared.block in FLATTENED:
                wanted = _with_bandwidth(wanted, hardware)
            if (place := cells.OPAMPS.get(declared.block)) in hardware.opamps:
                wanted = _with_opamp(wanted, str(place))
            if "npn" in declared.models:
                wanted = _with_transistors(wanted, hardware)
            said += _library_differences(kind, lines, definition(wanted))
    return said + _supply_differences(netlist, hardware)


def _bandwidths(hardware: Hardware) -> bool:
    """Whether each amplifier is told its op-amp's gain-bandwidth product."""
    return bool(hardware.gbw_by_stage) and hardware.amplifier.takes("gbw")


def _opamp_ports(hardware: Hardware) -> str:
    gbw = f" gbw={hardware.gbw!r}" if _bandwidths(hardware) else ""
    return f"inp inn out a=1 drift=0{gbw} vos=0"


def _with_bandwidth(cell: Subcircuit, hardware: Hardware) -> Subcircuit:
    """An amplifier of the library that hands its op-amp a gain-bandwidth product."""
    lines = [
        replace(line, text=f"{line.text} gbw={{gbw}}") if " opamp " in line.text else line
        for line in cell.lines
    ]
    return replace(cell, params=cell.params | {"gbw": repr(hardware.gbw)}, lines=lines)


def _with_opamp(cell: Subcircuit, place: str) -> Subcircuit:
    """An amplifier of the library with the op-amp ``place`` for its own."""
    lines = [replace(line, text=re.sub(r"\bopamp\b", place, line.text)) for line in cell.lines]
    return replace(cell, lines=lines)


def _with_transistors(cell: Subcircuit, hardware: Hardware) -> Subcircuit:
    """A cell of the library with a netlist's transistors in the place of its own."""
    lines = [replace(line, text=_respelled(line.text, hardware)) for line in cell.lines]
    return replace(cell, lines=lines)


def _respelled(text: str, hardware: Hardware) -> str:
    """A line, of a transistor as an instance of the netlist's."""
    words, kind = text.split(), hardware.transistor
    if kind is None or words[4:] != ["npn"] or words[0][0] != "q":
        return text
    low = "vss" if "vss" in hardware.supplies else "0"
    at = dict(zip("cbes", [*words[1:4], low], strict=True))
    told = " ".join([f"x_{words[0]}", *(at[pin.name] for pin in kind.pins), kind.name])
    return text[: text.index(words[0])] + told


def _is_opamp(place: str, lines: list[str], hardware: Hardware) -> bool:
    """Whether the one line is the op-amp of a ``place``, connected by its pins' names and given
    what it takes.

    The gain of one that is found by its elements is asked there.
    """
    kind = cells.opamps()[hardware.opamps[place]]
    wanted = " ".join(["x1", *(pin.name for pin in kind.pins), kind.name])
    if kind.takes("gain"):
        wanted += f" gain={hardware.opamp_gain_used!r}"
    if kind.takes("gbw"):
        wanted += " gbw={gbw}" if _bandwidths(hardware) else f" gbw={hardware.gbw!r}"
    if kind.flat:
        lines, wanted = [line.partition("=")[0] for line in lines], wanted.partition("=")[0]
    return lines == [wanted]


class OpAmpCheck:
    """Whether op-amps of a deck are those that its hardware names."""

    def __init__(self, hardware: Hardware) -> None:
        self.default, self.opamps = hardware.opamp, hardware.opamps
        self.told_gbw = hardware.amplifier.takes("gbw")

    def difference(self, opamp: Controlled, gbw: float, block: str) -> str:
        """What is wrong with the op-amp of a ``block``, where there are several kinds, or each is
        told its own ``gbw`` hertz; empty: nothing."""
        wanted = self.opamps.get(cells.OPAMPS[block], self.default)
        if len(self.opamps) > 1 and opamp.kind != wanted:
            return f"op-amp {opamp.kind or 'of its elements'}, not {wanted}"
        if self.told_gbw and opamp.gbw != gbw:
            return f"gain-bandwidth product of {opamp.gbw!r} Hz, not {gbw!r}"
        return ""


def _supply_differences(netlist: Netlist, hardware: Hardware) -> list[str]:
    """The nets that reach into every cell, against what the op-amps need."""
    have = {netlist.nets[net]: f"at {volts} V" for net, volts in netlist.supplies.items()}
    rails = {"vdd": hardware.v_rail, "vss": -hardware.v_rail}
    wanted = {net: f"at {rails[net]} V" for net in hardware.supplies}
    return [
        f"supply {net} is {have.get(net, 'missing')}, not {wanted.get(net, 'known')}"
        for net in sorted({*have, *wanted})
        if have.get(net) != wanted.get(net)
    ]


def _library_differences(kind: str, lines: list[str], wanted: list[str]) -> list[str]:
    if lines == wanted:
        return []
    at = next((k for k, (a, b) in enumerate(zip(lines, wanted, strict=False)) if a != b), -1)
    what = f"{lines[at]!r} instead of {wanted[at]!r}" if at >= 0 else "more or fewer lines"
    return [f"cell {kind} is not the library's: {what}"]


def model_differences(build: Deck, netlist: Netlist) -> list[str]:
    """The ``.model`` lines: resistors' drift, transistors."""
    hw = build.design.hardware
    wanted = {
        "cell": f"r(tc1={hw.cell_tc1!r} tc2={hw.cell_tc2!r})",
        "feedback": f"r(tc1={hw.feedback_tc1!r} tc2={hw.feedback_tc2!r})",
    }
    if "stretch" in netlist.models:  # decks of before divide in the diodes' expressions
        wanted["stretch"] = f"r(tc1={hw.diode_tc_voltage!r} tc2=0.0)"
    if hw.segments:
        wanted["wire"] = f"r(tc1={hw.wire_tc1!r} tc2=0.0)"
    pairs = any("npn" in layer.squash.models for layer in build.spec.fronted)
    if pairs and hw.transistor is None:
        wanted["npn"] = f"npn(is=1e-16 bf={hw.npn_bf!r} vaf={hw.npn_vaf!r})"
    return [
        f"model {name} is {netlist.models.get(name, 'missing')}, not {wanted.get(name, 'known')}"
        for name in sorted({*netlist.models, *wanted})
        if netlist.models.get(name) != wanted.get(name)
    ]


def names_taken(hardware: Hardware, netlist: Netlist) -> list[str]:
    """Models, subcircuits, parameters and functions of users' netlists that are called as others
    of the deck; two may have the same ones of a library. A scale is of the whole deck."""
    ours: dict[str, tuple[str, str]] = dict.fromkeys(
        (*netlist.models, *netlist.definitions), ("the deck", "")
    )
    said = []
    libraries = {one.deck_file: one for one in hardware.libraries.values()}.values()
    defined = [_defined(one.text) for one in libraries]
    scales = {one.get(".option scale") for one in defined}
    for library, found in zip(libraries, defined, strict=True):
        if len(scales) > 1 and ".option scale" in found:
            said.append(
                f"{library.file} has .option scale, which would be of the others' transistors too: "
                "write sizes without it"
            )
            continue
        for name, text in sorted(found.items()):
            file, other = ours.setdefault(name, (library.file, text))
            if text != other:
                said.append(f"{library.file} defines {name}, and so does {file}: rename it there")
    return said


def _defined(text: str) -> dict[str, str]:
    """What a text defines outside of its subcircuits, whose own definitions are theirs; by name."""
    found: dict[str, str] = {}
    depth, name = 0, ""
    for line in CONTINUED.sub(" ", text.lower()).splitlines():
        begins = DEFINED.match(line)
        if not depth:
            name = begins[2] if begins else ""
            for word, value in _set(line):
                found[word] = f"{found.get(word, '')}{value.strip()}\n"
        depth += begins is not None and begins[1] == "subckt"
        if name:
            found[name] = f"{found.get(name, '')}{line}\n"
        depth -= line.lstrip().startswith(".ends")
    return found


def _set(line: str) -> list[tuple[str, str]]:
    """The parameters, the function or the scale that a line sets, and their values."""
    words = line.split(maxsplit=1)
    if len(words) < 2 or words[0] not in (".param", ".func", ".option", ".options"):
        return []
    if words[0] == ".func":
        name, _, value = words[1].partition("(")
        return [(f".func {name.strip()}", value)]
    _, *pairs = GIVEN.split(words[1])
    first = words[0].removesuffix("s")
    return [(f"{first} {name}", value) for name, value in zip(pairs[::2], pairs[1::2], strict=True)]


def box_notes(hardware: Hardware) -> list[str]:
    """What of cells from outside nothing here vouches for."""
    boxed = dict.fromkeys(hardware.opamps.values()) if hardware.amplifier.boxed else ()
    found = [f"op-amp {name} is a black box: its gain is not checked" for name in boxed]
    if hardware.transistor is not None:
        told = "is a black box: its current gain and Early voltage are not checked"
        found.append(f"transistor {hardware.npn} {told}")
    return found + [
        f"{name} is {model.subckt} of {model.file}, a black box: its current is that which compile "
        "compared"
        for name, model in hardware.libraries.items()
        if name.startswith(cells.DIODE)
    ]
