# pyright: strict
"""Presets as files: tables of settings, one on top of another."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from ..settings import find_named, read_toml, shown

FOLDER = "presets"
TABLES = ("hardware", "variation", "conditions", "assumptions")
ON_TOP = ","
"""Between presets of which each is on top of those before it: ``board,mine.variation.toml``."""


def preset_table(preset: str, table: str) -> tuple[dict[str, Any], str]:
    """One table of a preset, empty if it has none, and what to call the preset in a sentence.

    Parameters
    ----------
    preset
        A shipped name or a TOML file; or several with commas between them, whose later ones
        replace entries of those before.
    table
        One of ``TABLES``.

    Raises
    ------
    SettingsError
        If there is no such preset, or it has another table.
    """
    names = [name.strip() for name in preset.split(ON_TOP)]
    with contextlib.suppress(OSError, ValueError):  # of what can be no file's name
        names = [preset] if Path(preset).is_file() else names
    found: dict[str, Any] = {}
    called: list[str] = []
    for name in names:
        values, stem = _table(name, table)
        found |= values
        called.append(stem)
    return found, f"preset {' with '.join(called)}"


def _table(preset: str, table: str) -> tuple[dict[str, Any], str]:
    """A table of one preset, and its name."""
    path = find_named(preset, FOLDER, "preset")
    document: Mapping[str, Any] = read_toml(path, "preset")
    unknown = sorted(set(document) - set(TABLES))
    if unknown:
        may = ", ".join(f"[{name}]" for name in TABLES)
        raise SettingsError(f"preset {preset}: unknown [{unknown[0]}]: it may have {may}")
    values = document.get(table, {})
    if not isinstance(values, dict):
        raise SettingsError(f"preset {preset}: {table} = {shown(values)} must be a [{table}] table")
    return dict(values), path.stem
