"""What is kept of commands, so that help and TAB need not load them.

A command's module brings NumPy and half of the package with it, which takes ten times as long as
click itself. ``helps/`` has the text that each command prints for ``--help``, ``words.json`` what
TAB offers. Tests compare both with the commands, and ``--update-golden`` writes them anew.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import click

HERE = __file__[: __file__.rindex("kept.")]  # pathlib alone takes longer than all that is done here
WIDTH = 80
"""Columns from which on help is laid out as it is kept."""
SKETCHED = "analogkan.sketched"
"""Under which a context says that it needs no more of commands than what is kept of them."""
Kept = dict[str, Any]


def help_of(ctx: click.Context, words: list[str]) -> str | None:
    """The help that ``words`` ask for, if they do no more than that and it is kept.

    None too where a terminal is narrow: click lays it out then.
    """
    if not words or words[-1] not in ctx.help_option_names or _columns() < WIDTH:
        return None
    path = words[:-1]
    if not all(word.isalnum() for word in path):
        return None
    try:
        with open(f"{HERE}helps/{'-'.join(['analogkan', *path])}.txt", encoding="utf-8") as stream:  # noqa: PTH123
            text = stream.read()
    except OSError:  # there is no such command, or it is the user's own
        return None
    usage, _, rest = text.partition("\n")
    called = usage.replace("analogkan", ctx.command_path, 1)
    return f"{called}\n{rest}" if len(called) < WIDTH - 1 else None


def _columns() -> int:
    """Of the terminal, as click looks: ``shutil`` takes longer to be loaded than to be asked."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or WIDTH  # type: ignore
    except (AttributeError, ValueError, OSError):
        return WIDTH


@functools.cache
def words() -> Kept:
    """What ``words.json`` holds: ``commands``, ``settings``, ``datasets`` and ``shipped`` files."""
    import json

    with open(f"{HERE}words.json", encoding="utf-8") as stream:  # noqa: PTH123
        return json.load(stream)


def sketch(name: str) -> click.Command | None:
    """A command with its names, short help and words alone, if they are kept: it cannot be run."""
    entry = words()["commands"].get(name)
    return None if entry is None else _sketched(name, entry)


def completed_by(name: str) -> Callable[..., list[Any]]:
    """A function of ``complete``, which is loaded when it is called."""

    def found(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from . import complete

        return getattr(complete, name)(ctx, param, incomplete)

    found.__name__ = name
    return found


def _sketched(name: str, entry: Kept) -> click.Command:
    if "commands" not in entry:
        return _Sketch(name, short_help=entry["short"], entries=entry["params"])
    made = click.Group(name, short_help=entry["short"])
    for inner, of in entry["commands"].items():
        made.add_command(_sketched(inner, of))
    return made


class _Sketch(click.Command):
    """Its parameters are made when they are asked for: a list of commands needs none."""

    def __init__(self, *args: Any, entries: list[Kept], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = entries

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        self.params = self.params or [_param(entry) for entry in self.entries]
        return super().get_params(ctx)


def _param(entry: Kept) -> click.Parameter:
    how = {key: entry[key] for key in ("nargs", "is_flag", "multiple", "help") if key in entry}
    if "choices" in entry:
        how["type"] = click.Choice(entry["choices"])
    elif "place" in entry:
        how["type"] = click.Path(file_okay=entry["place"] == "file")
    elif "words" in entry:
        how["shell_complete"] = completed_by(entry["words"])
    if "opts" not in entry:
        return click.Argument([entry["name"]], **how)
    return click.Option([*entry["opts"], entry["name"]], **how)
