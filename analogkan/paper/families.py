"""What ``paper nodes`` trains, from its TOML file: tasks, and the families of networks of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..network.mlp import DeviceMLP
from ..network.model import TDKAN
from ..settings import build, find_named, read_toml, require
from ..training.recipe import Recipe, load_recipe
from .rows import FOLDER, QUICK_EPOCHS

QUICK_FINISH = 20
"""Iterations of L-BFGS in a quick run."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One kind of network on one data set, in several sizes.

    Attributes
    ----------
    dataset, name
        ``name`` begins with what it is: ``tdkan``, or ``mlp``, of one device a hidden node.
    label
        As tables and figures have it.
    devices
        Of every input of a TD-KAN; of an MLP one, behind every hidden node.
    hidden
        Widths of the hidden layer, rising.
    rated_at
        That of them at which the learning rate is chosen.
    """

    dataset: str
    name: str
    label: str
    devices: tuple[str, ...]
    hidden: tuple[int, ...]
    rated_at: int

    def __post_init__(self) -> None:
        kind = self.name.partition("-")[0]
        require(kind in ("tdkan", "mlp"), "name", self.name, "tdkan or mlp, or begins so with a -")
        rising = list(self.hidden) == sorted({*self.hidden}) and len(self.hidden) > 1
        require(rising, "hidden", self.hidden, "two widths or more, rising")
        require(self.rated_at in self.hidden, "rated_at", self.rated_at, f"one of {self.hidden}")

    @property
    def network(self) -> type[TDKAN]:
        """What makes one of the networks."""
        return DeviceMLP if self.name.startswith("mlp") else TDKAN

    def recipe(self, recipe: Recipe, hidden: int) -> Recipe:
        """How one is trained: an MLP's inputs are one DAC each, of 0 to 1 V."""
        if self.network is DeviceMLP:
            recipe = replace(recipe, v_lo=0.0, v_hi=1.0, taps=())
        return replace(recipe, devices=self.devices, hidden=(hidden,))


@dataclass(frozen=True, kw_only=True)
class Task:
    """What the families of a data set have in common.

    Attributes
    ----------
    dataset, recipe, epochs
        What is trained on, how, and for how long.
    rates
        Learning rates to choose from.
    holdout
        Training images or points kept back for that choice alone.
    levels
        Accuracies, or shares of span that an RMSE is, at which families are compared.
    """

    dataset: str
    recipe: str
    epochs: int
    rates: tuple[float, ...]
    holdout: int
    levels: tuple[float, ...]

    def plan(self, quick: bool) -> Recipe:
        """The recipe that the families share."""
        recipe = load_recipe(self.recipe, epochs=QUICK_EPOCHS if quick else self.epochs)
        return replace(recipe, finish=QUICK_FINISH) if quick and recipe.finish else recipe


@dataclass(frozen=True, kw_only=True)
class NodesPlan:
    """Tasks, and the families of each; the first of a task's is what the others stand beside."""

    tasks: tuple[Task, ...]
    families: tuple[Family, ...]

    def task(self, family: Family) -> Task:
        """What ``family`` is trained for."""
        return next(task for task in self.tasks if task.dataset == family.dataset)

    @property
    def levels(self) -> dict[str, tuple[float, ...]]:
        """By data set what networks are compared at."""
        return {task.dataset: task.levels for task in self.tasks}


def load_nodes(name: str = "nodes") -> NodesPlan:
    """The plan in a TOML file; SettingsError if it is wrong."""
    document = read_toml(find_named(name, FOLDER, "figure"), "figure")
    tasks = tuple(build(Task, e, f"{name}, task {k + 1}") for k, e in enumerate(document["task"]))
    families = tuple(
        build(Family, e, f"{name}, family {k + 1}") for k, e in enumerate(document["family"])
    )
    known = [task.dataset for task in tasks]
    for family in families:
        require(family.dataset in known, f"{name}, dataset", family.dataset, f"one of {known}")
    return NodesPlan(tasks=tasks, families=families)
