# pyright: strict
"""What a preset puts in the place of a BUILD's own hardware, and how that is kept."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..text import brief

if TYPE_CHECKING:
    from ..compiler.hardware import Hardware
    from .study import Job

MOST_WORD = 40
"""Letters of a value in a sentence."""
Replaced = Mapping[str, tuple[Any, Any]]
"""Settings by name: the BUILD's value, and the preset's."""


def replaced(job: Job) -> Replaced:
    """Hardware that the preset of ``job`` has otherwise than the BUILD, and no setting names.

    Raises
    ------
    SettingsError
        If the preset cannot be read, or has an entry that is none.
    """
    before = asdict(job.build.hardware)
    return {
        name: (before[name], value)
        for name, value in hardware_of(job.preset).items()
        if value != before[name] and name not in job.named
    }


def told(job: Job) -> list[str]:
    """The same, a sentence with what keeps the BUILD's own; nothing where nothing is replaced."""
    found = replaced(job)
    if not found:
        return []
    changes = ", ".join(
        f"{name} {_word(old)} -> {_word(new)}" for name, (old, new) in found.items()
    )
    keep = " ".join(
        f"--set {shlex.quote(name + '=' + _text(old))}" for name, (old, _) in found.items()
    )
    made_for = _made_for(job.build.hardware)
    also = f"; --preset {made_for} is what the BUILD was made for" if made_for else ""
    return [
        f"preset {job.preset} replaces settings of the BUILD, {changes}: {keep} keeps "
        f"{'it' if len(found) == 1 else 'them'}{also}"
    ]


def _word(value: Any) -> str:
    """A value in a sentence, where an empty one is seen, and of a long one its ends."""
    text = _text(value) or "(none)"
    return text if len(text) <= MOST_WORD else brief(value, MOST_WORD)


def _text(value: Any) -> str:
    """A value as ``--set`` takes it: the number itself, shorter where that is the same."""
    short = f"{value:g}" if isinstance(value, float) else str(value)
    return short if not isinstance(value, float) or float(short) == value else repr(value)


def hardware_of(preset: str | None) -> dict[str, Any]:
    """What a preset says of hardware, as a ``Hardware`` would have it."""
    from ..compiler.hardware import Hardware
    from ..compiler.presets import preset_table
    from ..settings import convert

    if preset is None:
        return {}
    return convert(Hardware, *preset_table(preset, "hardware"))


def _made_for(hardware: Hardware) -> str:
    """The shipped preset whose hardware a BUILD's is, if there is one and it is not the default
    that any BUILD has; of several none."""
    from .. import resources
    from ..compiler.hardware import Hardware
    from ..compiler.presets import FOLDER, preset_table

    own, default = asdict(hardware), asdict(Hardware())
    found: list[str] = []
    for name in sorted(path.stem for path in resources.path(FOLDER).glob("*.toml")):
        said = hardware_of(name)
        drawn, _ = preset_table(name, "variation")
        alike = drawn and all(own[key] == value for key, value in said.items())
        if alike and any(value != default[key] for key, value in said.items()):
            found.append(name)
    return found[0] if len(found) == 1 else ""
