"""Which folders a BUILD may replace: those that hold nothing but an earlier one, as compile wrote
it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ..errors import CompileError
from ..files import changed_files, read_json
from .deck import FILES, FORMAT, SUMMARY
from .parts import HELD_FORMAT, HELD_SUMMARY

MOST_NAMED = 3
"""Edited files that a sentence names."""


def check_replaceable(folder: Path, *, force: bool = False) -> None:
    """Refuse to replace a file, or a folder that holds anything but an earlier BUILD; and, without
    ``force``, a BUILD of which somebody edited a text file, such as a netlist.

    Raises
    ------
    CompileError
        If it would.
    """
    if folder.exists() and not folder.is_dir():
        raise CompileError(f"{folder} is a file: give another folder with -o")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    foreign = _foreign(folder)
    if foreign:
        raise CompileError(
            f"{folder} holds {foreign[0]}, which no compile wrote, so it is not replaced: "
            "give another folder with -o"
        )
    edited = [] if force else _edited(folder)
    if edited:
        more = len(edited) - MOST_NAMED
        named = ", ".join(edited[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise CompileError(
            f"{folder} was edited after it was compiled ({named}), so it is not replaced: give "
            "another folder with -o, or --force, which loses the edits; `analogkan verify "
            f"{shlex.quote(str(folder))}` says what they change"
        )


def _summaries(folder: Path) -> dict[str, dict[str, Any]]:
    """Those of ``folder`` that a compile wrote, by name."""
    found: dict[str, dict[str, Any]] = {}
    for name, written in ((SUMMARY, FORMAT), (HELD_SUMMARY, HELD_FORMAT)):
        try:
            summary = read_json(folder / name)
            FILES.check(summary.get("files"), "files")
        except ValueError:
            continue
        if summary.get("format") == written:
            found[name] = summary
    return found


def _edited(folder: Path) -> list[str]:
    """Text files of a BUILD, those of its circuits too, that are there and not as compile wrote
    them. Arrays nobody edits by hand, and damaged ones are compiled again."""
    found: list[str] = []
    for summary in _summaries(folder).values():
        recorded = summary["files"]
        texts = [name for name in sorted(recorded) if not name.endswith(".npz")]
        there = [name for name in texts if (folder / name).is_file()]
        found += changed_files(folder, there, recorded)
        circuits = [name.split("/")[0] for name in there if name.endswith(f"/{SUMMARY}")]
        found += [f"{name}/{inner}" for name in circuits for inner in _edited(folder / name)]
    return found


def _foreign(folder: Path) -> list[str]:
    """What in ``folder``, and in the circuits of a BUILD with held stages, no compile wrote."""
    ours: set[str] = set()
    for name, summary in _summaries(folder).items():
        ours |= {name, *summary["files"]}
    circuits = {name.split("/")[0] for name in ours if name.endswith(f"/{SUMMARY}")}
    folders = {name.split("/")[0] for name in ours if "/" in name}
    found = sorted(p.name for p in folder.iterdir() if p.name not in ours | folders)
    for name in sorted(folders):
        if not (folder / name).is_dir():
            continue
        if name in circuits:
            found += [f"{name}/{inner}" for inner in _foreign(folder / name)]
        else:
            inner = sorted(f"{name}/{p.name}" for p in (folder / name).iterdir())
            found += [path for path in inner if path not in ours]
    return found
