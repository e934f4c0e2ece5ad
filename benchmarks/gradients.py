"""What linearising a chip's margins costs, and whether chips spread as it says."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from analogkan.engines.gradients import linearise
from analogkan.engines.twin import one_torch_thread
from analogkan.engines.twin_engine import TwinEngine
from analogkan.imperfections import load_settings
from analogkan.studies.bench import Bench
from analogkan.studies.points import Point
from analogkan.threads import one_blas_thread

from .measure import Row, beside, show
from .subjects import subject

IMAGES, CHIPS = (200, 1000), 300


def measured(quick: bool = False) -> list[Row]:
    """Linearising a chip's margins over reading a chip."""
    with one_torch_thread, one_blas_thread:
        return [_cost(n, quick) for n in (IMAGES[:1] if quick else IMAGES)]


def _cost(n: int, quick: bool) -> Row:
    with subject(n, quick=quick) as of:
        bench = Bench(of.build, of.images, TwinEngine())
        point, samples = _point(bench, "dark-real"), itertools.count(1)
        return beside(
            f"margins of {len(bench.labels):,} images linearised",
            "a chip of as many images",
            lambda: linearise(bench, point),
            lambda: bench.read(replace(point, sample=next(samples))),
            quick=quick,
        )


def main() -> None:
    """Cost, and standard deviations of margins of mnist-d2 under ``rram``, seed 0."""
    show(measured())
    with subject(IMAGES[0], quick=False) as of:
        bench = Bench(of.build, of.images, TwinEngine())
        for trim in ("dark", "dark-real"):
            _spread(bench, trim)


def _point(bench: Bench, trim: str) -> Point:
    hardware, variation, conditions = load_settings("rram", [f"trim={trim}"], bench.build.hardware)
    return Point(hardware=hardware, variation=variation, conditions=conditions, sample=0)


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
