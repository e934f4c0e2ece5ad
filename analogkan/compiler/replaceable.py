"""Which folders a BUILD may replace: those that hold nothing but an earlier one."""

from __future__ import annotations

from pathlib import Path

from ..errors import CompileError
from ..files import read_json
from .deck import FILES, FORMAT, SUMMARY
from .parts import HELD_FORMAT, HELD_SUMMARY


def check_replaceable(folder: Path) -> None:
    """Refuse to replace a file, or a folder that holds anything but an earlier BUILD.

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


def _foreign(folder: Path) -> list[str]:
    """What in ``folder``, and in the circuits of a BUILD with held stages, no compile wrote."""
    ours: set[str] = set()
    for name, written in ((SUMMARY, FORMAT), (HELD_SUMMARY, HELD_FORMAT)):
        try:
            summary = read_json(folder / name)
            FILES.check(summary.get("files"), "files")
        except ValueError:
            continue
        if summary.get("format") == written:
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
