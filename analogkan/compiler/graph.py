"""Two graphs of a deck: its elements' nets (scipy) and its blocks (networkx)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import networkx as nx
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


def block_graph(netlist: Netlist) -> nx.DiGraph:
    """The instances of the top level as nodes, an edge where one's output is another's input.

    Nodes carry ``kind`` and ``layer``; the nodes of single sources stand for the DACs and biases.
    """
    graph = nx.DiGraph()
    drivers: dict[str, list[str]] = {}
    readers: dict[str, list[str]] = {}
    for inst in netlist.instances:
        kind, ins, outs = _ports(inst.kind, inst.nets)
        graph.add_node(inst.name, kind=kind, layer=_layer(inst.name))
        for net in ins:
            readers.setdefault(net, []).append(inst.name)
        for net in outs:
            drivers.setdefault(net, []).append(inst.name)
    kinds = graph.nodes(data="kind")
    driven = {net for net, names in readers.items() if any(kinds[n] in DRIVEN for n in names)}
    for source in netlist.volts:
        if "." in source.name:
            continue
        net = netlist.nets[source.nets[0]]
        graph.add_node(
            source.name, kind="dac" if net in driven else "bias", layer=_layer(source.name)
        )
        drivers.setdefault(net, []).append(source.name)
    for source in netlist.controlled:
        if "." in source.name:
            continue
        graph.add_node(source.name, kind="read-out", layer=-1)
        readers.setdefault(netlist.nets[source.control[0]], []).append(source.name)
    for k in np.flatnonzero(netlist.r_place == TOP):
        before, behind = netlist.nets[netlist.r_a[k]], netlist.nets[netlist.r_b[k]]
        if before in drivers and behind not in drivers:
            name = netlist.r_name[k]
            graph.add_node(name, kind="driver", layer=_layer(name))
            readers.setdefault(before, []).append(name)
            drivers.setdefault(behind, []).append(name)
    for net, from_ in drivers.items():
        for one in from_:
            for other in readers.get(net, ()):
                graph.add_edge(one, other, net=net)
    return graph


def out_of_order(graph: nx.DiGraph, idle: Collection[str] = ()) -> list[str]:
    """Sentences on blocks that drive what they should not, loops, and layers out of order; what
    drives nets that are ``idle`` may drive nothing."""
    found, spared = [], {f"x_{net}_{end}" for net in idle for end in ("diff", "add")}
    kind_of, layer_of = (dict(graph.nodes(data=what)) for what in ("kind", "layer"))
    for one, other, net in graph.edges(data="net"):
        kinds = (kind_of[one], kind_of[other])
        if kinds not in ALLOWED:
            found.append(f"{one} ({kinds[0]}) drives {other} ({kinds[1]}) through {net}")
            continue
        step = 1 if kinds[0] in OUTPUTS else 0  # fronts count to the layer they drive
        layers = (layer_of[one], layer_of[other])
        if kinds[1] != "read-out" and layers[1] != layers[0] + step:
            found.append(f"{one} of layer {layers[0]} drives {other} of layer {layers[1]}")
    for node, kind in kind_of.items():
        if not graph.pred[node] and kind not in ("dac", "bias"):
            found.append(f"nothing drives {node} ({kind})")
        if not graph.succ[node] and kind != "read-out" and node not in spared:
            found.append(f"{node} ({kind}) drives nothing")
    if not nx.is_directed_acyclic_graph(graph):
        loop = [edge[0] for edge in nx.find_cycle(graph)]
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
