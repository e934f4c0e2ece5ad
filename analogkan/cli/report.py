"""``analogkan report``."""

from __future__ import annotations

from pathlib import Path

import click

from . import common, complete


@click.command(short_help="One self-contained HTML page from finished RUNs.")
@click.argument(
    "runs",
    nargs=-1,
    required=True,
    metavar="RUN...",
    type=click.Path(path_type=Path),
    shell_complete=complete.run,
)
@click.option(
    "-o",
    "--output",
    type=common.FILE,
    default=Path("report.html"),
    show_default=True,
    help="The page.",
)
@click.option(
    "--build",
    type=common.BUILD,
    shell_complete=complete.build,
    help="The BUILD, if it is no longer where the RUNs say.",
)
@click.option(
    "--figures",
    type=common.FOLDER,
    metavar="DIR",
    help="Also write every figure as PNG.",
)
@click.option("--title", default="", help="Instead of the network's name.")
@common.json_option
@common.guarded
def report(runs, output, build, figures, title, as_json) -> None:
    """Write what RUNs of one network found into one page: figures, pictures, commands.

    RUNs are folders that simulate, montecarlo, thermal and sweep made, in any number; a section
    appears when its RUN is given. The page loads nothing from anywhere, prints, and fits a phone.

    \b
    Examples:
      analogkan report mnist.run/* -o mnist.html
      analogkan report mnist.run/3f2a81c0 chips.run -o mnist.html --figures figures
    """
    from ..report.page import write_report

    found = write_report(runs, output, build=build, title=title, figures=figures)
    if as_json:
        common.print_json(found)
        return
    if found["missing"]:
        common.out.print(f"note: {found['missing']}", style="yellow")
    common.out.print(
        f"{found['report']}: {len(found['sections'])} sections, {found['bytes'] / 1e6:.1f} MB",
    )
