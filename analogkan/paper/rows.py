"""What a table of the paper is made of, from its TOML file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..errors import SettingsError
from ..network.baselines import MLP, GottliebKAN, SplineKAN
from ..settings import build, find_named, read_toml, require
from ..training.classifier import Schedule

FOLDER = "paper"
NETWORKS = ("mlp", "spline", "gottlieb", "tdkan")
KINDS = ("paper", "own")
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
        The table's count, which the network must have.
    printed
        The table's accuracy, per cent; 0 where it has none.
    kind
        ``paper``: trained as the paper says; ``own``: by a recipe of ours.
    """

    name: str
    label: str
    dataset: str
    network: str
    sizes: tuple[int, ...]
    parameters: int
    printed: float = 0.0
    kind: str = "paper"
    activation: str = ""
    scaler: bool = False
    recipe: str = ""

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


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the rows of a data set that are no TD-KANs are trained: see ``Schedule``."""

    resize: tuple[int, ...]
    epochs: int
    learning_rate: float
    mean: float
    std: float

    def schedule(self, quick: bool) -> Schedule:
        """For all epochs, or for ``QUICK_EPOCHS``."""
        found = Schedule(
            epochs=self.epochs, learning_rate=self.learning_rate, mean=self.mean, std=self.std
        )
        return replace(found, epochs=QUICK_EPOCHS) if quick else found


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: its rows, and by data set how they are trained."""

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


def load_table(name: str) -> Table:
    """A shipped table by name; SettingsError if there is none, or its file is wrong."""
    path = find_named(name, FOLDER, "table")
    document: dict[str, Any] = read_toml(path, "table")
    rows = tuple(
        build(TableRow, entry, f"{name}, row {k + 1}")
        for k, entry in enumerate(document.get("row", []))
    )
    training = {
        dataset: build(Training, entry, f"{name}, training of {dataset}")
        for dataset, entry in document.get("training", {}).items()
    }
    return Table(name=name, rows=rows, training=training)
