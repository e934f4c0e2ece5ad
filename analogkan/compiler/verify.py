"""``verify``: is the netlist the network? Reads the deck back and says what differs, and where."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from .. import cells
from ..dialects import NGSPICE
from ..errors import NetlistError
from ..network.spec import LayerSpec, NetworkSpec
from ..network.targets import Targets
from . import names
from .blocks import Blocks
from .build import HELD_SUMMARY, Build, Progress, write_build
from .counts import element_counts
from .deck import SUMMARY, Deck, image0_volts, plugins_of, summarise
from .design import ARRAYS, CrossbarStage, map_design
from .extract import read_deck
from .graph import block_graph, out_of_order, unconnected
from .hardware import Hardware
from .netlist import GROUND, Netlist
from .parts import design_hash, part_of, told_of
from .sections import Section, targets_of
from .verification import Verification
from .verify_cells import box_notes, definition_differences, model_differences, names_taken
from .verify_devices import device_differences
from .verify_dialect import verify_respelled, written_note
from .verify_front import driving
from .verify_resistors import resistor_differences
from .verify_stage import StageCheck
from .verify_symbol import symbol_differences

SAME = 1e-9
"""Relative: what the same sums may differ by from one machine to another."""
TEMPERATURE_C = 26.85
"""300 K; what every deck must say."""
SOLVER = {"reltol": "1e-6", "vntol": "1e-9", "abstol": "1e-15", "klu": ""}
"""Tolerances at which Newton does not stop across a kink of a curve; KLU where there is one."""

TRANSISTORS = {"gmin": "1e-18"}
"""Beside them where there are transistors, and op-amps of a known gain."""
OWN_TRANSISTORS = {"abstol": "1e-12"}
"""In their place where transistors are a netlist's: beside op-amps of transistors 1e-15 A is never
met."""


def write_verified(spec: NetworkSpec, hardware: Hardware, folder: Path, **given: Any) -> Build:
    """``write_build``, with what reading its decks back found.

    Raises
    ------
    NetlistError
        If the netlist is not the network; nothing is written then.
    """
    build = write_build(spec, hardware, folder, check=_checked, **given)
    if build.dialect != NGSPICE.name and build.verification is not None:
        build.verification.notes.append(written_note(build.dialect))
    return build


def _checked(deck: Deck) -> Verification:
    found = verify_deck(deck)
    if not found.ok:
        raise NetlistError(
            f"the netlist is not the network, so nothing was written: {found.sentence()}"
        )
    return found


def verify_build(
    build: Build, on_circuit: Progress = lambda name, done, total: None
) -> Verification:
    """Read the decks of ``build`` back, and compare them with their network and designs; of
    several also that together they are the network.

    Raises
    ------
    NetlistError
        If a deck cannot be read at all.
    """
    if build.deck is not None:
        return verify_deck(build.deck)
    found = Verification(plugins=plugins_of(build.spec, build.hardware))
    own = build.own_edited_files()
    found.add([f"{name} is not what {HELD_SUMMARY} vouches for" for name in own])
    folded, hardware = build.spec.folded(), build.hardware
    layers = folded.layers
    total, done, covered = len(build.names()), 0, 0
    parts = []
    for section in build.sections:
        found.add(_cut_differences(section, covered, layers))
        covered = section.last + 1
        for (start, stop), part in zip(section.outputs, build.decks(section), strict=True):
            name = part.folder.name
            on_circuit(name, done, total)
            found.join(name, verify_deck(part))
            mine = [replace(k, patches=None) for k in layers[section.first : section.last + 1]]
            theta, bias = mine[-1].theta[:, start:stop], mine[-1].bias[start:stop]
            mine[-1] = replace(mine[-1], theta=theta, bias=bias)
            targets = targets_of(folded, section, start, stop)
            if not _is_part(part.spec, tuple(mine), section.first > 0, targets):
                found.add([f"{name} is not its part of the network"])
            if part.design.hardware != hardware:
                found.add([f"{name} is of other hardware than {HELD_SUMMARY} says"])
            parts.append(part_of(name, part))
            done += 1
    if covered != len(layers):
        found.add([f"layers {covered} to {len(layers) - 1} are in no circuit"])
    told = told_of(folded, hardware, build.sections, parts)
    told["design"] = design_hash(build.folder, parts)
    told = json.loads(json.dumps(told))
    have = {**build.summary, "hardware": _completed(build.summary["hardware"])}
    found.add(
        [
            f"{HELD_SUMMARY}: {key} is not what its circuits say"
            for key, value in told.items()
            if have.get(key) != value
        ]
    )
    return found


def _is_part(
    spec: NetworkSpec, layers: tuple[LayerSpec, ...], held: bool, targets: Targets | None
) -> bool:
    """Whether a circuit's network has these ``layers`` and ``targets``, and its inputs are held."""
    if (spec.sizes[0], spec.targets) != (layers[0].n_in, targets):
        return False
    return spec.fingerprint() == replace(spec, layers=layers, held=held).fingerprint()


def _cut_differences(section: Section, covered: int, layers: tuple[LayerSpec, ...]) -> list[str]:
    """Whether a section starts where the one before ends, and its circuits share all outputs."""
    said = []
    if section.first != covered:
        said.append(f"section {section.number} starts at layer {section.first}, not {covered}")
    ends = [0, *(stop for _, stop in section.outputs)]
    starts = [start for start, _ in section.outputs]
    if starts != ends[:-1] or ends[-1] != layers[section.last].theta.shape[1]:
        said.append(f"the circuits of section {section.number} do not share its outputs out")
    return said


def verify_deck(build: Deck) -> Verification:
    """``verify_build`` of one deck; of one in another dialect, see ``verify_respelled``."""
    if build.dialect != NGSPICE.name:
        return verify_respelled(build, verify_deck)
    found = Verification(plugins=plugins_of(build.spec, build.hardware))
    found.add([f"{name} was edited after it was compiled" for name in build.edited_files()])
    netlist = read_deck(build.folder / "network.cir", boxes=build.hardware.own_files)
    graph = block_graph(netlist)
    idle = _idle(build)
    found.add(unconnected(netlist, idle))
    found.add(out_of_order(graph, idle))
    blocks = Blocks(netlist)
    found.add(blocks.problems)
    found.add(device_differences(build, netlist))
    found.add(definition_differences(netlist, build.hardware))
    found.add(model_differences(build, netlist))
    found.add(names_taken(build.hardware, netlist))
    found.add(resistor_differences(netlist, build.hardware))
    found.add(_design_differences(build))
    found.add(_summary_differences(build))
    found.add(_errors(netlist))
    found.add(_inputs(build, blocks))
    worst = 0.0
    for k in range(len(build.design.stages)):
        worst = max(worst, StageCheck(build, blocks, k, found).run())
    found.add(_read_out(build, blocks))
    found.add(_strangers(build, blocks))
    found.add(_top(build, netlist))
    found.add(symbol_differences(build, netlist))
    found.notes += box_notes(build.hardware)
    found.facts |= {
        "nets": len(netlist.nets),
        "resistors": len(netlist.r_name),
        "crossbar_resistors": int(blocks.cells.size),
        "diodes": sum(map(len, blocks.diodes.values())),
        "op_amps": len(blocks.amplifiers) + len(blocks.differences),
        "blocks": graph.number_of_nodes(),
        "block_connections": graph.number_of_edges(),
        "max_coefficient_error": worst,
        "levels": build.design.hardware.levels,
    }
    return found


def _design_differences(build: Deck) -> list[str]:
    """What is compared with the deck, against what the network makes of its hardware."""
    wanted = map_design(build.spec, build.hardware)
    said = []
    for k, (have, made) in enumerate(zip(build.design.stages, wanted.stages, strict=True)):
        said += [
            f"layer {k}: {name} of design.npz is not what the network makes of its hardware"
            for name, a, b in _told(have, made)
            if not same(a, b)
        ]
    return said


def _told(have: CrossbarStage, made: CrossbarStage) -> Iterator[tuple[str, Any, Any]]:
    for name in (*ARRAYS, "n_bias", "stability"):
        yield name, getattr(have, name), getattr(made, name)
    for name in ("squash", "attenuation", "r_load"):
        yield name, getattr(have.front, name), getattr(made.front, name)
    for name in ("scale", "shift", "eps"):
        yield name, getattr(have.front.norm, name, None), getattr(made.front.norm, name, None)
    for name in ("name", "v", "i", "temps_c", "i_at"):
        yield (
            f"curves' {name}",
            [getattr(curve, name) for curve in have.curves],
            [getattr(curve, name) for curve in made.curves],
        )


def _summary_differences(build: Deck) -> list[str]:
    """``design.json`` against the network and the design."""
    expected = build.spec.forward_volts(image0_volts(build.spec, build.hardware)[None])[0]
    told = json.loads(json.dumps(summarise(build.spec, build.design, expected, {})))
    told["analogkan"] = build.summary.get("analogkan")
    have = {**build.summary, "hardware": _completed(build.summary["hardware"])}
    model = build.summary["model"]
    told["model"] |= {key: model[key] for key in model if key not in told["model"]}
    return [
        f"{SUMMARY}: {key} is not what the circuit says"
        for key, value in told.items()
        if key not in have or not same(have[key], value)
    ]


def _completed(hardware: dict[str, Any]) -> dict[str, Any]:
    """Hardware of a summary from before there was a choice of all that there is now."""
    return {**asdict(Hardware()), **hardware}


def same(a: Any, b: Any) -> bool:
    """Whether two documents or arrays say the same, floats to ``SAME``."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=SAME, atol=0))
    if isinstance(a, float) and isinstance(b, float):
        return bool(np.isclose(a, b, rtol=SAME, atol=0))
    return type(a) is type(b) and bool(a == b)


def _inputs(build: Deck, blocks: Blocks) -> list[str]:
    """The stimulus of image 0 against the encoding."""
    volts = image0_volts(build.spec, build.hardware)
    said = []
    own = zip(names.StageNames(build.design, 0).sources(), volts, strict=True)
    for name, expected in compress(own, _dacs(build)):
        have = blocks.inputs.get(blocks.netlist.number.get(name, -1))
        if have != expected:
            said.append(f"input {name} is at {have} V, image 0 has {float(expected)!r} V")
    return said


def _dacs(build: Deck) -> list[bool]:
    """Which inputs (I,) have a source: those that drive diodes, and all that a LayerNorm reads."""
    norm = build.spec.layers[0].norm is not None
    return [norm or drives for drives in driving(build, 0)]


def _idle(build: Deck) -> set[str]:
    """Nets of hidden nodes whose rows are all left out."""
    return {
        net
        for k in range(1, len(build.design.stages))
        for net, drives in zip(
            names.StageNames(build.design, k).sources(), driving(build, k), strict=True
        )
        if not drives
    }


def _read_out(build: Deck, blocks: Blocks) -> list[str]:
    """The read-out sources and every op-amp's parameters."""
    number, said = blocks.netlist.number, []
    outputs = names.StageNames(build.design, len(build.design.stages) - 1).outputs()
    gain = 1.0 / build.design.v_per_logit
    for net, source in zip(names.logits(build.design), outputs, strict=True):
        have = blocks.read_outs.get(number.get(net, -1))
        if have != (number.get(source, -1), gain):
            said.append(f"read-out {net} is not {gain!r} times {source}")
    hw = build.design.hardware
    wanted = None if hw.amplifier.boxed else hw.opamp_gain_used
    offsets = {v.nets[0]: v.value for v in blocks.netlist.volts}
    rails = (-hw.v_rail, hw.v_rail) if hw.rails else None
    opamps = [*blocks.amplifiers.values(), *blocks.differences.values()]
    for amp in opamps:
        source = amp.opamp
        offset = source.out[1] != GROUND and offsets.get(source.out[1]) != 0
        if offset or (wanted is not None and source.gain != wanted):
            said.append(f"op-amp {source.name} has gain {source.gain:g} or an offset")
        limits = None if amp.limiter is None else (amp.limiter.lo, amp.limiter.hi)
        if limits != rails:
            said.append(f"op-amp {source.name} is limited to {limits}, not as its rails are")
    said += [f"{a.name} draws {a.value:g} A" for a in blocks.netlist.amps]
    return said


def _errors(netlist: Netlist) -> list[str]:
    """Settings of one chip's errors, which the op-amps of a nominal deck do not read."""
    nominal = {"a": 1.0, "vos": 0.0, "drift": 0.0}
    return [
        f"{instance.name} has {key}={instance.params[key]:g}, which a nominal op-amp ignores"
        for instance in netlist.instances
        for key, value in nominal.items()
        if instance.params.get(key, value) != value
    ]


def startup_files(build: Deck) -> list[str]:
    """Start-up files of ngspice in the folder, which a plain run there would obey."""
    return [name for name in (".spiceinit", "spice.rc") if (build.folder / name).exists()]


def _strangers(build: Deck, blocks: Blocks) -> list[str]:
    """Elements that the circuit has and the design has not, and the other way round."""
    counts = element_counts(build.design)
    number, nl = blocks.netlist.number, blocks.netlist
    stages = [names.StageNames(build.design, k) for k in range(len(build.design.stages))]
    kinds = Counter(cell.kind for cell in nl.cells)
    closed = [kind.name for kind in cells.squashes().values() if not kind.flat]
    pairs_found = sum(kinds[name] for name in closed)
    clamps = sum(int(n.stage.driven.sum()) for n in stages if n.stage.front.flat)
    pairs = counts["squash_cells"] - clamps
    bias = {number.get(row) for n in stages for row in n.rows()[n.n_in * n.n_dev :]}
    outs = {number.get(net) for net in names.logits(build.design)}
    said = [f"source at {blocks.name(k)} is no bias row" for k in set(blocks.constants) - bias]
    said += [f"{blocks.name(k)} is no read-out of the design" for k in set(blocks.read_outs) - outs]
    said += [f"{t.name} is a voltage table, which no block has" for t in nl.tables if t.kind != "i"]
    said += [f"{c.name} is not referred to ground" for c in nl.limiters if c.nets[1] != GROUND]
    resistors, wanted = len(nl.r_name), counts["crossbar_resistors"] + counts["amplifier_resistors"]
    if build.design.hardware.segments:
        wanted += counts["wire_segments"] + counts["drivers"]
    else:
        resistors -= len(blocks.feet[0])
    for what, have, want in (
        ("op-amps", len(blocks.amplifiers) + len(blocks.differences), counts["op_amps"]),
        ("diodes", sum(map(len, blocks.diodes.values())), counts["diodes"]),
        ("limiters", len(nl.limiters), counts["limiters"] + clamps),
        (f"{' and '.join(closed)} cells", pairs_found, pairs),
        ("LayerNorm cells", len(nl.cells) - pairs_found, counts["layernorm_cells"]),
        ("capacitors", len(nl.capacitors), counts["capacitors"]),
        ("DACs", len(blocks.inputs), sum(_dacs(build))),
        ("crossbar resistors", int(blocks.cells.size), counts["crossbar_resistors"]),
        ("resistors in all", resistors, wanted),
    ):
        if have != want:
            said.append(f"{have:,} {what} in the deck, {want:,} in the design")
    return said


def _top(build: Deck, netlist: Netlist) -> list[str]:
    """The options and the control section: 300 K, accurate, and nothing but image 0's logits."""
    wanted = {"temp": TEMPERATURE_C, "tnom": TEMPERATURE_C, **SOLVER}
    pairs = any("npn" in layer.squash.models for layer in build.spec.fronted)
    if pairs and build.hardware.transistor is not None:
        wanted |= OWN_TRANSISTORS
    elif pairs and build.hardware.amplifier.exact:
        wanted |= TRANSISTORS
    said = []
    files = [
        *build.hardware.own_files,
        "cells.cir",
        *(f"layer{k}.cir" for k in range(len(build.design.stages))),
    ]
    if netlist.includes != [*files, "stimulus.cir"]:
        said.append(f"the deck includes {', '.join(netlist.includes)}, not just its own files")
    said += [
        f"{name} would change what plain ngspice does: remove it" for name in startup_files(build)
    ]
    for key in sorted({*netlist.options, *wanted}):
        value = netlist.options.get(key, "missing")
        if key not in wanted:
            said.append(f".option {key}={value} is not one of the design's")
        elif value != str(wanted[key]):
            said.append(f".option {key} is {value}, not {wanted[key]}")
    prints = [f"print v({net})" for net in names.logits(build.design)]
    closing = ["if $?batchmode", "quit", "end"]
    expected = ["op", *prints, "if $?rawfile", "write", "end", *closing]
    if netlist.controls not in (expected, ["op", *prints, *closing]):  # the latter: older BUILDs
        odd = next((c for c in netlist.controls if c not in expected), "a line is missing")
        said.append(f"the control section does not just run and print image 0: {odd}")
    return said
