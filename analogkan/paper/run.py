"""Running a table: every row with every seed, kept as they are finished, never run twice."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..data import ImageSet, load_dataset, stratified
from ..errors import DataError, DivergedError, StudyError
from ..files import atomic_file, write_text
from ..network.baselines import MLP, parameter_count
from ..network.mlp import DEVICES, mlp_spec
from ..network.spec import NetworkSpec
from ..training.classifier import accuracy_of, inputs_of, made_with, train_classifier
from ..training.fit import CALIBRATION_IMAGES, Epoch, train
from ..training.recipe import Recipe
from .request import Request
from .rows import Table, TableRow, Training

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

    Each test set is read once a row and seed, after the last epoch. A training that diverges is a
    result like others, without an accuracy. The Markdown table grows with every result.

    Raises
    ------
    SettingsError, DataError
        If a row, a recipe or a data set cannot be used.
    StudyError
        If the folder is another's, what it keeps was trained in another way, or a network has not
        the parameters that its row says.
    """
    rows = request.rows()
    md = request.out / f"{request.stem(request.table.name)}.md"
    with request.kept(request.table.name):
        sets: dict[str, tuple[ImageSet, ImageSet]] = {}
        for row in rows:
            for seed in range(request.seeds):
                if _kept(request, row, seed) is not None:
                    continue
                if row.dataset not in sets:
                    sets = {row.dataset: _load(request, row.dataset)}
                found = _run(request, row, seed, sets[row.dataset], on_epoch)
                write_text(_path(request, row, seed), json.dumps(found, indent=2) + "\n")
                write_text(md, format_table(_entries(request, rows)))
        entries = _entries(request, rows)
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
    parameters, right, seconds, told = row.parameters, None, None, ""
    state = _state(request, row, seed)
    given = {"seed": seed, "state": state, "on_epoch": lambda epoch: on_epoch(row, seed, epoch)}
    how = _plan(request, row)
    try:
        if isinstance(how, Recipe):
            spec, parameters, right, seconds = _tdkan(row, how, sets, given)
        else:
            spec, parameters, right, seconds = _baseline(row, how, sets, given)
        if spec is not None:
            spec.save(network_path(request, row, seed))
    except DivergedError as error:
        told = str(error)
    state.unlink(missing_ok=True)
    if row.parameters not in (0, parameters):
        raise StudyError(
            f"{row.name} has {parameters:,} parameters, its row says {row.parameters:,}: mend "
            f"sizes or recipe in {request.table.name}.toml"
        )
    return {
        "row": row.name,
        "seed": seed,
        "parameters": parameters,
        "epochs": how.epochs,
        "n": len(sets[1]),
        "accuracy": right,
        "diverged": told,
        "seconds": seconds,
        "dataset": sets[0].name,
        "plan": _plan_document(request, row),
        "analogkan": __version__,
        **made_with(),
    }


def _plan(request: PaperRequest, row: TableRow) -> Recipe | Training:
    """How a row is trained: a TD-KAN by its recipe, others as the table says of the data set."""
    if row.network == "tdkan":
        return row.plan(request.quick)
    if row.dataset not in request.table.training:
        raise DataError(
            f"{request.table.name} does not say how {row.dataset} is trained on: add "
            f"[training.{row.dataset}] to {request.table.name}.toml"
        )
    return request.table.training[row.dataset].schedule(row, request.quick)


def _plan_document(request: PaperRequest, row: TableRow) -> dict[str, Any]:
    """What a result of a row depends on beside its seed, as JSON gives it back."""
    of_row = {name: getattr(row, name) for name in ("network", "sizes", "activation", "scaler")}
    return json.loads(json.dumps(of_row | asdict(_plan(request, row))))


def _kept(request: PaperRequest, row: TableRow, seed: int) -> dict[str, Any] | None:
    """The result of a row with a seed, if there is one."""
    path = _path(request, row, seed)
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StudyError(f"{path} is damaged: remove it, and run the table again") from error
    plan, then = _plan_document(request, row), found.get("plan", {})
    changed = next((key for key in plan if plan[key] != then.get(key)), None)
    if changed is not None:
        raise StudyError(
            f"{path} was trained with {changed} = {then.get(changed)}, its row now has "
            f"{plan[changed]}: remove it, or give another --out"
        )
    return found


def _baseline(
    row: TableRow, training: Training, sets: tuple[ImageSet, ImageSet], given: dict[str, Any]
) -> tuple[NetworkSpec | None, int, float, float]:
    """Of a network that is no TD-KAN: itself, if a circuit can be made of it, parameters,
    accuracy, seconds."""
    images, judged = sets
    model, seconds = train_classifier(row.maker(), images, training.resize, training, **given)
    test = inputs_of(judged, training.resize, training)
    right = accuracy_of(model, test, judged.y)
    spec = None
    if isinstance(model, MLP) and row.activation in DEVICES:
        chosen = stratified(images.y, min(CALIBRATION_IMAGES, len(images)))
        spec = mlp_spec(
            model, row.activation, images.take(chosen).flat(training.resize),
            shape=training.resize, mean=training.mean, std=training.std, name=row.name,
            dataset=images.name,
        )  # fmt: skip
    return spec, parameter_count(model), right, seconds


def _tdkan(
    row: TableRow, recipe: Recipe, sets: tuple[ImageSet, ImageSet], given: dict[str, Any]
) -> tuple[NetworkSpec, int, float, float]:
    """The same of a TD-KAN."""
    images, judged = sets
    started = time.perf_counter()
    done = train(images, recipe, **given)
    seconds = time.perf_counter() - started
    spec = done.model.to_spec(
        done.encoding, name=row.name, dataset=images.name, calibration=done.calibration
    )
    answers = spec.logits(judged.flat(spec.encoding.shape)).argmax(axis=1)
    right = float((answers == judged.y).mean())
    return spec, parameter_count(done.model), right, seconds


def _entries(request: PaperRequest, rows: Sequence[TableRow]) -> list[dict[str, Any]]:
    """The figures of those rows that any seed of is kept."""
    return [entry for row in rows if (entry := _entry(request, row))]


def _entry(request: PaperRequest, row: TableRow) -> dict[str, Any]:
    """A row's figures over those of its seeds that are kept; empty without any."""
    found = [_kept(request, row, seed) for seed in range(request.seeds)]
    kept = [entry for entry in found if entry is not None]
    if not kept:
        return {}
    good = [entry for entry in kept if entry["accuracy"] is not None]
    accuracy = np.array([entry["accuracy"] for entry in good])
    return {
        "row": row.name,
        "dataset": row.dataset,
        "network": row.label,
        "kind": row.kind,
        "parameters": kept[0]["parameters"],
        "printed": row.printed or None,
        "accuracy_mean": float(accuracy.mean()) if good else None,
        "accuracy_min": float(accuracy.min()) if good else None,
        "accuracy_max": float(accuracy.max()) if good else None,
        "seeds": len(kept),
        "diverged": len(kept) - len(good),
        "n": kept[0]["n"],
        "epochs": kept[0]["epochs"],
        "seconds": float(np.mean([entry["seconds"] for entry in good])) if good else None,
    }


def measured(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Mean and range, per cent, and seconds of a row's seeds, as a table shows them."""
    if entry["accuracy_mean"] is None:
        return "diverged", "", ""
    mean, low, high = (100 * entry[f"accuracy_{part}"] for part in ("mean", "min", "max"))
    spread = f"{low:.2f} to {high:.2f}"
    if entry["diverged"]:
        spread += f"; {entry['diverged']} diverged"
    return f"{mean:.2f}", spread, f"{entry['seconds']:.0f}"


def format_table(entries: Sequence[dict[str, Any]]) -> str:
    """The table as Markdown: printed and measured, in per cent."""
    lines = [
        "| data set | network | trained | parameters | printed | measured | range | seeds | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for e in entries:
        printed = "–" if e["printed"] is None else f"{e['printed']:.2f}"
        mean, spread, seconds = measured(e)
        how = "as the paper" if e["kind"] == "paper" else "our recipe"
        lines.append(
            f"| {e['dataset']} | {e['network']} | {how} | {e['parameters']:,} | {printed} | "
            f"{mean} | {spread} | {e['seeds']} | {seconds} |"
        )
    return "\n".join(lines) + "\n"


def write_rows(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV; an interval becomes two columns."""
    entries = [_without_pairs(entry) for entry in entries]
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(entries[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)


def _without_pairs(entry: dict[str, Any]) -> dict[str, Any]:
    """``entry`` with ``..ci95_low`` and ``..ci95_high`` in the place of intervals."""
    found: dict[str, Any] = {}
    for key, value in entry.items():
        if key.endswith("ci95"):
            found[f"{key}_low"], found[f"{key}_high"] = value or (None, None)
        else:
            found[key] = value
    return found
