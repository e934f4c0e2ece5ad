"""Functions and sensors' curves: TD-KANs beside MLPs and B-spline KANs, in circuit and on chips.

The tasks are ``data.functions``'; the publications that have them give other measures of networks
of other sizes, so that no figure of theirs stands beside ours. Axes: n points, I inputs, K targets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.hardware import load_hardware
from ..compiler.verify import write_verified
from ..data import ImageSet, load_dataset
from ..data.functions import FUNCTIONS
from ..engines.batch import BatchOptions
from ..errors import SettingsError
from ..files import write_text
from ..network.baselines import parameter_count
from ..network.measures import distance
from ..network.spec import NetworkSpec
from ..network.targets import Targets
from ..studies.conduct import StudyOptions
from ..studies.montecarlo import montecarlo
from ..studies.simulate import simulate
from ..text import markdown_table, nearest
from ..training.fit import train
from ..training.goals import targets_of
from ..training.recipe import Recipe, load_recipe
from ..training.rivals import GRID, ORDER, fit_rival, rivals
from .entries import write_rows
from .kept import read_kept, write_kept
from .request import Request

RECIPE = "function-d2"
TASKS = tuple(name for name in FUNCTIONS if name not in ("ring", "spirals"))
CHIPS, SAMPLES = "rram", 50
QUICK_EPOCHS, QUICK_FINISH, QUICK_SAMPLES = 2, 20, 4
HEAD = (
    "function", "parameters", "TD-KAN", "range", "MLP", "KAN", "a line", "ideal", "nominal",
    "chips",
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
            if name not in TASKS:
                raise SettingsError(
                    f"--only {name}: there is no such function{nearest(name, TASKS)} Known: "
                    f"{', '.join(TASKS)}"
                )
        return tuple(name for name in TASKS if not self.only or name in self.only)


def run_functions(
    request: FunctionsRequest, on_progress: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Train, compile, verify and simulate what is not kept yet; a row a function.

    RMSE on the 500 test points as shares of the training targets' span: of software the mean and
    range over seeds; of the circuit (seed 0) against software; of chips (seed 0) their mean.
    """
    names, stem = request.functions(), request.stem("functions")
    folder, rows = request.out / stem, []
    recipe = load_recipe(RECIPE, epochs=QUICK_EPOCHS if request.quick else None)
    finish = QUICK_FINISH if request.quick else recipe.finish
    with request.kept("functions"):
        folder.mkdir(parents=True, exist_ok=True)
        for k, name in enumerate(names):
            on_progress(name, k, len(names))
            images = {split: load_dataset(name, split) for split in ("train", "test")}
            plan = {"recipe": asdict(recipe), "finish": finish, "seeds": request.seeds}
            plan |= {"data": _hash(images), "grid": [GRID, ORDER], "chips": [CHIPS, SAMPLES]}
            kept = folder / f"{name}.json"
            row = read_kept(kept, json.loads(json.dumps(plan)), KEYS, refuse=False)
            if row is None:
                row = _run(name, images, recipe, finish, request, folder)
                write_kept(kept, plan, row)
            rows.append({key: value for key, value in row.items() if key != "plan"})
        on_progress("functions", len(names), len(names))
        table, text = request.out / f"{stem}.csv", request.out / f"{stem}.md"
        write_rows(table, rows)
        write_text(text, f"RMSE, per cent of span, {request.seeds} seeds:\n\n{format_rows(rows)}")
    return {"name": "functions", "rows": rows, "csv": str(table), "md": str(text)}


def _hash(images: dict[str, ImageSet]) -> str:
    return hashlib.sha256(json.dumps([i.facts() for i in images.values()]).encode()).hexdigest()


def _run(
    name: str,
    images: dict[str, ImageSet],
    recipe: Recipe,
    finish: int,
    request: FunctionsRequest,
    folder: Path,
) -> dict[str, Any]:
    """The row of a function."""
    known, test = images["train"], images["test"]
    targets = targets_of(known)
    recipe = Recipe(**{**asdict(recipe), "finish": finish})
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
        found["tdkan"].append(_share(targets, test, spec.logits(test.x)))
        parameters["tdkan"] = parameter_count(done.model)
        for kind, make in rivals(known.x.shape[1], len(targets), parameters["tdkan"]).items():
            given, parameters[kind] = fit_rival(make, known, test, targets, recipe, seed)
            found[kind].append(_share(targets, test, given))
    row: dict[str, Any] = {"function": name, "what": FUNCTIONS[name].what, "n": len(test)}
    row |= {"parameters": parameters["tdkan"]}
    row |= {f"parameters_{kind}": parameters[kind] for kind in ("mlp", "spline")}
    for kind, shares in found.items():
        row |= {kind: float(np.mean(shares)), f"{kind}_low": min(shares)}
        row |= {f"{kind}_high": max(shares), f"{kind}_seeds": request.seeds}
    row["line"] = _line(targets, known, test)
    return row | _in_circuit(name, specs[0], test, request, folder)


def _share(targets: Targets, test: ImageSet, z: np.ndarray) -> float:
    return distance(targets, test.y, targets.values(z), ci95=False).share


def _line(targets: Targets, known: ImageSet, test: ImageSet) -> float:
    """The same of the best linear read-out of the inputs."""

    def inputs(images: ImageSet) -> np.ndarray:
        return np.column_stack([images.x, np.ones(len(images))])

    solved = np.linalg.lstsq(inputs(known), targets.outputs(known.y))[0]
    return _share(targets, test, inputs(test) @ solved)


def _in_circuit(
    name: str, spec: NetworkSpec, test: ImageSet, request: FunctionsRequest, folder: Path
) -> dict[str, Any]:
    """The circuit against software, with ideal and with nominal op-amps, and chips."""
    found: dict[str, Any] = {}
    for preset in ("ideal", "nominal"):
        build = write_verified(spec, load_hardware(preset), folder / f"{name}-{preset}.build")
        run = folder / f"{name}-{preset}.run"
        s = simulate(build, test, run=run, options=BatchOptions(jobs=request.jobs)).summary
        found[f"circuit_{preset}"] = s["rmse_between"] / s["span"]
    samples = QUICK_SAMPLES if request.quick else SAMPLES
    options = StudyOptions(run=folder / f"{name}-chips.run", jobs=request.jobs)
    s = montecarlo(build, test, samples=samples, preset=CHIPS, options=options).summary
    ci95 = s["rmse_mean_ci95"]
    found |= {"chips": s["rmse_mean"] / s["span"], "samples": samples}
    return found | {"chips_ci95": ci95 and [end / s["span"] for end in ci95]}


def cells(entry: dict[str, Any]) -> list[str]:
    """A row as a table shows it, per cent."""
    shares = [entry[key] for key in ("mlp", "spline", "line", "circuit_ideal")]
    return [
        entry["function"],
        str(entry["parameters"]),
        f"{100 * entry['tdkan']:.3f}",
        f"{100 * entry['tdkan_low']:.3f} to {100 * entry['tdkan_high']:.3f}",
        *(f"{100 * share:.2g}" for share in shares),
        f"{100 * entry['circuit_nominal']:.2g}",
        f"{100 * entry['chips']:.2f}",
    ]


def format_rows(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    return markdown_table(HEAD, [cells(entry) for entry in rows])
