"""What a command may replace: only what this package wrote. Folders: ``check_replaceable`` of
``compiler.build``, ``LockedFolder`` of ``studies.folder``; they hold a file of ours, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .errors import AnalogKanError

MARK = "analogkan"
"""What pictures and pages of ours say of who made them."""
MARKED = {
    ".html": b'<meta name="generator" content="analogkan',
    ".md": b"<!-- made by analogkan report",
    ".png": b"Software\0analogkan",
    ".svg": b"<dc:title>analogkan</dc:title>",
    ".pdf": b"/Creator (analogkan)",
}
"""How they say it."""
ENDS = 100_000
"""Bytes at each end of a file in which that is looked for."""


def require_ours(
    path: Path,
    what: str,
    ours: Callable[[Path], bool],
    *,
    give: str,
    error: type[AnalogKanError] = AnalogKanError,
) -> None:
    """Refuse to replace anything but a file of ours.

    Parameters
    ----------
    path
        What will be written.
    what
        What is there if it is ours, such as ``device file``.
    ours
        Whether a file is that.
    give
        The option that names another.
    error
        Class of what is raised.

    Raises
    ------
    AnalogKanError
        Of class ``error``, if ``path`` is a folder, or a file that is not ours.
    """
    if path.is_dir():
        raise error(f"{path} is a folder: give the name of a file with {give}")
    if path.exists() and not ours(path):
        raise error(
            f"{path} exists and is no {what}, so it is not replaced: give another {give}, or "
            "remove it"
        )


def require_marked(path: Path, *, give: str) -> None:
    """Refuse to replace a picture, page or summary that does not say that it is ours."""
    kind = {".html": "page", ".md": "summary"}.get(path.suffix, "picture")
    require_ours(path, f"{kind} of {MARK}", _is_marked, give=give)


def _is_marked(path: Path) -> bool:
    if path.suffix not in MARKED or not path.is_file():
        return False
    with path.open("rb") as stream:
        head = stream.read(ENDS)
        stream.seek(max(len(head), path.stat().st_size - ENDS))
        return MARKED[path.suffix] in head + stream.read()
