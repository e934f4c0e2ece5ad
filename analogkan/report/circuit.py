"""The circuit's own figures, as a reviewer asks for them: parts, supplies, ranges, margins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..compiler.build import Build
from ..compiler.deck import read_own
from ..results import Fact
from ..studies.notes import trained_on
from ..text import engineering, many

MOST_LAYERS = 4
"""Whose ranges are told one by one; of more the range over all."""
Pair = Sequence[float]


def circuit_facts(build: Build) -> list[Fact]:
    """Network, cells, diodes, op-amps, supplies, ranges of R_f, R_c and C_f, the scale of the
    read-out, stability; each with its conditions."""
    spec, hw, stages = build.spec, build.hardware, stages_of(build)
    counts = build.summary["elements"]
    curves = ", ".join(dict.fromkeys(c.name for layer in spec.layers for c in layer.curves))
    v_lo, v_hi = spec.dac_range()
    gain = f"gain {hw.opamp_gain_used:g}" if hw.amplifier.gain else "a black box"
    conductances = f"{1e6 * hw.g_min:g} to {1e6 * hw.g_max:g} µS, {hw.states}"
    found = [
        Fact(
            "network", f"TD-KAN {spec.widths}", f"of {build.name}, trained on {trained_on(build)}"
        ),
        Fact("cells", f"{counts['crossbar_resistors']:,}", f"resistors of {conductances}"),
        Fact(
            "tiles", f"{counts['tiles']:,}", f"of {hw.tile_rows} rows x {hw.tile_cols} lines"
        ),
        Fact("diodes", f"{counts['diodes']:,}", f"of the types {curves}"),
        Fact(
            "op-amps", f"{counts['op_amps']:,}",
            f"{hw.opamp}: {gain}, gain-bandwidth product {engineering(hw.gbw, 'Hz')}",
        ),
        *_circuits(build),
        Fact("supplies", f"±{hw.v_rail:g} V", f"rows at full scale {hw.v_fs:g} V"),
        Fact("inputs", many(spec.encoding.inputs, "DAC"), f"{v_lo:g} to {v_hi:g} V"),
        _ranged("R_f, rows", stages, "r_f_ohms", "ohm"),
        _ranged("R_c, lines", stages, "r_c_ohms", "ohm"),
        _ranged("C_f, rows", stages, "c_f_farads", "F"),
        *_read_out(build, stages[-1]),
        *_stability(stages),
    ]  # fmt: skip
    if hw.wired:
        wires = f"{hw.r_wire:g} ohm a segment"
        found.append(Fact("wires", wires, f"drivers of {hw.r_driver:g} ohm"))
    return found


def stages_of(build: Build) -> list[dict[str, Any]]:
    """What design.json says of each stage, in the order of the signal; of decks that share a
    layer's outputs, each one's."""
    if build.deck is not None:
        return list(build.summary["stages"])
    return [stage for name in build.names() for stage in read_own(build.folder / name)["stages"]]


def _circuits(build: Build) -> list[Fact]:
    if build.deck is not None:
        return []
    positions = ", ".join(f"{section.positions:,}" for section in build.sections)
    note = f"one after the other, values held between; positions an image: {positions}"
    return [Fact("circuits", str(len(build.names())), note)]


def _ranged(label: str, stages: Sequence[dict[str, Any]], entry: str, unit: str) -> Fact:
    """The range over all stages, and of few each one's."""
    pairs = [stage[entry] for stage in stages]
    each = ""
    if 1 < len(pairs) <= MOST_LAYERS:
        each = "; ".join(f"layer {k}: {_said(pair, unit)}" for k, pair in enumerate(pairs))
    return Fact(label, _said(_over(pairs), unit), each)


def _over(pairs: Iterable[Pair]) -> Pair:
    ends = [end for pair in pairs for end in pair]
    return min(ends), max(ends)


def _said(pair: Pair, unit: str) -> str:
    low, high = (engineering(end, unit) for end in pair)
    if low == high:
        return low
    number, _, prefixed = low.partition(" ")
    return f"{number if high.endswith(f' {prefixed}') else low} to {high}"


def _read_out(build: Build, last: dict[str, Any]) -> list[Fact]:
    """Volts of an output per logit; of a regression per unit of each target."""
    low, high = last["volts_per_unit"]
    targets = build.spec.targets
    if targets is None:
        return [Fact("read-out", f"{_said((low, high), 'V')} per logit", "at every output")]
    found = []
    for name, unit, span in zip(targets.names, targets.units, targets.span, strict=True):
        said = engineering(2 * low / float(span), "V")
        found.append(
            Fact("read-out", f"{said} per {unit or 'unit'}",
                 f"{name}; {engineering(2 * low, 'V')} over its range")
        )  # fmt: skip
    return found


def _stability(stages: Sequence[dict[str, Any]]) -> list[Fact]:
    """The least margins of all stages."""
    told = [stage["stability"] for stage in stages]
    margins = [one["c_margin"] for one in told if one["c_margin"] is not None]
    node = min(one["node_margin"] for one in told)
    needed = "C_f over the least at which a falling diode's row amplifier is stable"
    said = Fact("stability margin", "not needed", "no diode falls where it is driven")
    if margins:
        said = Fact("stability margin", f"{min(margins):.3g} x", needed)
    driven = "1 − (output resistance of what drives a diode node) x (sum of its |dI/dV|); above 0"
    return [said, Fact("node margin", f"{node:.4g}", driven)]
