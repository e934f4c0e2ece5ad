"""What every run of a table or figure is asked with, and the folder that keeps it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..files import write_text
from ..settings import require
from ..studies.folder import LockedFolder
from ..studies.log import Log, logged

MARK = "paper.json"
"""By which a folder of results is known."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to run, and where it is kept.

    Attributes
    ----------
    out
        The folder of results.
    data, download
        As for ``load_dataset``.
    seeds
        How many; 0 is the first.
    quick
        Little of it, ``QUICK_EPOCHS`` epochs, and kept apart: to see that it works.
    command
        The command line, for the log; empty from Python.
    """

    out: Path
    data: Path = Path("data")
    download: bool = False
    seeds: int = 3
    quick: bool = False
    command: str = ""

    def __post_init__(self) -> None:
        require(1 <= self.seeds <= 100, "seeds", self.seeds, "1 to 100")

    def stem(self, name: str) -> str:
        """What is kept of the table or figure called ``name`` has this name."""
        return f"{name}-quick" if self.quick else name

    @contextlib.contextmanager
    def kept(self, name: str) -> Iterator[Log]:
        """With the folder of results locked, and known as one, and its log."""
        with LockedFolder(self.out, MARK):
            write_text(self.out / MARK, json.dumps({"table": name}) + "\n")
            with logged(self.out, f"paper {name}", self.command, None) as log:
                yield log
