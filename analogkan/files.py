"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import itertools
import json
import os
import re
import secrets
import shutil
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from filelock import FileLock, Timeout

from .text import closest

if TYPE_CHECKING:
    import numpy as np

SEAL = "sha256"
"""The key of what vouches for the rest of a document."""
MOST_RATIO = 100
"""Bytes that a byte of a compressed file may stand for, assumed; deflate reaches 1,032."""
LOCAL_HEADER, DESCRIPTOR = 30, 24
"""Bytes of a zip member's header without its name and extra field; most that may follow it."""
SMALL = 256 * 2**20
"""Bytes that any file may unpack to."""
MOST_BESIDE = 10_000
"""Files beside a missing one that are looked at."""
MOST_SAID = 400
"""Characters of another library's error in a sentence of ours."""
MOST_TEXT = 64 * 2**20
"""Bytes of the largest JSON or TOML file that is read; ours have at most some hundred kB."""
MOST_DECK = 2**31
"""Bytes of the largest file of a deck that is read: of its resistors ngspice would want 60 GB."""
NO_ROOM = (errno.ENOSPC, errno.EFBIG, *filter(None, [getattr(errno, "EDQUOT", None)]))
"""What a write fails with where nothing more fits: of the disk, a file, a user's share."""
PARTIAL, BEFORE, WRITING = ".partial", ".before", ".lock"
"""Endings of what is half written, of what is about to be replaced, of the lock of who does so."""


def source_hash() -> str:
    """A short hash of this package's Python files: equal for equal code, wherever it is."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def open_plain(path: Path, *, links: bool = True) -> BufferedReader:
    """Open a file to be read; OSError at once if it is a pipe, a device or a folder, which could
    hold the reader for ever, or a link where there should be none."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags if links else flags | getattr(os, "O_NOFOLLOW", 0))
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(handle, "rb")


def append_text(path: Path, text: str) -> None:
    """Append to a file, which is made if it is missing; OSError at once if it is none or a link."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags, 0o666)
    try:
        os.write(handle, text.encode("utf-8", "backslashreplace"))
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open_plain(path) as stream:
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


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """The bytes of ``path``; ValueError with the reason unless it is a regular file.

    Neither a pipe that nobody writes to nor a device without an end is waited for.
    """
    try:
        with open_plain(path) as stream:
            yield stream
    except OSError as error:
        hint = near(path) if isinstance(error, FileNotFoundError) else ""
        raise ValueError(f"{error.strerror or error}{hint}") from error


def near(path: Path, more: Iterable[str] = (), *, folder: bool = False) -> str:
    """What was meant by ``path``, which is not there: the end of a sentence, empty if unknown.

    A file beside it with its ending (or a ``folder``), one of ``more``, or what a shell made of it.
    """
    name = str(path)
    if name.startswith("~"):
        return ": a shell expands ~ only where it is not quoted"
    if re.match(r"[A-Za-z]:[^/\\]", name):
        return ": a path with backslashes needs quotes"
    try:
        beside = list(itertools.islice(path.parent.iterdir(), MOST_BESIDE))
    except OSError:
        missing = next((p for p in reversed(path.parents) if not p.is_dir()), path.parent)
        return f", as there is no folder {missing}"
    if folder:
        known, word = {p.name: str(p) for p in beside if p.is_dir()}, path.name
    else:
        ending, word = path.suffix.strip(), path.stem
        known = {p.stem: str(p) for p in beside if p.suffix == ending and p.is_file()}
    found = closest(word, [*known, *more])
    return f", did you mean {known.get(found, found)}?" if found else ""


def brief(error: BaseException) -> str:
    """What an error of another library says, on one line, of what is long its beginning."""
    text = " ".join(str(error).split())
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    return text if len(text) <= MOST_SAID else f"{text[:MOST_SAID]}..."


def read_bytes(path: Path, most: int = MOST_DECK) -> bytes:
    """All of a regular file; ValueError with the reason if it is none, or larger than ``most``."""
    with open_regular(path) as stream:
        require_size(stream, most)
        return stream.read()


def require_size(stream: BinaryIO, most: int = MOST_DECK) -> None:
    """ValueError if a file has more than ``most`` bytes."""
    size = os.fstat(stream.fileno()).st_size
    if size > most:
        raise ValueError(f"it has {size:,} bytes; at most {most:,} are read")


def read_text(path: Path) -> str:
    """A small text file in UTF-8; ValueError with the reason if it is none."""
    return read_bytes(path, MOST_TEXT).decode("utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """A small JSON file with one object; ValueError with the reason if it is none."""
    try:
        found = json.loads(read_text(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}, not an object")
    return found


@contextmanager
def open_zip(stream: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """A zip archive that unpacks to a bounded size and whose members are all its bytes.

    ValueError or BadZipFile if it is none: an entry that damage took out of its directory leaves
    bytes that belong to no member.
    """
    size = os.fstat(stream.fileno()).st_size
    with zipfile.ZipFile(stream) as archive:
        members = sorted(archive.infolist(), key=lambda info: info.header_offset)
        whole = sum(info.file_size for info in members)
        if whole > max(SMALL, MOST_RATIO * size):
            raise ValueError(
                f"it unpacks to {whole:,} bytes from {size:,}; more than {MOST_RATIO} times its "
                "size is not unpacked"
            )
        end = 0
        for info in members:
            _check_gap(info.header_offset - end)
            stream.seek(info.header_offset)
            header = stream.read(LOCAL_HEADER)
            name, extra = (
                int.from_bytes(header[26:28], "little"),
                int.from_bytes(header[28:30], "little"),
            )
            end = info.header_offset + LOCAL_HEADER + name + extra + info.compress_size
        _check_gap(archive.start_dir - end)
        yield archive


def _check_gap(between: int) -> None:
    if not 0 <= between <= DESCRIPTOR:
        raise ValueError(f"{between:,} bytes of it belong to no member")


def read_npz(path: Path, only: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Every array of an npz file, or those called ``only``, in C order and this machine's bytes.

    Nothing is unpickled, nothing is allocated that the file does not hold, and every array's
    checksum is compared. ValueError with the reason if one fails.
    """
    with open_regular(path) as stream:
        try:
            with open_zip(stream) as archive:
                return _arrays(archive, None if only is None else set(only))
        except Exception as error:  # numpy, zipfile and zlib raise some ten kinds for a damaged one
            raise ValueError(f"it is damaged or of another kind ({brief(error)})") from error


def _arrays(archive: zipfile.ZipFile, only: set[str] | None) -> dict[str, np.ndarray]:
    import numpy as np

    arrays: dict[str, np.ndarray] = {}
    for info in archive.infolist():
        key = info.filename.removesuffix(".npy")
        if only is not None and key not in only:
            with archive.open(info):  # its name is compared with that beside its data
                continue
        if key in arrays:
            raise ValueError(f"{key} is in it twice")
        with archive.open(info) as member:
            try:
                array = np.lib.format.read_array(member, allow_pickle=False)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from error
            # At the end of a member zipfile compares its checksum.
            if member.read(1) or array.size > info.file_size:
                raise ValueError(f"{key}: its shape {array.shape} is not that of its bytes")
        arrays[key] = np.asarray(array, array.dtype.newbyteorder("="), order="C")
    return arrays


def _sibling(path: Path) -> Path:
    """A hidden name beside ``path`` that nothing has."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")


def _siblings(path: Path, ending: str) -> list[Path]:
    """What ``_sibling`` named for ``path``, with another ``ending``."""
    return list(path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}{ending}"))


def remove_partials(*paths: Path) -> None:
    """Remove what killed processes left half written of files, or of the files in folders.

    Whoever calls this holds the lock that all hold who write there.
    """
    for path in paths:
        left = path.glob(f".*{PARTIAL}") if path.is_dir() else _siblings(path, PARTIAL)
        for partial in left:
            partial.unlink(missing_ok=True)


@contextmanager
def _named(partial: Path, path: Path) -> Iterator[None]:
    """OSError names ``path`` where the system names no file, or the temporary one."""
    try:
        yield
    except OSError as error:
        told = str(error.filename or partial)
        if error.errno is None or not told.startswith(str(partial)):
            raise
        name = str(path) + told.removeprefix(str(partial))
        raise OSError(error.errno, error.strerror, name) from error


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary sibling of ``path`` that takes its name when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _sibling(path)
    try:
        with _named(partial, path):
            partial.touch(exist_ok=False)
            yield partial
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
    write_parts(path, [text])


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """``write_text`` of a text in ``parts``, of which one is in memory at a time."""
    with atomic_file(path) as partial, partial.open("wb") as stream:
        stream.writelines(part.encode() for part in parts)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file; OSError names ``target`` where that is what has no room, not ``source``."""
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary sibling folder that replaces ``path`` when the block ends well.

    Whether what ``path`` holds may be replaced is the caller's to know. What a killed process left
    of such a block is removed first, and the folder that it was about to replace put back.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    for lock in _siblings(path, WRITING):
        with contextlib.suppress(Timeout, OSError), FileLock(lock, timeout=0):
            _clear(path, lock)
    partial = _sibling(path)
    lock = partial.with_suffix(WRITING)
    with FileLock(lock):
        try:
            with _named(partial, path):
                partial.mkdir()
                yield partial
                if path.exists():
                    path.rename(partial.with_suffix(BEFORE))
                partial.replace(path)
        finally:
            _clear(path, lock)


def _clear(path: Path, lock: Path) -> None:
    """Remove what stands beside ``path`` of the block that held ``lock``, and the lock."""
    before = lock.with_suffix(BEFORE)
    if before.exists() and not path.exists():
        before.rename(path)
    for left in (before, lock.with_suffix(PARTIAL)):
        shutil.rmtree(left, ignore_errors=True)
    with contextlib.suppress(OSError):  # Windows removes no open file
        lock.unlink()
