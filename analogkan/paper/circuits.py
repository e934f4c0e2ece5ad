"""The networks of a table as circuits: compiled, verified, and simulated by ngspice on a subset."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..compiler.build import Build, load_build
from ..compiler.hardware import Hardware
from ..compiler.sections import MOST_RESISTORS
from ..compiler.verify import write_verified
from ..data import ImageSet, by_class, load_dataset
from ..engines.chunked import BatchOptions
from ..errors import AnalogKanError, SettingsError, StudyError
from ..files import write_text
from ..network.mlp import DEVICES
from ..network.spec import NetworkSpec
from ..settings import find_named, read_toml
from ..studies.simulate import simulate
from ..text import markdown_table, percent
from .entries import write_rows
from .kept import read_kept, write_kept
from .rows import FOLDER, TableRow, load_table
from .run import PaperRequest, network_of, run_table

Progress = Callable[[str, int, int], None]
ONE_DECK = 4_000_000
"""Crossbar resistors up to which a network without convolutions is one deck, 7 GB of ngspice."""
KEYS = ("row", "network", "resistors", "circuits", "n", "images", "circuit_ci95", "megabytes")
"""Of a row that is kept, among others."""
QUICK_SHARE = 20
"""A quick run has so many times fewer images."""


@dataclass(frozen=True, kw_only=True)
class CircuitPlan:
    """What is simulated.

    Attributes
    ----------
    table
        Name of the table that the networks are of.
    rows
        Those of its rows that can be circuits.
    images
        By data set, how many; by row where that is another number.
    hardware
        By activation, settings unlike the default ones.
    """

    table: str
    rows: tuple[TableRow, ...]
    images: dict[str, int]
    hardware: dict[str, dict[str, Any]]


def circuit_plan(name: str, only: tuple[str, ...] = (), *, quick: bool = False) -> CircuitPlan:
    """The plan called ``name``, with the rows or data sets ``only``, or the first data set's rows
    if it is ``quick`` and nothing is named.

    Raises
    ------
    SettingsError
        If ``only`` leaves no such row.
    """
    document = read_toml(find_named(name, FOLDER, "figure"), "figure")
    images = dict(document["images"])
    table = load_table(document["table"])
    rows = tuple(
        row for row in table.chosen(only)
        if row.dataset in images and (row.network == "tdkan" or row.activation in DEVICES)
    )  # fmt: skip
    if not rows:
        raise SettingsError(f"--only {', '.join(only)} leaves no network that can be a circuit")
    if quick and not only:
        rows = tuple(row for row in rows if row.dataset == rows[0].dataset)
    return CircuitPlan(
        table=document["table"], rows=rows, images=images, hardware=document.get("hardware", {})
    )


def run_circuits(
    request: PaperRequest, name: str, *, jobs: int = 1,
    on_epoch: Callable[..., None] = lambda row, seed, epoch: None,
    on_progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:  # fmt: skip
    """Train what is not there (seed 0), compile, verify, simulate; a row a network.

    ``request`` is of the plan's table, with the names of its rows as ``only``.

    Raises
    ------
    SettingsError, DataError, StudyError, CompileError, NetlistError, SimulationError
        If a network cannot be trained, compiled or simulated; what is finished is kept.
    """
    plan = circuit_plan(name, request.only)
    planned = {row.name for row in plan.rows}
    rows = [row for row in request.rows() if row.name in planned]
    run_table(request, on_epoch=on_epoch)
    folder = request.out / request.stem(name)

    @functools.cache
    def test_set(dataset: str) -> ImageSet:
        return load_dataset(dataset, "test", request.data, download=request.download)

    found, everything = [], []
    with request.kept(name) as log:
        on_progress = log.following(on_progress)
        specs = {row.name: network_of(request, row, 0) for row in rows}
        folder.mkdir(parents=True, exist_ok=True)
        for row in rows:
            wanted = plan.images.get(row.name, plan.images[row.dataset])
            wanted = max(2, wanted // QUICK_SHARE) if request.quick else wanted
            hardware = Hardware(**plan.hardware.get(row.activation, {}))
            made = {"network": specs[row.name].fingerprint(), "images": wanted}
            made |= {"hardware": asdict(hardware)}
            kept = folder / f"{row.name}.json"
            entry = read_kept(kept, made, KEYS, refuse=False)
            if entry is None:
                judged = test_set(row.dataset)
                images = by_class(judged, wanted)
                build, seconds = compiled(specs[row.name], hardware, folder / f"{row.name}.build")
                result = simulate(
                    build, images, options=BatchOptions(jobs=jobs),
                    on_progress=lambda k, n, row=row: on_progress(row.name, k, n),
                )  # fmt: skip
                entry = _entry(row, build, result.summary, seconds)
                write_kept(kept, made, entry)
            found.append(entry)
            everything = _everything(name, folder)
    return {
        "name": name,
        "quick": request.quick,
        "rows": found,
        "everything": everything,
        "csv": str(folder.with_suffix(".csv")),
        "md": str(folder.with_suffix(".md")),
    }


def _entry(row: TableRow, build: Build, s: dict[str, Any], seconds: float | None) -> dict[str, Any]:
    """A row's figures from the summary of its simulation."""
    return {
        "row": row.name,
        "dataset": s["dataset"],
        "network": row.label,
        "resistors": build.summary["elements"]["crossbar_resistors"],
        "circuits": sum(section["circuits"] for section in s.get("held", [])) or 1,
        "n": s["n"],
        "images": s["images"]["said"],
        "software_accuracy": s["software_accuracy"],
        "circuit_accuracy": s["circuit_accuracy"],
        "circuit_ci95": s["circuit_ci95"],
        "agreement": s["agreement"],
        "error_of_full_scale": s["max_abs_logit_error"] / s["logit_full_scale"],
        "seconds_per_image": s["seconds"] / s["n"],
        "compile_seconds": seconds,
        "megabytes": s["megabytes"],
        "ngspice": s["ngspice_version"],
        "klu": s["klu"],
    }


def _everything(name: str, folder: Path) -> list[dict[str, Any]]:
    """All rows that are kept, asked for or not, also written as CSV and Markdown."""
    kept = (read_kept(folder / f"{row.name}.json", None, KEYS) for row in circuit_plan(name).rows)
    entries = [{k: v for k, v in entry.items() if k != "plan"} for entry in kept if entry]
    write_text(folder.with_suffix(".md"), format_circuits(entries))
    write_rows(folder.with_suffix(".csv"), entries)
    return entries


def format_circuits(entries: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    head = (
        "images", "network", "resistors", "circuits", "software", "circuit", "same class",
        "largest logit error, of full scale", "s an image", "compiled in s", "MB",
    )  # fmt: skip
    rows = [
        [
            e["images"], e["network"], f"{e['resistors']:,}", f"{e['circuits']}",
            percent(e["software_accuracy"]), percent(e["circuit_accuracy"]),
            percent(e["agreement"]), f"{e['error_of_full_scale']:.1e}",
            f"{e['seconds_per_image']:.2g}",
            *("–" if e[k] is None else f"{e[k]:,.0f}" for k in ("compile_seconds", "megabytes")),
        ]
        for e in entries
    ]  # fmt: skip
    return markdown_table(head, rows)


def compiled(spec: NetworkSpec, hardware: Hardware, folder: Path) -> tuple[Build, float | None]:
    """The verified BUILD of ``spec``, and the seconds that took when it was made, if known.

    With held stages if it has convolutions, or more than ``ONE_DECK`` resistors.

    Raises
    ------
    StudyError
        If what is in ``folder`` is damaged, or was edited.
    CompileError, NetlistError
        If there is no circuit of the network.
    """
    timed = folder.with_suffix(".seconds")
    if folder.is_dir():
        try:
            build = load_build(folder)
            edited = build.edited_files()
        except AnalogKanError as error:
            raise StudyError(f"{folder} is damaged: remove it, and run this again") from error
        if edited:
            raise StudyError(
                f"{folder}/{edited[0]} was edited: remove {folder}, and run this again"
            )
        same = build.spec.fingerprint() == spec.fingerprint()
        if same and build.summary["hardware"] == asdict(hardware):
            with contextlib.suppress(OSError, ValueError):
                return build, float(timed.read_text(encoding="utf-8"))
            return build, None

    started = time.perf_counter()
    resistors = sum(2 * layer.theta.size for layer in spec.layers)
    several = resistors > ONE_DECK or spec.convolutional
    build = write_verified(spec, hardware, folder, most=MOST_RESISTORS if several else None)
    seconds = time.perf_counter() - started
    write_text(timed, repr(seconds))
    return build, seconds
