"""How many of each element a design's deck, or a circuit's decks, have."""

from __future__ import annotations

import numpy as np

from .circuit import Circuit
from .design import Design
from .wires import segments


def element_counts(design: Design) -> dict[str, int]:
    """How many of each element the deck has, hierarchy flattened."""
    kinds = ("crossbar_resistors", "diodes", "op_amps", "amplifier_resistors", "capacitors")
    more = ("squash_cells", "layernorm_cells", "limiters", "tiles", "wire_segments", "drivers")
    counts: dict[str, int] = dict.fromkeys(kinds + more, 0)
    hw = design.hardware
    for stage in design.stages:
        n_in, n_out, _ = stage.shape
        rows, lines = stage.g.shape
        signal, driven = int(stage.kept.sum()), int(stage.driven.sum())
        counts["crossbar_resistors"] += int(np.count_nonzero(stage.g))
        op_amps = signal + stage.readout.op_amps * n_out
        counts["diodes"] += signal
        counts["op_amps"] += op_amps
        counts["amplifier_resistors"] += signal + stage.readout.resistors * n_out
        counts["capacitors"] += signal
        counts["squash_cells"] += driven if stage.front.squash.kind != "none" else 0
        counts["layernorm_cells"] += n_in + driven + 1 if stage.front.norm is not None else 0
        counts["limiters"] += op_amps if hw.rails else 0
        counts["wire_segments"] += segments(stage.there, lines, hw) if hw.r_wire else 0
        counts["drivers"] += signal + stage.n_bias if hw.r_driver else 0
        counts["tiles"] += sum(
            bool(stage.g[r : r + hw.tile_rows, c : c + hw.tile_cols].any())
            for r in range(0, rows, hw.tile_rows)
            for c in range(0, lines, hw.tile_cols)
        )
    return counts


def circuit_counts(circuit: Circuit) -> dict[str, int]:
    """``element_counts`` of all decks of a circuit together."""
    counts = [element_counts(link.design) for link in circuit.links]
    return {kind: sum(count[kind] for count in counts) for kind in counts[0]}
