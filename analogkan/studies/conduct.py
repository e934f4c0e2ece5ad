"""Conducting a study of virtual chips: checks, store, loop, judge, result."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from .. import outside, plugins
from ..compiler.closed_form import require_closed_form
from ..compiler.hardware import Hardware
from ..engines.arithmetic import CPU, Arithmetic
from ..engines.chip_engines import NgspiceEngine, open_engine
from ..engines.ngspice import Ngspice
from ..engines.others import find_simulator
from ..errors import DisagreementError, SimulationError, StudyError
from ..imperfections.amplifiers import require_gains
from ..imperfections.bent import require_unwired
from ..imperfections.make import require_parts
from ..imperfections.measured import require_measured
from ..opamps.demand import require_driven
from ..threads import one_blas_thread
from . import replaced
from .bench import Bench
from .cost import Meter
from .entries import COLUMNS
from .executor import Executor, LocalExecutor
from .judge import Share, choose_points, judge, judged_by_twin, parse_share
from .log import Log, logged
from .notes import image_notes, macro_notes
from .options import StudyOptions
from .points import Point, check_temps, representatives
from .result import CHIPS, Row, StudyResult
from .running import approved, keep_points
from .store import (
    FAILED,
    RESULT,
    STORE,
    StudyStore,
    default_run,
    identity,
    write_csv,
    write_result,
)
from .study import Job, Plan, Progress, Study


def conduct(
    study: Study,
    job: Job,
    plan: Plan,
    options: StudyOptions = StudyOptions(),
    on_progress: Progress = lambda what, done, total: None,
) -> StudyResult:
    """Run a study as planned: checks, store, loop, judge, result.

    Raises
    ------
    SettingsError, DataError, NetlistError
        If settings, images or the BUILD cannot be used; nothing is written then.
    StudyError
        If the RUN cannot be used, no point could be evaluated, or the judge finds a difference.
    SimulationError
        If ngspice is missing though it is needed, or does not deliver to the judge; with a
        ``DisagreementError`` if it is the engine, and gives what a chip's closed form does not.
    """
    job.build.require_unedited()
    share = Share(0, 0)
    if options.engine == "twin" and (plan.evaluate is None or plan.exemplars is not None):
        share = parse_share(options.judge)
    program = _find_program(options.engine, share)
    arithmetic = options.arithmetic(job, plan)
    engine = open_engine(options.engine, program, Path(FAILED), arithmetic)
    bench = Bench(
        job.build, job.images, engine, seed=options.seed, compensate=plan.compensate,
        calibrate=plan.calibrate,
    )  # fmt: skip
    _check_points(bench, plan)
    from_files = plugins.used(job.build, representatives(plan.points), bench.drawn)
    told = outside.told(from_files)
    notes = replaced.told(job) + image_notes(job.build, job.images, bench.software)
    notes += outside.sentences(told)
    notes += macro_notes(job, plan)
    settings = _settings(study.name, bench) | dict(plan.identity) | outside.identity(from_files)
    run = options.run or default_run(job.build, settings)
    if options.resume and not (run / STORE).is_file():
        raise StudyError(f"{run} holds no {STORE} to resume: leave --resume out to begin a study")
    if isinstance(engine, NgspiceEngine):
        engine.keep = run / FAILED
    bench.keep = run / FAILED
    evaluate = bench.evaluate if plan.evaluate is None else partial(plan.evaluate, bench)
    if plan.more is not None:
        evaluate = partial(_with_more, bench, plan.more)
    store_of = partial(StudyStore, run, settings, study.columns_of(bench.spec.task))
    with (
        one_blas_thread,
        _executor(options, engine.stop, from_files, arithmetic, plan.more is None) as executor,
        approved(store_of, plan.points, evaluate, executor, options.approve) as store,
        logged(run, study.name, options.command, program, notes) as log,
    ):
        meter, on_progress = Meter(), log.following(on_progress)
        plan, rows = _run_plan(plan, bench, evaluate, store, executor, meter, on_progress)
        write_csv(run / CHIPS, plan.spread(rows))
        _require_one(rows, run)
        _warn_of_failed(rows, log)
        if plan.judge_all and share:
            share = Share(len(plan.points), share.images)
        verdict, refusal = _verdict(
            plan, rows, bench, store, share, program, on_progress, options.jobs
        )
        if plan.keep is not None:
            plan.keep(bench, plan.points, rows, run)
        summary: dict[str, Any] = {
            "study": study.name,
            **job.build.facts(),
            "dataset": job.images.name,
            "images": job.images.facts(),
            "n": len(job.images),
            "notes": notes,
            "replaced": {name: list(of) for name, of in replaced.replaced(job).items()},
            **bench.software_figures,
            "logit_full_scale": bench.full_scale,
            **plan.summarise(rows, bench),
            **plan.facts,
            "engine": options.engine,
            "versions": engine.versions(),
            **(asdict(arithmetic) if options.engine == "twin" else {}),
            "seed": options.seed,
            "settings": dict(plan.identity),
            **told,
            "judge": verdict,
            "seconds": store.spent(),
            "cost": meter.facts(),
            "cluster": executor.facts,
            "command": options.command,
            "run": str(run),
        }
        summary = write_result(run / RESULT, summary, CHIPS)
        log.refusal = refusal
    if refusal is not None:
        raise refusal
    assert study.result is not None
    return study.result.from_document(summary, rows=plan.arrange(run, rows), run=run)


def _with_more(bench: Bench, more: Callable[[Bench, Point], Row], point: Point) -> Row:
    """A bench's row of ``point``, and ``more`` where that could be evaluated."""
    row = bench.evaluate(point)
    if row["status"] != "ok":
        return row
    started = time.perf_counter()
    try:
        found = more(bench, point)
    except DisagreementError:  # that is no chip
        raise
    except SimulationError as error:
        kept = {key: row[key] for key in ("key", "sample", "temp_c", "n", "seconds")}
        return kept | {"status": "failed", "reason": str(error)}
    return row | found | {"seconds": row["seconds"] + time.perf_counter() - started}


def _run_plan(
    plan: Plan,
    bench: Bench,
    evaluate: Callable[[Point], Row],
    store: StudyStore,
    executor: Executor,
    meter: Meter,
    on_progress: Progress,
) -> tuple[Plan, list[Row]]:
    """The plan with all points that it came to, and their rows."""
    told = partial(on_progress, plan.counted)
    if plan.explore is None:
        keep_points(plan.points, evaluate, store, executor, told, meter)
        return plan, store.rows(plan.points)
    points: dict[str, Point] = {}
    rows: dict[str, Row] = {}

    def run(asked: Sequence[Point]) -> list[Row]:
        """The rows of what is asked for, some of it perhaps not for the first time."""
        new = {point.key: point for point in asked if point.key not in points}
        before, most = len(points), max(plan.most, len(points) + len(new))
        points.update(new)
        left = list(new.values())
        keep_points(
            left, evaluate, store, executor, lambda done, _: told(before + done, most), meter
        )
        rows.update({row["key"]: row for row in store.rows(left)})
        return [rows[point.key] for point in asked]

    more = plan.explore(bench)
    with contextlib.suppress(StopIteration):
        asked = next(more)
        while True:
            asked = more.send(run(asked))
    told(len(points), len(points))
    return replace(plan, points=list(points.values())), store.rows(list(points.values()))


def _check_points(bench: Bench, plan: Plan) -> None:
    """Raise what keeps points from being simulated, before there is a RUN.

    Raises
    ------
    SettingsError
        If the diodes' law does not hold at a temperature, or a chip's op-amps cannot have the gains
        that they are to have, or its cells are to be what was not measured of their technology, or
        parts that there are not are to have errors.
    SimulationError
        If what makes a chip lacks a closed form that it needs, as the twin does.
    """
    temps: dict[Hardware, set[float]] = {}
    points = representatives(plan.points)
    for point in points:
        temps.setdefault(point.hardware, {*plan.temps_c}).add(point.conditions.temp_c)
    for hardware, variation, conditions in {
        (p.hardware, p.variation, p.conditions) for p in points if p.sample is not None
    }:
        require_gains(variation, hardware)
        require_unwired(variation, hardware)
        require_parts(variation, bench.chain(hardware))
        require_measured(variation, hardware, conditions)
    for hardware, at in temps.items():
        check_temps(bench.chain(hardware), sorted(at))
        require_driven(bench.build, bench.chain(hardware))
        if bench.engine.name == "twin":
            require_closed_form(bench.chain(hardware))
        elif hardware.amplifier.gain is None:  # trim and read noise need it, before a RUN is begun
            chip = next(
                (p for p in points if p.hardware == hardware and p.sample is not None), None
            )
            if chip is not None:
                bench.chip(chip)


def _verdict(
    plan: Plan,
    rows: list[Row],
    bench: Bench,
    store: StudyStore,
    share: Share,
    program: Ngspice | None,
    on_progress: Progress,
    jobs: int,
) -> tuple[dict[str, Any] | None, StudyError | None]:
    """What the judge says, and its refusal, which ends the study once its result is kept."""
    if isinstance(bench.engine, NgspiceEngine):
        return (judged_by_twin(plan.points, rows, bench) if plan.evaluate is None else None), None
    if not share:
        return None, None
    assert program is not None
    judging = NgspiceEngine(program, store.path / FAILED)
    try:
        told = partial(on_progress, "judge")
        points = plan.points
        if plan.exemplars is not None:
            points = plan.exemplars(bench)[: share.chips]
            rows = [bench.evaluate(point) for point in points]
        found = judge(points, rows, bench, judging, share, store, told, jobs)
        if plan.judge is not None and "parts" not in found:
            chosen = choose_points(plan.points, rows, share.chips, bench.seed)
            found |= {"parts": plan.judge(bench, chosen, share, store.path / FAILED)}
            store.put("judge", found)
        return found, None
    except StudyError as error:
        return store.get("judge"), error
    finally:
        judging.stop()


@contextlib.contextmanager
def _executor(
    options: StudyOptions,
    stop: Callable[[], None],
    from_files: Iterable[outside.Plugin],
    arithmetic: Arithmetic,
    twin_alone: bool,
) -> Iterator[Executor]:
    """Who does the work: this process, or a cluster that is left as it was."""
    if options.executor == "local":
        copies = twin_alone and options.engine == "twin" and arithmetic.device == CPU
        yield LocalExecutor(options.jobs, stop, copies=copies)
        return
    from .cluster import DaskExecutor

    sent = plugins.packed(from_files)
    cluster = DaskExecutor(options.scheduler, options.engine, sent, arithmetic.packages)
    with contextlib.closing(cluster) as executor:
        yield executor


def _find_program(engine: str, share: Share) -> Ngspice | None:
    """The simulator, if something needs one; before anything is simulated."""
    if engine != "twin":
        return find_simulator(engine)
    if not share:
        return None
    try:
        return find_simulator("ngspice")
    except SimulationError as error:
        raise SimulationError(f"{error}; or trust the twin with --judge none") from error


def _require_one(rows: list[Row], run: Path) -> None:
    if all(row["status"] != "ok" for row in rows):
        raise StudyError(
            f"none of {len(rows)} circuits could be simulated. First reason: {rows[0]['reason']}. "
            f"The same command tries them again; reasons are kept in {run / CHIPS}"
        )


def _warn_of_failed(rows: list[Row], log: Log) -> None:
    failed = [row for row in rows if row["status"] != "ok"]
    if failed:
        log.warn(
            f"{len(failed):,} of {len(rows):,} circuits could not be simulated: {CHIPS} says why; "
            f"first reason: {failed[0]['reason']}"
        )


def _settings(study: str, bench: Bench) -> dict[str, Any]:
    """Everything a row depends on, but for the plan's and what is in its key."""
    return {
        **identity(study, str(bench.images.name), bench.index, bench.volts, bench.labels),
        "model": bench.spec.fingerprint(),
        "network": bench.build.summary["files"]["network.npz"],
        "design": bench.build.facts()["design"],
        "engine": bench.engine.name,
        "versions": bench.engine.versions(),
        "seed": bench.seed,
        "compensate": bench.compensate,
        # As it was before there were two ways, so that RUNs of then go on.
        "calibrate": {None: False, COLUMNS: True}.get(bench.calibrate, bench.calibrate),
    }
