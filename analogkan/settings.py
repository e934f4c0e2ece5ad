"""Reading frozen settings dataclasses from TOML and ``key=value`` text, with useful refusals."""

from __future__ import annotations

import dataclasses
import math
import numbers
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from . import resources
from .errors import SettingsError
from .files import brief, read_text
from .kinds import mistaken
from .numerals import read_number, why_not
from .objects import require_type
from .text import closest, nearest

T = TypeVar("T")
KINDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "a text",
    "int | str": "a whole number or a word",
    "bool": "true or false",
    "tuple[int, ...]": "a list of whole numbers",
    "tuple[float, ...]": "a list of numbers",
    "tuple[str, ...]": "a list of texts",
    "tuple[tuple[int, ...], ...]": "a list of lists of whole numbers",
}
"""How a field's type is called in an error."""
_PLAIN: dict[str, type | tuple[type, ...]] = {
    "float": numbers.Real, "int": numbers.Integral, "str": str, "int | str": (numbers.Integral, str)
}  # fmt: skip
SURE = 0.7
"""How alike a word is at least to the one of few that is suggested: real is not ideal."""
MOST_SHOWN = 100
"""Characters of a value in an error."""
MOST_WHOLE = 2**53
"""A larger whole number has no place among settings, and no exact float."""


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The TOML file ``path`` as a dictionary; SettingsError if it is missing or no TOML."""
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise SettingsError(f"{what} {path} is not TOML: {brief(error)}") from error
    except ValueError as error:
        raise SettingsError(f"cannot read {what} {path}: {error}") from error
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise SettingsError(f"{what} {path} is not TOML: it is nested too deeply") from error
    except ValueError as error:  # a whole number of thousands of digits is no TOMLDecodeError
        raise SettingsError(f"{what} {path} is not TOML: {brief(error)}") from error


MOST_NAME = 255
"""Characters of a file's name, on the systems that allow most."""


def find_named(name: str, folder: str, what: str) -> Path:
    """Path of the shipped ``folder/name.toml``, or of the user's file if ``name`` ends in .toml.

    Raises
    ------
    SettingsError
        If there is none; the nearest name is suggested.
    """
    known = {p.stem: p for p in sorted(resources.path(folder).glob("*.toml"), key=lambda p: p.stem)}
    if name in known:
        return known[name]
    longest = max(map(len, Path(name).parts), default=0)
    if longest > MOST_NAME:
        raise SettingsError(
            f"{what} {name[:40]!r}... has a name of {longest:,} characters: files have at most "
            f"{MOST_NAME}"
        )
    wrong = mistaken(Path(name), what) if name else ""
    if wrong:
        raise SettingsError(wrong)
    if name.endswith(".toml"):
        return Path(name)
    raise SettingsError(
        f"unknown {what} {name!r}{nearest(name, known, '.toml')} "
        f"Known: {', '.join(known)}, or the path of a .toml file"
    )


def unknown_setting(word: str, known: Iterable[str]) -> str:
    """The end of a sentence on a setting that does not exist: the nearest, or all there are."""
    known = list(known)
    hint = nearest(word, known)
    return f"unknown setting {word!r}{hint}" + (
        "" if hint != "." else f" Known: {', '.join(known)}"
    )


def setting(
    default: Any,
    unit: str,
    limit: str,
    fits: Callable[[Any], bool],
    words: tuple[str, ...] = (),
) -> Any:
    """A field of a settings dataclass that says its unit (``share`` of 1, or none) and its range.

    ``limit`` is the range in words, ``fits`` the check of it; ``check_fields`` holds it to that.
    ``words`` are those that it may be, beside numbers.
    """
    told = {"unit": unit, "limit": limit, "fits": fits, "words": lambda: words}
    return dataclasses.field(default=default, metadata=told)


def choice(default: str, words: Callable[[], Iterable[str]]) -> Any:
    """A field of a settings dataclass that is one of ``words``, those that there are when asked."""
    told = {"unit": "", "words": words, "fits": lambda value: value in words()}
    return dataclasses.field(default=default, metadata=told)


def limit(field: dataclasses.Field[Any]) -> str:
    """The range of a field, in words."""
    told = field.metadata
    return told.get("limit") or " or ".join(told["words"]())


def within(low: float, high: float) -> Callable[[Any], bool]:
    """The check of a range with both its ends."""
    return lambda value: low <= value <= high


def check_fields(settings: Any) -> None:
    """Hold the fields made by ``setting`` to their ranges; whole numbers of float ones get a point.

    Raises
    ------
    SettingsError
        If one is out of its range.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if str(field.type) in _PLAIN:
            require_type(value, _PLAIN[str(field.type)], field.name, KINDS[str(field.type)])
        if field.type == "float":
            value = _as_float(value)
            object.__setattr__(settings, field.name, value)
        require(field.metadata["fits"](value), field.name, value, limit(field))


def _as_float(value: Any) -> float:
    """Infinite where there is no float as large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def build(kind: type[T], values: dict[str, Any], what: str) -> T:
    """A settings dataclass from a dictionary; unknown and ill-typed entries are refused by name."""
    known = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    converted = convert(kind, values, what)
    absent = [
        name
        for name, field in known.items()
        if name not in converted and field.default is field.default_factory is dataclasses.MISSING
    ]
    if absent:
        raise SettingsError(f"{what} lacks {', '.join(absent)}")
    return kind(**converted)


def convert(kind: type[Any], values: dict[str, Any], what: str) -> dict[str, Any]:
    """Entries of a settings dataclass as its fields' types; unknown and ill-typed ones are refused
    by name."""
    known = {field.name: field for field in dataclasses.fields(kind)}
    for key in values:
        if key not in known:
            raise SettingsError(f"{what}: {unknown_setting(key, known)}")
    return {key: _convert(value, known[key], what) for key, value in values.items()}


def parse_assignments(texts: Iterable[str]) -> dict[str, str]:
    """``{"key": "value"}`` from ``key=value`` texts; SettingsError if one has no ``=``."""
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise SettingsError(f"setting {text!r} is not key=value, such as g_max=2.5e-5")
        pairs[key.strip()] = value.strip()
    return pairs


def parse_range(text: str, what: str) -> tuple[float, float]:
    """``(lo, hi)`` from ``LO:HI``; SettingsError unless both are finite numbers and lo < hi."""
    try:
        lo, hi = (read_number(word) for word in text.split(":"))
    except ValueError:
        lo = hi = math.nan
    if not (math.isfinite(lo) and math.isfinite(hi) and lo < hi):
        raise SettingsError(f"{what} {text!r} is not a range LO:HI, such as 0:1")
    return lo, hi


def _convert(value: Any, field: dataclasses.Field[Any], what: str) -> Any:
    """``value`` as the field's type: text from the command line or an entry of a TOML file."""
    share = field.metadata.get("unit", "share").startswith("share")  # per millimetre too
    try:
        return _as(str(field.type), value, share)
    except (TypeError, ValueError, KeyError, OverflowError):
        wanted = KINDS.get(str(field.type), str(field.type))
        hint = why_not(value) if isinstance(value, str) and wanted == KINDS["float"] else ""
        if isinstance(value, list) and len(value) > 1 and not wanted.startswith("a list"):
            hint = ": several values are what a sweep's axes take"
        raise SettingsError(
            f"{what}: {field.name} = {shown(value)} is not {wanted}{hint}"
        ) from None


def shown(value: Any) -> str:
    """``value`` in a sentence; of what is long its beginning."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _as(wanted: str, value: Any, share: bool) -> Any:
    if wanted == "float" and not isinstance(value, bool):
        return read_number(value, share=share) if isinstance(value, str) else float(value)
    if wanted == "int" and not isinstance(value, (bool, float)):
        whole = int(value)
        if abs(whole) > MOST_WHOLE:
            raise ValueError(wanted)
        return whole
    if wanted == "str" and isinstance(value, str):
        return value
    if wanted == "int | str":
        word = isinstance(value, str) and value[:1].isalpha()
        return value if word else _as("int", value, share)
    if wanted == "bool":
        return {"true": True, "false": False}[str(value).lower()]
    if wanted.startswith("tuple[") and isinstance(value, list):
        inner = wanted.removeprefix("tuple[").removesuffix(", ...]")
        return tuple(_as(inner, x, share) for x in value)
    raise TypeError(wanted)


def require(condition: bool, name: str, value: Any, limit: str) -> None:
    """Raise SettingsError naming the setting, its value and its limit unless ``condition``."""
    if condition:
        return
    words = re.split(r", | or ", limit) if isinstance(value, str) else ()
    meant = closest(value, words, least=SURE) if words else ""
    hint = f", did you mean {meant}?" if meant else ""
    raise SettingsError(f"{name} = {shown(value)} is out of range: {limit}{hint}")
