"""``analogkan devices characterise``: from an op-amp's netlist to its preset."""

from __future__ import annotations

import click

from . import common, complete

LOAD = common.Pair("load", ",", "ohms and farads, such as 20e3,1e-12")


@click.command("characterise", short_help="Measure an op-amp's netlist, and write its preset.")
@click.argument("opamp", metavar="FILE|NAME", type=common.FILE, shell_complete=complete.netlist)
@click.option("--subckt", metavar="NAME", help="The op-amp, where the file has several.")
@click.option("--vdd", type=common.AnyNumber(), help="Volts.  [default: the file's, or 2.5]")
@click.option("--vss", type=common.AnyNumber(), help="Volts.  [default: the file's, or -2.5]")
@click.option(
    "--include",
    multiple=True,
    metavar="LIB:SECTION",
    help="Models: FILE, FILE:SECTION, or gf180mcu:typical (extra gf180).  [default: the file's]",
)
@click.option(
    "--load",
    type=LOAD,
    multiple=True,
    metavar="R,C",
    help="Ohms and farads to ground; the first is the preset's.  [default: 1 k to 100 kohm at 1 pF,"
    " 1 to 10 pF at 20 kohm]",
)
@click.option("--temps", metavar="LO:HI:STEP|T,T,...", help="In degC.  [default: 26.85]")
@click.option("--corners", metavar="SECTION,...", help="Sections in the place of the one included.")
@click.option(
    "--mismatch",
    multiple=True,
    metavar="NAME=VALUE",
    help="The .param that turns the library's mismatch on.  [default: the file's]",
)
@common.draws_option("Op-amps drawn by it.")
@click.option(
    "--seed", type=common.Whole(0, 100_000), default=0, show_default=True, help="Of the draws."
)
@click.option("--out", type=common.FOLDER, help="Keep figures, preset and picture there.")
@common.json_option
@common.guarded
def characterise_opamp(
    opamp, load, temps, corners, include, mismatch, out, as_json, **given
) -> None:
    """Figures of an op-amp's netlist by ngspice, over loads, temperatures and corners, and the
    preset that compile, studies, datasheets and plan take for it.

    FILE has one .subckt with the pins inp inn out vdd vss; NAME is of a shipped one. Gain,
    bandwidth, phase margin, second pole, offset, noise, supply current, swing, slew, output
    resistance, sink and source current.

    \b
    Examples:
      analogkan devices characterise two_stage_level1 --draws 200 --out two_stage.opamp
      analogkan devices characterise gf180_class_a --corners typical,ss --temps 26.85,85
    """
    from ..api.characterising import LOADS
    from ..api.characterising import characterise as run
    from ..devices.curve import NOMINAL_TEMP_C

    found = run(
        opamp,
        load=load or LOADS,
        temps=temps or (NOMINAL_TEMP_C,),
        corners=tuple(corners.split(",")) if corners else (),
        include=include,
        mismatch=mismatch,
        out=out,
        progress=not as_json,
        **given,
    )
    if as_json:
        common.print_json(found.to_document() | {"out": out})
        return
    common.print_result(found)
    if out is not None:
        preset = out / f"{found.summary['opamp']}.toml"
        common.out.print(f"kept in {out}")
        common.print_next(f"analogkan compile MODEL --preset {preset}")
