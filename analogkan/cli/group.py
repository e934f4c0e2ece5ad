"""Groups of commands that say what may have been meant by words they do not know."""

from __future__ import annotations

import re

import click

EVERYDAY = {
    "help": ": `analogkan --help`, and `analogkan COMMAND --help`",
    "version": ": `analogkan --version`",
    "settings": ": `analogkan doctor --settings`",
}
"""Commands of other programs, and what they are called here."""
MOVED = {
    "compare": "compare is board --measured now: analogkan board BUILD --measured MEASURED.csv",
    "cells": "cells characterise is devices characterise now: analogkan devices characterise FILE",
    "explain": "explain is models explain now: analogkan models explain MODEL",
    "convert": "convert is models convert now: analogkan models convert THEIRS.pth",
}
"""Commands of the version before, and where they went."""
BEHIND = {"data": "--dataset", "preset": "--preset", "recipe": "--recipe", "BUILD": "--out"}
"""Options of the kinds of things that are given without one."""


class Group(click.Group):
    """Suggests the nearest command, and takes no option twice that has one value."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        command = self.get_command(ctx, word)
        if command is None and not word.startswith("-") and not ctx.resilient_parsing:
            if word in MOVED:
                raise click.UsageError(MOVED[word], ctx)
            from ..text import nearest

            known = self.list_commands(ctx)
            hint = EVERYDAY.get(word.lower()) or nearest(word, known)
            listed = f" Known: {', '.join(known)}" if hint == "." else ""
            raise click.UsageError(f"No such command {word!r}{hint}{listed}", ctx)
        if command is not None:
            _refuse_repeated(ctx, command, args[1:])
        return super().resolve_command(ctx, args)


def _refuse_repeated(ctx: click.Context, command: click.Command, words: list[str]) -> None:
    """The last one would win, and the first would be forgotten without a word."""
    given = [word.partition("=")[0] for word in words]
    for param in command.params:
        if not isinstance(param, click.Option) or param.multiple or param.is_flag:
            continue
        if sum(word in param.opts for word in given) > 1:
            raise click.UsageError(f"{param.opts[-1]} is given twice: leave one out", ctx)


def hint_of(error: click.UsageError) -> str:
    """What may be meant by an argument too many, as the end of a sentence; else empty."""
    found = re.fullmatch(r"Got unexpected extra arguments? \((.*)\)", error.message)
    if found is None or error.ctx is None:
        return ""
    first, params = found[1].split(" ")[0], error.ctx.params
    options = {opt for param in error.ctx.command.params for opt in param.opts}
    loose = [text for text in params.get("assignments") or () if "=" not in text]
    if loose:
        return f": a setting is one word, --set {loose[0]}={first}"
    if "=" in first and "--set" in options:
        return f": each setting has a --set before it, --set {first}"
    from pathlib import Path

    from ..kinds import kind_of

    option = BEHIND.get(kind_of(Path(first)), "")
    if option in options:
        return f": give it as {option} {first}"
    return ": what has blanks in it needs quotes, and an option its name before it"
