# pyright: strict
"""The paper's tables and figures anew."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import SettingsError
from ..objects import as_path, check_flags, require_type
from ..paper.experiment import CIRCUITS, NAMES, meaningless, run_experiment
from ..results import Fact, Figure, Result
from ..tables import Table, table_of
from ..text import many, nearest
from ..threads import default_jobs
from . import given
from .given import AnyPath
from .progress import shown_progress


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Reproduced(Result):
    """What ``reproduce`` found.

    Attributes
    ----------
    name
        Of the table or figure.
    summary
        Its rows, and the files that were made.
    """

    name: str

    def title(self) -> str:
        return f"{self.name}: {many(self.table().height, 'row')}"

    def headline(self) -> list[Fact]:
        files = [kind for kind in ("csv", "md") if kind in self.summary]
        return [Fact(kind, self.summary[kind]) for kind in files]

    def table(self) -> Table:
        """Its rows as columns."""
        return table_of(self.summary["rows"])

    def figures(self) -> list[Figure]:
        from ..report.paper import experiment_figure

        draw = partial(experiment_figure, self.name, self.summary)
        return [Figure(self.name, f"{self.name} of the paper, anew.", draw)]


def reproduce(
    name: str,
    out: AnyPath = "paper.run",
    *,
    data: AnyPath = "data",
    download: bool = False,
    seeds: int | None = None,
    quick: bool = False,
    only: str | tuple[str, ...] | list[str] = (),
    jobs: int | None = None,
    progress: bool = True,
) -> Reproduced:
    """Run a table or figure of arXiv 2510.23638, beside what it prints.

    Parameters
    ----------
    name
        Such as ``table1``, ``fig3`` or ``circuits``: see ``analogkan paper --help``.
    out
        Folder of results; what is finished in it is not run again.
    data, download
        As for ``load_dataset``.
    seeds
        Trainings of each row; by default 3, of circuits 1.
    quick
        2 epochs, fewer chips, the first data set alone: to see that it works.
    only
        Rows, families or data sets.
    jobs
        Simulations at a time; by default all cores.
    progress
        Show a bar in a notebook or on a terminal, elsewhere a line a minute on stderr.

    Raises
    ------
    AnalogKanError
        If the name is unknown, an option has no meaning for it, or what it needs cannot be used;
        what is finished is kept.

    Examples
    --------
    >>> found = ak.reproduce("fig3")
    >>> "order" in found.table()
    True
    """
    require_type(name, str, "name", "a table or figure, such as 'table1'")
    if name not in NAMES:
        raise SettingsError(f"name = {name!r} is unknown{nearest(name, NAMES)} Known: {NAMES}")
    given.check_whole(seeds=seeds, jobs=jobs)
    check_flags(download=download, quick=quick)
    rows = (only,) if isinstance(only, str) else tuple(only)
    asked = {"seeds": seeds is not None, "only": bool(rows), "quick": quick}
    told = meaningless(name, (option for option, is_given in asked.items() if is_given))
    if told:
        raise SettingsError(told)
    if name in CIRCUITS and seeds not in (None, 1):
        raise SettingsError(f"seeds = {seeds}: circuits are of seed 0 alone")
    with shown_progress(progress) as on_progress:

        def on_epoch(row: Any, seed: int, epoch: Any) -> None:
            on_progress(f"training {row.name}, seed {seed}", epoch.number, epoch.total)

        found = run_experiment(
            name,
            out=as_path(out, "out"),
            data=as_path(data, "data"),
            download=download,
            seeds=3 if seeds is None else seeds,
            quick=quick,
            only=rows,
            jobs=default_jobs() if jobs is None else jobs,
            on_epoch=on_epoch,
            on_progress=on_progress,
        )
    return Reproduced(name=name, summary=found)
