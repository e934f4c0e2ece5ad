"""A RUN folder that one process at a time writes, and that is known to be ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from ..engines.arithmetic import USUAL
from ..engines.scratch import clear_scratch
from ..errors import StudyError
from ..files import open_plain, remove_partials

LOCK, LOG = ".lock", "log.txt"
FIRST = "# analogkan: what was run here, and how it ended\n"
"""The line by which a log is known."""
DECISIVE = ("study", "model", "dataset", "engine", "seed")
"""Settings that are named first, in this order, where several differ."""
MOST_SHOWN = 40
"""Characters of a value in a sentence."""
MOST_TOLD = 5


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock of a folder that is there; StudyError if another process does."""
    try:
        with FileLock(path / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise StudyError(f"{path} is in use by another process: wait for it") from error


class LockedFolder:
    """A folder whose lock the operating system frees if the process dies.

    Use as a context manager. Files in it that no study wrote, and a second writer, are refused.
    What killed processes left, in it and in TMPDIR, is removed.

    Parameters
    ----------
    path
        The folder; made if missing.
    mark
        The file by which a folder of ours is known.
    """

    def __init__(self, path: Path, mark: str) -> None:
        self.path = path
        self._mark = mark
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if self.path.exists() and not self.path.is_dir():
            raise StudyError(f"{self.path} is a file: give another folder with --out")
        foreign = self.path.is_dir() and any(
            p.name != LOCK and not is_log(p) and not _is_analysis(p) for p in self.path.iterdir()
        )
        if foreign and not (self.path / self._mark).is_file():
            raise StudyError(f"{self.path} holds files but no {self._mark}: give another --out")
        self.path.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            stack.enter_context(hold(self.path))
            stack.callback(self._close)
            remove_partials(self.path)
            clear_scratch()
            self._open()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _open(self) -> None:
        """Read what is there, or begin; the lock is held."""

    def _close(self) -> None:
        """Let go of what ``_open`` opened, if it did."""


def is_log(path: Path) -> bool:
    """Whether it is a log of ours, and called ``LOG``."""
    return path.name == LOG and begins_as_log(path)


def begins_as_log(path: Path) -> bool:
    """Whether it is a log of ours, whatever it is called."""
    try:
        with open_plain(path, links=False) as stream:
            return stream.read(len(FIRST)) == FIRST.encode()
    except OSError:
        return False


def _is_analysis(path: Path) -> bool:
    """Whether it is what an analysis of an image keeps: ``<name>-<image>``."""
    name = path.name.rpartition("-")[0]
    return bool(name) and (path / f"{name}.json").is_file()


def _said(name: str, settings: dict[str, Any]) -> str:
    """A setting as a sentence shows it: of a hash the first digits."""
    if name not in settings and name not in USUAL:
        return "none"
    text = repr(settings.get(name, USUAL.get(name)))
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def refuse_changed(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise StudyError with the names and values of settings that differ."""
    names = [*DECISIVE, *sorted({*before, *now} - {*DECISIVE})]
    changed = [name for name in names if before.get(name) != now.get(name)]
    if not changed:
        return
    if changed[0] == "study":  # the others follow from it
        del changed[1:]
    told = [
        f"{name} ({_said(name, before)} there, {_said(name, now)} here)"
        for name in changed[:MOST_TOLD]
    ]
    if len(changed) > MOST_TOLD:
        told[-1] += f" and {len(changed) - MOST_TOLD} settings more"
    raise StudyError(
        f"{path} was started with another {', '.join(told)}: give another --out, "
        "or remove the folder"
    )
