"""What drawing a chip with structure on its die costs, and how good its temperature map is."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np

import analogkan as ak
from analogkan.compiler.circuit import Circuit
from analogkan.compiler.hardware import load_hardware
from analogkan.compiler.sections import whole
from analogkan.imperfections import Conditions, Variation, load_settings
from analogkan.imperfections.make import perturb_chain
from analogkan.network.checkpoint import load_spec
from analogkan.physics import heat
from analogkan.resources import path

from .measure import Row, beside, show

LENGTH = 50.0, 200.0, 1e6
LENGTHS = ("diode_length", "offset_length", "cell_length")
SLOPES = {"diode_slope_current": 0.01, "offset_slope": 1e-4, "cell_slope": 0.01}


def measured(quick: bool = False) -> list[Row]:
    """Drawing a chip of mnist-d2 with structure over drawing one of ``rram``."""
    circuit, rram = _circuit(_spec()), load_settings("rram")[1]
    plain = _draws(circuit, rram)
    rows = []
    for length in LENGTH[:1] if quick else LENGTH:
        structured = Variation(**vars(rram), **dict.fromkeys(LENGTHS, length), **SLOPES)
        what = f"a chip drawn, lengths of {length:g} um and slopes"
        rows.append(beside(what, "rram", _draws(circuit, structured), plain, quick=quick))
    return rows


def main() -> None:
    """Ratios, and kelvins."""
    show(measured())
    spec = _spec()
    _heat(_circuit(spec), spec, load_settings("rram")[1])


def _spec() -> ak.NetworkSpec:
    return load_spec(path("models/mnist-d2.pt")).folded()


def _draws(circuit: Circuit, variation: Variation) -> Callable[[], object]:
    """A call draws the next chip."""
    samples = itertools.count()
    return lambda: perturb_chain(circuit, variation, Conditions(), seed=0, sample=next(samples))


def _circuit(spec: ak.NetworkSpec) -> Circuit:
    from analogkan.compiler.circuit import Link
    from analogkan.compiler.design import map_design

    design = map_design(spec, load_hardware("rram"))
    return Circuit((Link(section=whole(spec)[0], share=0, spec=spec, design=design),))


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
