"""What linearising a chip's margins costs, and whether chips spread as it says."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import analogkan as ak
from analogkan.engines.chip_engines import TwinEngine
from analogkan.engines.gradients import linearise
from analogkan.imperfections import load_settings
from analogkan.resources import find_model
from analogkan.studies.bench import Bench
from analogkan.studies.points import Point

IMAGES, CHIPS, ROUNDS = (200, 1000), 300, 5


def main() -> None:
    """Seconds of mnist-d2 under ``rram``, in chips; standard deviations of margins, seed 0."""
    with tempfile.TemporaryDirectory() as folder:
        build = ak.compile(find_model("mnist-d2"), Path(folder) / "net.build")
        benches = [Bench(build, ak.load_bundled()[:n], TwinEngine()) for n in IMAGES]
    for bench in benches:
        point = _point(bench, "dark-real")
        chip = min(_seconds(bench.read, replace(point, sample=k)) for k in range(ROUNDS))
        found = [_seconds(linearise, bench, point) for _ in range(2)]
        print(
            f"{len(bench.labels)} images: {min(found):.1f} s of a core, {min(found) / chip:.0f} "
            "times one chip's"
        )
    for trim in ("dark", "dark-real"):
        _spread(benches[0], trim)


def _point(bench: Bench, trim: str) -> Point:
    hardware, variation, conditions = load_settings("rram", [f"trim={trim}"], bench.build.hardware)
    return Point(hardware=hardware, variation=variation, conditions=conditions, sample=0)


def _seconds(do: Any, *given: Any) -> float:
    began = time.process_time()
    do(*given)
    return time.process_time() - began


def _spread(bench: Bench, trim: str) -> None:
    point, n = _point(bench, trim), np.arange(len(bench.labels))
    found = linearise(bench, point)
    others = found.logits.copy()
    others[n, bench.labels] = -np.inf
    logits = np.array([bench.read(replace(point, sample=k)) for k in range(CHIPS)])
    own = logits[:, n, bench.labels]
    rival = own - logits[:, n, others.argmax(axis=1)]
    logits[:, n, bench.labels] = -np.inf
    margins = own - logits.max(axis=2)
    said, error = np.sqrt(np.diag(found.covariance())), 1 / np.sqrt(2 * (CHIPS - 1))
    for what, drawn in (("less the runner-up of the middle", rival), ("margins", margins)):
        ratio = drawn.std(axis=0, ddof=1) / said
        off = ((drawn.mean(axis=0) - found.values) / said).mean()
        print(
            f"trim = {trim}, {what}: {CHIPS} chips' standard deviation is {ratio.mean():.3f} of "
            f"what slopes say ({ratio.min():.2f} to {ratio.max():.2f} by image, "
            f"{(np.abs(ratio - 1) < 3 * error).mean():.0%} within 3 errors of {error:.3f}); means "
            f"are {off:+.2f} of it off"
        )
