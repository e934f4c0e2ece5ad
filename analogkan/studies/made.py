# pyright: strict
"""When and where a RUN was made, for who reads it later."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from .. import __version__

DATE = "%Y-%m-%dT%H:%MZ"


def made() -> dict[str, Any]:
    """The moment, to a minute, the versions of what computes, and the kind of machine.

    No host's or user's name: a RUN is given away.
    """
    name, _, _, _, machine, *_ = platform.uname()
    return {
        "at": datetime.now(UTC).strftime(DATE),
        "analogkan": __version__,
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "system": f"{name} {machine}",
        "cores": os.cpu_count(),
    }


def day_of(told: Mapping[str, Any] | None) -> str:
    """``2026-11-30, 08:10 UTC`` of what ``made`` says; a dash for a RUN that lacks it."""
    if not told:
        return "–"
    at = datetime.strptime(told["at"], DATE).replace(tzinfo=UTC)
    return f"{at:%Y-%m-%d, %H:%M} UTC"


def where_of(told: Mapping[str, Any] | None) -> str:
    """Machine and versions in words; empty for a RUN that lacks them."""
    if not told:
        return ""
    return (
        f"{told['system']}, {told['cores']} cores; analogkan {told['analogkan']}, Python "
        f"{told['python']}, NumPy {told['numpy']}"
    )
