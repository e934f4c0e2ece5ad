# pyright: strict
"""What people give: circuits, images and settings, held to their types, as studies take them."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from ..compiler.build import Build, load_build
from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..errors import SettingsError
from ..imperfections import Conditions, Variation
from ..imperfections import load_settings as load_texts
from ..imperfections.presets import TABLES
from ..objects import PATHS, as_path, require_type
from ..physics import Assumptions
from ..settings import build as build_settings
from ..settings import unknown_setting
from ..studies.opened_chips import open_circuit
from ..studies.points import parse_temps

AnyPath = str | PathLike[str]
AnyBuild = AnyPath | Build
Values = Mapping[str, Any]
Inputs = np.ndarray[Any, np.dtype[Any]]


class Preset(NamedTuple):
    """Settings of chips: what is chosen, what is chance, temperature and age.

    Examples
    --------
    >>> cold = ak.Preset(ak.Hardware(), ak.Variation(), ak.Conditions(temp_c=-40))
    >>> cold.variation.off
    True
    """

    hardware: Hardware
    variation: Variation
    conditions: Conditions


AnyPreset = AnyPath | Preset


def circuit(build: Any) -> Build:
    """The BUILD itself, or the one in a folder."""
    if isinstance(build, Build):
        return build
    return load_build(as_path(build, "build", "a BUILD's folder, or what compile returns"))


def circuit_or_chip(build: Any) -> Build:
    """The same; or a chip that a study kept."""
    if isinstance(build, Build):
        return build
    return open_circuit(as_path(build, "build", "a BUILD's folder, or what compile returns"))


def image_set(images: Any) -> ImageSet:
    """``images``, if they are a set that knows which images it has."""
    wanted = "an ImageSet, such as load_bundled() or load_dataset('own.npz', 'test')"
    require_type(images, ImageSet, "images", wanted)
    return images


def check_whole(**given: Any) -> None:
    """Refuse what is no whole number; None is not given."""
    for name, value in given.items():
        if value is not None:
            require_type(value, numbers.Integral, name, "a whole number")


def check_numbers(**given: Any) -> None:
    """Refuse what is no number; None is not given."""
    for name, value in given.items():
        if value is not None:
            require_type(value, numbers.Real, name, "a number")


def check_temperatures(temps: Any, example: str = "[-40, 85]") -> Any:
    """``temps``, a text or a list of numbers, as it is; what is neither is refused."""
    require_type(temps, (str, Iterable), "temps", f"degrees Celsius, {example}, or LO:HI:STEP")
    if isinstance(temps, str):
        return temps
    found: list[Any] = list(temps)
    for temp in found:
        check_numbers(temps=temp)
    return found


def temperatures(temps: Any, example: str = "[-40, 85]") -> list[float]:
    """Degrees Celsius, rising, each once, of what ``check_temperatures`` takes."""
    temps = check_temperatures(temps, example)
    return parse_temps(temps) if isinstance(temps, str) else sorted(set(map(float, temps)))


def assumption_texts(assumptions: Any) -> list[str]:
    """``Assumptions``, or entries of it to change, as ``key=value`` texts."""
    wanted = "an Assumptions, or its entries, {'c_in': 2e-12}"
    require_type(assumptions, (Assumptions, Mapping, type(None)), "assumptions", wanted)
    entries: Mapping[str, Any] = (
        asdict(assumptions) if isinstance(assumptions, Assumptions) else assumptions or {}
    )
    return [f"{name}={value!r}" for name, value in entries.items()]


def optional_path(value: Any, name: str) -> Path | None:
    """A path, where one is given."""
    return None if value is None else as_path(value, name)


def calibration(given: Any) -> Path | Inputs | None:
    """Training inputs as the compiler takes them: a path, images, or an array (n, ...)."""
    if given is None:
        return None
    if isinstance(given, ImageSet):
        return given.x
    if isinstance(given, np.ndarray):
        return cast(Inputs, given)
    return as_path(given, "calibrate", "an npz file, an ImageSet, or an array (n, ...)")


def load_preset(
    preset: AnyPreset = "nominal",
    *,
    hardware: AnyPath | Hardware | Values | None = None,
    variation: AnyPath | Variation | Values | None = None,
    conditions: AnyPath | Conditions | Values | None = None,
) -> Preset:
    """The settings of a preset, with some of them changed.

    Parameters
    ----------
    preset
        A shipped name, the path of a TOML file, or a ``Preset``.
    hardware, variation, conditions
        Entries to change, such as ``{"levels": 32}``; or an object or another preset's name, which
        takes the place of the whole.

    Raises
    ------
    SettingsError
        If a name is unknown (the nearest is suggested), or a value is not what it may be.

    Examples
    --------
    >>> ak.load_preset("rram", variation={"sigma_g": 0.1}).variation.sigma_g
    0.1
    >>> hardware, variation, conditions = ak.load_preset("rram")
    >>> hardware.levels
    32
    """
    given = {"hardware": hardware, "variation": variation, "conditions": conditions}
    return _resolved(_start(preset, None), given)


def settings_texts(
    preset: AnyPreset | None,
    base: Hardware | None,
    given: Mapping[str, Any],
    *,
    otherwise: str | None,
) -> tuple[str | None, list[str]]:
    """The preset that a study is told, and what differs from it, as ``key=value`` texts.

    Parameters
    ----------
    preset
        None is ``otherwise``; or, where a whole ``Variation`` is ``given``, no preset.
    base
        Hardware of what is studied: holds where neither preset nor ``given`` say otherwise.
    given
        ``hardware``, ``variation`` and ``conditions``, as ``load_preset`` takes them.

    Numbers become texts that are read as the same doubles.
    """
    if preset is None and not isinstance(given.get("variation"), Variation):
        preset = otherwise
    named = None if preset is None or isinstance(preset, Preset) else _name(preset)
    start = _start(preset, base)
    now = _resolved(start, given)
    then = load_texts(None, base=base) if isinstance(preset, Preset) else start
    found: list[str] = []
    for before, after in zip(then, now, strict=True):
        was = asdict(before)
        found += [f"{key}={value}" for key, value in asdict(after).items() if value != was[key]]
    return named, found


def axis_texts(axes: Any) -> list[str]:
    """The axes of a grid, such as ``{"sigma_g": [0, 0.05]}``, as ``key=a,b`` texts."""
    require_type(axes, Mapping, "axes", "settings and their values, {'sigma_g': [0, 0.05]}")
    found: list[str] = []
    named: Mapping[Any, Any] = axes
    for key, values in named.items():
        require_type(key, str, "axes", "settings by their names, {'sigma_g': [0, 0.05]}")
        kind = _kind_of(key, "axes")
        given: Any = values.tolist() if isinstance(values, np.ndarray) else values
        require_type(given, (list, tuple, range), f"axes[{key!r}]", "a list of two values or more")
        listed: Sequence[Any] = given
        if len(listed) < 2:
            raise SettingsError(
                f"axes[{key!r}] has {len(listed)} values: an axis has two or more; what holds "
                "everywhere goes into hardware=, variation= or conditions="
            )
        made = [build_settings(kind, {key: value}, "axes") for value in listed]
        found.append(f"{key}={','.join(str(getattr(one, key)) for one in made)}")
    return found


def _name(preset: Any) -> str:
    require_type(preset, PATHS, "preset", "a preset's name, the path of a TOML file, or a Preset")
    return str(preset)


def _start(preset: Any, base: Hardware | None) -> Preset:
    if isinstance(preset, Preset):
        return preset
    return Preset(*load_texts(None if preset is None else _name(preset), base=base))


def _resolved(start: Preset, given: Mapping[str, Any]) -> Preset:
    return Preset(*(_table(name, given.get(name), start) for name in TABLES))


def _table(name: str, given: Any, start: Preset) -> Any:
    """One of the three, with what is ``given`` of it."""
    kind, before = TABLES[name], getattr(start, name)
    if given is None or isinstance(given, kind):
        return before if given is None else given
    wanted = f"a {kind.__name__}, a preset's name, or its entries, {{'name': value}}"
    require_type(given, (Mapping, *PATHS), name, wanted)
    if not isinstance(given, Mapping):
        return getattr(_start(given, None), name)
    entries: dict[str, Any] = {str(key): _plain(value) for key, value in given.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for key in entries:
        other = _table_of(key)
        if other not in (None, name):
            raise SettingsError(f"{name} has no {key}, {other} has: {other}={{{key!r}: ...}}")
    return build_settings(kind, asdict(before) | entries, name)


def _plain(value: Any) -> Any:
    """A number of numpy's as Python's own."""
    return cast(Any, value).item() if isinstance(value, np.generic) else value


def _table_of(key: str) -> str | None:
    return next((t for t, kind in TABLES.items() if key in kind.__dataclass_fields__), None)


def _kind_of(key: str, what: str) -> type[Any]:
    table = _table_of(key)
    if table is None:
        known = [field.name for kind in TABLES.values() for field in fields(kind)]
        raise SettingsError(f"{what}: {unknown_setting(key, known)}")
    return TABLES[table]
