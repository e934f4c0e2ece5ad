# pyright: strict
"""A BUILD's virtual chips: by chance, over temperature, over grids of settings."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..imperfections import Conditions, Variation
from ..objects import as_path, check_flags, require_type
from ..studies.montecarlo import Chips
from ..studies.montecarlo import montecarlo as of_chips
from ..studies.options import StudyOptions
from ..studies.study import Progress, Study
from ..studies.sweep import PRESETS, Sweep
from ..studies.sweep import sweep as of_grids
from ..studies.thermal import Temperatures
from ..studies.thermal import thermal as of_heat
from ..studies.yields_result import Yield
from ..threads import default_jobs
from . import given
from .given import AnyBuild, AnyPath, AnyPreset, Preset, Values, load_preset
from .old import OLD, with_old_keywords
from .progress import shown_progress

_START = "a preset's name, the path of a TOML file, or a Preset"
_VARIES = "axes= takes what varies; hardware=, variation= and conditions= the rest"
_OLD_STUDY = OLD | {"settings": "hardware=, variation= and conditions= take what they hold"}


@with_old_keywords(of_chips, _OLD_STUDY | {"temp_c": "temp= is in its place"})
def montecarlo(
    build: AnyBuild,
    images: ImageSet,
    *,
    samples: int,
    first: int = 0,
    method: str | None = None,
    noise: str = "drawn",
    preset: AnyPreset | None = None,
    hardware: AnyPath | Hardware | Values | None = None,
    variation: AnyPath | Variation | Values | None = None,
    conditions: AnyPath | Conditions | Values | None = None,
    temp: float | None = None,
    yield_at: float | str | None = None,
    calibrate: bool = False,
    two_point: bool = False,
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
) -> Chips | Yield:
    """The same circuit made many times, each chip with its own errors: accuracy and yield.

    Parameters
    ----------
    build, images
        As for ``simulate``.
    samples
        How many chips; with ``method`` in all, or of a level or scale. A RUN of fewer is extended.
    first
        Number of the first.
    method
        ``plain``, ``control``, ``subset``, ``scaled`` or ``sobol``: estimate how rarely chips miss
        ``yield_at``, keeping scores alone; a ``Yield`` is returned. None: a row a chip.
    noise
        Of a method: noise at every read is ``drawn`` with each chip, or ``frozen``, chip 0's on
        all.
    preset
        A shipped name, the path of a TOML file, or what ``load_preset`` returns; by default
        ``rram``, and none where ``variation`` is a whole ``Variation``.
    hardware, variation, conditions
        Entries to change, such as ``{"levels": 32}``; or an object or another preset's name, which
        takes the place of the whole. Hardware that nothing names stays the BUILD's; where it
        changes, the network is compiled again in memory.
    temp
        Degrees Celsius, in place of the preset's.
    yield_at
        Accuracy from which on a chip is a good one; by default 1 point below software's, or below
        that of the model it was trained from. Of a regression, the RMSE up to which it is, a share
        of span or a text with the unit, ``"0.5degC"``; by default 1 % of span above software's.
    calibrate
        Measure and set each chip's columns, layer by layer, with the BUILD's calibration images.
    two_point
        Of a regression: measure each output of a chip at two of them, and correct its gain and
        offset in the read-out.
    engine
        ``twin``, the same circuit in closed form, or ``ngspice``.
    precision
        Of the twin: ``float64``, ``mixed``, float32 where a bound proves an image's class, or
        ``auto``: mixed from 2,000 images on, where it can be and numba is installed.
    device, memory_gb
        ``cpu``, or a GPU as torch calls it, ``cuda``, and GB of it for a chip's images at once.
    jobs
        Chips at a time; by default all cores.
    seed
        Of everything that is drawn.
    judge
        ``CHIPSxIMAGES`` of a twin study that ngspice simulates once more, or ``none``.
    executor, scheduler
        ``dask`` and the address of its scheduler, or ``local``.
    out
        RUN folder; by default ``<build>.run/<hash of the settings>``. Chips finished in it are not
        run again.
    resume
        Only go on with a RUN: refuse to begin one.
    progress
        Show a bar in a notebook or on a terminal, elsewhere a line a minute on stderr.

    Raises
    ------
    SettingsError, DataError, NetlistError
        If settings, images or the BUILD cannot be used; nothing is written then.
    StudyError, SimulationError
        If the RUN cannot be used, no chip could be simulated, ngspice is missing though it is
        needed, or the judge finds a difference.

    Examples
    --------
    >>> chips = ak.montecarlo(
    ...     "mnist-d2.build", ak.load_bundled()[:50], samples=4, judge="1x2",
    ...     variation={"sigma_g": 0.1}, hardware={"levels": 64},
    ... )
    >>> chips.summary["samples"], chips.summary["recompiled"]
    (4, {'levels': 64})
    >>> chips.table()["sample"]
    array([0, 1, 2, 3])
    """
    return run(of_chips, locals())


@with_old_keywords(of_heat, _OLD_STUDY | {"temps_c": "temps= is in its place"})
def thermal(
    build: AnyBuild,
    images: ImageSet,
    *,
    temps: str | Sequence[float] = "-40:125:15",
    samples: int = 0,
    preset: AnyPreset | None = None,
    hardware: AnyPath | Hardware | Values | None = None,
    variation: AnyPath | Variation | Values | None = None,
    conditions: AnyPath | Conditions | Values | None = None,
    compensate: str | float | None = None,
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
) -> Temperatures:
    """Accuracy, and gain and offset of the logits, against temperature.

    Parameters
    ----------
    build, images, engine, precision, device, memory_gb, jobs, seed, judge
        As for ``montecarlo``.
    executor, scheduler, out, resume, progress
        As for ``montecarlo``.
    temps
        Degrees Celsius, or ``LO:HI:STEP``.
    samples
        Chips at each temperature, beside the nominal circuit.
    preset, hardware, variation, conditions
        As for ``montecarlo``; without a preset the BUILD's own hardware, and for chips ``rram``.
    compensate
        Take out gain and offset of each column as measured at ``each`` temperature, or at the one
        given in degrees Celsius; None: do not.

    Raises
    ------
    AnalogKanError
        As for ``montecarlo``.

    Examples
    --------
    >>> heat = ak.thermal(
    ...     "mnist-d2.build", ak.load_bundled()[:20], temps=[-40, 85], judge="none"
    ... )
    >>> heat.table()["temp_c"]
    array([-40.,  85.])
    """
    temps = given.check_temperatures(temps)
    return run(of_heat, locals())


@with_old_keywords(of_grids, OLD | {"settings": _VARIES})
def sweep(
    build: AnyBuild,
    images: ImageSet,
    *,
    axes: Values | None = None,
    grid: str = "axes",
    samples: int = 20,
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
) -> Sweep:
    """Chips over a grid of settings, an error budget, or faults by their rate.

    Parameters
    ----------
    build, images, engine, precision, device, memory_gb, jobs, seed, judge
        As for ``montecarlo``.
    executor, scheduler, out, resume, progress
        As for ``montecarlo``.
    axes
        Settings and their values, such as ``{"sigma_g": [0, 0.05], "levels": [8, 32]}``.
    grid
        ``axes``: their product. ``budget``: each imperfection of the preset alone, all but each,
        and all. ``faults``: each fault at rates from 1e-4 to 0.1.
    samples
        Chips a cell; where nothing is drawn the nominal circuit is enough.
    preset
        What a grid starts from, as for ``montecarlo``: ``rram`` for a budget, else ``nominal``.
    hardware, variation, conditions
        As for ``montecarlo``; they hold everywhere.

    Raises
    ------
    AnalogKanError
        As for ``montecarlo``.

    Examples
    --------
    >>> grid = ak.sweep(
    ...     "mnist-d2.build", ak.load_bundled()[:20], axes={"sigma_g": [0, 0.1]}, samples=2,
    ...     judge="none",
    ... )
    >>> grid.table()["sigma_g"]
    array([0. , 0.1, 0.1])
    """
    asked: dict[str, Any] = {
        "hardware": hardware, "variation": variation, "conditions": conditions,
    }  # fmt: skip
    entries: set[str] = {
        key
        for one in asked.values()
        if isinstance(one, Mapping)
        for key in one  # pyright: ignore[reportUnknownVariableType]
    }
    if isinstance(preset, Preset):  # a grid is said to start from a name
        asked, preset = load_preset(preset, **asked)._asdict(), None
    start = PRESETS.get(grid) if preset is None else str(as_path(preset, "preset", _START))

    def texts(found: list[str]) -> list[str]:
        """An axis takes the place of what an object has; an entry that is one too is refused."""
        if axes is None:
            return found
        varied = given.axis_texts(axes)
        left = [t for t in found if (key := t.partition("=")[0]) not in axes or key in entries]
        return left + varied

    return run(of_grids, locals() | asked | {"preset": start}, start=start, texts=texts)


_OPTIONS = (
    *("engine", "precision", "device", "memory_gb", "jobs", "seed", "judge", "executor"),
    *("scheduler", "out", "resume"),
)
"""Those of ``StudyOptions``."""
_SHARED = (*_OPTIONS, "hardware", "variation", "conditions", "progress")
"""Keywords that every study has."""
_KINDS = {
    "whole": given.check_whole,
    "number": given.check_numbers,
    "share": given.check_numbers,
    "truth": check_flags,
}


def run(
    study: Study,
    told: Mapping[str, Any],
    start: str | None = None,
    texts: Callable[[list[str]], list[str]] = lambda found: found,
) -> Any:
    """Run a study as people ask for it.

    Parameters
    ----------
    told
        ``build``, ``images``, ``progress``, the study's options, and the settings and options of
        every study, by their keywords.
    start
        The preset where none is told, if not the study's own.
    texts
        From settings as ``key=value`` texts to those that the study takes.
    """
    circuit, images = given.circuit(told["build"]), given.image_set(told["images"])
    values: dict[str, Any] = {o.name: told[o.public] for o in study.options if o.public in told}
    for option in study.options:
        if option.kind in _KINDS and option.name in values:
            _KINDS[option.kind](**{option.public: values[option.name]})
        if option.name in values and option.name != "preset":
            option.check(values[option.name])
    asked = {name: told.get(name) for name in ("hardware", "variation", "conditions")}
    defaults = {option.name: option.default for option in study.options}
    named, found = given.settings_texts(
        values.get("preset"), circuit.hardware, asked,
        otherwise=start or study.preset(defaults | values),
    )  # fmt: skip
    options = _options(**{name: told[name] for name in _OPTIONS})
    with _progress(told["progress"], options.engine) as on_progress:
        return study(
            circuit, images, settings=texts(found), options=options, on_progress=on_progress,
            **values | {"preset": named},
        )  # fmt: skip


def function_of(study: Study) -> Callable[..., Any]:
    """The Python function of a study, of which only the declaration is there.

    It takes the study's options and, as ``montecarlo`` does, those of every study.
    """
    like = inspect.signature(montecarlo).parameters
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [
        inspect.Parameter(option.public, keyword, default=option.default)
        for option in study.options
        if option.name != "preset"
    ]
    shared = [like[name] for name in ("preset", *_SHARED)]
    signature = inspect.Signature([like["build"], like["images"], *own, *shared])

    def call(*args: Any, **keywords: Any) -> Any:
        bound = signature.bind(*args, **keywords)
        bound.apply_defaults()
        return run(study, bound.arguments)

    call.__name__ = call.__qualname__ = study.name
    call.__doc__ = study.short
    setattr(call, "__signature__", signature)  # noqa: B010
    return call


def _options(
    *,
    jobs: int | None,
    seed: int,
    memory_gb: float,
    out: AnyPath | None,
    resume: bool,
    **texts: str,
) -> StudyOptions:
    given.check_whole(jobs=jobs, seed=seed)
    given.check_numbers(memory_gb=memory_gb)
    check_flags(resume=resume)
    for name, value in texts.items():
        require_type(value, str, name, "a text")
    return StudyOptions(
        jobs=default_jobs() if jobs is None else jobs, seed=seed, memory_gb=memory_gb,
        run=given.optional_path(out, "out"), resume=resume, **texts,
    )  # fmt: skip


@contextlib.contextmanager
def _progress(progress: bool, engine: str) -> Generator[Progress]:
    """A study's bar, whose lines name the engine."""
    with shown_progress(progress) as on_progress:

        def named(what: str, done: int, total: int) -> None:
            by = engine if what == "chips" else "ngspice"
            on_progress(f"{by}: {what}", done, total)

        yield named
