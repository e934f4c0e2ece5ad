"""What commands take to start: help, TAB, the main path; each beside what it cannot do without.

``--help`` stands beside loading click and rich, which it is written with; compiling, verifying and
simulating beside loading torch, which they do without.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .measure import Row, beside

LIBRARIES = "import click, rich"
MAIN = "import sys; sys.argv[0] = 'analogkan'; from analogkan.cli import main; main()"
"""What the installed program does."""
HELP = ("--help", "compile --help", "montecarlo --help", "devices show --help")
TAB = ("", "compile --preset ", "sweep a.build --set sigma", "simulate --dataset ")


def measured(quick: bool = False) -> list[Row]:
    """Rows of seconds of whole processes."""
    some = slice(1 if quick else None)
    rows = [_row(f"analogkan {line}", LIBRARIES, _started(line), quick) for line in HELP[some]]
    rows += [_row(_tab(line), LIBRARIES, _completed(line), quick) for line in TAB[some]]
    if quick:
        return rows
    with tempfile.TemporaryDirectory() as folder:
        build, run = Path(folder) / "mnist-d2.build", Path(folder) / "run"
        simulate = _started(f"simulate {build} --subset 10 --out {run}")

        def anew() -> None:
            shutil.rmtree(run, ignore_errors=True)  # what is kept there is not run again
            simulate()

        ways = {
            "compile mnist-d2, verified": _started(f"compile mnist-d2 -o {build}"),
            "verify mnist-d2": _started(f"verify {build}"),
            "simulate 10 images of mnist-d2": anew,
        }
        return rows + [_row(what, "import torch", way, quick) for what, way in ways.items()]


def _tab(line: str) -> str:
    return f"TAB at `{line.strip()}`" if line else "TAB at the first word"


def _row(what: str, against: str, ours: Callable[[], object], quick: bool) -> Row:
    theirs = partial(_process, ["-c", against])
    return beside(what, f"`python -c '{against}'`", ours, theirs, quick=quick)


def _started(line: str) -> Callable[[], object]:
    """The program with a command line."""
    return partial(_process, ["-c", MAIN, *line.split()])


def _completed(line: str) -> Callable[[], object]:
    """What Bash starts when TAB is pressed at the end of a line."""
    words = f"analogkan {line}"
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    return partial(_process, ["-c", MAIN], _ANALOGKAN_COMPLETE="bash_complete", **asked)


def _process(words: list[str], **env: str) -> None:
    """A process of Python, from compiled files as those that are installed are."""
    kept = {name: of for name, of in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, *words], env=kept | env, capture_output=True, check=True)
