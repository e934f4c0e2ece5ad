"""Who does a study's work: threads of this process; others may follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 16
"""Items that wait for each thread, so that none is idle while results are kept."""


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
    """Threads: both engines work outside Python's lock.

    Parameters
    ----------
    jobs
        How many.
    stop
        Called when the work is abandoned, so that what runs comes to an end.
    """

    def __init__(self, jobs: int = 1, stop: Callable[[], None] = lambda: None) -> None:
        self.threads = jobs
        self.stop = stop
        self.facts: dict[str, Any] | None = None

    def run(
        self, function: Callable[[T], R], items: Iterable[T], count: int
    ) -> Iterator[list[tuple[T, R]]]:
        """See ``Executor.run``. No more than ``jobs`` items are begun at a time."""
        waiting, running = iter(items), {}
        pool = ThreadPoolExecutor(self.threads)
        try:
            while True:
                for item in islice(waiting, AHEAD * self.threads - len(running)):
                    running[pool.submit(function, item)] = item
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                whole = [future for future in done if future.exception() is None]
                if whole:
                    yield [(running.pop(future), future.result()) for future in whole]
                for future in done - set(whole):
                    future.result()
        except BaseException:  # Ctrl-C, an error, or whoever asked has had enough
            self.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
