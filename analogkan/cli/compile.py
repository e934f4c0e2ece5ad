"""``analogkan compile``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.markup import escape

from . import common
from .verify import print_verification


@click.command("compile", short_help="Compile a checkpoint into a netlist folder, and verify it.")
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write; by default ./<model>.build. An earlier BUILD is replaced.",
)
@click.option(
    "--preset", default="nominal", show_default=True, metavar="NAME|FILE.toml", help="See above."
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="See above.")
@click.option(
    "--calibrate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.npz",
    help="Training inputs x (n, ...) for a checkpoint that carries none.",
)
@click.option("--no-verify", is_flag=True, help="Do not read the netlist back.")
@common.json_option
@common.guarded
def compile(model, out, preset, assignments, calibrate, no_verify, as_json) -> None:
    """Compile a trained TD-KAN into SPICE, and check that the netlist is the network.

    Writes a folder that plain ngspice runs (`ngspice -b network.cir` prints image 0's logits):
    cells.cir (amplifiers and diodes), layer<k>.cir (crossbar tiles, rows and columns),
    stimulus.cir (image 0), network.cir (the top), design.json (every option and scale).

    \b
    Presets: nominal (amplifiers of gain 1e5), ideal (gain 1e9), or a TOML file with [hardware].
    Settings for --set, with their defaults:
      v_fs=0.5 v_rail=2.5 headroom=0.8     row full scale, supplies (V), share of them in use
      g_min=0.25e-6 g_max=25e-6 levels=0   a cell's range (S), its states (0: continuous)
      tile_rows=64 tile_cols=64            crossbar tiles
      max_bias_rows=32                     constant rows a layer may have
      opamp=linear opamp_gain=1e5          or opamp=ideal

    \b
    Examples:
      analogkan compile mnist.pt
      analogkan compile mnist.pt --preset ideal --set g_max=50e-6 -o mnist-50.build
    """
    from ..api import compile_model
    from ..compiler.verify import verify_build

    build = compile_model(model, out, preset=preset, settings=assignments, calibrate=calibrate)
    verification = None if no_verify else verify_build(build)
    if as_json:
        document = build.summary | {"build": build.folder}
        if verification is not None:
            document["verified"] = verification.ok
            document["findings"] = verification.findings
        common.print_json(document)
    else:
        print_build(build)
        if verification is not None:
            print_verification(verification)
        if verification is None or verification.ok:
            common.out.print(f"next: analogkan simulate {build.folder}", markup=False)
    if verification is not None and not verification.ok:
        raise SystemExit(common.EXIT_FAILURE)


def print_build(build) -> None:
    """What was compiled, in a few lines."""
    s = build.summary
    e = s["elements"]
    common.out.print(
        f"[bold]{escape(str(build.folder))}[/]: {e['crossbar_resistors']:,} crossbar resistors in "
        f"{e['tiles']} tiles, {e['diodes']} diodes, {e['op_amps']} op-amps"
    )
    shown = common.table(
        "", "layer", "in", "out", "bias rows", "alpha (V/S)", "R_c (ohm)", "gamma", "clipped"
    )
    for k, stage in enumerate(s["stages"]):
        shown.add_row(
            str(k),
            str(stage["inputs"]),
            str(stage["outputs"]),
            str(stage["bias_rows"]),
            _span(stage["alpha_volts_per_siemens"]),
            _span(stage["r_c_ohms"]),
            _span(stage["gamma"]),
            str(stage["clipped_coefficients"]),
        )
    common.out.print(shown)
    common.out.print(
        f"read-out {1e3 * s['volts_per_logit']:.3g} mV a logit; ngspice will want about "
        f"{s['expected']['memory_megabytes']} MB and {s['expected']['seconds_per_image']:.2g} s an "
        "image (with KLU, one process)"
    )
    for note in s["notes"]:
        common.out.print(f"note: {note}", style="yellow")


def _span(pair) -> str:
    lo, hi = (f"{x:.0f}" if x >= 1000 else f"{x:.3g}" for x in pair)
    return lo if lo == hi else f"{lo}–{hi}"
