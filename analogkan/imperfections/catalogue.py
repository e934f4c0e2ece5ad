# pyright: strict
"""Every setting, as its dataclass declares it: what ``doctor --settings`` lists."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..settings import limit
from .presets import TABLES


@dataclass(frozen=True, kw_only=True)
class Described:
    """One setting.

    Attributes
    ----------
    name, group
        Its name, and the table of a preset that it belongs to.
    unit, default, range
        Empty if it has no unit; its value unless said; what it may be, in words.
    about
        The first sentence of its documentation.
    """

    name: str
    group: str
    unit: str
    default: Any
    range: str
    about: str


def settings(own: Mapping[str, type[Any]] | None = None) -> list[Described]:
    """All there are, group by group, in the order of their declaration; last a study's ``own``."""
    return [
        Described(
            name=field.name,
            group=group,
            unit=field.metadata["unit"],
            default=field.default,
            range=limit(field),
            about=about.get(field.name, ""),
        )
        for group, kind in {**TABLES, **(own or {})}.items()
        for about in [_documented(kind)]
        for field in fields(kind)
    ]


def _documented(kind: type) -> dict[str, str]:
    """First sentences of what the docstring of ``kind`` says of each attribute."""
    text = inspect.cleandoc(kind.__doc__ or "").partition("----------\n")[2]
    found: dict[str, str] = {}
    for names, said in re.findall(r"^(\w.*)\n((?:[ ]{4}.*\n?)+)", text, re.MULTILINE):
        first = re.split(r"(?<=\.)\s", " ".join(said.replace("``", "").split()))[0]
        found |= dict.fromkeys(names.split(", "), first)
    return found
