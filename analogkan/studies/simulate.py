"""``simulate``: a build's circuits over images, against its software, into a RUN folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import outside
from ..compiler.build import Build
from ..compiler.converters import digital, rounded
from ..compiler.deck import cells_of
from ..compiler.spice_cells import TEMPERATURE_C
from ..data import ImageSet
from ..data.images import check_answers
from ..engines.chunked import BatchOptions, plan_chunks
from ..engines.ideal import saturating
from ..engines.others import SIMULATORS, find_simulator
from ..engines.verdict import tell
from ..errors import DataError, NetlistError, SettingsError
from ..files import write_npz
from ..intervals import student
from ..text import many
from .chunks import Answers
from .compare import compare
from .evidence import layer_evidence, telling_images
from .links import run_circuit
from .log import Log, logged
from .macro import macro_error
from .notes import image_notes
from .simulation import Simulation
from .store import ARRAYS, RESULT, StudyStore, default_run, identity, write_result
from .values import compare_values

ENGINES = (*SIMULATORS, "software")


def simulate(
    build: Build,
    images: ImageSet,
    *,
    engine: str = "ngspice",
    options: BatchOptions = BatchOptions(),
    run: Path | None = None,
    allow_edited: bool = False,
    command: str = "",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Simulation:
    """Run ``images`` through the circuit and the software.

    Parameters
    ----------
    build
        From ``load_build`` or ``write_build``.
    images
        What to run; all of them.
    engine
        ``ngspice``, ``vacask``, ``neospice``, or ``software`` for the float64 network alone.
    options
        Jobs, chunk size, time limit, direction of the sweep, program or session.
    run
        RUN folder; without one, ``<build>.run/<hash of the settings>`` beside the build.
    allow_edited
        Simulate a deck that was changed after ``compile`` wrote it.
    command
        What a report says made the RUN.
    on_progress
        Called with images done and images in all.

    Raises
    ------
    SimulationError
        If the simulator is missing, or chunks failed twice: the message lists their images.
        Finished chunks stay in the RUN folder. One that is not what the closed form of the same
        circuit gives fails too, with a ``DisagreementError``, unless the deck was edited.
    NetlistError
        If the deck was edited and ``allow_edited`` is not set.
    DataError
        If the images do not suit the network.
    """
    spec = build.spec
    if not len(images):
        raise DataError(f"{images.name} has no images to simulate")
    check_answers(images, spec)
    x = images.flat(spec.encoding.shape)
    exact = spec.dac_volts(x)
    volts = rounded(spec, build.hardware, exact)
    started = time.perf_counter()
    software = spec.forward_volts(exact)
    evaluated = time.perf_counter() - started
    from_files = outside.used(cells_of(spec, build.hardware))
    told = outside.told(from_files)
    summary: dict[str, Any] = {
        "study": "simulate",
        **build.facts(),
        "dataset": images.name,
        "images": images.facts(),
        "notes": [
            *filter(None, [build.summary.get("about")]),
            *image_notes(build, images, software),
            *outside.sentences(told),
        ],
        **told,
        "engine": engine,
        "ngspice_version": None,
        "simulator_version": None,
        "saturated_inputs": spec.encoding.saturated(x),
    }
    if engine == "software":
        if build.deck is not None:
            over = images.index[saturating(build.design, volts)]
            summary["saturated_images"] = [int(k) for k in over]
        summary |= _compared(build, images, software, None)
        summary["images_per_second"] = len(images) / evaluated
        arrays = {"labels": images.y, "index": images.index, "software": software}
        arrays |= {} if spec.targets is None else {"inputs": x}
        return Simulation.from_document(summary, arrays=arrays)

    _check_options(options, engine, build)
    program = find_simulator(engine)
    edited = _edited(build, engine, allow_edited)
    chunks = plan_chunks(len(images), options.chunk)
    why_not = f"edited after it was compiled: {', '.join(edited)}" if edited else ""
    settings = {
        **identity("simulate", images.name, images.index, volts, images.y),
        "deck": build.deck_hash(),
        **program.facts(),
        "chunk": chunks[0].stop,
        "descending": options.descending,
        **outside.identity(from_files),
    }
    settings |= {name: True for name in ("session", "alone") if getattr(options, name)}
    settings |= {} if build.temp_c == TEMPERATURE_C else {"temp_c": build.temp_c}
    folder = run or default_run(build, settings)
    with (
        StudyStore(folder, settings) as store,
        logged(folder, "simulate", command, program, summary["notes"]) as log,
    ):
        followed = log.counting("images", on_progress)
        given, held, saturated = run_circuit(
            build, program, volts, images.index, options, store, followed, why_not
        )
        _warn_of_chunks(given, log)
        if build.deck is None:
            summary["held"] = held
        summary["saturated_images"] = [int(k) for k in images.index[saturated]]
        seconds, at = given.seconds, build.temp_c
        circuit, converted = digital(build.circuit(), given.logits, images.index, at)
        layers, pairs = layer_evidence(spec.folded().layer_outputs(exact), given.hidden)
        shown = np.zeros(0, int)
        if spec.targets is None:
            shown = telling_images(images.y, software, circuit)
        else:
            pairs["inputs"] = x
        summary |= _compared(build, images, software, circuit) | {
            "layers": layers,
            **converted,
            "ngspice_version": program.version if engine == "ngspice" else None,
            "simulator_version": program.version,
            "klu": program.klu,
            "session": options.session,
            "images_per_second": len(images) / seconds if seconds > 0 else None,
            "seconds": seconds,
            "megabytes": given.megabytes or None,
            "first_two_seconds": given.first_seconds or None,
            "jobs": min(options.jobs, given.chunks),
            "chunk": chunks[0].stop,
            "retried_chunks": given.retried,
            "damaged_chunks": given.damaged,
            **({"found_alone": given.found_alone} if given.found_alone[0] else {}),
            "supplies": _supplied(given.watts),
            "macro_model": None if edited else _macro_error(build, volts, images.index, given),
            "judge": tell(given.judged, given.why_not, images=len(images)),
            "edited_files": edited,
            "command": command,
            "run": str(folder),
        }
        arrays = {
            "labels": images.y,
            "index": images.index,
            "software": software,
            "circuit": circuit,
            "shown": shown,
            "shown_x": x[shown],
            **pairs,
        }
        write_npz(folder / ARRAYS, arrays)
        summary = write_result(folder / RESULT, summary, ARRAYS)
    return Simulation.from_document(summary, arrays=arrays)


def _warn_of_chunks(given: Answers, log: Log) -> None:
    for n, what in ((given.retried, "retried"), (given.damaged, "damaged and simulated again")):
        if n:
            log.warn(f"{many(n, 'chunk')} {what}")


def _supplied(watts: np.ndarray) -> dict[str, Any] | None:
    """Power out of the supplies of op-amps of transistors, over images."""
    if not watts.size:
        return None
    return {
        "watts": float(watts.mean()),
        "watts_ci95": student(watts),
        "least_watts": float(watts.min()),
        "most_watts": float(watts.max()),
    }


def _macro_error(
    build: Build, volts: np.ndarray, index: np.ndarray, given: Answers
) -> dict[str, Any] | None:
    """What the macro-model misses, if the circuit has one."""
    layers = given.hidden | {len(given.hidden): given.logits}
    classes = build.spec.targets is None
    return macro_error(build.circuit(), volts, index, layers, classes=classes)


def _check_options(options: BatchOptions, engine: str, build: Build) -> None:
    """SettingsError if ngspice would be run in a way that ``engine`` or the circuit has not."""
    if options.session and engine != "ngspice":
        raise SettingsError(f"session is a way to run ngspice: engine {engine} has none")
    if options.alone and (engine != "ngspice" or options.session or not build.hardware.libraries):
        raise SettingsError(
            "alone starts ngspice, the program, at the macro-model's volts: it is for circuits "
            "with an op-amp of yours (compile --cell), and goes without session"
        )


def _edited(build: Build, engine: str, allowed: bool) -> list[str]:
    """Files that were edited; NetlistError unless that is allowed, and they are simulated."""
    edited = build.changed_or_lacking()
    if edited and build.dialect != engine:
        raise NetlistError(
            f"{build.folder}/{edited[0]} was edited after it was compiled, and it is in "
            f"{build.dialect}'s words: {engine} simulates the design, not the deck; compile the "
            "model again"
        )
    if edited and not allowed:
        found = f"`analogkan verify {build.folder}` says where"
        if "about" in build.summary:  # a chip
            found = "the command that kept the chip writes it anew"
        raise NetlistError(
            f"{build.folder}/{edited[0]} was edited after it was compiled: {found}; "
            "--allow-edited simulates it as it is"
        )
    return edited


def _compared(
    build: Build, images: ImageSet, software: np.ndarray, circuit: np.ndarray | None
) -> dict[str, Any]:
    """The figures of software and circuit, of classes or of values."""
    if build.spec.targets is None:
        return compare(images.y, images.index, software, circuit)
    return compare_values(build.spec.targets, images.y, images.index, software, circuit)
