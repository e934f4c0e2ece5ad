# pyright: strict
"""A BUILD's datasheet: power, settling and noise, with what is assumed."""

from __future__ import annotations

from collections.abc import Sequence

from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..imperfections import Conditions, Variation
from ..physics import Assumptions
from ..physics.quantities import PARTS
from ..studies.datasheet import datasheet as of_sheets
from ..studies.datasheet_result import Datasheet
from . import given
from .chip_studies import run
from .given import AnyBuild, AnyPath, AnyPreset, Values


def datasheet(
    build: AnyBuild,
    images: ImageSet,
    *,
    only: str | Sequence[str] = PARTS,
    temps: str | Sequence[float] = "26.85",
    samples: int = 0,
    preset: AnyPreset | None = None,
    hardware: AnyPath | Hardware | Values | None = None,
    variation: AnyPath | Variation | Values | None = None,
    conditions: AnyPath | Conditions | Values | None = None,
    assumptions: Assumptions | Values | None = None,
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
) -> Datasheet:
    """Supply power, settling time and noise of the circuit, each with its conditions.

    Parameters
    ----------
    build, images, engine, precision, device, memory_gb, jobs, seed, judge
        As for ``montecarlo``.
    executor, scheduler, out, resume, progress
        As for ``montecarlo``.
    only
        Of ``power``, ``settling`` and ``noise``.
    temps, samples
        Degrees Celsius, or ``LO:HI:STEP``; chips at each temperature, beside the nominal circuit.
    preset, hardware, variation, conditions
        As for ``thermal``.
    assumptions
        What a DC circuit does not say: entries to change, such as ``{"c_in": 2e-12}``, or an
        ``Assumptions``.

    Raises
    ------
    AnalogKanError
        As for ``montecarlo``.

    Examples
    --------
    >>> sheet = ak.datasheet(
    ...     "mnist-d2.build", ak.load_bundled()[:20], only="power", judge="none"
    ... )
    >>> sorted(sheet.figures_of["power_w"])
    ['max', 'min', 'typical']
    """
    temps = given.check_temperatures(temps)
    parts = only if isinstance(only, str) else ",".join(only)
    own = given.assumption_texts(assumptions)
    asked = {name: value for name, value in locals().items() if name not in ("parts", "own")}
    return run(of_sheets, asked | {"only": parts}, texts=lambda found: [*found, *own])
