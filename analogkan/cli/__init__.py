"""The command line: parse, one call, print. No physics here."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import click
from click.core import ParameterSource

from ..studies import registry
from . import kept
from .group import Group, hint_of
from .process import (
    PLUGINS,
    end_at_once,
    ended_by_signals,
    exit_code,
    exit_if_printing,
    print_anywhere,
)

STAGES = {
    "Begin": ("doctor", "demo"),
    "Network": ("devices", "train", "models"),
    "Circuit": ("compile", "verify", "simulate"),
    "Real hardware": registry.BUILT_IN,
    "Board": ("board",),
    "Results": ("report", "paper"),
}
"""Commands as help groups them; but for studies, each is in the module that has its name."""
COMMANDS = tuple(name for names in STAGES.values() for name in names)
FROM_OUTSIDE = "ANALOGKAN_PLUGINS"
"""The variable that names plugins."""


def _load(ctx: click.Context, param: click.Parameter, paths: tuple[str, ...]) -> None:
    """Load plugins before anything is made of other words."""
    if paths:
        from pathlib import Path

        from ..errors import SettingsError
        from ..plugins import load_plugin

        try:
            for path in map(Path, paths):
                load_plugin(path)
                if ctx.get_parameter_source("plugin") is ParameterSource.COMMANDLINE:
                    ctx.meta.setdefault(PLUGINS, []).append(path)  # a shell says its own again
        except SettingsError as error:
            raise click.UsageError(str(error), ctx) from error


class _Files(click.Path):
    """Paths; empty ones of a variable, as ``:`` at its end leaves, are none."""

    def split_envvar_value(self, rv: str) -> list[str]:
        return [path for path in super().split_envvar_value(rv) if path]


PLUGIN = click.Option(
    ["--plugin"],
    type=_Files(),
    multiple=True,
    metavar="FILE.py",
    is_eager=True,
    expose_value=False,
    callback=_load,
    envvar=FROM_OUTSIDE,
    shell_complete=kept.completed_by("plugin"),
    help="Imperfections or cells of your own (docs/extend.md).",
)


def _print_versions(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    """Ours, and those of what computes."""
    if not asked or ctx.resilient_parsing:
        return
    from ..engines.versions import versions

    for name, version in versions().items():
        click.echo(f"{name:<9} {version}")
    ctx.exit()


VERSION = click.Option(
    ["--version"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_versions,
    help="Show the version, and those of Python, torch, ngspice and others, and exit.",
)


class LazyGroup(Group):
    """Loads a command's module when the command is run; help and TAB take what is kept of it."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        print_anywhere()
        end_at_once()
        if any(name.endswith("_COMPLETE") for name in os.environ):
            from . import complete  # noqa: F401 (how shells ask)
        try:
            with ended_by_signals():
                return super().main(*args, **kwargs)
        except OSError as error:
            exit_if_printing(error)
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(dict.fromkeys((*COMMANDS, *registry.names())))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        sketch = kept.sketch(cmd_name) if ctx.meta.get(kept.SKETCHED) else None
        known = (*COMMANDS, *registry.names())
        return sketch or (self.live(cmd_name) if cmd_name in known else None)

    def live(self, name: str) -> click.Command:
        """The command of a name, ready to run."""
        if name in registry.names():
            studies = importlib.import_module(".studies", __name__)
            command = studies.command(registry.study(name))
        else:
            command = getattr(importlib.import_module(f".{name}", __name__), name)
        if not isinstance(command, click.Group) and PLUGIN not in command.params:
            command.params.append(PLUGIN)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ours = not _from_outside(args)
        text = kept.help_of(ctx, args) if ours and not ctx.resilient_parsing else None
        if text is not None:
            click.echo(text, nl=False)
            ctx.exit()
        ctx.meta[kept.SKETCHED] = ours and (ctx.resilient_parsing or not args)
        with self._told("--json" in args):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with self._told("--json" in ctx.args):
            return super().invoke(ctx)

    @contextlib.contextmanager
    def _told(self, as_json: bool) -> Iterator[None]:
        """What may be meant by wrong words; what is wrong, as JSON too; Ctrl-C."""
        try:
            yield
        except click.UsageError as error:
            setattr(error, "message", f"{error.message}{hint_of(error)}")  # noqa: B010 (Final)
            if as_json:
                from .common import print_json

                message = error.format_message()
                print_json({"error": {"type": type(error).__name__, "message": message}})
            raise
        except KeyboardInterrupt as interrupt:  # before a command of ours has begun
            click.echo("interrupted", err=True)
            raise SystemExit(exit_code(interrupt)) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        stages = STAGES | {"Real hardware": registry.names()}
        for stage, names in stages.items():
            found = ((name, self.get_command(ctx, name)) for name in names)
            rows = [(name, c.get_short_help_str(80)) for name, c in found if c is not None]
            with formatter.section(stage):
                formatter.write_dl(rows, col_max=12)


def _from_outside(args: list[str]) -> bool:
    """Whether a user's own plugins or studies change what commands say of themselves."""
    outside = sys.modules.get("analogkan.outside")
    named = os.environ.get(FROM_OUTSIDE) or any(word.startswith("--plugin") for word in args)
    return bool(named or (outside and outside.loaded()) or registry.names() != registry.BUILT_IN)


@click.command(
    cls=LazyGroup,
    params=[PLUGIN, VERSION],
    context_settings={"help_option_names": ["-h", "--help"]},
)
def main() -> None:
    """Tunnel-diode Kolmogorov-Arnold networks as circuits, simulated by ngspice.

    \b
    The way through:
      analogkan doctor                       is everything there?
      analogkan demo                         the whole path on bundled data
      analogkan train ... --out model.pt     a network of your own
      analogkan compile model.pt             its netlist, verified
      analogkan simulate model.build         ngspice against software
      analogkan montecarlo model.build       virtual chips: accuracy and yield over mismatch
      analogkan report model.run/*           what was found, as one page

    Exit codes: 0 ok, 1 failure, 2 usage, 3 below a threshold asked for.
    """
