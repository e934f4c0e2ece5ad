"""RUN folders, read for a report: what was simulated, its figures, and what was kept with them."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.build import Build, load_build
from ..compiler.hardware import Hardware
from ..errors import NetlistError, StudyError
from ..files import brief, near, read_json, read_npz
from ..imperfections import Conditions, Variation
from ..kinds import kind_of, mistaken
from ..outside import require
from ..schema import Rule, Text
from ..studies import registry
from ..studies.analyses import ANALYSES
from ..studies.entries import REGRESSION, check_result
from ..studies.result import CHIPS, Found
from ..studies.simulation import Simulation
from ..studies.store import ARRAYS, RESULT, require_as_written

SIMULATE = "simulate"


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """A finished RUN.

    Attributes
    ----------
    folder
        Where it is.
    kind
        ``simulate``, or a study's name.
    summary
        Its result.json.
    arrays
        Of a simulation: labels, logits and what else ``simulate`` keeps.
    rows
        Of a study: a dictionary a point, as chips.csv has it.
    share
        Of the points and pictures of a page that may be this RUN's: RUNs of one kind share them.
    label
        What tells it from others of its kind, see ``naming``; empty where it is alone.
    """

    folder: Path
    kind: str
    summary: dict[str, Any]
    arrays: dict[str, np.ndarray]
    rows: list[dict[str, Any]]
    share: float = 1.0
    label: str = ""

    @property
    def title(self) -> str:
        """Of its section."""
        return f"{self.result.heading}: {self.label}" if self.label else self.result.heading

    @property
    def named(self) -> str:
        """The study and the folder, for what shows a part of it."""
        return f"{self.study}, RUN {self.folder}"

    @property
    def study(self) -> str:
        """The command that makes its kind, and what tells it from others of that command."""
        kind = registry.REACHED.get(self.kind, self.kind)
        grid = self.summary.get("grid", "axes")
        told = [self.result.heading.lower()] if grid != "axes" else []
        told += [self.label] if self.label else []
        return f"{kind}: {', '.join(told)}" if told else kind

    @property
    def result(self) -> Found:
        """What it found."""
        s = self.summary
        if self.kind == SIMULATE:
            return Simulation.from_document(s, arrays=self.arrays, room=self.share)
        kind = registry.study(self.kind).result
        assert kind is not None
        return kind.from_document(s, rows=self.rows, run=self.folder, room=self.share)

    def settings(self) -> tuple[Hardware, Variation, Conditions]:
        """Of a ``montecarlo``, what its chips were drawn from."""
        kept = self.summary["settings"]
        return (
            Hardware(**kept["hardware"]),
            Variation(**kept["variation"]),
            Conditions(**kept["conditions"]),
        )


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The RUNs in ``folders``, in the order that a report shows them.

    Raises
    ------
    StudyError
        If a folder holds no finished RUN, or one that is damaged or edited, or two are of
        different circuits.
    """
    known: dict[Path, Path] = {}
    for folder in folders:
        known.setdefault(folder.resolve(), folder)
    runs = [_read(folder) for folder in known.values()]
    if not runs:
        raise StudyError("a report needs at least one RUN, such as mnist.run/3f2a81c0")
    first = runs[0]
    for run in runs:
        if run.summary["network"] != first.summary["network"]:
            raise StudyError(
                f"{run.folder} is of network {run.summary['model']}, {first.folder} of "
                f"{first.summary['model']}, and they are not the same: a report is about one"
            )
        if run.summary["design"] != first.summary["design"]:
            raise StudyError(
                f"{run.folder} and {first.folder} are of one network, but of two circuits "
                f"({run.summary['build']} and {first.summary['build']}, or one that was compiled "
                "anew in between): a report is about one"
            )
    kinds = [run.kind for run in runs]
    shared = [replace(run, share=1 / kinds.count(run.kind)) for run in runs]
    order = (SIMULATE, *registry.kinds())
    return sorted(shared, key=lambda run: order.index(run.kind))


def _read(folder: Path) -> Run:
    path = folder / RESULT
    if not path.is_file():
        wrong = mistaken(folder, "RUN") if kind_of(folder) != "RUNs" else ""
        raise StudyError(wrong or f"{folder} holds no {RESULT}: {_next_step(folder)}")
    try:
        summary = read_json(path)
        known = (SIMULATE, *registry.kinds())
        if summary.get("study") in known and "network" in summary and "images" not in summary:
            raise StudyError(
                f"{folder} does not say which images it is of, as earlier versions did not: its "
                "command, run again, adds that from what is kept"
            )
        check_result(summary)
        Text(known).check(summary["study"], "study")
        require(summary, str(folder), StudyError)
        kind = summary["study"]
        of_classes = summary.get("task") != REGRESSION
        if of_classes and kind == "montecarlo" and not isinstance(summary["no_interval"], dict):
            raise TypeError("no_interval")
        if of_classes and kind == "sweep" and not all("lost" in cell for cell in summary["cells"]):
            raise KeyError("lost")
        kept = ARRAYS if kind == SIMULATE else CHIPS
        require_as_written(path, summary, kept)
        arrays = read_npz(folder / kept) if kind == SIMULATE else {}
        rows = []
        if kind != SIMULATE:
            columns = registry.study(kind).columns_of(summary.get("task", ""))
            rows = _rows(folder / kept, columns)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise StudyError(
            f"{folder} is damaged, or was made by an earlier version ({brief(error)}): run its "
            "command again with another --out"
        ) from error
    return Run(folder=folder, kind=kind, summary=summary, arrays=arrays, rows=rows)


def _next_step(folder: Path) -> str:
    inside = sorted(path.parent for path in folder.glob(f"*/{RESULT}")) if folder.is_dir() else []
    if inside:
        return "the RUNs in it are " + ", ".join(str(path) for path in inside[:6])
    if folder.is_file():
        return "it is a file, and a RUN is a folder"
    if not folder.is_dir():
        hint = near(folder, folder=True).removeprefix(", ") or (
            "`analogkan simulate BUILD` makes one and says where"
        )
        return f"there is no such folder; {hint}"
    if (folder / "board.json").is_file():
        return f"it is a board, which a page shows beside RUNs, and {folder / 'bench.md'} describes"
    if any(
        next(folder.glob(kept), None) for n in ANALYSES for kept in (f"{n}.json", f"*/{n}.json")
    ):
        return "an analysis of one image goes with the RUN it lies in: simulate with its --out"
    return "it is no RUN, or not finished: the command that made it goes on with what is left"


def _rows(path: Path, columns: Mapping[str, Rule]) -> list[dict[str, Any]]:
    """The rows of a table, of which those of points that were evaluated have ``columns``."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        found = []
        for line in reader:
            row = {name: _value(text) for name, text in line.items()}
            row |= {name: line[name] for name in ("key", "status", "reason")}
            where = f"{path.name}, line {reader.line_num}: "
            for name in columns if row["status"] == "ok" else ():
                if name in row:  # lists have a column for each entry
                    columns[name].check(row[name], where + name)
            found.append(row)
    return found


def _value(text: str) -> Any:
    """An entry of a table: nothing, a number or a word."""
    if not text:
        return None
    whole = "." not in text and "e" not in text  # else int would only raise, for most of a table
    for kind in (int, float) if whole else (float,):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def find_build(runs: Sequence[Run], given: Path | None) -> tuple[Build | None, str]:
    """The BUILD that ``runs`` are of, or None and why there is none.

    Raises
    ------
    NetlistError
        If ``given`` is no BUILD, or another circuit.
    """
    network, design = runs[0].summary["network"], runs[0].summary["design"]
    if given is not None:
        build = load_build(given)
        if build.spec.fingerprint() != network:
            raise NetlistError(
                f"{given} is of another network than {runs[0].folder}: name its BUILD"
            )
        if build.facts()["design"] != design:
            raise NetlistError(
                f"{given} is another circuit than that of {runs[0].folder}: name its BUILD, or "
                "compile it again as it was"
            )
        return build, ""
    anew = False
    named = Path(runs[0].summary["build"])
    # As it was called then, or where it was seen from the RUN: folders may have moved together.
    for path in (named, *(parent / named.name for parent in runs[0].folder.resolve().parents[:2])):
        try:
            build = load_build(path)
        except (NetlistError, OSError, ValueError):  # not there, or no path on this system
            continue
        if build.facts()["design"] == design:
            return build, ""
        anew = True
    if anew:
        return None, f"{named} is another circuit now, compiled since the RUNs were made"
    return None, f"its BUILD, {named}, was not found: give it with --build"
