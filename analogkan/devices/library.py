"""The shipped devices, and reading and writing device files."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import resources
from ..errors import DeviceError
from ..files import write_text
from ..kinds import mistaken
from ..ours import require_ours
from ..text import brief, nearest
from .curve import IVCurve
from .reading import read_regular

FOLDER = "devices/library"
KEYS = ("name", "v", "i", "source", "notes", "temps_c", "i_at", "reconstructed")
"""Of a device file."""


def names() -> list[str]:
    """Names of the shipped devices, in the order of their files.

    Examples
    --------
    >>> len(ak.devices.names()) > 2
    True
    """
    return [load(p).name for p in sorted(resources.path(FOLDER).glob("*.toml"))]


def get(name: str) -> IVCurve:
    """A device by its library name (any case) or by the path of a ``.toml`` file.

    Raises
    ------
    DeviceError
        If there is no such device; the nearest names are suggested.
    """
    known = {p.stem: p for p in resources.path(FOLDER).glob("*.toml")}
    if name.lower() in known:
        return load(known[name.lower()])
    wrong = mistaken(Path(name), "device") if name else ""
    if wrong:
        raise DeviceError(wrong)
    if name.endswith(".toml"):
        return load(Path(name))
    words = re.split(r"[;:/+\s]+", name.strip())
    if len(words) > 1 and all(word.lower() in known for word in words):
        raise DeviceError(f"devices {name!r} need commas between them: {','.join(words)}")
    hint = nearest(name, names(), ".toml")
    raise DeviceError(
        f"unknown device {name!r}{hint} Known: {', '.join(names())}, or the path of a .toml file"
    )


def origin(name: str) -> str:
    """How a shipped device's curve was made; empty for a file's.

    ``computed``, ``formula`` or ``measured``.
    """
    if name.endswith(".toml"):
        return ""
    source = get(name).source
    if "analogkan devices import" in source:
        return "measured"
    return "computed" if "DFT-NEGF" in source else "formula"


def resolve(devices: str | Sequence[str]) -> tuple[IVCurve, ...]:
    """Devices from ``"A21,Z21"`` or a sequence of names; each may appear once.

    Raises
    ------
    DeviceError
        If none is given, one is unknown, or two share a name (SPICE does not tell case apart).

    Examples
    --------
    >>> [curve.name for curve in ak.devices.resolve("A21,z21")]
    ['A21', 'Z21']
    """
    wanted = devices.split(",") if isinstance(devices, str) else list(devices)
    curves = tuple(get(name.strip()) for name in wanted if name.strip())
    check_distinct(curves)
    return curves


def check_distinct(curves: Sequence[IVCurve]) -> None:
    """Raise DeviceError unless there is a device and all names differ when case is ignored."""
    lowered = [c.name.lower() for c in curves]
    if not lowered:
        raise DeviceError("no device named: a layer needs at least one, such as A21")
    repeated = sorted({n for n in lowered if lowered.count(n) > 1})
    if repeated:
        raise DeviceError(f"device {repeated[0]!r} is named twice (names ignore case)")


def load(path: Path) -> IVCurve:
    """Read a device file: TOML with ``name``, ``v`` (volts), ``i`` (amperes), ``source``.

    Measured at several temperatures, it has ``temps_c`` (T,) and ``i_at``, T lists like ``i``;
    not measured between two voltages, it has them in ``reconstructed``.

    Raises
    ------
    DeviceError
        If the file is missing, is not TOML, lacks an entry, has an unknown one or a bad table.
    """
    entry = read_entries(path, "device file")
    missing = [key for key in ("name", "v", "i") if key not in entry]
    if missing:
        raise DeviceError(f"{path} lacks {', '.join(missing)}: a device file has name, v and i")
    unknown = next((key for key in entry if key not in KEYS), None)
    if unknown is not None:
        raise DeviceError(
            f"{path}: unknown entry {brief(unknown)}{nearest(unknown[:40], KEYS)} "
            f"A device file has {', '.join(KEYS)}"
        )
    texts = {key: entry.get(key, "") for key in ("name", "source", "notes")}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise DeviceError(f"{path}: {key} = {brief(text)} is not a text in quotes")
    v, i, temps_c = (_numbers(path, key, entry.get(key, [])) for key in ("v", "i", "temps_c"))
    i_at = entry.get("i_at", [])
    if not isinstance(i_at, list):
        raise DeviceError(f"{path}: i_at must be a list of lists of numbers")
    if len(temps_c) != len(i_at):
        raise DeviceError(
            f"{path}: {len(temps_c)} temps_c but {len(i_at)} tables in i_at; one each"
        )
    rows = [_numbers(path, "a table of i_at", row) for row in i_at]
    span = _numbers(path, "reconstructed", entry.get("reconstructed", []))
    if span.size not in (0, 2):
        raise DeviceError(
            f"{path}: reconstructed has {span.size} numbers: give the volts it begins and ends at"
        )
    tables = tuple(zip(temps_c, rows, strict=True))
    ends = tuple(span.tolist()) or None
    try:
        return IVCurve(**texts, v=v, i=i, temperatures=tables, reconstructed=ends)
    except DeviceError as error:
        raise DeviceError(f"{path}: {error}") from error


def read_entries(path: Path, what: str) -> dict[str, Any]:
    """The entries of a user's TOML file; DeviceError if it cannot be read or is no TOML."""
    raw = read_regular(path, what)
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: no UTF-8, no TOML, huge integers
        raise DeviceError(f"{path} is not a TOML {what}: {error}") from error


def _numbers(path: Path, key: str, values: Any) -> np.ndarray:
    """``values`` as an array; DeviceError unless it is a list of numbers."""
    if not isinstance(values, list):
        raise DeviceError(f"{path}: {key} must be a list of numbers, not {brief(values)}")
    for place, value in enumerate(values, start=1):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise DeviceError(
                f"{path}: {key} must be a list of numbers, but value {place} is {brief(value)}"
            )
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        raise DeviceError(f"{path}: {key} holds a whole number beyond 1e308") from None


def save(curve: IVCurve, path: Path) -> None:
    """Write a device file that ``load`` reads back equal to the last bit."""
    write_text(path, format_device(curve))


def format_device(curve: IVCurve) -> str:
    """The text of a device file."""

    def numbers(values) -> str:
        texts = [repr(float(x)) for x in values]
        rows = [", ".join(texts[k : k + 6]) for k in range(0, len(texts), 6)]
        return "[\n  " + ",\n  ".join(rows) + ",\n]"

    def quoted(text: str) -> str:  # JSON's escapes are TOML's, but for DEL
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

    text = (
        f"name = {quoted(curve.name)}\n"
        f"source = {quoted(curve.source)}\n"
        f"notes = {quoted(curve.notes)}\n"
        f"v = {numbers(curve.v)}  # volts\n"
        f"i = {numbers(curve.i)}  # amperes\n"
    )
    if curve.reconstructed:
        lo, hi = curve.reconstructed
        text += f"reconstructed = [{lo!r}, {hi!r}]  # volts between which it is not measured\n"
    if curve.temperatures:
        tables = ",\n".join(numbers(row) for row in curve.i_at)
        text += (
            f"temps_c = {list(curve.temps_c)}  # degrees Celsius\n"
            f"i_at = [\n{tables},\n]  # amperes, a list for each temperature\n"
        )
    return text


def _is_device(path: Path) -> bool:
    try:
        load(path)
    except DeviceError:
        return False
    return True


def check_replaceable(path: Path, *, force: bool) -> None:
    """Raise DeviceError unless a device file may be written to ``path``.

    It must end in .toml, and what is there may only be a device file, and that only with
    ``force``.
    """
    if path.suffix != ".toml":
        raise DeviceError(
            f"{path} does not end in .toml: that ending tells a device file from a device's name"
        )
    require_ours(path, "device file", _is_device, give="-o", error=DeviceError)
    if path.exists() and not force:
        raise DeviceError(f"{path} is there already: --force replaces it")
