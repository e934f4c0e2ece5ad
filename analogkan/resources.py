"""Where the files that ship with the package are: in the wheel, or in a checkout's top level."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import AnalogKanError

PACKAGE = Path(__file__).resolve().parent


def path(name: str) -> Path:
    """Path of a shipped file or folder, such as ``models/mnist-d2.pt`` or ``netlists/cells``.

    Looks inside the package, then at what the wheel carries beside it, then in the checkout
    that an editable install points to.

    Raises
    ------
    AnalogKanError
        If no such file ships with this installation.
    """
    for root in (PACKAGE, PACKAGE / "_bundled", PACKAGE.parent):
        candidate = root / name
        if candidate.exists():
            return candidate
    raise AnalogKanError(f"{name} does not ship with this installation: reinstall analogkan")


def models() -> dict[str, Path]:
    """The shipped models by name."""
    return {file.stem: file for file in sorted(path("models").glob("*.pt"))}


def find_model(name: Path) -> Path:
    """``name``, or the shipped model of that name if nothing here is called so."""
    return name if os.path.lexists(name) else models().get(str(name), name)
