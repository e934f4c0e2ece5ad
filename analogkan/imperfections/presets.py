# pyright: strict
"""Settings of studies, beside Hardware: Variation (chance) and Conditions (temperature, age).

All off by default. A preset or the user's TOML file has ``[hardware]``, ``[variation]`` and
``[conditions]``; no name is in two of them, so ``--set`` needs no table's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from typing import Any, TypeVar

from .. import resources
from ..compiler.hardware import Hardware
from ..compiler.presets import FOLDER, preset_table
from ..errors import SettingsError
from ..settings import build, parse_assignments, unknown_setting
from .conditions import Conditions
from .variation import Variation

Settings = tuple[Hardware, Variation, Conditions]
T = TypeVar("T")
TABLES: dict[str, type[Any]] = {
    "hardware": Hardware,
    "variation": Variation,
    "conditions": Conditions,
}


def load_settings(
    preset: str | None = "nominal",
    assignments: Iterable[str] = (),
    base: Hardware | None = None,
) -> Settings:
    """The settings of a preset (a shipped name or a TOML file; or none), ``key=value`` on top.

    Hardware that neither names is as in ``base``, or as by default.

    Raises
    ------
    SettingsError
        If a name is unknown (the nearest is suggested) or a value out of its range.
    """
    return settings_loader(preset, base)(assignments)


def shipped_with(hardware: Hardware, variation: Variation) -> str:
    """The shipped preset that has this hardware, not that by default; of several the one that has
    the variation too, or none."""
    if hardware == Hardware():
        return ""
    shipped = {p.stem: load_settings(p.stem) for p in resources.path(FOLDER).glob("*.toml")}
    alike = sorted(name for name, found in shipped.items() if found[0] == hardware)
    drawn = variation.document()
    both = [name for name in alike if shipped[name][1].document() == drawn]
    found = both or alike
    return found[0] if len(found) == 1 else ""


def settings_loader(
    preset: str | None, base: Hardware | None = None
) -> Callable[[Iterable[str]], Settings]:
    """``load_settings``, for many: the preset is read once, and equal settings are shared."""
    starts: list[tuple[type, dict[str, Any], str]] = []
    for table, kind in TABLES.items():
        values, what = ({}, "") if preset is None else preset_table(preset, table)
        before = asdict(base) if kind is Hardware and base is not None else {}
        starts.append((kind, before | values, what))
    mine_of = {kind: [field.name for field in fields(kind)] for kind in TABLES.values()}
    known = [name for names in mine_of.values() for name in names]
    made: dict[tuple[Any, ...], Any] = {}

    def load(assignments: Iterable[str]) -> Settings:
        texts = parse_assignments(assignments)
        for key in texts:
            if key not in known:
                raise SettingsError(f"--set: {unknown_setting(key, known)}")
        found: list[Any] = []
        for kind, values, what in starts:
            mine = {key: text for key, text in texts.items() if key in mine_of[kind]}
            this = (kind, *mine.items())
            if this not in made:
                told = " with ".join(filter(None, (what, "--set" if mine else "")))
                made[this] = build(kind, values | mine, told)
            found.append(made[this])
        hardware, variation, conditions = found
        return hardware, variation, conditions

    return load


def load_own(
    kind: type[T], table: str, preset: str | None, assignments: Iterable[str]
) -> tuple[T, list[str]]:
    """Settings that one study has beside those of every study, and the texts that are not its own.

    Parameters
    ----------
    kind
        A frozen dataclass of settings.
    table
        Where a preset has them.

    Raises
    ------
    SettingsError
        If a name is of neither (the nearest is suggested), or a value out of its range.
    """
    values, what = ({}, "") if preset is None else preset_table(preset, table)
    own = [field.name for field in fields(kind)]  # pyright: ignore[reportArgumentType]
    others = [field.name for one in TABLES.values() for field in fields(one)]
    texts = parse_assignments(assignments)
    for key in texts:
        if key not in own + others:
            raise SettingsError(f"--set: {unknown_setting(key, own + others)}")
    mine = {key: text for key, text in texts.items() if key in own}
    made = build(kind, values | mine, " with ".join(filter(None, (what, "--set" if mine else ""))))
    return made, [f"{key}={text}" for key, text in texts.items() if key not in own]
