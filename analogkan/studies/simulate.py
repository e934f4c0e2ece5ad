"""``simulate``: a build's circuit over images, against its software, into a RUN folder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler import names
from ..compiler.build import Build
from ..data import ImageSet
from ..data.sources import check_labels
from ..engines.batch import BatchEngine, BatchOptions, plan_chunks
from ..engines.ideal import saturating
from ..engines.ngspice import Runner, find_ngspice
from ..errors import DataError, NetlistError
from .compare import compare
from .evidence import hidden_nets, layer_evidence, telling_images
from .run import RunFolder

ENGINES = ("ngspice", "software")


@dataclass(frozen=True, eq=False)
class SimResult:
    """A finished simulation.

    Attributes
    ----------
    summary
        The figures: see ``analogkan.studies.compare.compare``, and what was simulated.
    labels, index
        (n,) classes, and positions in the data set.
    software, circuit
        (n, O) logits; the second None with ``engine="software"``.
    """

    summary: dict[str, Any]
    labels: np.ndarray = field(repr=False)
    index: np.ndarray = field(repr=False)
    software: np.ndarray = field(repr=False)
    circuit: np.ndarray | None = field(repr=False)


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
) -> SimResult:
    """Run ``images`` through the circuit and the software.

    Parameters
    ----------
    build
        From ``load_build`` or ``write_build``.
    images
        What to run; all of them.
    engine
        ``ngspice``, or ``software`` for the float64 network alone.
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
        If ngspice is missing, or chunks failed twice: the message lists their images. Finished
        chunks stay in the RUN folder.
    NetlistError
        If the deck was edited and ``allow_edited`` is not set.
    DataError
        If the images do not suit the network.
    """
    spec = build.spec
    if not len(images):
        raise DataError(f"{images.name} has no images to simulate")
    check_labels(images, spec.sizes[-1])
    x = images.flat(spec.encoding.shape)
    volts = spec.dac_volts(x)
    started = time.perf_counter()
    software = spec.forward_volts(volts)
    evaluated = time.perf_counter() - started
    summary: dict[str, Any] = {
        "study": "simulate",
        **build.facts(),
        "dataset": images.name,
        "engine": engine,
        "ngspice_version": None,
        "saturated_inputs": spec.encoding.saturated(x),
        "saturated_images": [int(k) for k in images.index[saturating(build.design, volts)]],
    }
    if engine == "software":
        summary |= compare(images.y, images.index, software, None)
        summary["images_per_second"] = len(images) / evaluated
        return SimResult(summary, images.y, images.index, software, None)

    program = find_ngspice()
    edited = build.edited_files()
    if edited and not allow_edited:
        raise NetlistError(
            f"{build.folder}/{edited[0]} was edited after it was compiled: `analogkan verify "
            f"{build.folder}` says where; --allow-edited simulates it as it is"
        )
    chunks = plan_chunks(len(images), options.chunk)
    settings = {
        "deck": _deck_hash(build),
        "inputs": hashlib.sha256(np.ascontiguousarray(volts).tobytes()).hexdigest(),
        "labels": hashlib.sha256(images.y.tobytes()).hexdigest(),
        "dataset": images.name,
        "indices": [int(k) for k in images.index],
        "ngspice": program.version,
        "klu": program.klu,
        "chunk": chunks[0].stop,
        "descending": options.descending,
    }
    if options.session:
        settings["session"] = True
    folder = run or default_run(build, settings)
    with RunFolder(folder, settings) as store:
        values, attempts = _run_chunks(build, program, volts, chunks, options, store, on_progress)
        circuit, hidden = np.split(values, [software.shape[1]], axis=1)
        layers, pairs = layer_evidence(build.design, spec.folded().layer_outputs(volts), hidden)
        shown = telling_images(images.y, software, circuit)
        seconds = store.spent()
        summary |= compare(images.y, images.index, software, circuit) | {
            "layers": layers,
            "ngspice_version": program.version,
            "klu": program.klu,
            "session": options.session,
            "images_per_second": len(images) / seconds if seconds > 0 else None,
            "seconds": seconds,
            "jobs": min(options.jobs, len(chunks)),
            "chunk": chunks[0].stop,
            "retried_chunks": attempts,
            "edited_files": edited,
            "command": command,
            "run": str(folder),
        }
        summary = store.finish(
            summary,
            labels=images.y,
            index=images.index,
            software=software,
            circuit=circuit,
            shown=shown,
            shown_x=x[shown],
            **pairs,
        )
    return SimResult(summary, images.y, images.index, software, circuit)


def default_run(build: Build, settings: dict[str, Any]) -> Path:
    """``<build>.run/<hash>`` beside the build: one folder for each set of settings."""
    key = hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:8]
    folder = build.folder.resolve()
    return folder.with_name(f"{folder.name.removesuffix('.build')}.run") / key


def _run_chunks(build, program, volts, chunks, options, store, on_progress):
    """Logits and hidden nodes of all chunks, (n, O + nets), and how many were retried."""
    probes = [*names.logits(build.design), *hidden_nets(build.design)]
    values = np.empty((len(volts), len(probes)))
    missing = []
    for chunk in chunks:
        stored = store.chunk(chunk, len(probes))
        if stored is None:
            missing.append(chunk)
        else:
            values[chunk.start : chunk.stop] = stored
    done = len(volts) - sum(c.stop - c.start for c in missing)
    on_progress(done, len(volts))
    if not missing:
        return values, 0
    failures, retried = [], 0
    since = time.perf_counter()
    with BatchEngine(build, Runner(program), store.path / "failed") as engine:
        for result in engine.run(volts, missing, probes, options):
            now = time.perf_counter()
            store.add_spent(now - since)
            since = now
            if result.values is None:
                failures.append(result)
                continue
            retried += result.attempts - 1
            store.add_chunk(result.chunk, result.values, result.seconds)
            values[result.chunk.start : result.chunk.stop] = result.values
            done += len(result.values)
            on_progress(done, len(volts))
    if failures:
        _raise_failures(failures, store, len(chunks))
    return values, retried


def _raise_failures(failures, store: RunFolder, total: int) -> None:
    failures.sort(key=lambda result: result.chunk.number)
    index = store.settings["indices"]
    listed = "; ".join(
        f"images {index[r.chunk.start]} to {index[r.chunk.stop - 1]} "
        f"({r.chunk.stop - r.chunk.start} of them)"
        for r in failures[:5]
    )
    more = f" and {len(failures) - 5} chunks more" if len(failures) > 5 else ""
    first = failures[0].error
    raise type(first)(
        f"{len(failures)} of {total} chunks failed twice: {listed}{more}. First reason: {first}. "
        f"Its deck is kept: {first.deck}. The same command tries the failed chunks again"
        + (f"; finished ones are kept in {store.path}" if len(failures) < total else ""),
        deck=first.deck,
        exit_code=first.exit_code,
        stderr_tail=first.stderr_tail,
    )


def _deck_hash(build: Build) -> str:
    """Hash of the deck files as they are on disk; the top and the stimulus are not simulated."""
    digest = hashlib.sha256()
    for name in sorted(set(build.deck_files()) - {"network.cir", "stimulus.cir"}):
        try:
            digest.update(name.encode() + (build.folder / name).read_bytes())
        except FileNotFoundError as error:
            raise NetlistError(f"{build.folder} lacks {name}: compile the model again") from error
    digest.update(repr(build.design.v_per_logit).encode())
    return digest.hexdigest()
