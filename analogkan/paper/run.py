"""Running a table: every row with every seed, kept as they are finished, never run twice."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..data import ImageSet, load_dataset, stratified
from ..errors import DataError, StudyError
from ..files import atomic_file, write_text
from ..network.baselines import MLP, parameter_count
from ..network.mlp import DEVICES, mlp_spec
from ..network.spec import NetworkSpec
from ..training.classifier import accuracy_of, inputs_of, made_with, train_classifier
from ..training.fit import CALIBRATION_IMAGES, Epoch, train
from .request import Request
from .rows import Table, TableRow

Progress = Callable[[TableRow, int, Epoch], None]


@dataclass(frozen=True, kw_only=True)
class PaperRequest(Request):
    """A table to run; quick is the first data set's rows alone.

    Attributes
    ----------
    table
        From ``load_table``.
    only
        Names of rows or data sets.
    """

    table: Table
    only: tuple[str, ...] = ()

    def rows(self) -> tuple[TableRow, ...]:
        """The rows asked for."""
        found = self.table.chosen(self.only)
        return tuple(r for r in found if r.dataset == found[0].dataset or not self.quick)


def run_table(
    request: PaperRequest,
    *,
    on_epoch: Progress = lambda row, seed, epoch: None,
) -> dict[str, Any]:
    """Run what is not kept yet; every row's figures.

    Each test set is read once a row and seed, after the last epoch.

    Raises
    ------
    SettingsError, DataError
        If a row, a recipe or a data set cannot be used.
    StudyError
        If the folder is another's, or a network has not the parameters that its row says.
    """
    rows = request.rows()
    md = request.out / f"{request.stem(request.table.name)}.md"
    with request.kept(request.table.name):
        sets: dict[str, tuple[ImageSet, ImageSet]] = {}
        for row in rows:
            for seed in range(request.seeds):
                path = _path(request, row, seed)
                if path.is_file():
                    continue
                if row.dataset not in sets:
                    sets = {row.dataset: _load(request, row.dataset)}
                found = _run(request, row, seed, sets[row.dataset], on_epoch)
                write_text(path, json.dumps(found, indent=2) + "\n")
        entries = [_entry(request, row) for row in rows]
        write_text(md, format_table(entries))
    return {
        "table": request.table.name,
        "quick": request.quick,
        "seeds": request.seeds,
        "rows": entries,
        "md": str(md),
    }


def _path(request: PaperRequest, row: TableRow, seed: int) -> Path:
    return request.out / request.stem(request.table.name) / f"{row.name}-seed{seed}.json"


def network_path(request: PaperRequest, row: TableRow, seed: int) -> Path:
    """Where a trained network is kept that a circuit can be made of."""
    return _path(request, row, seed).with_suffix(".npz")


def _state(request: PaperRequest, row: TableRow, seed: int) -> Path:
    """Where an unfinished training is kept."""
    path = _path(request, row, seed).with_suffix(".training")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _load(request: PaperRequest, dataset: str) -> tuple[ImageSet, ImageSet]:
    return (
        load_dataset(dataset, "train", request.data, download=request.download),
        load_dataset(dataset, "test", request.data, download=request.download),
    )


def _run(
    request: PaperRequest,
    row: TableRow,
    seed: int,
    sets: tuple[ImageSet, ImageSet],
    on_epoch: Progress,
) -> dict[str, Any]:
    """One row with one seed."""
    made = _tdkan if row.network == "tdkan" else _baseline
    spec, parameters, right, n, seconds, epochs = made(request, row, seed, sets, on_epoch)
    if spec is not None:
        spec.save(network_path(request, row, seed))
    _state(request, row, seed).unlink(missing_ok=True)
    if row.parameters not in (0, parameters):
        raise StudyError(
            f"{row.name} has {parameters:,} parameters, its row says {row.parameters:,}: mend "
            f"sizes or recipe in {request.table.name}.toml"
        )
    return {
        "row": row.name,
        "seed": seed,
        "parameters": parameters,
        "epochs": epochs,
        "n": n,
        "accuracy": right,
        "seconds": seconds,
        "dataset": sets[0].name,
        "analogkan": __version__,
        **made_with(),
    }


def _baseline(
    request: PaperRequest,
    row: TableRow,
    seed: int,
    sets: tuple[ImageSet, ImageSet],
    on_epoch: Progress,
) -> tuple[NetworkSpec | None, int, float, int, float, int]:
    """Of a network that is no TD-KAN: itself, if a circuit can be made of it, parameters,
    accuracy, test images, seconds, epochs."""
    if row.dataset not in request.table.training:
        raise DataError(
            f"{request.table.name} does not say how {row.dataset} is trained on: add "
            f"[training.{row.dataset}] to {request.table.name}.toml"
        )
    training = request.table.training[row.dataset]
    schedule = training.schedule(row, request.quick)
    images, judged = sets
    model, seconds = train_classifier(
        row.maker(), images, training.resize, schedule, seed=seed,
        state=_state(request, row, seed), on_epoch=lambda epoch: on_epoch(row, seed, epoch),
    )  # fmt: skip
    test = inputs_of(judged, training.resize, schedule)
    right = accuracy_of(model, test, judged.y)
    spec = None
    if isinstance(model, MLP) and row.activation in DEVICES:
        chosen = stratified(images.y, min(CALIBRATION_IMAGES, len(images)))
        spec = mlp_spec(
            model, row.activation, images.take(chosen).flat(training.resize),
            shape=training.resize, mean=training.mean, std=training.std, name=row.name,
            dataset=images.name,
        )  # fmt: skip
    return spec, parameter_count(model), right, len(judged), seconds, schedule.epochs


def _tdkan(
    request: PaperRequest,
    row: TableRow,
    seed: int,
    sets: tuple[ImageSet, ImageSet],
    on_epoch: Progress,
) -> tuple[NetworkSpec, int, float, int, float, int]:
    """The same of a TD-KAN."""
    recipe = row.plan(request.quick)
    images, judged = sets
    started = time.perf_counter()
    done = train(
        images, recipe, seed=seed, state=_state(request, row, seed),
        on_epoch=lambda epoch: on_epoch(row, seed, epoch),
    )  # fmt: skip
    seconds = time.perf_counter() - started
    spec = done.model.to_spec(
        done.encoding, name=row.name, dataset=images.name, calibration=done.calibration
    )
    answers = spec.logits(judged.flat(spec.encoding.shape)).argmax(axis=1)
    right = float((answers == judged.y).mean())
    return spec, parameter_count(done.model), right, len(judged), seconds, recipe.epochs


def _entry(request: PaperRequest, row: TableRow) -> dict[str, Any]:
    """A row's figures over its seeds."""
    kept = []
    for seed in range(request.seeds):
        path = _path(request, row, seed)
        try:
            kept.append(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise StudyError(f"{path} is damaged: remove it, and run the table again") from error
    accuracy = np.array([entry["accuracy"] for entry in kept])
    return {
        "row": row.name,
        "dataset": row.dataset,
        "network": row.label,
        "kind": row.kind,
        "parameters": kept[0]["parameters"],
        "printed": row.printed or None,
        "accuracy_mean": float(accuracy.mean()),
        "accuracy_min": float(accuracy.min()),
        "accuracy_max": float(accuracy.max()),
        "seeds": len(kept),
        "n": kept[0]["n"],
        "epochs": kept[0]["epochs"],
        "seconds": float(np.mean([entry["seconds"] for entry in kept])),
    }


def format_table(entries: Sequence[dict[str, Any]]) -> str:
    """The table as Markdown: printed and measured, in per cent."""
    lines = [
        "| data set | network | trained | parameters | printed | measured | range | seeds | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for e in entries:
        printed = "–" if e["printed"] is None else f"{e['printed']:.2f}"
        mean, low, high = (100 * e[f"accuracy_{part}"] for part in ("mean", "min", "max"))
        how = "as the paper" if e["kind"] == "paper" else "our recipe"
        lines.append(
            f"| {e['dataset']} | {e['network']} | {how} | {e['parameters']:,} | {printed} | "
            f"{mean:.2f} | {low:.2f} to {high:.2f} | {e['seeds']} | {e['seconds']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def write_rows(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV."""
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(entries[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)
