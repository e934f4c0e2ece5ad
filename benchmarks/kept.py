"""What benchmarks measured, as it is kept in a file: ``docs/performance.json``."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from analogkan.engines.ngspice import find_ngspice
from analogkan.threads import default_jobs

from .measure import Row, rounds

LIBRARIES = ("numpy", "scipy", "torch", "numba", "PySpice", "badcrossbar", "aihwkit")


def conditions(quick: bool) -> dict[str, str]:
    """What figures belong to: processor, cores, system, versions, the engine, rounds."""
    program = find_ngspice()
    found = {
        "processor": _processor(),
        "cores": str(default_jobs()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "threads a library": os.environ.get("OMP_NUM_THREADS", "as it likes"),
        "Python": platform.python_version(),
    }
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    found["ngspice"] = f"{program.version}, {'' if program.klu else 'no '}KLU"
    return found | {"rounds": str(rounds(quick))}


def _processor() -> str:
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*: (.*)$", told, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or "unknown"


class Kept:
    """Rows of each benchmark, kept as it ends, with the load of the machine before and after.

    Parameters
    ----------
    file
        Where they are wanted; None: nowhere.
    path
        Where they are until all have run: a file of its own, or ``file`` if that has others too.
    document
        ``machine``, its conditions, and ``benchmarks``.
    """

    def __init__(self, file: Path | None, path: Path | None, document: dict[str, Any]) -> None:
        self.file, self.path, self.document = file, path, document
        self._older = set(document["benchmarks"]) if path == file else set()

    @classmethod
    def opened(cls, file: Path | None, *, whole: bool, quick: bool) -> Kept:
        """For a run of all of them (``whole``), with what an interrupted one has in FILE.part; or
        of some, into ``file``.

        Raises
        ------
        SystemExit
            If what is there was measured on another machine, or otherwise.
        """
        now = {"machine": conditions(quick), "benchmarks": {}}
        if file is None:
            return cls(None, None, now)
        path = file.with_name(f"{file.name}.part") if whole else file
        if not path.is_file():
            return cls(file, path, now)
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["machine"] != now["machine"]:
            told = sorted(set(document["machine"].items()) ^ set(now["machine"].items()))
            raise SystemExit(
                f"{path} was not measured here as it is now ({', '.join(map(' '.join, told))}): "
                "measure into another file, or delete it"
            )
        return cls(file, path, document)

    def has(self, name: str) -> bool:
        """Whether ``name`` need not run: an interrupted run's."""
        return name in self.document["benchmarks"] and name not in self._older

    def rows(self, name: str) -> list[Row]:
        return self.document["benchmarks"][name]["rows"]

    def run(self, name: str, measured: Callable[[bool], list[Row]], quick: bool) -> None:
        """Run it, and keep its rows."""
        before, began = os.getloadavg()[0], time.perf_counter()
        rows = measured(quick)
        self.document["benchmarks"][name] = {
            "rows": rows,
            "seconds": round(time.perf_counter() - began, 1),
            "load": [round(before, 2), round(os.getloadavg()[0], 2)],
        }
        if self.path is not None:
            text = json.dumps(self.document, indent=1, allow_nan=False) + "\n"
            new = self.path.with_name(f"{self.path.name}.new")
            new.write_text(text, encoding="utf-8")
            new.replace(self.path)

    def finish(self) -> None:
        """All have run: they take the place of what was there."""
        if self.path is not None and self.file is not None:
            self.path.replace(self.file)
