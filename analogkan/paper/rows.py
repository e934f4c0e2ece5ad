"""What a table or figure of trained networks is made of, from its TOML file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import SettingsError
from ..network.baselines import MLP, GottliebKAN, SplineKAN
from ..settings import build, find_named, read_toml, require
from ..training.classifier import Schedule
from ..training.recipe import Recipe, load_recipe

FOLDER = "paper"
NETWORKS = ("mlp", "spline", "gottlieb", "tdkan")
KINDS = {"paper": "trained as the paper says", "own": "trained by our recipes"}
"""Of rows, and how a table says it."""
QUICK_EPOCHS = 2
"""Of a quick run: enough to see that a row works, not what it reaches."""


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One system of a table.

    Attributes
    ----------
    name
        Of its results.
    label
        As the table has it.
    dataset
        As for ``load_dataset``.
    network
        ``mlp`` (with ``activation``), ``spline`` (with ``scaler``), ``gottlieb``, or ``tdkan``
        (with ``recipe``).
    sizes
        Widths.
    parameters
        The table's count, which the network must have; 0 where none is printed.
    printed
        The table's accuracy, per cent; 0 where it has none.
    kind
        ``paper``: trained as the paper says; ``own``: by a recipe of ours.
    devices, learning_rate, batch
        Instead of the recipe's, or of the data set's training; empty and 0 leave them.
    """

    name: str
    label: str
    dataset: str
    network: str
    sizes: tuple[int, ...]
    parameters: int = 0
    printed: float = 0.0
    kind: str = "paper"
    activation: str = ""
    scaler: bool = False
    recipe: str = ""
    devices: tuple[str, ...] = ()
    learning_rate: float = 0.0
    batch: int = 0

    def __post_init__(self) -> None:
        require(self.network in NETWORKS, "network", self.network, " or ".join(NETWORKS))
        require(self.kind in KINDS, "kind", self.kind, " or ".join(KINDS))
        wanted = (self.network == "tdkan") == bool(self.recipe)
        require(wanted, "recipe", self.recipe, "a recipe for tdkan, none for other networks")

    def maker(self) -> Callable[[], Any]:
        """What makes the network of a row that is no TD-KAN."""
        if self.network == "mlp":
            return lambda: MLP(self.sizes, self.activation)
        if self.network == "spline":
            return lambda: SplineKAN(self.sizes, scaler=self.scaler)
        return lambda: GottliebKAN(self.sizes)

    def changes(self) -> dict[str, Any]:
        """What the row has instead of a recipe's or a training's."""
        names = ("devices", "learning_rate", "batch")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    def plan(self, quick: bool) -> Recipe:
        """Of a TD-KAN: how it is trained."""
        recipe = load_recipe(self.recipe, epochs=QUICK_EPOCHS if quick else None)
        hidden = self.sizes[1 + len(recipe.convolutions) : -1]
        return replace(recipe, hidden=hidden, **self.changes())


@dataclass(frozen=True, kw_only=True)
class Training(Schedule):
    """How the rows of a data set that are no TD-KANs are trained, on images of ``resize``."""

    resize: tuple[int, ...]
    mean: tuple[float, ...] = field()  # no default: a table says it
    std: tuple[float, ...] = field()

    def schedule(self, row: TableRow, quick: bool) -> Training:
        """Of a row, for all epochs or for ``QUICK_EPOCHS``."""
        return replace(self, epochs=QUICK_EPOCHS if quick else self.epochs, **row.changes())


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, or a figure of as many networks: its rows, and by data set how they are trained."""

    name: str
    rows: tuple[TableRow, ...]
    training: dict[str, Training]

    def chosen(self, words: tuple[str, ...]) -> tuple[TableRow, ...]:
        """The rows whose name or data set is among ``words``; all without any.

        Raises
        ------
        SettingsError
            If a word is neither.
        """
        known = {row.name for row in self.rows} | {row.dataset for row in self.rows}
        for word in words:
            if word not in known:
                raise SettingsError(
                    f"--only {word!r} is no row or data set of {self.name}: "
                    f"{', '.join(sorted(known))}"
                )
        return tuple(r for r in self.rows if not words or {r.name, r.dataset} & {*words})


AXES = {
    "devices": lambda value: (" + ".join(value), "-".join(value).lower()),
    "activation": lambda value: (value, value),
    "learning_rate": lambda value: (f"learning rate {value:g}", f"rate-{value:g}"),
    "batch": lambda value: (f"batch {value}", f"batch-{value}"),
    "sizes": lambda value: (f"hidden {value[1:-1]}", "hidden-" + "-".join(map(str, value[1:-1]))),
}
"""What a grid of rows may go over, and how a value is called in a label and in a name."""


def grid_rows(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a ``[[grid]]``: its own entries, each value of each of its ``axes`` by itself."""
    axes = dict(entry.pop("axes", {}))
    unknown = sorted(set(axes) - set(AXES))
    if unknown:
        raise SettingsError(f"axis {unknown[0]!r} of a grid is none of {', '.join(AXES)}")
    found = []
    for axis, values in axes.items():
        for value in values:
            label, name = AXES[axis](value)
            found.append(
                entry | {axis: value, "label": label, "name": f"{entry['dataset']}-{name}"}
            )
    return found


def load_table(name: str) -> Table:
    """A shipped table by name; SettingsError if there is none, or its file is wrong."""
    path = find_named(name, FOLDER, "table")
    document: dict[str, Any] = read_toml(path, "table")
    entries = [*document.get("row", [])]
    for grid in document.get("grid", []):
        entries += grid_rows(grid)
    rows = tuple(build(TableRow, entry, f"{name}, row {k + 1}") for k, entry in enumerate(entries))
    training = {
        dataset: build(Training, entry, f"{name}, training of {dataset}")
        for dataset, entry in document.get("training", {}).items()
    }
    return Table(name=name, rows=rows, training=training)
