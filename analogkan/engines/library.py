"""libngspice, the simulator as a shared library: where it is. PySpice is not needed to find it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from ctypes.util import find_library as find_in_system
from pathlib import Path

from ..errors import SimulationError
from .ngspice import locate

ENVIRONMENT = "ANALOGKAN_LIBNGSPICE"
NAMES = {
    "linux": ("libngspice.so.0", "libngspice.so"),
    "darwin": ("libngspice.dylib", "libngspice.0.dylib"),
    "win32": ("ngspice.dll",),
}
"""File names by ``sys.platform``; where it is none of these, those of Linux."""
HOMEBREW = (Path("/opt/homebrew/lib"), Path("/usr/local/lib"))
NEAR = (".", "../lib", "../dll-vs", "../../Spice64_dll/dll-vs")
"""Folders to look in, from the program's: an unpacked pair, Homebrew's, the Windows archives'."""
INSTALL = (
    "install it (Debian, Ubuntu: `apt install libngspice0`; macOS: `brew install libngspice`), "
    f"or name the file in {ENVIRONMENT}"
)


def find_library() -> str:
    """Path of libngspice, or the name under which the system's loader finds it.

    Looked for: what the environment variable names; beside the ngspice program that would be
    used, so that the two are of one version; the system's libraries; Homebrew's.

    Raises
    ------
    SimulationError
        If there is none.
    """
    wanted = os.environ.get(ENVIRONMENT)
    if wanted:
        if not Path(wanted).is_file():
            raise SimulationError(f"{ENVIRONMENT} names {wanted}, which is no file: {INSTALL}")
        return str(Path(wanted).absolute())
    names = NAMES.get(sys.platform, NAMES["linux"])
    for folder in _beside_the_program():
        for name in names:
            if (folder / name).is_file():
                return str((folder / name).resolve())
    found = find_in_system("ngspice")
    if found:
        return found
    for folder in HOMEBREW:
        for name in names:
            if (folder / name).is_file():
                return str(folder / name)
    raise SimulationError(f"libngspice is not installed: {INSTALL}")


def _beside_the_program() -> Iterator[Path]:
    program = locate()
    if program:
        for near in NEAR:
            yield Path(program).absolute().parent / near


def find_scripts(library: str) -> Path | None:
    """``share/ngspice`` of the library's own installation, where its start-up file is."""
    for folder in list(Path(library).resolve().parents)[:4]:
        if (folder / "share" / "ngspice" / "scripts" / "spinit").is_file():
            return folder / "share" / "ngspice"
    return None
