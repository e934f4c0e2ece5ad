"""One thread a job, for as long as somebody needs it: jobs run side by side, and the last bits of
a matrix product depend on how many threads shared it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

from threadpoolctl import threadpool_limits


def default_jobs() -> int:
    """Processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class WhileUsed(contextlib.ContextDecorator):
    """Something about the whole process that holds while anybody is in it, or in a function that
    it decorates; a context manager.

    Parameters
    ----------
    get
        What it is, read as the first one enters.
    put
        Makes it so: 1 for everybody who enters, in their own thread, and what it was when the last
        one has left.
    """

    def __init__(self, get: Callable[[], Any], put: Callable[[Any], None]) -> None:
        self._get, self._put = get, put
        self._lock = threading.Lock()
        self._users = 0
        self._before: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._before = self._get()
            self._users += 1
            self._put(1)

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._put(self._before)


def _use_blas_threads(limits: Any) -> None:
    """1, or what ``_blas`` found."""
    if limits != 1:
        limits.restore_original_limits()


one_blas_thread = WhileUsed(lambda: threadpool_limits(1, user_api="blas"), _use_blas_threads)
