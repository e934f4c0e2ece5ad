"""Squash and LayerNorm cells of a deck against the model."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..network.spec import LayerSpec
from ..network.squash import Norm, Squash
from .deck import Deck
from .names import StageNames
from .netlist import Cell, Limiter, Netlist
from .verification import EXACT

THERMAL_VOLTS = 300.0 * 8.617333262e-5
"""k T / q at 300 K: the constant in the attenuators."""
AVERAGING_OHMS = 1e4
"""Of the resistors that make a LayerNorm's mean and variance."""


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
        said += _layernorm(netlist, names, model.norm, unit)
        unit = np.ones_like(unit)
    if model.squash.kind == "clamp":
        said += _clamps(netlist, names, model.squash)
    elif model.squash.bends:
        said += _pairs(build, netlist, names, model.squash, unit)
    return said


def _same(have: float, wanted: float) -> bool:
    return bool(np.isclose(have, wanted, rtol=EXACT, atol=0))


def _clamps(netlist: Netlist, names: StageNames, squash: Squash) -> Iterable[str]:
    clamps: dict[int, Limiter] = {c.nets[0]: c for c in netlist.limiters}
    for name, source in zip(names.inputs(), names.normed(), strict=True):
        clamp = clamps.get(netlist.number.get(name, -1))
        if clamp is None:
            yield f"no clamp drives {name}"
        elif clamp.control != netlist.number.get(source):
            yield f"the clamp of {name} does not follow {source}"
        elif (clamp.lo, clamp.hi) != (squash.v_lo, squash.v_hi):
            yield f"the clamp of {name} limits to {clamp.lo}, {clamp.hi} V"


def _pairs(
    build: Deck, netlist: Netlist, names: StageNames, squash: Squash, unit: np.ndarray
) -> Iterable[str]:
    cells = {cell.nets[1]: cell for cell in netlist.cells if cell.kind == squash.kind}
    hw = build.design.hardware
    beta = hw.npn_bf + hw.npn_bf / hw.npn_vaf  # at the 1 V between collector and base
    alpha_f = beta / (beta + 1)
    half = 0.5 if squash.kind == "tanh" else 1.0
    start, wanted = "lo", squash.v_lo
    if squash.kind == "tanh":
        start, wanted = "mid", 0.5 * (squash.v_lo + squash.v_hi)
    for name, source, volts in zip(names.inputs(), names.normed(), unit, strict=True):
        cell = cells.get(netlist.number.get(name, -1))
        if cell is None:
            yield f"no {squash.kind} cell drives {name}"
            continue
        p = cell.params
        if cell.nets[0] != netlist.number.get(source):
            yield f"the {squash.kind} cell of {name} does not follow {source}"
        slope = p["k"] * float(volts) / THERMAL_VOLTS
        if not _same(slope, squash.pair_slope):
            yield f"the {squash.kind} cell of {name} has slope {slope!r}, not {squash.pair_slope!r}"
        swing = p["rl"] * p["itail"] * alpha_f / half
        if p["itail"] != hw.i_tail or not _same(swing, squash.v_hi - squash.v_lo):
            yield f"the {squash.kind} cell of {name} swings {swing!r} V"
        if p[start] != wanted:
            yield f"the {squash.kind} cell of {name} starts from {p[start]!r} V, not {wanted!r}"


def _layernorm(netlist: Netlist, names: StageNames, norm: Norm, unit: np.ndarray) -> Iterable[str]:
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
    elif not _same(core[0].params["eps"], eps):
        yield f"the LayerNorm's eps is {core[0].params['eps']!r}, not {eps!r}"
    outs = {cell.nets[3]: cell for cell in netlist.cells if cell.kind == "layernorm_output"}
    resistors = {cell.params["r"] for cells in taps.values() for cell in cells}
    if resistors != {AVERAGING_OHMS}:
        yield f"the LayerNorm averages with {sorted(resistors)} ohm, not {AVERAGING_OHMS}"
    for k, (source, out) in enumerate(zip(names.sources(), names.normed(), strict=True)):
        at = taps.pop(number.get(source, -1), [])
        if len(at) != 1 or at[0].nets[2] != square:
            yield f"{source} enters the LayerNorm {len(at)} times, or not its variance"
        cell = outs.get(number.get(out, -1))
        if cell is None or cell.nets[:3] != (number.get(source), mean, rms):
            yield f"no LayerNorm output drives {out} from {source}"
        elif (cell.params["scale"], cell.params["shift"]) != (norm.scale[k], norm.shift[k]):
            yield f"the LayerNorm output {out} has another scale or shift than the model"
    for net in taps:
        yield f"{netlist.nets[net]} enters the LayerNorm, which it does not belong to"
