"""``thermal``: a circuit, and chips of it, against temperature; with or without compensation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..compiler.build import Build
from ..data import ImageSet
from ..errors import SettingsError
from ..settings import require
from .conduct import Progress, StudyOptions, StudyResult, conduct, study_settings
from .grid import drawn_faults
from .points import thermal_points
from .summary import summarise_temperatures

PRESET = "rram"
"""What chips differ in if nothing else is said."""


def thermal(
    build: Build,
    images: ImageSet,
    *,
    temps_c: Sequence[float],
    samples: int = 0,
    preset: str | None = None,
    settings: Iterable[str] = (),
    compensate: str | float | None = None,
    options: StudyOptions = StudyOptions(),
    on_progress: Progress = lambda what, done, total: None,
) -> StudyResult:
    """Simulate the nominal circuit, and chips 0 to ``samples`` - 1, at each temperature.

    Parameters
    ----------
    build, images, options
        As for ``montecarlo``.
    temps_c
        Degrees Celsius.
    samples
        Chips beside the nominal circuit.
    preset, settings
        As for ``montecarlo``. Without a preset the BUILD's own hardware, and for chips ``rram``.
    compensate
        Take out gain and offset of each column as measured at ``each`` temperature, or at the one
        given in degrees Celsius; None: do not.

    Raises
    ------
    AnalogKanError
        See ``conduct``.
    """
    settings = list(settings)
    if any(text.partition("=")[0].strip() == "temp_c" for text in settings):
        raise SettingsError("temp_c is what thermal varies: give its values with --temps")
    if compensate is not None and compensate != "each":
        require(not isinstance(compensate, str), "compensate", compensate, "each, or a temperature")
    require(len(temps_c) > 0, "temps_c", list(temps_c), "at least one temperature")
    temps_c = sorted(dict.fromkeys(float(temp_c) for temp_c in temps_c))
    chosen = preset or (PRESET if samples else None)
    hardware, variation, conditions, changed = study_settings(build, chosen, settings)
    if samples and variation.off:
        raise SettingsError(
            f"samples = {samples} draws chips, but preset {chosen} has no variation: give "
            "--preset rram, or --set sigma_g=0.05 and the like"
        )
    measured_at = [] if compensate in (None, "each") else [float(compensate)]  # type: ignore[arg-type]
    points = thermal_points(hardware, variation, conditions, temps_c, samples)
    return conduct(
        "thermal",
        build,
        images,
        points,
        lambda rows: {"temperatures": summarise_temperatures(rows, drawn_faults(variation))},
        options=options,
        facts={
            "preset": chosen,
            "samples": samples,
            "compensate": compensate,
            "recompiled": changed,
        },
        identity=points[0].document(),
        temps_c=measured_at,
        compensate=compensate,
        on_progress=on_progress,
    )
