# pyright: strict
"""A BUILD's virtual chips: by chance, over temperature, over grids of settings."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..engines.threads import default_jobs
from ..imperfections import Conditions, Variation
from ..objects import as_path, require_type
from ..studies import conduct
from ..studies import montecarlo as of_chips
from ..studies import sweep as of_grids
from ..studies import thermal as of_heat
from ..studies.grid import Cell
from ..studies.points import parse_temps
from . import given
from .given import AnyBuild, AnyPath, AnyPreset, Preset, Values, load_preset
from .old import OLD, with_old_keywords
from .progress import shown_progress
from .results import Study

_START = "a preset's name, the path of a TOML file, or a Preset"
_VARIES = "axes= takes what varies; hardware=, variation= and conditions= the rest"
_OLD_STUDY = OLD | {"settings": "hardware=, variation= and conditions= take what they hold"}


@with_old_keywords(of_chips.montecarlo, Study, _OLD_STUDY | {"temp_c": "temp= is in its place"})
def montecarlo(
    build: AnyBuild,
    images: ImageSet,
    *,
    samples: int,
    first: int = 0,
    preset: AnyPreset | None = None,
    hardware: AnyPath | Hardware | Values | None = None,
    variation: AnyPath | Variation | Values | None = None,
    conditions: AnyPath | Conditions | Values | None = None,
    temp: float | None = None,
    yield_at: float | None = None,
    calibrate: bool = False,
    engine: str = "twin",
    jobs: int | None = None,
    seed: int = 0,
    judge: str = "3x50",
    executor: str = "local",
    scheduler: str = "",
    out: AnyPath | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Study:
    """The same circuit made many times, each chip with its own errors: accuracy and yield.

    Parameters
    ----------
    build, images
        As for ``simulate``.
    samples
        How many chips. A RUN of fewer is extended.
    first
        Number of the first.
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
        that of the model it was trained from.
    calibrate
        Measure and set each chip's columns, layer by layer, with the BUILD's calibration images.
    engine
        ``twin``, the same circuit in closed form, or ``ngspice``.
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
        Show a bar in a notebook or on a terminal.

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
    ...     variation=ak.Variation(sigma_g=0.05), hardware={"levels": 32},
    ... )
    >>> chips.summary["samples"], chips.summary["recompiled"]
    (4, {'levels': 32})
    >>> chips.table()["sample"]
    array([0, 1, 2, 3])
    """
    circuit, images = given.circuit(build), given.image_set(images)
    given.check_whole(samples=samples, first=first)
    given.check_numbers(temp=temp, yield_at=yield_at)
    asked = {"hardware": hardware, "variation": variation, "conditions": conditions}
    named, texts = given.settings_texts(preset, circuit.hardware, asked, otherwise="rram")
    options = _options(engine, jobs, seed, judge, executor, scheduler, out, resume)
    with _progress(progress, engine) as on_progress:
        found = of_chips.montecarlo(
            circuit, images, samples=samples, first=first, preset=named, settings=texts,
            temp_c=temp, yield_at=yield_at, calibrate=calibrate, options=options,
            on_progress=on_progress,
        )  # fmt: skip
    return Study(**vars(found))


@with_old_keywords(of_heat.thermal, Study, _OLD_STUDY | {"temps_c": "temps= is in its place"})
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
    jobs: int | None = None,
    seed: int = 0,
    judge: str = "3x50",
    executor: str = "local",
    scheduler: str = "",
    out: AnyPath | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Study:
    """Accuracy, and gain and offset of the logits, against temperature.

    Parameters
    ----------
    build, images, engine, jobs, seed, judge, executor, scheduler, out, resume, progress
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
    circuit, images = given.circuit(build), given.image_set(images)
    given.check_whole(samples=samples)
    wanted = "degrees Celsius, [-40, 85], or LO:HI:STEP"
    require_type(temps, (str, Iterable), "temps", wanted)
    temps_c = parse_temps(temps) if isinstance(temps, str) else list(temps)
    for temp in temps_c:
        given.check_numbers(temps=temp)
    asked = {"hardware": hardware, "variation": variation, "conditions": conditions}
    otherwise = of_heat.PRESET if samples else None
    named, texts = given.settings_texts(preset, circuit.hardware, asked, otherwise=otherwise)
    options = _options(engine, jobs, seed, judge, executor, scheduler, out, resume)
    with _progress(progress, engine) as on_progress:
        found = of_heat.thermal(
            circuit, images, temps_c=temps_c, samples=samples, preset=named, settings=texts,
            compensate=compensate, options=options, on_progress=on_progress,
        )  # fmt: skip
    return Study(**vars(found))


@with_old_keywords(of_grids.sweep, Study, OLD | {"settings": _VARIES})
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
    jobs: int | None = None,
    seed: int = 0,
    judge: str = "3x50",
    executor: str = "local",
    scheduler: str = "",
    out: AnyPath | None = None,
    resume: bool = False,
    progress: bool = True,
) -> Study:
    """Chips over a grid of settings, an error budget, or faults by their rate.

    Parameters
    ----------
    build, images, engine, jobs, seed, judge, executor, scheduler, out, resume, progress
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
    circuit, images = given.circuit(build), given.image_set(images)
    given.check_whole(samples=samples)
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
    start = of_grids.PRESETS.get(grid) if preset is None else str(as_path(preset, "preset", _START))
    named, texts = given.settings_texts(start, circuit.hardware, asked, otherwise=start)
    if axes is not None:
        # An axis takes the place of what an object has; an entry that is an axis too is refused.
        varied = given.axis_texts(axes)
        texts = [t for t in texts if (key := t.partition("=")[0]) not in axes or key in entries]
        texts += varied
    options = _options(engine, jobs, seed, judge, executor, scheduler, out, resume)
    with _progress(progress, engine) as on_progress:
        found = of_grids.sweep(
            circuit, images, settings=texts, grid=grid, samples=samples, preset=named,
            options=options, on_progress=on_progress,
        )  # fmt: skip
    cells, _ = of_grids.sweep_cells(circuit, grid, texts, named)
    rows = [
        _axes_of(cell) | row
        for cell, mine in of_grids.rows_of(cells, found.rows, samples)
        for row in mine
    ]
    return Study(found.summary, rows, found.run)


def _axes_of(cell: Cell) -> dict[str, Any]:
    """What a cell's axes are: a setting's value, or what a budget's or fault's cell is called."""
    found: dict[str, Any] = {}
    for key, text in cell.labels.items():
        settings = (cell.hardware, cell.variation, cell.conditions)
        at = next((one for one in settings if hasattr(one, key)), None)
        found[key] = getattr(at, key) if at is not None else text
        if key == "rate":
            found[key] = float(text)
    return found


def _options(
    engine: str,
    jobs: int | None,
    seed: int,
    judge: str,
    executor: str,
    scheduler: str,
    out: AnyPath | None,
    resume: bool,
) -> conduct.StudyOptions:
    given.check_whole(jobs=jobs, seed=seed)
    for name, value in {"judge": judge, "engine": engine, "scheduler": scheduler}.items():
        require_type(value, str, name, "a text")
    run = given.optional_path(out, "out")
    return conduct.StudyOptions(
        engine=engine, jobs=default_jobs() if jobs is None else jobs, seed=seed, judge=judge,
        executor=executor, scheduler=scheduler, run=run, resume=resume,
    )  # fmt: skip


@contextlib.contextmanager
def _progress(progress: bool, engine: str) -> Generator[conduct.Progress]:
    """A study's bar, whose lines name the engine."""
    with shown_progress(progress) as on_progress:

        def named(what: str, done: int, total: int) -> None:
            by = engine if what == "chips" else "ngspice"
            on_progress(f"{by}: {what}", done, total)

        yield named
