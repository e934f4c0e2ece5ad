"""``analogkan board``."""

from __future__ import annotations

import click
from click.core import ParameterSource

from . import common, complete

OF_BOARD = ("out", "temps", "shunt")
"""Options of a board that is made."""
OF_MEASURED = ("temp", "fail_outside", "picture")
"""Options of one that was measured."""


@click.command(short_help="Make a board of a function, or compare a measured one with its band.")
@click.argument("build", type=common.BUILD, shell_complete=complete.build)
@click.option(
    "-o",
    "--out",
    type=common.FOLDER,
    help="The folder to write; by default ./<build>.board. An earlier board is replaced.",
)
@click.option(
    "--opamp",
    default="50mhz-30ohm",
    show_default=True,
    metavar="CLASS|FILE.toml",
    shell_complete=complete.opamp,
    help="Of every amplifier; of --measured that of the board in ./<build>.board, unless given.",
)
@click.option(
    "--preset",
    metavar="NAME|FILE.toml",
    shell_complete=complete.preset,
    help="What boards differ in; several, the later on top: board,mine.variation.toml.  "
    "[default: board]",
)
@click.option("--samples", type=common.Whole(1, 100_000), help="How many boards.  [default: 1000]")
@click.option("--seed", type=common.Whole(0), help="Of all that is drawn.  [default: 0]")
@click.option(
    "--band",
    type=common.Place("RUN", folder=True),
    metavar="RUN",
    shell_complete=complete.run,
    help="Instead of these three the boards of a RUN of montecarlo.",
)
@click.option(
    "--temps", default="0,25,50", show_default=True, metavar="LO:HI:STEP|T,T,...", help="In degC."
)
@click.option(
    "--shunt",
    type=common.AnyNumber(),
    default=0.0,
    metavar="OHM",
    help="A resistor across each diode, with which it was measured, imported and trained on.",
)
@click.option(
    "--measured",
    type=common.FILE,
    metavar="FILE.csv",
    help="Write nothing, but say which of a board's measured points are outside the band.",
)
@click.option(
    "--temp",
    type=common.AnyNumber(),
    default=26.85,
    show_default=True,
    metavar="DEGC",
    help="Of --measured: at which it was.",
)
@click.option(
    "--fail-outside",
    type=common.Whole(0),
    metavar="N",
    help="Of --measured: exit with 3 if more than N values are outside the band.",
)
@click.option(
    "--plot",
    "picture",
    type=common.FILE,
    metavar="FILE",
    help="Of --measured: draw points, circuit and band: PNG, SVG or PDF, by its ending.",
)
@common.json_option
@common.guarded
def board(
    build, measured, out, opamp, temps, shunt, temp, fail_outside, picture, as_json, **boards
) -> None:
    """Make a board of a BUILD that computes a function: real diodes, resistors, op-amps.

    Writes bom.csv (the parts), board.net (a KiCad netlist, not opened in KiCad), expected.csv and
    expected.png (what 95 % of the boards give), nodes.csv (volts to measure at every op-amp),
    bench.md (what to do, beginning with the diodes). Every diode is checked to stay put, by the
    poles of its node and by .tran.

    With --measured it compares instead what a board was measured to do with software, circuit and
    the band of boards. FILE.csv has a column for each input, then one for each target, names and
    units in its first line: `ratio (V/V),temperature (degC)`. A target in V or mV is the voltage of
    its output. Where nothing else is said 5 % of the values of good boards are outside.

    \b
    Examples:
      analogkan compile sensor.pt --preset board
      analogkan board sensor.build
      analogkan board sensor.build --opamp 200mhz-10ohm --band sensor.run/0521d81f
      analogkan board sensor.build --measured measured.csv --temp 40
    """
    _require_taken(measured is not None)
    if measured is not None:
        source = click.get_current_context().get_parameter_source("opamp")
        boards["opamp"] = opamp if source is ParameterSource.COMMANDLINE else None
        _compare(build, measured, boards, temp, fail_outside, picture, as_json)
        return
    from ..api.boards import run_board

    made = run_board(
        build, out, opamp=opamp, temps=temps, shunt=shunt, progress=not as_json,
        command=common.command_line(), **boards,
    )  # fmt: skip
    if as_json:
        common.print_json(made.summary)
        return
    common.print_result(made)


def _require_taken(measured: bool) -> None:
    """Refuse an option of the other half."""
    context = click.get_current_context()
    why = (
        "is of a board that is made, and says nothing with" if measured else "says nothing without"
    )
    for param in context.command.params:
        given = context.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
        if given and param.name in (OF_BOARD if measured else OF_MEASURED):
            raise click.UsageError(f"{param.opts[-1]} {why} --measured: leave it out", context)


def _compare(build, measured, boards, temp, fail_outside, picture, as_json) -> None:
    """Say which measured points are outside, and exit with 3 if they are too many."""
    from ..api.boards import compare
    from ..ours import require_marked

    if picture is not None:
        require_marked(picture, give="--plot")
    found = compare(build, measured, temp=temp, progress=not as_json, **boards)
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
