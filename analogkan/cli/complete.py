"""What a shell's TAB offers: names that ship, settings, files and folders of the right kind.

By click's own machinery (docs/completion.md). It must be quick: what needs no look at the disk is
kept, and NumPy is imported for settings of plugins alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from glob import escape, glob
from itertools import pairwise
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from . import kept

Items = list[CompletionItem]


def preset(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The last of several shipped presets and TOML files with commas between them."""
    before, comma, last = incomplete.rpartition(",")
    found = _items([*_shipped("presets/*.toml"), *_paths(last, "*.toml")], last)
    return [CompletionItem(before + comma + item.value, type=item.type) for item in found]


def opamp(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Shipped classes of op-amps, and TOML files."""
    return _items([*_shipped("board/opamps/*.toml"), *_paths(incomplete, "*.toml")], incomplete)


def recipe(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Shipped recipes, and TOML files."""
    return _items([*_shipped("training/recipes/*.toml"), *_paths(incomplete, "*.toml")], incomplete)


def dataset(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Data sets by name, and files of data."""
    found = _paths(incomplete, "*.npz", "*.csv")
    return _items([*kept.words()["datasets"], *found], incomplete)


def device(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Shipped devices, and TOML files."""
    names = [name.upper() for name in _shipped("devices/library/*.toml")]
    return _items([*names, *_paths(incomplete, "*.toml")], incomplete)


def devices(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The last of several devices with commas between them."""
    before, comma, last = incomplete.rpartition(",")
    found = device(ctx, param, last)
    return [CompletionItem(before + comma + item.value, type=item.type) for item in found]


def setting(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """``key=`` of every setting, then words it may be."""
    name = ctx.info_name or ""
    of = kept.words()["settings"] if ctx.meta.get(kept.SKETCHED) else {}
    words = of[name] if name in of else settings(name)
    key, equals, _ = incomplete.partition("=")
    found = [f"{key}={word}" for word in words.get(key, ())] if equals else [f"{k}=" for k in words]
    return _items(found, incomplete, otherwise="")


def settings(command: str) -> dict[str, tuple[str, ...]]:
    """What ``--set`` of a command takes, and the words that each may be; of ``compile`` hardware's
    alone."""
    from dataclasses import fields

    from ..compiler.hardware import Hardware
    from ..imperfections import Conditions, Variation
    from ..studies import registry

    kinds: tuple[Any, ...] = (Hardware,)
    if command != "compile":
        own = registry.study(command).own if command in registry.names() else None
        kinds += (Variation, Conditions, *filter(None, [own]))
    told = {field.name: field.metadata for kind in kinds for field in fields(kind)}
    words = {name: tuple(of["words"]()) if "words" in of else () for name, of in told.items()}
    chosen = {s.name: s.words for one in Variation.declared for s in one.settings if s.words}
    return words | {name: found for name, found in chosen.items() if name in words}


def netlist(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Shipped op-amps, and files of subcircuits."""
    shipped = _shipped("netlists/opamps/*.lib")
    return _items([*shipped, *_paths(incomplete, "*.lib", "*.cir", "*.sp")], incomplete)


def diode(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Models of diodes."""
    shipped = _shipped("netlists/devices/*.va")
    return _items([*shipped, *_paths(incomplete, "*.va", "*.osdi", "*.lib", "*.cir")], incomplete)


def plugin(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Python files."""
    return _items(_paths(incomplete, "*.py"), incomplete)


def model(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Checkpoints, and names of shipped ones."""
    return _items([*_shipped("models/*.pt"), *_paths(incomplete, "*.pt")], incomplete)


def build(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """BUILD folders, with held stages too."""
    return _folders(incomplete, "design.json", "held.json")


def network(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Models and BUILD folders."""
    found = [*model(ctx, param, incomplete), *build(ctx, param, incomplete)]
    return [item for item in found if item.type == "plain"] or found


def run(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """RUN folders that have a result."""
    return _folders(incomplete, "result.json")


def _shipped(files: str) -> list[str]:
    """Names of the files that ship as ``files``, such as ``presets/*.toml``."""
    return kept.words()["shipped"][files]


def _paths(incomplete: str, *patterns: str) -> list[str]:
    """Paths that begin as typed and go on as one of the patterns, such as ``*.pt``."""
    typed = escape(incomplete)  # and kept as it is: pathlib would drop a leading ./
    return sorted({path for end in patterns for path in glob(typed + end)})  # noqa: PTH207


def _folders(incomplete: str, *marks: str) -> Items:
    """Folders that hold one of the files ``marks``: here, or in a .run folder, as studies do."""
    ends = [f"{where}/{mark}" for mark in marks for where in ("*", "*.run/*")]
    found = _paths(incomplete, *ends)
    return _items([os.path.dirname(path) for path in found], incomplete, otherwise="dir")  # noqa: PTH120


def _items(values: Iterable[str], incomplete: str, otherwise: str = "file") -> Items:
    """Values that begin as typed, in any case; or else the shell's own ``file`` or ``dir``."""
    typed = incomplete.lower()
    found = [CompletionItem(value) for value in values if value.lower().startswith(typed)]
    return found or ([CompletionItem(incomplete, type=otherwise)] if otherwise else [])


class Bash(BashComplete):
    """Click's, but ``key=value`` is one word, and no space follows ``key=``."""

    source_template = BashComplete.source_template.replace(
        "COMPREPLY+=($value)",
        "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace",
    )
    _given = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the one at it: Bash gives ``a=b`` as three."""
        cword = int(os.environ["COMP_CWORD"])
        words = [*split_arg_string(os.environ["COMP_WORDS"]), ""][: cword + 1]
        joined = words[:1]
        for before, word in pairwise(words):
            if word == "=" or (before == "=" and word):
                joined[-1] += word
            else:
                joined.append(word)
        last = words[-1]
        self._given = "" if joined[-1] == last else joined[-1].removesuffix(last.strip("="))
        return joined[1:-1], joined[-1]

    def format_completion(self, item: CompletionItem) -> str:
        """Only what goes after the ``=``, where Bash looks no further back."""
        head, equals, value = item.value.partition("=")
        if equals and self._given.endswith(head + equals):
            return f"{item.type},{value}"
        return super().format_completion(item)


class Zsh(ZshComplete):
    """Click's, but no space follows ``key=``, and ``--option=`` stays before its value."""

    source_template = ZshComplete.source_template.replace(
        "compadd -U -V unsorted -a completions",
        "local -a keys=(${(M)completions:#*=}) others=(${completions:#*=})\n"
        "        compadd -U -V unsorted -S '' -a keys\n"
        "        compadd -U -V unsorted -a others",
    )
    _option = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the one at it."""
        args, incomplete = super().get_completion_args()
        option, equals, _ = incomplete.partition("=")
        self._option = option + equals if equals and option.startswith("-") else ""
        return args, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """The whole word: zsh puts it in place of the one at the cursor."""
        item.value = self._option + item.value
        return super().format_completion(item)


add_completion_class(Bash)
add_completion_class(Zsh)
