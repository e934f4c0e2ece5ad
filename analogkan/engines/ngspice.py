"""The ngspice binary: finding it, running a deck, and not believing a run that went wrong.

The only module that starts programs: other simulators too.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import select
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .. import resources
from ..dialects import NGSPICE, Dialect
from ..dialects.printed import MOST_PRINTED
from ..errors import SimulationError
from ..files import open_plain

ENVIRONMENT = "ANALOGKAN_NGSPICE"
ENVIRONMENT_PREFIXES = ("SPICE_", "NGSPICE_")
"""Of the variables that steer ngspice from outside."""
TUNABLES, HUGE_PAGES = "GLIBC_TUNABLES", "glibc.malloc.hugetlb"
"""By which glibc has memory of pages of 2 MiB, where Linux gives them: each iteration visits each
element, and 43 MB of these are more pages of 4 kB than a processor keeps track of."""
START = "netlists/start"
"""The folder of an empty ``spinit``, which is read whatever the options say."""
PROGRAMS = ("ngspice_con", "ngspice")
"""In this order: on Windows ``ngspice.exe`` opens a window and ``ngspice_con.exe`` prints."""
INSTALL = (
    "install it (Debian, Ubuntu: `apt install ngspice`; macOS: `brew install ngspice`), "
    f"or name the program in {ENVIRONMENT}"
)
MOST_VERSION = 10_000
"""Bytes that are read of what a program says of itself, or of a file."""
SAMPLED_SECONDS = 0.01, 0.5
"""A run's memory is looked at after the first, then after twice as long, up to the second."""


@dataclass(frozen=True)
class Ngspice:
    """An ngspice that answered: its path, its version such as ``"46"``, whether it has KLU; or
    another simulator, whose dialect says how it is run."""

    path: Path
    version: str
    klu: bool
    dialect: Dialect = NGSPICE

    @property
    def name(self) -> str:
        """What it is called."""
        return self.dialect.name

    def facts(self) -> dict[str, str | bool]:
        """What its answers depend on."""
        return {self.name: self.version, "klu": self.klu}


def find_ngspice() -> Ngspice:
    """The ngspice that the environment variable names, or the one on the PATH.

    Raises
    ------
    SimulationError
        If there is none, or it does not answer ``-v`` as ngspice does.
    """
    found = locate()
    if not found:
        raise SimulationError(f"ngspice is not installed: {INSTALL}")
    try:
        _, said = printed_by([found, "-v"], timeout=30)
    except OSError as error:
        raise SimulationError(f"{found} does not answer -v ({error}): {INSTALL}") from error
    return identify(Path(found).absolute(), said)


def printed_by(command: Sequence[str], *, timeout: float) -> tuple[int, str]:
    """The exit code of ``command``, and the first ``MOST_VERSION`` bytes that it printed.

    Raises
    ------
    OSError
        If it cannot start, or takes more than ``timeout`` seconds.
    """
    with tempfile.TemporaryFile() as printed:
        try:
            done = subprocess.run(
                command,
                stdout=printed,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(str(error)) from error
        printed.seek(0)
        return done.returncode, printed.read(MOST_VERSION).decode(errors="replace")


def own_environment() -> dict[str, str]:
    """What ngspice finds around it: one OpenMP thread, numbers with points, and nothing of what
    steers it from outside (its start-up file, folders to look in, ASCII results); large pages,
    unless ``GLIBC_TUNABLES`` says something of them."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ENVIRONMENT_PREFIXES)}
    start = str(resources.path(START))
    tunables = kept.get(TUNABLES, "")
    if HUGE_PAGES not in tunables:
        tunables = ":".join(filter(None, (tunables, f"{HUGE_PAGES}=1")))
    return kept | {
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "1",
        "SPICE_SCRIPTS": start,
        TUNABLES: tunables,
    }


def locate() -> str | None:
    """Path of the program that would be used, or None if nothing is installed."""
    wanted = os.environ.get(ENVIRONMENT)
    if not wanted:
        return next(filter(None, map(shutil.which, PROGRAMS)), None)
    found = shutil.which(wanted)
    if not found:
        raise SimulationError(f"{ENVIRONMENT} names {wanted}, which is no program: {INSTALL}")
    return found


def identify(path: Path, text: str, mend: str = INSTALL) -> Ngspice:
    """What an ngspice, program or library, is by the ``text`` that it says of itself.

    If that is no version, SimulationError says so, and how to ``mend`` it.
    """
    match = re.search(r"ngspice-(\d+[\w.]*)", text)
    if not match:
        said = text.strip()[:200]
        raise SimulationError(f"{path} does not say which ngspice it is, but {said!r}: {mend}")
    return Ngspice(path, match[1], "compiled with klu" in text.lower())


class Runner:
    """Runs decks, several at once if asked from several threads, and can stop them all.

    Attributes
    ----------
    peak_megabytes
        The most memory that one of its processes had; 0 where the system does not say.
    """

    def __init__(self, program: Ngspice) -> None:
        self.program = program
        self.peak_megabytes = 0.0
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.Lock()
        self.stopped = False

    @property
    def dialect(self) -> Dialect:
        """In what its decks are written."""
        return self.program.dialect

    def run(self, deck: Path, raw: Path, *, timeout: float) -> str:
        """Run ``deck`` in batch mode in its folder and write ``raw``; what ngspice printed.

        ``timeout`` in seconds. No start-up file of the user or of the system is read.

        Raises
        ------
        SimulationError
            If ngspice cannot start, is killed, takes too long, exits with an error, prints one, or
            prints more than ``MOST_PRINTED``.
        ConvergenceError
            If what it prints says that it found no solution.
        """
        raw.unlink(missing_ok=True)
        with self._place(deck, raw) as place, deck.with_suffix(".log").open("wb") as log:
            process = self._start(deck, raw, place, log)
            try:
                code = self._wait(process, timeout, log)
            finally:
                with self._lock:
                    self._running.discard(process)
        text = _printed(deck.with_suffix(".log"))
        self.dialect.judge(text, code, deck, timeout)
        return text

    def stop(self) -> None:
        """Kill every running ngspice and start no more."""
        with self._lock:
            self.stopped = True
            for process in self._running:
                process.kill()

    def _wait(self, process: subprocess.Popen, timeout: float, log: BinaryIO) -> int | None:
        """The exit code of ``process``, whose memory is watched; None if it took too long.

        One that has printed too much into ``log`` is stopped.
        """
        end, (pause, longest) = time.monotonic() + timeout, SAMPLED_SECONDS
        with _told_of_end(process) as wait:
            while (left := end - time.monotonic()) > 0:
                try:
                    return wait(min(pause, left))
                except subprocess.TimeoutExpired:
                    pause = min(2 * pause, longest)
                with self._lock:
                    self.peak_megabytes = max(self.peak_megabytes, peak_megabytes(process.pid))
                if os.fstat(log.fileno()).st_size > MOST_PRINTED:
                    process.kill()
                    return process.wait()
        process.kill()
        process.wait()
        return None

    @contextlib.contextmanager
    def _place(self, deck: Path, raw: Path) -> Iterator[Path]:
        """Where ``deck`` is run: a folder of its own if all results are called the same."""
        if not self.dialect.result:
            yield deck.parent
            return
        with tempfile.TemporaryDirectory(dir=deck.parent, prefix="run-") as folder:
            yield Path(folder)
            with contextlib.suppress(FileNotFoundError):
                (Path(folder) / self.dialect.result).replace(raw)

    def _start(self, deck: Path, raw: Path, place: Path, stream) -> subprocess.Popen:
        there = os.path.relpath(deck, place)
        command = self.dialect.command(str(self.program.path), there, raw.name)
        with self._lock:
            if self.stopped:
                raise SimulationError("stopped")
            try:
                process = subprocess.Popen(
                    command,
                    cwd=place,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    env=own_environment(),
                )
            except OSError as error:
                raise SimulationError(f"cannot start {self.program.path}: {error}") from error
            self._running.add(process)
        return process


@contextlib.contextmanager
def _told_of_end(process: subprocess.Popen) -> Iterator[Callable[[float], int]]:
    """``process.wait``, which where the system tells of an end does not look for it, up to 50 ms
    late, again and again."""
    try:
        told = os.pidfd_open(process.pid)  # Linux 5.3
    except (AttributeError, OSError):
        yield process.wait
        return
    ending = select.poll()
    ending.register(told, select.POLLIN)

    def wait(seconds: float) -> int:
        if not ending.poll(math.ceil(1000 * seconds)):
            raise subprocess.TimeoutExpired(process.args, seconds)
        return process.wait()

    try:
        yield wait
    finally:
        os.close(told)


def _printed(log: Path) -> str:
    """What is in ``log``; of too much the end, and as much before it as shows that."""
    try:
        with open_plain(log, links=False) as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - MOST_PRINTED - 1))
            return stream.read(MOST_PRINTED + 1).decode(errors="replace")
    except OSError as error:
        raise SimulationError(f"what ngspice printed cannot be read: {error}") from error


def peak_megabytes(pid: int) -> float:
    """The most resident memory that a running process has had; 0 where there is no /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0
