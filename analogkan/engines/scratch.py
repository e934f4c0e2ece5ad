"""Folders for temporary files: private, gone with their use, or with the next run after a kill."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import AnalogKanError
from ..files import NO_ROOM

PREFIX, LOCK = "akan-", ".lock"
MARK = "analogkan.temporary"
"""The file by which a folder is known to be one of ours; the lock alone could be anybody's."""
SAID = b"A folder of analogkan for temporary files. If its process dies, the next run removes it.\n"
LITTLE_ROOM = 2**16
"""Free bytes below which what failed is said to have had no room; assumed."""
NGSPICE = b"\0-n\0-b\0-r\0"
"""What stands in the command line of an ngspice that a ``Runner`` started."""
_used: set[tuple[int, Path]] = set()
"""Process and folder: what a process forks may not remove."""


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A new folder of this user's alone in TMPDIR, removed when the block ends.

    The operating system frees the lock in it if the process dies: ``clear_scratch`` knows by it
    what nobody uses.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    use = os.getpid(), folder
    _used.add(use)
    try:
        with FileLock(folder / LOCK, thread_local=False):
            with room_in(folder):
                (folder / MARK).write_bytes(SAID)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _used.discard(use)


@atexit.register
def _remove_used() -> None:
    """Remove what an interrupt kept ``scratch`` from removing."""
    for process, folder in list(_used):
        if process == os.getpid():
            shutil.rmtree(folder, ignore_errors=True)


def clear_scratch() -> None:
    """Remove the folders that killed processes of this user left, and end the ngspice in them.

    Nothing that is locked, lacks the lock or our mark, or belongs to somebody else is touched.
    """
    try:
        with tempfile.TemporaryFile() as own:
            user = os.fstat(own.fileno()).st_uid
    except OSError:  # whoever needs a folder there says so
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, Timeout):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != user:
                continue
            if (folder / LOCK).is_file() and (folder / MARK).read_bytes() == SAID:
                with FileLock(folder / LOCK, timeout=0):
                    _end_ngspice(folder.resolve())
                    shutil.rmtree(folder)


def _end_ngspice(folder: Path) -> None:
    """Kill every ngspice that works in ``folder``, where the system says which do: on Linux."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            at_work = NGSPICE in (process / "cmdline").read_bytes()
            if at_work and (process / "cwd").readlink() == folder:
                os.kill(int(process.name), signal.SIGKILL)


@contextlib.contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """Say that the disk of ``folder`` is full if that is why the block fails.

    Raises
    ------
    AnalogKanError
        If a write fails for want of room; or anything else of this package, and there is none.
    """
    try:
        yield
    except (OSError, AnalogKanError) as error:
        full = isinstance(error, OSError) and error.errno in NO_ROOM
        if full or shutil.disk_usage(folder.parent).free < LITTLE_ROOM:
            raise AnalogKanError(
                f"no room for temporary files in {folder.parent} ({_why(error)}): free some, or "
                "name another folder in TMPDIR; what is finished is kept, and the same command "
                "goes on"
            ) from error
        raise


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
