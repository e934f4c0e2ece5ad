"""``analogkan paper``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.progress import Progress

from ..api.progress import follow
from ..paper.experiment import (
    CIRCUITS,
    CURVES,
    FUNCTIONS,
    NAMES,
    NODES,
    NOISE,
    WITHOUT,
    meaningless,
    run_experiment,
)  # fmt: skip
from ..threads import default_jobs
from . import common


@click.command(short_help="Run a table or figure of the paper anew, beside what it prints.")
@click.argument("name", type=common.Choice(NAMES))
@common.data_option
@common.download_option
@click.option(
    "--out",
    type=common.FOLDER,
    default=Path("paper.run"),
    show_default=True,
    help="Folder of results; what is finished in it is not run again.",
)
@click.option("--seeds", type=common.Whole(1, 100), default=3, show_default=True)
@click.option(
    "--quick",
    is_flag=True,
    help="2 epochs, fewer chips, without --only the first data set alone: to see that it works.",
)
@click.option("--only", multiple=True, metavar="ROW|DATASET", help="Only this; may be given again.")
@click.option(
    "--jobs", type=common.Whole(1, 256), help="Simulations at a time; by default the cores."
)
@common.json_option
@common.guarded
def paper(name, data, download, out, seeds, quick, only, jobs, as_json) -> None:
    """Run a table or figure of arXiv 2510.23638, and print ours beside the printed figures.

    \b
    table1         MLPs with device curves, KANs of B-splines and Gottlieb polynomials, TD-KANs,
                   on three data sets; as the paper trains them, and by recipes of our own at the
                   same parameter count
    fig1           the activations' curves
    fig3, fig4     polynomials and line segments through the diodes' curves, and what they miss
    fig5, 6, 7     which diodes, on MNIST, Fashion-MNIST, CIFAR-10
    fig8           accuracy against relative error of the coefficients, for networks of several
                   sizes, in software, in the twin and in ngspice
    fig9           activations of one MLP
    functions      functions and sensors' curves that need no data: TD-KANs of at most 300
                   parameters beside MLPs and B-spline KANs, in circuit and on chips
    nodes          accuracy against hidden nodes, crosspoints, amplifiers and energy of TD-KANs and
                   of MLPs of the same diodes, and how much of each equal accuracy takes
    circuits       the table's networks of devices (seed 0) in ngspice, on a subset of the images
    figa5, a6, a7  learning rate, batch, hidden sizes on the three data sets

    Each test set is read once a row and seed. OUT keeps what is finished, with NAME.csv, NAME.png
    and mostly NAME.md; the same command goes on with what is left.

    \b
    Examples:
      analogkan paper table1 --quick --seeds 1 --data ./data
      analogkan paper table1 --data ./data --only mnist
      analogkan paper fig8 --quick --seeds 1 --data ./data
    """
    source = click.get_current_context().get_parameter_source
    told = meaningless(name, (o for o in WITHOUT if source(o) is not ParameterSource.DEFAULT))
    if told:
        raise click.UsageError(f"--{told}")
    if name in CIRCUITS and seeds > 1 and source("seeds") is not ParameterSource.DEFAULT:
        raise click.UsageError(f"--seeds {seeds}: circuits are of seed 0 alone")
    with common.progress(as_json) as bar:
        on_progress = follow(bar)
        found = run_experiment(
            name, out=out, data=data, download=download, seeds=seeds, quick=quick, only=only,
            jobs=jobs or default_jobs(), on_progress=on_progress, command=common.command_line(),
            on_epoch=_trains(on_progress) if name in CIRCUITS else _trains_rows(bar),
        )  # fmt: skip
    if not as_json:
        title = f"{name}-quick" if quick else name
        if name in NOISE:
            _print_losses(title, found["losses"])
        elif name in FUNCTIONS:
            from ..paper.functions import tables

            _print_tables(title, tables(found["rows"]))
        elif name in NODES:
            from ..paper.efficiency import BRIEF, tables

            _print_tables(title, tables(found["everything"], found["compared"], BRIEF))
        elif name in CIRCUITS:
            _print_circuits(title, found["rows"])
        elif name not in CURVES:
            _print_rows(found)

    def draw():
        from ..report.paper import experiment_figure

        return experiment_figure(name, found)

    picture = Path(found["csv"]).with_suffix(".png")
    if common.keep_picture(draw, picture):
        found |= {"figure": str(picture)}
    if as_json:
        common.print_json(found)
        return
    kept = [Path(found[kind]).name for kind in ("md", "csv", "figure") if kind in found]
    common.out.print(f"kept in {out}: {', '.join(kept)}")


def _trains(on_progress: Callable[[str, int, int], None]) -> Callable[..., None]:
    """A line for each network that circuits train."""
    return lambda row, seed, epoch: on_progress(f"training {row.name}", epoch.number, epoch.total)


def _trains_rows(bar: Progress) -> Callable[..., None]:
    """One line for all rows of a table: they are many."""
    tasks: list[Any] = []

    def on_epoch(row, seed: int, epoch) -> None:
        if not tasks:
            tasks.append(bar.add_task("", total=None))
        bar.update(
            tasks[0],
            completed=epoch.number,
            total=epoch.total,
            description=f"{row.name}, seed {seed}: {epoch.said}",
        )

    return on_epoch


def _print_losses(title: str, losses: list[dict[str, Any]]) -> None:
    from ..paper.tolerance import drawn, table_cells

    widths = list(dict.fromkeys(entry["hidden"] for entry in losses))
    cells, n = table_cells(losses), len(widths) + 1
    lost = common.table(
        f"{title}: points of accuracy lost, 95 %",
        "relative error",
        *(f"{w} hidden" for w in widths),
    )
    less = common.table(
        "of these less than the next smaller", "relative error",
        *(f"{large} than {small}" for small, large in itertools.pairwise(widths)),
    )  # fmt: skip
    for row in cells:
        lost.add_row(*row[:n])
        less.add_row(row[0], *row[n:])
    common.out.print(lost)
    common.out.print(less)
    common.out.print(drawn(losses))


def _print_tables(title: str, tables: Iterable[tuple[str, Sequence[str], Any]]) -> None:
    for what, head, cells in tables:
        shown = common.table(f"{title}: {what}", *head)
        for row in cells:
            shown.add_row(*row)
        common.out.print(shown)


def _print_circuits(title: str, rows: list[dict[str, Any]]) -> None:
    shown = common.table(
        f"{title}, per cent; errors of full scale",
        "network", "n", "software", "circuit", "same", "error", "s an image", "MB",
    )  # fmt: skip
    for e in rows:
        shown.add_row(
            e["row"],
            str(e["n"]),
            *(f"{100 * e[k]:.2f}" for k in ("software_accuracy", "circuit_accuracy")),
            f"{100 * e['agreement']:.2f}",
            f"{e['error_of_full_scale']:.1e}",
            f"{e['seconds_per_image']:.2g}",
            "–" if e["megabytes"] is None else f"{e['megabytes']:,.0f}",
        )
    common.out.print(shown)


def _print_rows(found: dict[str, Any]) -> None:
    from ..paper.entries import apart, measured, printed

    for how, group in apart(found["rows"]).items():
        shown = common.table(
            f"{Path(found['md']).stem}, {how}, per cent",
            "network", "parameters", "printed", "measured", "range", "seeds", "s",
        )  # fmt: skip
        for entry in group:
            *figures, seconds = measured(entry)
            shown.add_row(
                f"{entry['dataset']}: {entry['network']}",
                f"{entry['parameters']:,}",
                printed(entry),
                *figures,
                str(entry["seeds"]),
                seconds,
            )
        common.out.print(shown)
