"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import numpy as np

SEAL = "sha256"
"""The key of what vouches for the rest of a document."""


def source_hash() -> str:
    """A short hash of this package's Python files: equal for equal code, wherever it is."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def open_regular(path: Path, *, links: bool = True) -> BinaryIO:
    """Open a file to be read; OSError at once if it is a pipe, a device or a folder, which could
    hold the reader for ever, or a link where there should be none."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags if links else flags | getattr(os, "O_NOFOLLOW", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no regular file")
    return os.fdopen(handle, "rb")


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def json_hash(document: Any) -> str:
    """Hex SHA-256 of what a JSON document says, however it is laid out."""
    told = json.loads(json.dumps(document))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def sealed(document: dict[str, Any]) -> dict[str, Any]:
    """``document`` with the hash of all else that it says under ``SEAL``."""
    left = {key: value for key, value in document.items() if key != SEAL}
    return left | {SEAL: json_hash(left)}


def changed_files(folder: Path, names: Iterable[str], recorded: Mapping[str, str]) -> list[str]:
    """Those of ``names`` in ``folder`` that are gone, or whose SHA-256 is not as ``recorded``."""
    return [
        name
        for name in names
        if not (folder / name).is_file() or sha256(folder / name) != recorded.get(name)
    ]


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Every array of an npz file, none of them pickled; ValueError with the reason if one fails."""
    import numpy as np

    try:
        with open_regular(path) as stream, np.load(stream, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except Exception as error:  # for a damaged file numpy, zipfile and zlib raise some ten kinds
        raise ValueError(f"it is damaged or of another kind ({error})") from error


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


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write ``arrays`` to ``path`` as npz, whole or not at all; equal arrays give equal bytes."""
    import numpy as np

    with atomic_file(path) as partial, partial.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8 with line feeds, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary sibling folder that replaces ``path`` when the block ends well.

    Whether what ``path`` holds may be replaced is the caller's to know.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    before = partial.with_suffix(".before")
    try:
        yield partial
        partial.chmod(0o755)
        if path.exists():
            path.rename(before)
        partial.replace(path)
    finally:
        if before.exists() and not path.exists():
            before.rename(path)
        shutil.rmtree(before, ignore_errors=True)
        shutil.rmtree(partial, ignore_errors=True)
