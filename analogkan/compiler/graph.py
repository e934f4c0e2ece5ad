"""Two graphs of a deck: its elements' nets, and its blocks."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from .. import cells
from .netlist import GROUND, TOP, Netlist

DRIVEN = ("diode", "squash", "layernorm input", "layernorm output")
"""What DACs drive: diodes, or where inputs are held the cells before them."""
OUTPUTS = ("difference", "summing amplifier")
"""What drives a stage's outputs."""
ALLOWED = {
    *(("dac", kind) for kind in DRIVEN),
    *((kind, driven) for kind in OUTPUTS for driven in DRIVEN),
    ("layernorm input", "layernorm core"),
    ("layernorm input", "layernorm output"),
    ("layernorm core", "layernorm output"),
    ("layernorm output", "squash"),
    ("layernorm output", "diode"),
    ("squash", "diode"),
    *((kind, "read-out") for kind in OUTPUTS),
    ("diode", "row amplifier"),
    ("row amplifier", "tile"),
    ("bias", "tile"),
    ("row amplifier", "driver"),
    ("bias", "driver"),
    ("driver", "tile"),
    ("tile", "line amplifier"),
    ("line amplifier", "difference"),
    ("tile", "summing amplifier"),
    ("line amplifier", "summing amplifier"),
}
"""What may drive what."""


def unconnected(netlist: Netlist, idle: Collection[str] = ()) -> list[str]:
    """Sentences on nets that only one terminal touches, and nets without a DC path to ground;
    ``idle`` ones may lead nowhere."""
    count = len(netlist.nets)
    touched = np.zeros(count, np.int64)
    resistors, edges = (netlist.r_a, netlist.r_b), list[tuple[np.ndarray, np.ndarray]]()
    for ends in resistors:
        touched += np.bincount(ends, minlength=count)
    pairs = [c.out for c in netlist.controlled] + [v.nets for v in netlist.volts]
    pairs += [(net, GROUND) for net in netlist.supplies]
    more = [*netlist.supplies]  # by op-amps, of which no more is known than their text
    for table in netlist.tables:  # a table of current conducts, one of voltage is a source
        pairs.append(table.nets)
        more += {*table.control}
    for limiter in netlist.limiters:
        pairs.append(limiter.nets)
        more.append(limiter.control)
    for source in netlist.controlled:
        more += {*source.control}
    for cell in netlist.cells:
        more += cell.nets
        at = [(cell.nets[a], cell.nets[b]) for a, b in cell.pins.conducting]
        at += [(cell.nets[k], GROUND) for k in cell.pins.driven]
        edges.append(tuple(np.array(at, np.int64).T))  # type: ignore[arg-type]
    for capacitor in netlist.capacitors:  # no path for direct current
        more += capacitor.nets
    for amp in netlist.amps:
        more += {*amp.nets}
    if pairs:
        ends = np.array(pairs, np.int64).T
        edges.append((ends[0], ends[1]))
        more += ends.ravel().tolist()
    touched += np.bincount(np.array(more, np.int64), minlength=count)

    few = _first_edges(*resistors, count)
    apart = _apart([*edges, tuple(ends[few] for ends in resistors)], count)
    if apart.any():
        apart = _apart([*edges, resistors], count)
    read_outs = {c.out[0] for c in netlist.controlled if c.out[1] == GROUND}
    found = [
        f"net {netlist.nets[k]} is touched by one terminal only"
        for k in np.flatnonzero(touched == 1)
        if k not in read_outs and k != GROUND and netlist.nets[k] not in idle
    ]
    found += [f"net {netlist.nets[k]} has no DC path to ground" for k in np.flatnonzero(apart)]
    return found


def _first_edges(a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
    """Places in ``a`` and ``b`` (n,) of an edge for each net: few of a crossbar's, and where they
    already lead everywhere all of them do."""
    first = np.full((2, count), -1)
    for side, ends in zip(first, (a, b), strict=True):
        side[ends[::-1]] = np.arange(len(ends))[::-1]
    return np.unique(first[first >= 0])


def _apart(edges: Sequence[tuple[np.ndarray, ...]], count: int) -> np.ndarray:
    """(count,) which nets ``edges`` do not join to ground."""
    a, b = (np.concatenate(part) for part in zip(*edges, strict=True))
    matrix = sparse.coo_array((np.ones(a.size), (a, b)), shape=(count, count))
    _, component = csgraph.connected_components(matrix, directed=False)
    return np.asarray(component != component[GROUND])


@dataclass(frozen=True)
class BlockGraph:
    """The instances of the top level, and which drives which; single sources stand for DACs and
    biases.

    Attributes
    ----------
    kinds, layers
        By name.
    drives
        By name, what it drives, with the net through which it does.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    layers: dict[str, int] = field(default_factory=dict)
    drives: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, name: str, kind: str, layer: int) -> None:
        """Add a block that drives nothing yet."""
        self.kinds[name], self.layers[name] = kind, layer
        self.drives.setdefault(name, {})

    @property
    def connections(self) -> int:
        """Pairs of blocks of which one drives the other."""
        return sum(map(len, self.drives.values()))

    def driven_by(self) -> dict[str, list[str]]:
        """By name, what drives it."""
        found: dict[str, list[str]] = {name: [] for name in self.kinds}
        for one, others in self.drives.items():
            for other in others:
                found[other].append(one)
        return found


def block_graph(netlist: Netlist) -> BlockGraph:
    """The blocks of the top level; one drives another where its output is the other's input."""
    graph = BlockGraph()
    drivers: dict[str, list[str]] = {}
    readers: dict[str, list[str]] = {}
    for inst in netlist.instances:
        kind, ins, outs = _ports(inst.kind, inst.nets)
        graph.add(inst.name, kind, _layer(inst.name))
        for net in ins:
            readers.setdefault(net, []).append(inst.name)
        for net in outs:
            drivers.setdefault(net, []).append(inst.name)
    kinds = graph.kinds
    driven = {net for net, names in readers.items() if any(kinds[n] in DRIVEN for n in names)}
    for source in netlist.volts:
        if "." in source.name:
            continue
        net = netlist.nets[source.nets[0]]
        graph.add(source.name, "dac" if net in driven else "bias", _layer(source.name))
        drivers.setdefault(net, []).append(source.name)
    for source in netlist.controlled:
        if "." in source.name:
            continue
        graph.add(source.name, "read-out", -1)
        readers.setdefault(netlist.nets[source.control[0]], []).append(source.name)
    for k in np.flatnonzero(netlist.r_place == TOP):
        before, behind = netlist.nets[netlist.r_a[k]], netlist.nets[netlist.r_b[k]]
        if before in drivers and behind not in drivers:
            name = netlist.r_name[k]
            graph.add(name, "driver", _layer(name))
            readers.setdefault(before, []).append(name)
            drivers.setdefault(behind, []).append(name)
    for net, from_ in drivers.items():
        for one in from_:
            for other in readers.get(net, ()):
                graph.drives[one][other] = net
    return graph


def out_of_order(graph: BlockGraph, idle: Collection[str] = ()) -> list[str]:
    """Sentences on blocks that drive what they should not, loops, and layers out of order; what
    drives nets that are ``idle`` may drive nothing."""
    found, spared = [], {f"x_{net}_{end}" for net in idle for end in ("diff", "add")}
    edges = ((one, *to) for one, others in graph.drives.items() for to in others.items())
    for one, other, net in edges:
        kinds = (graph.kinds[one], graph.kinds[other])
        if kinds not in ALLOWED:
            found.append(f"{one} ({kinds[0]}) drives {other} ({kinds[1]}) through {net}")
            continue
        step = 1 if kinds[0] in OUTPUTS else 0  # fronts count to the layer they drive
        layers = (graph.layers[one], graph.layers[other])
        if kinds[1] != "read-out" and layers[1] != layers[0] + step:
            found.append(f"{one} of layer {layers[0]} drives {other} of layer {layers[1]}")
    driven_by = graph.driven_by()
    for node, kind in graph.kinds.items():
        if not driven_by[node] and kind not in ("dac", "bias"):
            found.append(f"nothing drives {node} ({kind})")
        if not graph.drives[node] and kind != "read-out" and node not in spared:
            found.append(f"{node} ({kind}) drives nothing")
    try:
        TopologicalSorter(driven_by).prepare()
    except CycleError as error:
        *loop, _ = error.args[1]
        found.append(f"the stages form a loop: {' -> '.join(loop[:6])}")
    return found


def _ports(kind: str, nets: tuple[str, ...]) -> tuple[str, list[str], list[str]]:
    """Block kind, input nets and output nets of an instance."""
    if kind.startswith("diode_"):
        return "diode", [nets[0]], [nets[1]]
    if cell := cells.find(kind):
        return cell.block, [nets[k] for k in cell.inputs], [nets[k] for k in cell.outputs]
    # A tile: rows first, then the feet of its lines, which are summing nodes.
    feet = [net for net in nets if net.endswith("_sum")]
    return "tile", [net for net in nets if not net.endswith("_sum")], feet


def _layer(name: str) -> int:
    match = re.search(r"_l(\d+)_", name)
    return int(match[1]) if match else -1
