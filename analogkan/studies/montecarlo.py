"""``montecarlo``: the same circuit made many times, each chip with its own errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace

from ..compiler.build import Build
from ..data import ImageSet
from ..data.images import check_labels
from ..settings import require
from ..text import percent
from .conduct import Progress, StudyOptions, StudyResult, conduct, study_settings
from .grid import drawn_faults
from .notes import reached
from .points import montecarlo_points
from .summary import summarise_chips

YIELD_LOSS = 0.01
"""A chip counts as good if it loses no more than this, unless told otherwise."""


def montecarlo(
    build: Build,
    images: ImageSet,
    *,
    samples: int,
    first: int = 0,
    preset: str | None = "rram",
    settings: Iterable[str] = (),
    temp_c: float | None = None,
    yield_at: float | None = None,
    calibrate: bool = False,
    options: StudyOptions = StudyOptions(),
    on_progress: Progress = lambda what, done, total: None,
) -> StudyResult:
    """Simulate ``samples`` chips of a build over ``images``.

    Parameters
    ----------
    build
        From ``load_build`` or ``write_build``. Hardware that ``preset`` and
        ``settings`` do not name stays the BUILD's; where they change it the network is compiled
        again in memory.
    samples
        How many chips. A RUN of fewer is extended.
    first
        Number of the first.
    preset, settings
        A shipped name or a TOML file, then ``key=value`` texts.
    temp_c
        Degrees Celsius, in place of the preset's.
    yield_at
        Accuracy from which on a chip is a good one; by default as ``yield_limit`` says.
    calibrate
        Measure and set each chip's columns, layer by layer, with the BUILD's calibration images;
        the rows then also have the accuracy of the chip as it was made.
    options
        Engine, jobs, seed, RUN folder, judge.

    Raises
    ------
    AnalogKanError
        See ``conduct``.
    """
    hardware, variation, conditions, changed = study_settings(build, preset, settings)
    if temp_c is not None:
        conditions = replace(conditions, temp_c=temp_c)
    if yield_at is not None:
        require(0 <= yield_at <= 1, "yield_at", yield_at, "0 to 1")
    limit, rule = yield_limit(build, images, yield_at)
    points = montecarlo_points(hardware, variation, conditions, samples, first)
    return conduct(
        "montecarlo",
        build,
        images,
        points,
        lambda rows: summarise_chips(rows, yield_at=limit, faults=drawn_faults(variation)),
        options=options,
        facts={
            "preset": preset,
            "first": first,
            "temp_c": conditions.temp_c,
            "recompiled": changed,
            "nothing_drawn": variation.off,
            "yield_rule": f"at least {percent(limit)}: {rule}",
        },
        identity=points[0].document() | {"conditions": asdict(conditions)},
        calibrate=calibrate,
        on_progress=on_progress,
    )


def yield_limit(build: Build, images: ImageSet, given: float | None = None) -> tuple[float, str]:
    """The accuracy from which on a chip is a good one, and how it was come by.

    ``given``, or ``YIELD_LOSS`` below the software's on ``images``; of a model that was trained
    from another on this data set, below that one's: training for hardware lowers the software's.
    """
    if given is not None:
        return given, "as was asked for"
    parent = reached(build, "parent")
    if parent is not None and parent.dataset == images.name:
        base = parent.accuracy
        whose = f"{percent(base)} of the model it was trained from ({parent.images})"
    else:
        check_labels(images, build.spec.sizes[-1], build.spec.name)
        software = build.spec.logits(images.flat(build.spec.encoding.shape)).argmax(axis=1)
        base = float((software == images.y).mean()) if len(images) else 0.0
        whose = f"software's {percent(base)} on these images"
    return max(0.0, round(base - YIELD_LOSS, 12)), f"1 point below {whose}"
