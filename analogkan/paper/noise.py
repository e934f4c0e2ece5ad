"""Fig. 8: accuracy against relative error of the coefficients, for networks of several sizes.

Three answers to one question: Theta (1 + delta) in software (Eq. 6 of arXiv 2510.23638), the same
error of every cell in the twin, and fewer such chips and images in ngspice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.build import Build
from ..compiler.hardware import Hardware
from ..data import ImageSet, by_class, load_dataset
from ..errors import StudyError
from ..files import write_text
from ..intervals import student
from ..network import checkpoint
from ..network.spec import NetworkSpec
from ..settings import build, find_named, read_toml, require
from ..studies.options import StudyOptions
from ..studies.sweep import sweep
from ..training.card import parameter_count
from ..training.fit import train
from ..training.recipe import load_recipe
from .circuits import compiled
from .entries import write_rows
from .kept import kept_network, read_kept, write_kept
from .request import Request
from .rows import FOLDER, QUICK_EPOCHS
from .tolerance import format_losses, losses

Progress = Callable[[str, int, int], None]
"""Called with what is done, how much of it is, and of how much."""
STREAM = 8
"""Of a software draw's random numbers, beside seed, error and number."""


@dataclass(frozen=True, kw_only=True)
class NoisePlan:
    """What the figure is made of.

    Attributes
    ----------
    dataset, recipe
        What the networks are trained on, and how.
    hidden
        Width of the hidden layer, one a network.
    errors
        Relative standard deviations.
    draws
        Networks in software, and chips in the twin, at each error.
    ngspice_chips, ngspice_images
        Chips at each error that ngspice simulates, on how many images.
    quick_draws, quick_images
        Of a quick run, of software and twin; ngspice then has one chip and a tenth of the images.
    """

    dataset: str
    recipe: str
    hidden: tuple[int, ...]
    errors: tuple[float, ...]
    draws: int
    ngspice_chips: int
    ngspice_images: int
    quick_draws: int
    quick_images: int

    def __post_init__(self) -> None:
        known = len(self.errors) > 1 and self.errors[0] == 0 < min(self.errors[1:])
        require(known, "errors", self.errors, "0, then some above 0")
        for name in ("draws", "ngspice_chips", "ngspice_images", "quick_draws", "quick_images"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")


@dataclass(frozen=True, kw_only=True)
class NoiseRequest(Request):
    """A figure of errors to run, with ``jobs`` chips at a time."""

    name: str
    jobs: int = 1

    def plan(self) -> NoisePlan:
        """What is run, from the figure's TOML file."""
        path = find_named(self.name, FOLDER, "figure")
        document = read_toml(path, "figure")
        found = build(NoisePlan, document, self.name)
        if not self.quick:
            return found
        return replace(
            found,
            draws=found.quick_draws,
            ngspice_chips=1,
            ngspice_images=max(2, found.ngspice_images // 10),
        )

    @property
    def folder(self) -> Path:
        """Where networks and studies are kept."""
        return self.out / self.stem(self.name)


def run_noise(
    request: NoiseRequest, on_progress: Progress = lambda what, done, total: None
) -> dict[str, Any]:
    """Train, compile and disturb every network; a row a network, seed, error and way, and what
    they say of the figure's claim (``tolerance.losses``), as Markdown.

    Finished trainings and chips are kept, and the same request goes on.

    Raises
    ------
    SettingsError, DataError, StudyError, SimulationError
        As ``train`` and ``sweep``.
    """
    plan = request.plan()
    rows: list[dict[str, Any]] = []

    @functools.cache
    def training_set() -> ImageSet:
        return load_dataset(plan.dataset, "train", request.data, download=request.download)

    with request.kept(request.name) as log:
        on_progress = log.following(on_progress)
        judged = load_dataset(plan.dataset, "test", request.data, download=request.download)
        if request.quick:
            judged = by_class(judged, plan.quick_images)
        fewer = by_class(judged, min(plan.ngspice_images, len(judged)))
        for hidden in plan.hidden:
            for seed in range(request.seeds):
                circuit = _circuit(request, plan, hidden, seed, training_set, on_progress)
                base = {"hidden": hidden, "parameters": parameter_count(circuit.spec), "seed": seed}
                for found in (
                    _software(circuit.spec, judged, plan, seed),
                    _chips(request, plan, circuit, judged, "twin", seed, on_progress),
                    _chips(request, plan, circuit, fewer, "ngspice", seed, on_progress),
                ):
                    rows += [base | row for row in found]
        found = losses(rows)
        md, table = (request.folder.with_suffix(suffix) for suffix in (".md", ".csv"))
        write_text(md, format_losses(found))
        write_rows(table, rows)
    return {
        "name": request.name,
        "quick": request.quick,
        "seeds": request.seeds,
        "rows": rows,
        "losses": found,
        "csv": str(table),
        "md": str(md),
    }


def _circuit(
    request: NoiseRequest,
    plan: NoisePlan,
    hidden: int,
    seed: int,
    training_set: Callable[[], ImageSet],
    on_progress: Progress,
) -> Build:
    """The BUILD of a network, trained and compiled if it is not there."""
    name = f"{plan.dataset}-{hidden}-seed{seed}"
    folder, model = request.folder / f"{name}.build", request.folder / f"{name}.pt"
    recipe = load_recipe(plan.recipe, epochs=QUICK_EPOCHS if request.quick else None)
    recipe = replace(recipe, hidden=(hidden,))
    made = {"dataset": plan.dataset} | asdict(recipe)
    kept = read_kept(model.with_suffix(".json"), made, ("network",))
    if kept is None:
        images = training_set()
        request.folder.mkdir(parents=True, exist_ok=True)
        state = model.with_suffix(".training")
        done = train(
            images, recipe, seed=seed, state=state,
            on_epoch=lambda epoch: on_progress(f"training {name}", epoch.number, epoch.total),
        )  # fmt: skip
        checkpoint.save(
            done.model, model, name=name, encoding=done.encoding, dataset=images.name,
            calibration=done.calibration, training={"recipe": plan.recipe, "seed": seed},
        )  # fmt: skip
        kept = {"network": checkpoint.load_spec(model).fingerprint()}
        write_kept(model.with_suffix(".json"), made, kept)
        state.unlink(missing_ok=True)
    spec = kept_network(model, checkpoint.load_spec, kept["network"])
    return compiled(spec, Hardware(), folder)[0]


def perturbed(spec: NetworkSpec, error: float, rng: np.random.Generator) -> NetworkSpec:
    """``spec`` with every coefficient times 1 + delta, delta ~ N(0, ``error``); biases as they are.

    Norms are folded first: what is disturbed is what a crossbar holds.
    """
    layers = [
        replace(layer, theta=layer.theta * (1 + error * rng.normal(size=layer.theta.shape)))
        for layer in spec.folded().layers
    ]
    return replace(spec, layers=tuple(layers))


def _software(
    spec: NetworkSpec, images: ImageSet, plan: NoisePlan, seed: int
) -> list[dict[str, Any]]:
    volts = spec.dac_volts(images.flat(spec.encoding.shape))
    rows = []
    for error in plan.errors:
        found = []
        for draw in range(plan.draws if error else 1):
            rng = np.random.default_rng(
                np.random.SeedSequence((seed, STREAM, round(1e9 * error), draw))
            )
            answers = perturbed(spec, error, rng).forward_volts(volts).argmax(axis=1)
            found.append(float((answers == images.y).mean()))
        drawn = {
            "chips": len(found),
            "accuracy_mean": float(np.mean(found)),
            "accuracy_std": float(np.std(found, ddof=1)) if len(found) > 1 else None,
            "accuracy_mean_ci95": student(np.array(found), least=0.0, most=1.0),
        }
        rows.append(_row("software", error, len(images), drawn))
    return rows


def _chips(
    request: NoiseRequest,
    plan: NoisePlan,
    circuit: Build,
    images: ImageSet,
    engine: str,
    seed: int,
    on_progress: Progress,
) -> list[dict[str, Any]]:
    """Chips whose cells are all off by the error, at each error."""
    run = request.folder / f"{circuit.name}-{engine}.run"
    samples = plan.draws if engine == "twin" else plan.ngspice_chips
    done = sweep(
        circuit,
        images,
        settings=[f"sigma_g={','.join(map(repr, plan.errors))}"],
        samples=samples,
        options=StudyOptions(engine=engine, jobs=request.jobs, run=run, judge="none", seed=seed),
        on_progress=lambda what, k, n: on_progress(f"{circuit.name}, {engine}", k, n),
    )
    rows = []
    for error, cell in zip(plan.errors, done.summary["cells"], strict=True):
        key = cell["labels"]["sigma_g"]
        if float(key) != error:
            raise StudyError(f"{run} has sigma_g = {key} where {error} was asked for")
        rows.append(_row(engine, error, len(images), cell))
    return rows


def _row(way: str, error: float, n: int, cell: dict[str, Any]) -> dict[str, Any]:
    """The figure's row for what ``sweep`` says of a cell."""
    return {
        "way": way,
        "error": error,
        "draws": cell["chips"],
        "n": n,
        "accuracy_mean": cell["accuracy_mean"],
        "accuracy_std": cell["accuracy_std"],
        "ci95": cell["accuracy_mean_ci95"],
    }
