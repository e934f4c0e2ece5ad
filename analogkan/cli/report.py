"""``analogkan report``."""

from __future__ import annotations

from pathlib import Path

import click

from . import common, complete

PAGE = Path("report.html")
"""Where the page is written, unless told otherwise."""


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
    help="The page; default: report.html. With --markdown a file, .md; default: standard output.",
)
@click.option(
    "--markdown",
    is_flag=True,
    help="A summary for a pull request in place of the page: tables in Markdown, no pictures.",
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
def report(runs, output, markdown, build, figures, title, as_json) -> None:
    """Write what RUNs of one network found into one page: figures, pictures, commands.

    RUNs are folders that simulate and studies, from montecarlo to corners, made, in any number; a
    section appears when its RUN is given, and one on a board when the folder is given that board
    wrote (by default NAME.board). The page loads nothing from anywhere, prints, and fits a phone.

    \b
    Examples:
      analogkan report mnist.run/* -o mnist.html
      analogkan report mnist.run/3f2a81c0 chips.run -o mnist.html --figures figures
      analogkan report mnist.run/* --markdown >> $GITHUB_STEP_SUMMARY
    """
    if markdown or (output is not None and output.suffix == ".md"):
        _summarise(runs, output, build, figures, title, as_json)
        return
    from ..report.page import write_report

    found = write_report(runs, output or PAGE, build=build, title=title, figures=figures)
    if as_json:
        common.print_json(found)
        return
    if found["missing"]:
        common.out.print(f"note: {found['missing']}", style="yellow")
    common.out.print(
        f"{found['report']}: {len(found['sections'])} sections, {found['bytes'] / 1e6:.1f} MB",
    )


def _summarise(runs, output, build, figures, title, as_json) -> None:
    if figures is not None:
        raise click.UsageError("--figures goes with a page, and a summary in Markdown has none")
    from ..report.page import write_summary

    found = write_summary(runs, output, build=build, title=title)
    if as_json:
        common.print_json(found)
    elif output is None:
        click.echo(found["markdown"], nl=False)
    else:
        common.out.print(f"{found['report']}: {found['lines']} lines")
