"""``analogkan compare``."""

from __future__ import annotations

import click

from . import common, complete
from .board import boards


@click.command(short_help="Say which measured points of a board are outside its prediction.")
@click.argument("build", type=common.BUILD, shell_complete=complete.build)
@click.argument("measured", type=common.FILE, metavar="MEASURED.csv")
@boards
@click.option(
    "--temp",
    type=common.AnyNumber(),
    default=26.85,
    show_default=True,
    metavar="DEGC",
    help="At which it was measured.",
)
@click.option(
    "--fail-outside",
    type=common.Whole(0),
    metavar="N",
    help="Exit with 3 if more than N values are outside the band.",
)
@click.option(
    "--plot",
    "picture",
    type=common.FILE,
    metavar="FILE",
    help="Draw points, circuit and band: PNG, SVG or PDF, by its ending.",
)
@common.json_option
@common.guarded
def compare(
    build, measured, preset, samples, seed, band, temp, fail_outside, picture, as_json
) -> None:
    """Compare what a board was measured to do with software, circuit and the band of boards.

    MEASURED.csv has a column for each input, then one for each target, names and units in its first
    line: `ratio (V/V),temperature (degC)`. A target in V or mV is the voltage of its output. Where
    nothing else is said 5 % of the values of good boards are outside: the band is of 95 %.

    \b
    Examples:
      analogkan compare sensor.build measured.csv
      analogkan compare sensor.build measured.csv --temp 40 --band sensor.run/0521d81f
    """
    from ..api.boards import compare as run
    from ..ours import require_marked

    if picture is not None:
        require_marked(picture, give="--plot")
    found = run(
        build, measured, preset=preset, samples=samples, seed=seed, band=band, temp=temp,
        progress=not as_json,
    )  # fmt: skip
    if picture is not None:
        from ..report.figures import save

        save(found.figures()[0].draw(), picture)
    if as_json:
        common.print_json(found.summary | {"picture": picture})
    else:
        common.print_result(found)
        if picture is not None:
            common.out.print(str(picture))
    outside = found.summary["outside"]
    if fail_outside is not None and outside > fail_outside:
        common.err.print(
            f"{outside} values outside the band are more than --fail-outside {fail_outside}",
            style="red",
        )
        raise SystemExit(common.EXIT_THRESHOLD)
