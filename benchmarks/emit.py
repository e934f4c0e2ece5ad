"""How fast a deck is written, verified, and read by ngspice: elements a second."""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from analogkan.compiler import spice
from analogkan.compiler.build import write_build
from analogkan.compiler.counts import element_counts
from analogkan.compiler.hardware import Hardware
from analogkan.compiler.verify import verify_build
from analogkan.devices import resolve
from analogkan.network.encoding import Encoding
from analogkan.network.spec import LayerSpec, NetworkSpec


def random_network(sizes: tuple[int, ...], devices: str = "A21,Z21") -> NetworkSpec:
    """Random coefficients of a trained network's proportions, seed 0."""
    rng = np.random.default_rng(0)
    curves = resolve(devices)
    layers = tuple(
        LayerSpec(
            theta=rng.normal(0, (n_in * len(curves)) ** -0.5, (n_in, n_out, len(curves))),
            bias=rng.normal(0.5, 0.1, n_out),
            curves=curves,
        )
        for n_in, n_out in pairwise(sizes)
    )
    x = rng.integers(0, 256, (16, sizes[0])).astype(np.uint8)
    encoding = Encoding(x_lo=0, x_hi=255, v_lo=0, v_hi=0.7, shape=(sizes[0],))
    return NetworkSpec(name="random", layers=layers, encoding=encoding, calibration=x)


def main() -> None:
    for sizes in ((196, 64, 10), (784, 256, 10)):
        spec = random_network(sizes)
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            build = write_build(spec, Hardware(), Path(folder) / "net.build")
            compiled = time.perf_counter() - started
            started = time.perf_counter()
            texts = [spice.write_layer(build.design, k) for k in range(len(build.design.stages))]
            emitted = time.perf_counter() - started
            started = time.perf_counter()
            assert verify_build(build).ok
            verified = time.perf_counter() - started
        counts = element_counts(build.design)
        elements = sum(counts.values()) - counts["tiles"]
        size = sum(map(len, texts)) / 1e6
        print(
            f"{list(sizes)}: {elements:,} elements, {size:.1f} MB; emitted at "
            f"{elements / emitted / 1e6:.2f} million elements/s ({emitted:.2f} s), "
            f"compiled in {compiled:.2f} s, verified in {verified:.2f} s "
            f"({verified / emitted:.1f} times emission)"
        )
