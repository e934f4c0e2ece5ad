"""What drawing a chip with structure on its die costs, and how good its temperature map is."""

from __future__ import annotations

import time

import numpy as np

import analogkan as ak
from analogkan.compiler.circuit import Circuit
from analogkan.compiler.hardware import load_hardware
from analogkan.compiler.sections import whole
from analogkan.imperfections import Conditions, Variation, load_settings
from analogkan.imperfections.make import perturb_chain
from analogkan.network.checkpoint import load_spec
from analogkan.physics import heat
from analogkan.resources import find_model

CHIPS = 50
LENGTHS = ("diode_length", "offset_length", "cell_length")
SLOPES = {"diode_slope_current": 0.01, "offset_slope": 1e-4, "cell_slope": 0.01}


def main() -> None:
    """Milliseconds a chip of mnist-d2 under ``rram``, and kelvins."""
    spec = load_spec(find_model("mnist-d2")).folded()
    circuit = _circuit(spec)
    rram = vars(load_settings("rram")[1])
    told = {"rram": Variation(**rram)}
    for length in (50.0, 200.0, 1e6):
        more = dict.fromkeys(LENGTHS, length) | SLOPES
        told[f"rram, lengths of {length:g} um and slopes"] = Variation(**rram, **more)
    first = None
    for name, variation in told.items():
        ms = _ms(circuit, variation)
        first = first or ms
        print(f"{name}: {ms:.1f} ms a chip, {ms / first:.2f} of rram's")
    _heat(circuit, spec, Variation(**rram))


def _circuit(spec: ak.NetworkSpec) -> Circuit:
    from analogkan.compiler.circuit import Link
    from analogkan.compiler.design import map_design

    design = map_design(spec, load_hardware("rram"))
    return Circuit((Link(section=whole(spec)[0], share=0, spec=spec, design=design),))


def _ms(circuit: Circuit, variation: Variation) -> float:
    began = time.perf_counter()
    for sample in range(CHIPS):
        perturb_chain(circuit, variation, Conditions(), seed=0, sample=sample)
    return 1e3 * (time.perf_counter() - began) / CHIPS


def _heat(circuit: Circuit, spec: ak.NetworkSpec, rram: Variation) -> None:
    warm = Variation(heat_ambient=40.0, heat_sheet=22.5)
    began = time.perf_counter()
    found = heat.heat_of(circuit, spec, warm, 26.85)
    ms, k = 1e3 * (time.perf_counter() - began), found.kelvins
    print(f"heat at 40 K/W, 22.5 K/W a square: {k.min():.2f} to {k.max():.2f} K, {ms:.0f} ms")
    print(f"power at that temperature: {found.total / found.before - 1:+.2%} of what it is cold")
    own = [perturb_chain(circuit, rram, Conditions(), seed=0, sample=m)[0] for m in range(10)]
    off = [heat.heat_of(chip, spec, warm, 26.85).kelvins - k for chip in own]
    print(f"heat of 10 chips' own power: within {np.abs(off).max():.3f} K of that")
    heat.SQUARES *= 2
    fine = heat.heat_of(circuit, spec, warm, 26.85)
    heat.SQUARES //= 2
    parts = [
        np.abs(now - was).max()
        for at, of in found.warmth.items()
        for now, was in zip(vars(fine.warmth[at]).values(), vars(of).values(), strict=True)
    ]
    print(f"squares of half the side: within {max(parts):.3f} K")
