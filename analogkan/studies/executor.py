"""Who does a study's work: threads of this process, or copies of it; others may follow."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, Protocol, TypeVar

from ..errors import StudyError

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 16
"""Items that wait for each thread, so that none is idle while results are kept."""
TRIED = 4
"""Items of each thread by which it is known how long one takes."""
LONG_S = 2.0
"""Seconds of work from which copies of the process are worth what making them takes."""
PATIENCE_S, PATIENCE = 60.0, 50
"""Seconds, and times what an item takes, after which a copy that does not answer is none."""
PR_SET_PDEATHSIG = 1
ENDING = (signal.SIGINT, signal.SIGTERM) + ((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ())
UNHEARD = (None, signal.SIG_IGN)
"""Handlers of signals that are heard elsewhere or nowhere."""
Pool = ThreadPoolExecutor | ProcessPoolExecutor


class Executor(Protocol):
    """Runs a function over items.

    Attributes
    ----------
    facts
        What the summary of a study says of it; None for this process.
    threads
        How many items are worked on at a time, now.
    """

    facts: dict[str, Any] | None

    @property
    def threads(self) -> int: ...

    def run(
        self, function: Callable[[T], R], items: Iterable[T], count: int
    ) -> Iterator[list[tuple[T, R]]]:
        """All ``count`` items with their results: those that are finished, together, as often as
        some are. An item is asked for when its turn comes."""
        ...


class LocalExecutor:
    """Threads, and once they have shown that the work is long, copies of this process.

    A circuit's numbers are worked out outside Python's lock, but what is drawn of it is not: two
    threads get little more done than one.

    Parameters
    ----------
    jobs
        How many.
    stop
        Called when the work is abandoned, so that what runs comes to an end.
    copies
        Whether the work may be done by copies: it starts no processes of its own, and is on no GPU.
    """

    def __init__(
        self, jobs: int = 1, stop: Callable[[], None] = lambda: None, *, copies: bool = False
    ) -> None:
        self.threads = jobs
        self.stop = stop
        self.facts: dict[str, Any] | None = None
        # Elsewhere a copy of a process that has threads is not to be had.
        alone = multiprocessing.current_process().daemon
        self._copies = copies and jobs > 1 and sys.platform == "linux" and not alone

    def run(
        self, function: Callable[[T], R], items: Iterable[T], count: int
    ) -> Iterator[list[tuple[T, R]]]:
        """See ``Executor.run``. No more than ``jobs`` items are begun at a time.

        Raises
        ------
        StudyError
            If a copy of the process ends before its work does.
        """
        waiting = iter(items)
        if self._copies:
            tried = min(count, TRIED * self.threads)
            known, since = 0, 0.0
            # Threads that end while a copy is made leave it locks of the algebra's memory: these
            # are there until it is made.
            with ThreadPoolExecutor(self.threads) as threads:
                for found in self._run(threads, function, waiting, tried):
                    since = since or time.perf_counter()  # what the first one loads is loaded once
                    known += len(found)
                    yield found
                count -= tried
                spent = time.perf_counter() - since
                long = count * spent > LONG_S * known
                pool = _copies(function, self.threads) if long else None
            if pool is not None:
                patience = PATIENCE_S + PATIENCE * spent / max(known, 1) * self.threads
                with pool:
                    left = yield from self._run(pool, _call, waiting, count, patience)
                waiting, count = iter(left), len(left)
        with ThreadPoolExecutor(self.threads) as threads:
            yield from self._run(threads, function, waiting, count)

    def _run(
        self,
        pool: Pool,
        function: Callable[[T], R],
        waiting: Iterator[T],
        count: int,
        patience: float | None = None,
    ) -> Generator[list[tuple[T, R]], None, list[T]]:
        """The next ``count`` items, by ``pool``; copies that do not answer for ``patience`` seconds
        are ended, and what they had not done is returned."""
        waiting, running = islice(waiting, count), dict[Future[R], T]()
        try:
            while True:
                for item in islice(waiting, AHEAD * self.threads - len(running)):
                    running[pool.submit(function, item)] = item
                if not running:
                    return []
                done, _ = wait(running, patience, return_when=FIRST_COMPLETED)
                if not done:
                    assert isinstance(pool, ProcessPoolExecutor)
                    warnings.warn(
                        f"copies of the process did not answer for {patience:.0f} s: threads go on",
                        RuntimeWarning,
                        stacklevel=2,
                    )
                    _end(pool)
                    return [*running.values(), *waiting]
                whole = [future for future in done if future.exception() is None]
                if whole:
                    yield [(running.pop(future), future.result()) for future in whole]
                for future in done - set(whole):
                    future.result()
        except BrokenProcessPool as error:
            raise StudyError(
                "a process that evaluated chips has ended, perhaps for want of memory: what was "
                "finished is kept, and the same command goes on; --jobs 1 takes the least"
            ) from error
        except BaseException:  # Ctrl-C, an error, or whoever asked has had enough
            self.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _copies(function: Callable[[Any], Any], jobs: int) -> Pool | None:
    """So many copies of this process, that have ``function`` as it is now; None where the system
    gives none, as under a limit of processes or memory, or without shared memory."""
    pool = None
    try:
        context = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(
            jobs, context, initializer=_begin, initargs=(function, os.getpid())
        )
        with _undisturbed():
            pool.submit(int)  # the first item makes all of them
    except BaseException as error:
        if pool is not None:
            _end(pool)  # some may have been made
        if not isinstance(error, (OSError, NotImplementedError)):
            raise
        return None
    return pool


def _end(pool: ProcessPoolExecutor) -> None:
    """Kill the copies, whatever they do."""
    for copy in [*(pool._processes or {}).values()]:
        copy.kill()
    pool.shutdown()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Within, no word on this process's threads: copies use nothing that those hold. Signals wait:
    one in the midst of a fork would be lost, or end a copy that does not know yet what it is."""
    came, before = list[int](), dict[int, Any]()
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in ENDING}
        before = {n: handler for n, handler in before.items() if handler not in UNHEARD}
    try:
        for number in before:
            signal.signal(number, lambda number, frame: came.append(number))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for number in came:
        signal.raise_signal(number)


_work: list[Callable[[Any], Any]] = []
"""What this copy of a process does, one function."""


def _begin(function: Callable[[Any], Any], parent: int) -> None:
    """In a copy: it is ended by the process that it was copied from, and with it."""
    _work[:] = [function]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in ENDING[1:]:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under `nohup`
            signal.signal(number, signal.SIG_DFL)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # a progress bar was in their place
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _call(item: Any) -> Any:
    return _work[0](item)
