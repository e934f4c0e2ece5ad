"""Who does a study's work: threads of this process; others may follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Executor(Protocol):
    """Runs a function over items.

    Attributes
    ----------
    facts
        What the summary of a study says of it; None for this process.
    """

    facts: dict[str, Any] | None

    def run(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R]]:
        """Every item with its result, as they are finished."""
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
        self.jobs = jobs
        self.stop = stop
        self.facts: dict[str, Any] | None = None

    def run(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R]]:
        """See ``Executor.run``. No more than ``jobs`` items are begun at a time."""
        waiting, running = iter(items), {}
        pool = ThreadPoolExecutor(self.jobs)
        try:
            while True:
                for item in waiting:
                    running[pool.submit(function, item)] = item
                    if len(running) == self.jobs:
                        break
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        except BaseException:  # Ctrl-C, an error, or whoever asked has had enough
            self.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
