"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import AnalogKanError


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary sibling of ``path`` that takes its name when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8 with line feeds, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def atomic_folder(path: Path, *, marker: str) -> Iterator[Path]:
    """A temporary sibling folder that replaces ``path`` when the block ends well.

    Parameters
    ----------
    path
        The folder to make. It may exist if it holds ``marker`` (one of ours) or is empty.
    marker
        Name of a file that tells a folder of ours from somebody else's.

    Raises
    ------
    AnalogKanError
        If ``path`` is a file, or a folder with content that is not ours.
    """
    if path.exists() and not path.is_dir():
        raise AnalogKanError(f"{path} is a file: give another folder with -o")
    if path.is_dir() and any(path.iterdir()) and not (path / marker).exists():
        raise AnalogKanError(
            f"{path} holds files but no {marker}, so it is not replaced: give another folder"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
