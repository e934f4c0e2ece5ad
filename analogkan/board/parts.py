# pyright: strict
"""The parts of a board: what a design becomes where every net is copper.

A DC deck has no supplies, drivers or damping; a board has, and they are listed here beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..compiler.build import Build
from ..compiler.design import CrossbarStage, Design
from ..compiler.names import StageNames
from ..compiler.readout import READOUTS
from ..compiler.series import nearest_of, standard_values
from ..errors import CompileError
from ..physics.capacitors import damping_c_f
from .amplifiers import BoardOpAmp
from .feedback import SERIES as CAPACITORS
from .parasitics import Parasitics
from .stability import BoardStability
from .tolerances import TOLERANCES

Values = npt.NDArray[Any]
MOST_RESISTORS = 500
"""Of a board that somebody would solder; assumed."""
GROUND, PLUS, MINUS, REFERENCE = "GND", "V+", "V-", "v_bias"
C_TOLERANCE, BYPASS_TOLERANCE = "5 %, C0G", "10 %, X7R"
ZETA = 0.7
"""Least damping of line and difference amplifiers."""
BYPASS = 100e-9
"""Farads at each supply of an op-amp; assumed."""
DRIVER = "driver of"
"""How the descriptions of op-amps begin that a deck has not."""
PREFIXES = {"resistor": "R", "capacitor": "C", "diode": "D", "op-amp": "U", "connector": "J"}
"""Kinds of parts, and how references begin."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part.

    Attributes
    ----------
    reference
        Such as ``R17``.
    kind
        One of ``PREFIXES``.
    value, tolerance
        As a shop has them: ``10.2k``, ``1 %``.
    about
        What it is in the network.
    nets
        What its pins are connected to: a resistor's or capacitor's two; a diode's anode and
        cathode; an op-amp's ``inp``, ``inn``, ``out``, ``V+``, ``V-``; a connector's 1, 2, ...
    """

    reference: str
    kind: str
    value: str
    tolerance: str
    about: str
    nets: tuple[str, ...]


def format_part(value: float) -> str:
    """``10.2k``, ``562``, ``180p``."""
    for scale, sign in ((1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")):
        if value >= scale * (1 - 1e-9):
            return f"{value / scale:.4g}{sign}"
    return f"{value / 1e-12:.4g}p"


def board_parts(
    build: Build, opamp: BoardOpAmp, stability: BoardStability, parasitics: Parasitics
) -> list[Part]:
    """Every part of the board of ``build``, in the order of the signal.

    Parameters
    ----------
    build
        As ``require_board`` allows it.
    opamp
        What every amplifier is.
    stability
        With the capacitors that were chosen.
    parasitics
        With the snubbers and shunts that were reckoned with.
    """
    design = only_design(build)
    made = _Parts(opamp, parasitics, f"{100 * TOLERANCES[design.hardware.series]:g} %")
    first, last = StageNames(design, 0), StageNames(design, len(design.stages) - 1)
    nets = first.driven(first.inputs())
    entries = [f"in_{net}" for net in nets]
    made.add("connector", "power", (PLUS, GROUND, MINUS), "supplies and ground")
    made.add("connector", "inputs", (GROUND, *entries), "voltages of the DACs")
    made.add("connector", "outputs", (GROUND, *last.outputs()), "the network's outputs")
    for entry, net in zip(entries, nets, strict=True):
        made.opamp(entry, net, net, f"{DRIVER} {net}")
    if any(stage.n_bias for stage in design.stages):
        made.add("connector", "reference", (GROUND, f"in_{REFERENCE}"), bias_of(design))
        made.opamp(f"in_{REFERENCE}", REFERENCE, REFERENCE, f"{DRIVER} all bias rows")
    for layer in range(len(design.stages)):
        c_f = [row.c_f for row in stability.rows if row.layer == layer]
        _Stage(made, design, layer).add(c_f)
    return made.parts


def bias_of(design: Design) -> str:
    """What the reference's connector is given."""
    return f"the bias rows' voltage, {-design.hardware.v_fs:g} V"


def only_design(build: Build) -> Design:
    """The one circuit of ``build``; CompileError if it has several."""
    if build.deck is None:
        raise CompileError(
            f"{build.folder} has {len(build.names())} circuits whose values are held between them: "
            "a board is one circuit; train a smaller network without convolutions"
        )
    return build.deck.design


def require_board(build: Build) -> Design:
    """The circuit of ``build``, which can be a board; CompileError if it cannot.

    Raises
    ------
    CompileError
        If it has several circuits, cells that are no parts, wires, no standard values or too many
        resistors, or its outputs are classes, or its read-out is a summing one.
    """
    design = only_design(build)
    hardware = design.hardware
    if build.spec.targets is None:
        raise CompileError(
            f"{build.folder} tells classes: boards are of regressions, whose outputs are voltages "
            "that somebody reads (docs/functions.md)"
        )
    for layer, stage in enumerate(design.stages):
        kind = stage.front.kind
        if kind != "none":
            raise CompileError(
                f"layer {layer} of {build.folder} has {kind} cells, and a board is of resistors, "
                "diodes and op-amps alone: train it with squash = none and norm = batch or none"
            )
    if not hardware.amplifier.flat:
        raise CompileError(
            f"opamp = {hardware.opamp} of {build.folder} is a black box, which no part list can "
            "name: compile it with opamp = linear, and give the board's with --opamp"
        )
    if hardware.wired:
        raise CompileError(
            f"{build.folder} was compiled with r_wire = {hardware.r_wire:g} and r_driver = "
            f"{hardware.r_driver:g} ohm, and a board's tracks have neither: set both to 0"
        )
    if not READOUTS[hardware.readout].differences:
        raise CompileError(
            f"{build.folder} was compiled with readout = {hardware.readout}, and a board's outputs "
            "are difference amplifiers: compile it with readout = differences"
        )
    for name in ("dac_bits", "adc_bits"):
        if bits := getattr(hardware, name):
            raise CompileError(
                f"{build.folder} was compiled with {name} = {bits}, and a board's voltages are set "
                f"and read as they are: compile it with {name} = 0"
            )
    if not hardware.series:
        raise CompileError(
            f"{build.folder} was compiled with levels = {hardware.levels}, and a board's resistors "
            "have standard values: compile it with --preset board, or --set levels=e96"
        )
    resistors = sum(int(np.count_nonzero(stage.g)) for stage in design.stages)
    if resistors > MOST_RESISTORS:
        raise CompileError(
            f"{build.folder} has {resistors:,} crossbar resistors, and a board at most "
            f"{MOST_RESISTORS}: train fewer hidden nodes, or prune it (train --from MODEL --prune)"
        )
    return design


@dataclass
class _Parts:
    """Parts so far."""

    which: BoardOpAmp
    parasitics: Parasitics
    tolerance: str
    parts: list[Part] = field(default_factory=list[Part])
    counts: dict[str, int] = field(default_factory=dict[str, int])

    def add(
        self, kind: str, value: str, nets: tuple[str, ...], about: str, tolerance: str = ""
    ) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        reference = f"{PREFIXES[kind]}{self.counts[kind]}"
        self.parts.append(
            Part(
                reference=reference,
                kind=kind,
                value=value,
                tolerance=tolerance,
                about=about,
                nets=nets,
            )
        )

    def opamp(self, inp: str, inn: str, out: str, about: str) -> None:
        self.add("op-amp", self.which.name, (inp, inn, out, PLUS, MINUS), about)
        for supply in (PLUS, MINUS):
            self.add(
                "capacitor", format_part(BYPASS), (supply, GROUND), f"supply of {about}",
                BYPASS_TOLERANCE,
            )  # fmt: skip

    def resistor(self, ohms: float, a: str, b: str, about: str) -> None:
        self.add("resistor", format_part(ohms), (a, b), about, self.tolerance)

    def capacitor(self, farads: float, a: str, b: str, about: str) -> None:
        if farads:
            self.add("capacitor", format_part(farads), (a, b), about, C_TOLERANCE)


class _Stage:
    """The parts of one stage."""

    def __init__(self, made: _Parts, design: Design, layer: int) -> None:
        self.made, self.names = made, StageNames(design, layer)
        self.stage: CrossbarStage = design.stages[layer]
        self.series = design.hardware.series
        self.r_diff = design.hardware.r_diff

    def add(self, c_f: Sequence[float]) -> None:
        self._rows(c_f)
        self._cells()
        self._lines()
        self._differences()

    def _rows(self, c_f: Sequence[float]) -> None:
        made, extra = self.made, self.made.parasitics
        rows, curves, kept = self.names.rows(), self.stage.curves, self.stage.kept
        for i, net in enumerate(self.names.inputs()):
            own = [d for d in range(len(curves)) if kept[i, d]]
            if own and extra.snubber_r:
                made.resistor(extra.snubber_r, net, f"{net}_snub", f"snubber of node {net}")
                made.capacitor(extra.snubber_c, f"{net}_snub", GROUND, f"snubber of node {net}")
            for d in own:
                row, curve = rows[i * len(curves) + d], curves[d]
                total = f"{row}_sum"
                made.add("diode", curve.name, (net, total), f"diode of row {row}", "as measured")
                if extra.shunt:
                    made.resistor(extra.shunt, net, total, f"shunt of row {row}")
                made.resistor(float(self.stage.r_f[i, d]), total, row, f"feedback of row {row}")
                made.capacitor(c_f[d], total, row, f"feedback of row {row}")
                made.opamp(GROUND, total, row, f"row {row}")

    def _cells(self) -> None:
        n_bias = self.stage.n_bias
        rows, sums = self.names.rows(), self.names.sums()
        signal = len(rows) - n_bias
        nets = [*rows[:signal], *[REFERENCE] * n_bias]
        for r, line in np.argwhere(self.stage.g).tolist():
            ohms = nearest_of(standard_values(self.series), np.array(1 / self.stage.g[r, line]))
            about = f"cell, {rows[r]} to {self.names.line_ports()[line]}"
            self.made.resistor(float(ohms), nets[r], sums[line], about)

    def _lines(self) -> None:
        c_f = self._damping(self.stage.g.sum(axis=0), self.stage.r_c)
        lines = zip(self.names.lines(), self.names.sums(), strict=True)
        for k, (line, total) in enumerate(lines):
            about = f"line {line}"
            self.made.resistor(float(self.stage.r_c[k]), total, line, f"feedback of {about}")
            self.made.capacitor(c_f[k], total, line, f"feedback of {about}")
            self.made.opamp(GROUND, total, line, about)

    def _differences(self) -> None:
        made, lines = self.made, self.names.lines()
        r = self.r_diff
        ohms = r * self.stage.gain
        c_f = self._damping(np.full(ohms.shape, 1 / r), ohms)
        pairs = zip(self.names.outputs(), lines[0::2], lines[1::2], strict=True)
        for o, (y, p, n) in enumerate(pairs):
            about, inp, inn = f"difference {y}", f"{y}_inp", f"{y}_inn"
            made.resistor(r, n, inn, about)
            made.resistor(float(ohms[o]), inn, y, about)
            made.resistor(r, p, inp, about)
            made.resistor(float(ohms[o]), inp, GROUND, about)
            made.capacitor(c_f[o], inn, y, f"feedback of {about}")
            made.opamp(inp, inn, y, about)

    def _damping(self, g: Values, ohms: Values) -> list[float]:
        """Standard capacitors (n,) beside feedbacks of ``ohms`` (n,), farads; 0: none."""
        which, extra = self.made.which, self.made.parasitics
        c_in = np.full(ohms.shape, which.c_in + extra.c_stray)
        needed = damping_c_f(c_in, g, ohms, which.gbw, ZETA)
        return [
            next((c for c in CAPACITORS if c >= x), CAPACITORS[-1]) if x else 0.0 for x in needed
        ]


def bill(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """The parts by kind, value and tolerance: ``references``, ``count`` and what they are."""
    found: dict[tuple[str, str, str], list[Part]] = {}
    for part in parts:
        found.setdefault((part.kind, part.value, part.tolerance), []).append(part)
    return [
        {
            "references": " ".join(part.reference for part in alike),
            "kind": kind,
            "value": value,
            "tolerance": tolerance,
            "count": len(alike),
            "about": _about(alike),
        }
        for (kind, value, tolerance), alike in found.items()
    ]


def _about(alike: Sequence[Part]) -> str:
    first = alike[0].about
    return first if len(alike) == 1 else f"{first}, and {len(alike) - 1} more"
