"""One thread a job, for as long as somebody needs it: jobs run side by side, and the last bits of
a matrix product depend on how many threads shared it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

import threadpoolctl


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


def _limit_blas() -> Any:
    """Make it one thread, and say what it was."""
    _take_blas()
    return threadpoolctl.threadpool_limits(1, user_api="blas")


def _use_blas_threads(limits: Any) -> None:
    """1, or what ``_limit_blas`` found."""
    if limits != 1:
        _take_blas()
        limits.restore_original_limits()
        _take_blas()


def _take_blas() -> None:
    """Newer threadpoolctl (3.8) obeys the thread that was first to set anything, and leaves what
    others ask for undone without a word."""
    controller = getattr(threadpoolctl, "OpenBLASController", None)
    if hasattr(controller, "clear_controlling_thread"):
        controller.clear_controlling_thread(force=True)


one_blas_thread = WhileUsed(_limit_blas, _use_blas_threads)
