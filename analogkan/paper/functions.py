"""Functions, sensors' curves and two small classifications: TD-KANs beside MLPs and B-spline KANs,
in circuit and on chips.

The tasks are ``data.functions``'; the publications that have them give other measures of networks
of other sizes, so that no figure of theirs stands beside ours. Axes: n points, I inputs, K outputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.hardware import load_hardware
from ..compiler.verify import write_verified
from ..data import ImageSet, load_dataset
from ..data.functions import FUNCTIONS
from ..data.images import CLASSIFICATION, REGRESSION
from ..engines.chunked import BatchOptions
from ..errors import SettingsError
from ..files import write_text
from ..network.baselines import parameter_count
from ..network.measures import distance, straight_line
from ..network.spec import NetworkSpec
from ..network.targets import Targets
from ..studies.montecarlo import montecarlo
from ..studies.options import StudyOptions
from ..studies.simulate import simulate
from ..text import markdown_table, nearest
from ..training.fit import train
from ..training.goals import Goal, goal_of
from ..training.recipe import Recipe, load_recipe
from ..training.rivals import GRID, ORDER, fit_rival, rivals
from .entries import write_rows
from .kept import read_kept, write_kept
from .request import Request

RECIPE = "function-d2"
CLASSES = {"task": CLASSIFICATION, "hidden": (12,), "finish": 0}
"""What differs of classes: two outputs make 278 parameters of 12 hidden nodes; and of classes that
a network tells apart entirely the cross-entropy has no least value to finish at."""
CHIPS, SAMPLES = "rram", 50
QUICK_EPOCHS, QUICK_FINISH, QUICK_SAMPLES = 2, 20, 4
HEAD = (
    "function", "parameters", "TD-KAN", "range", "MLP", "KAN", "a line", "ideal", "nominal",
    "chips",
)  # fmt: skip
OF_CLASSES = (
    "classes", "parameters", "TD-KAN", "range", "MLP", "KAN", "a line", "ideal, same",
    "nominal, same", "chips",
)  # fmt: skip
KEYS = ("function", "parameters", "tdkan", "mlp", "spline", "line", "circuit_ideal", "chips")


@dataclass(frozen=True, kw_only=True)
class FunctionsRequest(Request):
    """What to run, and where it is kept: ``only`` some functions, ``jobs`` at a time."""

    only: tuple[str, ...] = ()
    jobs: int = 1

    def functions(self) -> tuple[str, ...]:
        """The functions asked for; SettingsError if there is none of a name."""
        for name in self.only:
            if name not in FUNCTIONS:
                raise SettingsError(
                    f"--only {name}: there is no such function{nearest(name, FUNCTIONS)} Known: "
                    f"{', '.join(FUNCTIONS)}"
                )
        return tuple(name for name in FUNCTIONS if not self.only or name in self.only)


def run_functions(
    request: FunctionsRequest, on_progress: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Train, compile, verify and simulate what is not kept yet; a row a function.

    RMSE on the 500 test points as shares of the training targets' span: of software the mean and
    range over seeds; of the circuit (seed 0) against software; of chips (seed 0) their mean. Of
    classes the share that is right, and of the circuit the share in software's class.
    """
    names, stem = request.functions(), request.stem("functions")
    folder, rows = request.out / stem, []
    values = load_recipe(RECIPE, epochs=QUICK_EPOCHS if request.quick else None)
    if request.quick:
        values = replace(values, finish=QUICK_FINISH)
    with request.kept("functions") as log:
        on_progress = log.following(on_progress)
        folder.mkdir(parents=True, exist_ok=True)
        for k, name in enumerate(names):
            on_progress(name, k, len(names))
            images = {split: load_dataset(name, split) for split in ("train", "test")}
            recipe = values
            if images["train"].task == CLASSIFICATION:
                recipe = replace(values, **CLASSES)
            plan = {"recipe": asdict(recipe), "seeds": request.seeds}
            plan |= {"data": _hash(images), "grid": [GRID, ORDER], "chips": [CHIPS, SAMPLES]}
            kept = folder / f"{name}.json"
            row = read_kept(kept, json.loads(json.dumps(plan)), KEYS, refuse=False)
            if row is None:
                row = _run(name, images, recipe, request, folder)
                write_kept(kept, plan, row)
            rows.append({key: value for key, value in row.items() if key != "plan"})
        on_progress("functions", len(names), len(names))
        table, text = request.out / f"{stem}.csv", request.out / f"{stem}.md"
        write_rows(table, rows)
        parts = [f"{what}, {request.seeds} seeds:\n\n{markdown_table(head, cells)}"
                 for what, head, cells in tables(rows)]  # fmt: skip
        write_text(text, "\n".join(parts))
    return {"name": "functions", "rows": rows, "csv": str(table), "md": str(text)}


def _hash(images: dict[str, ImageSet]) -> str:
    return hashlib.sha256(json.dumps([i.facts() for i in images.values()]).encode()).hexdigest()


def _run(
    name: str,
    images: dict[str, ImageSet],
    recipe: Recipe,
    request: FunctionsRequest,
    folder: Path,
) -> dict[str, Any]:
    """The row of a function."""
    known, test = images["train"], images["test"]
    goal = goal_of(known)
    specs: list[NetworkSpec] = []
    found: dict[str, list[float]] = {"tdkan": [], "mlp": [], "spline": []}
    parameters: dict[str, int] = {}
    for seed in range(request.seeds):
        done = train(known, recipe, seed=seed)
        spec = done.model.to_spec(
            done.encoding, name=f"{name}-{seed}", dataset=name, calibration=done.calibration,
            targets=done.targets,
        )  # fmt: skip
        specs.append(spec)
        found["tdkan"].append(_measured(goal.targets, test, spec.logits(test.x)))
        parameters["tdkan"] = parameter_count(done.model)
        for kind, make in rivals(known.x.shape[1], goal.outputs, parameters["tdkan"]).items():
            given, parameters[kind] = fit_rival(make, known, test, goal, recipe, seed)
            found[kind].append(_measured(goal.targets, test, given))
    row: dict[str, Any] = {"function": name, "what": FUNCTIONS[name].what, "task": test.task}
    row |= {"n": len(test)}
    row |= {"parameters": parameters["tdkan"]}
    row |= {f"parameters_{kind}": parameters[kind] for kind in ("mlp", "spline")}
    for kind, shares in found.items():
        row |= {kind: float(np.mean(shares)), f"{kind}_low": min(shares)}
        row |= {f"{kind}_high": max(shares), f"{kind}_seeds": request.seeds}
    row["line"] = _line(goal, known, test)
    return row | _in_circuit(name, specs[0], test, request, folder)


def _measured(targets: Targets | None, test: ImageSet, z: np.ndarray) -> float:
    """The RMSE of outputs ``z`` (n, K) as a share of span; of classes the share that is right."""
    if targets is None:
        return float((z.argmax(axis=1) == test.y).mean())
    return distance(targets, test.y, targets.values(z), ci95=False).share


def _line(goal: Goal, known: ImageSet, test: ImageSet) -> float:
    """The same of the best linear read-out of the inputs."""
    wanted = goal.wanted.numpy()
    if goal.targets is None:
        wanted = np.eye(goal.outputs)[wanted]
    return _measured(goal.targets, test, straight_line(known.x, test.x, wanted))


def _in_circuit(
    name: str, spec: NetworkSpec, test: ImageSet, request: FunctionsRequest, folder: Path
) -> dict[str, Any]:
    """The circuit against software, with ideal and with nominal op-amps, and chips."""
    found: dict[str, Any] = {}
    for preset in ("ideal", "nominal"):
        build = write_verified(spec, load_hardware(preset), folder / f"{name}-{preset}.build")
        run = folder / f"{name}-{preset}.run"
        s = simulate(build, test, run=run, options=BatchOptions(jobs=request.jobs)).summary
        values = spec.targets is not None
        found[f"circuit_{preset}"] = s["rmse_between"] / s["span"] if values else s["agreement"]
    samples = QUICK_SAMPLES if request.quick else SAMPLES
    options = StudyOptions(run=folder / f"{name}-chips.run", jobs=request.jobs)
    trim = ["trim=dark"]  # that of rows which are kept
    s = montecarlo(
        build, test, samples=samples, preset=CHIPS, settings=trim, options=options
    ).summary
    mean, span = ("rmse_mean", s["span"]) if spec.targets is not None else ("accuracy_mean", 1.0)
    ci95 = s[f"{mean}_ci95"]
    found |= {"chips": s[mean] / span, "samples": samples}
    return found | {"chips_ci95": ci95 and [end / span for end in ci95]}


def tables(rows: list[dict[str, Any]]) -> Iterator[tuple[str, tuple[str, ...], list[list[str]]]]:
    """What it shows, head and cells of a table of functions, and of one of classes."""
    for task, what, head in (
        (REGRESSION, "RMSE, per cent of span", HEAD),
        (CLASSIFICATION, "Accuracy, per cent", OF_CLASSES),
    ):
        mine = [_cells(entry) for entry in rows if entry["task"] == task]
        if mine:
            yield what, head, mine


def _cells(entry: dict[str, Any]) -> list[str]:
    """A row as a table shows it, per cent."""
    digits = ".3f" if entry["task"] == REGRESSION else ".1f"
    short = ".2g" if entry["task"] == REGRESSION else ".1f"
    rivals = (format(100 * entry[key], short) for key in ("mlp", "spline", "line"))
    own = (format(100 * entry[key], digits) for key in ("tdkan", "tdkan_low", "tdkan_high"))
    mean, low, high = own
    circuit = (format(100 * entry[f"circuit_{k}"], short) for k in ("ideal", "nominal"))
    return [
        entry["function"], str(entry["parameters"]), mean, f"{low} to {high}", *rivals, *circuit,
        f"{100 * entry['chips']:.2f}",
    ]  # fmt: skip
