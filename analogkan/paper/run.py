"""Running a table: every row with every seed, kept as they are finished, never run twice."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..data import ImageSet, load_dataset, stratified
from ..data.images import count_classes
from ..errors import DataError, DivergedError, SettingsError, StudyError
from ..files import copy_file, write_text
from ..network.baselines import MLP, parameters_of
from ..network.mlp import DEVICES, mlp_spec
from ..network.model import TDKAN
from ..network.spec import NetworkSpec, load_spec
from ..training.classifier import accuracy_of, inputs_of, made_with, train_classifier
from ..training.fit import CALIBRATION_IMAGES, Epoch, train
from ..training.outline import config_of
from ..training.recipe import Recipe
from .entries import entry_of, format_table, write_rows
from .kept import kept_network, read_kept, write_kept
from .request import Request
from .rows import Table, TableRow, Training

Progress = Callable[[TableRow, int, Epoch], None]
KEYS = ("row", "seed", "dataset", "parameters", "epochs", "n", "accuracy", "seconds", "network")
"""Of a row's result with a seed."""


@dataclass(frozen=True, kw_only=True)
class PaperRequest(Request):
    """A table to run; quick is the first data set's rows alone, unless ``only`` names some.

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
        first = self.quick and not self.only
        return tuple(row for row in found if not first or row.dataset == found[0].dataset)

    @property
    def folder(self) -> Path:
        """Where results are kept, one a row and seed; with a suffix, what is made of them."""
        return self.out / self.stem(self.table.name)


def run_table(
    request: PaperRequest,
    *,
    on_epoch: Progress = lambda row, seed, epoch: None,
) -> dict[str, Any]:
    """Run what is not kept yet; every row's figures.

    Each test set is read once a row and seed, after the last epoch. A training that diverges is a
    result like others, without an accuracy. The table as CSV and Markdown is of all that is kept,
    asked for or not, and grows with every result.

    Raises
    ------
    SettingsError, DataError
        If a row, a recipe or a data set cannot be used.
    StudyError
        If the folder is another's, what it keeps was made by another plan, or a network has not the
        parameters that its row says.
    """
    rows = request.rows()
    names = {row.name for row in rows}
    with request.kept(request.table.name) as log:
        request.folder.mkdir(parents=True, exist_ok=True)
        sets: dict[str, tuple[ImageSet, ImageSet]] = {}
        for row in rows:
            for seed in range(request.seeds):
                if _kept(request, row, seed) is not None:
                    continue
                found = _of_equal_row(request, row, seed)
                if found is None:
                    if row.dataset not in sets:
                        sets = {row.dataset: _load(request, row.dataset)}
                    found = _run(request, row, seed, sets[row.dataset], on_epoch)
                    log.say(f"trained: {row.name}, seed {seed}")
                write_kept(_path(request, row, seed), _plan_document(request, row), found)
                _write(request)
        everything = _write(request)
    return {
        "name": request.table.name,
        "quick": request.quick,
        "rows": [entry for entry in everything if entry["row"] in names],
        "everything": everything,
        "csv": str(request.folder.with_suffix(".csv")),
        "md": str(request.folder.with_suffix(".md")),
    }


def _write(request: PaperRequest) -> list[dict[str, Any]]:
    """Write the table of all that is kept; its rows."""
    wanted, entries = request.rows(), []
    for row in request.table.rows:
        try:
            entry = _entry(request, row)
        except StudyError:
            if row in wanted:
                raise
            continue  # of another plan, or damaged: said when it is asked for
        entries += [entry] if entry else []
    write_text(request.folder.with_suffix(".md"), format_table(entries))
    write_rows(request.folder.with_suffix(".csv"), entries)
    return entries


def _path(request: PaperRequest, row: TableRow, seed: int) -> Path:
    return request.folder / f"{row.name}-seed{seed}.json"


def _network_path(request: PaperRequest, row: TableRow, seed: int) -> Path:
    """Where a trained network is kept that a circuit can be made of."""
    return _path(request, row, seed).with_suffix(".npz")


def network_of(request: PaperRequest, row: TableRow, seed: int) -> NetworkSpec:
    """The trained network of a row that is kept.

    Raises
    ------
    StudyError
        If it diverged, or its file is not there or is another's.
    """
    found = _kept(request, row, seed)
    if found is None or found["accuracy"] is None:
        raise StudyError(
            f"{row.name} diverged in training, so there is no circuit of it: leave it out "
            f"with --only, or lower its learning_rate in {request.table.name}.toml"
        )
    return kept_network(_network_path(request, row, seed), load_spec, found["network"])


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
    how = _plan(request, row)
    parameters = _checked(request, row, how, sets[0])
    path = _network_path(request, row, seed)
    path.unlink(missing_ok=True)
    state = path.with_suffix(".training")
    given = {"seed": seed, "state": state, "on_epoch": lambda epoch: on_epoch(row, seed, epoch)}
    found: dict[str, Any] = {"accuracy": None, "seconds": None, "network": None}
    try:
        if isinstance(how, Recipe):
            spec, found["accuracy"], found["seconds"] = _tdkan(row, how, sets, given)
        else:
            spec, found["accuracy"], found["seconds"] = _baseline(row, how, sets, given)
        if spec is not None:
            spec.save(path)
            found["network"] = spec.fingerprint()
    except DivergedError as error:
        found["diverged"] = str(error)
    state.unlink(missing_ok=True)
    return {
        "row": row.name,
        "seed": seed,
        "dataset": sets[0].name,
        "parameters": parameters,
        "epochs": how.epochs,
        "n": len(sets[1]),
        **found,
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
    """What a result of a row depends on beside its seed."""
    names = ("dataset", "network", "sizes", "parameters", "activation", "scaler")
    return {name: getattr(row, name) for name in names} | asdict(_plan(request, row))


def _checked(request: PaperRequest, row: TableRow, how: Recipe | Training, images: ImageSet) -> int:
    """A row's parameters, if its network takes the images and has as many as the row says."""
    sizes, parameters = _sizes_and_parameters(row, how, images)
    if sizes != row.sizes:
        raise SettingsError(
            f"{row.name} has sizes {row.sizes} in {request.table.name}.toml, but with the images "
            f"and classes of {images.name} they are {sizes}: mend the row"
        )
    if row.parameters not in (0, parameters):
        raise StudyError(
            f"{row.name} has {parameters:,} parameters, its row says {row.parameters:,}: mend "
            f"sizes or recipe in {request.table.name}.toml"
        )
    return parameters


def _sizes_and_parameters(
    row: TableRow, how: Recipe | Training, images: ImageSet
) -> tuple[tuple[int, ...], int]:
    """What a row's network is with these images: its widths, and its trained numbers."""
    classes = count_classes(images)
    if not isinstance(how, Recipe):
        sizes = (math.prod(how.resize), *row.sizes[1:-1], classes)
        return sizes, parameters_of(row.maker())
    config = config_of(how, tuple(how.resize or images.x.shape[1:]), classes)
    constant = 0 if how.biases else sum(outputs for _, outputs in config.shapes())
    return config.sizes, parameters_of(lambda: TDKAN(config)) - constant


def _kept(request: PaperRequest, row: TableRow, seed: int) -> dict[str, Any] | None:
    """The result of a row with a seed, if there is one."""
    return read_kept(_path(request, row, seed), _plan_document(request, row), KEYS)


def _of_equal_row(request: PaperRequest, row: TableRow, seed: int) -> dict[str, Any] | None:
    """The kept result of another row that is the same training, such as a figure's default."""
    plan = _plan_document(request, row)
    for other in request.table.rows:
        if other.name == row.name or _plan_document(request, other) != plan:
            continue
        if (found := _kept(request, other, seed)) is not None:
            network = _network_path(request, other, seed)
            if network.is_file():
                copy_file(network, _network_path(request, row, seed))
            return found | {"row": row.name}
    return None


def _baseline(
    row: TableRow, training: Training, sets: tuple[ImageSet, ImageSet], given: dict[str, Any]
) -> tuple[NetworkSpec | None, float, float]:
    """Of a network that is no TD-KAN: itself, if a circuit can be made of it, accuracy, seconds."""
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
    return spec, right, seconds


def _tdkan(
    row: TableRow, recipe: Recipe, sets: tuple[ImageSet, ImageSet], given: dict[str, Any]
) -> tuple[NetworkSpec, float, float]:
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
    return spec, right, seconds


def _entry(request: PaperRequest, row: TableRow) -> dict[str, Any]:
    """A row's figures over the seeds that are kept; empty without any."""
    paths = request.folder.glob(f"{row.name}-seed*.json")
    seeds = (path.stem.rpartition("-seed")[2] for path in paths)
    found = [_kept(request, row, seed) for seed in sorted(map(int, filter(str.isdigit, seeds)))]
    return entry_of(row, [entry for entry in found if entry is not None])
