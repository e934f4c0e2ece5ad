# pyright: strict
"""Which quantities, layers, tiles and lines make a BUILD's chips differ."""

from __future__ import annotations

from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..imperfections import Conditions, Variation
from ..studies.sensitivity import sensitivity as of_causes
from ..studies.sensitivity_result import Sensitivity
from .chip_studies import run
from .given import AnyBuild, AnyPath, AnyPreset, Values


def sensitivity(
    build: AnyBuild,
    images: ImageSet,
    *,
    samples: int = 128,
    yield_at: float | str | None = None,
    preset: AnyPreset | None = None,
    hardware: AnyPath | Hardware | Values | None = None,
    variation: AnyPath | Variation | Values | None = None,
    conditions: AnyPath | Conditions | Values | None = None,
    engine: str = "twin",
    precision: str = "auto",
    device: str = "cpu",
    memory_gb: float = 4.0,
    jobs: int | None = None,
    seed: int = 0,
    judge: str = "3x50",
    executor: str = "local",
    scheduler: str = "",
    out: AnyPath | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Sensitivity:
    """Shares of the score's variance by quantity, layer, tile and line, the first one confirmed.

    Parameters
    ----------
    build, images, engine, precision, device, memory_gb, jobs, seed, judge
        As for ``montecarlo``.
    executor, scheduler, out, resume, progress
        As for ``montecarlo``.
    samples
        Chips A; as many chips B, of each quantity in each layer as many that have it from B, and
        twice as many without the first cause.
    yield_at
        As for ``montecarlo``: it decides which image's margin is the score.
    preset, hardware, variation, conditions
        As for ``montecarlo``.

    Raises
    ------
    SettingsError
        If nothing is drawn.
    AnalogKanError
        As for ``montecarlo``.

    Examples
    --------
    >>> found = ak.sensitivity(
    ...     "mnist-d2.build", ak.load_bundled()[:20], samples=16, judge="none",
    ...     variation=ak.Variation(sigma_g=0.05, offset_sigma=1e-3),
    ... )
    >>> found.shares[0]["quantity"], found.causes[0]["settings"]
    ('programming: cell', ['sigma_g'])
    """
    return run(of_causes, locals())
