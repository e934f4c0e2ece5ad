"""``analogkan devices import --kind memory``: from measured cells to a table for chips."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import click
from click.core import ParameterSource

from ..errors import SettingsError
from ..text import many
from . import common

OWN = {"files", "out", "kind", "first_read", "name", "source", "force", "as_json"}


def memory_options(command: Callable) -> Callable:
    """``--kind``, and what memory cells have of their own."""
    kind = click.option(
        "--kind",
        type=common.Choice(["curve", "memory"]),
        default="curve",
        show_default=True,
        help="A diode's I-V curve, or memory cells: state, sigma and drift a line.",
    )
    first_read = click.option(
        "--first-read",
        type=common.AnyNumber(),
        metavar="SECONDS",
        help="Of memory cells with drift: after programming, when they were first read.",
    )
    return kind(first_read(command))


def require_curve(first_read: float | None) -> None:
    """SettingsError if what is of memory cells alone was given for a diode."""
    if first_read is not None:
        raise SettingsError(
            f"--first-read {first_read:g} is of memory cells: give --kind memory, or leave it out"
        )


def import_memory(
    files: tuple[Path, ...], out: Path, first_read: float | None, name: str | None, source: str,
    force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write the table of one CSV file, and say what it holds."""
    from ..imperfections import import_cells

    ctx = click.get_current_context()
    for param in ctx.command.params:
        given = ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
        if given and param.name not in OWN:
            raise SettingsError(
                f"{param.opts[0]} is of a diode's sweeps: leave it out with --kind memory"
            )
    if len(files) != 1:
        raise SettingsError(f"{len(files)} files with --kind memory: give one, a state a line")
    made = import_cells(files[0], out, name=name, t0_s=first_read, source=source, force=force)
    if as_json:
        common.print_json({"file": out, **vars(made), "cells": made.text})
        return
    low, high = (1e6 * made.rows[k][0] for k in (0, -1))
    drift = "no drift" if made.t0_s is None else f"drift from {made.t0_s:g} s on"
    common.out.print(
        f"{out}: cells {made.name}, {many(len(made.rows), 'state')} from {low:g} to {high:g} uS, "
        f"{drift}"
    )
    common.print_next(f"analogkan montecarlo BUILD --set cells={shlex.quote(str(out))}")
