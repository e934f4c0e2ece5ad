"""``analogkan paper``."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .. import resources
from ..api.progress import follow as follow_bar
from ..engines.threads import default_jobs
from ..text import percent
from . import common

CURVES = ("fig1", "fig3", "fig4")
SHOWN = {
    "fig1": ("activations_figure",),
    "fig3": ("fits_figure", "order", "order of the polynomial"),
    "fig4": ("fits_figure", "segments", "line segments"),
}
"""What of ``report.paper`` draws each of them, and what it takes beside the rows."""
NOISE = ("fig8",)
CIRCUITS = ("circuits",)
NAMES = sorted({*CURVES, *(path.stem for path in resources.path("paper").glob("*.toml"))})
WITHOUT = {"seeds": CURVES, "only": CURVES + NOISE, "quick": CURVES}
WHY = {
    "seeds": "nothing is trained",
    "only": "tables and circuits have rows to choose from",
    "quick": "it takes seconds",
}


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
    for option, without in WITHOUT.items():
        if name in without and source(option) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{option} has no meaning for {name}: {WHY[option]}")
    if name in CIRCUITS and seeds > 1 and source("seeds") is not ParameterSource.DEFAULT:
        raise click.UsageError(f"--seeds {seeds}: circuits are of seed 0 alone")
    given = {"out": out, "data": data, "download": download, "seeds": seeds, "quick": quick}
    if name in CURVES:
        found = _curves(name, out)
    elif name in NOISE:
        found = _noise(name, given | {"jobs": jobs or default_jobs()}, as_json)
    elif name in CIRCUITS:
        given |= {"seeds": 1}
        found = _circuits(name, given, only, jobs or default_jobs(), as_json)
    else:
        found = _rows(name, given | {"only": only}, as_json)
    if as_json:
        common.print_json(found)
        return
    kept = [Path(found[kind]).name for kind in ("md", "csv", "figure") if kind in found]
    common.out.print(f"kept in {out}: {', '.join(kept)}")


def _picture(found: dict[str, Any], maker: str, *shown: Any) -> dict[str, Any]:
    """``found`` with its picture, which ``report.paper`` has a maker of, kept beside its CSV."""

    def draw():
        from ..report import paper as figures

        return getattr(figures, maker)(*shown)

    picture = Path(found["csv"]).with_suffix(".png")
    return found | ({"figure": str(picture)} if common.keep_picture(draw, picture) else {})


def _curves(name: str, out: Path) -> dict[str, Any]:
    from ..paper.curves import CURVES as MAKERS
    from ..paper.entries import write_rows
    from ..paper.request import Request

    rows = MAKERS[name]()
    table, (maker, *axis) = out / f"{name}.csv", SHOWN[name]
    with Request(out=out).kept(name):
        write_rows(table, rows)
    return _picture({"name": name, "rows": rows, "csv": str(table)}, maker, rows, *axis)


def _noise(name: str, given: dict[str, Any], as_json: bool) -> dict[str, Any]:
    from ..paper.noise import NoiseRequest, run_noise

    request = NoiseRequest(name=name, **given)
    with common.progress(as_json) as bar:
        found = run_noise(request, follow_bar(bar, lambda what: what))
    if not as_json:
        _print_losses(request.folder.name, found["losses"])
    return _picture(found, "noise_figure", found["losses"])


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


def _circuits(
    name: str, given: dict[str, Any], only: tuple[str, ...], jobs: int, as_json: bool
) -> dict[str, Any]:
    from ..paper.circuits import circuit_plan, run_circuits
    from ..paper.rows import load_table
    from ..paper.run import PaperRequest

    plan = circuit_plan(name, only, quick=given["quick"])
    wanted = tuple(row.name for row in plan.rows)
    request = PaperRequest(table=load_table(plan.table), only=wanted, **given)
    with common.progress(as_json) as bar:
        follow = follow_bar(bar, lambda what: what)

        def on_epoch(row, seed: int, epoch) -> None:
            follow(f"training {row.name}", epoch.number, epoch.total)

        found = run_circuits(request, name, jobs=jobs, on_epoch=on_epoch, on_progress=follow)
    if not as_json:
        shown = common.table(
            f"{request.stem(name)}, per cent; errors of full scale",
            "network", "n", "software", "circuit", "same", "error", "s an image", "MB",
        )  # fmt: skip
        for e in found["rows"]:
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
    return _picture(found, "circuits_figure", found["everything"])


def _rows(name: str, given: dict[str, Any], as_json: bool) -> dict[str, Any]:
    from ..paper.rows import load_table
    from ..paper.run import PaperRequest, run_table

    request = PaperRequest(table=load_table(name), **given)
    with common.progress(as_json) as bar:
        task = bar.add_task("", total=None)

        def on_epoch(row, seed: int, epoch) -> None:
            bar.update(
                task,
                completed=epoch.number,
                total=epoch.total,
                description=f"{row.name}, seed {seed}: {percent(epoch.accuracy)} of train",
            )

        found = run_table(request, on_epoch=on_epoch)
    if not as_json:
        _print_rows(found)
    return _picture(found, "table_figure", found["everything"])


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
