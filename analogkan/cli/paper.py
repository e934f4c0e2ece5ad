"""``analogkan paper``."""

from __future__ import annotations

from pathlib import Path

import click

from ..text import percent
from . import common


@click.command(short_help="Run a table of the paper anew, beside what it prints.")
@click.argument("name", type=click.Choice(["table1"]))
@common.data_option
@common.download_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("paper.run"),
    show_default=True,
    help="Folder of results; rows finished in it are not run again.",
)
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option("--quick", is_flag=True, help="MNIST's rows, 2 epochs: to see that it works.")
@click.option("--only", multiple=True, metavar="ROW|DATASET", help="Only this; may be given again.")
@common.json_option
@common.guarded
def paper(name, data, download, out, seeds, quick, only, as_json) -> None:
    """Train the systems of a table of arXiv 2510.23638, and print ours beside the printed figures.

    table1: MLPs with device curves, KANs of B-splines and Gottlieb polynomials, and TD-KANs on
    MNIST and Fashion-MNIST; rows trained as the paper says, and by recipes of our own at the same
    parameter count. Each test set is read once a row and seed. OUT keeps a file a row and seed,
    table1.csv, table1.md and table1.png; the same command goes on with what is left.

    \b
    Examples:
      analogkan paper table1 --quick --seeds 1 --data ./data
      analogkan paper table1 --data ./data --only mnist
    """
    from ..paper.rows import load_table
    from ..paper.run import PaperRequest, run_table

    request = PaperRequest(
        table=load_table(name), out=out, data=data, download=download,
        seeds=seeds, quick=quick, only=only,
    )  # fmt: skip
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
    from ..report.figures import save
    from ..report.paper import table_figure

    picture = Path(found["csv"]).with_suffix(".png")
    save(table_figure(found["rows"]), picture)
    if as_json:
        common.print_json(found | {"figure": str(picture)})
        return
    shown = common.table(
        f"{name}{' (quick)' if quick else ''}, {seeds} seeds",
        "network", "parameters", "printed", "measured", "range", "epochs", "s",
    )  # fmt: skip
    for entry in found["rows"]:
        low, high = (100 * entry[f"accuracy_{part}"] for part in ("min", "max"))
        shown.add_row(
            f"{entry['dataset']}: {entry['network']}",
            f"{entry['parameters']:,}",
            "–" if entry["printed"] is None else f"{entry['printed']:.2f} %",
            percent(entry["accuracy_mean"]),
            f"{low:.2f} to {high:.2f}",
            str(entry["epochs"]),
            f"{entry['seconds']:.0f}",
        )
    common.out.print(shown)
    common.out.print(f"kept in {out}: {Path(found['csv']).name}, {picture.name}", markup=False)
