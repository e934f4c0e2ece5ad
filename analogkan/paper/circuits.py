"""The networks of a table as circuits: compiled, verified, and simulated by ngspice on a subset."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..compiler.build import Build
from ..compiler.hardware import Hardware
from ..compiler.held import HeldBuild, load_circuit, write_held
from ..compiler.sections import MOST_RESISTORS
from ..compiler.verify import write_verified
from ..data import ImageSet, load_dataset, stratified
from ..engines.batch import BatchOptions
from ..errors import SettingsError, StudyError
from ..files import write_text
from ..network.mlp import DEVICES
from ..network.spec import NetworkSpec, load_spec
from ..settings import find_named, read_toml
from ..studies.simulate import simulate
from ..text import percent
from .rows import FOLDER, TableRow, load_table
from .run import PaperRequest, network_path, run_table

Progress = Callable[[str, int, int], None]
ONE_DECK = 4_000_000
"""Crossbar resistors up to which a network without convolutions is one deck, 7 GB of ngspice."""
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


def circuit_plan(name: str, only: tuple[str, ...] = ()) -> CircuitPlan:
    """The plan called ``name``, with the rows or data sets ``only``.

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
    return CircuitPlan(
        table=document["table"], rows=rows, images=images, hardware=document.get("hardware", {})
    )


def run_circuits(
    request: PaperRequest, name: str, *, jobs: int = 1,
    on_epoch: Callable = lambda row, seed, epoch: None,
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
    rows = plan.rows
    run_table(request, on_epoch=on_epoch)
    folder = request.out / request.stem(name)
    found = []

    @functools.cache
    def test_set(dataset: str) -> ImageSet:
        return load_dataset(dataset, "test", request.data, download=request.download)

    if request.quick:
        rows = tuple(row for row in rows if row.dataset == rows[0].dataset)
    for row in rows:
        if not network_path(request, row, 0).is_file():
            raise StudyError(
                f"{row.name} diverged in training, so there is no circuit of it: leave it out "
                f"with --only, or lower its learning_rate in {plan.table}.toml"
            )
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        judged = test_set(row.dataset)
        wanted = plan.images.get(row.name, plan.images[row.dataset])
        wanted = max(2, wanted // QUICK_SHARE) if request.quick else wanted
        images = judged.take(stratified(judged.y, wanted))
        spec = load_spec(network_path(request, row, 0))
        hardware = Hardware(**plan.hardware.get(row.activation, {}))
        build, seconds = compiled(spec, hardware, folder / f"{row.name}.build")
        result = simulate(
            build, images, options=BatchOptions(jobs=jobs), run=folder / f"{row.name}.run",
            on_progress=lambda k, n, row=row: on_progress(row.name, k, n),
        )  # fmt: skip
        s, counted = result.summary, build.summary["elements"]
        found.append(
            {
                "row": row.name,
                "dataset": row.dataset,
                "network": row.label,
                "resistors": counted["crossbar_resistors"],
                "n": s["n"],
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
                "circuits": sum(section["circuits"] for section in s.get("held", [])) or 1,
            }
        )
        write_text(folder.with_suffix(".md"), format_circuits(found))
    return {"figure": name, "quick": request.quick, "rows": found}


def format_circuits(entries: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "| row | resistors | circuits | n | software | circuit | same class | largest logit error, "
        "of full scale | s an image | compiled in s | MB |",
        f"|{'---|' * 11}",
    ]
    for e in entries:
        cells = [
            e["row"], f"{e['resistors']:,}", f"{e['circuits']}", f"{e['n']:,}",
            percent(e["software_accuracy"]), percent(e["circuit_accuracy"]),
            percent(e["agreement"]), f"{e['error_of_full_scale']:.1e}",
            f"{e['seconds_per_image']:.2g}", f"{e['compile_seconds']:.0f}",
            "–" if e["megabytes"] is None else f"{e['megabytes']:,.0f}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def compiled(
    spec: NetworkSpec, hardware: Hardware, folder: Path
) -> tuple[Build | HeldBuild, float]:
    """The verified BUILD of ``spec``, and the seconds that took when it was made.

    With held stages if it has convolutions, or more than ``ONE_DECK`` resistors.
    """
    timed = folder.with_suffix(".seconds")
    if folder.is_dir() and timed.is_file():
        build = load_circuit(folder)
        same = build.spec.fingerprint() == spec.fingerprint()
        if same and build.summary["hardware"] == asdict(hardware):
            return build, float(timed.read_text(encoding="utf-8"))

    started = time.perf_counter()
    resistors = sum(2 * layer.theta.size for layer in spec.layers)
    if resistors > ONE_DECK or spec.convolutional:
        build = write_held(spec, hardware, folder, most=MOST_RESISTORS)
    else:
        build = write_verified(spec, hardware, folder)
    seconds = time.perf_counter() - started
    write_text(timed, repr(seconds))
    return build, seconds
