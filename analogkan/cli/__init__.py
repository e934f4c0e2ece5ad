"""The command line: parse, one call, print. No physics here."""

from __future__ import annotations

import importlib

import click

from .. import __version__

COMMANDS = {
    "doctor": "doctor",
    "devices": "devices",
    "train": "train",
    "convert": "convert",
    "compile": "compile",
    "verify": "verify",
    "simulate": "simulate",
    "montecarlo": "montecarlo",
    "thermal": "thermal",
    "sweep": "sweep",
    "demo": "demo",
}
"""Command name to the module of this package that holds it, in the order help lists them."""


class LazyGroup(click.Group):
    """Loads a command's module when it is asked for: help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{COMMANDS[cmd_name]}", __name__)
        return getattr(module, cmd_name)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="analogkan")
def main() -> None:
    """Tunnel-diode Kolmogorov-Arnold networks as circuits, simulated by ngspice.

    \b
    The way through:
      analogkan doctor                       is everything there?
      analogkan demo                         the whole path on bundled data
      analogkan train ... --out model.pt     a network of your own
      analogkan compile model.pt             its netlist, verified
      analogkan simulate model.build         ngspice against software

    \b
    Studies of real hardware:
      analogkan montecarlo model.build       virtual chips: accuracy and yield over mismatch
      analogkan thermal model.build          accuracy, gain and offset against temperature
      analogkan sweep model.build --set ...  grids of settings, error budget, faults

    Exit codes: 0 ok, 1 failure, 2 usage, 3 below a threshold asked for.
    """
