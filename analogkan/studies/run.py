"""The RUN folder of a simulation: settings, finished chunks, the result. Resumable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from ..engines.batch import Chunk
from ..errors import StudyError
from ..files import read_npz, write_npz, write_text

SETTINGS, RESULT, ARRAYS = "run.json", "result.json", "result.npz"


class RunFolder:
    """A folder that remembers what has been simulated, for one set of settings.

    Use as a context manager: a lock, which the operating system frees if the process dies, keeps
    a second writer out.

    Parameters
    ----------
    path
        The folder; made if missing.
    settings
        What identifies the run. A folder with others is refused.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.settings = json.loads(json.dumps(settings))
        self._lock = FileLock(path / ".lock")

    def __enter__(self) -> RunFolder:
        stored = self.path / SETTINGS
        if self.path.exists() and not self.path.is_dir():
            raise StudyError(f"{self.path} is a file: give another folder with --out")
        foreign = self.path.is_dir() and any(
            p.name != ".lock" and not p.name.startswith("trace-") for p in self.path.iterdir()
        )
        if foreign and not stored.is_file():
            raise StudyError(f"{self.path} holds files but no {SETTINGS}: give another --out")
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise StudyError(f"{self.path} is in use by another process: wait for it") from error
        try:
            self._match(stored)
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *exc) -> None:
        self._lock.release()

    def _match(self, stored: Path) -> None:
        if not stored.is_file():
            write_text(stored, json.dumps(self.settings, indent=2) + "\n")
            return
        try:
            before = dict(json.loads(stored.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise StudyError(f"{stored} is damaged: give another --out") from error
        changed = [
            key
            for key in sorted({*before, *self.settings})
            if before.get(key) != self.settings.get(key)
        ]
        if changed:
            raise StudyError(
                f"{self.path} was started with another {', '.join(changed)}: give another --out, "
                "or remove the folder"
            )

    def chunk(self, chunk: Chunk, width: int) -> np.ndarray | None:
        """A finished chunk's logits (n, ``width``), or None."""
        path = self._chunk_path(chunk)
        try:
            logits = read_npz(path)["logits"]
        except (ValueError, KeyError):
            return None  # not there, or cut short by a crash of the machine: simulated again
        whole = logits.shape == (chunk.stop - chunk.start, width) and np.isfinite(logits).all()
        return logits if whole else None

    def add_chunk(self, chunk: Chunk, logits: np.ndarray, seconds: float) -> None:
        """Keep a chunk's logits (n, O)."""
        write_npz(self._chunk_path(chunk), {"logits": logits, "seconds": np.array(seconds)})

    def finish(self, result: dict[str, Any], **arrays: np.ndarray) -> None:
        """Write the result; chunks stay, so that a run is never paid for twice."""
        write_npz(self.path / ARRAYS, arrays)
        write_text(self.path / RESULT, json.dumps(result, indent=2) + "\n")

    def spent(self) -> float:
        """Wall seconds that earlier sessions of this run took."""
        try:
            return float((self.path / "seconds").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0.0

    def add_spent(self, seconds: float) -> None:
        """Add wall seconds; before the chunk they went into, so that no chunk is free."""
        write_text(self.path / "seconds", repr(self.spent() + seconds))

    def _chunk_path(self, chunk: Chunk) -> Path:
        return self.path / "chunks" / f"{chunk.start:06d}-{chunk.stop:06d}.npz"
