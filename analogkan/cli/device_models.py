"""``analogkan devices tabulate``: from a diode's model to a device file."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..devices.knots import TOLERANCE
from ..ours import require_marked
from . import common, complete

FILE = click.Path(path_type=Path)
RANGE = common.Pair("range", ":", "two voltages, such as 0:1")


@click.command("tabulate", short_help="Make a device of a model: Verilog-A, OSDI, a netlist.")
@click.argument("model", type=FILE, metavar="FILE.va|.osdi|.lib", shell_complete=complete.diode)
@click.option("-o", "out", type=FILE, help="The device file to write, a .toml.")
@click.option("--osdi", type=FILE, help="What a netlist's models are of: .va or .osdi.")
@click.option("--subckt", metavar="NAME", help="The diode, where the netlist has several.")
@click.option(
    "--range",
    "span",
    type=RANGE,
    metavar="LO:HI",
    help="Volts in use.  [default: those of --against]",
)
@click.option("--temps", metavar="LO:HI:STEP|T,T,...", help="In degC.  [default: 26.85]")
@click.option(
    "--tolerance",
    type=common.AnyNumber(),
    default=TOLERANCE,
    show_default=True,
    help="What the table may be off the model, as a share of the peak.",
)
@click.option(
    "--against",
    metavar="NAME|FILE.toml",
    shell_complete=complete.device,
    help="A device: by how much the model differs from it.",
)
@click.option("--plot", type=FILE, help="Draw the table, and that device: PNG, SVG or PDF.")
@click.option("--name", help="Of the device. By default the stem of -o, made safe.")
@click.option("--force", is_flag=True, help="Replace an earlier device file.")
@common.json_option
@common.guarded
def tabulate_model(model, out, temps, plot, as_json, **given) -> None:
    """Sweep a diode's model in ngspice: peak, valley, capacitance, its difference from a device;
    and write it as a device file, by which networks are trained for it.

    FILE is a Verilog-A module of two terminals, anode first, which OpenVAF compiles (extra vacask);
    what is compiled of one (.osdi); or a netlist with a .subckt of the pins a and c, whose models
    may be of --osdi. With several --temps the device has a table at each (diode_law=tables).

    \b
    Examples:
      analogkan devices tabulate esaki.va --range 0:1 --temps=-40,26.85,85 -o esaki.toml
      analogkan devices tabulate mine.lib --against A21
    """
    from ..api.tabulating import tabulate
    from ..devices.curve import NOMINAL_TEMP_C

    if plot is not None:
        require_marked(plot, give="--plot")
    found = tabulate(model, out, temps=temps or (NOMINAL_TEMP_C,), **given)
    if plot is not None:
        from ..report.figures import save

        save(found.figures()[0].draw(), plot)
    if as_json:
        common.print_json(found.to_document() | {"out": out})
        return
    common.print_result(found)
    if plot is not None:
        common.out.print(str(plot))
    if out is not None:
        common.out.print(f"{out}: device {found.curve.name}")
        common.print_next(f"analogkan devices plot {shlex.quote(str(out))}")
