"""``analogkan board``."""

from __future__ import annotations

from collections.abc import Callable

import click

from . import common, complete


def boards(command: Callable) -> Callable:
    """Which boards there are in a band."""
    for option in reversed((
        click.option(
            "--preset",
            metavar="NAME|FILE.toml",
            shell_complete=complete.preset,
            help="What boards differ in.  [default: board]",
        ),
        click.option(
            "--samples", type=common.Whole(1, 100_000), help="How many boards.  [default: 1000]"
        ),
        click.option("--seed", type=common.Whole(0), help="Of all that is drawn.  [default: 0]"),
        click.option(
            "--band",
            type=common.Place("RUN", folder=True),
            metavar="RUN",
            shell_complete=complete.run,
            help="Instead of these three the boards of a RUN of montecarlo.",
        ),
    )):  # fmt: skip
        command = option(command)
    return command


@click.command(short_help="Make a board of a function: parts, KiCad netlist, expected curve.")
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
    help="Of every amplifier.",
)
@boards
@click.option(
    "--temps", default="0,25,50", show_default=True, metavar="LO:HI:STEP|T,T,...", help="In degC."
)
@common.json_option
@common.guarded
def board(build, out, opamp, preset, samples, seed, band, temps, as_json) -> None:
    """Make a board of a BUILD that computes a function: real diodes, resistors, op-amps.

    Writes bom.csv (the parts), board.net (a KiCad netlist, not opened in KiCad), expected.csv and
    expected.png (what 95 % of the boards give), bench.md (what to do, beginning with the diodes).
    Every diode is checked to stay put, by the poles of its node and by .tran.

    \b
    Examples:
      analogkan compile sensor.pt --preset board
      analogkan board sensor.build
      analogkan board sensor.build --opamp 200mhz-10ohm --band sensor.run/0521d81f
    """
    from ..api.boards import run_board

    made = run_board(
        build, out, opamp=opamp, preset=preset, samples=samples, seed=seed, band=band,
        temps=temps, progress=not as_json, command=common.command_line(),
    )  # fmt: skip
    if as_json:
        common.print_json(made.summary)
        return
    common.print_result(made)
