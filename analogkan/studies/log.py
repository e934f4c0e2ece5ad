# pyright: strict
"""``log.txt`` beside a RUN, and of a training or a table: what was run and when, by which versions,
and how it ended.

It is for people. No study reads it, and one that goes on appends to it.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from ..engines.ngspice import Ngspice
from ..engines.versions import said
from ..errors import StudyError
from ..files import append_text
from ..pace import Pace
from ..text import duration
from .folder import FIRST, LOG, begins_as_log

Progress = Callable[[str, int, int], None]
Count = Callable[[int, int], None]


class Log:
    """The log of one command, open from its begin to its end. Lines are written at once.

    Attributes
    ----------
    refusal
        What ends the study although its result is kept; its sentence is the last line then.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pace = Pace(ends=True)
        self.refusal: Exception | None = None

    @classmethod
    def begun(
        cls, path: Path, study: str, command: str, program: Ngspice | None, notes: Iterable[str]
    ) -> Self:
        """With what is known before anything is simulated, at ``path``.

        Raises
        ------
        StudyError
            If another file has the name.
        """
        log = cls(path)
        if not begins_as_log(path):
            if path.is_symlink() or path.exists():
                raise StudyError(
                    f"{path} is no log of a study, and {study} keeps one there: move it, or give "
                    "another --out"
                )
            log._write(FIRST)
        log.say(f"begin: {command or f'{study}, from Python'}")
        log.say(f"with {said(program)}")
        for note in notes:
            log.say(f"note: {note}")
        return log

    def say(self, text: str) -> None:
        """Write a line, with the time before it."""
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        self._write(f"{now}  {' '.join(text.split())}\n")

    def warn(self, text: str) -> None:
        """Write what a reader should look at."""
        self.say(f"warning: {text}")

    def progress(self, what: str, done: int, total: int) -> None:
        """Write that, at most once a minute, and where it begins and ends."""
        line = self._pace.line(what, done, total)
        if line is not None:
            self.say(line)

    def following(self, on_progress: Progress) -> Progress:
        """``on_progress``, that the log is told of too."""

        def told(what: str, done: int, total: int) -> None:
            self.progress(what, done, total)
            on_progress(what, done, total)

        return told

    def counting(self, what: str, on_progress: Count) -> Count:
        """``on_progress`` of ``what`` alone, that the log is told of too."""

        def told(done: int, total: int) -> None:
            self.progress(what, done, total)
            on_progress(done, total)

        return told

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a full disk is told of by who writes results
            append_text(self._path, text)


def logged(
    run: Path, study: str, command: str, program: Ngspice | None, notes: Iterable[str] = ()
) -> contextlib.AbstractContextManager[Log]:
    """As ``logged_to``, in a RUN's folder."""
    return logged_to(run / LOG, study, command, program, notes)


@contextlib.contextmanager
def logged_to(
    path: Path, study: str, command: str, program: Ngspice | None = None, notes: Iterable[str] = ()
) -> Iterator[Log]:
    """A log of what happens within: its end, or the error or signal that ended it; and Python's
    warnings. The lock of what it is beside must be held."""
    log, started = Log.begun(path, study, command, program, notes), time.monotonic()
    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        log.warn(f"{category.__name__}: {message}")
        shown(message, category, *where, **more)

    warnings.showwarning = show
    try:
        yield log
    except Exception as error:
        log.say(f"error: {error}")
        raise
    except BaseException as error:
        number = getattr(error, "number", None)
        log.say("interrupted" + (f" by signal {number}" if number else ""))
        raise
    finally:
        warnings.showwarning = shown
    took = duration(time.monotonic() - started)
    log.say(f"end: after {took}" if log.refusal is None else f"error: {log.refusal}")


@contextlib.contextmanager
def logged_from_the_first(path: Path, study: str, command: str) -> Iterator[Count]:
    """What epochs are reported to; with the first one the log begins, since what is refused before
    leaves no file."""
    with contextlib.ExitStack() as stack:
        begun: list[Log] = []

        def told(done: int, total: int) -> None:
            if not begun:
                begun.append(stack.enter_context(logged_to(path, study, command)))
            begun[0].progress("epochs", done, total)

        yield told
