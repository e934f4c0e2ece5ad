"""ngspice as a library, in a worker process: many small runs without starting a program each time.

libngspice is made for one circuit at a time and leaves the last one behind: asked to run a deck
that did not load, it runs the deck before. It also takes its process with it when it crashes.
Therefore it lives in a process of its own; everything is removed before a deck is loaded; what it
prints is judged as the program's output is; and a process in which anything went wrong is not used
again.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..dialects import NGSPICE
from ..dialects.rawfile import check_values
from ..errors import SimulationError
from ..files import read_bytes
from .library import ENVIRONMENT, INSTALL, find_library
from .ngspice import Ngspice, find_ngspice, identify, locate, own_environment
from .scratch import scratch
from .worker import CONTROL, serve

CONTROL_SECTION = re.compile(r"^\s*\.control\b", re.IGNORECASE | re.MULTILINE)
"""What its commands set would outlive the deck, and `quit` takes the process along."""
HIDDEN_COMMAND = re.compile(r"^\s*\*#.*$", re.MULTILINE)
"""The same, as what looks like a comment."""
END = re.compile(r"^\s*\.end\s*\Z", re.IGNORECASE | re.MULTILINE)
UNIT_READ_AS_PREFIX = re.compile(
    r"(?<=[\s(=])([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)[AF](?=[\s)])"
)
"""PySpice writes 2e-06 A and 1e-12 F like this; ngspice reads atto (from 46 on) and femto."""
START_LIMIT = 60.0
"""Seconds a worker may take to start; it takes less than one."""


class Worker:
    """One process with a libngspice in it, and the pipe to it."""

    def __init__(self, library: str, environment: dict[str, str] | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._stack = contextlib.ExitStack()
        empty = self._stack.enter_context(scratch())
        self.process = context.Process(
            target=serve, args=(theirs, library, environment, empty), daemon=True
        )
        try:
            with _ctrl_c_blocked():
                self.process.start()
        except (AssertionError, OSError, RuntimeError) as error:
            self._stack.close()
            raise SimulationError(f"cannot start a process for {library}: {error}") from error
        theirs.close()

    def ask(self, *request: Any) -> None:
        """Send a request; one that finds nobody is answered by ``answer``."""
        try:
            self._pipe.send(request)
        except OSError:
            self.kill()

    def answer(self, timeout: float) -> tuple[Any, ...]:
        """The answer; (None,) after ``timeout`` seconds, (exit code,) of a process that ended."""
        try:
            if self._pipe.poll(timeout):
                return self._pipe.recv()
        except (EOFError, OSError):
            self.process.join(5)
            return (self.process.exitcode or 0,)
        return (None,)

    def kill(self) -> None:
        """End the process, if it still runs."""
        self.process.kill()
        self.process.join()
        self._stack.close()


@contextlib.contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """A process started here is deaf to Ctrl-C from its first moment, where the system can."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Session:
    """An ngspice that stays: decks in, vectors out.

    Use as a context manager, from one thread at a time. Its process starts when it is entered,
    and again with the next run after one that failed. A script that opens a session does so under
    ``if __name__ == "__main__":``, because the new process imports the script.

    Parameters
    ----------
    match
        Refuse a library of another build than the ngspice program that is installed. Where there
        is no program nothing is compared.
    own
        No start-up file of the system is read either, as by a ``Runner``: ours need none, other
        decks may need the code models that it loads.

    Attributes
    ----------
    info
        The library's path, version and whether it has KLU, once it has started.

    Examples
    --------
    >>> with ak.Session() as session:
    ...     session.info is not None
    True
    """

    def __init__(self, *, match: bool = True, own: bool = False) -> None:
        self.match, self.own = match, own
        self.info: Ngspice | None = None
        self._worker: Worker | None = None
        self._stopped = False

    def __enter__(self) -> Session:
        self._ready()
        return self

    def __exit__(self, *exc) -> None:
        self.stop()

    def run(self, deck: Any, analysis: str = "", *, timeout: float = 60.0) -> dict[str, np.ndarray]:
        """Simulate ``deck`` and return its vectors.

        Parameters
        ----------
        deck
            The text of a deck, the path of one, or a PySpice ``Circuit``. Relative includes are
            looked for in the path's folder, else in the current one.
        analysis
            Lines to put before its end, such as ``".op"`` or ``".tran 1n 1u"``; a ``Circuit``
            has none of its own.
        timeout
            Seconds.

        Returns
        -------
        dict
            Vector name as in a raw file, such as ``v(out)``, ``i(v1)`` or ``time``, to (points,)
            float64, or complex128 after ``.ac``.

        Raises
        ------
        SimulationError
            If the deck does not load, has no analysis or several or a ``.control`` section, takes
            too long, or the process ends.
        ConvergenceError
            If ngspice finds no solution.
        """
        path = deck if isinstance(deck, Path) else None
        if not 0 < timeout < threading.TIMEOUT_MAX:
            raise SimulationError(f"timeout = {timeout} is out of range: above 0 s")
        try:
            text = read_bytes(path).decode("utf-8") if path else str(deck)
        except ValueError as error:
            raise SimulationError(f"cannot read the deck {path}: {error}", deck=path) from error
        if not text.strip():
            raise SimulationError("the deck is empty", deck=path)
        folder = path.absolute().parent if path else Path.cwd()
        if not isinstance(deck, (str, Path)):
            _check_units(text)
        if analysis:
            text = END.sub("", text) + f"\n{analysis}\n.end\n"
        if not text.partition("\n")[0].strip():
            text = "*" + text  # PySpice drops empty lines, but the first one is the title
        if CONTROL_SECTION.search(text):
            raise SimulationError(CONTROL, deck=path)
        if hidden := HIDDEN_COMMAND.search(text):
            raise SimulationError(
                f"{hidden[0].strip()!r} is a command to ngspice, not a comment: take it out",
                deck=path,
            )
        vectors, _ = self._do("run", text, folder, deck=path, timeout=timeout)
        check_values(vectors)
        return vectors

    def run_file(self, deck: Path, raw: Path, *, timeout: float) -> str:
        """As ``Runner.run``: ``deck`` in its folder, ``raw`` beside it; what ngspice printed."""
        raw.unlink(missing_ok=True)
        request = "write", deck.name, deck.absolute().parent, raw.name
        return self._do(*request, deck=deck, timeout=timeout, log=deck.with_suffix(".log"))[1]

    def stop(self) -> None:
        """End the process for good, from any thread; a run that is under way fails."""
        self._stopped = True
        self._drop()

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()

    def _do(
        self, *request: Any, deck: Path | None, timeout: float, log: Path | None = None
    ) -> tuple[Any, str]:
        """Ask, and judge the answer: its result, and what ngspice printed."""
        worker = self._ready()
        worker.ask(*request)
        code, *more = worker.answer(timeout)
        result, text = more or (None, "")
        if log is not None:
            log.write_text(text, encoding="utf-8", newline="\n")
        try:
            NGSPICE.judge(text, code, deck, timeout)
            if not more:
                raise SimulationError("ngspice's process ended by itself", deck=deck, exit_code=0)
            if isinstance(result, str):
                raise SimulationError(result, deck=deck, exit_code=code, stderr_tail=text)
        except SimulationError:
            self._drop()
            raise
        return result, text

    def _ready(self) -> Worker:
        """The worker, started if there is none."""
        if self._stopped:
            raise SimulationError("stopped")
        if self._worker is not None:
            return self._worker
        library = find_library()
        worker = self._worker = Worker(library, own_environment() if self.own else None)
        if self._stopped:  # meanwhile, by another thread, which found no worker to end
            self._drop()
            raise SimulationError("stopped")
        try:
            state, *more = worker.answer(START_LIMIT)
            if not more:
                ended = "did not answer" if state is None else f"ended with exit code {state}"
                raise SimulationError(
                    f"the process for {library} {ended} as it started: a script that opens a "
                    'session does so under `if __name__ == "__main__":`'
                )
            if state != "ready":
                raise SimulationError(f"{library} cannot be used: {more[0]}")
            self.info = identify(Path(library), more[0], INSTALL)
            if self.match and locate():
                _compare(self.info, find_ngspice())
        except SimulationError:
            self._drop()
            raise
        return worker


def _check_units(text: str) -> None:
    """Refuse a number of PySpice's whose unit is a prefix to ngspice."""
    for match in UNIT_READ_AS_PREFIX.finditer(text):
        if float(match[1]):
            raise SimulationError(
                f"PySpice writes {match[0]}, which ngspice reads as atto or femto: give the value "
                "with a prefix, such as u_uA(2) or u_pF(1)"
            )


def _compare(library: Ngspice, program: Ngspice) -> None:
    """Refuse two builds that may differ in their last digits."""

    def build(ngspice: Ngspice) -> str:
        return f"{ngspice.version} {'with' if ngspice.klu else 'without'} KLU"

    if build(library) != build(program):
        raise SimulationError(
            f"libngspice is {build(library)} ({library.path}), the ngspice program is "
            f"{build(program)} ({program.path}): install the two from one source, name the "
            f"program's own library in {ENVIRONMENT}, or open the session with match=False"
        )


def library_info() -> Ngspice:
    """What the installed libngspice says that it is, compared with nothing."""
    with Session(match=False) as session:
        assert session.info is not None
        return session.info


class SessionRunner:
    """A ``Runner`` whose runs go to sessions, one for each thread that asks at the same time.

    A session's memory is also Python's: ``peak_megabytes`` stays 0.

    Raises
    ------
    SimulationError
        If libngspice is missing or of another build than the program.
    """

    dialect = NGSPICE

    def __init__(self) -> None:
        self.stopped = False
        self.peak_megabytes = 0.0
        self._lock = threading.Lock()
        self._all = [Session(own=True).__enter__()]
        self._idle = list(self._all)

    def run(self, deck: Path, raw: Path, *, timeout: float) -> str:
        """As ``Runner.run``, with the same errors."""
        with self._lock:
            if self.stopped:
                raise SimulationError("stopped")
            session = self._idle.pop() if self._idle else Session(own=True)
            if session not in self._all:
                self._all.append(session)
        try:
            return session.run_file(deck, raw, timeout=timeout)
        finally:
            with self._lock:
                self._idle.append(session)

    def stop(self) -> None:
        """End every session and start no more."""
        with self._lock:
            self.stopped = True
            for session in self._all:
                session.stop()
