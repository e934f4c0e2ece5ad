"""``analogkan verify``."""

from __future__ import annotations

import click

from ..text import many
from . import common, complete


@click.command(short_help="Read a netlist back and compare it with its network.")
@click.argument("build", type=common.BUILD, shell_complete=complete.build)
@common.json_option
@common.guarded
def verify(build, as_json) -> None:
    """Read a BUILD's deck back, by code that the compiler does not share, and say what differs.

    Every net has a DC path and two ends; stages follow each other; every resistor pair is its
    coefficient, every table its device's curve, every amplifier its gain. Exits with 1 if not.

    \b
    Example:
      analogkan verify mnist.build
    """
    from ..compiler.build import load_build
    from ..compiler.verify import verify_build

    with common.circuit_progress(as_json, "verifying") as on_circuit:
        found = verify_build(load_build(build), on_circuit)
    if as_json:
        told = ("ok", "findings", "facts", "notes")
        common.print_json({key: getattr(found, key) for key in told} | found.plugins)
    else:
        print_verification(found)
    if not found.ok:
        raise SystemExit(common.EXIT_FAILURE)


def print_verification(found) -> None:
    """The verdict, and what it rests on."""
    from ..outside import sentences

    f = found.facts
    for said in sentences(found.plugins):
        common.out.print(f"with {said}")
    for finding in found.findings:
        common.out.print("  differs ", style="red", end="")
        common.out.print(finding)
    for note in found.notes:
        common.out.print(f"note: {note}", style="yellow")
    looked = (
        f"{f['resistors']:,} resistors, {f['diodes']} diodes and {f['op_amps']} op-amps between "
        f"{f['nets']:,} nets; {f['blocks']:,} blocks"
    )
    if found.ok:
        within = f" within half a level: each cell has {f['levels']} states" if f["levels"] else ""
        if isinstance(f["levels"], str):
            within = f" within half a step of {f['levels'].upper()}: each resistor is a value of it"
        common.out.print("verified", style="green", end="")
        common.out.print(
            f": the netlist is the network{within} ({looked}; largest "
            f"coefficient error {f['max_coefficient_error']:.1e} of its output's largest)"
        )
    else:
        common.out.print("not verified", style="red", end="")
        common.out.print(f": {many(len(found.findings), 'finding')} ({looked})")
