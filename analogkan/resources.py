"""Where the files that ship with the package are: in the wheel, or in a checkout's top level."""

from __future__ import annotations

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
