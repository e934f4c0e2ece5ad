"""Squash and LayerNorm cells of a deck against the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress

import numpy as np

from ..cells import SquashKind, same
from ..network.dropped import without_rows
from ..network.spec import LayerSpec, NetworkSpec
from ..network.squash import Norm, Squash
from .deck import Deck
from .names import StageNames
from .netlist import Cell, Netlist

AVERAGING_OHMS = 1e4
"""Of the resistors that make a LayerNorm's mean and variance."""


def compiled(build: Deck) -> NetworkSpec:
    """The network that a deck must be: folded, without the rows that its hardware lets go."""
    return without_rows(build.spec, build.hardware.drop_rows)[0]


def driving(build: Deck, layer: int) -> list[bool]:
    """Which inputs (I,) of layer ``layer`` the model lets drive diodes."""
    theta = compiled(build).layers[layer].theta
    return [bool(own.any()) for own in theta] if theta.any() else [True] * len(theta)


def front_differences(build: Deck, netlist: Netlist, layer: int, model: LayerSpec) -> list[str]:
    """Sentences on what stands between layer ``layer`` - 1 and the diodes of ``layer``.

    ``model`` is that layer of the software, folded.
    """
    if layer == 0 and not build.spec.held:
        return []
    names = StageNames(build.design, layer)
    unit = build.design.stages[layer - 1].unit if layer else np.ones(len(names.sources()))
    said = []
    if model.norm is not None:
        said += _layernorm(netlist, names, model.norm, unit, driving(build, layer))
        unit = np.ones_like(unit)
    if model.squash.kind != "none":
        said += _squashes(build, netlist, names, model.squash, unit)
    return said


def _squashes(
    build: Deck, netlist: Netlist, names: StageNames, squash: Squash, unit: np.ndarray
) -> Iterable[str]:
    kind, hardware = squash.cell, build.design.hardware
    cells = {cell.nets[-1]: (cell.nets[0], cell.params) for cell in _of_kind(netlist, kind)}
    own = zip(names.inputs(), names.normed(), unit, strict=True)
    for name, source, volts in compress(own, driving(build, names.layer)):
        if netlist.number.get(name, -1) not in cells:
            yield f"no {kind.label} drives {name}"
            continue
        follows, params = cells[netlist.number[name]]
        what = f"the {kind.label} of {name}"
        if follows != netlist.number.get(source):
            yield f"{what} does not follow {source}"
        if kind.transfer is None:
            yield from (f"{what} {text}" for text in _undeclared(build, names, name, params))
        else:
            said = kind.transfer(params, squash, float(volts), hardware)
            yield from (f"{what} {text}" for text in said)


def _of_kind(netlist: Netlist, kind: SquashKind) -> Iterable[Cell]:
    """The deck's squash cells; those that are flattened are its limiters."""
    if not kind.flat:
        return [cell for cell in netlist.cells if cell.kind == kind.name]
    return [
        Cell(c.name, kind.name, (c.control, c.nets[0]), {"lo": c.lo, "hi": c.hi}, kind)
        for c in netlist.limiters
    ]


def _undeclared(
    build: Deck, names: StageNames, name: str, params: dict[str, float]
) -> Iterable[str]:
    """Parameters of a cell without a transfer that are not as its declaration chooses them: the
    one place where they are not told from what they do."""
    front = names.stage.front
    scale = front.attenuation[names.inputs().index(name)] if front.squash.bends else 1.0
    wanted = front.params(scale, build.design.hardware)
    for key, value in params.items():
        if not same(value, float(wanted[key])):
            yield f"has {key} = {value!r}, not {float(wanted[key])!r}"


def _layernorm(
    netlist: Netlist, names: StageNames, norm: Norm, unit: np.ndarray, drives: Sequence[bool]
) -> Iterable[str]:
    number = netlist.number
    mean, square, rms = (number.get(net, -1) for net in names.shared())
    if np.ptp(unit) > 0:
        yield "a LayerNorm compares outputs of different scales"
    taps: dict[int, list[Cell]] = {}
    for cell in netlist.cells:
        if cell.kind == "layernorm_input" and cell.nets[1] == mean:
            taps.setdefault(cell.nets[0], []).append(cell)
    core = [c for c in netlist.cells if c.kind == "layernorm_core" and c.nets == (square, rms)]
    eps = norm.eps * float(unit[0]) ** 2
    if len(core) != 1:
        yield f"{names.shared()[2]} has {len(core)} cells that make it from {names.shared()[1]}"
    elif not same(core[0].params["eps"], eps):
        yield f"the LayerNorm's eps is {core[0].params['eps']!r}, not {eps!r}"
    outs = {cell.nets[3]: cell for cell in netlist.cells if cell.kind == "layernorm_output"}
    resistors = {cell.params["r"] for cells in taps.values() for cell in cells}
    if resistors != {AVERAGING_OHMS}:
        yield f"the LayerNorm averages with {sorted(resistors)} ohm, not {AVERAGING_OHMS}"
    for k, (source, out) in enumerate(zip(names.sources(), names.normed(), strict=True)):
        at = taps.pop(number.get(source, -1), [])
        if len(at) != 1 or at[0].nets[2] != square:
            yield f"{source} enters the LayerNorm {len(at)} times, or not its variance"
        if not drives[k]:
            continue
        cell = outs.get(number.get(out, -1))
        if cell is None or cell.nets[:3] != (number.get(source), mean, rms):
            yield f"no LayerNorm output drives {out} from {source}"
        elif (cell.params["scale"], cell.params["shift"]) != (norm.scale[k], norm.shift[k]):
            yield f"the LayerNorm output {out} has another scale or shift than the model"
    for net in taps:
        yield f"{netlist.nets[net]} enters the LayerNorm, which it does not belong to"
