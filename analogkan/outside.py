# pyright: strict
"""What comes from outside the package: which file registered which cell and imperfection.

A file is known by its name and by a hash of it and of the ``.lib`` files of its cells, never by its
path: so BUILDs and RUNs name it, and any process can say whether it has the same.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import AnalogKanError, SettingsError
from .schema import Record, Several, Text

CELL, IMPERFECTION = "cell", "imperfection"
NO_FILE = "no file"
"""Name of what was registered by hand, in a notebook or a console."""
ENTRY = Record(more=Record({"sha256": Text(), "uses": Several(Text())}))
"""``told``, in a file."""
Part = tuple[str, str]
"""``CELL`` or ``IMPERFECTION``, and its name."""


@dataclass(eq=False)
class Plugin:
    """A file that registers cells or imperfections.

    Attributes
    ----------
    path
        Of the file.
    files
        What was read of it, then of the ``.lib`` files of its cells, by their names from its
        folder.
    """

    path: Path
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.name

    @property
    def sha256(self) -> str:
        """Of all its files, one after the other; empty if there is none."""
        return hashlib.sha256(b"".join(self.files.values())).hexdigest() if self.files else ""

    @property
    def alone(self) -> bool:
        """Whether a process that loads the file has what it registers, and does no more."""
        program = getattr(sys.modules.get("__main__"), "__file__", None)
        return bool(self.files) and self.path != Path(program or "/").resolve()

    def parts(self) -> list[Part]:
        """What it registered, in that order."""
        return [part for part, plugin in _of.items() if plugin is self]

    def changed(self) -> str:
        """Name of a file of it that is not any more what was read; empty if there is none."""
        for name, content in self.files.items():
            path = self.path.parent / name
            if not path.is_file() or path.read_bytes() != content:
                return name
        return ""


_of: dict[Part, Plugin] = {}


def loaded() -> list[Plugin]:
    """All there are, in the order in which they were."""
    return list(dict.fromkeys(_of.values()))


def note(part: Part, lib: Path | None = None) -> None:
    """Keep where the caller's caller, a file that registers ``part``, has it from.

    Raises
    ------
    SettingsError
        If another file of its name has registered something, or the cell's file ``lib`` is not in
        its folder.
    """
    file: str | None = sys._getframe(2).f_globals.get("__file__")  # pyright: ignore[reportPrivateUsage]
    path = Path(file).resolve() if file else Path(NO_FILE)
    plugin = next((one for one in loaded() if one.path == path), Plugin(path))
    other = next((one for one in loaded() if one.name == path.name), plugin)
    if other is not plugin:
        raise SettingsError(
            f"there is a plugin {path.name} already, {other.path}: rename one of them"
        )
    if file and not plugin.files:
        plugin.files[path.name] = path.read_bytes()
    if file and lib is not None:
        beside = lib.resolve()
        if not beside.is_relative_to(path.parent):
            raise SettingsError(
                f"{' '.join(part)}: its file {lib} is not in the folder of {path.name}: put it "
                "beside it"
            )
        plugin.files[beside.relative_to(path.parent).as_posix()] = beside.read_bytes()
    _of[part] = plugin


def drop(part: Part) -> None:
    """Forget what was registered."""
    _of.pop(part, None)


def used(parts: Collection[Part]) -> dict[Plugin, list[str]]:
    """The plugins that ``parts`` are from, with what of each is among them.

    Raises
    ------
    SettingsError
        If a file of one was changed since it was read.
    """
    found: dict[Plugin, list[str]] = {}
    for part, plugin in _of.items():
        if part in parts:
            found.setdefault(plugin, []).append(" ".join(part))
    for plugin in found:
        changed = plugin.changed()
        if changed:
            raise SettingsError(
                f"plugin {plugin.name}: {changed} is not what was loaded any more: start again, so "
                "that it is loaded as it is now"
            )
    return found


def told(plugins: Mapping[Plugin, list[str]]) -> dict[str, Any]:
    """What a BUILD or a RUN says of them; nothing if there is none."""
    entry = {p.name: {"sha256": p.sha256, "uses": uses} for p, uses in plugins.items()}
    return {"plugins": entry} if entry else {}


def identity(plugins: Iterable[Plugin]) -> dict[str, str]:
    """Settings without which a RUN would be another."""
    return {f"plugin {plugin.name}": plugin.sha256 for plugin in plugins}


def sentences(document: Mapping[str, Any]) -> list[str]:
    """What a reader is told of the plugins of a BUILD or a RUN."""
    entry: dict[str, Any] = document.get("plugins", {})
    return [
        f"{', '.join(one['uses'])} from plugin {name} (sha256 {_short(one['sha256'])})"
        if one["sha256"]
        else f"{', '.join(one['uses'])} that was registered in no file"
        for name, one in entry.items()
    ]


def require(document: Mapping[str, Any], what: str, error: type[AnalogKanError]) -> None:
    """Raise ``error`` unless the plugins that ``document``, of ``what``, tells of are loaded."""
    entry: dict[str, Any] = document.get("plugins", {})
    have = {plugin.name: plugin.sha256 for plugin in loaded()}
    for (name, one), said in zip(entry.items(), sentences(document), strict=True):
        if name not in have:
            how = f"give --plugin {name}, in Python ak.load_plugin" if one["sha256"] else "do so"
            raise error(f"{what} uses {said}, which is not loaded: {how}")
        if have[name] != one["sha256"]:
            raise error(
                f"{what} uses {said}, and the {name} that is loaded has sha256 "
                f"{_short(have[name])}: load the one that it was made with, or make it again"
            )


def _short(sha256: str) -> str:
    return sha256[:12]
