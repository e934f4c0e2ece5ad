# pyright: strict
"""A board's netlist in the words of KiCad: an s-expression of version E.

Written from its description and read back by a package that reads such files; not opened in KiCad.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..ours import MARK
from .parts import Part

PINS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "resistor": (("1", "~", "passive"), ("2", "~", "passive")),
    "capacitor": (("1", "~", "passive"), ("2", "~", "passive")),
    "diode": (("2", "A", "passive"), ("1", "K", "passive")),
    "op-amp": (
        ("3", "+", "input"), ("2", "-", "input"), ("6", "~", "output"),
        ("7", "V+", "power_in"), ("4", "V-", "power_in"),
    ),
}  # fmt: skip
"""Number, name and type of the pins of a part, in the order of its nets: an op-amp's are those of
most single ones in eight-pin packages."""
LIBRARY = {
    "resistor": ("Device", "R"),
    "capacitor": ("Device", "C"),
    "diode": ("Device", "D_Tunnel"),
    "op-amp": (MARK, "opamp"),
}
FOOTPRINTS = {
    "resistor": "Resistor_SMD:R_0603_1608Metric",
    "capacitor": "Capacitor_SMD:C_0603_1608Metric",
    "diode": "",
    "op-amp": "Package_SO:SOIC-8_3.9x4.9mm_P1.27mm",
}


def format_netlist(parts: Sequence[Part], title: str) -> str:
    """The netlist of ``parts``; equal parts give equal text."""
    lines = [
        '(export (version "E")',
        f'  (design (source {_quoted(title)}) (date "") (tool {_quoted(MARK)}))',
        "  (components",
        *map(_component, parts),
        "  )",
        "  (libparts",
        *_library(parts),
        "  )",
        "  (nets",
        *_nets(parts),
        "  ))",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text; a quote or backslash in it could end it."""
    return '"' + text.replace("\\", "/").replace('"', "'") + '"'


def _pins(part: Part) -> tuple[tuple[str, str, str], ...]:
    if part.kind == "connector":
        return tuple((f"{k + 1}", f"Pin_{k + 1}", "passive") for k in range(len(part.nets)))
    return PINS[part.kind]


def _symbol(part: Part) -> tuple[str, str]:
    if part.kind == "connector":
        return "Connector_Generic", f"Conn_01x{len(part.nets):02d}"
    return LIBRARY[part.kind]


def _footprint(part: Part) -> str:
    if part.kind == "connector":
        n = len(part.nets)
        return f"Connector_PinHeader_2.54mm:PinHeader_1x{n:02d}_P2.54mm_Vertical"
    return FOOTPRINTS[part.kind]


def _component(part: Part) -> str:
    lib, name = _symbol(part)
    footprint = _footprint(part)
    told = f"    (comp (ref {_quoted(part.reference)}) (value {_quoted(part.value)})"
    if footprint:
        told += f" (footprint {_quoted(footprint)})"
    return (
        f"{told} (libsource (lib {_quoted(lib)}) (part {_quoted(name)}) "
        f"(description {_quoted(part.about)})))"
    )


def _library(parts: Iterable[Part]) -> list[str]:
    found = {_symbol(part): part for part in parts}
    return [
        f"    (libpart (lib {_quoted(lib)}) (part {_quoted(name)}) (pins "
        + " ".join(
            f"(pin (num {_quoted(num)}) (name {_quoted(pin)}) (type {_quoted(kind)}))"
            for num, pin, kind in _pins(part)
        )
        + "))"
        for (lib, name), part in sorted(found.items())
    ]


def _nets(parts: Iterable[Part]) -> list[str]:
    found: dict[str, list[str]] = {}
    for part in parts:
        for (num, _, kind), net in zip(_pins(part), part.nets, strict=True):
            node = f"(node (ref {_quoted(part.reference)}) (pin {_quoted(num)})"
            found.setdefault(net, []).append(f"{node} (pintype {_quoted(kind)}))")
    return [
        f"    (net (code {_quoted(str(k))}) (name {_quoted(net)})\n      "
        + "\n      ".join(nodes)
        + ")"
        for k, (net, nodes) in enumerate(found.items(), 1)
    ]
