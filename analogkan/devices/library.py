"""The shipped devices, and reading and writing device files."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

from .. import resources
from ..errors import DeviceError
from ..files import write_text
from ..settings import nearest
from .curve import IVCurve

FOLDER = "devices/library"


def names() -> list[str]:
    """Names of the shipped devices, in the order of their files."""
    return [load(p).name for p in sorted(resources.path(FOLDER).glob("*.toml"))]


def get(name: str) -> IVCurve:
    """A device by its library name (any case) or by the path of a ``.toml`` file.

    Raises
    ------
    DeviceError
        If there is no such device; the nearest names are suggested.
    """
    if name.endswith(".toml"):
        return load(Path(name))
    known = {p.stem: p for p in resources.path(FOLDER).glob("*.toml")}
    if name.lower() in known:
        return load(known[name.lower()])
    hint = nearest(name.upper(), names())
    raise DeviceError(
        f"unknown device {name!r}{hint} Known: {', '.join(names())}, or the path of a .toml file"
    )


def resolve(devices: str | Sequence[str]) -> tuple[IVCurve, ...]:
    """Devices from ``"A21,Z21"`` or a sequence of names; each may appear once.

    Raises
    ------
    DeviceError
        If none is given, one is unknown, or two share a name (SPICE does not tell case apart).
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

    Raises
    ------
    DeviceError
        If the file is missing, is not TOML, lacks an entry or holds a bad table.
    """
    try:
        entry = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeviceError(f"cannot read device file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeviceError(f"{path} is not a TOML device file: {error}") from error
    missing = [key for key in ("name", "v", "i") if key not in entry]
    if missing:
        raise DeviceError(f"{path} lacks {', '.join(missing)}: a device file has name, v and i")
    try:
        return IVCurve(
            str(entry["name"]),
            entry["v"],
            entry["i"],
            str(entry.get("source", "")),
            str(entry.get("notes", "")),
        )
    except (TypeError, ValueError) as error:
        raise DeviceError(f"{path}: v and i must be lists of numbers: {error}") from error


def save(curve: IVCurve, path: Path) -> None:
    """Write a device file that ``load`` reads back equal to the last bit."""

    def numbers(values) -> str:
        texts = [repr(float(x)) for x in values]
        rows = [", ".join(texts[k : k + 6]) for k in range(0, len(texts), 6)]
        return "[\n  " + ",\n  ".join(rows) + ",\n]"

    def quoted(text: str) -> str:  # JSON's escapes are TOML's, but for DEL
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

    write_text(
        path,
        f"name = {quoted(curve.name)}\n"
        f"source = {quoted(curve.source)}\n"
        f"notes = {quoted(curve.notes)}\n"
        f"v = {numbers(curve.v)}  # volts\n"
        f"i = {numbers(curve.i)}  # amperes\n",
    )
