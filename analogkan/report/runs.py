"""RUN folders, read for a report: what was simulated, its figures, and what was kept with them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.build import Build, load_build
from ..compiler.hardware import Hardware
from ..errors import NetlistError, StudyError
from ..files import brief, near, read_json, read_npz, sealed, sha256
from ..imperfections import Conditions, Variation
from ..kinds import kind_of, mistaken
from ..outside import require
from ..studies.conduct import CHIPS, RESULT
from ..studies.entries import KINDS
from ..studies.entries import RESULT as ENTRIES
from ..studies.run import ARRAYS

NUMBERS = ("accuracy", "agreement", "temp_c", "max_abs_logit_error")
"""Columns of chips.csv that are read."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """A finished RUN.

    Attributes
    ----------
    folder
        Where it is.
    kind
        ``simulate``, ``montecarlo``, ``thermal`` or ``sweep``.
    summary
        Its result.json.
    arrays
        Of a simulation: labels, logits and what else ``simulate`` keeps.
    rows
        Of a study: a dictionary a chip, with ``NUMBERS``, ``sample`` and ``status``.
    share
        Of the points and pictures of a page that may be this RUN's: RUNs of one kind share them.
    """

    folder: Path
    kind: str
    summary: dict[str, Any]
    arrays: dict[str, np.ndarray]
    rows: list[dict[str, Any]]
    share: float = 1.0

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
    return sorted(shared, key=lambda run: KINDS.index(run.kind))


def _read(folder: Path) -> Run:
    path = folder / RESULT
    if not path.is_file():
        wrong = mistaken(folder, "RUN") if kind_of(folder) != "RUNs" else ""
        raise StudyError(wrong or f"{folder} holds no {RESULT}: {_next_step(folder)}")
    try:
        summary = read_json(path)
        if summary.get("study") in KINDS and "network" in summary and "images" not in summary:
            raise StudyError(
                f"{folder} does not say which images it is of, as earlier versions did not: its "
                "command, run again, adds that from what is kept"
            )
        ENTRIES.check(summary, "")
        require(summary, str(folder), StudyError)
        kind = summary["study"]
        if kind == "montecarlo" and not isinstance(summary["no_interval"], dict):
            raise TypeError("no_interval")
        if kind == "sweep" and not all("lost" in cell for cell in summary["cells"]):
            raise KeyError("lost")
        kept = ARRAYS if kind == "simulate" else CHIPS
        same = sha256(folder / kept) == summary["files"][kept]
        arrays = read_npz(folder / ARRAYS) if same and kind == "simulate" else {}
        rows = _rows(folder / CHIPS) if same and kind != "simulate" else []
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise StudyError(
            f"{folder} is damaged, or was made by an earlier version ({brief(error)}): run its "
            "command again with another --out"
        ) from error
    if sealed(summary) != summary:
        raise StudyError(
            f"{path} is not what its command wrote: given again, the command writes it anew"
        )
    if not same:
        raise StudyError(
            f"{folder / kept} is not the one that {RESULT} beside it is about: its command, run "
            "again, writes both"
        )
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
    return "it is no RUN, or not finished: the command that made it goes on with what is left"


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as stream:
        found = []
        reader = csv.DictReader(stream)
        for line in reader:
            row: dict[str, Any] = {name: float(line[name] or "nan") for name in NUMBERS}
            row["sample"] = int(line["sample"]) if line["sample"] else None
            row["status"] = line["status"]
            if row["status"] == "ok" and not 0 <= row["accuracy"] <= 1:
                where = f"{path.name}, line {reader.line_num}"
                raise ValueError(f"{where}: accuracy {line['accuracy']!r} is no share of 1")
            found.append(row)
    return found


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
