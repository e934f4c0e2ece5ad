# pyright: strict
"""Cells that a user measured: a table of states, kept as one line of text that is a setting.

So a study holds the figures themselves, and is the same study wherever the file is.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SettingsError
from ..settings import read_toml, shown
from .technologies import Technology, faded

Floats = npt.NDArray[np.float64]
ENTRIES = ("name", "source", "t0_s", "state", "sigma", "drift", "drift_sigma")
"""Of a file; siemens, and nu of (t / t0)^-nu. Without drift neither ``t0_s`` nor the last two."""
MOST_STATES = 200
MOST_SIEMENS = 1.0


def is_table(text: str) -> bool:
    """Whether a setting's text is a table, and not a name."""
    return ":" in text


def read_table(path: Path) -> str:
    """The line of text of a file that ``devices import --kind memory`` wrote.

    Raises
    ------
    SettingsError
        If it is none: the entry is named.
    """
    document = read_toml(path, "table of cells")
    what = f"table of cells {path}"
    if unknown := [name for name in document if name not in ENTRIES]:
        raise SettingsError(
            f"{what}: unknown entry {unknown[0]!r}: it has {', '.join(ENTRIES)}, as devices import "
            "--kind memory writes them"
        )
    drifts = [name for name in ("t0_s", "drift", "drift_sigma") if name in document]
    wanted = ("name", "state", "sigma", *(("t0_s", "drift", "drift_sigma") if drifts else ()))
    if absent := [name for name in wanted if name not in document]:
        raise SettingsError(f"{what} lacks {', '.join(absent)}")
    columns: list[Any] = [document[name] for name in wanted if name not in ("name", "t0_s")]
    if not all(isinstance(column, list) for column in columns) or len(set(map(len, columns))) > 1:
        raise SettingsError(f"{what}: its columns must be lists, all as long as state")
    rows = list(zip(*columns, strict=True))
    return table_text(str(document["name"]), document.get("t0_s"), rows, what)


def table_text(name: str, t0_s: Any, rows: list[tuple[Any, ...]], what: str) -> str:
    """The line of text: name, seconds of the first reading or none, and a state a row.

    Raises
    ------
    SettingsError
        If a value is out of its range, naming the row.
    """
    if not name.replace("_", "").isalnum():
        raise SettingsError(f"{what}: name = {shown(name)} must be letters, digits and _")
    if not 2 <= len(rows) <= MOST_STATES:
        raise SettingsError(f"{what} has {len(rows)} states: it must have 2 to {MOST_STATES}")
    if t0_s is not None:
        _check(t0_s, 1e-9, 1e12, f"{what}: t0_s", "s")
    before = 0.0
    for k, (state, sigma, *drift) in enumerate(rows, 1):
        at = f"{what}, state {k}"
        _check(state, 1e-15, MOST_SIEMENS, f"{at}: state", "S")
        if state <= before:
            raise SettingsError(f"{at}: state = {state:g} S must be above the one before")
        _check(sigma, 0, MOST_SIEMENS, f"{at}: sigma", "S")
        for which, value in zip(("drift", "drift_sigma"), drift, strict=False):
            _check(value, 0, 1, f"{at}: {which}", "")
        before = float(state)
    lines = ";".join(" ".join(repr(float(value)) for value in row) for row in rows)
    return f"{name}:{'' if t0_s is None else repr(float(t0_s))}:{lines}"


def _check(value: Any, least: float, most: float, where: str, unit: str) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not least <= value <= most:
        limit = f"{least:g} to {most:g} {unit}".rstrip()
        raise SettingsError(f"{where} = {shown(value)} must be {limit}")


@lru_cache(maxsize=64)
def parse_table(text: str) -> Technology:
    """The technology of such a line; piecewise linear by state.

    Raises
    ------
    SettingsError
        If it is none.
    """
    try:
        name, first, lines = text.split(":")
        t0_s = float(first) if first else None
        rows = [tuple(float(word) for word in line.split()) for line in lines.split(";")]
        widths = {len(row) for row in rows}
        if widths != {2 if t0_s is None else 4}:
            raise ValueError
    except ValueError:
        raise SettingsError(
            f"cells = {shown(text)} is no table of cells: give the path of the .toml file that "
            "devices import --kind memory wrote"
        ) from None
    table_text(name, t0_s, list(rows), "cells")
    state, sigma, *drift = np.array(rows).T * np.array([[1e6], [1e6], [1.0], [1.0]])[: len(rows[0])]
    most = float(state[-1])

    def along(g: Floats, column: Floats) -> Floats:
        return np.interp(g, state, column)

    def nu_of(x: Floats) -> tuple[Floats, Floats]:
        return along(x * most, drift[0]), along(x * most, drift[1])

    return Technology(
        name=name,
        source="a user's own",
        least=float(state[0]),
        most=most,
        error=lambda g: along(g, sigma),
        first_s=0.0 if t0_s is None else t0_s,
        last_s=0.0 if t0_s is None else math.inf,
        aged=None if t0_s is None else faded(most, t0_s, nu_of),
    )
