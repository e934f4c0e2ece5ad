"""Conducting a study of virtual chips: checks, store, loop, judge, result."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, outside, plugins
from ..compiler.build import Build
from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..engines.chips import NgspiceEngine
from ..engines.ngspice import Ngspice, find_ngspice
from ..engines.threads import one_blas_thread
from ..errors import SimulationError, StudyError
from ..files import sealed, sha256, write_text
from ..imperfections import Conditions, Variation, load_settings
from ..settings import require
from .chips import ENGINES, Bench, open_engine
from .executor import Executor, LocalExecutor
from .judge import Share, judge, judged_by_twin, parse_share
from .notes import image_notes
from .points import Point, check_temps
from .simulate import default_run
from .store import STORE, Row, StudyStore
from .study import run_study

EXECUTORS = ("local", "dask")
RESULT, CHIPS, FAILED = "result.json", "chips.csv", "failed"
Progress = Callable[[str, int, int], None]
"""Called with what is done (``chips``, ``judge``), how many are, and how many there are."""


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """How a study is run.

    Attributes
    ----------
    engine
        ``twin`` or ``ngspice``.
    jobs
        Chips at a time.
    seed
        Of everything that is drawn.
    run
        RUN folder; without one, ``<build>.run/<hash of the settings>`` beside the build.
    resume
        Refuse to start a new RUN.
    judge
        ``CHIPSxIMAGES`` of a twin study that ngspice simulates once more, or ``none``.
    executor
        ``local``, threads of this process, or ``dask``.
    scheduler
        Address of the Dask scheduler.
    command
        What a report says made the RUN.
    """

    engine: str = "twin"
    jobs: int = 1
    seed: int = 0
    run: Path | None = None
    resume: bool = False
    judge: str = "3x50"
    executor: str = "local"
    scheduler: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        require(self.engine in ENGINES, "engine", self.engine, " or ".join(ENGINES))
        require(1 <= self.jobs <= 256, "jobs", self.jobs, "1 to 256")
        require(0 <= self.seed < 2**63, "seed", self.seed, "0 to 2^63 - 1")
        parse_share(self.judge)
        require(self.executor in EXECUTORS, "executor", self.executor, " or ".join(EXECUTORS))
        wanted = "an address, such as tcp://127.0.0.1:8786, with executor dask and only then"
        require(
            (self.executor == "dask") == bool(self.scheduler), "scheduler", self.scheduler, wanted
        )


@dataclass(frozen=True, eq=False)
class StudyResult:
    """A finished study.

    Attributes
    ----------
    summary
        The figures, as they stand in result.json.
    rows
        One dictionary a point, in the order of the points.
    run
        The RUN folder.
    """

    summary: dict[str, Any]
    rows: list[Row]
    run: Path


def study_settings(
    build: Build, preset: str | None, settings: Iterable[str]
) -> tuple[Hardware, Variation, Conditions, dict[str, Any]]:
    """Settings of a study on ``build``, and the hardware settings that are not the BUILD's."""
    base = build.hardware
    hardware, variation, conditions = load_settings(preset, settings, base=base)
    before, now = asdict(base), asdict(hardware)
    changed = {name: now[name] for name in now if now[name] != before[name]}
    return hardware, variation, conditions, changed


def conduct(
    kind: str,
    build: Build,
    images: ImageSet,
    points: Sequence[Point],
    summarise: Callable[[list[Row]], dict[str, Any]],
    *,
    options: StudyOptions,
    facts: dict[str, Any],
    identity: dict[str, Any],
    temps_c: Iterable[float] = (),
    compensate: str | float | None = None,
    calibrate: bool = False,
    on_progress: Progress = lambda what, done, total: None,
) -> StudyResult:
    """Run a study; see ``montecarlo``, ``thermal`` and ``sweep``.

    Parameters
    ----------
    kind
        Name of the study.
    summarise
        From the rows to the figures that are the study's own.
    facts
        What else the summary says.
    identity
        The settings without which a RUN would be another study.
    temps_c
        Temperatures at which something is simulated, beside the points'.

    Raises
    ------
    SettingsError, DataError, NetlistError
        If settings, images or the BUILD cannot be used; nothing is written then.
    StudyError
        If the RUN cannot be used, no chip could be simulated, or the judge finds a difference.
    SimulationError
        If ngspice is missing though it is needed, or does not deliver to the judge; with a
        ``DisagreementError`` if it is the engine, and gives what a chip's closed form does not.
    """
    build.require_unedited()
    share = parse_share(options.judge) if options.engine == "twin" else Share(0, 0)
    program = _find_program(options.engine, share)
    engine = open_engine(options.engine, program, Path(FAILED))
    bench = Bench(
        build, images, engine, seed=options.seed, compensate=compensate, calibrate=calibrate
    )
    temps: dict[Hardware, set[float]] = {}
    for point in points:
        temps.setdefault(point.hardware, {*temps_c}).add(point.conditions.temp_c)
    for hardware, at in temps.items():
        check_temps(bench.chain(hardware), sorted(at))
    from_files = plugins.used(build, points, bench.drawn)
    told = outside.told(from_files)
    notes = image_notes(build, images, bench.software_right) + outside.sentences(told)
    settings = _identity(kind, bench, identity) | outside.identity(from_files)
    run = options.run or default_run(build, settings)
    if options.resume and not (run / STORE).is_file():
        raise StudyError(f"{run} holds no {STORE} to resume: leave --resume out to begin a study")
    if isinstance(engine, NgspiceEngine):
        engine.keep = run / FAILED
    with (
        one_blas_thread,
        _executor(options, engine.stop, from_files) as executor,
        StudyStore(run, settings) as store,
    ):
        rows = run_study(
            points,
            bench.evaluate,
            store,
            executor,
            lambda done, total: on_progress("chips", done, total),
        )
        store.export_csv(run / CHIPS, points)
        _require_one(rows, run)
        verdict, refusal = None, None
        if isinstance(engine, NgspiceEngine):
            verdict = judged_by_twin(rows, bench)
        if share:
            assert program is not None
            judging = NgspiceEngine(program, run / FAILED)
            try:
                verdict = judge(
                    points, rows, bench, judging, share, store,
                    lambda done, total: on_progress("judge", done, total),
                )  # fmt: skip
            except StudyError as error:
                verdict, refusal = store.get("judge"), error
            finally:
                judging.stop()
        summary: dict[str, Any] = {
            "study": kind,
            **build.facts(),
            "dataset": images.name,
            "images": images.facts(),
            "n": len(images),
            "notes": notes,
            "software_accuracy": bench.software_accuracy,
            "logit_full_scale": bench.full_scale,
            **summarise(rows),
            **facts,
            "engine": options.engine,
            "versions": engine.versions(),
            "seed": options.seed,
            "settings": identity,
            **told,
            "judge": verdict,
            "seconds": store.spent(),
            "cluster": executor.facts,
            "command": options.command,
            "files": {CHIPS: sha256(run / CHIPS)},
            "run": str(run),
        }
        summary = sealed(summary)
        write_text(run / RESULT, json.dumps(summary, indent=2) + "\n")
    if refusal is not None:
        raise refusal
    return StudyResult(summary, rows, run)


@contextlib.contextmanager
def _executor(
    options: StudyOptions, stop: Callable[[], None], from_files: Iterable[outside.Plugin]
) -> Iterator[Executor]:
    """Who does the work: threads, or a cluster that is left as it was."""
    if options.executor == "local":
        yield LocalExecutor(options.jobs, stop)
        return
    from .cluster import DaskExecutor

    cluster = DaskExecutor(options.scheduler, options.engine, plugins.packed(from_files))
    with contextlib.closing(cluster) as executor:
        yield executor


def _find_program(engine: str, share: Share) -> Ngspice | None:
    """ngspice, if something needs it; before anything is simulated."""
    if engine == "twin" and not share:
        return None
    try:
        return find_ngspice()
    except SimulationError as error:
        if engine == "ngspice":
            raise
        raise SimulationError(f"{error}; or trust the twin with --judge none") from error


def _require_one(rows: list[Row], run: Path) -> None:
    if all(row["status"] != "ok" for row in rows):
        raise StudyError(
            f"none of {len(rows)} circuits could be simulated. First reason: {rows[0]['reason']}. "
            f"The same command tries them again; reasons are kept in {run / CHIPS}"
        )


def _identity(kind: str, bench: Bench, identity: dict[str, Any]) -> dict[str, Any]:
    """Everything a row depends on, but for what is in its key."""
    return {
        "study": kind,
        "analogkan": __version__,
        "model": bench.spec.fingerprint(),
        "network": bench.build.summary["files"]["network.npz"],
        "design": bench.build.facts()["design"],
        "dataset": str(bench.images.name),
        "indices": _hash(bench.index),
        "inputs": _hash(bench.volts),
        "labels": _hash(bench.labels),
        "engine": bench.engine.name,
        "versions": bench.engine.versions(),
        "seed": bench.seed,
        "compensate": bench.compensate,
        "calibrate": bench.calibrate,
        **identity,
    }


def _hash(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
