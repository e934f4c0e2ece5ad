"""Recognising a flat netlist's blocks by how their elements are connected.

Amplifiers, diodes, rows, lines and pairs are found from structure; names only say which input and
which output a net is. What belongs to no block is reported, never skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from .elimination import eliminate
from .netlist import GROUND, Controlled, Limiter, Netlist, Table


@dataclass
class Amplifier:
    """A transimpedance amplifier: its nets, and the feedback found between them.

    ``inner`` is the op-amp's own output: ``out``, or what a limiter stands behind. ``feedback`` is
    in ohms, ``capacitors`` in farads; ``coupled`` are resistors to its summing net from outputs of
    line amplifiers, net and ohms.
    """

    out: int
    inner: int
    total: int
    opamp: Controlled
    limiter: Limiter | None = None
    feedback: list[float] = field(default_factory=list)
    capacitors: list[float] = field(default_factory=list)
    coupled: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class Difference:
    """A difference amplifier: its inputs p and n, and r1 to r4 as found (ohms, by net).

    ``inner`` as for an Amplifier.
    """

    out: int
    inner: int
    inn: int
    inp: int
    opamp: Controlled
    limiter: Limiter | None = None
    p: int = -1
    n: int = -1
    r1: float = np.nan
    r2: float = np.nan
    r3: float = np.nan
    r4: float = np.nan

    @property
    def gain_n(self) -> float:
        """Gain of the inverting input, as a positive number."""
        return self.r2 / self.r1

    @property
    def gain_p(self) -> float:
        """Gain of the non-inverting input."""
        return self.r4 / (self.r3 + self.r4) * (1 + self.r2 / self.r1)


class Blocks:
    """The blocks of a netlist.

    Attributes
    ----------
    amplifiers
        Transimpedance amplifiers by their summing net.
    differences
        Difference amplifiers by their output net.
    diodes
        Behavioural current tables by anode net.
    cells
        (k,) indices of the resistors between a driven row and a summing net, -1 where it stands
        for wires and cells together.
    cell_row, cell_sum, cell_g
        (k,) their nets, and siemens.
    feet
        Nets (k,), nets (k,) and siemens (k,) between summing nets, which wires make.
    behind
        Of a deck with every segment, the cells themselves: the row (k,) and the summing net (k,)
        to which the wires at their two ends lead, and siemens (k,).
    constants
        Volts of the sources that neither feed a diode nor belong to an amplifier, by net.
    inputs
        Volts of the sources at diodes (the DACs), by net.
    read_outs
        (input net, gain) by output net.
    problems
        What fits nowhere, as sentences.
    """

    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        self.amplifiers: dict[int, Amplifier] = {}
        self.differences: dict[int, Difference] = {}
        self.diodes: dict[int, list[Table]] = {}
        self.constants: dict[int, float] = {}
        self.inputs: dict[int, float] = {}
        self.read_outs: dict[int, tuple[int, float]] = {}
        self.problems: list[str] = []
        nothing = np.zeros(0, np.int64)
        self.behind: tuple[np.ndarray, np.ndarray, np.ndarray] = nothing, nothing, np.zeros(0)
        self._amplifiers()
        self._diodes()
        self._sources()
        self._resistors()
        self._capacitors()

    def name(self, net: int) -> str:
        """A net's name."""
        return self.netlist.nets[net]

    def _amplifiers(self) -> None:
        # A limiter that reads a net inside its own cell stands behind an op-amp.
        behind = {c.control: c for c in self.netlist.limiters if "." in self.name(c.control)}
        for source in self.netlist.controlled:
            inp, inn = source.control
            out = inner = source.out[0]
            limiter = behind.get(inner)
            if limiter is not None:
                out = limiter.nets[0]
            if "." not in source.name:  # at the top level: a read-out; op-amps are inside cells
                if out in self.read_outs:
                    self.problems.append(f"two read-outs drive {self.name(out)}")
                self.read_outs[out] = (inp, source.gain)
                if source.out[1] != GROUND or inn != GROUND:
                    self.problems.append(f"read-out {source.name} is not referred to ground")
            elif inp == GROUND:
                if inn in self.amplifiers:
                    self.problems.append(f"two amplifiers share the summing node {self.name(inn)}")
                self.amplifiers[inn] = Amplifier(out, inner, inn, source, limiter)
            else:
                if out in self.differences:
                    self.problems.append(f"two amplifiers drive {self.name(out)}")
                self.differences[out] = Difference(out, inner, inn, inp, source, limiter)

    def _diodes(self) -> None:
        for table in self.netlist.tables:
            if table.kind != "i":
                continue
            anode, cathode = table.nets
            if table.control != table.nets:
                self.problems.append(f"{table.name} is not controlled by its own voltage")
            if cathode not in self.amplifiers:
                self.problems.append(
                    f"diode {table.name} does not end at an amplifier but at {self.name(cathode)}"
                )
            self.diodes.setdefault(anode, []).append(table)

    def _sources(self) -> None:
        offsets = {c.out[1] for c in self.netlist.controlled}
        fronts = {cell.nets[0] for cell in self.netlist.cells}
        fronts |= {limiter.control for limiter in self.netlist.limiters}
        for source in self.netlist.volts:
            plus, minus = source.nets
            if plus in offsets and plus != GROUND:
                if minus != GROUND:
                    self.problems.append(f"offset source {source.name} does not end at ground")
                continue
            if minus != GROUND:
                self.problems.append(f"source {source.name} does not end at ground")
            drives = plus in self.diodes or plus in fronts
            group = self.inputs if drives else self.constants
            if plus in group:
                self.problems.append(f"two sources drive {self.name(plus)}")
            group[plus] = source.value

    def _resistors(self) -> None:
        """Sort every resistor: feedback, difference amplifier, crossbar cell, or a problem."""
        nl = self.netlist
        count = len(nl.nets)
        is_sum = _mask(count, self.amplifiers)
        summed_out = {amp.out for amp in self.amplifiers.values()}
        is_row = _mask(count, [*summed_out, *self.constants])
        a, b, siemens, which = self._without_wires(is_sum | is_row)
        sum_net = np.where(is_sum[a], a, b)
        other = np.where(is_sum[a], b, a)
        out_of = np.full(count, -1)
        for total, amp in self.amplifiers.items():
            out_of[total] = amp.inner
        at_sum = is_sum[a] | is_sum[b]
        feedback = at_sum & (out_of[sum_net] == other)
        for k in np.flatnonzero(feedback):
            self.amplifiers[int(sum_net[k])].feedback.append(float(nl.r_ohms[which[k]]))
        between = is_sum[a] & is_sum[b]
        self.feet = a[between], b[between], siemens[between]
        behind = {table.nets[1] for tables in self.diodes.values() for table in tables}
        of_lines = {net: amp.out for net, amp in self.amplifiers.items() if net not in behind}
        coupled = _mask(count, of_lines)[sum_net] & _mask(count, of_lines.values())[other]
        coupled &= at_sum & ~feedback & ~between & (which >= 0)
        for k in np.flatnonzero(coupled):
            through = int(other[k]), float(nl.r_ohms[which[k]])
            self.amplifiers[int(sum_net[k])].coupled.append(through)
        cell = at_sum & ~feedback & ~coupled & is_row[other]
        self.cells = which[cell]
        self.cell_row, self.cell_sum, self.cell_g = other[cell], sum_net[cell], siemens[cell]
        held = is_row[a] & is_row[b] & (which < 0)  # between rows, which amplifiers hold
        self._models(which[feedback | coupled], "feedback")
        rest = which[~(feedback | coupled | cell | between | held)]
        self._models(rest, "")
        self._difference_resistors(rest)

    def _without_wires(
        self, port: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Resistors with the wires eliminated: nets a, nets b, siemens, and index or -1.

        Wires are what hangs together by resistors whose nets nothing else touches; ``port`` are
        the rows and summing nets at which they end.
        """
        nl = self.netlist
        a, b, siemens = nl.r_a, nl.r_b, 1.0 / nl.r_ohms
        which = np.arange(len(a))
        segment = nl.of_model("wire")
        if not segment.any():
            return a, b, siemens, which
        inner = np.zeros(len(nl.nets), bool)
        inner[a[segment]] = inner[b[segment]] = True
        inner &= ~port
        inner[GROUND] = False
        wires = inner[a] | inner[b]
        self._cells_behind_wires(wires, port)
        one, other, left = eliminate(a[wires], b[wires], siemens[wires], inner)
        return (
            np.concatenate([a[~wires], one]),
            np.concatenate([b[~wires], other]),
            np.concatenate([siemens[~wires], left]),
            np.concatenate([which[~wires], np.full(len(one), -1)]),
        )

    def _cells_behind_wires(self, wires: np.ndarray, port: np.ndarray) -> None:
        """Fill ``behind``: cells are of their model, what leads to a port is wire."""
        nl, count = self.netlist, len(self.netlist.nets)
        is_cell = wires & nl.of_model("cell")
        a, b = nl.r_a[wires & ~is_cell], nl.r_b[wires & ~is_cell]
        graph = sparse.coo_array((np.ones(a.size), (a, b)), shape=(count, count))
        groups, label = csgraph.connected_components(graph, directed=False)
        ports = np.flatnonzero(port)
        leads_to = np.full(groups, -1)
        leads_to[label[ports]] = ports
        joined = np.flatnonzero(np.bincount(label[ports], minlength=groups) > 1)
        self.problems += [f"wires join {self.name(leads_to[k])} and another port" for k in joined]
        one, other = leads_to[label[nl.r_a[is_cell]]], leads_to[label[nl.r_b[is_cell]]]
        sums = np.isin(one, list(self.amplifiers))
        row, total = np.where(sums, other, one), np.where(sums, one, other)
        lost = np.flatnonzero(is_cell)[(row < 0) | (total < 0)]
        if lost.size:
            names = _some([nl.r_name[k] for k in lost])
            self.problems.append(f"{lost.size} cells, {names}, have wires that lead to no port")
        self.behind = row, total, 1.0 / nl.r_ohms[is_cell]

    def _models(self, which: np.ndarray, wanted: str) -> None:
        """Problems with resistors that drift otherwise than ``wanted``."""
        nl = self.netlist
        which = which[which >= 0]
        wrong = [nl.r_name[k] for k in which[~nl.of_model(wanted)[which]]]
        if wrong:
            self.problems.append(
                f"{len(wrong)} resistors, {_some(wrong)}, are not of the model "
                f"{wanted or 'that has no drift'}"
            )

    def _capacitors(self) -> None:
        """Every capacitor belongs across an amplifier's feedback."""
        for capacitor in self.netlist.capacitors:
            a, b = capacitor.nets
            amp = self.amplifiers.get(a) or self.amplifiers.get(b)
            if amp is None or {a, b} != {amp.total, amp.inner}:
                self.problems.append(f"capacitor {capacitor.name} is across no feedback")
                continue
            amp.capacitors.append(capacitor.farads)

    def _difference_resistors(self, rest: np.ndarray) -> None:
        nl = self.netlist
        by_net = {d.inn: d for d in self.differences.values()}
        by_net |= {d.inp: d for d in self.differences.values()}
        stray: dict[str, list[str]] = {}
        for k in rest:
            a, b, ohms = int(nl.r_a[k]), int(nl.r_b[k]), float(nl.r_ohms[k])
            inner, outer = (a, b) if a in by_net else (b, a)
            if inner not in by_net:
                pair = f"{self.name(a)} and {self.name(b)}"
                where = next((self.name(x) for x in (a, b) if not self._is_driven(x)), pair)
                stray.setdefault(where, []).append(nl.r_name[k])
                continue
            d = by_net[inner]
            if inner == d.inn and outer == d.inner:
                d.r2 = ohms
            elif inner == d.inn:
                d.n, d.r1 = outer, ohms
            elif outer == GROUND:
                d.r4 = ohms
            else:
                d.p, d.r3 = outer, ohms
        for where, names in stray.items():
            self.problems.append(
                f"{len(names)} resistors, {_some(names)}, end on {where}, which no amplifier reads"
            )

    def _is_driven(self, net: int) -> bool:
        driven = {amp.out for amp in self.amplifiers.values()} | set(self.constants)
        return net in driven or net in self.amplifiers


def _mask(count: int, members: Iterable[int]) -> np.ndarray:
    mask = np.zeros(count, bool)
    mask[list(members)] = True
    return mask


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
