"""The process in which libngspice lives: loads it through PySpice and answers one pipe.

Runs nothing but what a ``Session`` asks for, and believes nothing of it: the session judges.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import parent_process
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..dialects.printed import MOST_PRINTED
from .library import find_scripts

CONTROL = (
    "the deck has a .control section, whose commands a session does not run: take it out and give "
    "the analysis as a line, such as .op"
)
NO_PLOT = "ngspice made no result: the deck has no analysis (.op, .dc, .ac, .tran)"


def serve(pipe: Connection, library: str, environment: dict[str, str] | None, empty: Path) -> None:
    """Load ``library``, say what it is, then answer requests until the pipe is closed.

    It finds the ``environment`` around it, or the user's own with one OpenMP thread, and starts in
    the folder ``empty``. It does not outlive the process that started it.

    Answers are (exit code, result or sentence, what ngspice printed).
    """
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # nobody listens
        _serve(pipe, library, environment, empty)


def _serve(pipe: Connection, library: str, environment: dict[str, str] | None, empty: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(LC_ALL="C", OMP_NUM_THREADS="1")  # as the program is started
    os.environ.pop("SPICE_ASCIIRAWFILE", None)
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # stdout may be a command's JSON
    logging.disable(logging.CRITICAL)  # PySpice logs what ngspice prints; we send it on
    try:
        with _no_start_up_file(empty):
            shared = _load(pipe, library)
    except Exception as error:
        pipe.send(("failed", f"{type(error).__name__}: {error}"))
        return
    pipe.send(("ready", shared.said()))
    home = Path.cwd()
    while True:
        kind, *request = pipe.recv()
        try:
            answer = 0, getattr(shared, kind)(*request)
        except Exception as error:
            answer = 1, f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            os.chdir(home)  # Windows removes no folder that a process is in
        pipe.send((*answer, shared.said()))


def _end_with_parent() -> None:
    """End when the parent does, whatever it was that ended it and whatever is being simulated."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


@contextlib.contextmanager
def _no_start_up_file(empty: Path) -> Iterator[None]:
    """No ``.spiceinit`` here or at home, as with the program's ``-n``."""
    homes = {name: os.environ.get(name) for name in ("HOME", "USERPROFILE")}
    before = Path.cwd()
    os.chdir(empty)
    os.environ.update(dict.fromkeys(homes, str(empty)))
    try:
        yield
    finally:
        os.chdir(before)
        for name, value in homes.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _load(pipe: Connection, library: str) -> Any:
    """The library as an object with ``run``, ``write`` and ``said``."""
    scripts = find_scripts(library)
    if scripts is not None:
        os.environ.setdefault("SPICE_LIB_DIR", str(scripts))
    from PySpice.Spice.NgSpice.Shared import NgSpiceShared

    class Shared(NgSpiceShared):
        def __init__(self) -> None:
            self.lines: list[str] = []
            self.printed = 0
            self.loaded = False
            super().__init__()

        def send_char(self, message: Any, ngspice_id: int) -> int:
            line = re.sub("^std(out|err) ", "", str(message))
            if self.printed <= MOST_PRINTED:  # more is too much, and is not kept
                self.lines.append(line)
            self.printed += len(line) + 1
            return 0

        def _exit(self, status: int, *_: Any) -> NoReturn:
            """As ngspice gives up, or a deck says ``quit``: the library is of no use then."""
            pipe.send(
                (status, "ngspice ended itself: a deck for a session has no quit", self.said())
            )
            os._exit(0)

        def said(self) -> str:
            text = "\n".join(self.lines)
            self.forget()
            return text

        def forget(self) -> None:
            self.lines.clear()
            self.printed = 0

        def command(self, words: str) -> None:
            with contextlib.suppress(NameError):  # PySpice's opinion of it; the session judges
                self.exec_command(words)

        def clear(self, folder: Path) -> None:
            """Nothing of an earlier deck is left; the current folder is ``folder``."""
            self.command("destroy all")
            if self.loaded:
                self.command("remcirc")
            self.forget()
            self.loaded = True
            if self.plot_names != ["const"]:
                raise RuntimeError("an earlier deck's results cannot be removed")
            os.chdir(folder)

        def results(self) -> list[str]:
            return [name for name in self.plot_names if name != "const"]

        def run(self, text: str, folder: Path) -> dict[str, np.ndarray] | str:
            """Vectors of the deck ``text``, or a sentence that says why there are none."""
            self.clear(folder)
            with contextlib.suppress(NameError):
                self.load_circuit(text)
            if self.results():
                return CONTROL
            self.command("run")
            return self.vectors()

        def vectors(self) -> dict[str, np.ndarray] | str:
            plots = self.results()
            if not plots:
                return NO_PLOT
            if len(plots) > 1:
                return f"the deck makes {len(plots)} results ({', '.join(plots)}): ask for one"
            return {_raw_name(v): v._data for v in self.plot(None, plots[0]).values()}

        def write(self, deck: str, folder: Path, raw: str) -> str | None:
            """Run the deck in a file, and let ngspice write the raw file."""
            self.clear(folder)
            self.command(f"source {deck}")
            self.command("run")
            if self.results():
                self.command(f"write {raw}")
            return None

    NgSpiceShared.LIBRARY_PATH = library.replace("{", "{{").replace("}", "}}")
    return Shared()


def _raw_name(vector: Any) -> str:
    """The name that a raw file gives a vector, in lower case."""
    name = vector._name.lower()
    if vector._type == vector._ngspice_shared.simulation_type.voltage:
        return f"v({name})"
    if vector._type == vector._ngspice_shared.simulation_type.current:
        return f"i({name.removesuffix('#branch')})"
    return name
