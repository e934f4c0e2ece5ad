# pyright: strict
"""A BUILD's corners: named ones, and the worst chips within a distance."""

from __future__ import annotations

from collections.abc import Sequence

from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..imperfections import Conditions, Variation
from ..studies.corners import corners as of_corners
from ..studies.corners_result import CornerErrors, Corners
from . import given
from .chip_studies import run
from .given import AnyBuild, AnyPath, AnyPreset, Values


def corners(
    build: AnyBuild,
    images: ImageSet,
    *,
    sigmas: float = 3.0,
    temps: str | Sequence[float] = "-40,26.85,125",
    worst: int = 10,
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
) -> Corners | CornerErrors:
    """Chips at corners, each kept as decks that a plain ngspice runs.

    Parameters
    ----------
    build, images, engine, precision, device, memory_gb, jobs, seed
        As for ``montecarlo``.
    executor, scheduler, out, resume, progress
        As for ``montecarlo``.
    sigmas
        How far out: of a classical corner each displaced coordinate, of a worst-case one all
        coordinates together.
    temps
        Degrees Celsius: cold, typical and hot.
    worst
        How many worst-case corners.
    yield_at, preset, hardware, variation, conditions
        As for ``montecarlo``.
    judge
        As for ``montecarlo``, but every corner is judged, on so many images.

    Raises
    ------
    AnalogKanError
        As for ``montecarlo``; if nothing is drawn that could be displaced, or worst-case corners
        are asked for and something has no derivative.

    Examples
    --------
    >>> found = ak.corners("mnist-d2.build", ak.load_bundled()[:20], worst=0, judge="none")
    >>> [one["name"] for one in found.corners[:4]]
    ['typical', 'cold', 'hot', 'strong']
    """
    temps = given.check_temperatures(temps)
    return run(of_corners, locals())
