"""Grids of settings: what a sweep visits.

A cell of a grid is one set of hardware, variation and conditions, with a label for each axis.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

from ..compiler.hardware import Hardware
from ..errors import SettingsError
from ..imperfections import Conditions, Variation, load_settings
from ..imperfections.converters import require_converters
from ..imperfections.measured import require_measured
from ..imperfections.presets import settings_loader
from ..imperfections.registry import faults, settings_of
from ..settings import require
from .points import MAX_POINTS, Point, Points

RATES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
"""Shares of faulty parts that ``faults`` visits."""
MAX_CELLS = 1_000_000


def drawn_faults(variation: Variation) -> frozenset[str]:
    """The faults that chips of ``variation`` can have."""
    return frozenset(fault for fault in faults() if getattr(variation, fault))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One set of settings, and what the grid's axes call it."""

    labels: dict[str, str]
    hardware: Hardware
    variation: Variation
    conditions: Conditions

    def points(self, samples: int) -> Points:
        """Chips 0 to ``samples`` - 1; the nominal circuit alone where nothing is drawn."""
        numbers: Sequence[int | None] = (None,) if self.variation.off else range(samples)
        first = Point(
            hardware=self.hardware,
            variation=self.variation,
            conditions=self.conditions,
            sample=None,
        )
        return Points([(first, numbers)])


def split_axes(texts: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Axes, from ``key=a,b,c`` texts, and the texts that set one value.

    Raises
    ------
    SettingsError
        If a key comes twice, or a value is missing or given twice.
    """
    axes: dict[str, list[str]] = {}
    fixed: list[str] = []
    seen: set[str] = set()
    for text in texts:
        key, _, values = text.partition("=")
        key = key.strip()
        if key in seen:
            raise SettingsError(f"--set {key} is given twice: one --set {key}=a,b,c has all values")
        seen.add(key)
        if "," not in values:
            fixed.append(text)
            continue
        words = [word.strip() for word in values.split(",")]
        if not all(words) or len(set(words)) < len(words):
            raise SettingsError(
                f"--set {text!r} has an empty value or one twice: key=a,b,c, such as levels=8,16,32"
            )
        if any(re.fullmatch(r"0\d+", word) for word in words):
            raise SettingsError(
                f"--set {text!r} has the values {' and '.join(words)}: decimals have a point, "
                f"{key}={values.replace(',', '.', 1)}"
            )
        axes[key] = words
    return axes, fixed


def grid_cells(
    axes: Mapping[str, Sequence[str]], fixed: Sequence[str], preset: str, base: Hardware
) -> list[Cell]:
    """The product of ``axes``, on top of ``fixed`` settings and a preset; the last axis fastest."""
    count = math.prod(len(values) for values in axes.values())
    require(count <= MAX_CELLS, "settings of the grid", count, f"at most {MAX_CELLS}")
    load, found = settings_loader(preset, base), []
    for values in itertools.product(*axes.values()):
        labels = dict(zip(axes, values, strict=True))
        texts = [*fixed, *(f"{key}={value}" for key, value in labels.items())]
        found.append(_cell(labels, *load(texts)))
    settings = {(cell.hardware, cell.variation, cell.conditions): cell for cell in found}
    if len(settings) < len(found):
        both = next(c for c in found if settings[c.hardware, c.variation, c.conditions] is not c)
        other = settings[both.hardware, both.variation, both.conditions]
        key = next(key for key, text in both.labels.items() if other.labels[key] != text)
        raise SettingsError(
            f"--set {key} has {both.labels[key]} and {other.labels[key]}, which are one value: "
            "give each once"
        )
    return found


def fault_cells(fixed: Sequence[str], preset: str, base: Hardware) -> list[Cell]:
    """No fault, then each fault by itself at each rate."""
    load = settings_loader(preset, base)
    found = [_cell({"fault": "none", "rate": "0"}, *load(fixed))]
    for fault in faults():
        for rate in RATES:
            texts = [*fixed, f"{fault}={rate!r}"]
            labels = {"fault": fault, "rate": f"{rate:g}"}
            found.append(_cell(labels, *load(texts)))
    return found


def budget_cells(fixed: Sequence[str], preset: str, base: Hardware) -> list[Cell]:
    """Nothing; each imperfection of a preset alone, and all but it; all of them.

    A dark trim is no imperfection: it is in every cell in which something is drawn. Nor is what
    shapes others, such as a correlation length: it goes with each.
    """
    hardware, variation, conditions = load_settings(preset, fixed, base)
    nominal, adjusting = Variation(), settings_of(lambda one: one.adjusts)
    chosen = {
        field.name: "hardware"
        for field in fields(Hardware)
        if getattr(hardware, field.name) != getattr(base, field.name)
    } | {
        field.name: "variation"
        for field in fields(Variation)
        if field.name not in adjusting
        and getattr(variation, field.name) != field.default
        and not field.metadata["shapes"]
    }
    shaping = {
        field.name: getattr(variation, field.name)
        for field in fields(Variation)
        if field.metadata["shapes"]
    }
    if not chosen:
        raise SettingsError(f"preset {preset} changes nothing of the BUILD: choose rram, say")
    found = [_cell({"imperfection": "none", "cell": "alone"}, base, nominal, conditions)]
    for name, kind in chosen.items():
        if name == "wires":  # how a deck holds them is no imperfection
            continue
        for how in ("alone", "all but"):
            hw, va = (base, nominal) if how == "alone" else (hardware, variation)
            source = (hardware, variation) if how == "alone" else (base, nominal)
            with _row(name, how, preset):
                if kind == "hardware":
                    hw = replace(hw, **{name: getattr(source[0], name)})
                else:
                    va = replace(va, **shaping | {name: getattr(source[1], name)})
                    va = va if vars(va).keys() - shaping.keys() - {*adjusting} else nominal
                adjusted = variation if va.drawn else nominal
                va = replace(va, **{name: getattr(adjusted, name) for name in adjusting})
                require_converters(va, hw)
                require_measured(va, hw, conditions)
            found.append(_cell({"imperfection": name, "cell": how}, hw, va, conditions))
    last = {"imperfection": "all", "cell": "all"}
    return [*found, _cell(last, hardware, variation, conditions)]


@contextmanager
def _row(name: str, how: str, preset: str) -> Iterator[None]:
    """Say of which row of a budget it is that its settings do not go together."""
    try:
        yield
    except SettingsError as error:
        raise SettingsError(
            f"the error budget has {name} {how} of {preset}, and {error}; or compile a BUILD with "
            "the preset's hardware (compile --preset), which every row then has"
        ) from error


def grid_points(cells: Sequence[Cell], samples: int) -> Points:
    """The points of all cells; a point that two cells share is there once."""
    count = count_points(cells, samples)
    require(count <= MAX_POINTS, "chips of the grid", count, f"at most {MAX_POINTS}")
    series = [one for cell in cells for one in cell.points(samples).series]
    return Points({point.place: (point, numbers) for point, numbers in series}.values())


def count_points(cells: Sequence[Cell], samples: int) -> int:
    """How many circuits a grid has."""
    require(1 <= samples <= MAX_POINTS, "samples", samples, f"1 to {MAX_POINTS}")
    return sum(1 if cell.variation.off else samples for cell in cells)


def _cell(
    labels: dict[str, str], hardware: Hardware, variation: Variation, conditions: Conditions
) -> Cell:
    return Cell(labels=labels, hardware=hardware, variation=variation, conditions=conditions)
