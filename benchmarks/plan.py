"""A candidate of a plan, part by part, on networks of several sizes.

Images are random: settling, noise and chips take as long as with real ones.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import analogkan as ak
from analogkan.engines.chip_engines import TwinEngine
from analogkan.imperfections.presets import load_settings
from analogkan.physics import Assumptions
from analogkan.physics.noise_held import noise_of
from analogkan.physics.power import power_of
from analogkan.physics.settling import settle
from analogkan.studies.bench import Bench
from analogkan.studies.points import Point
from analogkan.studies.trial import Trial, evaluate
from analogkan.threads import one_blas_thread

NETWORKS = ("mnist-d2", "mnist-d3", "fashion-d2", "fashion-d3")
IMAGES, FEW, CHIPS = 1000, 8, 6
MOVED = ("v_rail=1.6", "g_max=1.2u", "g_min=12n", "gain_split=0.8", "opamp=rails")


def main() -> None:
    base: float | None = None
    for name in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            build = ak.compile(name, Path(folder) / "net.build", verify=False, progress=False)
        row, whole = _parts(build)
        base = base or whole
        elements = build.summary["elements"]
        print(
            f"{name}: {elements['op_amps']:,} op-amps, {elements['crossbar_resistors']:,} cells: "
            f"{whole:.2f} s a candidate, {whole / base:.1f} times {NETWORKS[0]}'s; {row}"
        )


def _parts(build: Any) -> tuple[str, float]:
    """Seconds of each part as a text, and of a candidate that has not been seen before."""
    rng = np.random.default_rng(0)
    inputs = build.spec.sizes[0]
    images = ak.ImageSet(
        name="random", x=rng.integers(0, 256, (IMAGES, inputs)).astype(np.uint8),
        y=rng.integers(0, 10, IMAGES), index=np.arange(IMAGES),
    )  # fmt: skip
    bench = Bench(build, images, TwinEngine())
    hardware, variation, conditions = load_settings("rram", MOVED, base=build.hardware)
    point = Point(
        hardware=hardware, variation=variation, conditions=conditions, sample=None,
        own=Trial(assumed=Assumptions(), chips=CHIPS, few=FEW),
    )  # fmt: skip
    few, assumed = bench.volts[:FEW], Assumptions()
    chain = bench.chain(hardware)
    with one_blas_thread:
        started = time.perf_counter()
        row = evaluate(bench, point)
        whole = time.perf_counter() - started
        assert row["status"] == "ok", row["reason"]
        parts: dict[str, Callable[[], Any]] = {
            "power": lambda: power_of(build, bench.volts[:100], temp_c=26.85, chips=[chain]),
            "settling": lambda: settle(
                build, np.roll(few, 1, axis=0), few, assumed, chip=chain.links
            ),
            "noise": lambda: noise_of(build, few, assumed, temp_c=26.85, chip=chain),
        }
        told = []
        for what, run in parts.items():
            started = time.perf_counter()
            run()
            told.append(f"{what} {time.perf_counter() - started:.2f}")
    return ", ".join(told), whole


if __name__ == "__main__":
    main()
