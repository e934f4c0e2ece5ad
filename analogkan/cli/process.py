"""What a command does to its process: signals that end it, streams it prints to."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import errno
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

import click

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
"""What Ctrl-C, `kill` and most supervisors, and a terminal that is closed send, where it exists."""
REPLACED, PYTHONS = "analogkan", ("strict", "surrogateescape", "backslashreplace")
"""How streams encode what their encoding lacks: as we have it, and as Python opens them."""
AGAIN_S = 1.0
"""Seconds within which a signal that comes again is the same one: `timeout` sends it twice."""
PLUGINS = "analogkan.plugins"
"""Under which a context has the plugins that the command line names."""
PRINTERS = ("click", "rich")
"""The packages that print; no file is written through them."""
EXIT_SIGNALLED = 128
"""Added to a signal's number, as shells do."""


class Ended(KeyboardInterrupt):
    """A signal has come that ends the process: everything is left as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """The exit code of a process that was interrupted so."""
    return EXIT_SIGNALLED + getattr(interrupt, "number", signal.SIGINT)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within, the first signal of ``ENDING`` raises ``Ended``.

    One that comes later, while things are put in order, ends the process at once: what it leaves
    then is removed by the next run. Signals that are ignored, as under `nohup`, stay so.
    """
    since: list[float] = []

    def end(number: int, frame: FrameType | None) -> None:
        if not since:
            since.append(time.monotonic())
            raise Ended(number)
        if time.monotonic() - since[0] > AGAIN_S:
            os._exit(EXIT_SIGNALLED + number)

    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets no other thread listen
        return
    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    found = {number: signal.getsignal(number) for number in numbers}
    before = {n: handler for n, handler in found.items() if handler not in (None, signal.SIG_IGN)}
    try:
        for number in before:
            signal.signal(number, end)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_once() -> None:
    """As the process ends, look for no garbage among what torch and others have loaded, which would
    take half a second; what is to be done at the end is done."""

    def freeze() -> None:
        if "torch" in sys.modules:
            import gc

            gc.freeze()

    atexit.register(freeze)


def print_anywhere() -> None:
    """Print what a terminal or file has no sign for as question marks, names of files as they are.

    Bytes of a name that are no text in this locale are signs from U+DC80 to U+DCFF in Python.
    """
    codecs.register_error(REPLACED, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in PYTHONS:
            stream.reconfigure(errors=REPLACED)


def _replaced(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    found = (
        s.encode("ascii", "surrogateescape") if "\udc80" <= s <= "\udcff" else b"?" for s in signs
    )
    return b"".join(found), error.end


def exit_if_printing(error: OSError) -> None:
    """Exit with 1 if ``error`` came of printing; with a word on why, but for a reader that left."""
    import traceback

    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if frame.f_globals["__name__"].partition(".")[0] not in PRINTERS:
        return
    with contextlib.suppress(OSError, ValueError):  # Python flushes it once more as it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno != errno.EPIPE:
        with contextlib.suppress(OSError):
            click.echo(f"error: cannot print: {error.strerror}", err=True)
    raise SystemExit(1) from None
