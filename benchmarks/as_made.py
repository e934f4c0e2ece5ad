"""What chips with everything on cost: preset as-made beside rram, and what each part of it adds.

    python -m benchmarks as_made

mnist-d2, 10,000 images (the bundled ones ten times), the twin, one core, drawing included.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

import analogkan as ak
from analogkan import resources
from analogkan.engines.chip_engines import TwinEngine
from analogkan.imperfections import Variation, load_settings
from analogkan.studies.bench import Bench
from analogkan.studies.points import Point, montecarlo_points

CHIPS, COPIES, ROUNDS = 2, 10, 2
PARTS: dict[str, tuple[str, ...]] = {
    "cells that bend": ("cell_v0", "cell_v_read"),
    "access transistors": ("r_access", "access_sigma", "access_v_ov"),
    "read noise": ("read_noise",),
    "converters": ("dac_", "adc_"),
    "noise of their samples": ("dac_ktc", "adc_ktc"),
    "fields and gradients": ("cell_length", "cell_slope", "diode_length", "diode_slope",
                             "offset_length"),
    "heat": ("heat_",),
    "coefficients of each cell": ("cell_tc1",),
    "a trim with errors": ("trim",),
}  # fmt: skip
"""Settings, or how they begin, that are left out together."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _compare(ak.compile(resources.path("models/mnist-d2.pt"), Path(folder) / "d2.build"))


def _compare(build: ak.Build) -> None:
    bundled = ak.load_bundled()
    images = replace(
        bundled,
        x=np.concatenate([bundled.x] * COPIES),
        y=np.tile(bundled.y, COPIES),
        index=np.arange(COPIES * len(bundled.y)),
    )
    cases: dict[str, list[Any]] = {}
    for name in ("rram", "as-made"):
        cases[name] = list(load_settings(name, base=build.hardware))
    hardware, variation, conditions = cases["as-made"]
    for part, names in PARTS.items():
        kept = {
            f.name: getattr(variation, f.name)
            for f in fields(variation)
            if not f.name.startswith(names)
        }
        cases[f"without {part}"] = [hardware, Variation(**kept), conditions]
    bench = Bench(build, images, TwinEngine())
    points = {name: montecarlo_points(*of, CHIPS) for name, of in cases.items()}
    for of in points.values():
        bench.evaluate(of[0])  # circuits, codes and the map of heat are worked out once
    seconds = dict.fromkeys(points, np.inf)
    for _ in range(ROUNDS):
        for name, of in points.items():
            seconds[name] = min(seconds[name], _time(bench, of))
    base = seconds["rram"]
    print(f"{CHIPS} chips x {len(images):,} images, the quickest of {ROUNDS} rounds")
    for name, of in seconds.items():
        print(f"{name:36} {1e3 * of / CHIPS:6.0f} ms a chip  {of / base:5.2f} times rram")


def _time(bench: Bench, points: list[Point]) -> float:
    at = time.perf_counter()
    for point in points:
        row = bench.evaluate(point)
        assert row["status"] == "ok", row["reason"]
    return time.perf_counter() - at
