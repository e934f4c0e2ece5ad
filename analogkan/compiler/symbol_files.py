# pyright: strict
"""Symbols of a subcircuit for schematic editors: inputs on the left, outputs on the right, supplies
at the top and at the bottom.

Written from the formats' descriptions, KiCad's of its version 8 and xschem's 1.2; not opened in
either program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..cells import SUPPLIES
from ..ours import MARK

HALF_WIDTH = 6
"""Grid steps from a symbol's middle to its sides."""
SUPPLY_AT = -3
"""Grid steps from a symbol's middle to its supplies, beside what is written there."""
KICAD_STEP, XSCHEM_STEP = 2.54, 20
"""Between pins: millimetres, and xschem's units."""
KICAD_VERSION = 20231120
"""What KiCad 8 writes, and later ones read."""
KICAD_PINS = {
    (1, 0): ("input", 0), (-1, 0): ("output", 180), (0, 1): ("power_in", 270),
    (0, -1): ("power_in", 90),
}  # fmt: skip
"""A pin's type, and degrees it is turned by, from the step to the box."""
XSCHEM_PINS = {(1, 0): "in", (-1, 0): "out", (0, 1): "inout", (0, -1): "inout"}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A pin of a symbol: its name, number and place, in grid steps from the middle, y down."""

    name: str
    number: int
    x: int
    y: int

    @property
    def is_input(self) -> bool:
        """Whether it is on the left."""
        return self.x < SUPPLY_AT

    @property
    def inward(self) -> tuple[int, int]:
        """The step from it to the box, y down."""
        if self.name in SUPPLIES:
            return 0, 1 - 2 * SUPPLIES.index(self.name)
        return 1 if self.is_input else -1, 0


def place_pins(names: Sequence[str]) -> list[Pin]:
    """The pins ``names``: supplies, which are the last, above and below, what else begins with
    ``v`` on the left, the others on the right, each side from the top on, in the order of the
    subcircuit's pins."""
    signals = [name for name in names if name not in SUPPLIES]
    sides = [[x for x in signals if (x[0] == "v") is left] for left in (True, False)]
    placed: list[Pin] = []
    for x, side in zip((-HALF_WIDTH - 1, HALF_WIDTH + 1), sides, strict=True):
        placed += [
            Pin(name=name, number=len(placed) + 1 + k, x=x, y=k - len(side) // 2)
            for k, name in enumerate(side)
        ]
    for name, y, out in zip(SUPPLIES, get_ends(placed), (-1, 1), strict=True):
        if name in names:
            placed.append(Pin(name=name, number=len(placed) + 1, x=SUPPLY_AT, y=y + out))
    return placed


def get_ends(pins: Sequence[Pin]) -> tuple[int, int]:
    """The box's upper and lower side, in grid steps."""
    rows = [pin.y for pin in pins if pin.name not in SUPPLIES]
    return min(rows) - 1, max(rows) + 1


def format_kicad(name: str, pins: Sequence[Pin]) -> str:
    """A library of one symbol, which KiCad's simulator takes for the subcircuit ``name`` in
    ``name.cir``."""
    top, bottom = get_ends(pins)
    x, y0, y1 = HALF_WIDTH * KICAD_STEP, -top * KICAD_STEP, -bottom * KICAD_STEP
    shown = {"Reference": ("U", y0 + KICAD_STEP), "Value": (name, y1 - KICAD_STEP)}
    hidden = {
        "Footprint": "",
        "Datasheet": "",
        "Description": f"{name}: inputs and outputs in volts",
        "Sim.Device": "SUBCKT",
        "Sim.Library": f"{name}.cir",
        "Sim.Name": name,
        "Sim.Pins": " ".join(f"{pin.number}={pin.name}" for pin in pins),
    }
    lines = [
        f'(kicad_symbol_lib (version {KICAD_VERSION}) (generator "{MARK}")',
        f'  (symbol "{name}" (pin_names (offset 1.016)) (exclude_from_sim no) (in_bom no)',
        "    (on_board no)",
        *(_property(key, text, f"0 {_mm(y)}") for key, (text, y) in shown.items()),
        *(_property(key, text, "0 0", " (hide yes)") for key, text in hidden.items()),
        f'    (symbol "{name}_0_1"',
        f"      (rectangle (start {_mm(-x)} {_mm(y0)}) (end {_mm(x)} {_mm(y1)})",
        "        (stroke (width 0.254) (type default)) (fill (type background))))",
        f'    (symbol "{name}_1_1"',
        *map(_kicad_pin, pins),
        "    )))",
    ]
    return "\n".join(lines) + "\n"


def _mm(x: float) -> str:
    return f"{x:.6g}"


def _property(key: str, text: str, at: str, more: str = "") -> str:
    font = f"(effects (font (size 1.27 1.27)){more})"
    return f'    (property "{key}" "{text}" (at {at} 0) {font})'


def _kicad_pin(pin: Pin) -> str:
    kind, turned = KICAD_PINS[pin.inward]
    at = f"{_mm(pin.x * KICAD_STEP)} {_mm(-pin.y * KICAD_STEP)} {turned}"
    font = "(effects (font (size 1.27 1.27)))"
    return (
        f"      (pin {kind} line (at {at}) (length {KICAD_STEP}) "
        f'(name "{pin.name}" {font}) (number "{pin.number}" {font}))'
    )


def format_xschem(name: str, pins: Sequence[Pin]) -> str:
    """An xschem symbol whose netlist includes ``name.cir``, which is beside it."""
    top, bottom = (XSCHEM_STEP * y for y in get_ends(pins))
    x = XSCHEM_STEP * HALF_WIDTH
    corners = [(-x, top), (x, top), (x, bottom), (-x, bottom), (-x, top)]
    sides = [f"L 4 {a} {b} {c} {d} {{}}" for (a, b), (c, d) in pairwise(corners)]
    lines = [
        "v {xschem version=3.4.0 file_version=1.2}",
        "G {}",
        "K {type=subcircuit",
        'format="@name @pinlist @symname"',
        'template="name=x1"',
        f'spice_sym_def="tcleval(.include [abs_sym_path {name}.cir])"}}',
        "V {}",
        "S {}",
        "E {}",
        f"T {{@symname}} 0 {top - 15} 0 0 0.3 0.3 {{hcenter=true}}",
        f"T {{@name}} 0 {bottom + 5} 0 0 0.2 0.2 {{hcenter=true}}",
        *sides,
    ]
    for pin in pins:
        lines += _xschem_pin(pin)
    return "\n".join(lines) + "\n"


def _xschem_pin(pin: Pin) -> list[str]:
    """A pin's square, its line to the box, its name inside: xschem numbers squares as they come."""
    x, y = pin.x * XSCHEM_STEP, pin.y * XSCHEM_STEP
    (right, down), kind = pin.inward, XSCHEM_PINS[pin.inward]
    told = x + right * (XSCHEM_STEP + 5), y + down * (XSCHEM_STEP + 8) - 4
    return [
        f"B 5 {x - 2.5} {y - 2.5} {x + 2.5} {y + 2.5} {{name={pin.name} dir={kind}}}",
        f"L 4 {x} {y} {x + right * XSCHEM_STEP} {y + down * XSCHEM_STEP} {{}}",
        f"T {{{pin.name}}} {told[0]} {told[1]} 0 {int(right < 0)} 0.2 0.2 {{}}",
    ]
